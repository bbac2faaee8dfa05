"""Requests that parsers disagree about (tests/data/http_requests.json), sent to the service itself and through proxies.
Each has one allowed outcome; through a proxy, no request is served twice and no answer reaches another client."""

import collections
import concurrent.futures
import itertools
import json
import os
import pathlib
import re
import resource

import http_requests
import pytest
import reverse_proxies
import wait
from daemon import Daemon
from http_requests import CASES
from pairs import FileSqlite
from raw_http import Client
from small_shop import person, product, puts

NUMBERS = itertools.count(1)
KINDS = list(dict.fromkeys(case.kind for case in CASES))
LAMP = puts(product("lamp", person("merchant", "Ann"), None, 3))
CODES = {413: {"content-too-large"}, 414: {"uri-too-long"}, 431: {"headers-too-large"}}


@pytest.fixture(scope="module")
def daemon(tmp_path_factory):
    pair = FileSqlite(tmp_path_factory.mktemp("requests"))
    pair.put(LAMP)
    options = ["--drain-seconds", "0", "--access-log", "all", "--log-format", "json"]
    with Daemon([*pair.options, *options], pair.environment) as daemon:
        daemon.wait_until_applied()
        yield daemon


def served(daemon):
    """{number: [(target, status)]} of all requests in the access log so far."""
    found = collections.defaultdict(list)
    for line in daemon.log().splitlines():
        entry = json.loads(line)
        number = re.search(r"\d{10}", entry["target"]) if entry["msg"] == "request" else None
        if number:
            found[int(number[0])].append((entry["target"], int(entry["status"])))
    return found


def assert_problems(case, received):
    """What we refuse says why."""
    last = None if case.parser or not case.answers else case.answers[-1]
    if last in (None, 100, 204, 404) or b"HEAD" in received:
        return
    codes = CODES.get(last, {"malformed-request"} if case.is_closed else {"invalid-parameter"})
    assert set(re.findall(r'"code":"([a-z-]+)"', received.decode("latin-1"))) - {"not-found"} <= codes
    assert b"application/problem+json" in received or last == 431


def served_statuses(case):
    """Of the answers that are in the access log: ours. None: its target has no number."""
    if b"%010d" % 1 not in case.data(1):
        return None
    return [status for status in case.answers if status == 404 or (not case.parser and status != 100)]


@pytest.mark.parametrize("kind", KINDS)
def test_each_request_has_its_only_outcome(daemon, kind):
    sent = {}
    for case in (case for case in CASES if case.kind == kind):
        number = next(NUMBERS)
        sent[number] = case
        more = b"" if case.is_closed else http_requests.last_request(number)
        received = http_requests.exchange(daemon.port, case.data(number) + more, case.ended)
        assert http_requests.statuses(received) == case.answers + [404] * bool(more), (case.title, received)
        if more:
            assert b"X-Request-Id: last-%d\r\n" % number in received, (case.title, received)
        else:
            assert_problems(case, received)
    expected = {number: served_statuses(case) for number, case in sent.items() if served_statuses(case) is not None}

    def are_served():
        found = served(daemon)
        return {n: [status for target, status in found[n] if not target.endswith("/last")] for n in expected} == expected

    wait.until(are_served, f"{expected} in the log", seen=lambda: served(daemon))


# Through proxies.


def attack(port, number, case):
    """Sends the request and another behind it. Returns how many answers arrived."""
    data = case.data(number) + http_requests.last_request(number)
    try:
        received = http_requests.exchange(port, data, case.ended, timeout_s=2)
    except TimeoutError:
        return 0  # the proxy waits for more
    return len([status for status in http_requests.statuses(received) if status != 100])


def be_a_client(port, number, is_over):
    """Requests one after the other on a kept connection; each must get its own answer."""
    with Client(port) as client:
        for n in itertools.count():
            answer = client.ask(f"/{number:010}/client{n}", f"X-Request-Id: {number}-{n}")
            assert (answer.status, answer.headers["x-request-id"]) == (404, f"{number}-{n}")
            if is_over():
                return n + 1


@pytest.mark.all
@pytest.mark.parametrize("proxy", reverse_proxies.KINDS, ids=lambda proxy: proxy.name)
def test_no_request_is_served_twice_or_answered_to_another_client(daemon, tmp_path, proxy):
    sent = {next(NUMBERS): case for case in CASES * 2}
    with proxy(tmp_path, daemon.port) as proxy, concurrent.futures.ThreadPoolExecutor(10) as pool:
        clients, attacks = {}, {}
        is_over = lambda: len(attacks) == len(sent) and all(attack.done() for attack in attacks.values())
        for number in itertools.islice(NUMBERS, 2):
            clients[number] = pool.submit(be_a_client, proxy.port, number, is_over)
        attacks.update((number, pool.submit(attack, proxy.port, number, case)) for number, case in sent.items())
        answers = {number: each.result() for number, each in attacks.items()}
        requests = {number: each.result() for number, each in clients.items()}
    of_clients = {number: {f"/{number:010}/client{i}": 1 for i in range(n)} for number, n in requests.items()}

    def are_served_once():
        found = served(daemon)
        return {n: collections.Counter(target for target, _ in found[n]) for n in of_clients} == of_clients

    wait.until(are_served_once, "each request of the clients once in the log")
    found = served(daemon)
    for number, case in sent.items():
        data = case.data(number) + http_requests.last_request(number)
        for target, times in collections.Counter(target for target, _ in found[number]).items():
            path = re.search(r"\d{10}/*\w*", target)[0].encode()[:30]
            assert times <= data.count(path), (case.title, target)
        assert answers[number] <= data.count(b"HTTP/") + 1, case.title
    assert sum(len(found[number]) for number in sent) > len(sent) / 2  # they did arrive


# A million of them.


def resident_bytes(daemon):
    return int(pathlib.Path(f"/proc/{daemon.process.pid}/statm").read_text().split()[1]) * resource.getpagesize()


def send_all(port, n):
    """About n requests of the corpus, each on a connection of its own."""
    data = [case.data() for case in CASES if not case.ended and len(case.data()) < 4096]
    for request in itertools.islice(itertools.cycle(data), n):
        http_requests.exchange(port, request + http_requests.last_request(0))


@pytest.mark.all
def test_memory_stays_flat_under_hostile_requests(embedded, start_on):
    embedded.put(LAMP)
    daemon = start_on(embedded)
    n = 1_000_000 if "WINNER_VIEW_LONG" in os.environ else 100_000
    sizes = []
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for _ in range(5):
            list(pool.map(send_all, [daemon.port] * 2, [n // 10] * 2))
            sizes.append(resident_bytes(daemon))
    print(f"resident after each fifth of {n} requests, MiB: {[round(size / 2**20, 1) for size in sizes]}")
    assert sizes[-1] - sizes[0] < 2 << 20, sizes
