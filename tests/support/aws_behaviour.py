"""What AWS does and the emulators do not: layers of a proxy (proxy.py), each a model of one behaviour.

    readers = aws_behaviour.Readers()               # which shard is read when, and by which iterator
    p.layers = [readers, aws_behaviour.ShardLimits(readers), aws_behaviour.IteratorLife(readers, seconds=0.5)]

Each counts in `happened` how often it changed something. All are thread-safe and may serve several proxies.
"""

import base64
import collections
import copy
import datetime
import email.utils
import itertools
import json
import threading
import time

import proxy

MAX_ITERATORS = 20_000
NUMBERS = itertools.count(1)


def refusal(request, name, message, status=400, **more):
    """A Reply with an error, in the form of the request's service."""
    is_dynamodb = request.service == "dynamodb"
    kind = f"com.amazonaws.dynamodb.v20120810#{name}" if is_dynamodb else name
    body = json.dumps({"__type": kind, "message": message, **more}).encode()
    content_type = f"application/x-amz-json-1.{0 if is_dynamodb else 1}"
    headers = [("Content-Type", content_type), ("Date", email.utils.formatdate(usegmt=True))]
    return proxy.Reply(status, headers, body)


class Layer:
    def __init__(self):
        self.lock = threading.Lock()
        self.happened = 0

    def happens(self):
        with self.lock:
            self.happened += 1


class ChangedReply(Layer):
    """Every successful reply of one operation is changed: `change(content)` gets its JSON."""

    def __init__(self, operation, change):
        super().__init__()
        self.operation, self.change = operation, change

    def __call__(self, request, proceed):
        reply = proceed(request)
        if request.operation == self.operation and reply.status == 200:
            content = reply.json()
            self.change(content)
            reply.set_json(content)
            self.happens()
        return reply


# Reading shards.


class Readers:
    """Records the shard and the time of every iterator, and every successful read of a shard. It must be the first layer,
    so that it records the replies that the service gets."""

    def __init__(self):
        self.lock = threading.Lock()
        self.iterators = collections.OrderedDict()  # (shard, monotonic time when it was answered)
        self.reads = collections.defaultdict(list)  # shard: (arrived, answered), monotonic

    def __call__(self, request, proceed):
        if request.operation not in ("GetShardIterator", "GetRecords"):
            return proceed(request)
        reply = proceed(request)
        if reply.status == 200:
            self.learn(request, reply)
        return reply

    def learn(self, request, reply):
        try:
            shard, content = self.shard(request), dict(reply.json())
        except (TypeError, ValueError):
            return  # it was made by a fault (faults.NoAnswer)
        with self.lock:
            if request.operation == "GetRecords":
                self.reads[shard].append((request.arrived, time.monotonic()))
            iterator = content.get("ShardIterator") or content.get("NextShardIterator")
            if iterator:
                self.iterators[iterator] = (shard, time.monotonic())
                self.iterators.move_to_end(iterator)
            while len(self.iterators) > MAX_ITERATORS:
                self.iterators.popitem(last=False)

    def shard(self, request):
        """The shard of a call that reads; None for an unknown iterator."""
        asked = request.json()
        if request.operation != "GetRecords":
            return asked["ShardId"]
        return self.of(asked["ShardIterator"])[0]

    def age(self, request):
        """Seconds since the iterator of this GetRecords was answered."""
        return request.arrived - self.of(request.json()["ShardIterator"])[1]

    def of(self, iterator):
        with self.lock:
            return self.iterators.get(iterator, (None, float("-inf")))

    def all(self):
        """Every read, in no order."""
        with self.lock:
            return [read for reads in self.reads.values() for read in reads]

    def longest_gap(self, since=float("-inf")):
        """(seconds, shard) of the longest time without a read of a shard by any worker, among the gaps that ended after
        `since`. The time since the last read counts; the time in which the emulator answers does not."""
        with self.lock:
            return max(
                (
                    (arrived - answered, shard)
                    for shard, reads in self.reads.items()
                    for answered, arrived in gaps(reads, time.monotonic())
                    if arrived >= since
                ),
                default=(0, None),
            )


def gaps(reads, now):
    """(end of the reads so far, begin of the next) for each read but the first, and for the time until now."""
    reads = sorted(reads)
    ends = itertools.accumulate((answered for _, answered in reads), max)
    return zip(ends, [arrived for arrived, _ in reads[1:]] + [now])


class ShardLimits(Layer):
    """All readers of a shard together may make 5 GetRecords calls and read 2 MB a second: after a reply of 10 MB the shard
    refuses all reads for 5 s (Kinesis Data Streams, "Quotas and limits" and API_GetRecords). `others`: how many of the
    calls a second other readers make.

    Calls are a token bucket of 5, filled with 5 a second. AWS does not document it more precisely. TOLERANCE_S allows for
    calls that arrive closer together than they were sent."""

    CALLS, BYTES = 5, 2_000_000
    TOLERANCE_S = 0.1

    def __init__(self, readers, others=0):
        super().__init__()
        self.readers, self.ours = readers, self.CALLS - others
        self.calls = {}  # shard: (calls that are left, as of)
        self.busy_until = collections.defaultdict(float)

    def may_read(self, shard, now):
        with self.lock:
            left, since = self.calls.get(shard, (self.CALLS, now))
            left = min(self.CALLS, left + (now - since) * self.ours)
            may = (
                left >= 1 - self.TOLERANCE_S * self.ours and now + self.TOLERANCE_S >= self.busy_until[shard]
            )
            self.calls[shard] = (left - may, now)
            return may

    def __call__(self, request, proceed):
        if request.operation != "GetRecords":
            return proceed(request)
        shard = self.readers.shard(request)
        if not self.may_read(shard, request.arrived):
            self.happens()
            return refusal(
                request,
                "ProvisionedThroughputExceededException",
                f"Rate exceeded for shard {shard} in stream x",
            )
        reply = proceed(request)
        if reply.status == 200:
            size = sum(len(record["Data"]) * 3 // 4 for record in reply.json()["Records"])
            with self.lock:
                begin = max(self.busy_until[shard], request.arrived)
                self.busy_until[shard] = begin + size / self.BYTES
        return reply


class IteratorLife(Layer):
    """Iterators older than `seconds` are refused. On AWS it is 5 minutes."""

    def __init__(self, readers, seconds):
        super().__init__()
        self.readers, self.seconds = readers, seconds

    def __call__(self, request, proceed):
        if request.operation != "GetRecords" or self.readers.age(request) <= self.seconds:
            return proceed(request)
        self.happens()
        return refusal(
            request, "ExpiredIteratorException", "Iterator expired. The iterator was created too long ago."
        )


class Lag(Layer):
    """MillisBehindLatest of every read is what `change(reply's content, now in ms)` returns. None leaves it out, as AWS
    may."""

    def __init__(self, change):
        super().__init__()
        self.change = change

    @staticmethod
    def of_aws(content, now_ms):
        """0 at the tip, else the age of the last of these records. The emulator counts from the last record of the shard
        instead, so that its lag does not grow while nothing is put."""
        if not content.get("MillisBehindLatest") or not content["Records"]:
            return content.get("MillisBehindLatest")
        return max(1, int(now_ms - content["Records"][-1]["ApproximateArrivalTimestamp"] * 1000))

    def __call__(self, request, proceed):
        reply = proceed(request)
        if request.operation == "GetRecords" and reply.status == 200:
            content = reply.json()
            lag = self.change(content, time.time() * 1000)
            content.pop("MillisBehindLatest", None)
            if lag is not None:
                content["MillisBehindLatest"] = lag
            self.happens()
            reply.set_json(content)
        return reply


class LateEnd(Layer):
    """The read that reaches the end of a shard is answered as at the tip of an open one: lag 0 and a next iterator. Only
    the read after it, which waits until `may_end` is set, gets the end. AWS may do so; the emulator ends a shard in the
    reply with its last records."""

    def __init__(self):
        super().__init__()
        self.may_end = threading.Event()
        self.ends = {}  # iterator: the reply with the end

    def __call__(self, request, proceed):
        if request.operation != "GetRecords":
            return proceed(request)
        if request.json()["ShardIterator"] in self.ends:
            self.may_end.wait()
            return self.ends[request.json()["ShardIterator"]]
        reply = proceed(request)
        if reply.status != 200 or reply.json().get("NextShardIterator"):
            return reply
        iterator, end = f"late-end-{next(NUMBERS)}", copy.deepcopy(reply)
        end.set_json({**reply.json(), "Records": []})
        reply.set_json({"Records": reply.json()["Records"], "NextShardIterator": iterator, "MillisBehindLatest": 0})
        self.ends[iterator] = end
        self.happens()
        return reply


class Trimmed(Layer):
    """Of each shard, the records up to a sequence number are trimmed: `{shard: sequence number}`. A read AT one of them
    begins at the trim horizon, and no reply shows it."""

    def __init__(self, up_to):
        super().__init__()
        self.up_to = up_to
        self.shards = set()  # that were read so

    def __call__(self, request, proceed):
        asked = request.json()
        last = self.up_to.get(asked.get("ShardId"))
        if request.operation != "GetShardIterator" or last is None:
            return proceed(request)
        kind, at = asked["ShardIteratorType"], int(asked.get("StartingSequenceNumber", 0))
        if kind == "TRIM_HORIZON" or (kind == "AT_SEQUENCE_NUMBER" and at <= int(last)):
            asked.update(ShardIteratorType="AFTER_SEQUENCE_NUMBER", StartingSequenceNumber=last)
            self.shards.add(asked["ShardId"])
            self.happens()
        return proceed(request.with_json(asked))


class Padding(Layer):
    """Every record is padded with spaces to `size` bytes, and a reply has at most 10 MB, as on AWS. For streams that are
    too large for the emulator, which takes a second for a megabyte."""

    REPLY_BYTES = 10_000_000

    def __init__(self, size):
        super().__init__()
        self.size = size

    def __call__(self, request, proceed):
        if request.operation != "GetRecords":
            return proceed(request)
        asked = request.json()
        asked["Limit"] = min(asked.get("Limit", 10_000), self.REPLY_BYTES // self.size)
        reply = proceed(request.with_json(asked))
        if reply.status == 200:
            content = reply.json()
            for record in content["Records"]:
                data = base64.b64decode(record["Data"])
                record["Data"] = base64.b64encode(data.ljust(self.size)).decode()
                self.happens()
            reply.set_json(content)
        return reply


# DynamoDB's indexes.


class LateIndex(Layer):
    """A Query of an index gets the oldest reply that the same Query had within the last `seconds`: the index is as late as
    it may be. DynamoDB's indexes are eventually consistent; the emulator's are never late."""

    def __init__(self, seconds):
        super().__init__()
        self.seconds = seconds
        self.answers = collections.defaultdict(collections.deque)  # request's body: (asked at, reply)

    def __call__(self, request, proceed):
        if request.operation != "Query" or "IndexName" not in request.json():
            return proceed(request)
        reply = proceed(request)
        if reply.status != 200:
            return reply
        with self.lock:
            known = self.answers[request.body]
            known.append((request.arrived, reply))
            while known and known[0][0] < time.monotonic() - self.seconds:
                known.popleft()
            oldest = known[0][1] if known else reply
            self.happened += oldest.body != reply.body
        return proxy.Reply(oldest.status, oldest.headers, oldest.body)


class IndexPartitions(Layer):
    """Each value of the hash key of the index of boards lies in a partition of its own, which writes `units` a second:
    1,000 on AWS (DynamoDB Developer Guide, "Partition key design"). A write of a score is 2 units there, for the entry
    moves. Where the index is too slow the table refuses the write (ibid., "GSI write throttling"). The emulator has no
    limits. `writes` has the times of the score writes that were not refused."""

    WRITE_UNITS, BURST_S = 2, 1

    def __init__(self, units):
        super().__init__()
        self.units = units
        self.left = {}  # by hash key: (units that are left, as of)
        self.writes = []

    @staticmethod
    def partition(request):
        asked = request.json()
        part = asked["ExpressionAttributeValues"].get(":p")
        return (part or asked["Key"]["role"])["S"]

    def may_write(self, partition, now):
        most = self.units * self.BURST_S
        with self.lock:
            left, since = self.left.get(partition, (most, now))
            left = min(most, left + (now - since) * self.units)
            may = left >= self.WRITE_UNITS
            self.left[partition] = (left - may * self.WRITE_UNITS, now)
            if may:
                self.writes.append(now)
            return may

    def __call__(self, request, proceed):
        if request.operation != "UpdateItem" or not request.json()["TableName"].endswith("-Scores"):
            return proceed(request)
        if self.may_write(self.partition(request), time.monotonic()):
            return proceed(request)
        self.happens()
        return refusal(
            request,
            "ProvisionedThroughputExceededException",
            "Throughput exceeds the current capacity of one or more global secondary indexes.",
        )


# The clock.


class ServerClock(Layer):
    """AWS's clock is `shift_s` ahead of ours, as its Date headers show. A request signed more than 5 minutes off is
    refused with HTTP 400, as expired or not yet current."""

    ALLOWED_S = 300

    def __init__(self, shift_s):
        super().__init__()
        self.shift_s = shift_s

    def now(self):
        return datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=self.shift_s)

    @staticmethod
    def signed_at(request):
        signed = datetime.datetime.strptime(request.header("X-Amz-Date"), "%Y%m%dT%H%M%SZ")
        return signed.replace(tzinfo=datetime.timezone.utc)

    def off_s(self, request):
        """How many seconds after now() the request was signed."""
        return (self.signed_at(request) - self.now()).total_seconds()

    def refused(self, request):
        signed, now, minutes = f"{self.signed_at(request):%Y%m%dT%H%M%SZ}", self.now(), self.ALLOWED_S // 60
        ago = self.off_s(request) < 0
        bound = now + datetime.timedelta(seconds=-self.ALLOWED_S if ago else self.ALLOWED_S)
        words = "expired: {} is now earlier than" if ago else "not yet current: {} is still later than"
        return refusal(
            request,
            "InvalidSignatureException",
            f"Signature {words.format(signed)} {bound:%Y%m%dT%H%M%SZ} "
            f"({now:%Y%m%dT%H%M%SZ} {'-' if ago else '+'} {minutes} min.)",
        )

    def __call__(self, request, proceed):
        if abs(self.off_s(request)) > self.ALLOWED_S:
            self.happens()
            reply = self.refused(request)
        else:
            reply = proceed(request)
        reply.headers.set("Date", email.utils.format_datetime(self.now(), usegmt=True))
        return reply
