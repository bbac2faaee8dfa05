#!/usr/bin/python3
"""Peak resident memory, as a table: backlogs of small and of large records by store, shards and size of a batch; an
audit; many shards over TLS.

    tests/bench/memory_table.py [--only WORDS] [BINARY...]      e.g. one before a change and one after: side by side

The stream is a fake with prepared records (tests/support/fake_stream.py). A backlog is read for RUN_S at most: what is
in memory at once is there from the first batches on. Takes up to 20 minutes for each binary.
"""

import argparse
import contextlib
import itertools
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

import common
import certificates
import emulators
import fake_stream
import model
import program
import shop_file
import wait
from daemon import Daemon
from figures import Figure
from workload import Put

GOAL_MIB = 160
RUN_S, SHORT_RUN_S = {"sqlite": 25, "dynamodb": 90}, {"sqlite": 20, "dynamodb": 20}
PRODUCTS, MERCHANTS = 160_000, 1000  # at most, over all shards
SHARD_RECORDS = 30_000
LARGE_BYTES, LARGE_RECORDS = 50_000, 480  # three replies of GetRecords, each as large as they get
TLS_SHARDS = 400
AUDITED_ROWS = 2_000_000
PATIENCE_S = 180
TIME = "2026-11-23T10:00:00Z"

BACKLOGS = [
    f"{kind} batches of {batch}, {shards} shards, {store}"
    for store in ("sqlite", "dynamodb")
    for kind, shards, batch in [
        *(("small", shards, batch) for shards in (1, 8, 64) for batch in (100, 10_000, 1_000_000)),
        ("large", 8, 1000),
    ]
]
IDLE = [f"idle, {TLS_SHARDS} shards, plain", f"idle, {TLS_SHARDS} shards, TLS"]
AUDIT = f"audit of {AUDITED_ROWS} rows, sqlite"
ROWS = [*BACKLOGS, *IDLE, AUDIT]
SHORT = [
    "small batches of 1000000, 8 shards, sqlite",
    "small batches of 1000000, 8 shards, dynamodb",
    f"idle, {TLS_SHARDS} shards, TLS",
]
OF_8_SHARDS = [row for row in BACKLOGS if " 8 shards" in row]
names = itertools.count(1)


def event(origin, data):
    return {"schema": model.INGRESS, "origin": origin, "timeOrigin": TIME, "data": data}


def events(number, product):
    """It is registered, then bought."""
    merchant = f"web/merchant/amzn1.account.ME{number % MERCHANTS:06}/Merchant {number % MERCHANTS}"
    words = {"brand": "Brand", "name": f"Name of {product}", "description": "a fine piece", "category": "x"}
    yield event(merchant, {"schema": model.CREATE, "id": product, **words})
    yield event("web/customer/x/y", {"schema": model.PURCHASE, "id": product})


def large_event(_, product):
    purchase = event("web/customer/x/y", {"schema": model.PURCHASE, "id": product})
    yield {**purchase, "followsFrom": "x" * LARGE_BYTES}


def fill(stream, kind):
    make, times = (events, SHARD_RECORDS) if kind == "small" else (large_event, LARGE_RECORDS)
    products = min(SHARD_RECORDS // 2, PRODUCTS // len(stream.shards)) if kind == "small" else 1
    for shard, keys in stream.keys_of_all(products).items():
        puts = [
            Put(key, json.dumps(content).encode(), "") for n, key in enumerate(keys) for content in make(n, key)
        ]
        stream.fill({shard: puts}, times=times)


class Bench:
    """Makes what the rows need, once for all binaries. `run_s`: of a backlog, by store."""

    def __init__(self, closing, run_s):
        self.closing, self.run_s = closing, run_s
        self.folder = pathlib.Path(closing.enter_context(tempfile.TemporaryDirectory(prefix="winner-view-bench-")))
        self.streams = {}
        self.dynamodb = None

    def stream(self, kind, shards):
        if (kind, shards) not in self.streams:
            self.drop_streams()
            stream = self.closing.enter_context(fake_stream.FakeStream(shards))
            fill(stream, kind)
            self.streams[kind, shards] = stream
        return self.streams[kind, shards]

    def drop_streams(self):
        """One at a time: a full one takes memory."""
        for stream in self.streams.values():
            stream.process.kill()
        self.streams.clear()

    def store(self, kind):
        """(option, URL of DynamoDB) of an empty one."""
        name = f"memory{next(names)}"
        if kind == "sqlite":
            return f"sqlite:{self.folder}/{name}.db", "http://127.0.0.1:1"
        if not self.dynamodb:
            self.dynamodb = self.closing.enter_context(common.start_emulators())
        program.create_tables(f"dynamodb:{name}", self.dynamodb.environment)
        return f"dynamodb:{name}", self.dynamodb.dynamodb_url


def mib(size):
    return f"{size / (1 << 20):.0f}"


@contextlib.contextmanager
def daemon_of(stream, store, dynamodb_url, *options, environment=None):
    options = ["--source", f"kinesis:{stream.name}", "--store", store, "--drain-seconds", "0", *options]
    daemon = Daemon(options, {**stream.environment(dynamodb_url), **(environment or {})}).start()
    try:
        yield daemon
    finally:
        if daemon.is_running():
            daemon.kill()


def backlog(bench, kind, batch, shards, store):
    stream = bench.stream(kind, shards)
    wanted = shards * (SHARD_RECORDS if kind == "small" else LARGE_RECORDS)
    with daemon_of(stream, *bench.store(store), "--batch-size", str(batch)) as daemon:
        end = time.monotonic() + bench.run_s[store]
        while (done := daemon.metric("winner_view_events_total", result="applied")) < wanted:
            if time.monotonic() > end:
                return f"{mib(daemon.peak_memory())} ({done / wanted:.0%} applied)"
            time.sleep(0.1)
        return mib(daemon.peak_memory())


def idle(bench, shards, transport):
    """Every shard is read again and again, over its own connections."""
    environment, certificate = {}, None
    if transport == "TLS":
        certificate = certificates.make(bench.folder)
        environment["AWS_CA_BUNDLE"] = certificates.bundle(bench.folder, certificate)
    with fake_stream.FakeStream(shards, certificate=certificate) as stream:
        with daemon_of(stream, *bench.store("sqlite"), environment=environment) as daemon:

            def is_read():
                reads = stream.counts()["reads"]
                return len(reads) == shards and min(reads.values()) >= 5

            wait.until(is_read, f"{shards} shards are read", PATIENCE_S, every_s=0.5, seen=daemon.log_tail)
            return mib(daemon.peak_memory())


def make_view(folder, rows):
    """A database with that many rows, made by the binary: products, and as many merchants' and photographers' scores."""
    path, database = folder / "events.jsonl", folder / "audited.db"
    with open(path, "w", encoding="ascii") as file:
        for n in range(rows // 3):
            for template in (shop_file.CREATE, shop_file.IMAGE, shop_file.PURCHASE):
                file.write(template % (n, n, TIME, n))
    with Daemon(["--source", f"file:{path}", "--store", f"sqlite:{database}", "--drain-seconds", "0"], {}) as daemon:
        daemon.wait_until_applied(PATIENCE_S)
    path.unlink()
    return database


def audit(bench, rows):
    with tempfile.TemporaryDirectory(dir=bench.folder) as name:
        database = make_view(pathlib.Path(name), rows)
        process = subprocess.Popen(
            [program.binary(), "audit", "--store", f"sqlite:{database}"], stdout=subprocess.DEVNULL
        )
        _, status, usage = os.wait4(process.pid, 0)
        assert os.waitstatus_to_exitcode(status) == 0, status
        return mib(usage.ru_maxrss << 10)


def measure(bench, row):
    if row == AUDIT:
        return audit(bench, AUDITED_ROWS)
    if row in IDLE:
        return idle(bench, TLS_SHARDS, row.rpartition(" ")[2])
    kind, batch, shards, store = re.fullmatch(r"(\w+) batches of (\d+), (\d+) shards, (\w+)", row).groups()
    return backlog(bench, kind, int(batch), int(shards), store)


def table(bench, rows, binaries):
    """Prints a row at a time."""
    print(f"peak resident memory, MiB | {' | '.join(binaries)}", flush=True)
    for row in rows:
        cells = []
        for binary in binaries:
            os.environ["WINNER_VIEW_BINARY"] = binary
            cells.append(measure(bench, row))
        print(f"{row} | {' | '.join(cells)}", flush=True)


def measure_figures(rows):
    """The Figures."""
    with contextlib.ExitStack() as closing:
        bench = Bench(closing, SHORT_RUN_S)
        peaks = {row: measure(bench, row) for row in rows}
    return [
        Figure(f"peak MiB, {row}", [int(peak.split()[0])], GOAL_MIB, True, GOAL_MIB, notes=[f"{row}: {peak} MiB"])
        for row, peak in peaks.items()
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="rows that have these words")
    parser.add_argument("binaries", nargs="*", default=[program.binary()])
    arguments = parser.parse_args()
    emulators.stop_on_signals()
    rows = [row for row in ROWS if all(word in row for word in arguments.only.split())]
    with contextlib.ExitStack() as closing:
        table(Bench(closing, RUN_S), rows, arguments.binaries)
    return 0


if __name__ == "__main__":
    sys.exit(main())
