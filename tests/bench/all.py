#!/usr/bin/python3
"""What the program reaches, against what else runs on this machine: each number is a ratio, memory or cost, with its spread.

    tests/bench/all.py              all: 20 minutes
    tests/bench/all.py --short      with few events and rounds: what tests/run.sh --all runs
    tests/bench/all.py --only http file
    tests/bench/all.py --keep       keeps them: the ratios in figures.json, and what was printed in figures.txt

Warns where a ratio has lost more than a third since it was kept: machines are noisy, so it is no failure. Exits 1 if a result is
wrong, or beyond a limit that noise does not reach. The other programs here measure one of these each, with more options
(write_units.py --all, scale.py with other sizes, memory_table.py for two binaries).
"""

import argparse
import dataclasses
import sys
import time
import typing

import common
import board_partitions
import dynamo_backlog
import emulators
import figures
import file_to_sqlite
import http_ratio
import idle_connections
import memory_table
import scale
import visible
import write_units


@dataclasses.dataclass(frozen=True)
class Part:
    """`short` and `whole` return Figures; they get running emulators if `on_emulators`."""

    short: typing.Callable
    whole: typing.Callable
    on_emulators: bool = False


def files():
    return [figure for span in file_to_sqlite.SPANS_S for figure in file_to_sqlite.measure(span)]


PARTS = {
    "http": Part(lambda e: http_ratio.measure(e, 3, 2), lambda e: http_ratio.measure(e, 5, 4), True),
    "units": Part(
        lambda e: write_units.measure_figures(e, False), lambda e: write_units.measure_figures(e, True), True
    ),
    "backlog": Part(
        lambda e: dynamo_backlog.measure(e, dynamo_backlog.SHORT_EVENTS, 2), dynamo_backlog.measure, True
    ),
    "visible": Part(lambda e: visible.measure(e, 50), lambda e: visible.measure(e, 200), True),
    "partitions": Part(lambda e: [], lambda e: board_partitions.measure_figures(e, (1, 2, 4)), True),
    "file": Part(lambda: file_to_sqlite.measure("days", file_to_sqlite.SHORT_LINES, 2, (), False), files),
    "scale": Part(lambda: scale.measure_figures(scale.SHORT_SIZES), lambda: scale.measure_figures(scale.SIZES)),
    "idle": Part(lambda: idle_connections.measure(3), lambda: idle_connections.measure(5, 4)),
    "memory": Part(
        lambda: memory_table.measure_figures(memory_table.SHORT),
        lambda: memory_table.measure_figures([*memory_table.OF_8_SHARDS, *memory_table.IDLE]),
    ),
}


def run(name, measure, *arguments):
    """(the Figures, whether all is right)"""
    begin = time.monotonic()
    try:
        found = measure(*arguments)
        good = figures.report(found) if found else True
    except (Exception, SystemExit) as error:
        print(f"FAILED: {name}: {error!r}")
        found, good = [], False
    print(f"-- {name}: {time.monotonic() - begin:.0f} s", flush=True)
    return found, good


def run_all(names, form):
    """([the Figures of each part], whether all is right)"""
    with_emulators = [name for name in names if PARTS[name].on_emulators]
    results = []
    if with_emulators:
        with common.start_emulators() as running:
            results += [run(name, getattr(PARTS[name], form), running) for name in with_emulators]
    results += [run(name, getattr(PARTS[name], form)) for name in names if name not in with_emulators]
    return [found for found, _ in results if found], all(good for _, good in results)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    emulators.stop_on_signals()
    form = "short" if options.short else "whole"
    parts, good = run_all(options.only, form)
    for warning in figures.warnings(form, [figure for part in parts for figure in part]):
        print(warning)
    if options.keep:
        figures.keep(form, parts)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
