"""The main job: 10,000 events, one in ten of them odd, in a stream or a file, become exactly the rows, dead letters and
answers that the model expects: without a disturbance, through SIGKILLs, and across a restart."""

import collections
import random

import cloud
import expected_answers
import http_client
import model
import pytest
import workload
from kill_at_write import KillAtWrite
from main_job import PROMPT, check_main_job, wait_for_fresh_boards
from model import fold
from pairs import KinesisDynamodb, assert_equal_to_model

KILLS = 10
TORN_AT_LEAST = 3


def test_events_become_exact_rows_dead_letters_and_answers(main_job, start_on):
    check_main_job(main_job, start_on)


def watermarks(rows):
    """The highest watermark of each shard's attribute over all scores."""
    highest = collections.defaultdict(int)
    for row in rows:
        for name, value in row.items():
            if name.startswith("at"):
                highest[name] = max(highest[name], model.position(value)[0])
    return highest


@pytest.mark.all
def test_ten_sigkills_change_nothing(aws, tables, main_stream, make_daemon, proxies, capsys):
    stream, records, expected = main_stream
    ends = {record.shard: int(record.sequence) for record in records}
    options = ("--batch-size", "50", "--worker-id", "the-same-worker", *PROMPT)
    torn, begun = 0, 0
    make = lambda: make_daemon(tables, stream, *options, environment=proxies.environment)
    for kill in KillAtWrite(proxies.dynamodb, tables).runs(make, KILLS, random.Random(11), most_writes=90):
        leases = cloud.leases(aws.dynamodb, tables)
        assert leases.keys() == ends.keys()
        checkpoints = {shard: cloud.checkpoint(lease) for shard, lease in leases.items()}
        assert all(checkpoints[shard] < ends[shard] for shard in ends), (kill, checkpoints)
        high = watermarks(cloud.scores(aws.dynamodb, tables))
        torn += any(high[model.watermark_name(shard)] > checkpoints[shard] for shard in ends)
        begun += any(checkpoint >= 0 for checkpoint in checkpoints.values())
    with capsys.disabled():
        print(
            f"\n{KILLS} kills: {torn} between a score write and its checkpoint, "
            f"{begun} after a first checkpoint"
        )
    assert torn >= TORN_AT_LEAST and begun > 0

    daemon = make_daemon(tables, stream, *options).start()
    daemon.wait_until_applied()
    assert_equal_to_model(KinesisDynamodb(aws, tables, stream), expected, daemon.dead_letters())
    wait_for_fresh_boards(daemon)
    expected_answers.check_boards(daemon, expected)


def test_a_restart_continues_at_the_checkpoint(pair, start_on):
    puts = workload.generate(seed=3, events=1500)
    pair.put(puts[:1000])
    daemon = start_on(pair)
    daemon.wait_until_applied()
    assert daemon.terminate()[0] == 0
    leases = pair.leases()
    assert all("leaseOwner" not in lease for lease in leases.values())
    first = pair.records()
    lasts = {record.shard: int(record.sequence) for record in first}
    assert {shard: cloud.checkpoint(lease) for shard, lease in leases.items()} == lasts

    pair.put(puts[1000:])
    daemon = start_on(pair)
    daemon.wait_until_applied()
    records = pair.records()
    assert_equal_to_model(pair, fold(records), daemon.dead_letters())
    assert daemon.metric("winner_view_events_total") == len(records) - len(first)


def test_an_ingress_event_put_twice_counts_twice_and_an_egress_event_once(pair, start_on):
    """An egress event has an id of its own; an ingress event gets that of its record."""

    def put(*events):
        pair.put([workload.to_put(event, event["data"]["id"], "") for event in events])

    def event(schema, product, kind, **more):
        data = {"schema": kind, "id": product}
        if kind == model.CREATE:
            data.update(brand="b", name="n", description="d", category="c")
        return {
            "schema": schema,
            "origin": "web/merchant/0123456789/Ann",
            "timeOrigin": "2026-11-23T10:00:00Z",
            "data": data,
            **more,
        }

    times = {"timeIngest": "x", "timeProcess": "x"}
    put(event(model.INGRESS, "a", model.CREATE), *[event(model.INGRESS, "a", model.PURCHASE)] * 2)
    put(
        event(model.EGRESS, "b", model.CREATE, eventId="s:9", **times),
        *[event(model.EGRESS, "b", model.PURCHASE, eventId="s:10", **times)] * 2,
    )
    daemon = start_on(pair)
    daemon.wait_until_applied()
    purchases = {row["productId"]: row["creatorScore"] for row in pair.contributions()}
    assert purchases == {"a": 2, "b": 1}
    assert http_client.request(daemon.port, "/contributions/a").json()["purchases"] == 2
