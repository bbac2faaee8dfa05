"""Random requests get only answers that openapi.yaml describes, and the service keeps running."""

import os
import random
import re

import contract
import hypothesis
import pairs
import pytest
import random_requests as at_random
from daemon import Daemon
from small_shop import person, product

ANN, BOB, PIA = person("merchant", "Ann"), person("merchant", "Bob"), person("photographer", "Pia")
EVENTS = [
    *product("lamp", ANN, PIA, 3),
    *product("rug", BOB, None, 3),
    *product("50% off?&a=b#c", ANN, PIA, 1),
    *product("orphan", None, PIA, 2),
]
KNOWN = ["lamp", "rug", "50% off?&a=b#c", "nobody", ANN, BOB, PIA, "UNKNOWN", "Ünïcode/1"]
EXAMPLES = 100
UNREAD = (400, 413, 431)  # with the end of the connection: malformed or too large, and no header of it is believed
# Two fixed seeds and a random one, which WINNER_VIEW_FUZZ_SEED=N repeats.
SEEDS = [1, 2, int(os.environ.get("WINNER_VIEW_FUZZ_SEED") or random.SystemRandom().randrange(10**6))]


@pytest.fixture(scope="module", params=[pytest.param(pairs.KINDS[0], marks=pytest.mark.all), *pairs.KINDS[1:]])
def daemon(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("fuzz")
    pair = pairs.stocked_pair(request.param, request, folder, EVENTS)
    options = [*pair.options, "--drain-seconds", "0", "--cache-ttl-ms", "100"]
    with Daemon(options, pair.environment) as daemon:
        daemon.wait_until_applied()
        yield daemon


@pytest.fixture
def client(daemon):
    client = at_random.Client(daemon.port)
    yield client
    client.close()


@pytest.fixture(scope="module")
def cursors(daemon):
    """{template: cursors of that listing}; none for a listing of one page."""
    found = {}
    for template in ("/scores/merchant", "/scores/photographer", "/contributions"):
        following = daemon.get(f"{template}?limit=1").json()["next"]
        found[template] = [following] if following else []
    return found


def for_examples(seed, requests, check):
    """Draws requests by this seed and checks each. A failure names the request."""

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[hypothesis.Phase.generate],  # failing examples are small without shrinking, which takes long
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(requests)
    def each(request):
        check(request)

    each()


each_seed = pytest.mark.parametrize("seed", SEEDS)


@each_seed
def test_any_request_gets_an_answer_that_openapi_describes(daemon, client, openapi, seed):
    def check(request):
        response = openapi.check(client.exchange(request))
        sent, given = request.header("X-Request-Id"), response.headers.get("x-request-id")
        if response.status in UNREAD and response.headers.get("connection") == "close":
            return
        if "etag" in response.headers:
            assert given is None
        elif sent and re.fullmatch(r"[A-Za-z0-9_.:/+=~@-]{1,128}", sent):
            assert given == sent
        elif given:
            assert response.status >= 400 and given != sent

    for_examples(seed, at_random.anything(openapi, KNOWN), check)
    assert daemon.is_running() and daemon.get("/livez").status == 200


@each_seed
def test_a_request_that_openapi_allows_is_never_refused(daemon, client, openapi, cursors, seed):
    def check(request):
        response = openapi.check(client.exchange(request))
        assert response.status in (200, 204, 304, 404, 412, 503), response.body
        if response.status == 503 and request.method == "GET":
            assert response.json()["code"] == "view-not-ready"

    for_examples(seed, at_random.right(openapi, KNOWN, cursors), check)


@each_seed
def test_one_wrong_parameter_is_refused_and_named(daemon, client, openapi, cursors, seed):
    def check(request_and_name):
        request, name = request_and_name
        response = openapi.check(client.exchange(request))
        assert response.status == 400, (response.status, response.body)
        assert response.json()["parameter"] == name

    for_examples(seed, at_random.wrong(openapi, KNOWN, cursors), check)


def is_refusal_of_the_parser(head, rest):
    """libmicrohttpd's own refusals, as openapi.yaml describes them: short HTML (none for HEAD) without a type, and the
    end of the connection. (Version 0.9.75 repeats the head of some of them.)"""
    head_lower, rest = head.lower(), rest.removeprefix(head + b"\r\n\r\n")
    return (
        int(head.split(b" ")[1]) in (400, 413, 414, 431, 505)
        and b"content-type" not in head_lower
        and b"connection: close" in head_lower
        and (not rest or rest.endswith(b"</html>"))
    )


def check_replies(received):
    """Each reply is one of the service or of its parser."""
    while received:
        head, separator, rest = received.partition(b"\r\n\r\n")
        assert separator and re.match(rb"HTTP/1\.[01] \d{3} ", head), received[:300]
        if is_refusal_of_the_parser(head, rest):
            return
        if b"\r\ncontent-type: text/event-stream" in head.lower():
            return  # /live, which does not end by itself
        status, length = int(head.split(b" ")[1]), re.search(rb"content-length: (\d+)", head.lower())
        assert status in {100, 200, 204, 304, 405, *contract.ON_ANY_PATH}, head
        has_body = length and not rest.startswith(b"HTTP/1.")  # a reply to HEAD has none
        received = rest[int(length[1]) :] if has_body else rest


@each_seed
def test_malformed_http_gets_an_answer_or_a_closed_connection(daemon, client, seed):
    for_examples(seed, at_random.malformed(), lambda data: check_replies(client.converse(data)))
    assert daemon.is_running() and daemon.get("/livez").status == 200


def test_no_request_adds_a_new_label_value_to_a_metric(daemon, openapi):
    """It must be the last test of this file, after all random requests."""
    labels = {}
    for (name, found), _ in daemon.metrics().items():
        if name.startswith("winner_view_http_requests_total"):
            for label, value in found:
                labels.setdefault(label, set()).add(value)
    assert labels["route"] <= {"unmatched", *openapi.document["paths"]}
    assert labels["method"] == {"GET", "HEAD", "OPTIONS", "other"}
    assert labels["status"] <= {"200", "204", "304", "400", "404", "405", "412", "413", "414", "431", "503"}
    assert {"unmatched", "/scores/{id}"} <= labels["route"] and {"404", "405"} <= labels["status"]
