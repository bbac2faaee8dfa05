#!/usr/bin/python3
"""How soon a purchase is visible over HTTP after it was put on the stream, or appended to the file.

    tests/bench/visible.py [--purchases N]

A purchase is put when the one before is visible on the board and in its product. The reader asks every 2 ms. Polling and
push take turns; the stream pushes a record 10 ms after its arrival (tests/support/fan_out.py). "push": from then on.
"""

import argparse
import contextlib
import pathlib
import sys
import tempfile
import time

import common
import cloud
import fan_out
import figures
import proxy
import wait
from daemon import Daemon
from figures import Figure
from pairs import FileSqlite
from small_shop import person, product, puts

REGISTERED, PURCHASE = puts(product("lamp", person("merchant", "Ann"), None, 1))
DELAY_S = 0.01  # of the stream: a record is pushed so long after its arrival
ON_THE_BOARD, IN_ITS_PRODUCT = "on the board", "in its product"
SOON = {50: 250, 99: 1000}
GOALS_MS = {  # by place and percentile
    "polled put": {ON_THE_BOARD: SOON, IN_ITS_PRODUCT: SOON},
    "pushed put": {ON_THE_BOARD: SOON, IN_ITS_PRODUCT: SOON},
    "push": {IN_ITS_PRODUCT: {50: 30, 99: 100}},
    "append": {ON_THE_BOARD: {50: 100, 99: 100}, IN_ITS_PRODUCT: {50: 100, 99: 100}},
}


def board(daemon):
    items = daemon.get("/scores/merchant").json()["items"]
    return items[0]["score"] if items else 0


def contribution(daemon):
    return daemon.get("/contributions/lamp").json()["purchases"]


PLACES = {ON_THE_BOARD: board, IN_ITS_PRODUCT: contribution}


def until_visible(daemon, score):
    """{place: when, monotonic}"""
    times = {}

    def is_visible():
        for name, place in PLACES.items():
            if name not in times and place(daemon) >= score:
                times[name] = time.monotonic()
        return len(times) == len(PLACES)

    wait.until(is_visible, f"score {score} is visible", 30, 0.002, daemon.log_tail)
    return times


def percentile(values, percent):
    return sorted(values)[max(0, len(values) * percent // 100 - 1)]


def as_figures(what, times):
    found = []
    for place, goals in GOALS_MS[what].items():
        ms = [one[place] for one in times]
        for percent, goal in goals.items():
            found.append(
                Figure(f"{what} to visible {place}: p{percent}, ms", [percentile(ms, percent)], goal, True, is_kept=False)
            )
    found[0].notes = [f"{what} to visible: {len(times)} purchases"]
    return found


def since(begin, times):
    return {place: (seen - begin) * 1000 for place, seen in times.items()}


def follow(sources, purchases, pushing=None):
    """`sources`: {what: (put, daemon)}, which take turns. `pushing`: it pushes the last of them."""
    for _, daemon in sources.values():
        daemon.wait_until_applied()
    times = {what: [] for what in (*sources, *(["push"] if pushing else []))}
    for score in range(1, purchases + 1):
        for what, (put, daemon) in sources.items():
            put([PURCHASE])
            begin, seen = time.monotonic(), until_visible(daemon, score)
            times[what].append(since(begin, seen))
        if pushing:
            times["push"].append(since(max(one.pushed_at or 0 for one in pushing.subscriptions), seen))
    return [figure for what, own in times.items() for figure in as_figures(what, own)]


@contextlib.contextmanager
def of_stream(running, through, stream, *options):
    """(put, daemon) of a stream of its own."""
    environment = {**running.environment, "AWS_ENDPOINT_URL_KINESIS": through.url}
    kinesis = cloud.client("kinesis", environment)
    cloud.create_stream(kinesis, stream)
    cloud.put(kinesis, stream, [REGISTERED])
    with common.new_daemon(running, stream, stream, *options, environment=environment) as daemon:
        yield lambda events: cloud.put(kinesis, stream, events), daemon


def measure_streams(running, purchases):
    """Polling and push, through one proxy."""
    pushing = fan_out.FanOut(delay_s=DELAY_S)
    with proxy.Proxy(running.kinesis_url, [pushing]) as through, of_stream(
        running, through, "polled"
    ) as polled, of_stream(running, through, "pushed", "--fan-out", "visible") as pushed:
        return follow({"polled put": polled, "pushed put": pushed}, purchases, pushing)


def measure(running, purchases):
    """The Figures, of all sources."""
    found = measure_streams(running, purchases)
    with tempfile.TemporaryDirectory() as folder:
        pair = FileSqlite(pathlib.Path(folder))
        pair.put([REGISTERED])
        with Daemon([*pair.options, "--drain-seconds", "0"], pair.environment) as daemon:
            return found + follow({"append": (pair.put, daemon)}, purchases)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--purchases", type=int, default=200)
    options = parser.parse_args()
    with common.start_emulators() as running:
        figures.report(measure(running, options.purchases))
    return 0


if __name__ == "__main__":
    sys.exit(main())
