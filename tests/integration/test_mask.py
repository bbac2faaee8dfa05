"""What somebody who guesses userIds learns from a service that masks them: nothing. Also what is shown of people whose
origin or name would reveal or deceive."""

import collections
import json
import socket
import urllib.parse

import live
import model
import pytest
from small_shop import product, puts

PEOPLE = 40
SENT_AT_ONCE = 100
ROUTES = [
    "/scores/{}",
    "/scores/merchant/{}",
    "/scores/photographer/{}",
    "/scores/merchant/{}?period=day",
    "/scores/merchant/{}/history",
    "/scores/merchant?around={}",
    "/scores/photographer?around={}&period=week",
    "/scores/merchant?period={}",
    "/sales/history?kind={}",
    "/sales/history?cursor={}",
    "/scores/{}?maxLag=86400000",
    "/scores/merchant?cursor={}",
    "/scores/photographer?cursor={}",
    "/contributions?cursor={}",
    "/contributions?merchant={}",
    "/contributions?photographer={}&limit=3",
    "/contributions/{}",
    "/scores/product/{}",
    "/scores/product/{}/history",
    "/scores/product?around={}",
    "/scores?role={}",
    "/scores?limit={}",
    "/scores/merchant?{}=1",
]
CHANGES_BY_ITSELF = {"date", "x-request-id", "view-as-of"}
OF_PRODUCTS = ("/contributions/", "/scores/product")
OF_THE_CACHE = {"age", "cache-status"}  # of products, which are no secret; the first request for each is a miss


def origins():
    """Those of contributors, and as many that nobody has, of the same lengths."""
    known = [f"web/merchant/amzn1.account.{n:04}QWERTY/Merchant{n}" for n in range(PEOPLE - 3)]
    known += ["ann@example.com", "web/ann@example.com", "web/merchant/ann@example.com"]
    unknown = [origin.replace("QWERTY", "QWERTZ").replace("ann@", "eve@") for origin in known]
    return known, unknown


def every_byte(text):
    return "".join(f"%{byte:02X}" for byte in text.encode())


def quoted(text):
    return urllib.parse.quote(text, safe="")


@pytest.fixture
def shop(embedded, start_on):
    """(daemon, pair): each known origin has sold something, and has taken a photograph that sold."""
    known, _ = origins()
    embedded.put(puts([event for n, origin in enumerate(known) for event in product(f"p{n}", origin, origin, 1 + n % 7)]))
    options = ["--caught-up-ms", "600000", "--cache-ttl-ms", "3600000", "--best-sellers", "on"]
    daemon = start_on(embedded, *options)
    daemon.wait_until_boards_are_true()
    return daemon, embedded


def read_answer(file):
    """(status, [(header, value)], body)"""
    status = file.readline().split(b" ")[1].decode()
    headers = []
    while (line := file.readline()) != b"\r\n":
        name, value = line.decode().rstrip("\r\n").split(": ", 1)
        headers.append((name.lower(), value))
    return status, headers, file.read(int(dict(headers)["content-length"]))


def answers(daemon, targets):
    """The answers to GETs, pipelined on one connection."""
    with socket.create_connection(("127.0.0.1", daemon.port), timeout=60) as connection:
        file = connection.makefile("rb")
        for at in range(0, len(targets), SENT_AT_ONCE):
            some = targets[at : at + SENT_AT_ONCE]
            connection.sendall("".join(f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n" for target in some).encode())
            for target in some:
                yield target, read_answer(file)


def what_is_seen(answer, guess, route):
    """All that an attacker can compare: without what changes by itself, and without the guess, which he knows."""
    status, headers, body = answer
    own = CHANGES_BY_ITSELF | (OF_THE_CACHE if route.startswith(OF_PRODUCTS) else set())
    seen = tuple(header for header in headers if header[0] not in own)
    echo = json.dumps(guess, ensure_ascii=False)[1:-1].encode()
    return status, seen, len(body), body.replace(echo, b"GUESS").replace(echo[:31], b"CUT")  # as in a `detail`


@pytest.mark.parametrize("guesses", [2_000, pytest.param(100_000, marks=pytest.mark.all)])
def test_guesses_of_user_ids_learn_nothing_from_any_answer(shop, guesses):
    daemon, pair = shop
    known, unknown = origins()
    key = pair.identity_key()
    assert all(daemon.get(f"/scores/{model.sealed_id(key, origin)}").status == 200 for origin in known)
    ways = [(route, write) for route in ROUTES for write in (quoted, every_byte)]
    rounds = -(-guesses // (2 * PEOPLE * len(ways)))
    for route, write in ways:
        meant = {}
        for right, wrong in zip(known, unknown):
            meant[route.format(write(right))], meant[route.format(write(wrong))] = (right, 0), (wrong, 1)
        seen = collections.defaultdict(lambda: (set(), set()))  # by length of the guess
        for target, answer in answers(daemon, [*meant] * rounds):
            guess, kind = meant[target]
            seen[len(guess)][kind].add(what_is_seen(answer, guess, route))
        for of_known, of_unknown in seen.values():
            assert of_known == of_unknown, route
            assert len(of_known) == 1, route
            assert next(iter(of_known))[0] in ("400", "404"), route


def test_no_answer_event_metric_or_probe_shows_a_plain_user_id(shop):
    daemon, pair = shop
    targets = ["/scores?limit=100", "/scores?role=creator&limit=100", "/scores?role=photographer&limit=100"]
    targets += ["/scores/merchant?limit=1", "/contributions?limit=100", "/contributions/p39", "/healthz", "/metrics"]
    bodies = {target: daemon.get(target).body.decode() for target in targets}
    with live.Reader(daemon) as reader:
        bodies["/live"] = "".join(event.text for event in reader.wait_for_all().events)
    with live.Reader(daemon, query="?changes=1") as reader:
        reader.wait_for_all()
        pair.put(puts(product("p6", None, None, 1)))
        reader.wait_for(lambda: reader.of("sale") and reader.of("rows"), "a sale")
        bodies["/live?changes=1"] = "".join(event.text for event in reader.events)
    for target, body in bodies.items():
        assert "QWERTY" not in body and "example.com" not in body and "ann@" not in body, target


def test_sealed_ids_and_cursors_have_few_lengths(shop):
    daemon, _ = shop
    board = daemon.get("/scores/merchant?limit=100").json()
    assert {len(item["id"]) for item in board["items"]} == {107}
    pages = [daemon.get(f"/scores/merchant?limit={n}").json()["next"] for n in range(1, PEOPLE)]
    assert {len(cursor) for cursor in pages} == {107, 192}


def person_of(daemon, product_id):
    return daemon.get(f"/contributions/{product_id}").json()["merchant"]


@pytest.mark.parametrize(
    "origin, name, user_id",
    [
        ("web/merchant/0123456789/Ann\u202enimda", "Ann\ufffdnimda", "Ann\ufffdnimda (**...**345****)"),
        ("web/merchant/0123456789/A\nB\x1b[2J\u009b", "A\ufffdB\ufffd[2J\ufffd", None),
        ("web/merchant/0123456789/ \u200b\u3000", None, "(**...**345****)"),
        ("web/merchant/0123456789/", None, "(**...**345****)"),
        ("web/merchant/0123456789/" + "x" * 1900, "x" * 1900, None),
        ("web/merchant/0123/Ann (**...**345****)", "Ann (**...**345****)", "Ann (**...**345****)"),
        ("ann@example.com", None, "(**...**UNK****)"),
        ("web/merchant/ann", None, "(**...******)"),
    ],
)
def test_a_name_that_would_deceive_or_reveal_is_not_shown_as_it_is(embedded, start_on, origin, name, user_id):
    embedded.put(puts(product("lamp", origin, None, 1)))
    daemon = start_on(embedded)
    daemon.wait_until_boards_are_true()
    person = person_of(daemon, "lamp")
    assert person["name"] == name
    assert person["userId"] == (user_id or f"{name} (**...**345****)")
    old = daemon.get("/scores?role=creator").json()
    assert old == [{"userId": person["userId"], "score": 1}]
