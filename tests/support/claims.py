"""What answers claim about their freshness, kept while a test runs, and compared afterwards with what was in the source
by then.

    with claims.Reader(port, product_ids, seed) as reader:      # asks a running service, at random
        ... puts whose acknowledgements are kept: {(shard, sequence number): ms} ...
    history = claims.History(records, acknowledged)
    history.false_claims(reader.answers)            # [] or one line for each

An answer's `asOf` claims that all that was acknowledged before it is in the answer: products with their last event, scores,
whole boards, and that a row is not there. It is false also if it lies ahead of the service's time, which is the
machine's here, or if the answer is older than its `maxLag` or than a view that has caught up. Times are milliseconds.
"""

import bisect
import collections
import contextlib
import dataclasses
import http.client
import random
import threading
import time
import urllib.parse

import http_client
import model

ROLES = {"merchant": model.CREATOR, "photographer": model.PHOTOGRAPHER}
CAUGHT_UP_MS = 10_000  # --caught-up-ms, unless the stream pushes
TIMEOUT_S = 2
PAUSE_S = 0.01
REPORTED = 10


def now_ms():
    return time.time_ns() // 1_000_000


@dataclasses.dataclass
class Answer:
    """`products`: {id: (last event id, purchases), or None if it is not there}; `scores`: {(userId, role): score};
    `whole`: the roles of which it has all scores; `most_lag`: its age was at most that when it was sent."""

    worker: object
    target: str
    sent: int
    received: int
    as_of: int
    products: dict = dataclasses.field(default_factory=dict)
    scores: dict = dataclasses.field(default_factory=dict)
    whole: tuple = ()
    most_lag: int = None

    def __str__(self):
        age = self.received - self.as_of
        return f"{self.target:.80} of worker {self.worker}, asOf {self.as_of} received {age} ms later"


# Asking.


class Reader:
    """Sends random requests, one after the other, in a thread of its own. `port()` returns that of the running service,
    None while there is none."""

    def __init__(self, worker, port, products, seed, caught_up_ms=CAUGHT_UP_MS):
        self.worker, self.port, self.products = worker, port, sorted(products)
        self.caught_up_ms = caught_up_ms
        self.rng = random.Random(f"reader {worker} {seed}")
        self.users = set()  # (word of the role, userId)
        self.known = {}  # target: (ETag, body)
        self.answers = []
        self.ending, self.failure = threading.Event(), None
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self):
        try:
            while not self.ending.wait(PAUSE_S):
                port = self.port()
                with contextlib.suppress(OSError, http.client.HTTPException):  # frozen, or killed meanwhile
                    if port:
                        self.ask(port, *self.draw())
        except Exception as error:
            self.failure = error

    def draw(self):
        """(target, the words of its path)"""
        kind = self.rng.choice(["product"] * 4 + ["board"] * 2 + ["score"] * 2 + ["person", "list", "health"])
        word, user = self.rng.choice(sorted(self.users)) if self.users else ("merchant", "nobody")
        path = {
            "product": ("contributions", self.rng.choice(self.products)),
            "board": ("scores", self.rng.choice([*ROLES])),
            "score": ("scores", word, user),
            "person": ("scores", user),
            "list": ("contributions",),
            "health": ("healthz",),
        }[kind]
        return kind, path

    def ask(self, port, kind, path):
        target = "/" + "/".join(urllib.parse.quote(word, safe="") for word in path)
        if kind in ("board", "list"):
            target += "?limit=100"
        most_lag = self.rng.choice([None, None, 300, 1000, 5000]) if kind != "health" else None
        etag, body = self.known.get((port, target), (None, None))
        if etag and self.rng.random() < 0.5:
            headers = {"If-None-Match": etag}
        else:
            headers = {}
        parameter = f"{'&' if '?' in target else '?'}maxLag={most_lag}" if most_lag else ""
        sent = now_ms()
        response = http_client.request(port, target + parameter, headers=headers, timeout_s=TIMEOUT_S)
        answer = Answer(self.worker, target + parameter, sent, now_ms(), None, most_lag=most_lag)
        if response.status == 200:
            body = response.json()
            self.known[port, target] = response.headers.get("etag"), body
        elif response.status == 404:
            body, answer.most_lag = None, min(self.caught_up_ms, most_lag or self.caught_up_ms)
        elif response.status != 304:
            return
        self.take(answer, kind, path, response.headers.get("view-as-of"), body)

    def take(self, answer, kind, path, as_of, body):
        if kind == "health" and body["caughtUp"]:
            answer.most_lag = self.caught_up_ms
        if kind == "product":
            answer.products[path[1]] = product_of(body)
        elif kind == "list":
            answer.products = {item["productId"]: product_of(item) for item in body["items"]}
        elif kind == "board":
            answer.scores = {(item["userId"], ROLES[path[1]]): item["score"] for item in body["items"]}
            answer.whole = (ROLES[path[1]],)
            self.users |= {(path[1], item["userId"]) for item in body["items"]}
        elif kind == "score":
            answer.scores[path[2], ROLES[path[1]]] = body and body["score"]
        elif kind == "person":
            answer.scores = {(path[1], role): body and body[word] for word, role in ROLES.items()}
        if as_of or answer.most_lag:
            answer.as_of = model.epoch_ms(as_of) if as_of else float("-inf")
            self.answers.append(answer)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, kind, *_):
        self.ending.set()
        self.thread.join()
        if kind is None and self.failure:
            raise self.failure


def product_of(item):
    return item and (model.parse_event_id(item["lastEventId"]), item["purchases"])


# Comparing.


def steps(records):
    """(record, event, the product's row then) for each event that changes the views."""
    folded = model.Model()
    for record in records:
        try:
            event = model.parse(record)
        except (model.DeadLetter, model.Skipped):
            continue
        if folded.fold(event, record) == "applied":
            yield record, event, folded.contributions[event.product]


class History:
    """When each product and each score was at least what. `records`: each shard's in order. `acknowledged`: when each was,
    at the latest."""

    def __init__(self, records, acknowledged):
        self.products = collections.defaultdict(list)  # id: [(ms, event id, purchases)], in order
        self.credits = collections.defaultdict(list)  # (userId, role): [ms], sorted
        for record, event, row in steps(records):
            self.add(event, row, acknowledged[record.shard, record.sequence])
        for times in self.credits.values():
            times.sort()

    def add(self, event, row, ms):
        self.products[event.product].append((ms, model.parse_event_id(event.id), row["creatorScore"]))
        if event.kind == model.PURCHASE:
            self.credits[row["creator"], model.CREATOR].append(ms)
            if "photographer" in row:
                self.credits[row["photographer"], model.PHOTOGRAPHER].append(ms)

    def false_claims(self, answers, ahead_ms=0, young_ms=0):
        """One line for each false claim, of at most a few answers; the first line counts them. `ahead_ms`: claims may be
        ahead by so much. `young_ms`: answers may be so much older than `maxLag`."""
        found = []
        for answer in answers:
            lines = [*self.of_times(answer, ahead_ms, young_ms), *self.of_rows(answer, answer.as_of - ahead_ms)]
            found += [[f"{answer}: {line}" for line in lines]] if lines else []
        if not found:
            return []
        return [f"{len(found)} of {len(answers)} answers claim what is false", *sum(found[:REPORTED], [])]

    def of_times(self, answer, ahead_ms, young_ms):
        if answer.as_of > answer.received + ahead_ms:
            yield f"it is {answer.as_of - answer.received} ms ahead of the time"
        if answer.most_lag and answer.as_of < answer.sent - answer.most_lag - young_ms:
            yield f"it was older than {answer.most_lag} ms when the request was sent"

    def of_rows(self, answer, as_of):
        for product, state in answer.products.items():
            needed = self.product(product, as_of)
            if needed and (not state or state[0] < needed[1] or state[1] < needed[2]):
                yield f"it is {state}, but since {as_of - needed[0]} ms before asOf {product:.40} was {needed[1:]}"
        scores = dict(answer.scores)
        for user, role in self.credits:
            if role in answer.whole and user != model.UNKNOWN:
                scores.setdefault((user, role), 0)
        for (user, role), score in scores.items():
            times = self.credits.get((user, role), ())
            needed = bisect.bisect_left(times, as_of)
            if needed > (score or 0):
                late = as_of - times[score or 0]
                yield f"{role} {user:.40} has {score}, but had more since {late} ms before asOf, and {needed} at asOf"

    def product(self, product, as_of):
        """The last state that was acknowledged before; None if there was none."""
        states = self.products.get(product, ())
        at = bisect.bisect_left(states, as_of, key=lambda state: state[0])
        return states[at - 1] if at else None
