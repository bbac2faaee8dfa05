"""Faults between winner-view and the emulators, drawn from a seed: layers of a proxy (proxy.py).

    drawn = faults.Faults(seed=7, kinds=[faults.Throttle(0.1), faults.LostAnswer(0.05)])
    p.layers = [drawn]
    ...
    drawn.off()                                     # no more faults
    drawn.settle()                                  # late writes have arrived
    print(drawn)                                    # the seed, the kinds, how often each happened

Whether a fault happens depends on the seed, the kind, and the subject of the call (its operation, table and row, or its
shard): the third write of a row meets the same faults in every run with that seed, however the threads interleave. When
a call is made depends on the service and the machine, so that a seed repeats the faults exactly and the run nearly.

`mixture(seed)` draws kinds and rates too.
"""

import collections
import email.utils
import json
import random
import re
import threading
import time

import aws_behaviour
import proxy
from aws_behaviour import refusal

WRITES = {"UpdateItem", "PutItem", "DeleteItem"}
READS = {"GetShardIterator", "GetRecords", "SubscribeToShard"}
KEY_NAMES = ("productId", "userId", "role", "leaseKey")
ACCOUNT = "arn:aws:dynamodb:us-east-1:000000000000"


def subject(request, shard):
    """The subject of a call, which is the same in every run: it holds no iterator and no number of the emulator's."""
    if shard:
        return f"{request.operation} {shard}"
    content = request.json() if request.body else {}
    item = content.get("Item", {})
    row = content.get("Key") or {name: item[name] for name in KEY_NAMES if name in item}
    return f"{request.operation} {content.get('TableName')} {json.dumps(row, sort_keys=True)}"


class Fault:
    """One kind of fault. It happens to this share (`rate`) of the calls of `operations`, by default of all calls."""

    operations = None

    def __init__(self, rate, operations=None):
        self.rate = rate
        self.operations = operations or self.operations

    @property
    def name(self):
        return type(self).__name__

    def concerns(self, request):
        return not self.operations or request.operation in self.operations

    def apply(self, request, proceed, chance):
        """`chance` is a random.Random for this one call."""
        raise NotImplementedError


class ServerError(Fault):
    """500 or 503. A write that got a 500 may have taken effect: one in two has."""

    def apply(self, request, proceed, chance):
        if chance.random() < 0.3:
            return proxy.Reply(503, [("Content-Type", "text/html")], b"<html>Service Unavailable</html>")
        if chance.random() < 0.5:
            proceed(request)
        name = "InternalServerError" if request.service == "dynamodb" else "InternalFailure"
        return refusal(request, name, "The request could not be processed. Try again.", 500)


class Throttle(Fault):
    """A throttle, in each of the forms that DynamoDB and Kinesis have for it."""

    def apply(self, request, proceed, chance):
        if request.service == "kinesis":
            return self.kinesis(request, chance)
        return chance.choice([self.plain, self.newer, self.reasons, self.newer_reasons])(request)

    def kinesis(self, request, chance):
        names = ["ProvisionedThroughputExceededException"]
        if request.operation in ("ListShards", "SubscribeToShard"):
            names = ["LimitExceededException"]
        elif request.operation == "GetRecords":
            names += ["KMSThrottlingException"]
        return refusal(request, chance.choice(names), "Rate exceeded for shard or stream.")

    def plain(self, request):
        message = "The level of configured provisioned throughput for the table was exceeded."
        return refusal(request, "ProvisionedThroughputExceededException", message)

    def newer(self, request):
        reply = refusal(request, "", "")
        kind, message = (
            "com.amazon.coral.availability#ThrottlingException",
            "Rate of requests exceeds the limit.",
        )
        reply.set_json({"__type": kind, "message": message})
        return reply

    def reasons_of(self, request):
        """DynamoDB's API_ThrottlingReason: which limit was exceeded, and the ARN of the table or index."""
        table = request.json().get("TableName", "x")
        if table.endswith("-Scores"):
            reason, resource = "IndexWriteKeyRangeThroughputExceeded", f"table/{table}/index/ScoresByRole"
        else:
            reason, resource = "TableWriteMaxOnDemandThroughputExceeded", f"table/{table}"
        return [{"reason": reason, "resource": f"{ACCOUNT}:{resource}"}]

    def reasons(self, request):
        more = {"ThrottlingReasons": self.reasons_of(request)}
        return refusal(request, "ProvisionedThroughputExceededException", "Throttled.", **more)

    def newer_reasons(self, request):
        more = {"throttlingReasons": self.reasons_of(request)}
        return refusal(request, "ThrottlingException", "Throttled.", **more)


class Delay(Fault):
    def __init__(self, rate, up_to_s=0.5, operations=None):
        super().__init__(rate, operations)
        self.up_to_s = up_to_s

    def apply(self, request, proceed, chance):
        time.sleep(chance.uniform(0, self.up_to_s))
        return proceed(request)


class ResetBefore(Fault):
    """The connection is reset before the call took effect."""

    def apply(self, request, proceed, chance):
        raise proxy.Reset()


class LostAnswer(Fault):
    """The call takes effect; then the connection is reset instead of an answer."""

    def apply(self, request, proceed, chance):
        proceed(request)
        raise proxy.Reset()


class LateWrite(Fault):
    """The answer is lost now, and the write takes effect later, after others that were sent after it."""

    operations = WRITES

    def __init__(self, rate, up_to_s=2.0, operations=None):
        super().__init__(rate, operations)
        self.up_to_s = up_to_s
        self.changed = threading.Condition()
        self.under_way = 0

    def apply(self, request, proceed, chance):
        with self.changed:
            self.under_way += 1
        later = threading.Timer(chance.uniform(0.05, self.up_to_s), self.land, [request])
        later.daemon = True
        later.start()
        raise proxy.Reset()

    def land(self, request):
        try:
            request.forward()
        except (OSError, ValueError):
            pass  # the emulator has ended, and the write is lost
        with self.changed:
            self.under_way -= 1
            self.changed.notify_all()

    def settle(self, timeout_s):
        with self.changed:
            assert self.changed.wait_for(
                lambda: self.under_way == 0, timeout_s
            ), "late writes still under way"


class CutBody(Fault):
    """The answer ends in the middle of its body."""

    def apply(self, request, proceed, chance):
        reply = proceed(request)
        reply.cut = chance.randrange(len(reply.body)) if reply.body else 0
        return reply


def with_other_types(content):
    """Its arrays and objects are strings, its strings and numbers are lists."""
    return {name: "x" if isinstance(one, (dict, list)) else [] for name, one in content.items()}


def with_broken_elements(content):
    """The first element of every array in it is a number."""
    if isinstance(content, dict):
        return {name: with_broken_elements(one) for name, one in content.items()}
    return [7, *content[1:]] if isinstance(content, list) and content else content


def changed(body, change):
    return json.dumps(change(json.loads(body))).encode()


# Bodies of a success that are no answer, made of the true one.
NO_ANSWERS = {
    "empty": lambda body: b"",
    "null": lambda body: b"null",
    "list": lambda body: b"[]",
    "string": lambda body: b'"x"',
    "page": lambda body: b"<!DOCTYPE html><html><title>Sign in to the network</title></html>",
    "half": lambda body: body[: len(body) // 2],
    "object": lambda body: b"{}",
    "types": lambda body: changed(body, with_other_types),
    "elements": lambda body: changed(body, with_broken_elements),
}


def no_answers(operation):
    """The names of those that are no answer of this operation: a write promises only an object, and `{}` is the answer of a
    read of one row that is not there."""
    if operation in WRITES:
        return ["empty", "null", "list", "string", "page", "half"]
    return [name for name in NO_ANSWERS if operation != "GetItem" or name != "object"]


def no_answer(reply, name):
    """The reply with such a body. Without a checksum only the body shows it."""
    if isinstance(reply, proxy.StreamedReply):
        reply = proxy.Reply(200, reply.headers, b'{"Records":[]}')
    if reply.status == 200:
        reply.body = NO_ANSWERS[name](reply.body)
        reply.headers.remove("x-amz-crc32")
    return reply


class NoAnswer(Fault):
    """A 200 whose body is no answer, as of a captive portal or a broken gateway. One write in two has taken effect."""

    def apply(self, request, proceed, chance):
        takes_effect = request.operation not in WRITES or chance.random() < 0.5
        reply = proceed(request) if takes_effect else refusal(request, "", "", 200)
        return no_answer(reply, chance.choice(no_answers(request.operation)))


class WrongChecksum(Fault):
    """The numbers in the body are changed, so that DynamoDB's x-amz-crc32 does not match."""

    NUMBER = re.compile(rb'("N": ?")(\d)')

    def concerns(self, request):
        return request.service == "dynamodb" and super().concerns(request)

    def apply(self, request, proceed, chance):
        reply = proceed(request)
        body = self.NUMBER.sub(lambda found: found[1] + b"%d" % ((int(found[2]) + 3) % 9 + 1), reply.body)
        if body == reply.body:
            body = body.replace(b"{", b"{ ", 1)
        reply.body = body
        return reply


class ExpiredIterator(Fault):
    operations = {"GetRecords"}

    def apply(self, request, proceed, chance):
        return refusal(request, "ExpiredIteratorException", "Iterator expired.")


class EmptyRead(Fault):
    """A read without records although there are more, which its lag shows. The next read continues there."""

    operations = {"GetRecords"}

    def apply(self, request, proceed, chance):
        reply = proceed(request)
        try:
            oldest = reply.json()["Records"][0]["ApproximateArrivalTimestamp"]
        except (IndexError, KeyError, TypeError, ValueError):
            return reply  # nothing to read, a refusal, or what another fault answers
        lag_ms = max(1, int((time.time() - oldest) * 1000) + 1)
        iterator = request.json()["ShardIterator"]
        reply.set_json({"Records": [], "NextShardIterator": iterator, "MillisBehindLatest": lag_ms})
        return reply


class UnprocessedKeys(Fault):
    """BatchGetItem answers only some of the keys and lists the rest as unprocessed."""

    operations = {"BatchGetItem"}

    def apply(self, request, proceed, chance):
        asked, now, later = request.json(), {}, {}
        for table, wanted in asked["RequestItems"].items():
            first = chance.randrange(len(wanted["Keys"]))
            now[table] = {**wanted, "Keys": wanted["Keys"][:first]}
            later[table] = {**wanted, "Keys": wanted["Keys"][first:]}
        now = {table: wanted for table, wanted in now.items() if wanted["Keys"]}
        if now:
            reply = proceed(request.with_json({**asked, "RequestItems": now}))
        else:
            reply = refusal(request, "", "", 200)
            reply.set_json({"Responses": {}})
        if reply.status == 200:
            content = reply.json()
            for table, wanted in (content.get("UnprocessedKeys") or {}).items():
                later[table]["Keys"] += wanted["Keys"]
            reply.set_json({**content, "UnprocessedKeys": later})
        return reply


class NoDate(Fault):
    """The reply has no Date."""

    def apply(self, request, proceed, chance):
        reply = proceed(request)
        reply.headers.remove("Date")
        return reply


class ShiftedDate(Fault):
    """The Date of the reply is another, by a time between these."""

    def __init__(self, rate, from_s, to_s):
        super().__init__(rate)
        self.from_s, self.to_s = from_s, to_s

    def apply(self, request, proceed, chance):
        reply = proceed(request)
        date = reply.headers.get("Date")
        if date:
            shifted = email.utils.mktime_tz(email.utils.parsedate_tz(date)) + chance.uniform(self.from_s, self.to_s)
            reply.headers.set("Date", email.utils.formatdate(shifted, usegmt=True))
        return reply


class EarlyDate(ShiftedDate):
    """The service's clock was ahead for one reply."""


class LateDate(ShiftedDate):
    """The service's clock was behind for one reply. Those to other calls are right: a process that begins gets one."""

    operations = {"GetRecords", "SubscribeToShard"}


class Faults:
    """A layer that applies faults of these kinds, the first outermost, as drawn from a seed. May serve several
    proxies."""

    def __init__(self, seed, kinds):
        self.seed, self.kinds = seed, list(kinds)
        self.readers = aws_behaviour.Readers()
        self.lock = threading.Lock()
        self.is_on = True
        self.calls = collections.Counter()  # kind and subject: how many calls it could happen to
        self.happened = collections.Counter()  # (kind, operation, shard or None): how often it happened

    def __call__(self, request, proceed):
        return self.readers(request, lambda same: self.go_through(same, self.kinds, proceed))

    def go_through(self, request, kinds, proceed):
        if not kinds:
            return proceed(request)
        kind, rest = kinds[0], lambda same: self.go_through(same, kinds[1:], proceed)
        chance = self.draw(kind, request)
        return kind.apply(request, rest, chance) if chance else rest(request)

    def draw(self, kind, request):
        """None, or the random.Random for a call to which the fault happens."""
        if not self.is_on or not kind.concerns(request):
            return None
        shard = self.readers.shard(request) if request.operation in READS else None
        about = f"{kind.name} {subject(request, shard)}"
        with self.lock:
            self.calls[about] += 1
            chance = random.Random(f"{self.seed} {about} {self.calls[about]}")
            if chance.random() >= kind.rate:
                return None
            self.happened[kind.name, request.operation, shard] += 1
        return chance

    @property
    def counts(self):
        """How often each kind happened."""
        counts = collections.Counter()
        with self.lock:
            for (name, _, _), count in self.happened.items():
                counts[name] += count
        return counts

    def off(self):
        self.is_on = False

    def settle(self, timeout_s=30):
        for kind in self.kinds:
            if isinstance(kind, LateWrite):
                kind.settle(timeout_s)

    def __str__(self):
        counts = self.counts
        kinds = ", ".join(f"{kind.name}({kind.rate:.3f}): {counts[kind.name]}" for kind in self.kinds)
        return f"faults of seed {self.seed}: {kinds}"


EVERY_KIND = (
    ServerError,
    Throttle,
    Delay,
    ResetBefore,
    LostAnswer,
    LateWrite,
    CutBody,
    NoAnswer,
    WrongChecksum,
    ExpiredIterator,
    EmptyRead,
    UnprocessedKeys,
)


def mixture(seed, up_to=0.08):
    """Three to six kinds, each at a rate of its own up to `up_to`."""
    chance = random.Random(f"mixture {seed}")
    kinds = chance.sample(EVERY_KIND, chance.randint(3, 6))
    return Faults(seed, [kind(chance.uniform(up_to / 8, up_to)) for kind in kinds])


def outages(seed, during_s, up_to_s):
    """A script of outages within `during_s`: [(begin, seconds, "refusing" or "hanging")], one after the other."""
    chance = random.Random(f"outages {seed}")
    script, at = [], chance.uniform(0, during_s / 3)
    while at < during_s:
        seconds = chance.uniform(up_to_s / 10, up_to_s)
        script.append((at, min(seconds, during_s - at), chance.choice(["refusing", "hanging"])))
        at += seconds + chance.uniform(0, during_s / 3)
    return script


def play(script, through, stopped):
    """Plays a script of outages on a proxy. Ends early, together with the current outage, when the Event `stopped` is
    set."""
    begin = time.monotonic()
    for at, seconds, kind in script:
        if stopped.wait(max(0, begin + at - time.monotonic())):
            return
        with getattr(through, kind)():
            if stopped.wait(seconds):
                return
