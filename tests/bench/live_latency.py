#!/usr/bin/python3
"""How late a cached board is while the service is busy with 250 readers of /live and ingests 1,000 events/s.

    tests/bench/live_latency.py                          a file into SQLite
    tests/bench/live_latency.py --pair kinesis+dynamodb  the emulators, which take most of two cores
    chrt -r 5 tests/bench/live_latency.py                on a busy machine, whose time slices p99 would show else

Three states in turn, some rounds of each, and for each the medians of the rounds: `idle`; `ingest` (1,000
events/s, whose boards change all the time); `live` (the same, and 250 readers of /live who get what changes).
In each an open-loop client (open_loop.c) asks for a board 2,000 times a second and counts from when a request
was meant to be sent. Prints p50 and p99 of each, p99's ratio to idle's, and what processor time the service
took. Exits 1 if an answer, a reader or an event is missing. Times are printed and not checked.
"""

import argparse
import contextlib
import statistics
import sys
import tempfile
import time

import common
import cloud
import emulators
import wait
import workload
from daemon import Daemon
from live_readers import LiveReaders
from steady_load import SteadyLoad

ROUTE = "/scores/merchant"
RATE, CONNECTIONS = 2000, 64
READERS, EVENTS_A_SECOND = 250, 1000
STOCK, FEEDER_SPARE_S = 3000, 20
BATCHES_A_SECOND = {"file+sqlite": 50, "kinesis+dynamodb": 10}
PERCENTILES = ("p50", "p99", "p999", "longest")


class Feeder:
    """Puts events at a constant rate during each block, from where the last one ended."""

    def __init__(self, put, events, batches_a_second):
        self.put, self.events, self.round_s = put, events, 1 / batches_a_second
        self.sent = 0

    @contextlib.contextmanager
    def feeding(self):
        with SteadyLoad(self.put, self.events[self.sent :], EVENTS_A_SECOND, self.round_s) as steady:
            yield
        self.sent += steady.done


def measure(daemon, seconds):
    before, begin = common.processor_s(daemon.process.pid), time.monotonic()
    result = common.open_loop(daemon.port, ROUTE, RATE, seconds, CONNECTIONS)
    result["cpu"] = (common.processor_s(daemon.process.pid) - before) / (time.monotonic() - begin)
    return result


def run_rounds(daemon, feeder, rounds, seconds):
    results = {"idle": [], "ingest": [], "live": []}
    readers = LiveReaders(daemon.port, "?changes=1", READERS)
    measure(daemon, 1)  # warm
    for _ in range(rounds):
        results["idle"].append(measure(daemon, seconds))
        with feeder.feeding():
            results["ingest"].append(measure(daemon, seconds))
            with readers.reading():
                wait.until(lambda: readers.bytes > READERS * 100, "readers are served")
                results["live"].append(measure(daemon, seconds))
        daemon.wait_until_applied(300)
    return results, readers


def median(results, name):
    return statistics.median(result[name] for result in results)


def report(results, readers, feeder, rounds, seconds):
    idle = median(results["idle"], "p99")
    print(f"GET {ROUTE}, open loop, {RATE} requests/s on {CONNECTIONS} connections; {rounds} rounds of {seconds} s")
    for state, found in results.items():
        times = "  ".join(f"{name} {median(found, name):6.0f} us" for name in PERCENTILES)
        print(
            f"{state:7} {times}  p99 x {median(found, 'p99') / idle:.2f}"
            f"  client late {max(r['behind'] for r in found)} us  service {median(found, 'cpu'):.2f} cores"
        )
    print(
        f"{feeder.sent} events put; {readers.events} events to {READERS} readers, "
        f"{readers.bytes / max(1, readers.events):.0f} bytes each"
    )


def check(daemon, feeder, readers, before):
    """1 if an event was not read, or a reader was cut off or got too little."""
    read = daemon.metric("winner_view_events_total") - before
    mistakes = []
    if read != feeder.sent:
        mistakes.append(f"{feeder.sent} events were put, {read:.0f} read")
    if readers.cut or daemon.metric("winner_view_live_dropped_total"):
        mistakes.append(f"{readers.cut} readers were cut off")
    if readers.events < READERS * 5:
        mistakes.append(f"only {readers.events} events arrived at {READERS} readers")
    for mistake in mistakes:
        print(f"WRONG: {mistake}")
    return 1 if mistakes else 0


def generate(options):
    """(events before the measurement, more than enough events for it)"""
    fed = options.rounds * (2 * options.seconds + FEEDER_SPARE_S) * EVENTS_A_SECOND
    events = list(workload.generate(1, STOCK + fed, **common.SHOP))
    return events[:STOCK], events[STOCK:]


def bench(daemon, put, events, options):
    daemon.wait_until_applied(300)
    before = daemon.metric("winner_view_events_total")
    feeder = Feeder(put, events, BATCHES_A_SECOND[options.pair])
    results, readers = run_rounds(daemon, feeder, options.rounds, options.seconds)
    report(results, readers, feeder, options.rounds, options.seconds)
    return check(daemon, feeder, readers, before)


def on_file(options):
    with tempfile.TemporaryDirectory() as folder, open(f"{folder}/events.jsonl", "ab", buffering=0) as file:
        service_options = ["--store", f"sqlite:{folder}/view.db", "--source", f"file:{folder}/events.jsonl"]

        def put(puts):
            file.write(b"".join(p.data + b"\n" for p in puts))

        stock, events = generate(options)
        put(stock)
        with Daemon([*service_options, "--drain-seconds", "0"], {}) as daemon:
            return bench(daemon, put, events, options)


def on_emulators(options):
    with common.start_emulators() as running:
        kinesis = cloud.client("kinesis", running.environment)
        cloud.create_stream(kinesis, "live")
        stock, events = generate(options)
        cloud.put(kinesis, "live", stock)
        with common.new_daemon(running, "live", "live") as daemon:
            return bench(daemon, lambda puts: cloud.put(kinesis, "live", puts), events, options)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pair", choices=sorted(BATCHES_A_SECOND), default="file+sqlite")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=4, help="of each state in a round")
    options = parser.parse_args()
    emulators.stop_on_signals()
    return on_file(options) if options.pair == "file+sqlite" else on_emulators(options)


if __name__ == "__main__":
    sys.exit(main())
