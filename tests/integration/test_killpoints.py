"""The process is killed right before and right after every write of the protocol, one after the other. It is built with
kill points (preset `kill`, base/killpoint.h). The next process must end with exactly the model's rows.

WINNER_VIEW_ALL_KILLPOINTS=yes tries all points also beside a second worker, and not only some.
"""

import itertools
import os
import random
import signal
import time

import pytest

import cloud
import model
import pairs
import program
import wait
import workload
from daemon import Daemon
from model import fold
from pairs import assert_equal_to_model

pytestmark = pytest.mark.all

KILLABLE = program.ROOT / "build" / "kill" / "winner-view"
EVENTS = 30
SEED = 20261123
FAILOVER_MS = 1000
SOME = 7  # beside a second worker: every seventh point
BATCH = 6
LARGE_BATCH = 1_000_000
LARGE_EVENTS = {"kinesis+dynamodb": 2000, "file+sqlite": 12_000}
LARGE_KILLS = {"kinesis+dynamodb": 3, "file+sqlite": 6}
LARGE_ROWS = 500
SELDOM_RENEWED = ("--failover-ms", "60000")  # so that a lease is written after a batch only
CHECKPOINTS = "-Leases", "COMMIT"


@pytest.fixture
def killable(make_on):
    """Makes services that are killed at a point: killable(pair, point, option...). `batch`: most events of one."""
    if not KILLABLE.exists():
        pytest.skip(f"{KILLABLE} is not built: cmake --preset kill && cmake --build --preset kill")

    def make(pair, point, *options, batch=BATCH, log=None):
        environment = {"WINNER_VIEW_KILLPOINT": str(point)}
        if log:
            environment["WINNER_VIEW_KILLPOINT_LOG"] = str(log)
        daemon = make_on(pair, "--batch-size", str(batch), *options, environment=environment)
        daemon.argv[0] = str(KILLABLE)
        return daemon

    return make


numbers = itertools.count(1)


class Shop:
    """A source with its expected result. fresh() gives it a new, empty store."""

    def __init__(self, kind, request, folder, puts, shards=2):
        self.kind, self.folder = kind, folder
        if kind == "kinesis+dynamodb":
            self.aws = request.getfixturevalue("aws")
            self.stream = cloud.create_stream(self.aws.kinesis, f"k{os.getpid()}-{next(numbers)}", shards)
        else:
            self.journal = folder / "events.jsonl"
        source = self.pair("source")
        source.put(pairs.can_be_lines(puts))
        self.expected = fold(source.records())

    def pair(self, name):
        if self.kind == "kinesis+dynamodb":
            return pairs.KinesisDynamodb(self.aws, f"k{os.getpid()}-{name}", self.stream)
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        return pairs.FileSqlite(folder, self.journal)

    def fresh(self):
        pair = self.pair(str(next(numbers)))
        program.create_tables(pair.options[1], pair.environment)
        return pair


def small_puts():
    return workload.generate(SEED, EVENTS, products=5, merchants=3, photographers=2)


@pytest.fixture
def small_shop(kind, request, tmp_path):
    return Shop(kind, request, tmp_path, small_puts())


@pytest.fixture
def large_shop(kind, request, tmp_path):
    """With so many products, sold equally well, that a batch changes a thousand rows or more."""
    count = LARGE_EVENTS[kind]
    puts = workload.generate(SEED, count, products=count // 2, merchants=200, zipf=0)
    return Shop(kind, request, tmp_path, puts, shards=1)


def live(daemon, beside=None):
    """Starts a service, and perhaps another beside it, and stops it when everything is applied. Returns True if it was
    killed before."""

    def is_over():
        if not daemon.is_running():
            return True
        try:
            as_of = daemon.health()["asOf"]
        except (OSError, ValueError):
            return False
        return as_of and model.epoch_ms(as_of) >= began_ms

    daemon.start(ready=False)
    if beside:
        beside.start(ready=False)
    began_ms = int(time.time() * 1000)
    wait.until(is_over, "dead, or everything applied", 60)
    if daemon.is_running():
        daemon.process.send_signal(signal.SIGTERM)
    status = daemon.process.wait(Daemon.STOP_TIMEOUT_S)
    assert status in (0, -signal.SIGKILL), daemon.log()[-3000:]
    return status != 0


def points(killable, shop, folder, *options, **more):
    """The kill points of a run without a kill, one line each."""
    log = folder / "points"
    assert not live(killable(shop.fresh(), 0, *options, log=log, **more))
    return log.read_text(errors="replace").splitlines()


def assert_all_are_there(lines, kind):
    """The points must be at every step of the protocol, else the tests below prove nothing."""
    steps = ("-Scores", "-Contributions", "-Leases") if kind == "kinesis+dynamodb" else (
        "INTO scores", "contributions", "leases", "COMMIT")  # fmt: skip
    for side, step in itertools.product(("before", "after"), steps):
        assert sum(line.startswith(side) and step in line for line in lines) >= 3, (side, step, lines)


def test_a_kill_before_or_after_any_single_write_changes_nothing(
    small_shop, killable, tmp_path, kind, capsys
):
    """The first process is killed at point n, the second at a random one, the third is not."""
    lines = points(killable, small_shop, tmp_path)
    assert_all_are_there(lines, kind)
    rng, died = random.Random(SEED), [0, 0]
    for n in range(1, len(lines) + 1):
        pair = small_shop.fresh()
        for life, point in enumerate((n, rng.randint(1, len(lines)))):
            died[life] += live(killable(pair, point, "--worker-id", "walker"))
        last = killable(pair, 0, "--worker-id", "walker")
        assert not live(last)
        assert_equal_to_model(pair, small_shop.expected, last.dead_letters())
        last.dead_letter_file.unlink(missing_ok=True)
    with capsys.disabled():
        print(f"\n{kind}: {len(lines)} kill points, {died[0]} first and {died[1]} second lives ended by them")
    assert died[0] >= len(lines) * 0.8  # lease renewals depend on the clock: a few points are not reached every time


def test_kills_beside_a_second_worker_change_nothing(aws, request, killable, tmp_path, capsys):
    """One process is killed at point n, sometimes the other at a point of its own. The other, or a third, takes the
    expired lease and continues. (An SQLite store has one worker at a time.)"""
    shop = Shop("kinesis+dynamodb", request, tmp_path, small_puts())
    every = 1 if os.environ.get("WINNER_VIEW_ALL_KILLPOINTS") else SOME
    count = len(points(killable, shop, tmp_path))
    rng, died = random.Random(SEED), 0
    for n in range(1 + rng.randrange(every), count + 1, every):
        pair = shop.fresh()
        quick = ("--failover-ms", str(FAILOVER_MS))
        other = killable(pair, rng.choice((0, rng.randint(1, count))), *quick)
        died += live(killable(pair, n, *quick), beside=other)
        if other.is_running():
            other.kill()
        last = killable(pair, 0, *quick)
        assert not live(last)
        assert_equal_to_model(pair, shop.expected, last.dead_letters())
        last.dead_letter_file.unlink(missing_ok=True)
    with capsys.disabled():
        print(f"\nin pairs: {died} died at their points, of {count} walked in steps of {every}")
    assert died >= 3


def longest_batch(lines):
    """The numbers of the points between two checkpoints, where those are farthest apart."""
    ends = [0, *(n for n, line in enumerate(lines, 1) if any(word in line for word in CHECKPOINTS)), len(lines) + 1]
    first, last = max(itertools.pairwise(ends), key=lambda pair: pair[1] - pair[0])
    return range(first + 1, last)


def test_a_kill_in_the_middle_of_a_large_batch_changes_nothing(large_shop, killable, tmp_path, kind, capsys):
    """The first process is killed while it writes a thousand rows or more as one batch, the second is not."""

    def make(pair, point):
        return killable(pair, point, "--worker-id", "walker", *SELDOM_RENEWED, batch=LARGE_BATCH)

    batch = longest_batch(points(killable, large_shop, tmp_path, *SELDOM_RENEWED, batch=LARGE_BATCH))
    assert len(batch) >= 2 * LARGE_ROWS  # a point before the write of a row, and one after it
    for n in random.Random(SEED).sample(batch, LARGE_KILLS[kind]):
        pair = large_shop.fresh()
        assert live(make(pair, n)), f"not killed at point {n} of {batch}"
        last = make(pair, 0)
        assert not live(last)
        assert_equal_to_model(pair, large_shop.expected, last.dead_letters())
        last.dead_letter_file.unlink(missing_ok=True)
    with capsys.disabled():
        print(f"\n{kind}: {LARGE_KILLS[kind]} kills within a batch of {len(batch)} kill points")
