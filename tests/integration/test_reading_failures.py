"""A stream that refuses, throttles or has lost records: the effect of each on the process and the rows."""

import json
import random
import time

import cloud
import pytest
import wait
import workload
from aws_behaviour import Trimmed, refusal
from model import fold
from pairs import KinesisDynamodb, assert_equal_to_model

FOREIGN = "StartingSequenceNumber 7 used in GetShardIterator is invalid because it did not come from this stream."


@pytest.fixture
def pair(aws, tables, stream):
    return KinesisDynamodb(aws, tables, stream)


@pytest.fixture
def start_here(start_through, tables, stream):
    return lambda *options: start_through(tables, stream, *options)


def wait_and_compare_rows(daemon, pair):
    daemon.wait_until_applied()
    assert_equal_to_model(pair, fold(pair.records()), daemon.dead_letters())


def test_a_position_of_another_stream_ends_the_process(pair, proxies, start_here):
    pair.put(workload.generate(seed=31, events=300))
    daemon = start_here()
    wait_and_compare_rows(daemon, pair)
    assert daemon.terminate()[0] == 0
    before = pair.contributions(), pair.scores(), pair.leases()

    def refuse(request):
        is_positioned = request.operation == "GetShardIterator" and "StartingSequenceNumber" in request.json()
        return refusal(request, "InvalidArgumentException", FOREIGN) if is_positioned else None

    proxies.kinesis.on_request = refuse
    daemon = start_here()
    assert daemon.process.wait(30) == 1
    assert FOREIGN in daemon.log()
    assert (pair.contributions(), pair.scores()) == before[:2]
    for shard, lease in pair.leases().items():  # released, with an unchanged checkpoint
        assert "leaseOwner" not in lease
        assert cloud.checkpoint(lease) == cloud.checkpoint(before[2][shard])


def test_a_stream_full_of_failures_is_read_to_its_end(pair, proxies, start_here):
    rng = random.Random(33)
    failures = [
        lambda request: refusal(request, "ProvisionedThroughputExceededException", "Rate exceeded"),
        lambda request: refusal(request, "KMSThrottlingException", "Rate exceeded"),
        lambda request: refusal(request, "ExpiredIteratorException", "Iterator expired."),
        lambda request: refusal(request, "InternalFailureException", "", 500),
        lambda request: (503, b""),
        lambda request: (200, b'{"Records":[{"Seq'),
    ]

    def fail(request):
        is_read = request.operation in ("GetRecords", "GetShardIterator")
        return rng.choice(failures)(request) if is_read and rng.random() < 0.5 else None

    proxies.kinesis.on_request = fail
    puts = workload.generate(seed=34, events=600)
    daemon = start_here()
    for begin in range(0, len(puts), 100):
        pair.put(puts[begin : begin + 100])
        daemon.wait_until_applied()
    wait_and_compare_rows(daemon, pair)
    assert daemon.metric("winner_view_source_expired_iterators_total") > 0
    assert daemon.metric("winner_view_source_throttles_total") > 0
    assert daemon.metric("winner_view_source_losses_total") == 0


def test_a_checkpoint_out_of_retention_is_a_trouble_and_reading_continues(pair, proxies, start_here):
    pair.put(workload.generate(seed=35, events=300))
    daemon = start_here()
    wait_and_compare_rows(daemon, pair)
    assert daemon.terminate()[0] == 0

    def refuse(request):
        is_positioned = request.operation == "GetShardIterator" and "StartingSequenceNumber" in request.json()
        return refusal(request, "InvalidArgumentException", "StartingSequenceNumber has expired") if is_positioned else None

    proxies.kinesis.on_request = refuse
    daemon = start_here()
    pair.put(workload.generate(seed=36, events=300))
    wait_and_compare_rows(daemon, pair)
    lost = [trouble for trouble in daemon.health()["troubles"] if trouble["name"].startswith("loss ")]
    assert len(lost) == 3 and all("trim horizon" in trouble["reason"] for trouble in lost)
    assert daemon.metric("winner_view_source_losses_total") == 3


@pytest.mark.parametrize("hours_ago, losses", [(25, 3), (None, 3), (22, 0)])
def test_a_trimmed_checkpoint_is_a_loss_unless_all_that_was_trimmed_had_been_read(
    aws, pair, proxies, start_here, hours_ago, losses
):
    """Kinesis does not report it: a read AT the checkpoint begins at the trim horizon, a day back. The lease's asOf decides:
    the checkpoint of an idle shard may be trimmed without a loss."""
    pair.put(workload.generate(seed=38, events=300))
    daemon = start_here()
    wait_and_compare_rows(daemon, pair)
    assert daemon.terminate()[0] == 0
    for lease in pair.leases().values():
        cloud.set_as_of(aws.dynamodb, pair.name, lease["leaseKey"], hours_ago and time.time() - hours_ago * 3600)
    trimmed = Trimmed({shard: lease["checkpoint"] for shard, lease in pair.leases().items()})
    proxies.kinesis.layers = [trimmed]
    pair.put(workload.generate(seed=39, events=300))
    daemon = start_here()
    wait_and_compare_rows(daemon, pair)
    assert trimmed.shards == set(trimmed.up_to)  # perhaps more than once: a slow call is made again
    lost = [trouble for trouble in daemon.health()["troubles"] if trouble["name"].startswith("loss ")]
    assert len(lost) == losses == daemon.metric("winner_view_source_losses_total")
    assert all("checkpoint" in trouble["reason"] for trouble in lost)


def test_a_shard_that_no_longer_exists_ends(aws, pair, stream, proxies, start_here):
    """The listing has neither the shard nor a child of it."""
    pair.put(workload.generate(seed=37, events=300))
    daemon = start_here()
    wait_and_compare_rows(daemon, pair)
    shards = aws.kinesis.list_shards(StreamName=stream)["Shards"]
    gone = shards[1]["ShardId"]
    rest = json.dumps({"Shards": [shard for shard in shards if shard["ShardId"] != gone]}).encode()

    def hide(request):
        if request.operation == "ListShards":
            return 200, rest
        if request.operation == "GetShardIterator" and request.json()["ShardId"] == gone:
            return refusal(request, "ResourceNotFoundException", f"Shard {gone} does not exist")
        return None

    assert daemon.terminate()[0] == 0
    proxies.kinesis.on_request = hide
    daemon = start_here("--failover-ms", "1000")
    wait.until(lambda: pair.leases()[gone]["checkpoint"] == "SHARD_END", f"the end of {gone}", seen=daemon.log_tail)
    wait_and_compare_rows(daemon, pair)
    assert daemon.metric("winner_view_source_losses_total", shard=gone) == 1
