#!/usr/bin/python3
"""How soon a purchase is visible over HTTP after it was put on the stream, or appended to the file.

    tests/bench/visible.py [--purchases N]

A purchase is put when the one before is visible on the board and in its product. The reader asks every 2 ms.
"""

import argparse
import pathlib
import sys
import tempfile
import time

import common
import cloud
import figures
import wait
from daemon import Daemon
from figures import Figure
from pairs import FileSqlite
from small_shop import person, product, puts

REGISTERED, PURCHASE = puts(product("lamp", person("merchant", "Ann"), None, 1))
GOALS_MS = {"put": {50: 250, 99: 1000}, "append": {50: 100, 99: 100}}


def board(daemon):
    items = daemon.get("/scores/merchant").json()["items"]
    return items[0]["score"] if items else 0


def contribution(daemon):
    return daemon.get("/contributions/lamp").json()["purchases"]


PLACES = {"on the board": board, "in its product": contribution}


def until_visible(daemon, score):
    """{place: milliseconds from now}"""
    begin, times = time.monotonic(), {}

    def is_visible():
        for name, place in PLACES.items():
            if name not in times and place(daemon) >= score:
                times[name] = (time.monotonic() - begin) * 1000
        return len(times) == len(PLACES)

    wait.until(is_visible, f"score {score} is visible", 30, 0.002, daemon.log_tail)
    return times


def percentile(values, percent):
    return sorted(values)[max(0, len(values) * percent // 100 - 1)]


def as_figures(what, times):
    found = []
    for place in PLACES:
        ms = [one[place] for one in times]
        for percent, goal in GOALS_MS[what].items():
            found.append(
                Figure(f"{what} to visible {place}: p{percent}, ms", [percentile(ms, percent)], goal, True, is_kept=False)
            )
    found[0].notes = [f"{what} to visible: {len(times)} purchases"]
    return found


def follow(what, put, daemon, purchases):
    daemon.wait_until_applied()
    times = []
    for score in range(1, purchases + 1):
        put([PURCHASE])
        times.append(until_visible(daemon, score))
    return as_figures(what, times)


def measure(running, purchases):
    """The Figures, of both sources."""
    kinesis = cloud.client("kinesis", running.environment)
    cloud.create_stream(kinesis, "visible")
    cloud.put(kinesis, "visible", [REGISTERED])
    with common.new_daemon(running, "visible", "visible") as daemon:
        found = follow("put", lambda events: cloud.put(kinesis, "visible", events), daemon, purchases)
    with tempfile.TemporaryDirectory() as folder:
        pair = FileSqlite(pathlib.Path(folder))
        pair.put([REGISTERED])
        with Daemon([*pair.options, "--drain-seconds", "0"], pair.environment) as daemon:
            return found + follow("append", pair.put, daemon, purchases)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--purchases", type=int, default=200)
    options = parser.parse_args()
    with common.start_emulators() as running:
        figures.report(measure(running, options.purchases))
    return 0


if __name__ == "__main__":
    sys.exit(main())
