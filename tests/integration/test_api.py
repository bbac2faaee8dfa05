"""The HTTP API: every route and every error. Each answer is also checked against openapi.yaml (http_client.request)."""

import json
import re
import time
import urllib.parse

import contract
import expected_answers
import model
import pairs
import pytest
import wait
from daemon import Daemon
from expected_answers import named
from model import fold
from small_shop import person, product

ANN, BOB, CID, DEE = (person("merchant", name) for name in ("Ann", "Bob", "Cid", "Dee"))
PIA, SVEN = (person("photographer", name) for name in ("Pia", "Sven"))
ODD_IDS = ["50% off?&a=b#c", "a b", "Ünïcode/1", "..", '"quoted\\"', "merchant", "日" * 85]
EVENTS = [
    *product("lamp", ANN, PIA, 3),
    *product("rug", ANN, SVEN, 1),
    *product("kettle", BOB, PIA, 2),
    *product("clock", CID, None, 2),
    *product("vase", DEE, SVEN, 1),
    *product("orphan", None, PIA, 2),
    *product("unsold", DEE, SVEN, 0),
    *(event for odd in ODD_IDS for event in product(odd, DEE, None, 0)),
]
ROUTES = [
    "/scores/merchant",
    "/scores/photographer",
    "/scores",
    "/contributions",
    "/contributions/lamp",
    "/scores/{best}",
    "/scores/merchant/{best}",
    "/livez",
    "/readyz",
    "/healthz",
    "/metrics",
    "/openapi.yaml",
    "/",
]
VIEW_ROUTES = ROUTES[:7]


@pytest.fixture(scope="module", params=pairs.KINDS)
def shop(request, tmp_path_factory):
    """(daemon, model, pair) of the shop above, shared by the tests of this file, which only read."""
    folder = tmp_path_factory.mktemp("api")
    pair = pairs.stocked_pair(request.param, request, folder, EVENTS)
    options = [*pair.options, "--drain-seconds", "0"]
    with Daemon(options, pair.environment) as daemon:
        daemon.wait_until_applied()
        wait.until(
            lambda: daemon.get("/scores/photographer").json()["asOf"],
            "a time of boards, which is what the view's was an allowance ago",
        )
        yield daemon, fold(pair.records()), pair


@pytest.fixture
def daemon(shop):
    return shop[0]


def problem(response, status, kind):
    assert response.status == status, response.body
    assert response.content_type == "application/problem+json"
    body = response.json()
    assert body["code"] == kind
    assert body["title"] and body["detail"]
    assert response.headers["x-request-id"]
    return body


# Answers.


def test_every_answer_is_what_the_model_expects(shop):
    daemon, expected, pair = shop
    expected_answers.check_all(daemon, expected, pair)


def test_ranks_are_competition_ranks_and_boards_leave_unknown_out(daemon):
    board = daemon.get("/scores/merchant").json()
    assert [(i["name"], i["rank"], i["tied"], i["score"]) for i in board["items"]][0] == ("Ann", 1, False, 4)
    assert [(i["rank"], i["tied"], i["score"]) for i in board["items"]] == [
        (1, False, 4),
        (2, True, 2),
        (2, True, 2),
        (4, False, 1),
    ]
    assert board["role"] == "merchant" and board["next"] is None


def test_creator_is_another_word_for_merchant(daemon):
    assert daemon.get("/scores/creator").json()["items"] == daemon.get("/scores/merchant").json()["items"]
    one, other = (
        daemon.get(named(daemon, f"/scores/{role}/{{best}}")).json() for role in ("creator", "merchant")
    )
    assert one["role"] == other["role"] == "merchant" and one["rank"] == other["rank"] == 1


def test_without_a_sale_both_shapes_answer_an_empty_list(pair, start_on):
    daemon = start_on(pairs.begin(pair), "--source", "none")
    assert daemon.get("/scores?role=creator&limit=2").json() == []
    board = daemon.get("/scores/photographer").json()
    assert board["items"] == [] and board["next"] is None


def test_a_product_without_a_known_creator_is_not_attributed(daemon):
    orphan = daemon.get("/contributions/orphan").json()
    assert (orphan["attributed"], orphan["merchant"], orphan["photographer"], orphan["purchases"]) == (
        False,
        None,
        None,
        2,
    )
    clock = daemon.get("/contributions/clock").json()
    assert clock["attributed"] and clock["photographer"] is None and clock["merchant"]["score"] == 2


@pytest.mark.parametrize("product_id", ODD_IDS)
def test_any_product_id_can_be_asked_for(daemon, product_id):
    target = "/contributions/" + expected_answers.quoted(product_id)
    assert daemon.get(target).json()["productId"] == product_id
    every_byte = "".join(f"%{byte:02x}" for byte in product_id.encode())
    assert daemon.get("/contributions/" + every_byte).json()["productId"] == product_id


@pytest.mark.parametrize("route", VIEW_ROUTES)
def test_no_answer_shows_a_unique_id_or_an_origin(daemon, route):
    text = daemon.get(named(daemon, route)).body.decode()
    assert "amzn1." not in text and "0123456" not in text


@pytest.mark.parametrize("route", VIEW_ROUTES)
def test_every_answer_has_the_age_of_the_view(daemon, route):
    response = daemon.get(named(daemon, route))
    assert response.status == 200
    as_of = model.epoch_ms(response.headers["view-as-of"])
    assert abs(as_of - time.time() * 1000) < 15_000
    body = response.json()
    within = (
        body["merchant"]["asOf"] if route == "/scores" else body.get("asOf", response.headers["view-as-of"])
    )
    assert model.epoch_ms(within) <= time.time() * 1000
    assert "cache-status" in response.headers


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
def test_limit_cuts_boards_and_pages(daemon, limit):
    assert len(daemon.get(f"/scores/merchant?limit={limit}").json()["items"]) == min(limit, 4)
    assert len(daemon.get(f"/contributions?limit={limit}").json()["items"]) == min(limit, 7 + len(ODD_IDS))
    assert len(daemon.get(f"/scores?limit={limit}").json()["photographer"]["items"]) == min(limit, 2)


# Errors.


@pytest.mark.parametrize("route", ["/scores/merchant", "/scores", "/contributions", "/scores?role=creator"])
@pytest.mark.parametrize(
    "limit", ["0", "101", "-1", "ten", "", "1.5", "1e1", "%2B5", "5%20", "99999999999999999999"]
)
def test_a_limit_out_of_bounds_is_refused_with_the_allowed_range(daemon, route, limit):
    response = daemon.get(f"{route}{'&' if '?' in route else '?'}limit={limit}")
    body = problem(response, 400, "invalid-parameter")
    text = json.dumps(body, ensure_ascii=False)
    assert "limit" in text and urllib.parse.unquote(limit) in text
    assert re.search(r"\b1\b", text) and re.search(r"\b100\b", text)


@pytest.mark.parametrize("role", ["customer", "", "Merchant", "%00"])
def test_the_old_shape_refuses_an_unknown_role(daemon, role):
    problem(daemon.get(f"/scores?role={role}"), 400, "invalid-parameter")


@pytest.mark.parametrize("route", VIEW_ROUTES)
@pytest.mark.parametrize("query", ["colour=red", "limit=1&limit=2", "limit=%ff", "limit=%00"])
def test_an_unknown_repeated_or_undecodable_parameter_is_refused(daemon, route, query):
    problem(daemon.get(named(daemon, f"{route}?{query}")), 400, "invalid-parameter")


@pytest.mark.parametrize("segment", ["a%00b", "%", "%4", "%zz", "%ff", "%c3", "%ed%a0%80", "%c0%af"])
@pytest.mark.parametrize("route", ["/contributions/", "/scores/", "/scores/merchant/"])
def test_a_path_segment_that_is_not_utf8_text_is_refused(daemon, route, segment):
    problem(daemon.get(route + segment), 400, "invalid-parameter")


@pytest.mark.parametrize(
    "target",
    [
        "/contributions/nobody-made-this",
        "/scores/nobody",
        "/scores/merchant/nobody",
        "/scores/UNKNOWN",
        "/scores/merchant/UNKNOWN",
        "/scores/photographer/{best}",
        "/scores/" + "A" * 60,
        "/scores/" + "A" * 4000,
        f"/scores/{expected_answers.quoted(ANN)}",
    ],
)
def test_a_missing_row_is_404_when_the_view_is_caught_up(daemon, target):
    problem(daemon.get(named(daemon, target)), 404, "not-found")


@pytest.mark.parametrize(
    "target", ["/score", "/scores/merchant/x/y", "/contributions/x/y", "/favicon.ico", "//scores"]
)
def test_an_unknown_route_is_404(daemon, target):
    problem(daemon.get(target), 404, "not-found")


def test_a_url_over_8_kib_is_414_and_one_below_is_not(daemon):
    problem(daemon.get("/contributions/" + "x" * 8300), 414, "uri-too-long")
    assert daemon.get("/contributions/" + "x" * 8000).status in (400, 404)


def test_headers_over_16_kib_are_431_and_those_below_are_not(daemon):
    problem(daemon.get("/scores/merchant", headers={"X-Long": "x" * 17000}), 431, "headers-too-large")
    assert daemon.get("/scores/merchant", headers={"X-Long": "x" * 15000}).status == 200


# Not caught up.


def test_while_not_caught_up_a_missing_row_is_503_and_boards_are_served(pair, start_on):
    # without leases the view has no known time
    daemon = start_on(pairs.begin(pair), "--source", "none")
    body = problem(daemon.get("/contributions/lamp"), 503, "view-not-ready")
    assert body["status"] == 503
    assert int(daemon.get("/contributions/lamp").headers["retry-after"]) >= 1
    problem(daemon.get("/scores/nobody"), 503, "view-not-ready")
    board = daemon.get("/scores/merchant")
    assert board.status == 200 and board.json()["asOf"] is None


# Operations.


def test_metrics_are_prometheus_text_with_a_type_for_every_sample(daemon):
    response = daemon.get("/metrics")
    assert (
        response.headers["content-type"].startswith("text/plain")
        and "version=0.0.4" in response.headers["content-type"]
    )
    typed, samples = {}, {}
    for line in response.body.decode().splitlines():
        match = re.fullmatch(r"# TYPE (\w+) (counter|gauge|histogram|summary|untyped)", line)
        if match:
            assert match[1] not in typed
            typed[match[1]] = match[2]
        elif line and not line.startswith("#"):
            name = re.match(r'(\w+)(\{(\w+="([^"\\\n]|\\.)*",?)*\})? \S+$', line)
            assert name, line
            samples[name[1]] = line
    for name in samples:
        assert name in typed or re.sub(r"_(bucket|sum|count)$", "", name) in typed, name
        assert name.startswith(("winner_view_", "http_", "process_")), name
    assert daemon.metric("winner_view_events_total", result="applied") == len(EVENTS)


def test_openapi_yaml_is_served_unchanged(daemon, openapi):
    assert daemon.get("/openapi.yaml").body == contract.PATH.read_bytes()


def test_the_page_is_html(daemon):
    page = daemon.get("/")
    assert page.content_type == "text/html" and b"<html" in page.body.lower()
