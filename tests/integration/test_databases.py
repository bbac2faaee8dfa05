"""A database must stay at its path. While it is deleted, moved or replaced, nothing more is applied, and readers get what
there was, until the file is back. A process without a source makes no store."""

import concurrent.futures
import contextlib
import os
import shutil
import sqlite3

import program
import pytest
import wait
from model import epoch_ms, fold
from pairs import FileSqlite, assert_equal_to_model
from small_shop import person, product, puts

ANN = person("merchant", "Ann")
LAMPS = puts(product("lamp", ANN, None, 3))
PURCHASE = LAMPS[-1:]
FILES = ("", "-wal", "-shm")
SERVE = ("--source", "none", "--cache-ttl-ms", "0")
READERS = 16


@pytest.fixture
def housed(tmp_path):
    """A file of events, and a database in a folder of its own, named through a symbolic link."""
    house = tmp_path / "house"
    house.mkdir()
    pair = FileSqlite(tmp_path)
    pair.database = house / "winner-view.db"
    pair.link = tmp_path / "link.db"
    pair.link.symlink_to(pair.database)
    pair.options = ["--store", f"sqlite:{pair.link}", "--source", f"file:{pair.journal}"]
    return pair


def file(pair, suffix=""):
    return pair.database.with_name(pair.database.name + suffix)


def purchases(daemon):
    return daemon.get("/contributions/lamp").json()["purchases"]


def trouble_of(daemon, pair):
    """The reason in /healthz that names the database."""
    reasons = lambda: [one["reason"] for one in daemon.health()["troubles"] if str(pair.link) in one["reason"]]
    return wait.until(reasons, "a trouble that names the database", seen=daemon.health)[0]


class Deleted:
    """The database, without its log."""

    says = "deleted or moved"

    def do(self, pair):
        self.kept = pair.database.with_name("kept")
        os.link(pair.database, self.kept)
        pair.database.unlink()

    def undo(self, pair):
        os.link(self.kept, pair.database)


class Moved:
    """The database with its log."""

    says = "deleted or moved"

    def do(self, pair):
        for suffix in FILES:
            file(pair, suffix).rename(file(pair, f".old{suffix}"))

    def undo(self, pair):
        for suffix in FILES:
            file(pair, f".old{suffix}").rename(file(pair, suffix))


class FolderMoved:
    says = "deleted or moved"

    def do(self, pair):
        self.house = pair.database.parent
        self.house.rename(self.house.with_name("moved"))

    def undo(self, pair):
        self.house.with_name("moved").rename(self.house)


class Replaced:
    """By a backup of it."""

    says = "replaced"

    def do(self, pair):
        with contextlib.closing(sqlite3.connect(pair.database)) as live:
            with contextlib.closing(sqlite3.connect(file(pair, ".backup"))) as backup:
                live.backup(backup)
        pair.database.rename(file(pair, ".old"))
        file(pair, ".backup").rename(pair.database)

    def undo(self, pair):
        file(pair, ".old").rename(pair.database)


class LinkedElsewhere:
    """The path is a link that leads to a copy now."""

    says = "replaced"

    def do(self, pair):
        self.there = pair.database
        other = pair.database.parent.with_name("other")
        shutil.copytree(pair.database.parent, other)
        self.point(pair, other / pair.database.name)

    def undo(self, pair):
        self.point(pair, self.there)

    def point(self, pair, to):
        pair.link.unlink()
        pair.link.symlink_to(to)


class LogDeleted:
    """As a restore does while the process runs. The log cannot be put back."""

    says = "deleted or moved"
    suffix, undo = "-wal", None

    def do(self, pair):
        file(pair, self.suffix).unlink()


class IndexDeleted(LogDeleted):
    suffix = "-shm"


class LogReplaced(LogDeleted):
    says = "replaced"

    def do(self, pair):
        shutil.copy(file(pair, "-wal"), file(pair, "-copy"))
        file(pair, "-copy").rename(file(pair, "-wal"))


def snapshot(pair):
    """What lies where the database was: names and bytes."""
    folder = pair.database.parent
    if not folder.exists():
        return {}
    # Readers and checkpoints write the log's index, which holds no rows.
    return {one.name: one.read_bytes() for one in folder.iterdir() if not one.name.endswith("-shm")}


CHANGES = [Deleted, Moved, FolderMoved, Replaced, LinkedElsewhere, LogDeleted, IndexDeleted, LogReplaced]


@pytest.mark.parametrize("change", CHANGES)
def test_a_database_that_is_not_at_its_path_is_not_filled_and_serves_what_it_had(housed, start_on, change):
    housed.put(LAMPS)
    daemon = start_on(housed, "--cache-ttl-ms", "0", "--caught-up-ms", "2000")
    daemon.wait_until_applied()
    assert purchases(daemon) == 3
    change = change()
    change.do(housed)
    before = snapshot(housed)
    appended_ms = max(epoch_ms(daemon.health()["asOf"]), os.stat(housed.journal).st_mtime_ns // 1_000_000)
    housed.put(PURCHASE * 2)
    reason = trouble_of(daemon, housed)
    assert change.says in reason and "restart" in reason
    wait.until(lambda: daemon.metric("winner_view_leases") == 0, "the lease is given up")
    as_of = daemon.health()["asOf"]
    for _ in range(3):  # readers get what was there, as of then
        assert purchases(daemon) == 3
    wait.until(lambda: not daemon.health()["caughtUp"], "not caught up", 30)
    assert daemon.health()["asOf"] == as_of and daemon.get("/readyz").status == 200
    assert epoch_ms(as_of) <= appended_ms + 2000  # at most the look that was under way
    assert snapshot(housed) == before
    if change.undo:
        change.undo(housed)
        daemon.wait_until_applied()
        assert purchases(daemon) == 5 and daemon.health()["troubles"] == []
        assert_equal_to_model(housed, fold(housed.records()), daemon.dead_letters())


def test_readers_of_a_deleted_database_are_served_and_do_not_make_it_again(housed, start_on):
    """Many at once, so that they need more connections than there were."""
    housed.put(LAMPS)
    daemon = start_on(housed, "--cache-ttl-ms", "0", "--cache-stale-ms", "0", "--cache-stale-if-error-ms", "0")
    daemon.wait_until_applied()
    assert purchases(daemon) == 3
    for suffix in FILES:
        file(housed, suffix).unlink()
    trouble_of(daemon, housed)
    targets = ["/contributions/lamp", *(f"/scores/merchant?limit={n}" for n in range(2, READERS + 1))]
    with concurrent.futures.ThreadPoolExecutor(READERS) as readers:
        statuses = list(readers.map(lambda target: daemon.get(target).status, targets * 4))
    assert set(statuses) == {200}
    assert set(snapshot(housed)) <= {"winner-view.db.lock"}


def test_a_process_whose_log_was_deleted_leaves_the_next_log_alone_when_it_stops(housed, start_on):
    """SQLite's last connection moves its log into the database, and deletes what lies at the log's path."""
    housed.put(LAMPS)
    daemon = start_on(housed)
    daemon.wait_until_applied()
    for suffix in FILES[1:]:
        file(housed, suffix).unlink()
    with contextlib.closing(sqlite3.connect(housed.database, isolation_level=None)) as other:
        other.execute("CREATE TABLE kept (n)")
    before = snapshot(housed)
    assert "winner-view.db-wal" in before
    trouble_of(daemon, housed)
    assert daemon.terminate()[0] == 0
    assert snapshot(housed) == before
    assert housed.rows("kept") == []


def test_a_process_that_only_serves_reports_that_its_database_was_replaced(housed, start_on):
    housed.put(LAMPS)
    start_on(housed).wait_until_applied()
    reader = start_on(housed, *SERVE)
    assert purchases(reader) == 3 and reader.health()["troubles"] == []
    moved = Moved()
    moved.do(housed)
    assert moved.says in trouble_of(reader, housed)
    as_of = reader.health()["asOf"]
    wait.until(lambda: not reader.health()["caughtUp"], "not caught up", 30)
    assert purchases(reader) == 3 and reader.health()["asOf"] == as_of
    moved.undo(housed)
    wait.until(lambda: reader.health()["caughtUp"] and not reader.health()["troubles"], "it follows again")


def test_a_database_is_filled_by_one_process_whichever_of_its_names_is_given(housed, make_on, start_on):
    housed.put(LAMPS)
    first = start_on(housed)
    first.wait_until_applied()
    housed.options = ["--store", f"sqlite:{housed.database}", "--source", f"file:{housed.journal}"]
    second = make_on(housed).start(ready=False)
    assert second.process.wait(20) == 2 and f"process {first.process.pid}:" in second.log()


# A process without a source makes no store.


def contents(pair, folder):
    """What there is of the pair's store."""
    if hasattr(pair, "database"):
        return sorted(one.name for one in folder.iterdir() if one.name.startswith("winner-view.db"))
    return pair.leases()


def test_a_process_that_only_serves_waits_until_there_is_a_view(pair, make_on, start_on, tmp_path):
    before = contents(pair, tmp_path)
    reader = make_on(pair, *SERVE, "--caught-up-ms", "5000").start(ready=False)
    reader.wait_until_listening()
    (trouble,) = wait.until(lambda: reader.health()["troubles"], "a trouble says that it waits")
    assert pair.name in trouble["reason"] or "winner-view.db" in trouble["reason"]
    assert reader.get("/readyz").status == 503
    assert reader.get("/scores/merchant").json()["code"] == "view-not-ready"
    assert contents(pair, tmp_path) == before

    pair.put(LAMPS)
    start_on(pair).wait_until_applied()
    reader.wait_until_ready()
    wait.until(lambda: reader.health()["caughtUp"], "caught up, by the worker's lease")
    assert purchases(reader) == 3 and reader.health()["troubles"] == []


def test_a_process_that_only_serves_waits_for_tables(aws, stage, stream, make_daemon):
    reader = make_daemon(stage, None, *SERVE).start(ready=False)
    reader.wait_until_listening()
    wait.until(lambda: f"{stage}-Leases" in str(reader.health()["troubles"]), "a trouble names the table")
    assert reader.is_running() and reader.get("/readyz").status == 503
    program.create_tables(f"dynamodb:{stage}", aws.environment)
    wait.until(lambda: "has no view yet" in str(reader.health()["troubles"]), "a trouble says that there is no view")


def test_an_audit_of_a_missing_database_makes_none(tmp_path):
    done = program.run("audit", "--store", f"sqlite:{tmp_path}/none.db")
    assert done.returncode == 1 and "none.db" in done.stderr
    assert list(tmp_path.iterdir()) == []
