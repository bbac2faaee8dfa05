"""A thread that hangs in a system call fails the liveness probe; waiting, however long, does not."""

import contextlib
import os
import pathlib
import time

import cloud
import pairs
import program
import pytest
import wait
import workload
from small_shop import person, product, puts

LAMPS = puts(product("lamp", person("merchant", "Ann"), None, 3))
NO_EVENT = workload.to_put({"no": "event"}, "lamp", "")
BOUND_S = program.limit("LIMIT_SHARD_STUCK_MS") / 1000
WATCHDOG_S = 3
# The process cannot join a hanging thread and the threads after it. Here that is expected.
UNJOINED = program.sanitizer_environment()["TSAN_OPTIONS"] + ":report_thread_leaks=0"

takes_minutes = pytest.mark.skipif(os.environ.get("WINNER_VIEW_LONG") != "1", reason="minutes: HACKING.md has the command")


@pytest.fixture
def full_pipe(tmp_path):
    """A full pipe without a reader: a write to it hangs."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(descriptor, bytes(4096))
    yield path
    os.close(descriptor)


def is_in_a_call_on(pid, path):
    """Whether a thread of that process is in a system call whose first argument is that file."""
    for thread in pathlib.Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError, IndexError):  # the thread has ended, or runs
            call = (thread / "syscall").read_text().split()  # "running", or a number and its arguments
            if os.readlink(f"/proc/{pid}/fd/{int(call[1], 16)}") == str(path):
                return True
    return False


@pytest.fixture
def hanging(embedded, make_on, full_pipe):
    """hanging(environment): a service whose shard hangs in the write of a dead letter."""

    def start(environment=None):
        embedded.put([*LAMPS, NO_EVENT])
        environment = {"TSAN_OPTIONS": UNJOINED, **(environment or {})}
        daemon = make_on(embedded, "--dead-letter", f"file:{full_pipe}", environment=environment).start()
        wait.until(lambda: is_in_a_call_on(daemon.process.pid, full_pipe), "its shard hangs", seen=daemon.log_tail)
        return daemon

    return start


def test_sigterm_ends_the_service_although_a_thread_hangs_and_the_next_start_continues(hanging, embedded, start_on):
    status, seconds = hanging().terminate()
    assert status == 1 and seconds < 22
    daemon = start_on(embedded)
    daemon.wait_until_applied()
    assert daemon.get("/contributions/lamp").json()["purchases"] == 3
    assert len(daemon.dead_letters()) == 1


@takes_minutes
@pytest.mark.all
def test_a_thread_that_hangs_beyond_its_bound_fails_the_liveness_probe(hanging, manager):
    daemon = hanging(manager.environment(watchdog_s=WATCHDOG_S))
    begin = time.monotonic()
    manager.wait_for(lambda message: "WATCHDOG" in message)  # the thread may still be only slow
    assert daemon.get("/livez").status == 200
    manager.wait_for(lambda message: "WATCHDOG" not in message, timeout_s=BOUND_S + 60)
    assert time.monotonic() - begin > BOUND_S - 10
    dead = daemon.get("/livez")
    assert dead.status == 503 and dead.json() == {"status": "stuck", "loop": pairs.FILE_SHARD}
    for _ in range(5):
        assert "WATCHDOG" not in manager.next()
    daemon.kill()


def assert_lives(daemon, manager):
    """Checks for longer than the bound of a hanging thread."""
    end = time.monotonic() + BOUND_S + 30
    while time.monotonic() < end:
        assert manager.next()["WATCHDOG"] == "1"
        assert daemon.get("/livez").status == 200


@takes_minutes
@pytest.mark.all
@pytest.mark.own_emulators
@pytest.mark.parametrize("silent", ["dynamodb", "kinesis"])
def test_a_service_that_waits_for_store_or_stream_stays_live_beyond_the_bound_of_a_hanging_thread(
    aws, tables, stream, make_daemon, manager, silent
):
    daemon = make_daemon(tables, stream, environment=manager.environment(watchdog_s=WATCHDOG_S)).start()
    cloud.put(aws.kinesis, stream, LAMPS)
    daemon.wait_until_applied()
    if silent == "dynamodb":
        cloud.put(aws.kinesis, stream, LAMPS)  # an event to write
    with getattr(aws.emulators, silent).paused():
        assert_lives(daemon, manager)
    if silent == "kinesis":
        cloud.put(aws.kinesis, stream, LAMPS)
    daemon.wait_until_applied()
    assert daemon.get("/contributions/lamp").json()["purchases"] == 6


@takes_minutes
@pytest.mark.all
@pytest.mark.own_emulators
@pytest.mark.parametrize("silent", ["dynamodb", "kinesis"])
def test_a_service_that_starts_while_store_or_stream_is_silent_stays_live(aws, tables, stream, make_daemon, manager, silent):
    cloud.put(aws.kinesis, stream, LAMPS)
    daemon = make_daemon(tables, stream, environment=manager.environment(watchdog_s=WATCHDOG_S))
    with getattr(aws.emulators, silent).paused():
        daemon.start(ready=False)
        daemon.wait_until_listening()
        assert_lives(daemon, manager)
    daemon.wait_until_applied()
    assert daemon.get("/contributions/lamp").json()["purchases"] == 3
