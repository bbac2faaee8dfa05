"""A proxy between winner-view and an emulator that sees, and may change, every call.

    with proxy.Proxy(emulators.dynamodb_url) as p:
        p.on_request = lambda request: None         # None: pass it on; (status, body): answer this instead
        ... AWS_ENDPOINT_URL_DYNAMODB = p.url ...
        p.requests                                  # every request, as the bytes that arrived

`on_request` runs in the thread of its connection and may block, which delays that call alone. Bounded in
what it keeps (`MAX_KEPT` requests); loopback only.
"""

import collections
import http.client
import json
import socketserver
import threading
import urllib.parse

MAX_KEPT = 100_000
MAX_BODY = 64 << 20


class Request:
    """One request: its line, its headers as (name, value) in the order and spelling they came in, its body,
    and the reply that it got."""

    def __init__(self, line, headers, body):
        self.method, self.target, _ = line.decode("latin-1").split(" ", 2)
        self.headers, self.body = headers, body
        self.reply_status = self.reply_body = None

    def header(self, name):
        values = [value for found, value in self.headers if found.lower() == name.lower()]
        return values[0] if len(values) == 1 else None

    @property
    def operation(self):
        return (self.header("X-Amz-Target") or "").rpartition(".")[2]

    def json(self):
        return json.loads(self.body)

    def reply_json(self):
        return json.loads(self.reply_body)


class Handler(socketserver.StreamRequestHandler):
    disable_nagle_algorithm = True

    def handle(self):
        upstream = http.client.HTTPConnection(self.server.upstream, timeout=60)
        try:
            while self.handle_one(upstream):
                pass
        except (OSError, ValueError, http.client.HTTPException):
            pass  # either side went away: so does the connection
        finally:
            upstream.close()

    def read_request(self):
        line = self.rfile.readline(65536).rstrip(b"\r\n")
        if not line:
            return None
        headers = []
        while True:
            header = self.rfile.readline(65536).rstrip(b"\r\n")
            if not header:
                break
            name, _, value = header.decode("latin-1").partition(":")
            headers.append((name, value.strip()))
        request = Request(line, headers, b"")
        length = int(request.header("Content-Length") or 0)
        if length > MAX_BODY:
            raise ValueError("body too long")
        if (request.header("Expect") or "").lower() == "100-continue":
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.body = self.rfile.read(length)
        return request

    def handle_one(self, upstream):
        request = self.read_request()
        if not request:
            return False
        owner = self.server.owner
        instead = owner.on_request(request) if owner.on_request else None
        headers = []
        if instead:
            request.reply_status, request.reply_body = instead
            headers = [("Content-Type", "application/x-amz-json-1.0")]
        else:
            upstream.putrequest(request.method, request.target, skip_host=True, skip_accept_encoding=True)
            for name, value in request.headers:
                if name.lower() != "expect":
                    upstream.putheader(name, value)
            upstream.endheaders(request.body)
            reply = upstream.getresponse()
            request.reply_status, request.reply_body = reply.status, reply.read()
            skip = ("connection", "transfer-encoding", "content-length", "keep-alive")
            headers = [(name, value) for name, value in reply.getheaders() if name.lower() not in skip]
        owner.keep(request)
        self.answer(request, headers)
        return True

    def answer(self, request, headers):
        lines = [f"HTTP/1.1 {request.reply_status} X"] + [f"{name}: {value}" for name, value in headers]
        lines += [f"Content-Length: {len(request.reply_body)}", "", ""]
        self.wfile.write("\r\n".join(lines).encode("latin-1") + request.reply_body)


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128


class Proxy:
    def __init__(self, upstream_url):
        self.on_request = None
        self.requests = collections.deque(maxlen=MAX_KEPT)
        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.upstream = urllib.parse.urlsplit(upstream_url).netloc
        self.server.owner = self
        self.thread = threading.Thread(
            target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def keep(self, request):
        self.requests.append(request)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
