"""SIGTERM under load: accepted requests are answered, and the process ends in time.

A request counts when all of it was sent, on a connection whose connect() succeeded. If that was before the first
connection was refused, its answer must arrive completely.
"""

import contextlib
import random
import signal
import threading
import time

import program
import pytest
import wait
from raw_http import Client, Lost, get
from small_shop import person, product, puts

DRAIN_S = 1
STOP_S = DRAIN_S + (10 if program.is_sanitized() else 5)
LAMPS = puts(product("lamp", person("merchant", "Ann"), None, 3))
CACHED = ["/scores/merchant", "/scores", "/contributions/lamp", "/livez", "/openapi.yaml"]
CLIENTS = 10  # of each kind


class Crowd:
    """Clients, each on a thread of its own, from start() until they are refused or cut off."""

    def __init__(self, port):
        self.port = port
        self.lock = threading.Lock()
        self.answered = 0
        self.refused_at = []
        self.lost = []  # (time when the request was sent, client, reason)
        self.statuses = set()
        self.threads = []
        self.failures = []

    def start(self, kind, n):
        for number in range(n):
            self.threads.append(threading.Thread(target=self.run, args=(kind, number), daemon=True))
            self.threads[-1].start()

    def run(self, kind, number):
        try:
            rng = random.Random(number)
            while client := self.dial():
                with client:
                    kind(self, client, rng)
        except Exception as error:  # any other failure is unexpected
            self.failures.append(repr(error))

    def dial(self):
        try:
            return Client(self.port)
        except ConnectionError:
            with self.lock:
                self.refused_at.append(time.monotonic())

    def exchange(self, client, targets, who):
        """Sends one request, or several at once. Returns whether the connection can be used again."""
        last = False
        try:
            sent_at = client.send(b"".join(map(get, targets)))
        except ConnectionError:
            return False  # not sent
        try:
            for _ in targets:
                answer = client.receive()
                with self.lock:
                    self.answered += 1
                    self.statuses.add(answer.status)
                last = answer.is_last
        except Lost as why:
            with self.lock:
                self.lost.append((sent_at, who, str(why)))
            return False
        return not last

    def join(self):
        for thread in self.threads:
            thread.join(60)
        assert not any(thread.is_alive() for thread in self.threads)
        assert not self.failures, self.failures[:5]

    def wrongly_lost(self):
        first = min(self.refused_at)
        return [(f"{first - sent_at:.3f} s before", who, why) for sent_at, who, why in self.lost if sent_at < first]


def newcomer(crowd, client, rng):
    crowd.exchange(client, [rng.choice(CACHED)], "newcomer")


def keeper(crowd, client, rng):
    while crowd.exchange(client, [rng.choice(CACHED)], "keeper"):
        time.sleep(rng.uniform(0, 0.01))


def idler(crowd, client, rng):
    while crowd.exchange(client, [rng.choice(CACHED)], "idler"):
        time.sleep(rng.uniform(0, 1.5))


def pipeliner(crowd, client, rng):
    while crowd.exchange(client, rng.choices(CACHED, k=4), "pipeliner"):
        time.sleep(rng.uniform(0, 0.02))


def asker(crowd, client, rng):
    """Asks for rows that are not cached, which waits for the store."""
    while crowd.exchange(client, [f"/contributions/none-{rng.random()}"], "asker"):
        time.sleep(rng.uniform(0, 0.05))


def signal_and_wait(daemon):
    """SIGTERM. Returns the seconds until the process has ended with status 0."""
    begin = time.monotonic()
    daemon.process.send_signal(signal.SIGTERM)
    status = daemon.process.wait(40)
    seconds = time.monotonic() - begin
    program.check_sanitizers(daemon.log())
    assert status == 0, daemon.log()[-3000:]
    return seconds


@pytest.fixture
def daemon(pair, start_on):
    pair.put(LAMPS)
    caught_up = ("--caught-up-ms", "600000")  # a missing row stays a 404, also on a busy machine
    daemon = start_on(pair, "--drain-seconds", str(DRAIN_S), *caught_up)
    daemon.wait_until_applied()
    for target in CACHED:
        assert daemon.get(target).status == 200
    return daemon


@pytest.mark.parametrize("kinds", [(newcomer, keeper, idler, pipeliner, asker), (idler,)], ids=["all", "idle"])
def test_a_request_sent_before_the_first_connection_is_refused_is_answered(daemon, kinds):
    crowd = Crowd(daemon.port)
    for kind in kinds:
        crowd.start(kind, CLIENTS)
    wait.until(lambda: crowd.answered > 30, "the crowd is being served")
    seconds = signal_and_wait(daemon)
    crowd.join()
    assert len(crowd.refused_at) == CLIENTS * len(kinds)
    assert crowd.wrongly_lost() == [] and crowd.statuses <= {200, 404}
    assert seconds < STOP_S


def test_a_request_sent_before_the_first_connection_is_refused_is_answered_at_the_connection_limit(embedded, start_on):
    embedded.put(LAMPS)
    daemon = start_on(embedded, "--connections", "32", "--max-live", "8", "--drain-seconds", str(DRAIN_S))
    daemon.wait_until_applied()
    crowd = Crowd(daemon.port)
    crowd.start(keeper, 3 * CLIENTS)
    crowd.start(newcomer, 3 * CLIENTS)
    wait.until(lambda: {200, 503} <= crowd.statuses, "some are too many")
    assert signal_and_wait(daemon) < STOP_S
    crowd.join()
    assert crowd.wrongly_lost() == [] and crowd.statuses == {200, 503}


def hold_slow_clients(daemon, held):
    """Clients of every kind that could delay the end: idle, half a request, an answer that is not read."""
    for kind in (b"", b"GET /livez HTTP/1.1\r\nHo", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nx"):
        for _ in range(5):
            held.enter_context(Client(daemon.port)).send(kind)
    for _ in range(5):
        held.enter_context(Client(daemon.port, receive_bytes=4096)).send(get("/openapi.yaml") * 1000)


def test_clients_that_do_nothing_or_do_not_read_do_not_delay_the_exit(daemon):
    with contextlib.ExitStack() as held:
        hold_slow_clients(daemon, held)
        assert signal_and_wait(daemon) < STOP_S


@pytest.mark.own_emulators
@pytest.mark.parametrize("kind", ["kinesis+dynamodb"])
def test_while_the_store_hangs_cache_misses_are_answered_and_sigterm_ends_the_process(daemon, aws):
    with aws.emulators.dynamodb.paused():
        crowd = Crowd(daemon.port)
        crowd.start(asker, 4 * CLIENTS)
        crowd.start(keeper, CLIENTS)
        with contextlib.ExitStack() as held:
            hold_slow_clients(daemon, held)
            wait.until(lambda: crowd.answered > 100, "the crowd is being served")
            seconds = signal_and_wait(daemon)
            crowd.join()
        assert crowd.wrongly_lost() == [] and crowd.statuses <= {200, 503}
        assert seconds < STOP_S


def test_a_request_that_is_unread_in_the_socket_at_sigterm_is_answered(daemon):
    """The process is frozen while clients connect and ask, so that their requests wait in the kernel."""
    daemon.freeze()
    clients = [Client(daemon.port) for _ in range(5 * CLIENTS)]
    for client in clients:
        client.send(get("/livez") + get("/scores/merchant"))
    daemon.process.send_signal(signal.SIGTERM)
    daemon.thaw()
    for client in clients:
        assert [client.receive().status, client.receive().status] == [200, 200]
        client.close()
    assert daemon.process.wait(20) == 0
