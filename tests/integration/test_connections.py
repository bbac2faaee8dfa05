"""Clients that are slow, silent or too many: each is bounded and delays no other.

The slow clients need up to 75 seconds. So all of them start with the first test, and each test waits for its own.
"""

import concurrent.futures
import contextlib
import os
import resource
import statistics
import subprocess
import time

import clock_shim
import program
import pytest
import wait
from daemon import Daemon
from pairs import FileSqlite
from raw_http import Client, Lost, get
from small_shop import person, product, puts

OF_EACH = 20
REQUEST_S, ANSWER_S, IDLE_S = 10, 30, 75  # LIMIT_HEADERS_MS, LIMIT_ANSWER_MS, LIMIT_KEEP_ALIVE_MS
SLACK_S = 20  # a busy machine
BOARD = "/scores/merchant"
LAMPS = puts(product("lamp", person("merchant", "Ann"), None, 3))


@pytest.fixture(scope="module")
def daemon(tmp_path_factory):
    pair = FileSqlite(tmp_path_factory.mktemp("connections"))
    pair.put(LAMPS)
    with Daemon([*pair.options, "--drain-seconds", "0"], {}) as daemon:
        daemon.wait_until_applied()
        yield daemon


def is_over(client):
    """Whether the other side has ended the connection. Drops what it sends."""
    client.socket.settimeout(0.25)
    try:
        return not client.socket.recv(65536)
    except TimeoutError:
        return False
    except ConnectionError:
        return True


def dribble(port, begin, byte):
    """Sends a beginning, then a byte four times a second. Returns the seconds until the connection was ended."""
    started = time.monotonic()
    with Client(port) as client:
        client.send(begin)
        return dribble_on(client, byte, started)


def dribble_on(client, byte, started):
    while not is_over(client):
        with contextlib.suppress(ConnectionError):
            client.send(byte)
        assert time.monotonic() - started < REQUEST_S + SLACK_S
    return time.monotonic() - started


def be_silent(port):
    return dribble(port, b"", b"")


def dribble_headers(port):
    return dribble(port, b"GET / HTTP/1.1\r\nX-Slow: ", b"x")


def dribble_the_next_request(port):
    """On a kept connection, which may be idle for longer."""
    with Client(port) as client:
        assert client.ask(BOARD).status == 200
        started = time.monotonic()
        client.send(b"G")
        return dribble_on(client, b"E", started)


def dribble_lines(port):
    return dribble(port, b"GET / HTTP/1.1\r\n", b"A:b\r\n")


def dribble_a_body(port):
    return dribble(port, b"GET /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n", b"x")


def dribble_chunks(port):
    return dribble(port, b"GET /livez HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n")


def never_read(port):
    """Requests far more than the kernel buffers and reads nothing. Returns the seconds until the connection was closed,
    after which sending fails."""
    started = time.monotonic()
    with Client(port, receive_bytes=4096, timeout_s=0.5) as client:
        while time.monotonic() - started < ANSWER_S + SLACK_S:
            try:
                client.send(get("/openapi.yaml") * 20)
            except TimeoutError:
                pass
            except ConnectionError:
                break
    return time.monotonic() - started


def be_idle(port):
    """Idle after an answer. Returns the seconds until the connection is ended."""
    with Client(port, timeout_s=IDLE_S + SLACK_S) as client:
        assert client.ask(BOARD).status == 200
        return client.seconds_until_closed(IDLE_S + SLACK_S)


INCOMPLETE = [
    be_silent,
    dribble_headers,
    dribble_the_next_request,
    dribble_lines,
    dribble_a_body,
    dribble_chunks,
]
KINDS = [*INCOMPLETE, never_read, be_idle]


@pytest.fixture(scope="module", autouse=True)
def slow(daemon):
    """{kind: a future of each client}."""
    with concurrent.futures.ThreadPoolExecutor(OF_EACH * len(KINDS)) as pool:
        yield {kind: [pool.submit(kind, daemon.port) for _ in range(OF_EACH)] for kind in KINDS}


def seconds(futures):
    return [future.result(IDLE_S + 2 * SLACK_S) for future in futures]


# While slow clients are connected.


def test_slow_clients_do_not_delay_the_answers_of_others(daemon):
    took = []
    with Client(daemon.port) as client:
        for _ in range(500):
            begin = time.monotonic()
            assert client.ask(BOARD).status == 200
            took.append(time.monotonic() - begin)
    assert statistics.median(took) < 0.1 and max(took) < 5


def test_a_client_that_ends_its_side_after_a_request_is_answered_and_then_closed(daemon):
    for at_once in (False, True):
        with Client(daemon.port) as client:
            if at_once:
                daemon.freeze()
            client.send(get(BOARD))
            client.end_sending()
            if at_once:
                daemon.thaw()
            assert client.receive().status == 200
            assert client.seconds_until_closed(SLACK_S) < SLACK_S


def test_pipelined_requests_are_answered_in_order(daemon):
    targets = [BOARD, "/livez", "/contributions/lamp", "/nothing"] * 250
    with Client(daemon.port) as client, concurrent.futures.ThreadPoolExecutor(1) as pool:
        sent = pool.submit(client.send, b"".join(map(get, targets)))
        statuses = [client.receive().status for _ in targets]
        sent.result()
    assert statuses == [200, 200, 200, 404] * 250


def test_an_answer_is_looked_up_when_its_request_is_complete(daemon):
    """Three requests that are completed 3 s after their first line: meanwhile one answer was refreshed, one stayed
    cached, one was not cached."""
    targets = [f"{BOARD}?limit={n}" for n in (11, 12, 13)]
    assert all(daemon.get(target).status == 200 for target in targets[:2])
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(Client(daemon.port)) for _ in targets]
        for client, target in zip(clients, targets, strict=True):
            client.send(get(target)[:-2])
        until = time.monotonic() + 3  # longer than a load may take
        while time.monotonic() < until:
            assert daemon.get(targets[0]).status == 200
        for client in clients:
            client.send(b"\r\n")
        anew, kept, unread = [client.receive() for client in clients]
    assert [anew.status, kept.status, unread.status] == [200, 200, 200]
    assert int(anew.headers["age"]) >= 0
    assert int(kept.headers["age"]) >= 3 and kept.headers["cache-status"].endswith("stale-while-revalidate")


def test_a_body_is_ignored_and_refused_beyond_64_kib(daemon):
    for length, status in ((1, 200), (65536, 200), (65537, 413)):
        with Client(daemon.port) as client:
            client.send(get(BOARD, f"Content-Length: {length}") + b"x" * (length if status == 200 else 0))
            answer = client.receive()
            assert (answer.status, answer.is_last) == (status, True)


# How slow clients end.


@pytest.mark.parametrize("kind", INCOMPLETE, ids=lambda kind: kind.__name__)
def test_a_request_that_is_not_complete_after_10_seconds_ends_its_connection(slow, kind):
    assert all(REQUEST_S - 1 < took < REQUEST_S + SLACK_S for took in seconds(slow[kind]))


@pytest.mark.all
def test_an_answer_that_is_not_taken_within_30_seconds_ends_its_connection(slow):
    assert all(ANSWER_S - 1 < took < ANSWER_S + SLACK_S for took in seconds(slow[never_read]))


@pytest.mark.all
def test_a_connection_may_be_idle_for_75_seconds(slow):
    assert all(IDLE_S - 1 < took < IDLE_S + SLACK_S for took in seconds(slow[be_idle]))


@pytest.mark.skipif(not clock_shim.library().exists(), reason="needs the target clock_shim")
def test_empty_lines_around_requests_are_no_beginning_of_the_next(embedded, start_on, tmp_path):
    """RFC 9112, section 2.2. A connection with a beginning ends after 10 s."""
    clocks = clock_shim.Clocks(tmp_path)
    embedded.put(LAMPS)
    daemon = start_on(embedded, environment=clocks.environment)
    with contextlib.ExitStack() as stack:
        idle, begun = ([stack.enter_context(Client(daemon.port)) for _ in range(2 * os.cpu_count())] for _ in "ib")
        for client in idle:
            for _ in range(4):
                client.send(b"\r\n" + get("/livez") + b"\r\n")
                assert client.receive().status == 200
        for client in begun:
            assert client.ask("/livez").status == 200
            client.send(b"GET")
        steps = iter([1000] * (IDLE_S // 2))
        wait.until(lambda: clocks.step(boot_ms=next(steps, 0)) or all(map(is_over, begun)), "the end of the begun")
        assert not any(map(is_over, idle))


# Too many.


def read_live(daemon, stack):
    """A connection whose request is never done."""
    client = stack.enter_context(Client(daemon.port))
    client.send(get("/live"))
    client.read_until(lambda got: b"event:" in got)
    return client


def is_kept_out(daemon):
    answer = daemon.get(BOARD)
    return answer if answer.status == 503 else None


def test_only_probes_are_answered_beyond_the_limit_while_all_connections_are_being_answered(embedded, start_on):
    embedded.put(LAMPS)
    daemon = start_on(embedded, "--connections", "32", "--max-live", "31")
    with contextlib.ExitStack() as held:
        for _ in range(31):
            read_live(daemon, held)
        never_done = held.enter_context(Client(daemon.port, receive_bytes=4096))
        never_done.send(get("/openapi.yaml") * 1000)
        refused = wait.until(lambda: is_kept_out(daemon), "the last place to be taken")
        assert refused.json()["code"] == "overloaded"
        assert refused.headers["retry-after"] and refused.headers["connection"].lower() == "close"
        assert daemon.get("/livez").status == 200
    wait.until(lambda: daemon.get(BOARD).status == 200, "their end to be noticed")


def test_a_connection_limit_above_the_open_files_limit_is_refused(embedded):
    def few_files():
        resource.setrlimit(resource.RLIMIT_NOFILE, (600, 600))

    command = [program.binary(), "serve", "--listen", "127.0.0.1:0", *embedded.options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, preexec_fn=few_files)
    assert done.returncode == 2 and "--connections '1024'" in done.stderr and "600" in done.stderr
