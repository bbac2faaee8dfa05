#!/usr/bin/python3
"""Ingest of a generated file of events into an empty SQLite database.

    tests/bench/file_to_sqlite.py            300,000 events of 100,000 products
    tests/bench/file_to_sqlite.py --full     2,000,000 of them, then as many of 1,000,000 products

Products by Zipf's law (1.1), 1,000 merchants, 500 photographers; every product is registered and every second
one photographed before it is first bought. Prints events/s from the start of the process until asOf is past
the whole file, the rates at which jansson alone and event_json alone read the same file on one core, and the
peak of resident memory. Exits 1 if events or products are missing. Temporary files lie in $TMPDIR and are
removed. Of two runs on one machine compare the ratio of the two rates, not the rates.
"""

import argparse
import bisect
import itertools
import pathlib
import random
import re
import sqlite3
import subprocess
import sys
import tempfile
import time

import common  # noqa: F401  (it makes tests/support importable)
import program
from daemon import Daemon

MERCHANTS, PHOTOGRAPHERS, CUSTOMERS = 1000, 500, 5000
ZIPF = 1.1
EVENTS_A_SECOND_GOAL, MEMORY_GOAL_MIB = 100_000, 64
WAIT_S = 600
WRITE_EVENTS = 20_000  # in memory at once

ENVELOPE = (
    '{{"schema":"com.nordstrom/retail-stream-ingress/1-0-0","origin":"hello-retail-web/{role}/amzn1.account.{origin}",'
    '"timeOrigin":"2026-11-23T10:%02d:%02d.%03dZ","data":{{"schema":"com.nordstrom/product/{kind}/1-0-0",'
    '"id":"product-%07d"{more}}}}}\n'
)
CREATE = ENVELOPE.format(
    role="merchant",
    origin="ME%06dXYZ/Merchant %d",
    kind="create",
    more=',"brand":"Brightside","name":"A thing of quality","description":"Made to last, and to be looked at.",'
    '"category":"home"',
)
IMAGE = ENVELOPE.format(
    role="photographer",
    origin="PH%06dXYZ/Photographer %d",
    kind="image",
    more=',"image":"https://images.example.invalid/photograph.jpg"',
)
PURCHASE = ENVELOPE.format(role="customer", origin="CU%06dXYZ/Customer %d", kind="purchase", more="")


def line(template, person, number, product):
    return template % (person, person, number // 60_000 % 60, number // 1000 % 60, number % 1000, product)


def introduction(number, product):
    """The events of a product before it is bought."""
    yield line(CREATE, product * 7 % MERCHANTS, number, product)
    if product % 2:
        yield line(IMAGE, product * 11 % PHOTOGRAPHERS, number, product)


def purchased_products(rng, products):
    weights = list(itertools.accumulate(1 / (rank + 1) ** ZIPF for rank in range(products)))
    while True:
        yield bisect.bisect(weights, rng.random() * weights[-1])


def event_lines(events, products):
    """At least `events` lines: introductions of all products, evenly among purchases of those introduced."""
    rng = random.Random(1)
    choose = purchased_products(rng, products)
    wanted, number, introduced = 0.0, 0, 0
    step = products / max(1, events - products * 3 // 2)  # introduced for each purchase
    while number < events:
        wanted += step
        while introduced < products and introduced < wanted:
            for text in introduction(number, introduced):
                yield text
                number += 1
            introduced += 1
        yield line(PURCHASE, rng.randrange(CUSTOMERS), number, next(choose) % max(1, introduced))
        number += 1


def write_events(path, events, products):
    """Writes the file. Returns its size in bytes."""
    lines = itertools.islice(event_lines(events, products), events)
    with open(path, "w", encoding="ascii") as file:
        while chunk := list(itertools.islice(lines, WRITE_EVENTS)):
            file.writelines(chunk)
    return path.stat().st_size


def peak_mib(pid):
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", text)[1]) / 1024


def ingest(folder, path, events):
    """(seconds, peak MiB, products) of one run from an empty database."""
    database = folder / "winner-view.db"
    options = ["--source", f"file:{path}", "--store", f"sqlite:{database}", "--drain-seconds", "0"]
    begin = time.monotonic()
    with Daemon(options, {}) as daemon:
        daemon.wait_until_applied(WAIT_S)
        seconds, peak = time.monotonic() - begin, peak_mib(daemon.process.pid)
        applied = daemon.metric("winner_view_events_total", result="applied")
    if applied != events:
        raise SystemExit(f"{applied:.0f} events were applied, expected {events}")
    connection = sqlite3.connect(database)
    products, score = connection.execute("SELECT count(*), sum(creatorScore) FROM contributions").fetchone()
    (credited,) = connection.execute("SELECT sum(score) FROM scores WHERE role = 'creator'").fetchone()
    connection.close()
    if score != credited:
        raise SystemExit(f"{score} purchases, but {credited} in the scores")
    return seconds, peak, products


def parse_only(path):
    """Events/s of jansson and of event_json alone; not a number if the program for it was not built."""
    executable = pathlib.Path(program.binary()).with_name("parse_only")
    if not executable.exists():
        return float("nan"), float("nan")
    done = subprocess.run([executable, path], capture_output=True, text=True, check=True)
    return tuple(map(float, done.stdout.split()))


def measure(events, products):
    with tempfile.TemporaryDirectory(prefix="winner-view-bench-") as name:
        folder = pathlib.Path(name)
        path = folder / "events.jsonl"
        begin = time.monotonic()
        size = write_events(path, events, products)
        written_s = time.monotonic() - begin
        jansson, plain = parse_only(path)
        seconds, peak, found = ingest(folder, path, events)
        database_mib = (folder / "winner-view.db").stat().st_size / (1 << 20)
    rate = events / seconds
    print(f"{events} events ({size / (1 << 20):.0f} MiB, written in {written_s:.0f} s), {found} products:")
    print(f"  file to SQLite   {rate:9.0f} events/s ({seconds:.1f} s; goal {EVENTS_A_SECOND_GOAL})")
    print(f"  jansson alone    {jansson:9.0f} events/s on one core")
    print(f"  event_json alone {plain:9.0f} events/s on one core ({plain / jansson:.1f} times jansson)")
    print(
        f"  peak memory      {peak:9.1f} MiB (goal {MEMORY_GOAL_MIB}); database {database_mib:.0f} MiB",
        flush=True,
    )
    return found == products


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--events", type=int)
    parser.add_argument("--products", type=int)
    options = parser.parse_args()
    events = options.events or (2_000_000 if options.full else 300_000)
    sizes = [options.products or 100_000]
    if options.full and not options.products:
        sizes.append(1_000_000)
    for products in sizes:
        if products * 2 > events:
            parser.error(f"{products} products need at least {products * 2} events")
        if not measure(events, products):
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
