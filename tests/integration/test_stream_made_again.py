"""A stream that is deleted and made again under its name is another stream. Nothing of it gets into the view of the first
one: a worker that runs ends. (At the start it is refused: test_tables.py.) AWS refuses iterators and positions of a stream
that is gone; the emulator, and the layers here, go on with them."""

import datetime
import time

import aws_behaviour
import cloud
import pytest
import wait
import workload
from pairs import KinesisDynamodb

FAILOVER = ("--failover-ms", "1000")  # shards are listed every three failover times
EVENTS = workload.generate(seed=51, events=300)
AGAIN = workload.generate(seed=52, events=300)


@pytest.fixture
def pair(aws, tables, stream):
    return KinesisDynamodb(aws, tables, stream)


@pytest.fixture
def start_here(start_through, tables, stream):
    return lambda: start_through(tables, stream, *FAILOVER)


class Accepting(aws_behaviour.Layer):
    """An emulator that takes any iterator and any position: what it does not find, it reads from the trim horizon."""

    def __init__(self, stream, readers):
        super().__init__()
        self.stream, self.readers = stream, readers

    def from_horizon(self, request, shard):
        asked = {"StreamName": self.stream, "ShardId": shard, "ShardIteratorType": "TRIM_HORIZON"}
        request = request.with_json(asked)
        request.headers = type(request.headers)(request.headers)
        request.headers.set("X-Amz-Target", "Kinesis_20131202.GetShardIterator")
        return request

    def __call__(self, request, proceed):
        reply = proceed(request)
        if reply.status == 200 or request.operation not in ("GetShardIterator", "GetRecords"):
            return reply
        self.happens()
        again = proceed(self.from_horizon(request, self.readers.shard(request)))
        if request.operation == "GetShardIterator" or again.status != 200:
            return again
        return proceed(request.with_json({"ShardIterator": again.json()["ShardIterator"]}))


def created(pair):
    """When the stream was created, as the program writes it."""
    summary = pair.aws.kinesis.describe_stream_summary(StreamName=pair.stream)["StreamDescriptionSummary"]
    return f"{summary['StreamCreationTimestamp'].astimezone(datetime.timezone.utc):%Y-%m-%dT%H:%M:%S.%f}"[:-3]


def make_again(pair, shards=3):
    cloud.delete_stream(pair.aws.kinesis, pair.stream)
    cloud.create_stream(pair.aws.kinesis, pair.stream, shards)


def rows(pair):
    return pair.contributions(), pair.scores()


def assert_ends(daemon, *created):
    assert daemon.process.wait(60) == 1
    for named in (*created, "another stage"):
        assert named in daemon.log()


def test_a_shard_whose_iterator_expired_reads_nothing_of_the_new_stream(pair, proxies, start_here):
    """The shards were empty, so that the new iterators are at the trim horizon, and no call fails."""
    proxies.kinesis.layers = [readers := aws_behaviour.Readers()]
    before = created(pair)
    daemon = start_here()
    daemon.wait_until_applied()

    def expire(request):
        if request.operation == "GetRecords" and request.arrived - readers.age(request) < made:
            return aws_behaviour.refusal(request, "ExpiredIteratorException", "Iterator expired.")

    with proxies.kinesis.hanging():
        make_again(pair)
        pair.put(EVENTS)
        made, proxies.kinesis.on_request = time.monotonic(), expire
    assert_ends(daemon, before, created(pair))
    assert rows(pair) == ([], [])


def test_shards_that_the_first_stream_did_not_have_are_not_read(pair, proxies, start_here):
    """The new stream has records in those only: no call of a shard's reader fails."""
    before = created(pair)
    daemon = start_here()
    daemon.wait_until_applied()
    with proxies.kinesis.hanging():
        make_again(pair, shards=6)
        new = cloud.shard_ranges(pair.aws.kinesis, pair.stream)["shardId-000000000004"]
        records = [
            {"Data": event.data, "PartitionKey": event.partition_key, "ExplicitHashKey": str(new[0])} for event in EVENTS
        ]
        pair.aws.kinesis.put_records(StreamName=pair.stream, Records=records)
    assert_ends(daemon, before, created(pair))
    assert rows(pair) == ([], []) and sorted(pair.leases()) == KinesisDynamodb.shards


def test_no_shard_reads_on_where_positions_of_the_first_stream_are_accepted(pair, proxies, start_here):
    readers = aws_behaviour.Readers()
    proxies.kinesis.layers = [accepting := Accepting(pair.stream, readers), readers]
    before = created(pair)
    pair.put(EVENTS)
    daemon = start_here()
    daemon.wait_until_applied()
    expected = rows(pair)
    with proxies.kinesis.hanging():
        make_again(pair)
        pair.put(AGAIN)
    assert_ends(daemon, before, created(pair))
    assert accepting.happened and rows(pair) == expected


def test_a_deleted_stream_is_awaited_and_one_made_again_is_refused(pair, start_here):
    before = created(pair)
    pair.put(EVENTS)
    daemon = start_here()
    daemon.wait_until_applied()
    expected = rows(pair)
    cloud.delete_stream(pair.aws.kinesis, pair.stream)
    wait.until(lambda: "is gone" in str(daemon.health()["troubles"]), "trouble with the stream")
    assert daemon.get("/readyz").status == 200
    cloud.create_stream(pair.aws.kinesis, pair.stream)
    pair.put(AGAIN)
    assert_ends(daemon, before, created(pair))
    assert rows(pair) == expected
