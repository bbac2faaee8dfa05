"""The file and SQLite: a file that can be missing or cut, a database that one process fills, and SIGKILL at any moment,
which leaves the database exact. test_changed_files.py: a file that becomes another."""

import contextlib
import os
import random
import sqlite3

import cloud
import model
import program
import pytest
import wait
import workload
from model import fold
from pairs import FileSqlite, assert_equal_to_model, can_be_lines
from small_shop import person, product, puts

ANN = person("merchant", "Ann")
LAMPS = puts(product("lamp", ANN, None, 3))
KILLS = 100
BACKLOG_BYTES = 4 << 20


def refused(daemon):
    """The stderr of a service that must not start."""
    daemon.start(ready=False)
    assert daemon.process.wait(20) == 2, daemon.log()
    program.check_sanitizers(daemon.log())
    return daemon.log()


def purchases(daemon):
    return daemon.get("/contributions/lamp").json()["purchases"]


def trouble(daemon):
    """The reasons of all troubles in /healthz, once there is one."""
    found = wait.until(lambda: daemon.health()["troubles"], "a trouble")
    return " ".join(one["reason"] for one in found)


# SIGKILL.


class Journal:
    """Writes a file in pieces that end anywhere, also within a line, and always far ahead of the reader."""

    def __init__(self, pair, data, rng):
        self.pair, self.rng = pair, rng
        self.left = data
        self.written = 0

    def write(self, n):
        piece, self.left = self.left[:n], self.left[n:]
        self.pair.append(piece)
        self.written += len(piece)

    def keep_ahead_of(self, offset):
        while self.left and self.written < offset + BACKLOG_BYTES:
            self.write(self.rng.randint(1, 500_000))


class Progress:
    """The model of the records up to the checkpoint in the database."""

    def __init__(self, records):
        self.records, self.folded, self.model = records, 0, model.Model()

    def assert_exact(self, pair, checkpoint):
        """A batch and its checkpoint are one transaction: the rows are those of the records up to it."""
        while self.folded < len(self.records) and int(self.records[self.folded].sequence) <= checkpoint:
            self.model.apply(self.records[self.folded])
            self.folded += 1
        assert_equal_to_model(pair, self.model, self.model.dead_letters)


def checkpoint_of(pair):
    """The offset of the checkpoint, -1 before the first."""
    try:
        leases = pair.leases()
    except sqlite3.OperationalError:  # no database yet, or no tables in it
        return -1
    return max(map(cloud.checkpoint, leases.values()), default=-1)


def kill_beyond(pair, daemon, offset):
    """Starts a service and kills it when its checkpoint has reached this offset. Returns the checkpoint in the
    database."""
    daemon.start(ready=False)
    wait.until(
        lambda: checkpoint_of(pair) >= offset, f"checkpoint {offset}: {daemon.log()[-3000:]}", every_s=0
    )
    daemon.kill()
    return checkpoint_of(pair)


@pytest.mark.all
def test_a_hundred_sigkills_change_nothing(embedded, make_on, capsys):
    rng = random.Random(12)
    lines = [put.data + b"\n" for put in can_be_lines(workload.generate(seed=31, events=50_000))]
    whole = FileSqlite(embedded.journal.parent, embedded.journal.with_name("whole.jsonl"))
    whole.append(b"".join(lines))
    journal, progress = Journal(embedded, b"".join(lines), rng), Progress(whole.records())
    options = ("--batch-size", "5", "--worker-id", "the-same-worker")
    before, torn = -1, 0
    for _ in range(KILLS):
        journal.keep_ahead_of(before)
        torn += not embedded.journal.read_bytes().endswith(b"\n")
        daemon = make_on(embedded, *options)
        checkpoint = kill_beyond(embedded, daemon, before + rng.randint(1, 150_000))
        assert before < checkpoint < int(progress.records[-1].sequence), "not in the middle of the work"
        assert checkpoint < journal.written - BACKLOG_BYTES // 8, "the service had caught up with the writer"
        progress.assert_exact(embedded, checkpoint)
        before = checkpoint
    with capsys.disabled():
        print(
            f"\n{KILLS} kills after {progress.folded} of {len(progress.records)} events, {torn} with a torn line"
        )

    journal.write(len(journal.left))
    daemon = make_on(embedded, *options).start()
    daemon.wait_until_applied()
    assert_equal_to_model(embedded, fold(progress.records), daemon.dead_letters())


# One process fills, others serve.


def test_a_second_process_is_refused_with_the_firsts_pid_and_may_still_serve(embedded, start_on, make_on):
    embedded.put(LAMPS)
    first = start_on(embedded)
    first.wait_until_applied()
    message = refused(make_on(embedded))
    assert (
        f"process {first.process.pid}:" in message and str(embedded.database) in message and "--source none" in message
    )

    reader = start_on(embedded, "--source", "none", "--cache-ttl-ms", "0")
    assert purchases(reader) == 3
    embedded.put(LAMPS[-1:])
    wait.until(lambda: purchases(reader) == 4, "what the first writes shows in the second")
    wait.until(lambda: reader.health()["caughtUp"], "caught up, by the writer's lease")


def test_a_killed_process_leaves_no_lock_behind(embedded, start_on):
    embedded.put(LAMPS)
    options = ("--failover-ms", "1000")  # the service waits until the lease of the killed one expires
    daemon = start_on(embedded, *options)
    daemon.wait_until_applied()
    daemon.kill()
    daemon = start_on(embedded, *options)
    daemon.wait_until_applied()
    assert purchases(daemon) == 3


def test_a_database_of_a_newer_version_is_refused_and_not_changed(embedded, make_on):
    program.create_tables(f"sqlite:{embedded.database}", {})
    connection = sqlite3.connect(embedded.database)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    before = embedded.database.read_bytes()
    message = refused(make_on(embedded))
    assert "99" in message and str(embedded.database) in message and "--store sqlite:" in message
    assert embedded.database.read_bytes() == before


def test_the_start_waits_for_a_locked_database(embedded, make_on):
    embedded.put(LAMPS)
    program.create_tables(f"sqlite:{embedded.database}", {})
    with contextlib.closing(sqlite3.connect(embedded.database, isolation_level=None)) as other:
        other.execute("PRAGMA journal_mode=DELETE")
        other.execute("BEGIN EXCLUSIVE")
        daemon = make_on(embedded).start(ready=False)
        wait.until(lambda: "locked" in daemon.log(), "the log names the lock", seen=daemon.log)
        assert daemon.is_running()
        other.execute("COMMIT")
    daemon.wait_until_ready()
    daemon.wait_until_applied()
    assert purchases(daemon) == 3


# Changes of the file while it is read.


def test_a_missing_file_is_read_once_it_exists(embedded, make_on):
    daemon = make_on(embedded).start(ready=False)
    wait.until(lambda: answers(daemon), "an answer")
    assert str(embedded.journal) in trouble(daemon)
    ready = daemon.get("/readyz")
    assert (ready.status, ready.json()["status"]) == (503, "starting")
    assert daemon.get("/livez").status == 200

    embedded.append(LAMPS[0].data)  # no newline: not a line yet
    wait.until(lambda: "no whole line" in trouble(daemon), "a trouble reports that there is no whole line")
    embedded.append(b"\n")
    embedded.put(LAMPS[1:])
    daemon.wait_until_ready()
    daemon.wait_until_applied()
    assert purchases(daemon) == 3 and daemon.health()["troubles"] == []


def answers(daemon):
    try:
        return daemon.get("/livez").status == 200
    except OSError:
        return False


def test_a_line_is_read_once_its_newline_is_there(embedded, start_on):
    embedded.put(LAMPS[:1])
    daemon = start_on(embedded)
    daemon.wait_until_applied()
    purchase = LAMPS[-1].data
    embedded.append(purchase[:40])
    daemon.wait_until_applied()
    embedded.append(purchase[40:])
    daemon.wait_until_applied()
    assert purchases(daemon) == 0
    embedded.append(b"\n")
    daemon.wait_until_applied()
    assert purchases(daemon) == 1 and daemon.dead_letters() == set()


def test_a_file_that_shrank_is_a_trouble_and_reading_continues_when_it_is_complete_again(embedded, start_on):
    embedded.put(LAMPS)
    daemon = start_on(embedded)
    daemon.wait_until_applied()
    whole = embedded.journal.read_bytes()
    os.truncate(embedded.journal, len(whole) // 2)
    message = trouble(daemon)
    assert str(embedded.journal) in message and "shrunk" in message
    assert daemon.health()["status"] == "degraded" and daemon.get("/readyz").status == 200
    assert purchases(daemon) == 3

    embedded.append(whole[len(whole) // 2 :])
    embedded.put(LAMPS[-1:])
    daemon.wait_until_applied()
    assert purchases(daemon) == 4 and daemon.health()["troubles"] == []
    assert_equal_to_model(embedded, fold(embedded.records()), daemon.dead_letters())


def test_a_line_that_is_too_long_is_a_dead_letter_and_the_next_is_read(embedded, start_on):
    embedded.put(LAMPS[:2])
    offset = embedded.journal.stat().st_size
    embedded.append(b'{"schema":"' + b"x" * (11 << 20) + b'"}\n')
    embedded.put(LAMPS[2:])
    daemon = start_on(embedded)
    daemon.wait_until_applied()
    assert daemon.dead_letters() == {(embedded.shards[0], str(offset), "too-long")}
    assert purchases(daemon) == 3
