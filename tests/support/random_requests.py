"""Requests drawn at random from openapi.yaml for hypothesis, valid and invalid ones, and a client that sends them
without any change."""

import dataclasses
import http.client
import re
import socket
import urllib.parse

import hypothesis
from hypothesis import strategies as st

import http_client

METHODS = ["HEAD", "OPTIONS", "POST", "PUT", "DELETE", "PATCH", "TRACE", "CONNECT", "get", "BREW", "A" * 40]
ODD_SEGMENTS = (
    "% %4 %zz %00 a%00b %ff %c0%af %ed%a0%80 %2F .. . %2e%2e ~ + ; : @ &amp; UNKNOWN merchant MERCHANT "
    "%6Derchant photographer scores \xff \xe4 {id} <script> ' \" \\ | ` ^"
).split()
ODD_TARGETS = (
    "* / // /// /? /?? ?limit=1 scores x:80 /scores/ //scores /Scores /scores;v=1 /scores/merchant/ "
    "/scores#top http://host/scores HTTP://host https://host:1/livez?x ftp://host/ /../livez /%2e/livez "
    "/livez/. /%"
).split()
ODD_VALUES = (
    "0 1 -1 +1 %2B1 1.5 1e1 0x10 %31 %30 101 100 ١ 99999999999999999999999 true null creator merchant "
    "Merchant % %00 %ff %c3 a=b = , 86400001 v1:x AAAA undefined day week:previous 2026-11-29 2026-W53 9999-12"
).split() + [""]
NAMES = "limit cursor role period changes around kind merchant photographer productIds maxLag LIMIT Limit li%6Dit lim%69t colour limit%20 limit[] % %00 _".split() + [""]
PARSER_BYTES = 28000  # libmicrohttpd has room for so many bytes of headers in any case, which is above our limits
PRINTABLE = "".join(map(chr, range(0x21, 0x7F)))


@dataclasses.dataclass
class Request:
    """A request, sent in latin-1, so that it can hold any byte."""

    method: str
    target: str
    headers: list
    body: bytes = b""
    version: str = "HTTP/1.1"

    def head(self):
        lines = [f"{self.method} {self.target} {self.version}", "Host: x"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        lines += [f"Content-Length: {len(self.body)}"] if self.body else []
        return "\r\n".join(lines + ["", ""]).encode("latin-1")

    def bytes(self):
        return self.head() + self.body

    def header(self, name):
        return next((value for given, value in self.headers if given == name), None)


def escaped(text):
    return urllib.parse.quote(text, safe="")


# Anything.


def segments(known):
    texts = st.text(min_size=1, max_size=40).filter(lambda text: text.isprintable())
    return st.one_of(
        st.sampled_from(known).map(escaped),
        st.sampled_from(ODD_SEGMENTS),
        texts.map(escaped),
        st.text(PRINTABLE.replace("?", ""), min_size=1, max_size=20),
        st.binary(min_size=1, max_size=30).map(lambda data: "".join(f"%{byte:02X}" for byte in data)),
        st.integers(1, 4000).map(lambda n: "x" * n),
        st.just(""),
    )


@st.composite
def paths(draw, openapi, known):
    """A path of openapi.yaml with anything in its braces; less often another target."""
    if draw(st.integers(0, 5)) == 0:
        return draw(st.sampled_from(ODD_TARGETS))
    template = draw(st.sampled_from(sorted(openapi.document["paths"])))
    return re.sub(r"\{\w+\}", lambda _: draw(segments(known)), template)


def queries():
    values = st.one_of(
        st.sampled_from(ODD_VALUES).map(lambda text: text.encode().decode("latin-1")),
        st.text(PRINTABLE.replace("&", ""), max_size=12),
        st.integers(1, 9000).map(lambda n: "1" * n),
    )
    pairs = st.tuples(st.sampled_from(NAMES), st.sampled_from(["=", "=", "=", "", "=="]), values).map("".join)
    some = st.lists(pairs, min_size=1, max_size=3).map("&".join)
    return st.one_of(
        st.just(""), some.map(lambda text: "?" + text), st.sampled_from(["?", "?&", "?&&=", "?" + "a&" * 9])
    )


def headers():
    request_ids = ["abc-123", "x" * 128, "x" * 129, "<script>", "a b", "\xff", "", "{}"]
    tags = ["*", '"x"', 'W/"x"', '"a", W/"b"', "x", '"', ",", "", 'W/""', '"' + "a" * 3000 + '"', "* , *"]
    accepted = [
        "gzip",
        "gzip;q=0",
        "identity;q=0",
        "*;q=0",
        "br, gzip;q=0.5",
        "gzip;q=x",
        "",
        "*",
        "GZIP",
        ",;,",
    ]
    odd = {
        "X-Request-Id": request_ids,
        "If-None-Match": tags,
        "Accept-Encoding": accepted,
        "Accept": ["text/html", "*/*", "application/xml;q=0"],
        "Range": ["bytes=0-1", "bytes=9-1", "x"],
        "If-Range": ['"x"'],
        "If-Match": ['"x"', "*"],
        "If-Modified-Since": ["Mon, 23 Nov 2099 04:36:00 GMT", "yesterday"],
        "Origin": ["https://dashboard.example", "null", ""],
        "Access-Control-Request-Method": ["GET", "BREW"],
        "Access-Control-Request-Headers": ["x-anything, y"],
        "Cache-Control": ["no-cache", "only-if-cached"],
        "Connection": ["close", "keep-alive", "upgrade"],
        "Upgrade": ["websocket", "h2c"],
        "Expect": ["100-continue", "200-ok"],
        "Cookie": ["a=b; c"],
        "Authorization": ["Basic QQ=="],
        "Last-Event-ID": ["1", "x" * 500],
        "X-HTTP-Method-Override": ["DELETE"],
        "X-Forwarded-Host": ["evil.example"],
    }
    named = st.sampled_from(sorted(odd)).flatmap(
        lambda name: st.tuples(st.just(name), st.sampled_from(odd[name]))
    )
    long = st.integers(1, 20000).map(lambda n: ("X-Long", "x" * n))
    return st.lists(st.one_of(named, named, named, named, long), max_size=4)


@st.composite
def anything(draw, openapi, known):
    method = draw(st.one_of(st.just("GET"), st.just("GET"), st.sampled_from(METHODS)))
    target = draw(paths(openapi, known)) + draw(queries())
    version = draw(st.sampled_from(["HTTP/1.1", "HTTP/1.1", "HTTP/1.1", "HTTP/1.0"]))
    body = draw(st.sampled_from([b"", b"", b"", b"{}"]))
    request = Request(method, target, draw(headers()), body, version)
    hypothesis.assume(len(request.head()) < PARSER_BYTES)
    return request


# Valid requests, and requests with one mistake.


PERIODS = "hour day week month day:previous month:previous 2026-11-29T14 2026-11-29 2026-W48 2026-11 1970-01-01 9999-12".split()
WRONG_PERIODS = ["", "all", "today", "day:", "day:next", "2026", "2026-13", "2026-02-29", "2026-W54", "2026-11-29T24", "%20day"]


ANY_TEXT = {"type": "string"}  # of the page alone: no value is wrong


def right_value(schema):
    if schema == ANY_TEXT:
        return st.sampled_from(["", "1", "day,week", "%F0%9F%A6%A1"])
    if "pattern" in schema:
        return st.sampled_from(PERIODS)
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    return st.integers(schema["minimum"], schema["maximum"]).map(str)


def wrong_value(schema):
    if schema["type"] == "integer":
        outside = [schema["minimum"] - 1, schema["maximum"] + 1, -schema["maximum"], 1 << 64, 1 << 32]
        texts = ["", "ten", "1.5", "1e1", "%2B5", "5%20", "0x5", "05", "--1", "%D9%A1"]
        return st.one_of(st.sampled_from(outside).map(str), st.sampled_from(texts))
    if "enum" in schema:
        return st.sampled_from(["", "customer", "Merchant", "merchant%20", "creator,photographer"])
    if "pattern" in schema:
        return st.sampled_from(WRONG_PERIODS)
    if schema.get("maxLength"):  # an id: any text may be one
        return st.just("")
    return st.sampled_from(["", "x", "AAAA", "v1:AAAA", "%F0%9F%A6%A1"])  # a cursor


def filled(draw, openapi, template, known):
    """The template with its braces filled as its parameters allow."""
    values = {}
    for parameter in openapi.parameters(template, "path"):
        values[parameter["name"]] = draw(
            right_value(parameter["schema"]) if "enum" in parameter["schema"] else st.sampled_from(known)
        )
    return re.sub(r"\{(\w+)\}", lambda match: escaped(values[match[1]]), template)


# What a parameter forbids beside it. The cursors are of lists without these.
EXCLUDES = {
    "cursor": {"period", "around", "merchant", "photographer", "productIds"},
    "role": {"period"},
    "productIds": {"limit", "cursor", "merchant", "photographer"},
    "merchant": {"photographer"},
}


def right_pairs(draw, openapi, template, cursors, known):
    """`name=value` for some of the parameters. The cursors are of boards of all time; `role` is for the old form."""
    pairs = {}
    for parameter in openapi.parameters(template, "query"):
        name = parameter["name"]
        if name == "cursor":
            values = st.sampled_from(cursors[template]) if cursors.get(template) else None
        elif name in ("around", "merchant", "photographer"):
            values = st.sampled_from(known).map(escaped)
        elif name == "productIds":
            values = st.lists(st.sampled_from(known).map(escaped), min_size=1, max_size=4).map(",".join)
        else:
            values = right_value(parameter["schema"])
        if values is not None and draw(st.booleans()):
            pairs[name] = draw(values)
    for name, others in EXCLUDES.items():
        if name in pairs:
            pairs = {other: value for other, value in pairs.items() if other not in others}
    return draw(st.permutations([f"{name}={value}" for name, value in pairs.items()]))


def with_query(path, pairs):
    return path + ("?" + "&".join(pairs) if pairs else "")


@st.composite
def right(draw, openapi, known, cursors):
    """A request that openapi.yaml allows. `cursors`: {template: cursors of that listing}."""
    template = draw(st.sampled_from(sorted(openapi.document["paths"])))
    path = filled(draw, openapi, template, known)
    pairs = right_pairs(draw, openapi, template, cursors, known)
    method = draw(st.sampled_from(["GET", "GET", "HEAD", "OPTIONS"]))
    headers = [("If-None-Match", "*"), ("Accept-Encoding", "gzip"), ("X-Request-Id", "a-1")]
    return Request(method, with_query(path, pairs), [one for one in headers if draw(st.booleans())])


@st.composite
def wrong(draw, openapi, known, cursors):
    """(a request with one wrong parameter, that parameter's name)"""
    template = draw(st.sampled_from(sorted(openapi.document["paths"])))
    path = filled(draw, openapi, template, known)
    pairs = right_pairs(draw, openapi, template, cursors, known)
    described = [one for one in openapi.parameters(template, "query") if one["schema"] != ANY_TEXT]
    kinds = ["unknown"] + (["value", "value", "value", "twice"] if described else [])
    kind = draw(st.sampled_from(kinds))
    if kind == "unknown":
        name, more = "colour", ["colour=red"]
    else:
        parameter = draw(st.sampled_from(described))
        name = parameter["name"]
        related = {name} | EXCLUDES.get(name, set()) | {one for one, others in EXCLUDES.items() if name in others}
        pairs = [pair for pair in pairs if pair.partition("=")[0] not in related]
        value = draw(wrong_value(parameter["schema"]))
        more = [f"{name}={value}"] if kind == "value" else [f"{name}=1", f"{name}=1"]
    at = draw(st.integers(0, len(pairs)))
    return Request("GET", with_query(path, [*pairs[:at], *more, *pairs[at:]]), []), name


# Malformed HTTP.

NOISE = [
    b"\0",
    b"\r",
    b"\n",
    b"\r\n",
    b"\r\n\r\n",
    b" ",
    b"\t",
    b":",
    b"\xff",
    b"HTTP/2.0",
    b"HTTP/1.1",
    b"%",
]
FRAMING = [
    b"Content-Length: -1\r\n",
    b"Content-Length: 99999999999999999999999\r\n",
    b"Content-Length: 5\r\nContent-Length: 6\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n",
    b"Transfer-Encoding: gzip, chunked\r\n",
    b"Host: y\r\n",
    b"no colon\r\n",
    b": no name\r\n",
    b"X: folded\r\n over lines\r\n",
    b"X: " + b"x" * 60000 + b"\r\n",
]


@st.composite
def malformed(draw):
    """The bytes of a request with some of them changed, left out or added."""
    target = draw(st.sampled_from(["/livez", "/scores/merchant?limit=3", "/contributions/lamp", "*"]))
    data = Request(draw(st.sampled_from(["GET", "HEAD", "POST"])), target, [], b"hello").bytes()
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        taken = draw(st.integers(0, 6))
        put = draw(st.one_of(st.sampled_from(NOISE), st.binary(max_size=8), st.just(b"")))
        data = data[:at] + put + data[at + taken :]
    if draw(st.booleans()):
        first = data.find(b"\r\n") + 2
        data = data[:first] + draw(st.sampled_from(FRAMING)) + data[first:]
    return data


# Ends any unfinished request, and the connection.
LAST_WORDS = b"\r\n\r\n" + b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" * 3
WAITS_FOR_MORE_S = 0.3

# A client.


class Streamed:
    """A reply whose body has no end: only its headers are checked."""

    def __init__(self, reply):
        self.status, self.getheaders = reply.status, reply.getheaders

    @staticmethod
    def read():
        return b""


class Client:
    """Sends one request after the other, on one connection as long as that lives."""

    def __init__(self, port):
        self.port, self.socket = port, None

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), timeout=30)

    def exchange(self, request):
        """The response, of any status, not checked yet."""
        self.socket = self.socket or self.connect()
        self.socket.sendall(request.bytes())
        reply = http.client.HTTPResponse(self.socket, method=request.method)
        reply.begin()
        endless = (reply.getheader("Content-Type") or "").startswith("text/event-stream")
        response = http_client.Response(request.method, request.target, Streamed(reply) if endless else reply)
        if endless or reply.will_close:
            self.close()
        return response

    def converse(self, data):
        """Sends `data` and returns every byte of the answer, until the service ends the connection or waits for more."""
        with self.connect() as own:
            received = b""
            own.settimeout(WAITS_FOR_MORE_S)
            try:
                own.sendall(data + LAST_WORDS)
                while piece := own.recv(65536):
                    received += piece
            except (BrokenPipeError, ConnectionResetError, socket.timeout):
                pass  # it ended the connection while we sent, or it waits for the rest of a body
            return received

    def close(self):
        if self.socket:
            self.socket.close()
        self.socket = None
