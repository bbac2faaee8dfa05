"""HTTP by hand, for tests that control when bytes are sent, how many, and how each connection ends."""

import re
import socket
import time

ANSWER_S = 30


class Lost(Exception):
    """The connection ended before the answer was whole."""


def get(target, *headers):
    return "\r\n".join([f"GET {target} HTTP/1.1", "Host: x", *headers, "", ""]).encode()


class Answer:
    def __init__(self, head, body):
        lines = head.decode("latin-1").split("\r\n")
        self.status = int(lines[0].split(" ")[1])
        self.headers = {name.lower(): value.strip() for name, _, value in (l.partition(":") for l in lines[1:])}
        self.body = body

    @property
    def is_last(self):
        return self.headers.get("connection", "").lower() == "close"


class Client:
    """A connection. `receive_bytes`: the size of its receive buffer, small for one that is slow to read."""

    def __init__(self, port, receive_bytes=None, timeout_s=ANSWER_S):
        self.socket = socket.socket()
        if receive_bytes:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        self.socket.settimeout(timeout_s)
        try:
            self.socket.connect(("127.0.0.1", port))
        except BaseException:
            self.socket.close()
            raise
        self.buffer = b""

    def send(self, data):
        """Returns the time (monotonic) when all of it was in the kernel's buffer."""
        self.socket.sendall(data)
        return time.monotonic()

    def end_sending(self):
        self.socket.shutdown(socket.SHUT_WR)

    def read_until(self, is_enough):
        while not is_enough(self.buffer):
            try:
                data = self.socket.recv(65536)
            except OSError as error:
                raise Lost(str(error)) from error
            if not data:
                raise Lost(f"closed after {self.buffer[:200]!r}")
            self.buffer += data

    def receive(self):
        """The next answer, whole; else Lost."""
        self.read_until(lambda got: b"\r\n\r\n" in got)
        head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        found = re.search(rb"(?im)^content-length: *(\d+)", head)
        length = int(found[1]) if found else 0
        self.read_until(lambda got: len(got) >= length)
        body, self.buffer = self.buffer[:length], self.buffer[length:]
        return Answer(head, body)

    def ask(self, target, *headers):
        self.send(get(target, *headers))
        return self.receive()

    def seconds_until_closed(self, timeout_s):
        """Reads and drops everything until the other side ends or resets the connection."""
        begin = time.monotonic()
        self.socket.settimeout(timeout_s)
        try:
            while self.socket.recv(1 << 20):
                pass
        except ConnectionError:
            pass
        return time.monotonic() - begin

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
