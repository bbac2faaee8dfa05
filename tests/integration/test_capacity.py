"""More shards than the limits of the system allow."""

import subprocess

import fake_stream
import program
import pytest
import wait
from daemon import Daemon

SHARDS = 200
OPEN_FILES, SHARDS_ALLOWED = 1048, 20  # with these options; each shard takes up to 10
OPTIONS = ("--connections", "64", "--max-live", "16", "--failover-ms", "1000", "--drain-seconds", "0")
LIMITED = ("prlimit", f"--nofile={OPEN_FILES}:{OPEN_FILES}")


@pytest.fixture(scope="module")
def stream():
    with fake_stream.FakeStream(SHARDS) as stream:
        yield stream


def options(tmp_path):
    return ["--source", "kinesis:fake", "--store", f"sqlite:{tmp_path}/v.db", *OPTIONS]


def trouble(daemon):
    assert daemon.is_running(), daemon.log_tail()
    return next((one["reason"] for one in daemon.health()["troubles"] if one["name"] == "max leases"), None)


def test_a_worker_takes_no_more_shards_than_its_open_files_allow_and_names_the_limit(stream, tmp_path):
    daemon = Daemon(options(tmp_path), stream.environment())
    daemon.argv = [*LIMITED, *daemon.argv]
    with daemon:
        reason = wait.until(lambda: trouble(daemon), "the trouble", seen=daemon.log_tail)
        assert f"{SHARDS - SHARDS_ALLOWED} shards have been read by no worker" in reason
        assert f"as many as the limit of {OPEN_FILES} open files (ulimit -Hn) allows" in reason
        assert daemon.metric("winner_view_leases") == SHARDS_ALLOWED


def test_max_leases_beyond_what_the_system_allows_stops_the_start(stream, tmp_path):
    argv = [*LIMITED, program.binary(), "serve", *options(tmp_path), "--max-leases", str(SHARDS_ALLOWED + 1)]
    done = subprocess.run(argv, env=stream.environment(), capture_output=True, text=True, timeout=20)
    assert done.returncode == 2
    assert f"--max-leases '21' is too much for this system: the limit of {OPEN_FILES} open files" in done.stderr
