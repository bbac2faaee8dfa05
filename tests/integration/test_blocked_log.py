"""A log that nobody reads costs nobody but itself: requests, ingest and the stop go on, lost lines are counted and
reported. Dead letters are not lost: their shard waits."""

import json
import os
import re
import threading

import pytest
import wait
import workload
from pairs import FILE_SHARD
from small_shop import person, product, puts

LAMPS = puts(product("lamp", person("merchant", "Ann"), None, 3))
LONG = "x" * 2000  # in the access log: 2 MB are more than pipe and queue hold
LOST = "winner_view_log_lines_lost_total"


class Pipe:
    """Standard error of a daemon: a full pipe, which nobody reads before read_on()."""

    def __init__(self):
        self.reader, self.writer = os.pipe()
        self.junk, self.received = 0, b""
        mine = os.open(f"/proc/self/fd/{self.writer}", os.O_WRONLY | os.O_NONBLOCK)  # the daemon's may block
        try:
            while True:
                self.junk += os.write(mine, b"\n" * 4096)
        except BlockingIOError:
            os.close(mine)

    def fileno(self):
        return self.writer

    def read_on(self):
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while chunk := os.read(self.reader, 1 << 16):
            self.received += chunk

    def text(self):
        return self.read().decode(errors="replace")

    def read(self):
        return self.received[self.junk :]

    def lines(self):
        whole = self.read().rpartition(b"\n")[0]
        return [json.loads(line) for line in whole.splitlines()]


@pytest.fixture
def pipe():
    return Pipe()


@pytest.fixture
def start_on_pipe(embedded, make_on, pipe):
    def start(*options):
        daemon = make_on(embedded, "--log-format", "json", *options)
        daemon.stderr = pipe
        return daemon.start()

    return start


def report(pipe):
    found = re.search(r"(\d+) lines of this log are lost", pipe.read().decode())
    return int(found[1]) if found else None


def test_requests_and_ingest_go_on_while_nobody_reads_the_log_and_lost_lines_are_reported(embedded, start_on_pipe, pipe):
    embedded.put(LAMPS)
    daemon = start_on_pipe("--access-log", "all", "--cache-ttl-ms", "0")
    for _ in range(1000):
        assert daemon.get(f"/nowhere/{LONG}").status == 404  # without the store, which may be slow
    assert daemon.get("/livez").status == 200
    embedded.put(LAMPS[-1:])
    daemon.wait_until_applied()
    assert daemon.get("/contributions/lamp").json()["purchases"] == 4
    lost = daemon.metric(LOST)
    assert lost > 100 and daemon.health()["troubles"] == []
    pipe.read_on()
    assert wait.until(lambda: report(pipe), "the lost lines are reported") >= lost
    assert daemon.terminate()[0] == 0
    lines = wait.until(lambda: pipe.lines()[-1]["msg"] == "stopped" and pipe.lines(), "the last line", seen=pipe.lines)
    assert all(line["msg"] for line in lines)


def test_sigterm_ends_the_service_with_status_0_while_nobody_reads_the_log(embedded, start_on_pipe):
    embedded.put([*LAMPS, workload.Put("p", b"broken", "")])
    daemon = start_on_pipe("--dead-letter", "log")
    status, seconds = daemon.terminate()
    assert status == 0 and seconds < 10


def broken(count):
    return [workload.Put("p", f"broken {n} {LONG}".encode(), "") for n in range(count)]


def letters(pipe):
    return [int(line["sequenceNumber"]) for line in pipe.lines() if line["msg"] == "dead letter"]


def test_dead_letters_wait_until_the_log_is_read_and_none_is_missing(embedded, start_on_pipe, pipe):
    embedded.put([*broken(500), *LAMPS])
    daemon = start_on_pipe("--dead-letter", "log")
    (trouble,) = wait.until(lambda: daemon.health()["troubles"], "a trouble")
    assert trouble["name"] == f"shard {FILE_SHARD}" and "standard error" in trouble["reason"]
    assert daemon.get("/livez").status == 200
    assert embedded.leases()[FILE_SHARD]["checkpoint"] == "TRIM_HORIZON" and embedded.contributions() == []
    pipe.read_on()
    daemon.wait_until_applied()
    assert daemon.health()["troubles"] == [] and daemon.metric(LOST) == 0
    assert daemon.get("/contributions/lamp").json()["purchases"] == 3
    found = wait.until(lambda: letters(pipe), "letters")
    assert set(found) == {int(record.sequence) for record in embedded.records()[:500]}
    assert len(found) < 510  # those that were on their way are repeated
