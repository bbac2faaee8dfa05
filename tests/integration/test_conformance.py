"""What RFC 9110 (semantics), 9111 (caching) and 9112 (HTTP/1.1) say about requests that clients rarely send. Each reply is
also checked against openapi.yaml, and whether it ends where its headers say."""

import live
import pairs
import pytest
from daemon import Daemon
from exact_http import accepting, ask, holding
from small_shop import person, product

EVENTS = [
    event
    for n in range(12)
    for event in product(f"lamp{n}", person("merchant", f"Merchant{n}"), person("photographer", "Pia"), 12 - n)
]
BOARD = "/scores/merchant"
ALLOWED = "GET, HEAD, OPTIONS"


@pytest.fixture(scope="module")
def daemon(request, tmp_path_factory):
    """A service in which nothing changes."""
    pair = pairs.stocked_pair("file+sqlite", request, tmp_path_factory.mktemp("conformance"), EVENTS)
    options = [*pair.options, "--drain-seconds", "0", "--cache-ttl-ms", "3600000"]
    with Daemon(options, pair.environment) as made:
        made.wait_until_boards_are_true()
        yield made


@pytest.fixture(scope="module")
def board(daemon):
    return ask(daemon, BOARD)


# RFC 9110, section 13.1.2. tests/unit/server/http/test_negotiate.c has more. {}: the ETag, [] without its W/.


@pytest.mark.parametrize(
    "lines",
    [
        ["{}"],
        ["[]"],
        ["*"],
        ['W/"other", {}'],
        ['"other" , {}'],
        ['{},W/"other"'],
        [", ,{},"],
        ['"a,b", {}'],
        ['"é", {}'],
        ['"other"', "{}"],
        ["{}", '"other"'],
        ['"1"', '"2"', '"3"', "", "{}"],
    ],
)
def test_an_if_none_match_that_names_the_etag_gets_304(daemon, board, lines):
    etag = board.headers["etag"]
    values = [line.replace("{}", etag).replace("[]", etag.removeprefix("W/")) for line in lines]
    for method in ("GET", "HEAD"):
        reply = ask(daemon, BOARD, method, [field for value in values for field in holding(value)])
        assert reply.status == 304 and reply.headers["etag"] == etag


@pytest.mark.parametrize(
    "lines",
    [
        ["{} {}"],
        ["{}{}"],
        ["{}; {}"],
        ['{}, "other'],
        ["{}, other"],
        ["other, {}"],
        ['{}, "a b"'],
        ["w/[]"],
        ["W/ []"],
        ["*, {}"],
        ["{}, *"],
        ["**"],
        ["*other"],
        ["*", "{}"],
        ["{}", "*"],
        ["{}", "other"],
        ['W/"other"'],
        ['"*"'],
        [""],
        ['"'],
    ],
)
def test_an_if_none_match_that_is_malformed_or_names_another_etag_gets_the_whole_answer(daemon, board, lines):
    etag = board.headers["etag"]
    values = [line.replace("{}", etag).replace("[]", etag.removeprefix("W/")) for line in lines]
    reply = ask(daemon, BOARD, fields=[field for value in values for field in holding(value)])
    assert (reply.status, reply.sent) == (200, board.sent)


# Sections 8.6 and 15.4.5. server/http/reply.c says why there is a length, and why it is 0.


@pytest.mark.parametrize("target", [BOARD, "/", "/openapi.yaml"])
def test_a_304_has_no_body_and_no_header_of_one_but_a_length_that_all_clients_read_alike(daemon, target):
    for method in ("GET", "HEAD"):
        reply = ask(daemon, target, method, accepting("gzip") + holding("*"))
        assert reply.status == 304 and reply.headers.get("content-length", "0") == "0"
        assert not reply.headers.keys() & {"content-type", "content-encoding", "transfer-encoding"}


# What is ignored: nothing may be in the answer that says otherwise.

LONG_AGO, ONE_DAY = "Mon, 23 Nov 1998 04:36:00 GMT", "Mon, 23 Nov 2099 04:36:00 GMT"


@pytest.mark.parametrize(
    "section, fields",
    [
        ("RFC 9110, 13.1.1", [("If-Match", '"x"')]),
        ("RFC 9110, 13.1.1", [("If-Match", "*")]),
        ("RFC 9110, 13.1.3", [("If-Modified-Since", ONE_DAY)]),
        ("RFC 9110, 13.1.4", [("If-Unmodified-Since", LONG_AGO)]),
        ("RFC 9110, 13.1.5", [("If-Range", "{}"), ("Range", "bytes=0-9")]),
        ("RFC 9110, 14.2", [("Range", "bytes=0-9")]),
        ("RFC 9110, 14.2", [("Range", "bytes=9-1")]),
        ("RFC 9110, 14.2", [("Range", "lines=1-2")]),
        ("RFC 9110, 12.5.1", [("Accept", "text/html, application/xml;q=0.9")]),
        ("RFC 9110, 12.5.2", [("Accept-Charset", "latin1")]),
        ("RFC 9110, 12.5.3", [("Accept-Encoding", "identity;q=0")]),
        ("RFC 9110, 12.5.3", [("Accept-Encoding", "br, *;q=0")]),
        ("RFC 9110, 12.5.3", [("Accept-Encoding", "gzip;q=0, *")]),
        ("RFC 9110, 12.5.4", [("Accept-Language", "tlh")]),
        ("RFC 9110, 7.8", [("Connection", "Upgrade"), ("Upgrade", "h2c, websocket")]),
        ("RFC 9110, 10.1.1", [("Expect", "a-miracle")]),
        ("RFC 9110, 10.1.4", [("TE", "trailers, gzip")]),
        ("RFC 9110, 11.6.2", [("Authorization", "Basic QQ==")]),
        ("RFC 9111, 5.2.1", [("Cache-Control", "no-cache, no-store, only-if-cached, max-age=0")]),
        ("RFC 9111, 5.4", [("Pragma", "no-cache")]),
        ("RFC 6265", [("Cookie", "a=b; c=d")]),
    ],
)
def test_a_header_that_the_service_does_not_support_changes_nothing(daemon, board, section, fields):
    etag = board.headers["etag"]
    reply = ask(daemon, BOARD, fields=[(name, value.replace("{}", etag)) for name, value in fields])
    assert (reply.status, reply.sent) == (200, board.sent), section
    assert reply.headers.keys() == board.headers.keys()
    assert reply.headers["vary"] == "Accept-Encoding"


def test_a_condition_that_is_ignored_does_not_hide_one_that_is_not(daemon, board):
    etag = board.headers["etag"]
    others = [("If-Match", '"x"'), ("If-Unmodified-Since", LONG_AGO), ("If-Modified-Since", LONG_AGO)]
    assert ask(daemon, BOARD, fields=[*others, *holding(etag)]).status == 304
    assert ask(daemon, BOARD, fields=[("If-Modified-Since", ONE_DAY), *holding('"x"')]).status == 200


# RFC 9110, section 9: methods, which are case-sensitive.


@pytest.mark.parametrize("target", [BOARD, "/", "/live", "/livez"])
@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "PATCH", "get", "Head", "M-SEARCH", "X" * 60])
def test_any_other_method_is_405_with_allow(daemon, target, method):
    reply = ask(daemon, target, method)
    assert (reply.status, reply.headers["allow"]) == (405, ALLOWED)
    assert reply.headers["cache-control"] == "no-store" and not reply.headers.keys() & {"etag", "vary"}


@pytest.mark.parametrize("method, status", [("GET", 404), ("POST", 404), ("TRACE", 404), ("OPTIONS", 204)])
def test_only_options_is_for_the_server_as_a_whole(daemon, method, status):
    assert ask(daemon, "*", method).status == status


@pytest.mark.parametrize("target", ["http://x/livez", "HTTP://other:81/livez", "https://x/livez?"])
def test_a_target_in_absolute_form_is_answered_as_its_path(daemon, target):
    assert ask(daemon, target).json() == {"status": "ok"}


# RFC 9112, section 9.3: whether the connection stays.


@pytest.mark.parametrize("target, fields", [("/livez", []), (BOARD, []), (BOARD, holding("*")), ("/nothing", [])])
@pytest.mark.parametrize(
    "version, connection, expected",
    [
        ("1.1", None, None),
        ("1.1", "keep-alive", None),
        ("1.1", "close", "close"),
        ("1.1", "x, Close", "close"),
        ("1.0", None, "close"),
        ("1.0", "close", "close"),
        ("1.0", "keep-alive", "Keep-Alive"),
        ("1.0", "Keep-Alive, x", "Keep-Alive"),
    ],
)
def test_a_connection_stays_as_version_and_header_say(daemon, target, fields, version, connection, expected):
    sent = [("Connection", connection)] if connection else []
    reply = ask(daemon, target, "GET", [*sent, *fields], version, closes=expected == "close")
    assert reply.version == "HTTP/1.1" and reply.headers.get("connection") == expected
    assert "transfer-encoding" not in reply.headers


# /live.


@pytest.mark.parametrize("version", ["1.1", "1.0"])
def test_head_of_live_has_the_headers_of_get_and_no_byte_of_a_body(daemon, version):
    """RFC 9110, section 9.3.2. Transfer-Encoding may be left out: RFC 9112, section 6.1."""
    head = ask(daemon, "/live", "HEAD", version=version, closes=True)
    connection = live.dial(daemon.port, version=f"HTTP/{version}")
    with connection, connection.makefile("rb") as file:
        status, headers = live.read_head(file)
    assert head.status == status == 200
    assert head.headers.keys() == headers.keys() - {"transfer-encoding"}
    moving = {"date"}
    assert all(head.headers[name] == headers[name] for name in head.headers.keys() - moving)


@pytest.mark.parametrize("last", ["1", "3", "0", "-1", "18446744073709551616", "garbage", "é", "", "x" * 8000])
def test_a_reader_of_live_gets_the_current_state_whatever_its_last_event_id(daemon, last):
    with live.Reader(daemon) as before, live.Reader(daemon, {"Last-Event-ID": last}) as reader:
        before.wait_for_all()
        reader.wait_for_all()
        assert reader.retries == ["retry: 2000"]
        for role in ("merchant", "photographer"):
            assert reader.last(role) == before.last(role) and len(reader.of(role)) == 1
        ids = [event.id for event in reader.events]
        assert ids == sorted(set(ids))


def test_a_last_event_id_beyond_the_limit_of_headers_is_431(daemon):
    reply = ask(daemon, "/live", fields=[("Last-Event-ID", "1" * 17000)], closes=True)
    assert reply.status == 431
