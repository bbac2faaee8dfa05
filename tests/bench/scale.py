#!/usr/bin/python3
"""What an event and an answer cost as products and contributors grow, in SQLite with the default options.

    tests/bench/scale.py                                1e3 to 1e6 products, 1e2 to 1e5 contributors
    tests/bench/scale.py 10000000:2000 1000000:1000000  PRODUCTS:CONTRIBUTORS of each role; the first made of 5 GB of rows

The rows are written directly. Then EVENTS purchases are read from a file: of FEW products in several ROUNDS, then of all
evenly; prints the processor time an event of the threads that apply them, and the resident memory then. Then nothing
that is asked for is in a cache; prints the median time of an answer. Exits 1 if a score is not what was written and sold.
"""

import argparse
import contextlib
import dataclasses
import http.client
import pathlib
import random
import sqlite3
import statistics
import sys
import tempfile
import time
import urllib.parse

import common
import emulators
import figures
import shop_file
from daemon import Daemon
from figures import Figure

EVENTS, ROUNDS, FEW, ASKED = 200_000, 3, 1000, 1000
SIZES = [(1000, 100), (10_000, 2000), (100_000, 2000), (1_000_000, 2000), (1_000_000, 100), (1_000_000, 100_000)]
SHORT_SIZES = [(1000, 2000), (1_000_000, 2000)]
FLAT_GOAL, RESIDENT_GOAL_MIB = 1.5, 64
TIME_MS, TIME = 1_794_441_600_000, "2026-11-12T00:00:00.000Z"
APPLYING = ("shard", "prefetch", "checkpointer")
WAIT_S, REST_S = 600, 2  # a shard rests when it has looked at the end of its file again

MERCHANT = "printf('web/merchant/amzn1.account.ME%06dXYZ/Merchant %d', n % {c}, n % {c})"
PHOTOGRAPHER = "printf('web/photographer/amzn1.account.PH%06dXYZ/Photographer %d', n % {c}, n % {c})"
NUMBERS = "WITH RECURSIVE numbers(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < {n})"
PRODUCTS = (
    NUMBERS + " INSERT INTO contributions SELECT printf('product-%07d', n), " + MERCHANT + ", " + PHOTOGRAPHER + ","
    " 1, 1, 'shardId-000000000000:0', 'shardId-000000000000:0', {ms}, {ms}, " + MERCHANT + ", 'x',"
    " 'A thing of quality', 'Brightside', 'home', 'photograph.jpg' FROM numbers"
)
SCORES = "INSERT INTO scores SELECT {who}, '{role}', sum({role}Score), {ms}, 'x', NULL FROM contributions WHERE {who} IS NOT NULL GROUP BY {who}"


@dataclasses.dataclass
class Cost:
    products: int
    contributors: int
    few_us: list = dataclasses.field(default_factory=list)  # of processors, an event, in each round
    all_us: float = 0
    product_us: float = 0  # to an answer
    contributor_us: float = 0
    board_us: float = 0
    resident_mib: float = 0
    database_mib: float = 0


def fill(path, products, contributors):
    """Rows as events would have left them: each product was sold once."""
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("PRAGMA synchronous = off")
    database.execute("PRAGMA cache_size = -1000000")
    database.execute("BEGIN")
    database.execute(PRODUCTS.format(n=products, c=contributors, ms=TIME_MS))
    for who, role in (("creator", "creator"), ("photographer", "photographer")):
        database.execute(SCORES.format(who=who, role=role, ms=TIME_MS))
    database.execute(f"INSERT INTO scores VALUES ('SHOP/0', 'shop', {products}, {TIME_MS}, 'x', NULL)")
    database.execute("COMMIT")
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()


class View:
    def __init__(self, folder):
        self.events, self.store = folder / "events.jsonl", folder / "view.db"
        self.resident_mib = 0  # at rest, after the last events
        self.options = ["--source", f"file:{self.events}", "--store", f"sqlite:{self.store}"]
        self.options += ["--identities", "full", "--drain-seconds", "0"]

    @contextlib.contextmanager
    def running(self):
        with Daemon(self.options, {}) as daemon:
            daemon.wait_until_applied(WAIT_S)
            yield daemon

    def apply(self, numbers):
        """Microseconds of processors for each purchase of these products."""
        with open(self.events, "a", encoding="ascii") as file:
            file.writelines(shop_file.purchase(number, TIME) for number in numbers)
        with self.running() as daemon:
            threads = common.thread_seconds(daemon.process.pid)
            time.sleep(REST_S)
            self.resident_mib = resident_mib(daemon.process.pid)
        return sum(threads.get(name, 0) for name in APPLYING) / len(numbers) * 1e6

    def scores(self):
        database = sqlite3.connect(self.store)
        (sold,) = database.execute("SELECT sum(creatorScore) FROM contributions").fetchone()
        (credited,) = database.execute("SELECT sum(score) FROM scores WHERE role = 'creator'").fetchone()
        database.close()
        return sold, credited


def answer_us(port, targets):
    """The median time to an answer, one after the other on a connection."""
    took, connection = [], http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    with contextlib.closing(connection):
        for target in targets:
            begin = time.perf_counter()
            connection.request("GET", target)
            reply = connection.getresponse()
            body = reply.read()
            took.append((time.perf_counter() - begin) * 1e6)
            if reply.status != 200:
                raise SystemExit(f"{target}: {reply.status} {body}")
    return statistics.median(took)


def merchant_path(number):
    origin = f"web/merchant/amzn1.account.ME{number:06d}XYZ/Merchant {number}"
    return "/scores/merchant/" + urllib.parse.quote(origin, safe="")


def resident_mib(pid):
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(text.split("VmRSS:")[1].split()[0]) / 1024


def measure_size(folder, products, contributors):
    view, cost, rng = View(folder), Cost(products, contributors), random.Random(7)
    view.events.write_text(shop_file.create(products, TIME))
    with view.running():
        pass
    fill(view.store, products, contributors)
    few = rng.sample(range(products), FEW)
    cost.few_us = [view.apply(rng.choices(few, k=EVENTS)) for _ in range(ROUNDS)]
    cost.all_us = view.apply([rng.randrange(products) for _ in range(EVENTS)])
    cost.resident_mib = view.resident_mib
    with view.running() as daemon:
        asked = [rng.randrange(products) for _ in range(ASKED)]
        cost.product_us = answer_us(daemon.port, [f"/contributions/product-{number:07d}" for number in set(asked)])
        cost.contributor_us = answer_us(daemon.port, [merchant_path(n) for n in {n % contributors for n in asked}])
        cost.board_us = answer_us(daemon.port, [f"/scores/merchant?limit={limit}" for limit in range(10, 30)])
    cost.database_mib = view.store.stat().st_size / (1 << 20)
    if view.scores() != (products + (ROUNDS + 1) * EVENTS,) * 2:
        raise SystemExit(f"sold and credited are {view.scores()}, expected {products + (ROUNDS + 1) * EVENTS}")
    return cost


HEAD = (
    f"| products | contributors of a role | us an event: {FEW} products | all evenly | us an answer: product | contributor"
    " | board | resident MiB | database MiB |"
)


def row(cost):
    values = dataclasses.asdict(cost) | {"few_us": statistics.median(cost.few_us)}
    return "| " + " | ".join(map(figures.number, values.values())) + " |"


def measure(sizes):
    costs = []
    for products, contributors in sizes:
        with tempfile.TemporaryDirectory(prefix="winner-view-bench-") as name:
            costs.append(measure_size(pathlib.Path(name), products, contributors))
    return costs


def measure_figures(sizes):
    """The Figures. `sizes`: the fewest products first."""
    costs = measure(sizes)
    first, last = costs[0], max(costs, key=lambda cost: cost.products)
    what = f"an event as products grow from {first.products} to {last.products}, processor time"
    ratios = [of_last / of_first for of_last, of_first in zip(last.few_us, first.few_us, strict=True)]
    return [
        Figure(f"{what}: of {FEW} products", ratios, FLAT_GOAL, True, notes=[HEAD, *map(row, costs)]),
        Figure(f"resident MiB with {last.products} products", [last.resident_mib], RESIDENT_GOAL_MIB, True),
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sizes", nargs="*", help="PRODUCTS:CONTRIBUTORS")
    options = parser.parse_args()
    emulators.stop_on_signals()
    print(HEAD)
    for size in [tuple(map(int, size.split(":"))) for size in options.sizes] or SIZES:
        print(row(measure([size])[0]), flush=True)
    print(figures.machine())
    return 0


if __name__ == "__main__":
    sys.exit(main())
