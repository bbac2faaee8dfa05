#!/usr/bin/python3
"""What an idle shard costs a worker: memory, threads, descriptors, mappings, processor time, switches of threads.

    tests/bench/shard_cost.py [--tls] [--poll-interval-ms MS] SHARDS...     e.g. 1 400 1100

The shards of a fake stream are read into SQLite. With DynamoDB each may have a run of calls under way too (descriptors:
LIMIT_SHARD_STORE_FILES). Some thousand shards need five times as many open files (ulimit -n).
"""

import argparse
import os
import pathlib
import re
import tempfile
import time

import common
import certificates
import fake_stream
import wait
from daemon import Daemon

SECONDS = 10


def numbers(pid):
    process = pathlib.Path(f"/proc/{pid}")
    status = dict(re.findall(r"^(\w+):\s+(\d+)", (process / "status").read_text(), re.MULTILINE))
    switches = re.compile(r"ctxt_switches:\s+(\d+)")
    return {
        "MiB": int(status["VmRSS"]) / 1024,
        "threads": int(status["Threads"]),
        "descriptors": len(os.listdir(process / "fd")),
        "mappings": (process / "maps").read_text().count("\n"),
        "seconds": common.processor_s(pid),
        "switches": sum(
            int(n) for task in (process / "task").iterdir() for n in switches.findall((task / "status").read_text())
        ),
    }


def measure(folder, shards, poll_ms, tls):
    environment, certificate = {}, None
    if tls:
        certificate = certificates.make(folder)
        environment["AWS_CA_BUNDLE"] = certificates.bundle(folder, certificate)
    with fake_stream.FakeStream(shards, certificate=certificate) as stream:
        options = ["--source", "kinesis:fake", "--store", f"sqlite:{folder}/v{shards}.db", "--drain-seconds", "0"]
        options += ["--poll-interval-ms", str(poll_ms)]
        with Daemon(options, {**stream.environment(), **environment}) as daemon:
            reads = lambda: list(stream.counts()["reads"].values())  # noqa: E731
            wait.until(lambda: min(reads()) >= 3, "all are read", 120, every_s=1, seen=daemon.log_tail)
            first, reads_then, begin = numbers(daemon.process.pid), sum(reads()), time.monotonic()
            time.sleep(SECONDS)
            last, passed = numbers(daemon.process.pid), time.monotonic() - begin
            a_second = {name: (last[name] - first[name]) / passed for name in ("seconds", "switches")}
            return {
                "shards": shards,
                **{name: round(last[name]) for name in ("MiB", "threads", "descriptors", "mappings")},
                "reads/s": round((sum(reads()) - reads_then) / passed),
                "processors": round(a_second["seconds"], 2),
                "switches/s": round(a_second["switches"]),
            }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tls", action="store_true")
    parser.add_argument("--poll-interval-ms", type=int, default=250)
    parser.add_argument("shards", type=int, nargs="+")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="winner-view-bench-") as folder:
        for n, shards in enumerate(arguments.shards):
            row = measure(pathlib.Path(folder), shards, arguments.poll_interval_ms, arguments.tls)
            if not n:
                print(" | ".join(row))
            print(" | ".join(map(str, row.values())), flush=True)


if __name__ == "__main__":
    main()
