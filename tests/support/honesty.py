"""Whether answers include what their asOf claims: a lamp that is sold, and every kind of answer about it."""

import time

import cloud
from model import epoch_ms
from small_shop import person, product, puts

LAMP = puts(product("lamp", person("merchant", "Ann"), None, 1))


class Sales:
    """Purchases of one lamp, and for each the time when it was certainly in the stream."""

    def __init__(self, aws, stream):
        self.aws, self.stream, self.put_by_ms = aws, stream, []
        cloud.put(aws.kinesis, stream, LAMP[:-1])

    def sell(self):
        cloud.put(self.aws.kinesis, self.stream, LAMP[-1:])
        self.put_by_ms.append(time.time() * 1000)

    def before(self, as_of):
        """How many purchases an answer with this asOf must include."""
        return sum(put_by < epoch_ms(as_of) for put_by in self.put_by_ms) if as_of else 0


def shown(daemon):
    """[(asOf, purchases)] of the lamp in each kind of answer."""
    board, both = daemon.get("/scores/merchant").json(), daemon.get("/scores").json()["merchant"]
    listing, row = daemon.get("/contributions"), daemon.get("/contributions/lamp")
    answers = [(one["asOf"], one["items"][0]["score"] if one["items"] else 0) for one in (board, both)]
    items = listing.json()["items"]
    answers.append((listing.headers.get("view-as-of"), items[0]["purchases"] if items else 0))
    if row.status == 200:
        answers.append((row.json()["asOf"], row.json()["purchases"]))
        rank = daemon.get(f"/scores/merchant/{board['items'][0]['id']}") if board["items"] else None
        if rank and rank.status == 200:
            answers.append((rank.json()["asOf"], rank.json()["score"]))
    return answers


def assert_honest(daemons, sales):
    """Checks every answer of each daemon. Returns the oldest asOf in ms; 0 if one is unknown."""
    oldest = float("inf")
    for daemon in daemons:
        for as_of, purchases in shown(daemon):
            assert purchases >= sales.before(as_of), (daemon.argv, as_of, purchases, sales.put_by_ms)
            oldest = min(oldest, epoch_ms(as_of) if as_of else 0)
    return oldest
