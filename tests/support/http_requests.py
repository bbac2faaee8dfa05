"""The corpus of requests that parsers disagree about, tests/data/http_requests.json, and a client that sends them.

Each case has the bytes of a `request` (characters are bytes; [text, n] is the text n times), of a `kind`, and the only
allowed outcome when it is sent to the service directly: the statuses of all `answers`, and whether the connection is
`open` for another request at the `end`. What is accepted is a 404, for the targets do not exist. `parser`: the last
answer, or the missing one, is libmicrohttpd's own. `ended`: the client ends its side after the request.

Targets have the number ID, which is replaced by one of the same length that is used once.
"""

import dataclasses
import json
import pathlib
import re
import socket

from raw_http import ANSWER_S

PATH = pathlib.Path(__file__).resolve().parents[1] / "data" / "http_requests.json"
ID = b"0000000000"
STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")


@dataclasses.dataclass(frozen=True)
class Case:
    kind: str
    name: str
    request: list
    answers: list
    end: str
    parser: bool = False
    ended: bool = False

    @property
    def title(self):
        return f"{self.kind}: {self.name}"

    @property
    def is_closed(self):
        return self.end == "closed"

    def data(self, number=0):
        pieces = [piece if isinstance(piece, str) else piece[0] * piece[1] for piece in self.request]
        return "".join(pieces).encode("latin-1").replace(ID, b"%010d" % number)


CASES = [Case(**case) for case in json.loads(PATH.read_text())]


def last_request(number):
    """Shows that a connection is open; the answer repeats its id."""
    return (
        b"GET /%010d/last HTTP/1.1\r\nHost: x\r\nX-Request-Id: last-%d\r\nConnection: close\r\n\r\n" % (number, number)
    )


def exchange(port, data, ends=False, timeout_s=ANSWER_S):
    """Sends the data on a connection of its own. Returns all that is received until the other side closes it."""
    received = b""
    with socket.create_connection(("127.0.0.1", port), timeout=timeout_s) as client:
        try:
            client.sendall(data)
            if ends:
                client.shutdown(socket.SHUT_WR)
        except ConnectionError:
            pass  # it closes before it has read all
        try:
            while piece := client.recv(1 << 20):
                received += piece
        except ConnectionError:
            pass
    return received


def statuses(received):
    """Of all answers. (The bodies have no status line.)"""
    return [int(status) for status in STATUS.findall(received)]
