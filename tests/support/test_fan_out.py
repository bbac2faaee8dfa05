"""Enhanced fan-out in front of the fake stream, as boto3 and as a plain client see it."""

import contextlib
import http.client
import io
import json
import threading
import time

import cloud
import eventstream
import fake_emulator
import fake_stream
import fan_out
import proxy
import pytest
import subscription_faults
import wait
from workload import Put

HORIZON = {"Type": "TRIM_HORIZON"}


class Part:
    """Two shards of a stream, for one test."""

    def __init__(self, whole, number):
        self.whole, self.shards = whole, whole.shards[2 * number : 2 * number + 2]

    def __getattr__(self, name):
        return getattr(self.whole, name)


@pytest.fixture(scope="module")
def parts():
    with fake_stream.FakeStream(shards=100) as running:
        yield (Part(running, number) for number in range(50))


@pytest.fixture
def stream(parts):
    return next(parts)


@pytest.fixture
def pushing():
    return fan_out.FanOut(tick_s=0.01, heartbeat_s=0.1, creating_s=0)


@pytest.fixture
def through(stream, pushing):
    with proxy.Proxy(stream.url, [pushing]) as running:
        yield running


@pytest.fixture
def kinesis(stream, through):
    return cloud.client("kinesis", {**stream.environment(), "AWS_ENDPOINT_URL_KINESIS": through.url})


def stream_arn(stream):
    return stream.call("DescribeStreamSummary")["StreamDescriptionSummary"]["StreamARN"]


@pytest.fixture
def consumer(stream, kinesis):
    return kinesis.register_stream_consumer(StreamARN=stream_arn(stream), ConsumerName="view")["Consumer"]["ConsumerARN"]


def put(kinesis, stream, shard, *data):
    (key,) = stream.keys(shard, 1)
    return [sequence for _, sequence in cloud.put(kinesis, stream.name, [Put(key, one, "") for one in data])]


class Subscriber:
    """A client of the bytes of one call."""

    def __init__(self, through, consumer, shard, position=HORIZON):
        self.connection = http.client.HTTPConnection("127.0.0.1", through.port, timeout=10)
        asked = {"ConsumerARN": consumer, "ShardId": shard, "StartingPosition": position}
        headers = {"X-Amz-Target": "Kinesis_20131202.SubscribeToShard"}
        self.connection.request("POST", "/", json.dumps(asked), headers)
        self.reply = self.connection.getresponse()
        self.status = self.reply.status

    def refusal(self):
        assert self.status == 400
        return json.loads(self.reply.read())["__type"]

    def frames(self):
        """(kind, name, content) of each frame but the first, which is none of a shard's."""
        frames = eventstream.read(self.reply)
        assert next(frames)[0][":event-type"] == "initial-response"
        for headers, payload in frames:
            kind = headers[":message-type"]
            name = headers.get(":event-type") or headers.get(":exception-type") or headers[":error-code"]
            yield kind, name, json.loads(payload or b"{}")

    def events(self):
        for kind, name, content in self.frames():
            assert (kind, name) == ("event", "SubscribeToShardEvent"), (kind, name, content)
            yield content

    def data(self, count):
        """The first so many records."""
        found = []
        for event in self.events():
            found += [record["SequenceNumber"] for record in event["Records"]]
            if len(found) >= count:
                return found
        return found

    def close(self):
        self.connection.close()
        self.reply.close()


@pytest.fixture
def subscribe(through, consumer):
    with contextlib.ExitStack() as stack:
        yield lambda *arguments: stack.enter_context(contextlib.closing(Subscriber(through, consumer, *arguments)))


# Consumers.


def test_a_consumer_is_created_found_by_name_or_arn_and_gone_after_it_was_deregistered(stream, pushing, kinesis):
    pushing.creating_s = 60
    arn = stream_arn(stream)
    made = kinesis.register_stream_consumer(StreamARN=arn, ConsumerName="view")["Consumer"]
    assert made["ConsumerStatus"] == "CREATING"
    with pytest.raises(kinesis.exceptions.ResourceInUseException):
        kinesis.register_stream_consumer(StreamARN=arn, ConsumerName="view")
    pushing.step(60)
    for asked in ({"StreamARN": arn, "ConsumerName": "view"}, {"ConsumerARN": made["ConsumerARN"]}):
        found = kinesis.describe_stream_consumer(**asked)["ConsumerDescription"]
        assert (found["ConsumerStatus"], found["ConsumerARN"]) == ("ACTIVE", made["ConsumerARN"])
    kinesis.deregister_stream_consumer(ConsumerARN=made["ConsumerARN"])
    pushing.step(1)
    with pytest.raises(kinesis.exceptions.ResourceNotFoundException):
        kinesis.describe_stream_consumer(ConsumerARN=made["ConsumerARN"])


def test_five_consumers_at_once_may_be_creating_and_twenty_may_be_there(stream, pushing, through):
    pushing.creating_s, arn = 60, stream_arn(stream)
    client = fake_emulator.Client(through.port)  # boto3 tries again for seconds

    def register(number):
        asked = {"StreamARN": arn, "ConsumerName": f"view-{number}"}
        return client.call(f"{fan_out.KINESIS}.RegisterStreamConsumer", asked)[1].get("__type")

    with contextlib.closing(client):
        for begin in range(0, 20, 5):
            assert [register(number) for number in range(begin, begin + 5)] == [None] * 5
            pushing.step(2)
            assert register(100) == "LimitExceededException"
            pushing.step(60)
        assert register(100) == "LimitExceededException"


def test_a_call_is_refused_as_ordered(stream, pushing, kinesis):
    pushing.refuse("RegisterStreamConsumer", "AccessDeniedException")
    with pytest.raises(kinesis.exceptions.ClientError, match="AccessDenied"):
        kinesis.register_stream_consumer(StreamARN=stream_arn(stream), ConsumerName="view")
    kinesis.register_stream_consumer(StreamARN=stream_arn(stream), ConsumerName="view")


# A subscription.


def test_boto3_gets_the_records_of_a_shard_as_events(stream, kinesis, consumer):
    shard = stream.shards[0]
    sequences = put(kinesis, stream, shard, b"one", b"two")
    reply = kinesis.subscribe_to_shard(ConsumerARN=consumer, ShardId=shard, StartingPosition=HORIZON)
    with contextlib.closing(reply["EventStream"]) as events:
        event = next(iter(events))["SubscribeToShardEvent"]
    assert [(r["SequenceNumber"], r["Data"]) for r in event["Records"]] == list(zip(sequences, (b"one", b"two")))
    assert event["MillisBehindLatest"] == 0 and event["ContinuationSequenceNumber"] not in sequences


def test_a_put_is_pushed_after_the_delay_of_the_stream(stream, pushing, kinesis, subscribe):
    pushing.delay_s = 0.3
    events = subscribe(stream.shards[0]).events()
    next(events)
    begin = time.time()
    put(kinesis, stream, stream.shards[0], b"one")
    assert any(event["Records"] for event in events) and time.time() - begin >= 0.299


def test_heartbeats_have_no_records_and_continue_where_the_subscription_is(stream, pushing, kinesis, subscribe):
    shard = stream.shards[0]
    first, second = put(kinesis, stream, shard, b"one", b"two")
    events = subscribe(shard, {"Type": "AT_SEQUENCE_NUMBER", "SequenceNumber": second}).events()
    event = next(event for event in events if not event["Records"])
    assert event["MillisBehindLatest"] == 0
    (third,) = put(kinesis, stream, shard, b"three")
    pushing.step(10)
    after = {"Type": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": event["ContinuationSequenceNumber"]}
    assert subscribe(shard, after).data(1) == [third]


def test_a_continuation_before_any_record_loses_none(stream, pushing, kinesis, subscribe):
    shard = stream.shards[1]
    number = next(subscribe(shard).events())["ContinuationSequenceNumber"]
    sequences = put(kinesis, stream, shard, b"one")
    for _ in range(2):
        pushing.step(10)
        again = subscribe(shard, {"Type": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": number})
        assert again.data(1) == sequences


@pytest.mark.parametrize("end_alone", (False, True))
def test_a_shard_ends_with_its_children(stream, pushing, kinesis, subscribe, end_alone):
    pushing.end_alone, shard = end_alone, stream.shards[0]
    sequences = put(kinesis, stream, shard, b"one", b"two")
    cloud.Stream(kinesis, stream.name).split(shard)
    events = list(subscribe(shard).events())
    assert len(events) == 1 + end_alone
    assert [record["SequenceNumber"] for event in events for record in event["Records"]] == sequences
    assert len(events[-1]["ChildShards"]) == 2 and "ContinuationSequenceNumber" not in events[-1]
    assert pushing.subscriptions[0].ended == "shard ended"


def test_a_subscription_ends_after_five_minutes(stream, pushing, subscribe):
    one = subscribe(stream.shards[0])
    events = one.events()
    next(events)
    pushing.step(300)
    assert all(not event["Records"] for event in events)
    assert pushing.subscriptions[0].ended == "expired"


# Calls side by side.


def test_a_shard_is_asked_for_once_a_second_and_once_in_five(stream, pushing, subscribe):
    first = subscribe(stream.shards[0])
    assert first.status == 200 and subscribe(stream.shards[1]).status == 200
    assert subscribe(stream.shards[0]).refusal() == "LimitExceededException"
    pushing.step(1)
    assert subscribe(stream.shards[0]).refusal() == "ResourceInUseException"


@pytest.mark.parametrize("way, kind", (("exception", "exception"), ("end", None)))
def test_after_five_seconds_another_call_takes_over(stream, pushing, subscribe, way, kind):
    pushing.taken_over = way
    first = subscribe(stream.shards[0])
    pushing.step(5)
    second = subscribe(stream.shards[0])
    assert second.status == 200
    frames = [frame for frame in first.frames() if frame[0] != "event"]
    assert [(found, name) for found, name, _ in frames] == ([(kind, "ResourceInUseException")] if kind else [])
    assert [one.ended for one in pushing.subscriptions] == ["taken over", None]


def test_nobody_subscribes_before_the_consumer_is_active_or_after_it_is_gone(stream, pushing, kinesis, through):
    pushing.creating_s = 60
    made = kinesis.register_stream_consumer(StreamARN=stream_arn(stream), ConsumerName="view")["Consumer"]
    subscriber = lambda: contextlib.closing(Subscriber(through, made["ConsumerARN"], stream.shards[0]))
    with subscriber() as early:
        assert early.refusal() == "ResourceInUseException"
    pushing.step(60)
    with subscriber() as one:
        frames = one.frames()
        assert next(frames)[0] == "event"
        pushing.forget(stream.name)
        assert [name for kind, name, _ in frames if kind == "exception"] == ["ResourceNotFoundException"]
    with subscriber() as late:
        assert late.refusal() == "ResourceNotFoundException"


def test_a_client_that_leaves_is_noticed(stream, pushing, subscribe):
    one = subscribe(stream.shards[0])
    wait.until(lambda: pushing.is_open(stream.shards[0]), "open")
    one.close()
    wait.until(lambda: not pushing.is_open(stream.shards[0]), "closed")
    assert pushing.subscriptions[0].ended == "the client left"


# Scripts.


def scripted(pushing, stream, kinesis, subscribe, script):
    shard = stream.shards[0]
    pushing.script(shard, script)
    put(kinesis, stream, shard, b"one", b"two")
    return subscribe(shard)


def test_a_call_may_be_refused_in_its_status(pushing, stream, kinesis, subscribe):
    one = scripted(pushing, stream, kinesis, subscribe, subscription_faults.refused("ProvisionedThroughputExceededException"))
    assert one.refusal() == "ProvisionedThroughputExceededException"
    pushing.step(1)
    assert subscribe(stream.shards[0]).status == 200, "a refused call takes nothing"


@pytest.mark.parametrize(
    "script, last",
    (
        (subscription_faults.exception("KMSThrottlingException", events=1), ("exception", "KMSThrottlingException")),
        (subscription_faults.error("InternalError", events=1), ("error", "InternalError")),
        (subscription_faults.ended(events=1), ("event", "SubscribeToShardEvent")),
        (subscription_faults.no_children(events=1), ("event", "SubscribeToShardEvent")),
    ),
    ids=("exception", "error", "end", "no-children"),
)
def test_a_subscription_may_end_early(pushing, stream, kinesis, subscribe, script, last):
    frames = list(scripted(pushing, stream, kinesis, subscribe, script).frames())
    assert len(frames[0][2]["Records"]) == 2 and frames[-1][:2] == last


@pytest.mark.parametrize("script", (subscription_faults.torn(300), subscription_faults.reset(events=1)), ids=("torn", "reset"))
def test_a_connection_may_break(pushing, stream, kinesis, subscribe, script):
    one = scripted(pushing, stream, kinesis, subscribe, script)
    with pytest.raises((http.client.IncompleteRead, ConnectionResetError)):
        one.reply.read()


def test_a_body_may_end_in_the_middle_of_a_frame(pushing, stream, kinesis, subscribe):
    one = scripted(pushing, stream, kinesis, subscribe, subscription_faults.torn(300, is_clean=True))
    assert len(one.reply.read()) == 300


def test_one_byte_may_be_another(pushing, stream, kinesis, subscribe):
    one = scripted(pushing, stream, kinesis, subscribe, subscription_faults.corrupted(40))
    with pytest.raises(AssertionError):
        list(one.frames())


@pytest.mark.parametrize("script", (subscription_faults.silence(1), subscription_faults.half_open(1)), ids=("silence", "half-open"))
def test_a_subscription_may_stay_open_without_events(pushing, stream, kinesis, subscribe, script):
    one = scripted(pushing, stream, kinesis, subscribe, script)
    one.connection.sock.settimeout(0.5)
    with pytest.raises(TimeoutError):
        assert len(list(one.frames())) == 1


def test_silence_ends_with_the_subscription_and_a_half_open_connection_does_not(pushing, stream, kinesis, subscribe):
    pushing.script(stream.shards[1], subscription_faults.half_open(1))
    other = subscribe(stream.shards[1]).frames()
    frames = scripted(pushing, stream, kinesis, subscribe, subscription_faults.silence(1)).frames()
    next(other), next(frames)
    ended = threading.Thread(target=lambda: list(frames), daemon=True)
    ended.start()
    pushing.step(300)
    ended.join(10)
    assert not ended.is_alive()
    assert [bool(one.ended) for one in pushing.subscriptions] == [False, True]


def test_events_may_arrive_all_at_once_or_byte_by_byte(pushing, stream, kinesis, subscribe):
    pushing.records_per_event = 1
    pushing.script(stream.shards[1], subscription_faults.in_pieces(1))
    sequences = {shard: put(kinesis, stream, shard, *[b"x"] * 11) for shard in stream.shards}
    one = scripted(pushing, stream, kinesis, subscribe, subscription_faults.burst(11))
    burst = io.BytesIO(one.reply.read1(1 << 20))
    assert len(list(eventstream.read(burst))) == 12
    assert subscribe(stream.shards[1]).data(11) == sequences[stream.shards[1]]
