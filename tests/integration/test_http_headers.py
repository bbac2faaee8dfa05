"""HTTP headers: validators, encodings, caching, other origins, methods, request ids. Each answer is also checked
against openapi.yaml."""

import re

import expected_answers
import model
import pairs
import pytest
import wait
from daemon import Daemon
from exact_http import accepting, ask, holding
from small_shop import event, person, product, puts

MERCHANTS = [person("merchant", f"Merchant{n}") for n in range(12)]
PIA = person("photographer", "Pia")
ANN = MERCHANTS[0]
EVENTS = [
    each
    for n, merchant in enumerate(MERCHANTS)
    for each in product(f"lamp{n}", merchant, PIA, len(MERCHANTS) - n)
]
LARGE = ["/scores/merchant", "/scores?limit=12", "/contributions", "/", "/openapi.yaml"]
SMALL = [
    "/scores/photographer",
    "/scores/merchant?limit=1",
    "/scores?role=creator&limit=2",
    "/contributions/lamp0",
    "/scores/{best}",
    "/scores/merchant/{best}",
]
FILES = ["/", "/openapi.yaml"]
REPRESENTATIONS = [*LARGE, *SMALL]
VIEWS = [route for route in REPRESENTATIONS if route not in FILES]
PROBES = ["/livez", "/readyz", "/healthz", "/metrics"]
PROBLEMS = [
    "/nothing/here/at/all",
    "/scores/merchant?limit=0",
    "/contributions/nobody-made-this",
    "/scores/nobody",
]
CHANGES_BY_ITSELF = {"date", "age", "view-as-of"}
ENCODINGS = [None, "gzip"]
ORIGIN = [("Origin", "https://dashboard.example")]


@pytest.fixture(scope="module", params=pairs.KINDS)
def daemon(request, tmp_path_factory):
    """A service in which nothing changes: cached answers stay fresh for as long as these tests take."""
    folder = tmp_path_factory.mktemp("manners")
    pair = pairs.stocked_pair(request.param, request, folder, EVENTS)
    options = [*pair.options, "--drain-seconds", "0", "--cache-ttl-ms", "3600000"]
    options += ["--caught-up-ms", "600000"]  # a missing row stays a 404, also on a busy machine
    with Daemon(options, pair.environment) as made:
        made.wait_until_boards_are_true()
        yield made


# Validators.


@pytest.mark.parametrize("route", REPRESENTATIONS)
def test_a_matching_etag_gets_304_in_each_encoding(daemon, route):
    for encoding in ENCODINGS:
        full = ask(daemon, route, fields=accepting(encoding))
        assert full.status == 200 and re.fullmatch(r'W/"[A-Za-z0-9_-]{22}"', full.headers["etag"])
        for method in ("GET", "HEAD"):
            reply = ask(daemon, route, method, accepting(encoding) + holding(full.headers["etag"]))
            assert reply.status == 304
            for name in ("etag", "cache-control", "vary", "server", "access-control-allow-origin"):
                assert reply.headers[name] == full.headers[name]
            assert not reply.headers.keys() & {"content-type", "content-encoding", "transfer-encoding"}
            assert reply.headers.get("content-length", "0") == "0"
            if route in VIEWS:
                then, now = (model.epoch_ms(each.headers["view-as-of"]) for each in (full, reply))
                assert now >= then
                assert int(reply.headers["age"]) >= int(full.headers["age"])
                assert reply.headers["cache-status"] == "winner-view; hit"


def test_different_boards_have_different_etags(daemon):
    etags = {ask(daemon, route).headers["etag"] for route in REPRESENTATIONS}
    assert len(etags) == len(REPRESENTATIONS)


# Encodings.


@pytest.mark.parametrize("route", LARGE)
def test_a_large_body_is_compressed_for_clients_that_accept_gzip(daemon, route):
    plain = ask(daemon, route)
    assert "content-encoding" not in plain.headers and plain.headers["vary"] == "Accept-Encoding"
    for accepted in ("gzip", "gzip, deflate, br, zstd", "br;q=1.0, *;q=0.5"):
        packed = ask(daemon, route, fields=accepting(accepted))
        assert packed.headers["content-encoding"] == "gzip" and packed.headers["vary"] == "Accept-Encoding"
        assert packed.body == plain.body and len(packed.sent) < len(plain.sent) * 0.7
        assert packed.headers["etag"] == plain.headers["etag"]
        assert packed.content_type == plain.content_type
    for refused in ("", "br", "identity", "gzip;q=0", "gzip;q=0.2, identity;q=0.9", "gzip;q=nan"):
        reply = ask(daemon, route, fields=accepting(refused))
        assert "content-encoding" not in reply.headers and reply.sent == plain.sent


@pytest.mark.parametrize("route", SMALL)
def test_a_small_body_is_not_compressed_unless_identity_is_refused(daemon, route):
    plain = ask(daemon, route, fields=accepting("gzip"))
    assert "content-encoding" not in plain.headers and plain.headers["vary"] == "Accept-Encoding"
    packed = ask(daemon, route, fields=accepting("gzip, identity;q=0"))
    assert packed.headers["content-encoding"] == "gzip" and packed.body == plain.body


# Headers of all answers.


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("route", [*REPRESENTATIONS, *PROBES, *PROBLEMS])
def test_head_is_get_without_the_body(daemon, route, encoding):
    ask(daemon, route)  # from now on it is cached
    get, head = (ask(daemon, route, method, accepting(encoding)) for method in ("GET", "HEAD"))
    assert (head.status, head.version, head.sent) == (get.status, get.version, b"")
    assert [name for name, _ in head.lines] == [name for name, _ in get.lines]
    moving = CHANGES_BY_ITSELF | ({"content-length"} if route in PROBES else set())
    moving |= {"x-request-id"} if route in PROBLEMS else set()
    for name in get.headers.keys() - moving:
        if name != "cache-status" or route in REPRESENTATIONS:
            assert head.headers[name] == get.headers[name], name


@pytest.mark.parametrize("route", [*PROBES, *PROBLEMS])
def test_probes_and_problems_must_not_be_stored(daemon, route):
    reply = ask(daemon, route, fields=accepting("gzip") + holding("*"))
    assert reply.status == (200 if route in PROBES else reply.json()["status"])
    assert reply.headers["cache-control"] == "no-store"
    assert not reply.headers.keys() & {"etag", "content-encoding"}


def test_each_route_has_its_cache_control(daemon):
    for route in VIEWS:
        assert ask(daemon, route).headers["cache-control"] == "public, max-age=3600"
    assert ask(daemon, "/").headers["cache-control"] == "no-cache"
    assert ask(daemon, "/openapi.yaml").headers["cache-control"] == "public, max-age=300"


@pytest.mark.parametrize("route", [*REPRESENTATIONS, *PROBLEMS[:1]])
def test_every_answer_allows_all_origins_without_credentials_and_names_no_version(daemon, route):
    asked = [ask(daemon, route, fields=ORIGIN), ask(daemon, route, fields=ORIGIN + holding("*"))]
    asked.append(ask(daemon, route, "POST", [*ORIGIN, ("Content-Length", "0")]))
    for reply in asked:
        assert reply.headers["access-control-allow-origin"] == "*"
        assert "access-control-allow-credentials" not in reply.headers
        exposed = reply.headers["access-control-expose-headers"].split(", ")
        assert set(exposed) == {
            "ETag", "View-As-Of", "Date", "Age", "Cache-Status", "Retry-After", "X-Request-Id"
        }  # fmt: skip
        assert reply.headers["server"] == "winner-view"


PREFLIGHT = [
    *ORIGIN,
    ("Access-Control-Request-Method", "GET"),
    ("Access-Control-Request-Headers", "if-none-match, x-request-id"),
]


@pytest.mark.parametrize("route", ["*", *REPRESENTATIONS])
def test_options_lists_the_allowed_methods_also_for_other_origins(daemon, route):
    reply = ask(daemon, route, "OPTIONS", PREFLIGHT)
    assert reply.status == 204 and "content-length" not in reply.headers
    assert reply.headers["allow"] == reply.headers["access-control-allow-methods"] == "GET, HEAD, OPTIONS"
    for name in ("access-control-allow-origin", "access-control-allow-headers"):
        assert reply.headers[name] == "*"
    assert int(reply.headers["access-control-max-age"]) > 0
    assert reply.headers["server"] == "winner-view"


@pytest.mark.parametrize("route", PROBES)
def test_no_page_of_another_origin_may_read_a_probe_or_metrics(daemon, route):
    statuses = {"GET": 200, "HEAD": 200, "OPTIONS": 204, "POST": 405}
    asked = [ask(daemon, route, method, [*PREFLIGHT, ("Content-Length", "0")]) for method in statuses]
    assert [reply.status for reply in asked] == list(statuses.values())
    asked.append(ask(daemon, route + "?a=1", fields=PREFLIGHT))
    for reply in asked:
        assert not [name for name in reply.headers if name.startswith("access-control-")], reply.lines


IDS = ["a-1.B:2_/+=~@", "x" * 128]


@pytest.mark.parametrize("fields", [[], accepting("gzip"), holding("*")])
@pytest.mark.parametrize("route", ["/scores/merchant", "/", "/openapi.yaml"])
def test_a_request_id_does_not_change_an_answer_that_caches_may_store(daemon, route, fields):
    """A cache would send it to other clients (RFC 9111, section 3.1)."""
    usual = ask(daemon, route, fields=fields)
    for sent in [*IDS, "<script>"]:
        reply = ask(daemon, route, fields=[*fields, ("X-Request-Id", sent)])
        assert (reply.status, reply.sent) == (usual.status, usual.sent)
        assert [name for name, _ in reply.lines] == [name for name, _ in usual.lines]
        same = usual.headers.keys() - CHANGES_BY_ITSELF
        assert {name: reply.headers[name] for name in same} == {name: usual.headers[name] for name in same}


@pytest.mark.parametrize("method, route", [("GET", "/livez"), ("OPTIONS", "/scores"), ("HEAD", "/healthz")])
def test_a_harmless_request_id_is_repeated_on_an_answer_that_no_cache_stores(daemon, method, route):
    for sent in IDS:
        assert ask(daemon, route, method, [("X-Request-Id", sent)]).headers["x-request-id"] == sent
    for sent in ("x" * 129, "<script>", "a b", "a\tb", 'a"b', "é"):
        assert "x-request-id" not in ask(daemon, route, method, [("X-Request-Id", sent)]).headers


def test_every_problem_has_the_requests_id_or_one_of_its_own(daemon):
    made = [ask(daemon, route).headers["x-request-id"] for route in PROBLEMS * 2]
    assert len(set(made)) == len(made) and all(re.fullmatch(r"[0-9a-f]{16}", each) for each in made)
    for route in PROBLEMS:
        assert ask(daemon, route, fields=[("X-Request-Id", "mine")]).headers["x-request-id"] == "mine"


# As the view changes.


def test_a_304_has_a_newer_view_as_of_and_a_purchase_changes_the_etag(pair, start_on):
    """A dashboard that polls, on each kind of answer and in each encoding."""
    pair.put(puts(product("lamp", ANN, PIA, 3)))
    daemon = start_on(pair)
    daemon.wait_until_boards_are_true()
    targets = ["/scores/merchant", "/scores", "/scores?role=creator", "/contributions", "/contributions/lamp"]
    targets += ["/scores/{best}", "/scores/merchant/{best}"]
    # The first pass over a board changes what is known of ranks.
    wait.until(lambda: ask(daemon, targets[-1]).json()["of"], "a table of the merchants' board", 60)
    held = {target: ask(daemon, target) for target in targets}
    assert {reply.headers["cache-control"] for reply in held.values()} == {"public, max-age=1"}

    def poll(target, encoding):
        return ask(daemon, target, fields=accepting(encoding) + holding(held[target].headers["etag"]))

    def is_known_to_be_newer(target, encoding):
        reply = poll(target, encoding)
        assert reply.status == 304  # nothing was bought
        as_of, before = reply.headers["view-as-of"], held[target].headers["view-as-of"]
        return model.epoch_ms(as_of) > model.epoch_ms(before)

    for target in targets:
        for encoding in ENCODINGS:
            wait.until(lambda: is_known_to_be_newer(target, encoding), f"a newer 304 of {target}", 60)

    pair.put(puts([event(model.PURCHASE, "lamp", person("customer", "Cy"))]))
    for target in targets:
        for encoding in ENCODINGS:
            wait.until(lambda: poll(target, encoding).status == 200, f"a 200 of {target}", 60)
        reply = poll(target, None)
        assert reply.headers["etag"] != held[target].headers["etag"]
        assert re.search(rb'":4[,}]', reply.body)


def test_an_etag_stays_valid_after_a_restart(pair, start_on):
    """So a client may get its next answer from another worker."""
    pair.put(puts(product("lamp", ANN, PIA, 3)))
    etags, targets = [], ["/scores/merchant", "/contributions/lamp", "/"]
    for _ in range(2):
        daemon = start_on(pair)
        daemon.wait_until_applied()
        etags.append([ask(daemon, target).headers["etag"] for target in targets])
        assert daemon.terminate()[0] == 0
    assert etags[0] == etags[1]


def test_age_grows_and_cache_status_names_hit_or_miss(pair, start_on):
    pair.put(puts(product("lamp", ANN, PIA, 3)))
    daemon = start_on(pair, "--cache-ttl-ms", "3600000")
    daemon.wait_until_applied()  # before that, writes refresh the cached boards
    for fields in ([], accepting("gzip"), holding("*")):
        route = f"/scores/merchant?limit={len(fields) + 50}" if fields != holding("*") else "/scores"
        first = ask(daemon, route, fields=fields)
        assert first.headers["cache-status"] == "winner-view; fwd=miss" and int(first.headers["age"]) >= 0
        assert ask(daemon, route, fields=fields).headers["cache-status"] == "winner-view; hit"
        wait.until(lambda: int(ask(daemon, route, fields=fields).headers["age"]) >= 1, "an age", 30)
