"""A store that refuses writes stops the shards concerned and no other. Nothing is skipped or becomes a dead letter, and
reading continues by itself when the store accepts again."""

import collections
import json
import re

import aws_behaviour
import cloud
import model
import pytest
import wait
import workload
from model import fold
from pairs import KinesisDynamodb, assert_equal_to_model

REASON = "DynamoDB's own words"
EVENTS = 900

Refusal = collections.namedtuple("Refusal", "name operation table words")
REFUSALS = [
    Refusal("ValidationException", "UpdateItem", "Scores", "cannot count for a (creator|photographer) in"),
    Refusal("AccessDeniedException", "PutItem", "Contributions", "cannot write '.+' to"),
    Refusal("ResourceNotFoundException", "BatchGetItem", "Contributions", "cannot read '.+' and .* from"),
    Refusal("KMSDisabledException", "UpdateItem", "Scores", "cannot count for a (creator|photographer) in"),
]


def tables_of(request):
    body = request.json()
    return set(body.get("RequestItems", ())) or {body.get("TableName")}


def shard_troubles(daemon):
    return {one["name"].removeprefix("shard "): one for one in daemon.health()["troubles"] if "shard" in one["name"]}


def logged_troubles(daemon):
    """How often each shard's trouble is in the log."""
    lines = [json.loads(line) for line in daemon.log().splitlines() if line.startswith("{")]
    return collections.Counter(
        line["shard"] for line in lines if line["msg"].startswith("shard waits and tries again")
    )


def assert_only_the_log_names_people(daemon, pair, troubles):
    origins, key = fold(pair.records()).users(), pair.identity_key()
    assert {trouble["id"] for trouble in troubles.values()} <= {model.sealed_id(key, origin) for origin in origins}
    public = daemon.get("/healthz").body.decode() + daemon.get("/metrics").body.decode()
    assert not [origin for origin in origins if origin in public]
    lines = [json.loads(line) for line in daemon.log().splitlines() if "shard waits and tries again" in line]
    assert lines and {line["userId"] for line in lines} <= origins


def wait_for_many_tries(daemon, least=12):
    waits = lambda: daemon.metric("winner_view_shard_waits_total", cause="store")
    wait.until(lambda: waits() >= least, "many tries", 60)


@pytest.mark.parametrize("refusal", REFUSALS, ids=[f"{one.name}-{one.operation}" for one in REFUSALS])
def test_a_table_that_refuses_stops_its_shards_until_it_accepts_again(
    aws, tables, stream, start_through, proxies, refusal
):
    table = f"{tables}-{refusal.table}"

    def refuse(request):
        is_meant = request.operation == refusal.operation and table in tables_of(request)
        return aws_behaviour.refusal(request, refusal.name, REASON) if is_meant else None

    proxies.dynamodb.on_request = refuse
    cloud.put(aws.kinesis, stream, workload.generate(seed=31, events=EVENTS))
    daemon = start_through(tables, stream)
    wait_for_many_tries(daemon)
    troubles = shard_troubles(daemon)
    assert set(troubles) == set(KinesisDynamodb.shards)
    for shard, trouble in troubles.items():
        assert re.search(f"{refusal.words} table '{table}'", trouble["reason"]), trouble
        assert refusal.name in trouble["reason"] and REASON in trouble["reason"]
        assert model.epoch_ms(trouble["since"]) > 1.7e12
        waiting = daemon.metric("winner_view_shard_waiting_since_timestamp_seconds", shard=shard)
        assert waiting == pytest.approx(model.epoch_ms(trouble["since"]) / 1000, abs=0.01)
    if refusal.table == "Scores":
        assert_only_the_log_names_people(daemon, KinesisDynamodb(aws, tables, stream), troubles)
    assert logged_troubles(daemon) == dict.fromkeys(KinesisDynamodb.shards, 1)  # not one line per attempt
    leases = cloud.leases(aws.dynamodb, tables)
    assert all(cloud.checkpoint(lease) == -1 for lease in leases.values())
    assert all(lease.get("leaseOwner") for lease in leases.values())  # a waiting shard keeps its lease

    proxies.dynamodb.on_request = None
    daemon.wait_until_applied()
    assert shard_troubles(daemon) == {} and daemon.health()["status"] == "ready"
    assert daemon.metric("winner_view_shard_waiting_since_timestamp_seconds") == 0
    assert_equal_to_model(
        KinesisDynamodb(aws, tables, stream), fold(cloud.read_stream(aws.kinesis, stream)), daemon.dead_letters()
    )


def test_a_refused_row_stops_only_its_shard_and_no_checkpoint_passes_it(
    aws, tables, stream, start_through, proxies
):
    cloud.put(aws.kinesis, stream, workload.generate(seed=32, events=EVENTS))
    records = cloud.read_stream(aws.kinesis, stream)
    shard = records[0].shard
    folded = model.Model()
    for refused_at in (record for record in records if record.shard == shard):  # the first credit in that shard
        folded.apply(refused_at)
        if folded.scores:
            break
    user_id, role = next(iter(folded.scores))

    # only that shard's credit: the same person may earn in others
    watermark = model.watermark_name(shard)

    def refuse(request):
        body = request.json()
        is_meant = request.operation == "UpdateItem" and body["TableName"] == f"{tables}-Scores"
        is_meant = is_meant and body["Key"]["userId"]["S"] == user_id and body["Key"]["role"]["S"] == role
        is_meant = is_meant and watermark in body["ExpressionAttributeNames"].values()
        return aws_behaviour.refusal(request, "ValidationException", REASON) if is_meant else None

    proxies.dynamodb.on_request = refuse
    daemon = start_through(tables, stream, "--batch-size", "20")
    wait_for_many_tries(daemon, 6)
    ends = {record.shard: int(record.sequence) for record in records}

    def others_are_done():
        leases = cloud.leases(aws.dynamodb, tables)
        return all(cloud.checkpoint(leases[one]) == ends[one] for one in ends if one != shard)

    wait.until(others_are_done, "the other shards at their ends", 60)
    assert cloud.checkpoint(cloud.leases(aws.dynamodb, tables)[shard]) < int(refused_at.sequence)
    (name,) = shard_troubles(daemon)
    assert name == shard
    key = KinesisDynamodb(aws, tables, stream).identity_key()
    assert shard_troubles(daemon)[shard]["id"] == model.sealed_id(key, user_id)

    proxies.dynamodb.on_request = None
    daemon.wait_until_applied()
    assert_equal_to_model(KinesisDynamodb(aws, tables, stream), fold(records), daemon.dead_letters())
