"""A request and its reply as they are on the connection, and whether the reply ends where its headers say."""

import gzip
import re
import socket

import expected_answers
import http_client


class Reply:
    """A reply as read from the socket: the header lines as they are (`lines`), their values by name in lower case, the
    body as it was sent (`sent`) and decompressed (`body`)."""

    def __init__(self, method, target, file):
        self.method, self.target = method, target
        self.version, status, _ = file.readline().decode().split(" ", 2)
        self.status = int(status)
        self.lines = []
        while (line := file.readline()) != b"\r\n":
            name, value = re.fullmatch(r"([!-9;-~]+): ([ -~]*)\r\n", line.decode("ascii")).groups()
            self.lines.append((name, value))
        self.header_lines = [(name.lower(), value) for name, value in self.lines]
        self.headers = dict(self.header_lines)
        assert len(self.headers) == len(self.lines), f"a header twice: {self.lines}"
        has_body = method != "HEAD" and status not in ("204", "304")
        self.sent = file.read(int(self.headers["content-length"])) if has_body else b""
        is_compressed = self.headers.get("content-encoding") == "gzip" and has_body
        self.body = gzip.decompress(self.sent) if is_compressed else self.sent

    content_type = http_client.Response.content_type
    json = http_client.Response.json

    def content(self):
        return self.body


def ask(daemon, target, method="GET", fields=(), version="1.1", closes=False):
    """Sends a request with these header fields, then, unless the reply `closes` the connection, another one, whose
    reply shows that the first had no extra bytes."""
    target = expected_answers.named(daemon, target)
    lines = [f"{method} {target} HTTP/{version}", "Host: x", *(f"{name}: {value}" for name, value in fields)]
    with socket.create_connection(("127.0.0.1", daemon.port), timeout=30) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        file = connection.makefile("rb")
        reply = Reply(method, target, file)
        assert closes == (reply.headers.get("connection") == "close")
        if not closes:
            connection.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            assert Reply("GET", "/livez", file).status == 200
        assert file.read() == b""
    return http_client.judge(reply) if target != "*" else reply


def accepting(encoding):
    return [("Accept-Encoding", encoding)] if encoding is not None else []


def holding(etag):
    return [("If-None-Match", etag)]
