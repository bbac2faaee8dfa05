#!/usr/bin/python3
"""What push costs the program beside polling: memory of idle shards over TLS, and processor time an event.

    tests/bench/push_cost.py [--shards N] [--rates N...]

The shards of a fake stream are read into SQLite, in turn polled and pushed (tests/support/fan_out.py), which sends what has
arrived every 50 ms, as one event a shard. Polling reads each shard 4 times a second. Both go through haproxy, which has the
certificate.
"""

import argparse
import contextlib
import pathlib
import statistics
import sys
import tempfile
import time

import common
import certificates
import emulators
import fake_stream
import fan_out
import proxy
import reverse_proxies
import small_shop
import wait
from daemon import Daemon
from shard_cost import numbers

WAYS = {"polled": (), "pushed": ("--fan-out", "bench")}
ROUNDS, SECONDS = 3, 10
LOADED_SHARDS = 4
IDLE_TICK_S = 1  # the stand-in's own work must not starve the program


class Bench:
    """A fake stream, read by one program at a time."""

    def __init__(self, folder, shards, tick_s):
        self.folder, self.shards, self.tick_s = pathlib.Path(folder), shards, tick_s
        self.certificate = certificates.make(self.folder)
        self.bundle = certificates.bundle(self.folder, self.certificate)
        self.stores = 0

    @contextlib.contextmanager
    def daemon(self, way):
        """(the stream, the daemon)"""
        self.stores += 1
        with contextlib.ExitStack() as stack:
            stream = stack.enter_context(fake_stream.FakeStream(self.shards))
            pushing = fan_out.FanOut(tick_s=self.tick_s)
            port = stack.enter_context(proxy.Proxy(stream.url, [pushing])).port if way == "pushed" else stream.port
            tls = stack.enter_context(reverse_proxies.Tls(self.folder, port, self.certificate, "http/1.1"))
            environment = {
                **stream.environment(), "AWS_ENDPOINT_URL_KINESIS": tls.url, "AWS_CA_BUNDLE": self.bundle,
            }  # fmt: skip
            options = ["--source", f"kinesis:{stream.name}", "--store", f"sqlite:{self.folder}/{self.stores}.db"]
            with Daemon([*options, "--drain-seconds", "0", *WAYS[way]], environment) as daemon:
                is_read = lambda: self.is_read(way, stream, pushing)  # noqa: E731
                wait.until(is_read, "all shards are read", 120, every_s=0.5, seen=daemon.log_tail)
                yield stream, daemon

    def is_read(self, way, stream, pushing):
        if way == "pushed":
            return len(pushing.open) == self.shards
        reads = stream.counts()["reads"]
        return len(reads) == self.shards and min(reads.values()) >= 3


def memory(shards):
    """{way: MiB}"""
    found = {}
    with tempfile.TemporaryDirectory(prefix="winner-view-bench-") as folder:
        bench = Bench(folder, shards, IDLE_TICK_S)
        for way in WAYS:
            with bench.daemon(way) as (_, daemon):
                time.sleep(SECONDS)
                found[way] = numbers(daemon.process.pid)["MiB"]
    return found


def microseconds(bench, way, per_s):
    """Of processor time an event."""
    applied = lambda: daemon.metric("winner_view_events_total", result="applied")  # noqa: E731
    with bench.daemon(way) as (stream, daemon):
        keys = stream.keys_of_all(1)
        sold = lambda key: small_shop.puts(small_shop.product(key, small_shop.person("merchant", "Ann"), None, 9))  # noqa: E731
        events = {shard: sold(own[0]) for shard, own in keys.items()}
        stream.load(events, per_s)
        wait.until(lambda: applied() > per_s, "the load has begun")
        first, before = common.processor_s(daemon.process.pid), applied()
        time.sleep(SECONDS)
        return (common.processor_s(daemon.process.pid) - first) / (applied() - before) * 1e6


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shards", type=int, default=200, help="idle ones (200)")
    parser.add_argument("--rates", type=int, nargs="*", default=[10, 100, 1000], help="events/s of a shard")
    options = parser.parse_args()
    emulators.stop_on_signals()
    for way, mib in memory(options.shards).items():
        print(f"{options.shards} idle shards over TLS, {way}: {mib:.0f} MiB", flush=True)
    with tempfile.TemporaryDirectory(prefix="winner-view-bench-") as folder:
        bench = Bench(folder, LOADED_SHARDS, 0.05)
        for per_s in options.rates:
            found = {way: [] for way in WAYS}
            for _ in range(ROUNDS):
                for way in WAYS:
                    found[way].append(microseconds(bench, way, per_s))
            medians = {way: statistics.median(each) for way, each in found.items()}
            ratio = medians["pushed"] / medians["polled"]
            print(
                f"{LOADED_SHARDS} shards of {per_s} events/s: {medians['polled']:.0f} us an event polled, "
                f"{medians['pushed']:.0f} pushed (x {ratio:.2f})",
                flush=True,
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
