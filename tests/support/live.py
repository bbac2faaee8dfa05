"""A client of /live that records events and comments, and when each arrived."""

import json
import socket
import threading
import time

import wait

BOARDS = {"merchant", "photographer"}
KINDS = {*BOARDS, "freshness"}


class Event:
    """`id` is its number, `last_event_id` what a browser would send; both None if it has no id."""

    def __init__(self, block):
        fields = dict(line.split(": ", 1) for line in block.split("\n"))
        assert fields.keys() - {"id"} == {"event", "data"}, block
        self.kind, self.last_event_id, self.text = fields["event"], fields.get("id"), fields["data"]
        self.epoch, _, number = (self.last_event_id or "").partition("-")
        self.id = int(number) if number else None
        self.data, self.at = json.loads(self.text), time.monotonic()


def apply_rows(board, change):
    """The board after a `rows` event, as openapi.yaml describes BoardRows."""
    before, rows = board["items"], change["rows"]
    n = len(before) - len(change["left"]) + sum("id" in row for row in rows)
    items = before[:n] + [None] * (n - len(before))
    for row in rows:
        old = {} if "id" in row else before[row.get("was", row["at"])]
        items[row["at"]] = {**old, **{name: row[name] for name in row if name not in ("at", "was")}}
    assert {item["id"] for item in before} - {item["id"] for item in items} == set(change["left"])
    return {**board, "items": items, "asOf": change["asOf"]}


def dial(port, headers=None, receive_buffer=None, method="GET", version="HTTP/1.1", query=""):
    """A connection with a request for /live sent on it."""
    connection = socket.socket()
    if receive_buffer:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    connection.connect(("127.0.0.1", port))
    lines = [f"{method} /live{query} {version}", "Host: x"] + [f"{k}: {v}" for k, v in (headers or {}).items()]
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
    """Reads in a thread of its own until the stream ends; a context manager that closes its connection. With
    `changes=1` in the query, `boards` has each board with its changes. `boards`: what it has already."""

    def __init__(self, daemon, headers=None, query="", boards=None):
        self.events, self.comments, self.retries = [], [], []
        self.boards = dict(boards or {})
        self.end = None  # then "whole" (with the last chunk), or "cut"
        self.connection = dial(daemon.port, headers, query=query)
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
            self.take_event(Event(block))

    def take_event(self, event):
        if event.kind == "rows":
            board = self.boards[event.data["role"]]
            assert event.data["period"] == (board["period"] or {}).get("id")
            self.boards[event.data["role"]] = apply_rows(board, event.data)
        elif event.kind in BOARDS:
            self.boards[event.kind] = event.data
        self.events.append(event)

    @property
    def last_event_id(self):
        return next((event.last_event_id for event in reversed(self.events) if event.id), None)

    def of(self, kind):
        return [event for event in self.events if event.kind == kind]

    def last(self, kind):
        found = self.of(kind)
        return found[-1].data if found else None

    def wait_for(self, condition, what, timeout_s=30):
        return wait.until(condition, f"{what}; got {[e.text for e in self.events[-6:]]}", timeout_s)

    def wait_for_all(self):
        """Waits until the first event of each kind has arrived."""
        self.wait_for(lambda: {e.kind for e in self.events} >= KINDS, "both boards and freshness")
        return self

    def wait_for_score(self, score, kind="merchant"):
        def is_there():
            items = self.boards.get(kind, {"items": []})["items"]
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
