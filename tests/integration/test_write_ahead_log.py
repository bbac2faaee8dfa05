"""The database's write-ahead log: a reader that holds it is a trouble while it is large, and a process that stops leaves none
that grows."""

import contextlib
import sqlite3

import program
import pytest
import wait
from model import fold
from pairs import assert_equal_to_model
from small_shop import person, product, puts

ANN = person("merchant", "Ann")
MOST = program.limit("LIMIT_SQLITE_WAL_TROUBLE_BYTES")
BYTES = "winner_view_sqlite_wal_bytes"


def purchases(count):
    lamps = [product(f"lamp {n}", ANN, None, 1) for n in range(100)]
    return puts([event for n in range(count // 200) for events in lamps for event in events])


def log_bytes(pair):
    path = pair.database.with_name(pair.database.name + "-wal")
    return path.stat().st_size if path.exists() else 0


@pytest.fixture
def reader(embedded):
    """A forgotten shell: it has the database open, and begin() begins a transaction that it does not end."""

    class Reader:
        def open(self):
            self.connection = sqlite3.connect(embedded.database, isolation_level=None)
            self.connection.execute("SELECT count(*) FROM scores").fetchall()
            return self

        def begin(self):
            self.connection.execute("BEGIN")
            self.connection.execute("SELECT count(*) FROM scores").fetchall()

        def close(self):
            self.connection.close()

    reader = Reader()
    yield reader
    with contextlib.suppress(AttributeError):
        reader.close()


@pytest.mark.all
def test_a_reader_that_holds_the_log_is_a_trouble_until_it_ends_and_the_log_is_truncated(embedded, start_on, reader):
    embedded.put(purchases(200))
    daemon = start_on(embedded, "--batch-size", "1")
    daemon.wait_until_applied()
    reader.open().begin()
    while log_bytes(embedded) <= MOST:
        embedded.put(purchases(4000))
        daemon.wait_until_applied()
    (trouble,) = wait.until(lambda: daemon.health()["troubles"], "a trouble")
    assert trouble["name"] == "write-ahead log" and f"fuser -v '{embedded.database}-wal'" in trouble["reason"]
    assert daemon.metric(BYTES) > MOST and daemon.get("/readyz").status == 200
    reader.close()
    wait.until(lambda: daemon.health()["troubles"] == [], "the trouble ends", seen=daemon.health)
    assert log_bytes(embedded) <= program.limit("LIMIT_SQLITE_WAL_PAGES") * 4096
    wait.until(lambda: daemon.metric(BYTES) == log_bytes(embedded), "the metric follows")
    assert_equal_to_model(embedded, fold(embedded.records()), daemon.dead_letters())


def test_a_stop_moves_the_log_although_another_process_has_the_database_open(embedded, start_on, reader):
    embedded.put(purchases(400))
    daemon = start_on(embedded, "--batch-size", "1")
    daemon.wait_until_applied()
    reader.open()
    assert log_bytes(embedded) > 0
    assert daemon.terminate()[0] == 0
    assert log_bytes(embedded) == 0


def test_a_stop_says_that_a_reader_keeps_the_log_and_the_next_start_goes_on_with_it(embedded, start_on, reader):
    embedded.put(purchases(200))
    daemon = start_on(embedded, "--batch-size", "1")
    daemon.wait_until_applied()
    reader.open().begin()
    embedded.put(purchases(200))
    daemon.wait_until_applied()
    status, seconds = daemon.terminate()
    assert status == 0 and seconds < 10
    assert log_bytes(embedded) > 0 and "another process reads the database" in daemon.log()
    reader.close()
    again = start_on(embedded)
    again.wait_until_applied()
    assert again.terminate()[0] == 0
    assert log_bytes(embedded) == 0
    assert_equal_to_model(embedded, fold(embedded.records()), again.dead_letters())
