"""More clients than --connections: none that is idle, slow or silent keeps another one out."""

import contextlib
import os

import clock_shim
import pytest
import wait
from crowd import Crowd, raise_limit
from raw_http import Client, get
from small_shop import person, product, puts

BOARD = "/scores/merchant"
LAMPS = puts(product("lamp", person("merchant", "Ann"), None, 3))
ACCEPTED_BEYOND = 272  # LIMIT_PROBE_CONNECTIONS + LIMIT_CLOSING_CONNECTIONS
ONE_POLL = 128  # events that libmicrohttpd takes from epoll at once


def start(start_on, embedded, connections, **more):
    embedded.put(LAMPS)
    return start_on(embedded, "--connections", str(connections), "--max-live", "8", **more)


@pytest.mark.parametrize(
    ("connections", "idle", "slow"),
    [
        (64, 300, 100),
        pytest.param(1024, 10000, 1000, marks=pytest.mark.all),
        pytest.param(12000, 10000, 1000, marks=pytest.mark.all),
    ],
)
def test_idle_and_slow_clients_lock_nobody_out(embedded, start_on, connections, idle, slow):
    if not raise_limit(idle + slow + 1000):
        pytest.skip("the limit of open files is too low")
    daemon = start(start_on, embedded, connections)
    with Crowd(daemon.port, idle, slow) as crowd:
        wait.until(lambda: daemon.get(BOARD).status == 200, "the crowd to be idle for long enough")
        for _ in range(50):
            assert [daemon.get(target).status for target in ("/livez", BOARD)] == [200, 200]
        assert daemon.metric("winner_view_http_connections") <= connections + ACCEPTED_BEYOND
        assert (crowd.open() == idle) == (connections > idle + slow)
    closed = daemon.metric("winner_view_http_connections_closed_for_others_total")
    assert (closed > 0) == (connections < idle + slow)


def test_a_flood_of_silent_newcomers_leaves_a_client_the_time_to_ask(embedded, start_on):
    daemon = start(start_on, embedded, 256)
    with contextlib.ExitStack() as silent, Client(daemon.port) as live:
        live.send(get("/live"))
        live.read_until(lambda got: b"event:" in got)
        for _ in range(20):
            for _ in range(100):
                silent.enter_context(Client(daemon.port))
            wait.until(lambda: daemon.get(BOARD).status == 200, "a place", every_s=0.01)
        assert daemon.metric("winner_view_http_connections") <= 256 + ACCEPTED_BEYOND
        live.buffer = b""
        live.read_until(lambda got: got)  # it was not closed


def test_clients_that_begin_a_request_keep_others_out_for_a_second_only(embedded, start_on):
    daemon = start(start_on, embedded, 32)
    with contextlib.ExitStack() as stack:
        for _ in range(32):
            stack.enter_context(Client(daemon.port)).send(b"G")
        # LIMIT_HEADERS_MS ends them after 10 s.
        wait.until(lambda: daemon.get(BOARD).status == 200, "a place", timeout_s=8)


@pytest.mark.skipif(not clock_shim.library().exists(), reason="needs the target clock_shim")
def test_a_probe_waits_for_no_time_limit_of_those_who_are_before_it_in_the_queue(embedded, start_on, tmp_path):
    clocks = clock_shim.Clocks(tmp_path)
    daemon = start(start_on, embedded, 32, environment=clocks.environment)
    with contextlib.ExitStack() as stack:
        kept = [stack.enter_context(Client(daemon.port)) for _ in range(32)]
        assert {client.ask("/livez").status for client in kept} == {200}
        clocks.drift(boot_ppm=-995_000)  # a tenth of a second takes 20 s
        stack.callback(clocks.right)
        for begun in [b"", b"G"] * (2 * ACCEPTED_BEYOND):
            stack.enter_context(Client(daemon.port)).send(begun)
        assert daemon.get("/livez").status == 200


def test_a_client_that_was_idle_for_long_gives_way_to_a_newcomer(embedded, start_on):
    daemon = start(start_on, embedded, 32)
    with contextlib.ExitStack() as stack:
        kept = [stack.enter_context(Client(daemon.port)) for _ in range(32)]
        assert {client.ask("/livez").status for client in kept} == {200}
        wait.until(lambda: daemon.get(BOARD).status == 200, "a place")


def test_as_many_requests_at_once_as_one_poll_reports_are_answered(embedded, start_on):
    """libmicrohttpd would wait for one more before it answers any."""
    daemon = start(start_on, embedded, 1024)
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(Client(daemon.port)) for _ in range(ONE_POLL * os.cpu_count())]
        assert {client.ask(BOARD).status for client in clients} == {200}
        daemon.freeze()
        for client in clients:
            client.send(get(BOARD))
        daemon.thaw()
        assert {client.receive().status for client in clients} == {200}
