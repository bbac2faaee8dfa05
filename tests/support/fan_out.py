"""Enhanced fan-out as AWS does it: a layer of a proxy (proxy.py) in front of a Kinesis that need not have it. It answers the
calls about consumers, and serves SubscribeToShard from GetRecords. kinesis-local's own push ends no shard and lets nobody
take over.

    pushing = fan_out.FanOut()
    with proxy.Proxy(emulators.kinesis_url, [pushing]) as p:
        pushing.script("shardId-000000000000", torn(100), silence())    # its next subscriptions (subscription_faults.py)
        pushing.refuse("RegisterStreamConsumer", "LimitExceededException", times=2)
        pushing.step(300)                           # its clock: subscriptions end after 5 minutes, ...
        pushing.subscriptions                       # all of them, in the order in which they began

A script is a function of a subscription's frames, or a Refused. `draw(shard, number)` returns that of a subscription for
which none was set, or None.

A put through the same proxy is pushed `delay_s` after its arrival, one past it also up to `tick_s` later.
"""

import collections
import dataclasses
import email.utils
import json
import threading
import time

import aws_behaviour
import eventstream
import proxy

CONSUMERS, CREATING = 20, 5  # of a stream; of those at once
REGISTRATIONS_PER_S = 5
MAX_KEPT = 20_000
OPERATIONS = {"RegisterStreamConsumer", "DescribeStreamConsumer", "DeregisterStreamConsumer", "SubscribeToShard"}
PUTS = {"PutRecord", "PutRecords"}
KINESIS = "Kinesis_20131202"


class Refused(Exception):
    def __init__(self, name, message="", status=400):
        super().__init__(name, message)
        self.name, self.message, self.status = name, message or f"{name} by the test", status


@dataclasses.dataclass
class Consumer:
    name: str
    arn: str
    stream: str  # its ARN
    created: float
    active_at: float
    gone_at: float = float("inf")

    def status(self, now):
        if self.gone_at != float("inf"):
            return "DELETING"
        return "ACTIVE" if now >= self.active_at else "CREATING"

    def described(self, now):
        return {
            "ConsumerName": self.name,
            "ConsumerARN": self.arn,
            "ConsumerStatus": self.status(now),
            "ConsumerCreationTimestamp": self.created,
        }


class Subscription:
    """One call that succeeded. `position`: what the client asked for. `ended`: why it ended, None before."""

    def __init__(self, pushing, consumer, shard, position):
        self.pushing, self.consumer, self.shard, self.position = pushing, consumer, shard, position
        self.began = self.last_event = pushing.now()
        self.events = self.records = 0
        self.ended = None
        self.last = None  # the sequence number of the last record
        self.pushed_at = None  # when it was sent, if nothing is late: monotonic

    def __str__(self):
        return f"{self.shard} {self.position}: {self.records} records in {self.events} events, {self.ended or 'open'}"

    def is_over(self):
        if not self.ended and self.pushing.now() >= self.began + self.pushing.life_s:
            self.ended = "expired"
        return self.ended is not None


class FanOut(aws_behaviour.Layer):
    """Times in seconds. `late_s`: all is sent by so much later than it was made, as if it waited in sockets. `end_alone`: the end of a shard is an event of its own, instead of one with the last records.
    `taken_over`: how a subscription ends that another took over: "exception", "end", or "nothing" (a zombie)."""

    def __init__(self, delay_s=0.0, tick_s=0.05, heartbeat_s=2.0, life_s=300.0, creating_s=0.05, in_use_s=5.0):
        super().__init__()
        self.delay_s, self.tick_s, self.heartbeat_s, self.life_s = delay_s, tick_s, heartbeat_s, life_s
        self.late_s = 0.0
        self.creating_s, self.in_use_s, self.floor_s, self.deleting_s = creating_s, in_use_s, 1.0, 0.05
        self.records_per_event, self.end_alone, self.taken_over = 1000, False, "exception"
        self.changed = threading.Condition(self.lock)
        self.stepped, self.puts, self.made = 0.0, 0, 0
        self.hurried = collections.Counter()  # shard: calls within a second of the one before
        self.consumers = {}  # by ARN
        self.subscriptions = collections.deque(maxlen=MAX_KEPT)
        self.open = {}  # (consumer's ARN, shard): the subscription that has not ended or been taken over
        self.asked = {}  # the same key: (when the last call came, when the last one succeeded)
        self.registered = collections.deque(maxlen=REGISTRATIONS_PER_S)
        self.positions = collections.OrderedDict()  # (shard, continuation number): the position that it stands for
        self.scripts, self.refusals = collections.defaultdict(collections.deque), []
        self.draw = lambda shard, number: None

    # For the test.

    def now(self):
        return time.monotonic() + self.stepped

    def step(self, seconds):
        with self.changed:
            self.stepped += seconds
            self.changed.notify_all()

    def script(self, shard, *scripts):
        with self.lock:
            self.scripts[shard] = collections.deque(scripts)

    def refuse(self, operation, name, status=400, times=1):
        """`times`: so many calls from now on; None: all, until `accept`."""
        with self.lock:
            self.refusals.append([operation, name, status, times])

    def accept(self, operation):
        with self.lock:
            self.refusals = [refusal for refusal in self.refusals if refusal[0] != operation]

    def forget(self, stream=None):
        """The consumers (of a stream) are gone at once, as by another program, or with their stream."""
        with self.changed:
            for arn, consumer in list(self.consumers.items()):
                if stream in (None, consumer.stream.rpartition("/")[2]):
                    del self.consumers[arn]
                    self.end_those_of(arn, "consumer gone")

    def add_consumer(self, stream, name):
        """As another program has, of the stream with this ARN. Returns the consumer's."""
        with self.lock:
            return self.add(stream, name, self.now())

    def is_open(self, shard):
        with self.lock:
            return any(at == shard for _, at in self.open)

    def of(self, shard):
        """Its subscriptions until now."""
        with self.lock:
            return [one for one in self.subscriptions if one.shard == shard]

    # Calls.

    def __call__(self, request, proceed):
        if request.operation in PUTS:
            return self.put(request, proceed)
        if request.operation not in OPERATIONS:
            return proceed(request)
        try:
            self.refuse_by_order(request.operation)
            answer = getattr(self, request.operation)(request, proceed)
        except Refused as why:
            return aws_behaviour.refusal(request, why.name, why.message, why.status)
        return answer if isinstance(answer, proxy.Reply) else success(answer)

    def put(self, request, proceed):
        reply = proceed(request)
        with self.changed:
            self.puts += 1
            self.changed.notify_all()
        return reply

    def refuse_by_order(self, operation):
        with self.lock:
            for refusal in self.refusals:
                if refusal[0] == operation and refusal[3] != 0:
                    refusal[3] = refusal[3] and refusal[3] - 1
                    self.happened += 1
                    raise Refused(*refusal[1:2], status=refusal[2])

    # Consumers.

    def RegisterStreamConsumer(self, request, proceed):
        asked, now = request.json(), self.now()
        stream, name = asked["StreamARN"], asked["ConsumerName"]
        described = call(request, proceed, "DescribeStreamSummary", StreamName=stream.rpartition("/")[2])
        if described.status != 200:
            return described
        with self.lock:
            self.admit_registration(stream, name, now)
            return {"Consumer": self.consumers[self.add(stream, name, now)].described(now)}

    def add(self, stream, name, now):
        number, self.made = 1_700_000_000 + self.made, self.made + 1
        arn = f"{stream}/consumer/{name}:{number}"
        self.consumers[arn] = Consumer(name, arn, stream, float(number), now + self.creating_s)
        return arn

    def admit_registration(self, stream, name, now):
        if len(self.registered) == REGISTRATIONS_PER_S and now - self.registered[0] < 1:
            raise Refused("LimitExceededException", "Rate exceeded for this account")
        self.registered.append(now)
        self.drop_gone(now)
        own = [consumer for consumer in self.consumers.values() if consumer.stream == stream]
        if any(consumer.name == name for consumer in own):
            raise Refused("ResourceInUseException", f"Consumer {name} exists already")
        if len(own) >= CONSUMERS or sum(consumer.status(now) == "CREATING" for consumer in own) >= CREATING:
            raise Refused("LimitExceededException", "You have reached the limit of consumers")

    def drop_gone(self, now):
        for arn in [arn for arn, consumer in self.consumers.items() if consumer.gone_at <= now]:
            del self.consumers[arn]

    def find(self, asked, now):
        """The consumer of a call. Under the lock."""
        self.drop_gone(now)
        for consumer in self.consumers.values():
            by_name = (asked.get("StreamARN"), asked.get("ConsumerName")) == (consumer.stream, consumer.name)
            if consumer.arn == asked.get("ConsumerARN") or by_name:
                return consumer
        raise Refused("ResourceNotFoundException", "Consumer not found")

    def DescribeStreamConsumer(self, request, _):
        now = self.now()
        with self.lock:
            found = self.find(request.json(), now)
            return {"ConsumerDescription": {**found.described(now), "StreamARN": found.stream}}

    def DeregisterStreamConsumer(self, request, _):
        now = self.now()
        with self.changed:
            found = self.find(request.json(), now)
            if found.status(now) == "DELETING":
                raise Refused("ResourceInUseException", "The consumer is being deleted")
            found.gone_at = now + self.deleting_s
            self.end_those_of(found.arn, "consumer gone")
        return proxy.Reply(200, [date()], b"")

    def end_those_of(self, arn, why):
        for key in [key for key in self.open if key[0] == arn]:
            self.open.pop(key).ended = why
        self.changed.notify_all()

    # Subscriptions.

    def SubscribeToShard(self, request, proceed):
        asked = request.json()
        shard, position = asked["ShardId"], asked["StartingPosition"]
        with self.changed:
            consumer, script = self.admit(asked)
            number = sum(one.shard == shard for one in self.subscriptions)
        script = script or self.draw(shard, number) or (lambda frames, _: frames)
        if isinstance(script, Refused):
            raise script
        subscription = Subscription(self, consumer, shard, position)
        iterator = self.iterator(subscription, request, proceed, self.meaning(shard, position))
        if iterator.status != 200:
            return iterator
        with self.changed:
            self.begin(subscription)
        read = lambda token: call(
            request, proceed, "GetRecords", ShardIterator=token, Limit=self.records_per_event
        )
        frames = Frames(subscription, iterator.json()["ShardIterator"], read)
        return proxy.StreamedReply(
            [("Content-Type", eventstream.CONTENT_TYPE), date()], self.tracked(subscription, script(frames.late(), frames))
        )

    def admit(self, asked):
        """(the consumer, the next script of the shard). Under the lock."""
        now, key = self.now(), (asked.get("ConsumerARN"), asked["ShardId"])
        consumer = self.find(asked, now)
        last, success = self.asked.get(key, (float("-inf"), float("-inf")))
        self.asked[key] = (now, success)
        if now - last < self.floor_s - aws_behaviour.ShardLimits.TOLERANCE_S:
            self.hurried[asked["ShardId"]] += 1
            raise Refused("LimitExceededException", "Rate exceeded for this consumer and shard")
        if consumer.status(now) != "ACTIVE":
            raise Refused("ResourceInUseException", f"The consumer is {consumer.status(now)}")
        if now - success < self.in_use_s:
            raise Refused("ResourceInUseException", "Another active subscription exists for this consumer")
        scripts = self.scripts[asked["ShardId"]]
        return consumer, scripts.popleft() if scripts else None

    def begin(self, subscription):
        """Takes over what is open. Under the lock."""
        key = subscription.consumer.arn, subscription.shard
        before = self.open.get(key)
        if before and self.taken_over != "nothing":
            before.ended = "taken over"
        self.open[key] = subscription
        self.asked[key] = (self.asked[key][0], subscription.began)
        self.subscriptions.append(subscription)
        self.changed.notify_all()

    def tracked(self, subscription, pieces):
        try:
            yield from pieces
        finally:
            with self.changed:
                key = subscription.consumer.arn, subscription.shard
                subscription.ended = subscription.ended or "the client left"
                if self.open.get(key) is subscription:
                    del self.open[key]

    # Positions. A continuation number is the number of no record, so that a client that takes it for one is found.

    def meaning(self, shard, position):
        with self.lock:
            return self.positions.get((shard, position.get("SequenceNumber")), position)

    def continuation(self, subscription):
        with self.lock:
            if subscription.last:
                number = str(int(subscription.last) + 1)
                stands_for = {"Type": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": subscription.last}
            else:
                self.made += 1
                number = str(49 * 10**54 + self.made)
                position = subscription.position
                stands_for = self.positions.get((subscription.shard, position.get("SequenceNumber")), position)
            self.positions[subscription.shard, number] = stands_for
            while len(self.positions) > MAX_KEPT:
                self.positions.popitem(last=False)
        return number

    def iterator(self, subscription, request, proceed, position):
        more = {"Timestamp": position["Timestamp"]} if "Timestamp" in position else {}
        if position.get("SequenceNumber"):
            more["StartingSequenceNumber"] = position["SequenceNumber"]
        stream = subscription.consumer.stream.rpartition("/")[2]
        return call(
            request, proceed, "GetShardIterator",
            StreamName=stream, ShardId=subscription.shard, ShardIteratorType=position["Type"], **more,
        )  # fmt: skip


class Frames:
    """The frames of one subscription. An empty one: there is nothing to send yet."""

    def __init__(self, subscription, iterator, read):
        self.subscription, self.pushing = subscription, subscription.pushing
        self.iterator, self.read = iterator, read
        self.ended = {}  # the children, at the end

    def all(self):
        yield eventstream.event("initial-response", {})
        while not self.subscription.is_over():
            seen = self.pushing.puts
            reply = self.read(self.iterator)
            if reply.status != 200:
                if "Throughput" in reply.json().get("__type", ""):
                    yield from self.pause(seen)
                    continue
                self.subscription.ended = "failed"
                yield exception_of(reply)
                return
            content = reply.json()
            records, self.iterator = content["Records"], content.get("NextShardIterator")
            if records:
                yield from self.of_records(records, content)
            elif self.iterator:
                yield from self.of_silence(content)
                yield from self.pause(seen)
            if not self.iterator and not self.subscription.is_over():
                yield self.last_event(content)
                return
        if self.subscription.ended in ("taken over", "consumer gone") and self.pushing.taken_over == "exception":
            gone = self.subscription.ended == "consumer gone"
            name = "ResourceNotFoundException" if gone else "ResourceInUseException"
            yield eventstream.exception(name, self.subscription.ended)

    def late(self):
        line = collections.deque()  # (when it is due, frame)
        for frame in self.all():
            if frame:
                line.append((time.monotonic() + self.pushing.late_s, frame))
            while line and line[0][0] <= time.monotonic():
                yield line.popleft()[1]
            yield b""
        for due, frame in line:
            time.sleep(max(0, due - time.monotonic()))
            yield frame

    def of_records(self, records, content):
        """Takes them out of the reply. At the end the last ones stay for the last event, if it is not to be alone."""
        is_end = not self.iterator and not self.pushing.end_alone
        while records and not self.subscription.is_over():
            wait_s = records[0]["ApproximateArrivalTimestamp"] + self.pushing.delay_s - time.time()
            if wait_s > 0:
                time.sleep(min(wait_s, self.pushing.delay_s))
            due = max(1, sum(self.is_due(record) for record in records))
            now, records[:] = records[:due], records[due:]
            if is_end and not records:
                records[:] = now
                return
            yield self.event(now, {} if records else content)

    def is_due(self, record):
        return record["ApproximateArrivalTimestamp"] + self.pushing.delay_s <= time.time()

    def of_silence(self, content):
        if self.pushing.now() - self.subscription.last_event >= self.pushing.heartbeat_s:
            yield self.event([], content)

    def pause(self, seen):
        with self.pushing.changed:
            self.pushing.changed.wait_for(
                lambda: self.pushing.puts != seen or self.subscription.is_over(), self.pushing.tick_s
            )
        yield b""

    def event(self, records, content, **more):
        """`content`: the reply in which they were; {} if it has more of them."""
        subscription = self.subscription
        if records:
            subscription.last, subscription.pushed_at = records[-1]["SequenceNumber"], time.monotonic()
        content = {"MillisBehindLatest": 1, **content, "Records": records}
        lag = aws_behaviour.Lag.of_aws(content, time.time() * 1000)
        subscription.last_event = self.pushing.now()
        subscription.events += 1
        subscription.records += len(records)
        more = more or {"ContinuationSequenceNumber": self.pushing.continuation(subscription)}
        return eventstream.event("SubscribeToShardEvent", {"Records": records, "MillisBehindLatest": lag, **more})

    def last_event(self, content):
        self.subscription.ended = "shard ended"
        return self.event(content["Records"], content, ChildShards=content.get("ChildShards") or [])


def date():
    return "Date", email.utils.formatdate(usegmt=True)


def success(content):
    headers = [("Content-Type", "application/x-amz-json-1.1"), date()]
    return proxy.Reply(200, headers, json.dumps(content).encode())


def call(request, proceed, operation, **content):
    """Another call to Kinesis, on the connection of this request."""
    other = request.with_json(content)
    other.headers = proxy.Headers(request.headers)
    other.headers.set("X-Amz-Target", f"{KINESIS}.{operation}")
    return proceed(other)


def exception_of(reply):
    content = reply.json()
    return eventstream.exception(content.get("__type", "InternalFailureException"), content.get("message") or "")
