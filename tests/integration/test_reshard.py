"""Splits, merges and changes of the shard count during ingest: nothing is lost, nothing counts twice, and the
leases of shards that no longer exist are deleted."""

import collections
import threading
import time

import aws_behaviour
import cloud
import model
import pytest
import wait
import workload
from model import fold
from pairs import KinesisDynamodb, assert_equal_to_model
from small_shop import person, product, puts

FAILOVER_MS = 1000  # shards are listed every three failover times
OPTIONS = ("--failover-ms", str(FAILOVER_MS))
EVENTS = 20_000
DAY_S = 86_400
FIRST, LEFT, RIGHT, MERGED = (f"shardId-{n:012}" for n in range(4))


@pytest.fixture
def three_shards(aws, stream):
    return cloud.Stream(aws.kinesis, stream)


# During ingest.


@pytest.mark.all
def test_resharding_in_the_middle_of_20000_events_changes_nothing(
    aws, tables, three_shards, make_daemon
):
    """Events are put all the time. The service is stopped, killed and started again, so that some changes happen while
    it runs and others while it does not."""
    puts = workload.generate(seed=41, events=EVENTS)
    options = (*OPTIONS, "--batch-size", "100", "--worker-id", "the-same-worker")
    begun = [threading.Event() for _ in range(5)]

    def flow():
        for part in range(5):
            begun[part].set()
            three_shards.put(puts[part * EVENTS // 5 : (part + 1) * EVENTS // 5])

    producer = threading.Thread(target=flow)
    daemon = make_daemon(tables, three_shards.name, *options).start()
    producer.start()

    begun[1].wait(60)
    three_shards.split(FIRST)
    daemon.kill()
    daemon = make_daemon(tables, three_shards.name, *options).start()
    begun[2].wait(60)
    first, second, *_ = sorted(three_shards.open_ranges(), key=three_shards.open_ranges().get)
    three_shards.merge(first, second)
    assert daemon.terminate()[0] == 0
    begun[3].wait(60)
    three_shards.update_shard_count(6)
    assert len(three_shards.open_ranges()) == 6
    daemon = make_daemon(tables, three_shards.name, *options).start()
    begun[4].wait(60)
    three_shards.update_shard_count(3)
    producer.join()

    daemon.wait_until_applied(300)
    records = three_shards.records()
    assert len(records) == EVENTS
    assert_equal_to_model(KinesisDynamodb(aws, tables, three_shards.name), fold(records), daemon.dead_letters())

    still_open = three_shards.open_ranges().keys()
    leases = cloud.leases(aws.dynamodb, tables)
    assert len(still_open) == 3 and len(leases) > 10
    ended = {shard for shard, lease in leases.items() if lease["checkpoint"] == "SHARD_END"}
    assert leases.keys() - ended == still_open


def purchases(n):
    """Purchases of 20 products, so that all shards have some."""
    merchant = person("merchant", "Ann")
    events = [event for p in range(20) for event in product(f"p{p}", merchant, None, n)]
    return puts(events)


def test_a_kill_at_any_write_of_a_shards_end_is_repaired(aws, tables, one_shard, make_daemon, proxies):
    """A service is killed as it sends one of the four writes at a shard's end, each in turn. The write arrives."""
    steps = {
        "left child": lambda key, body: key == LEFT and "ConditionExpression" in body,
        "right child": lambda key, body: key == RIGHT,
        "children's names": lambda key, body: key == FIRST
        and LEFT in str(body)
        and "SHARD_END" not in str(body),
        "end": lambda key, body: key == FIRST and "SHARD_END" in str(body),
    }
    one_shard.put(purchases(5))
    one_shard.split(FIRST)
    one_shard.put(purchases(5))
    for step, is_meant in steps.items():
        killed = threading.Event()

        def kill_at_step(request):
            if request.operation in ("PutItem", "UpdateItem") and not killed.is_set():
                body = request.json()
                key = (body.get("Item") or body["Key"]).get("leaseKey", {}).get("S")
                if key and is_meant(key, body):
                    daemon.process.kill()
                    killed.set()

        proxies.dynamodb.on_request = kill_at_step
        daemon = make_daemon(
            tables, one_shard.name, *OPTIONS, "--worker-id", "the-same",
            environment=proxies.environment,
        )  # fmt: skip
        daemon.start(ready=False)
        assert killed.wait(30), (step, daemon.log()[-3000:])
        daemon.kill()
        proxies.dynamodb.on_request = None
        if step == "end":
            KinesisDynamodb(aws, tables, one_shard.name).wait_until_ended(FIRST)
        else:
            assert cloud.leases(aws.dynamodb, tables)[FIRST]["checkpoint"] != "SHARD_END"

    daemon = make_daemon(tables, one_shard.name, *OPTIONS, "--worker-id", "the-same").start()
    daemon.wait_until_applied()
    assert cloud.leases(aws.dynamodb, tables)[FIRST]["childShardIds"] == {LEFT, RIGHT}
    expected = fold(one_shard.records())
    assert_equal_to_model(KinesisDynamodb(aws, tables, one_shard.name), expected, daemon.dead_letters())


def test_during_a_reshard_the_views_time_stays_known_and_never_decreases(aws, tables, one_shard, start):
    one_shard.put(purchases(2))
    daemon = start(tables, one_shard.name, *OPTIONS)
    daemon.wait_until_applied()
    done, seen = threading.Event(), []

    def watch():
        while not done.is_set():
            seen.append(daemon.health()["asOf"])

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        one_shard.split(FIRST)
        KinesisDynamodb(aws, tables, one_shard.name).wait_until_ended(FIRST)
        one_shard.put(purchases(2))
        daemon.wait_until_applied()
        one_shard.merge(LEFT, RIGHT)
        KinesisDynamodb(aws, tables, one_shard.name).wait_until_ended(LEFT, RIGHT)
        daemon.wait_until_applied()
    finally:
        done.set()
        watcher.join()
    times = [time_ms and model.epoch_ms(time_ms) for time_ms in seen]
    assert len(times) > 50 and None not in times
    assert times == sorted(times)


# Replies of Kinesis that are wrong or incomplete.


def test_an_end_without_children_does_not_end_a_shard(aws, tables, one_shard, start_through, proxies):
    ends = []

    def end_too_early(reply):
        if len(ends) < 5 and not reply["Records"]:
            ends.append(reply.pop("NextShardIterator"))
            if len(ends) % 2:  # absent or null: both are an end
                reply["NextShardIterator"] = None

    proxies.kinesis.layers = [aws_behaviour.ChangedReply("GetRecords", end_too_early)]
    one_shard.put(purchases(2))
    daemon = start_through(tables, one_shard.name, *OPTIONS)
    wait.until(lambda: len(ends) == 5, "five false ends", timeout_s=60)
    one_shard.put(purchases(2))
    daemon.wait_until_applied()
    assert daemon.metric("winner_view_lease_events_total", event="false_end") >= 4
    assert daemon.metric("winner_view_lease_events_total", event="ended") == 0
    expected = fold(one_shard.records())
    assert_equal_to_model(KinesisDynamodb(aws, tables, one_shard.name), expected, daemon.dead_letters())


def test_children_missing_from_the_last_reply_are_found_by_list_shards(
    aws, tables, one_shard, start_through, proxies
):
    proxies.kinesis.layers = [aws_behaviour.ChangedReply("GetRecords", lambda reply: reply.pop("ChildShards", None))]
    daemon = start_through(tables, one_shard.name, *OPTIONS)
    one_shard.put(purchases(2))
    daemon.wait_until_applied()
    one_shard.split(FIRST)
    one_shard.put(purchases(2))
    KinesisDynamodb(aws, tables, one_shard.name).wait_until_ended(FIRST)
    daemon.wait_until_applied()
    expected = fold(one_shard.records())
    assert_equal_to_model(KinesisDynamodb(aws, tables, one_shard.name), expected, daemon.dead_letters())


# Shards that no longer exist.


def watermarks_of(aws, stage, shard):
    name = model.watermark_name(shard)
    return [row[name] for row in cloud.scores(aws.dynamodb, stage) if name in row]


@pytest.mark.all
def test_a_shard_is_forgotten_a_day_after_its_end_when_two_listings_lack_it_and_its_children_are_read(
    aws, tables, one_shard, start_through, proxies
):
    hidden = {"every": None, "listings": 0}

    def hide(reply):
        hidden["listings"] += 1
        if hidden["every"] and hidden["listings"] % hidden["every"] == 0:
            reply["Shards"] = [shard for shard in reply["Shards"] if shard["ShardId"] != FIRST]

    def wait_for_listings(n):
        until = hidden["listings"] + n
        wait.until(lambda: hidden["listings"] >= until, f"{n} listings", timeout_s=60)

    proxies.kinesis.layers = [aws_behaviour.ChangedReply("ListShards", hide)]
    one_shard.put(purchases(3))
    daemon = start_through(tables, one_shard.name, *OPTIONS)
    daemon.wait_until_applied()
    one_shard.split(FIRST)
    KinesisDynamodb(aws, tables, one_shard.name).wait_until_ended(FIRST)
    wait_for_listings(3)  # it is in all of them
    hidden["every"] = 2
    wait_for_listings(5)  # never missing in two in a row
    assert FIRST in cloud.leases(aws.dynamodb, tables)

    hidden["every"] = 1
    wait_for_listings(4)  # its children have not been read yet
    assert FIRST in cloud.leases(aws.dynamodb, tables)
    cloud.age_end(aws.dynamodb, tables, FIRST, DAY_S)
    wait_for_listings(2)
    assert FIRST in cloud.leases(aws.dynamodb, tables)

    cloud.age_end(aws.dynamodb, tables, FIRST, -600)  # a day that is not quite over
    one_shard.put(purchases(3))
    daemon.wait_until_applied()
    wait_for_listings(3)
    assert FIRST in cloud.leases(aws.dynamodb, tables)
    assert watermarks_of(aws, tables, FIRST)

    cloud.age_end(aws.dynamodb, tables, FIRST, 600)
    wait.until(lambda: FIRST not in cloud.leases(aws.dynamodb, tables), "the lease is gone", timeout_s=60)
    assert not watermarks_of(aws, tables, FIRST)
    daemon.wait_until_applied()
    wait_for_listings(2)
    assert cloud.leases(aws.dynamodb, tables).keys() == {LEFT, RIGHT}  # and no new lease is made for it
    assert daemon.metric("winner_view_shards_forgotten_total") == 1
    expected = fold(one_shard.records())
    assert_equal_to_model(KinesisDynamodb(aws, tables, one_shard.name), expected, daemon.dead_letters())
    assert time.time() * 1000 - model.epoch_ms(daemon.health()["asOf"]) < 10_000


# What it costs.

GONE, ROWS = 40, 250


class Counter:
    """Counts the calls about one table, by operation."""

    def __init__(self, table):
        self.table, self.calls = table, collections.Counter()

    def __call__(self, request, proceed):
        if request.service == "dynamodb" and request.json().get("TableName") == self.table:
            self.calls[request.operation] += 1
        return proceed(request)


def put_rows(dynamodb, table, items):
    for start in range(0, len(items), 25):
        requests = [{"PutRequest": {"Item": item}} for item in items[start : start + 25]]
        assert not dynamodb.batch_write_item(RequestItems={table: requests})["UnprocessedItems"]


def past_shard(n):
    return f"shardId-{1000 + n:012}"


def leases_of_past_shards():
    """As their owners left them, long ago."""
    common = {"leaseCounter": {"N": "9"}, "checkpoint": {"S": "SHARD_END"}, "endedAt": {"N": "1700000000000"}}
    return [{"leaseKey": {"S": past_shard(n)}, **common} for n in range(GONE)]


def rows_of_past_shards():
    marks = {model.watermark_name(past_shard(n)): {"B": b"\x01\x07"} for n in range(GONE)}
    common = {"role": {"S": "creator"}, "score": {"N": "7"}, "updated": {"N": "1"}, "updatedBy": {"S": "c"}, **marks}
    return [{"userId": {"S": f"u{n}"}, **common} for n in range(ROWS)]


@pytest.mark.all
def test_one_scan_and_one_write_a_row_remove_the_watermarks_of_40_shards(
    aws, tables, one_shard, start_through, proxies
):
    counter = Counter(f"{tables}-Scores")
    one_shard.put(purchases(1))
    daemon = start_through(tables, one_shard.name, *OPTIONS)
    daemon.wait_until_applied()
    assert daemon.terminate()[0] == 0
    put_rows(aws.dynamodb, f"{tables}-Scores", rows_of_past_shards())
    put_rows(aws.dynamodb, f"{tables}-Leases", leases_of_past_shards())

    proxies.dynamodb.layers = [counter]
    start_through(tables, one_shard.name, *OPTIONS)
    wait.until(lambda: cloud.leases(aws.dynamodb, tables).keys() == {FIRST}, "the leases are gone", 120, seen=lambda: counter.calls)
    assert counter.calls == {"Scan": 1, "UpdateItem": ROWS}
    assert not any(watermarks_of(aws, tables, past_shard(n)) for n in range(GONE))
