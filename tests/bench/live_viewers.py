#!/usr/bin/python3
"""What 250 viewers of /live cost in 20 s at 1,000 events/s: bytes each, and processor time of the service.

    tests/bench/live_viewers.py                               changes, of all time
    tests/bench/live_viewers.py --query ''                    whole boards of all time
    tests/bench/live_viewers.py --against OTHER/winner-view   and those of another program, which gets whole boards

A file into SQLite, whose boards change all the time. Bytes are as they arrive, headers and chunks included; sales
are counted apart, and known from the first viewer. Beside the viewers an open-loop client asks for a board 200 times a
second. Exits 1 if a viewer is cut off, or an event is not read.
"""

import argparse
import pathlib
import re
import sys
import tempfile

import common
import emulators
import workload
from daemon import Daemon
from live_readers import LiveReaders
from steady_load import SteadyLoad

ROUTE, RATE = "/scores/merchant", 200
EVENTS_A_SECOND, STOCK, SPARE_S = 1000, 3000, 30
SALE = re.compile(rb"event: sale\n.*?\n\n", re.DOTALL)


def measure(daemon, viewers, seconds):
    """(processor seconds, the open-loop client's result)"""
    before = common.processor_s(daemon.process.pid)
    result = common.open_loop(daemon.port, ROUTE, RATE, seconds, 1)  # a second connection would be idle, and closed
    return common.processor_s(daemon.process.pid) - before, result


def report(name, alone, viewed, viewers, seconds):
    (quiet_s, quiet), (busy_s, busy) = alone, viewed
    sales = sum(map(len, SALE.findall(viewers.first)))
    each = viewers.bytes / viewers.n - sales
    kinds = re.findall(rb"event: (\w+)", viewers.first)
    found = ", ".join(f"{kinds.count(kind)} {kind.decode()}" for kind in sorted(set(kinds)))
    print(f"{name}: {each / 1000:.1f} KB a viewer in {seconds} s, and {sales / 1000:.1f} KB of sales ({found})")
    print(
        f"    processor {busy_s:.2f} s, {quiet_s:.2f} s without viewers: "
        f"{1e6 * (busy_s - quiet_s) / viewers.n / seconds:.0f} us a viewer and second"
    )
    print(f"    {ROUTE}: p50 {busy['p50']} us, p99 {busy['p99']} us; without viewers {quiet['p50']}, {quiet['p99']}")


def bench(binary, query, options):
    events = list(workload.generate(1, STOCK + EVENTS_A_SECOND * (2 * options.seconds + SPARE_S), **common.SHOP))
    with tempfile.TemporaryDirectory() as folder, open(f"{folder}/events.jsonl", "ab", buffering=0) as file:

        def put(puts):
            file.write(b"".join(p.data + b"\n" for p in puts))

        put(events[:STOCK])
        service_options = ["--store", f"sqlite:{folder}/view.db", "--source", f"file:{folder}/events.jsonl"]
        daemon = Daemon([*service_options, "--drain-seconds", "0"], {})
        daemon.argv[0] = binary
        with daemon:
            daemon.wait_until_applied(60)
            viewers = LiveReaders(daemon.port, query, options.viewers)
            with SteadyLoad(put, events[STOCK:], EVENTS_A_SECOND, 0.02) as load:
                alone = measure(daemon, viewers, options.seconds)
                with viewers.reading():
                    viewed = measure(daemon, viewers, options.seconds)
                put_events = STOCK + load.end()
            daemon.wait_until_applied(60)
            report(f"{binary}{' ' if query else ''}{query}", alone, viewed, viewers, options.seconds)
            read = daemon.metric("winner_view_events_total")
    if read == put_events and not viewers.cut:
        return 0
    print(f"WRONG: {viewers.cut} viewers were cut off; of {put_events} events {read:.0f} were read")
    return 1


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--query", default="?changes=1")
    parser.add_argument("--against", metavar="BINARY", type=pathlib.Path)
    parser.add_argument("--viewers", type=int, default=250)
    parser.add_argument("--seconds", type=int, default=20)
    options = parser.parse_args()
    emulators.stop_on_signals()
    wrong = bench(str(options.against), "", options) if options.against else 0
    return wrong | bench(common.program.binary(), options.query, options)


if __name__ == "__main__":
    sys.exit(main())
