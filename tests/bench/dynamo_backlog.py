#!/usr/bin/python3
"""Ingest of a backlog from kinesis-local into DynamoDB Local: events/s, and the processor time that the service itself needs.

    tests/bench/dynamo_backlog.py [--events N] [--rounds N] [-- options of the service]

The plain shop (400 products, 50 merchants, 20 photographers, Zipf 1.1) on 3 shards, each round into empty tables. The
emulators share the processors: events/s is mostly theirs. Processor time is also compared with what jansson alone needs for
the same events. Exits 1 if an event is missing.
"""

import argparse
import pathlib
import sys
import tempfile
import time

import common
import cloud
import figures
import file_to_sqlite
import wait
import workload
from figures import Figure

EVENTS, SHORT_EVENTS = 60_000, 10_000
LAMBDA_RATE, RATE_GOAL = 190, 20  # it reaches 150 to 230
PROCESSOR_GOAL_US = 20
WAIT_S = 300


def jansson_us(puts):
    """Microseconds an event, in the file's form."""
    with tempfile.TemporaryDirectory(prefix="winner-view-bench-") as name:
        path = pathlib.Path(name) / "events.jsonl"
        path.write_bytes(b"".join(put.data + b"\n" for put in puts))
        return file_to_sqlite.parse_only(path)[0].cpu_s / len(puts) * 1e6


def run(running, name, stream, events, options):
    """(events/s from the start of the process, processor microseconds an event, {thread: seconds})"""
    daemon = common.new_daemon(running, name, stream, *options)
    begin = time.monotonic()
    with daemon:
        applied = lambda: daemon.metric("winner_view_events_total", result="applied")  # noqa: E731
        wait.until(lambda: applied() >= events, f"{events} events are applied", WAIT_S, 0.1, daemon.log_tail)
        seconds, threads = time.monotonic() - begin, common.thread_seconds(daemon.process.pid)
        if applied() != events:
            raise SystemExit(f"{applied():.0f} events were applied, expected {events}")
    return events / seconds, common.work_s(threads) / events * 1e6, threads


def measure(running, events=EVENTS, rounds=3, options=()):
    """The Figures."""
    kinesis, puts = cloud.client("kinesis", running.environment), workload.generate(1, events, **common.SHOP)
    cloud.create_stream(kinesis, "backlog")
    cloud.put(kinesis, "backlog", puts)
    runs = [run(running, f"backlog-{n}", "backlog", events, options) for n in range(rounds)]
    cloud.delete_stream(kinesis, "backlog")
    rates, processor_us, threads = zip(*runs, strict=True)
    alone_us = jansson_us(puts)
    what = "backlog on DynamoDB Local"
    used = ", ".join(f"{name} {seconds:.2f}" for name, seconds in threads[-1].items() if seconds >= 0.02)
    rate = Figure(f"{what}: events/s / the Lambda's", [rate / LAMBDA_RATE for rate in rates], RATE_GOAL)
    rate.notes = [f"{what}: {' '.join(f'{rate:.0f}' for rate in rates)} events/s; processor seconds: {used}"]
    return [
        rate,
        Figure(f"{what}: processor us an event", list(processor_us), PROCESSOR_GOAL_US, True, is_kept=False),
        Figure(f"{what}: processor time / jansson's", [us / alone_us for us in processor_us], PROCESSOR_GOAL_US / alone_us, True),
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=EVENTS)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("options", nargs="*", help="of the service")
    options = parser.parse_args()
    with common.start_emulators() as running:
        figures.report(measure(running, options.events, options.rounds, options.options))
    return 0


if __name__ == "__main__":
    sys.exit(main())
