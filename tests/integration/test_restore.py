"""Tables restored from backups of different moments, in the order of deploy/README.md."""

import program
import pytest
import workload
from model import fold
from pairs import KinesisDynamodb, assert_equal_to_model

EVENTS = 1000
ORDER = ("Leases", "Contributions", "Scores")  # the earliest moment first
SOON = ("--failover-ms", "2000")  # the restored leases belong to the live stage: they must expire first


@pytest.fixture
def restored(aws, stream, tables, start_on):
    """restored(order): a stage whose tables are copies of the live stage, each taken later than the one before it, with
    events before, between and after the copies. The live stage keeps running."""

    def make(order):
        live, copy = KinesisDynamodb(aws, tables, stream), KinesisDynamodb(aws, f"{tables}r", stream)
        program.create_tables(f"dynamodb:{copy.name}", aws.environment)
        daemon = start_on(live)
        puts = workload.generate(seed=5, events=EVENTS, odd=0)
        share = EVENTS // (len(order) + 1)
        for n, table in enumerate(order):
            live.put(puts[n * share : (n + 1) * share])
            daemon.wait_until_applied()
            copy_rows(aws, f"{live.name}-{table}", f"{copy.name}-{table}")
        live.put(puts[len(order) * share :])
        return copy

    return make


def copy_rows(aws, source, target):
    for page in aws.dynamodb.get_paginator("scan").paginate(TableName=source, ConsistentRead=True):
        for item in page["Items"]:
            aws.dynamodb.put_item(TableName=target, Item=item)


def audit(aws, pair):
    return program.run("audit", "--store", f"dynamodb:{pair.name}", environment=aws.environment)


@pytest.mark.all
def test_tables_restored_in_the_documented_order_become_exact(aws, restored, start_on):
    pair = restored(ORDER)
    start_on(pair, *SOON).wait_until_applied()
    assert_equal_to_model(pair, fold(pair.records()), set())
    assert audit(aws, pair).returncode == 0


@pytest.mark.all
def test_tables_restored_in_the_reverse_order_lose_scores(restored, start_on):
    pair = restored(ORDER[::-1])
    start_on(pair, *SOON).wait_until_applied()
    expected = fold(pair.records())
    assert sum(row.get("score", 0) for row in pair.scores()) < sum(score.score for score in expected.scores.values())


def test_a_restored_stage_accepts_the_ids_of_the_live_one(aws, restored, start_on):
    pair = restored(ORDER)
    daemon = start_on(pair, "--source", "none")
    (first, *_) = daemon.get("/scores/merchant?limit=1").json()["items"]
    live = KinesisDynamodb(aws, pair.name.removesuffix("r"), pair.stream)
    reader = start_on(live, "--source", "none")
    assert reader.get(f"/scores/merchant/{first['id']}").status == 200
