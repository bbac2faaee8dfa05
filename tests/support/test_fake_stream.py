"""The fake stream, as a client sees it."""

import concurrent.futures
import http.client
import time

import cloud
import fake_stream
import pytest
import wait
from workload import Put


@pytest.fixture(scope="module")
def stream():
    with fake_stream.FakeStream(shards=4) as running:
        yield running


@pytest.fixture(scope="module")
def kinesis(stream):
    return cloud.client("kinesis", stream.environment())


def iterator(kinesis, stream, shard):
    asked = {"StreamName": stream.name, "ShardId": shard, "ShardIteratorType": "TRIM_HORIZON"}
    return kinesis.get_shard_iterator(**asked)["ShardIterator"]


def test_boto3_puts_and_reads_each_record_in_the_order_of_its_shard(stream, kinesis):
    puts = [Put(f"key-{n}", b"data %d" % n, "") for n in range(100)]
    positions = cloud.put(kinesis, stream.name, puts)
    read = cloud.read_stream(kinesis, stream.name)
    assert {(r.shard, r.sequence): r.data for r in read} == {p: put.data for p, put in zip(positions, puts)}
    assert list(stream.records()) == [record._replace(arrived_ms=None) for record in read]


def test_a_reply_has_at_most_limit_records_and_ten_megabytes_and_shows_its_lag(stream, kinesis):
    (key,) = stream.keys(stream.shards[1], 1)
    stream.fill({stream.shards[1]: [Put(key, b"x" * 1_000_000, "")]}, times=30)
    token = iterator(kinesis, stream, stream.shards[1])
    few = kinesis.get_records(ShardIterator=token, Limit=2)
    assert len(few["Records"]) == 2 and few["MillisBehindLatest"] > 0
    full = kinesis.get_records(ShardIterator=few["NextShardIterator"])
    assert 9 <= sum(len(record["Data"]) for record in full["Records"]) / 1_000_000 <= 10


def test_a_load_is_put_at_its_rate(stream):
    shard = stream.shards[2]
    (key,) = stream.keys(shard, 1)
    begin, records = time.monotonic(), lambda: stream.counts()["records"][shard]
    before = records()
    stream.load({shard: [Put(key, b"x", "")]}, per_s=200)
    wait.until(lambda: records() >= before + 100, "half a second of records")
    stream.load({shard: [Put(key, b"x", "")]}, per_s=0)
    assert records() - before <= (time.monotonic() - begin) * 200 + 1


def test_a_split_shard_ends_with_its_children(stream, kinesis):
    parent = stream.shards[3]
    cloud.Stream(kinesis, stream.name).split(parent)
    token = iterator(kinesis, stream, parent)
    while token:
        reply = kinesis.get_records(ShardIterator=token)
        token = reply.get("NextShardIterator")
    children = [child["ShardId"] for child in reply["ChildShards"]]
    assert len(children) == 2 and set(children) <= set(cloud.shard_ids(kinesis, stream.name))


def read(stream, shard, **more):
    """(seconds, the reply or the name of the refusal)"""
    asked = {"StreamName": stream.name, "ShardId": shard, "ShardIteratorType": "TRIM_HORIZON"}
    token = stream.call("GetShardIterator", **asked)["ShardIterator"]
    begin = time.monotonic()
    try:
        reply = stream.call("GetRecords", ShardIterator=token, **more)
    except AssertionError as refused:
        reply = refused
    return time.monotonic() - begin, reply


def test_faults_happen_to_the_reads_of_their_shard_only_until_they_end(stream):
    first, other = stream.shards[0], stream.shards[2]
    stream.fault([first], fake_stream.throttled(times=1), fake_stream.expired())
    assert "ProvisionedThroughputExceededException" in str(read(stream, first))
    assert "ExpiredIteratorException" in str(read(stream, first))
    assert "Records" in read(stream, other)[1]
    stream.fault([first])
    assert "Records" in read(stream, first)[1]


def test_a_slow_reply_takes_its_time(stream):
    shard = stream.shards[1]
    stream.fill({shard: [Put("any", b"x" * 1_000_000, "")]}, times=10)
    stream.fault([shard], fake_stream.slow(10_000_000))
    seconds, reply = read(stream, shard)
    assert len(reply["Records"]) > 5 and seconds > 0.8
    stream.fault([shard])


def test_a_reply_that_hangs_is_reset_when_the_fault_ends(stream):
    shard = stream.shards[0]
    stream.fault([shard], fake_stream.hang())
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(read, stream, shard)
        wait.until(lambda: stream.counts()["held"].get(shard), "a read that hangs")
        stream.fault([shard])
        with pytest.raises((OSError, http.client.HTTPException)):
            waiting.result(10)
