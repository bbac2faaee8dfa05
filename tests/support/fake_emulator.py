"""A fake emulator for the tests of proxies and their layers: it gives the answers that the test sets and
records the requests. And a client that calls it through a proxy."""

import http.client
import http.server
import json
import threading


class FakeEmulator(http.server.ThreadingHTTPServer):
    """`answer(target, content)` gives the reply's JSON. As a context manager it runs."""

    daemon_threads = True

    def __init__(self, answer=lambda target, content: {"target": target, **content}):
        super().__init__(("127.0.0.1", 0), Handler)
        self.answer = answer
        self.arrived = []  # (X-Amz-Target, content)
        self.connections = 0
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def __enter__(self):
        self.thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.thread.join()
        self.server_close()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self):
        super().setup()
        self.server.connections += 1

    def do_POST(self):
        content = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        target = self.headers["X-Amz-Target"]
        self.server.arrived.append((target, content))
        body = json.dumps(self.server.answer(target, content)).encode()
        self.send_response(200)
        self.send_header("x-amz-crc32", "1234")
        if content.get("chunked"):
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))
        else:
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, *_):
        pass


def object_or_bytes(body):
    try:
        return json.loads(body) if body.startswith(b"{") else body
    except ValueError:
        return body


class Client:
    """Calls through a proxy, on one connection as long as that lives."""

    def __init__(self, port):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)

    def call(self, target, content=None, **headers):
        """(status, content, headers); OSError or HTTPException without an answer."""
        headers = {"X-Amz-Target": target, **{name.replace("_", "-"): v for name, v in headers.items()}}
        try:
            self.connection.request("POST", "/", json.dumps(content or {}), headers)
            reply = self.connection.getresponse()
            body = reply.read()
            return reply.status, object_or_bytes(body), reply.headers
        except (OSError, http.client.HTTPException):
            self.connection.close()
            raise

    def close(self):
        self.connection.close()
