#!/usr/bin/python3
"""Ingest of a file of events (shop_file.py) into an empty SQLite database, against jansson alone and DuckDB.

    tests/bench/file_to_sqlite.py                   2,000,000 lines half a second apart: 11.6 days
    tests/bench/file_to_sqlite.py --span hour       the same lines within an hour, or a year
    tests/bench/file_to_sqlite.py --short           300,000 lines, without DuckDB
    tests/bench/file_to_sqlite.py -- --batch-size 100     with options of the service

In each round: jansson on one core; the service without periods, then with them, from the start of the process until asOf is
past the whole file; DuckDB (npm, pinned), which computes both boards in memory. Prints ratios of events/s, processor seconds
by thread, and the peak of resident memory. Exits 1 if the tables differ from the file's boards. Temporary files lie in
$TMPDIR.
"""

import argparse
import collections
import dataclasses
import functools
import json
import os
import pathlib
import re
import sqlite3
import subprocess
import sys
import tempfile
import time

import common
import emulators
import figures
import npm
import program
import shop_file
from daemon import Daemon
from figures import Figure

LINES, SHORT_LINES = 2_000_000, 300_000
SPANS_S = {"days": None, "hour": shop_file.HOUR_S, "year": shop_file.YEAR_S}
GOALS = {"without periods": 1.3, "with periods": 0.7}
PERIODS = {"without periods": ("--periods", "none"), "with periods": ()}
DUCKDB_GOAL, PEAK_GOAL_MIB = 0.5, 128
WAIT_S = 600


@dataclasses.dataclass
class Run:
    rate: float  # events a second
    cpu_s: float
    peak_mib: float = 0
    threads: dict = dataclasses.field(default_factory=dict)  # processor seconds


def parse_only(path):
    """[jansson's, event_json's]"""
    executable = pathlib.Path(program.binary()).with_name("parse_only")
    if not executable.exists():
        raise SystemExit(f"{executable} is missing: build its target")
    done = subprocess.run([executable, path], capture_output=True, text=True, check=True, timeout=WAIT_S)
    return [Run(*map(float, line.split())) for line in done.stdout.splitlines()]


def read_boards(database):
    """{role: {userId: score}}, for all time."""
    boards = {}
    for role in ("creator", "photographer"):
        boards[role] = dict(database.execute("SELECT userId, score FROM scores WHERE role = ?", (role,)))
    return boards


def ingest(folder, path, lines, options):
    """(Run, boards) of one run from an empty database."""
    with tempfile.TemporaryDirectory(dir=folder) as name:
        store = pathlib.Path(name) / "view.db"
        argv = ["--source", f"file:{path}", "--store", f"sqlite:{store}", "--drain-seconds", "0", *options]
        begin = time.monotonic()
        with Daemon(argv, {}) as daemon:
            daemon.wait_until_applied(WAIT_S)
            seconds, threads = time.monotonic() - begin, common.thread_seconds(daemon.process.pid)
            run = Run(lines / seconds, common.work_s(threads), daemon.peak_memory() / (1 << 20), threads)
            applied = daemon.metric("winner_view_events_total", result="applied")
        database = sqlite3.connect(store)
        boards = read_boards(database)
        database.close()
    if applied != lines:
        raise SystemExit(f"{applied:.0f} events were applied, expected {lines}")
    return run, boards


def duckdb(path):
    """(Run, boards)"""
    argv = ["node", npm.folder("duckdb") / "boards.js", path]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, preexec_fn=emulators.die_with_parent)
    found = json.loads(process.stdout.read())
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return Run(1 / found["seconds"], usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024), found["scores"]


@functools.cache
def has_duckdb():
    try:
        npm.folder("duckdb")
        return True
    except (OSError, subprocess.SubprocessError) as error:
        print(f"without DuckDB: {error}")
        return False


def count_boards(path):
    """The boards by the rule of the fold, where every product is registered first."""
    owner, photographer = {}, {}
    boards = {"creator": collections.Counter(), "photographer": collections.Counter()}
    found = re.compile(r'"origin":"([^"]*)".*product/(\w+)/1-0-0","id":"([^"]*)"')
    with open(path, encoding="ascii") as file:
        for line in file:
            origin, kind, product = found.search(line).groups()
            if kind == "create":
                owner.setdefault(product, origin)
            elif kind == "image":
                photographer.setdefault(product, origin)
            else:
                boards["creator"][owner[product]] += 1
                if product in photographer:
                    boards["photographer"][photographer[product]] += 1
    return boards


def run_rounds(folder, path, lines, rounds, options, with_duckdb):
    """{what: [Run]}, after the boards of each were compared."""
    runs, expected = collections.defaultdict(list), count_boards(path)
    for _ in range(rounds):
        jansson, plain = parse_only(path)
        runs["jansson"].append(jansson)
        runs["event_json"].append(plain)
        boards = {}
        for name, periods in PERIODS.items():
            run, boards[name] = ingest(folder, path, lines, [*periods, *options])
            runs[name].append(run)
        if with_duckdb and has_duckdb():
            run, boards["DuckDB"] = duckdb(path)
            runs["DuckDB"].append(dataclasses.replace(run, rate=run.rate * lines))
        for name, found in boards.items():
            if found != expected:
                raise SystemExit(f"the boards of '{name}' are not the file's")
    return runs


def notes(name, runs):
    """What one contender did, by its last round."""
    last = runs[-1]
    threads = ", ".join(f"{thread} {seconds:.2f}" for thread, seconds in last.threads.items() if seconds >= 0.02)
    peak = f", peak {last.peak_mib:.0f} MiB" if last.peak_mib else ""
    rates = " ".join(f"{run.rate:.0f}" for run in runs)
    return f"{name}: {rates} events/s; {last.cpu_s:.2f} s of processors{peak}{': ' + threads if threads else ''}"


def ratios(ours, others, of):
    return [of(one) / of(other) for one, other in zip(ours, others, strict=True)]


def as_figures(span, runs):
    found = []
    for name, goal in GOALS.items():
        what = f"file to SQLite, {span}, {name}"
        for other, least in (("jansson", goal), ("DuckDB", DUCKDB_GOAL)):
            if runs[other]:
                found.append(Figure(f"{what}: events/s / {other}'s", ratios(runs[name], runs[other], lambda r: r.rate), least))
        found.append(
            Figure(f"{what}: processor time / jansson's", ratios(runs[name], runs["jansson"], lambda r: r.cpu_s), 2 / goal, True)
        )
        found.append(Figure(f"{what}: peak MiB", [run.peak_mib for run in runs[name]], PEAK_GOAL_MIB, True))
    found[0].notes = [notes(name, of) for name, of in runs.items() if of]
    return found


def measure(span="days", lines=LINES, rounds=3, options=(), with_duckdb=True):
    """The Figures. `span`: of SPANS_S."""
    with tempfile.TemporaryDirectory(prefix="winner-view-bench-") as name:
        path = pathlib.Path(name) / "events.jsonl"
        shop_file.write(path, shop_file.Shop.usual(lines, SPANS_S[span]))
        return as_figures(span, run_rounds(name, path, lines, rounds, options, with_duckdb))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--span", choices=SPANS_S, default="days")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--lines", type=int)
    parser.add_argument("options", nargs="*", help="of the service")
    options = parser.parse_args()
    emulators.stop_on_signals()
    lines = options.lines or (SHORT_LINES if options.short else LINES)
    found = measure(options.span, lines, options.rounds, options.options, not options.short)
    return 0 if figures.report(found) else 1


if __name__ == "__main__":
    sys.exit(main())
