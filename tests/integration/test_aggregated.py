"""Streams written by the Kinesis Producer Library: many events in a record, plain ones between them."""

import random

import aggregated
import cloud
import kpl
import pytest
import small_shop
import workload
from kill_at_write import KillAtWrite
from model import fold
from pairs import KinesisDynamodb, assert_equal_to_model

KILLS = 6


def put_packed(aws, stream, puts):
    """Returns the stream's records, the parts in them as the model must see them, and the model's result."""
    cloud.put(aws.kinesis, stream, puts)
    records = cloud.read_stream(aws.kinesis, stream)
    parts = list(aggregated.take_apart(records, cloud.shard_ranges(aws.kinesis, stream)))
    return records, parts, fold(parts)


def assert_counted(daemon, records, parts):
    """The metrics count the parts and strays that the stream has."""
    whole = [record for record in records if aggregated.is_one(record.data)]
    broken = sum(record.broken for record in parts)
    kept = len(parts) - broken - (len(records) - len(whole))
    total = daemon.metric("winner_view_source_parts_total")
    assert total - daemon.metric("winner_view_source_stray_parts_total") == kept
    assert total > kept > 0 and broken > 0
    assert daemon.metric("winner_view_dead_letters_total", reason="broken-aggregate") == broken
    assert daemon.metric("winner_view_source_records_total") == len(records)


def test_packed_and_plain_events_become_the_same_exact_rows(aws, tables, stream, start):
    ranges = cloud.shard_ranges(aws.kinesis, stream)
    puts = workload.packed(workload.generate(seed=21, events=3000), seed=22, ranges=ranges)
    assert len(puts) < 2000
    records, parts, expected = put_packed(aws, stream, puts)
    daemon = start(tables, stream)
    daemon.wait_until_applied()
    assert_equal_to_model(KinesisDynamodb(aws, tables, stream), expected, daemon.dead_letters())
    assert_counted(daemon, records, parts)


@pytest.mark.all
def test_kills_and_restarts_within_records_change_nothing(aws, tables, stream, make_daemon, proxies):
    ranges = cloud.shard_ranges(aws.kinesis, stream)
    generated = workload.generate(seed=23, events=1500, products=60)
    records, parts, expected = put_packed(aws, stream, workload.packed(generated, seed=24, ranges=ranges))
    options = ("--batch-size", "7", "--worker-id", "the-same-worker")
    subsequences = set()
    make = lambda: make_daemon(tables, stream, *options, environment=proxies.environment)
    for _ in KillAtWrite(proxies.dynamodb, tables).runs(make, KILLS, random.Random(12), most_writes=60):
        leases = cloud.leases(aws.dynamodb, tables).values()
        subsequences |= {lease["checkpointSubSequenceNumber"] for lease in leases}
    assert max(subsequences) > 0  # at least one restart began within a record

    daemon = make_daemon(tables, stream, *options).start()
    daemon.wait_until_applied()
    assert_equal_to_model(KinesisDynamodb(aws, tables, stream), expected, daemon.dead_letters())


def test_several_purchases_in_one_record_have_ids_of_their_own(aws, tables, stream, start):
    """Three purchases of a product in one record count as three, also when the record is read again."""
    ann, cy = small_shop.person("merchant", "Ann"), small_shop.person("customer", "Cy")
    events = small_shop.puts(small_shop.product("lamp", ann, purchases=3))
    data = aggregated.pack([aggregated.Part(put.partition_key, put.data) for put in events])
    put = workload.Put("lamp", data, "")
    records, _, expected = put_packed(aws, stream, [put])
    pair = KinesisDynamodb(aws, tables, stream)
    daemon = start(tables, stream, "--batch-size", "2")
    daemon.wait_until_applied()
    (row,) = pair.contributions()
    assert row["lastEventId"] == f"{records[0].shard}:{records[0].sequence}:3"
    assert row["creatorScore"] == 3 and row["updatedBy"] == cy
    assert_equal_to_model(pair, expected, set())

    assert daemon.terminate()[0] == 0
    lease = pair.leases()[records[0].shard]
    assert (lease["checkpoint"], lease["checkpointSubSequenceNumber"]) == (records[0].sequence, 3)
    daemon = start(tables, stream, "--batch-size", "2")
    daemon.wait_until_applied()
    assert daemon.metric("winner_view_events_total") == 0  # it asked for the rest of the record, which is empty
    assert_equal_to_model(pair, expected, set())


def test_a_stream_written_by_aws_kinesis_agg_is_read(aws, tables, stream, start):
    """Written by aws-kinesis-agg."""
    ranges = cloud.shard_ranges(aws.kinesis, stream)
    by_shard = {shard: [] for shard in ranges}
    for put in workload.generate(seed=25, events=1200, products=50, odd=0):
        part = aggregated.Part(put.partition_key, put.data)
        by_shard[workload.shard_of(put.partition_key, ranges)].append(part)
    runs = [parts[i : i + 25] for parts in by_shard.values() for i in range(0, len(parts), 25)]
    packed = kpl.run([("pack", parts) for parts in runs])
    puts = [workload.Put(parts[0].partition_key, data, "") for parts, data in zip(runs, packed, strict=True)]
    _, parts, expected = put_packed(aws, stream, puts)
    assert len(parts) == 1200
    daemon = start(tables, stream, "--batch-size", "40")
    daemon.wait_until_applied()
    assert_equal_to_model(KinesisDynamodb(aws, tables, stream), expected, daemon.dead_letters())
