"""A proxy between winner-view and an emulator that sees, and may change, every call.

    with proxy.Proxy(emulators.dynamodb_url) as p:
        p.on_request = lambda request: None         # None: forward it; a Reply or (status, body): answer this instead
        p.layers = [layer, ...]                     # see below
        ... AWS_ENDPOINT_URL_DYNAMODB = p.url ...
        p.requests                                  # every request, as the bytes that arrived

A layer is called as `layer(request, proceed)` and returns a Reply. `proceed(request)` calls the layers after it, then the
emulator. So a layer may answer by itself, change the request or the reply, wait (which delays only this call), or raise
Reset: the connection is then reset without an answer. The layers in faults.py cause faults, those in aws_behaviour.py
behave as AWS does.

`refusing()` and `hanging()` are outages: connections are refused; or accepted and never answered.

One thread per connection. Connections are kept alive on both sides. A call is sent to the emulator once and never
repeated: if the emulator closes a connection, so does the proxy. At most `MAX_KEPT` requests are kept. Loopback only.
"""

import collections
import contextlib
import copy
import functools
import json
import select
import socket
import socketserver
import struct
import threading
import time
import urllib.parse

MAX_KEPT = 100_000
MAX_BODY = 64 << 20
MAX_LINE = 65536
UPSTREAM_TIMEOUT_S = 60
NOT_FORWARDED = {"connection", "keep-alive", "transfer-encoding", "content-length", "expect"}


class Reset(Exception):
    """Raised by a layer: the connection is reset without an answer."""


class Closed(OSError):
    """The other side ended the connection."""


class Headers(list):
    """(name, value) pairs in the order and spelling in which they arrived."""

    def get(self, name):
        """The value of the only header of that name, else None."""
        values = [value for found, value in self if found.lower() == name.lower()]
        return values[0] if len(values) == 1 else None

    def set(self, name, value):
        self.remove(name)
        self.append((name, value))

    def remove(self, name):
        self[:] = [pair for pair in self if pair[0].lower() != name.lower()]

    def forwarded(self):
        return [pair for pair in self if pair[0].lower() not in NOT_FORWARDED]


class Request:
    """One request: its line, its headers, its body, and the reply that it got."""

    def __init__(self, line, headers, body):
        self.method, self.target, _ = line.split(" ", 2)
        self.headers, self.body = Headers(headers), body
        self.arrived = time.monotonic()
        self.forward = None  # sends it to the emulator on a connection of its own; for a layer's own threads
        self.reply_status = self.reply_body = None

    def header(self, name):
        return self.headers.get(name)

    def with_json(self, content):
        """The same request with another body."""
        other = copy.copy(self)
        other.body = json.dumps(content).encode()
        return other

    @property
    def service(self):
        """ "dynamodb", "kinesis"."""
        return (self.header("X-Amz-Target") or "").partition("_")[0].lower()

    @property
    def operation(self):
        return (self.header("X-Amz-Target") or "").rpartition(".")[2]

    def json(self):
        return json.loads(self.body)

    def reply_json(self):
        return json.loads(self.reply_body)


class Reply:
    """The reply. `cut`: send only so many bytes of the body, then close."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, Headers(headers), body
        self.cut = None

    def json(self):
        return json.loads(self.body)

    def set_json(self, content):
        """Another body; a checksum of the old one would be wrong."""
        self.body = json.dumps(content).encode()
        self.headers.remove("x-amz-crc32")

    def head(self, length):
        """`length`: the header that says how long the body is."""
        lines = [f"HTTP/1.1 {self.status} X", *(f"{name}: {value}" for name, value in self.headers.forwarded())]
        return "\r\n".join([*lines, length, "", ""]).encode("latin-1")

    def pieces(self):
        """What is sent. An empty piece: nothing yet, but the client may have left."""
        yield self.head(f"Content-Length: {len(self.body)}") + self.body[: self.cut]


class StreamedReply(Reply):
    """A reply that is sent while it is made: `made` is a generator of pieces of the body. It may raise Closed or Reset, and
    is closed when the client has left."""

    def __init__(self, headers, made):
        super().__init__(200, headers, None)
        self.made = made

    def json(self):
        raise ValueError("a stream is no JSON")

    def pieces(self):
        yield self.head("Transfer-Encoding: chunked")
        if self.cut is not None:
            return
        with contextlib.closing(self.made):
            for piece in self.made:
                yield b"%x\r\n%b\r\n" % (len(piece), piece) if piece else b""
        yield b"0\r\n\r\n"


# HTTP/1.1, as far as AWS calls and the emulators use it.


def read_head(rfile):
    """(first line, headers)."""
    line = rfile.readline(MAX_LINE).rstrip(b"\r\n").decode("latin-1")
    if not line:
        raise Closed()
    headers = Headers()
    while header := rfile.readline(MAX_LINE).rstrip(b"\r\n"):
        name, _, value = header.decode("latin-1").partition(":")
        headers.append((name, value.strip()))
    return line, headers


def read_exactly(rfile, length):
    if not 0 <= length <= MAX_BODY:
        raise ValueError(f"a body of {length} bytes")
    body = rfile.read(length)
    if len(body) < length:
        raise Closed()
    return body


def read_chunks(rfile):
    body = b""
    while length := int(rfile.readline(MAX_LINE).partition(b";")[0], 16):
        body += read_exactly(rfile, length)
        rfile.readline(MAX_LINE)
    while rfile.readline(MAX_LINE).rstrip(b"\r\n"):
        pass  # trailers
    return body


def read_body(rfile, headers):
    if (headers.get("Transfer-Encoding") or "").lower() == "chunked":
        return read_chunks(rfile)
    return read_exactly(rfile, int(headers.get("Content-Length") or 0))


class Upstream:
    """A kept-alive connection to the emulator. Belongs to one thread."""

    def __init__(self, address):
        self.address = address
        self.socket = self.rfile = None

    def close(self):
        if self.socket:
            self.rfile.close()
            self.socket.close()
        self.socket = None

    def connect(self):
        """The emulators close idle connections: a connection that is readable before a request was sent is closed."""
        if self.socket and select.select([self.socket], [], [], 0)[0]:
            self.close()
        if not self.socket:
            self.socket = socket.create_connection(self.address, timeout=UPSTREAM_TIMEOUT_S)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.rfile = self.socket.makefile("rb")

    def exchange(self, request):
        try:
            self.connect()
            lines = [f"{request.method} {request.target} HTTP/1.1"]
            lines += [f"{name}: {value}" for name, value in request.headers.forwarded()]
            lines += [f"Content-Length: {len(request.body)}", "", ""]
            self.socket.sendall("\r\n".join(lines).encode("latin-1") + request.body)
            line, headers = read_head(self.rfile)
            reply = Reply(int(line.split(" ")[1]), headers, read_body(self.rfile, headers))
        except BaseException:
            self.close()
            raise
        if (reply.headers.get("Connection") or "").lower() == "close":
            self.close()
        return reply


class Handler(socketserver.StreamRequestHandler):
    """One connection from the service."""

    disable_nagle_algorithm = True

    def handle(self):
        owner = self.server.owner
        self.upstream = Upstream(owner.upstream)
        owner.opened(self.connection)
        try:
            while self.handle_one(owner):
                pass
        except Reset:
            will_reset(self.connection)
        except (OSError, ValueError):
            pass  # either side closed the connection
        finally:
            owner.closed(self.connection)
            self.upstream.close()

    def read_request(self):
        line, headers = read_head(self.rfile)
        if (headers.get("Expect") or "").lower() == "100-continue":
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        return Request(line, headers, read_body(self.rfile, headers))

    def handle_one(self, owner):
        request = self.read_request()
        reply = owner.reply_to(request, self.upstream.exchange)
        with contextlib.closing(reply.pieces()) as pieces:
            for piece in pieces:
                self.write(piece)
        return reply.cut is None

    def write(self, piece):
        if not piece and select.select([self.connection], [], [], 0)[0]:
            raise Closed()  # no request comes before the end of a reply
        self.wfile.write(piece)


def will_reset(connection):
    """Closing it sends RST instead of FIN."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128

    def shutdown_request(self, request):
        self.close_request(request)  # without the FIN that would come before the RST


class Proxy:
    def __init__(self, upstream_url, layers=()):
        split = urllib.parse.urlsplit(upstream_url)
        self.upstream = (split.hostname, split.port)
        self.on_request = None
        self.layers = list(layers)
        self.requests = collections.deque(maxlen=MAX_KEPT)
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.lock = threading.Lock()
        self.connections = set()
        self.server = self.thread = None
        # bound but never listening: reserves the port during refusing()
        self.reservation = socket.socket()
        self.reservation.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.reservation.bind(("127.0.0.1", 0))
        self.port = self.reservation.getsockname()[1]

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    # A call.

    def reply_to(self, request, exchange):
        if not self.may_answer.is_set():
            self.may_answer.wait()
            raise Reset()
        request.forward = functools.partial(self.forward, request)
        reply = self.instead(request)
        if not reply:
            proceed = exchange
            for layer in reversed(self.layers):
                proceed = functools.partial(layer, proceed=proceed)
            reply = proceed(request)
        request.reply_status, request.reply_body = reply.status, reply.body
        self.requests.append(request)
        return reply

    def instead(self, request):
        answer = self.on_request(request) if self.on_request else None
        if not isinstance(answer, tuple):
            return answer
        return Reply(answer[0], [("Content-Type", "application/x-amz-json-1.0")], answer[1])

    def forward(self, request):
        """Sends a request to the emulator on a connection of its own, now."""
        with contextlib.closing(Upstream(self.upstream)) as upstream:
            return upstream.exchange(request)

    # Outages.

    @contextlib.contextmanager
    def refusing(self):
        """Connections are refused, and open ones are closed."""
        self.close()
        try:
            yield
        finally:
            self.listen()

    @contextlib.contextmanager
    def hanging(self):
        """Connections are accepted and requests read, but none is forwarded or answered. Those that still wait at the
        end are reset."""
        self.may_answer.clear()
        try:
            yield
        finally:
            self.may_answer.set()

    # Start and stop.

    def opened(self, connection):
        with self.lock:
            self.connections.add(connection)

    def closed(self, connection):
        with self.lock:
            self.connections.discard(connection)

    def listen(self):
        self.server = Server(("127.0.0.1", self.port), Handler)
        self.server.owner = self
        self.thread = threading.Thread(
            target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()
        with self.lock:
            for connection in self.connections:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)  # wakes its thread

    def __enter__(self):
        self.listen()
        return self

    def __exit__(self, *_):
        self.may_answer.set()
        self.close()
        self.reservation.close()
