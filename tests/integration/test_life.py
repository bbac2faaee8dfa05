"""The stop of the service, and its answers while the store does not answer."""

import concurrent.futures
import os
import pathlib
import signal
import socket
import subprocess
import time

import cloud
import program
import pytest
import wait
from pairs import assert_equal_to_model
from small_shop import person, product, puts

ANN = person("merchant", "Ann")
LAMPS = puts(product("lamp", ANN, None, 3))


@pytest.fixture
def lamps(aws, stream):
    cloud.put(aws.kinesis, stream, LAMPS)
    return stream


def test_sigterm_drains_then_stops_with_status_0_and_leases_released(aws, tables, lamps, start):
    daemon = start(tables, lamps, "--drain-seconds", "2")
    daemon.wait_until_applied()
    daemon.process.send_signal(signal.SIGTERM)
    wait.until(lambda: daemon.get("/readyz").status == 503, "readiness turns 503", timeout_s=1)
    assert daemon.get("/readyz").json()["status"] == "draining"
    assert daemon.get("/scores/merchant").status == 200 and daemon.get("/livez").status == 200
    assert daemon.process.wait(10) == 0
    program.check_sanitizers(daemon.log())
    assert all("leaseOwner" not in lease for lease in cloud.leases(aws.dynamodb, tables).values())


@pytest.mark.all
def test_sigterm_in_the_middle_of_a_backlog_loses_and_repeats_nothing(main_job, start_on):
    pair, records, expected = main_job
    for stop in range(3):
        daemon = start_on(pair, "--batch-size", "20")
        wait.until(lambda: daemon.metric("winner_view_events_total", result="applied") > 100, "some applied")
        status, seconds = daemon.terminate()
        assert status == 0 and seconds < 20
        ends = {record.shard: int(record.sequence) for record in records}
        leases = pair.leases()
        assert any(cloud.checkpoint(lease) < ends[shard] for shard, lease in leases.items()), stop
    daemon = start_on(pair)
    daemon.wait_until_applied()
    assert_equal_to_model(pair, expected, daemon.dead_letters())
    counted = daemon.metric("winner_view_events_total")
    assert 0 < counted < len(records)  # each left a checkpoint at which the next continued


def test_a_second_signal_ends_the_service_at_once(tables, lamps, start):
    daemon = start(tables, lamps, "--drain-seconds", "15")
    daemon.process.send_signal(signal.SIGINT)
    wait.until(lambda: daemon.get("/readyz").status == 503, "draining")
    begin = time.monotonic()
    daemon.process.send_signal(signal.SIGTERM)
    daemon.process.wait(20)
    assert time.monotonic() - begin < 10


def only_child(pid):
    (child,) = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(child)


def test_a_second_signal_ends_a_containers_first_process_at_once(embedded, make_on):
    """The kernel does not deliver signals that a first process does not handle."""
    apart = ["unshare", *([] if os.geteuid() == 0 else ["--user"]), "--pid", "--fork", "--kill-child"]
    if subprocess.run([*apart, "true"], capture_output=True).returncode:
        pytest.skip("who runs this may make no namespaces")
    embedded.put(LAMPS)
    daemon = make_on(embedded, "--drain-seconds", "15")
    daemon.argv = [*apart, *daemon.argv]
    daemon.start()
    pid = only_child(daemon.process.pid)
    os.kill(pid, signal.SIGTERM)
    wait.until(lambda: daemon.get("/readyz").status == 503, "draining")
    begin = time.monotonic()
    os.kill(pid, signal.SIGTERM)
    assert daemon.process.wait(20) == 128 + signal.SIGTERM and time.monotonic() - begin < 10


@pytest.mark.own_emulators
def test_sigterm_ends_the_service_within_20_seconds_while_the_store_hangs(aws, tables, lamps, start):
    daemon = start(tables, lamps)
    daemon.wait_until_applied()
    with aws.emulators.dynamodb.paused():
        status, seconds = daemon.terminate()
        assert status == 0 and seconds < 20


@pytest.mark.parametrize("service_name", ["DYNAMODB", "KINESIS"])
def test_sigterm_ends_a_start_whose_first_call_is_not_answered(tables, stream, make_daemon, service_name):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(30)
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        daemon = make_daemon(tables, stream, environment={f"AWS_ENDPOINT_URL_{service_name}": endpoint})
        daemon.start(ready=False)
        connection, _ = silent.accept()
        with connection:
            assert connection.recv(1)
            status, seconds = daemon.terminate()
    assert status == 0 and seconds < 10


MEMORY_ROUTES = ("/livez", "/readyz", "/healthz", "/metrics")


def ask_for(seconds, daemon, targets):
    """Requests the targets in turn until the time is over. All answers must be 200. Returns the longest time for one."""
    longest, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        for target in targets:
            begin = time.monotonic()
            assert daemon.get(target).status == 200
            longest = max(longest, time.monotonic() - begin)
        time.sleep(0.02)
    return longest


@pytest.mark.own_emulators
def test_cached_answers_are_served_at_once_while_the_store_hangs(aws, tables, lamps, start):
    daemon = start(tables, lamps)
    daemon.wait_until_applied()
    wait.until(lambda: daemon.get("/scores/merchant").json()["items"], "a board")
    daemon.get("/contributions/lamp")
    with aws.emulators.dynamodb.paused():
        with concurrent.futures.ThreadPoolExecutor(100) as pool:
            missing = [pool.submit(daemon.get, f"/contributions/never-asked-{n}", timeout_s=30) for n in range(100)]
            longest = ask_for(5, daemon, ("/scores/merchant", "/contributions/lamp", *MEMORY_ROUTES))
            refused = [response.result() for response in missing]
        assert longest < 1
        assert {response.status for response in refused} == {503}
        kinds = {response.json()["code"] for response in refused}
        assert kinds <= {"store-unavailable", "overloaded"}
    wait.until(lambda: daemon.get("/contributions/never-asked-0").status == 404, "the store answers again", 30)


@pytest.mark.own_emulators
def test_expired_answers_are_served_as_stale_while_the_store_hangs(aws, tables, lamps, start):
    daemon = start(tables, lamps, "--cache-ttl-ms", "100", "--cache-stale-ms", "200")
    daemon.wait_until_applied()
    before = wait.until(lambda: daemon.get("/scores/merchant").json()["items"], "a board")
    with aws.emulators.dynamodb.paused():
        assert ask_for(6, daemon, ("/scores/merchant", *MEMORY_ROUTES)) < 4
        last = daemon.get("/scores/merchant")
        assert last.json()["items"] == before
        assert "stale" in last.headers["cache-status"].lower()


@pytest.mark.own_emulators
def test_ingest_continues_by_itself_when_the_store_answers_again(aws, tables, lamps, start):
    daemon = start(tables, lamps)
    daemon.wait_until_applied()
    settled = daemon.metric("winner_view_records_total")
    with aws.emulators.dynamodb.paused():
        cloud.put(aws.kinesis, lamps, LAMPS[-1:] * 5)
        read = "winner_view_source_records_total"
        wait.until(lambda: daemon.metric(read) == settled + 5, "a batch has been read that meets the outage")
        assert daemon.metric("winner_view_records_total") == settled
    daemon.wait_until_applied(60)
    assert daemon.get("/contributions/lamp").json()["purchases"] == 8
