"""A client of /live that records events and comments, and when each arrived."""

import json
import socket
import threading
import time

import wait

KINDS = {"merchant", "photographer", "freshness"}


class Event:
    def __init__(self, block):
        fields = dict(line.split(": ", 1) for line in block.split("\n"))
        assert fields.keys() == {"event", "id", "data"}, block
        self.kind, self.id, self.text = fields["event"], int(fields["id"]), fields["data"]
        self.data, self.at = json.loads(self.text), time.monotonic()


def dial(port, headers=None, receive_buffer=None, method="GET", version="HTTP/1.1"):
    """A connection with a request for /live sent on it."""
    connection = socket.socket()
    if receive_buffer:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    connection.connect(("127.0.0.1", port))
    lines = [f"{method} /live {version}", "Host: x"] + [f"{k}: {v}" for k, v in (headers or {}).items()]
    connection.sendall("\r\n".join(lines + ["", ""]).encode())
    return connection


def read_head(file):
    """(status, {header in lower case: value})"""
    status = int(file.readline().split()[1])
    headers = {}
    while (line := file.readline().decode().rstrip("\r\n")) != "":
        name, _, value = line.partition(": ")
        headers[name.lower()] = value
    return status, headers


class Reader:
    """Reads in a thread of its own until the stream ends; a context manager that closes its connection."""

    def __init__(self, daemon, headers=None):
        self.events, self.comments, self.retries = [], [], []
        self.end = None  # then "whole" (with the last chunk), or "cut"
        self.connection = dial(daemon.port, headers)
        self.file = self.connection.makefile("rb")
        self.status, self.headers = read_head(self.file)
        assert self.status == 200, self.file.read(int(self.headers["content-length"]))
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        try:
            self.end = "whole" if self.read_chunks() else "cut"
        except OSError:
            self.end = "cut"

    def read_chunks(self):
        text = ""
        while size := self.file.readline():
            length = int(size, 16)
            chunk = self.file.read(length + 2)
            if len(chunk) < length + 2:
                return False
            if length == 0:
                assert text == "", f"ended within an event: {text}"
                return True
            *blocks, text = (text + chunk[:-2].decode()).split("\n\n")
            for block in blocks:
                self.take(block)
        return False

    def take(self, block):
        if block.startswith(":"):
            self.comments.append(block)
        elif block.startswith("retry: "):
            self.retries.append(block)
        else:
            self.events.append(Event(block))

    def of(self, kind):
        return [event for event in self.events if event.kind == kind]

    def last(self, kind):
        found = self.of(kind)
        return found[-1].data if found else None

    def wait_for(self, condition, what, timeout_s=30):
        return wait.until(condition, f"{what}; got {[e.text for e in self.events[-6:]]}", timeout_s)

    def wait_for_all(self):
        """Waits until the first event of each kind has arrived."""
        self.wait_for(lambda: {e.kind for e in self.events} == KINDS, "both boards and freshness")
        return self

    def wait_for_score(self, score, kind="merchant"):
        def is_there():
            items = (self.last(kind) or {"items": []})["items"]
            return items and items[0]["score"] == score

        self.wait_for(is_there, f"score {score}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.end is None:
            self.connection.shutdown(socket.SHUT_RDWR)
        self.thread.join(10)
        self.file.close()
        self.connection.close()
