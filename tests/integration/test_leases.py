"""The attributes of leases and their types at every stage of a shard, and two processes with one worker id."""

import json
import re
import time

import cloud
import pytest
import wait
from model import fold
from pairs import KinesisDynamodb, assert_equal_to_model
from small_shop import person, product, puts

FAILOVER_MS = 3000
OPTIONS = ("--failover-ms", str(FAILOVER_MS))
FIRST, LEFT, RIGHT, MERGED = (f"shardId-{n:012}" for n in range(4))
LOWEST, HIGHEST = "0", str(2**128 - 1)
TENURE = re.compile("[0-9a-f]{32}")


class LeaseWrites:
    """Refuses those writes of leases for which `refuses(lease key, values as JSON text)` is true."""

    def __init__(self, dynamodb):
        self.refuses = lambda key, values: False
        dynamodb.on_request = self.on_request

    def on_request(self, request):
        if request.operation != "UpdateItem" or "-Leases" not in request.json()["TableName"]:
            return None
        body = request.json()
        key = body["Key"]["leaseKey"]["S"]
        if key.startswith("winner-view#") or not self.refuses(
            key, json.dumps(body["ExpressionAttributeValues"])
        ):
            return None
        return 500, b"{}"


@pytest.fixture
def lease_writes(proxies):
    return LeaseWrites(proxies.dynamodb)


class Table:
    """The leases in the table, as items with types."""

    def __init__(self, aws, stage):
        self.aws, self.stage = aws, stage

    def items(self):
        found = self.aws.dynamodb.scan(TableName=f"{self.stage}-Leases", ConsistentRead=True)["Items"]
        items = {item["leaseKey"]["S"]: item for item in found}
        return {key: item for key, item in items.items() if not key.startswith("winner-view#")}

    def item(self, shard):
        return self.items().get(shard, {})

    def until(self, shard, condition, what):
        """The item, once the condition holds for it."""
        return wait.until(
            lambda: (item := self.item(shard)) and condition(item) and item,
            f"{shard} {what}",
            seen=self.items,
            timeout_s=30,
        )


def made(shard, first=LOWEST, last=HIGHEST, parents=(), **start):
    """A lease that is not taken yet."""
    item = {
        "leaseKey": {"S": shard},
        "leaseCounter": {"N": "0"},
        "checkpoint": {"S": "TRIM_HORIZON"},
        "checkpointSubSequenceNumber": {"N": "0"},
        "ownerSwitchesSinceCheckpoint": {"N": "0"},
        "startingHashKey": {"S": first},
        "endingHashKey": {"S": last},
        **start,
    }
    return {**item, "parentShardId": {"SS": list(parents)}} if parents else item


def counter(item):
    return int(item["leaseCounter"]["N"])


def as_sets(item):
    return {
        name: {k: sorted(v) if k == "SS" else v for k, v in value.items()} for name, value in item.items()
    }


def assert_item(item, expected, since_ms=None):
    """Equal, except that a tenure only needs the right form, and (with `since_ms`) asOf must be a time since then."""
    item = dict(item)
    if "tenure" in expected and expected["tenure"] is None:
        tenure = item.pop("tenure")
        assert list(tenure) == ["S"] and TENURE.fullmatch(tenure["S"])
        expected = {name: value for name, value in expected.items() if name != "tenure"}
    if since_ms:
        as_of = item.pop("asOf")
        assert list(as_of) == ["N"] and since_ms <= int(as_of["N"]) <= time.time() * 1000
    assert as_sets(item) == as_sets(expected)


def test_a_lease_has_the_right_attributes_at_every_stage_of_a_shard(aws, tables, one_shard, start_through, lease_writes):
    table = Table(aws, tables)
    begin_ms = int(time.time() * 1000) - 1000
    lease_writes.refuses = lambda key, values: True
    daemon = start_through(tables, one_shard.name, *OPTIONS, "--worker-id", "ann")
    item = table.until(FIRST, lambda item: True, "made")
    assert_item(item, made(FIRST))

    lease_writes.refuses = lambda key, values: '"N": "1"' not in values  # only the first write is accepted
    item = table.until(FIRST, lambda item: "leaseOwner" in item, "taken")
    taken = {
        **made(FIRST),
        "leaseOwner": {"S": "ann"},
        "leaseCounter": {"N": "1"},
        "ownerSwitchesSinceCheckpoint": {"N": "1"},
        "tenure": None,
    }
    assert_item(item, taken)

    lease_writes.refuses = lambda key, values: False
    item = table.until(FIRST, lambda item: counter(item) > 1 and "asOf" in item, "renewed after the first read")
    tenure = item["tenure"]
    assert_item(item, {**taken, "leaseCounter": item["leaseCounter"], "tenure": tenure}, begin_ms)

    one_shard.put(puts(product("hat", person("merchant", "Ann"), None, 2)))
    last = one_shard.records()[-1].sequence
    item = table.until(FIRST, lambda item: item["checkpoint"]["S"] == last, "checkpointed")
    checkpointed = {
        **taken,
        "checkpoint": {"S": last},
        "ownerSwitchesSinceCheckpoint": {"N": "0"},
        "tenure": tenure,
    }
    assert_item(item, {**checkpointed, "leaseCounter": item["leaseCounter"]}, begin_ms)

    assert daemon.terminate()[0] == 0
    item = table.item(FIRST)
    released = {name: value for name, value in checkpointed.items() if name != "leaseOwner"}
    assert_item(item, {**released, "leaseCounter": item["leaseCounter"]}, begin_ms)

    after = counter(item) + 1
    lease_writes.refuses = lambda key, values: f'"N": "{after}"' not in values
    start_through(tables, one_shard.name, *OPTIONS, "--worker-id", "bob")
    item = table.until(FIRST, lambda item: "leaseOwner" in item, "taken over")
    taken_over = {
        **checkpointed,
        "leaseOwner": {"S": "bob"},
        "leaseCounter": {"N": str(after)},
        "ownerSwitchesSinceCheckpoint": {"N": "1"},
        "tenure": None,
    }
    assert_item(item, taken_over, begin_ms)
    assert item["tenure"] != tenure
    lease_writes.refuses = lambda key, values: False


def test_an_ended_lease_and_its_childrens_leases_have_the_right_attributes(aws, tables, one_shard, start_through, lease_writes):
    table = Table(aws, tables)
    begin_ms = int(time.time() * 1000) - 1000
    lease_writes.refuses = lambda key, values: key != FIRST  # the children are not taken
    daemon = start_through(tables, one_shard.name, *OPTIONS, "--worker-id", "ann")
    daemon.wait_until_applied()
    one_shard.split(FIRST)
    item = table.until(FIRST, lambda item: item["checkpoint"]["S"] == "SHARD_END", "ended")
    ended = {
        **made(FIRST),
        "checkpoint": {"S": "SHARD_END"},
        "childShardIds": {"SS": [LEFT, RIGHT]},
        "leaseCounter": item["leaseCounter"],
        "tenure": None,
    }
    assert_item(item, ended, begin_ms)
    assert_item(table.item(LEFT), made(LEFT, last=str(2**127 - 1), parents=[FIRST]))
    assert_item(table.item(RIGHT), made(RIGHT, first=str(2**127), parents=[FIRST]))

    lease_writes.refuses = lambda key, values: key == MERGED
    one_shard.merge(LEFT, RIGHT)
    for shard in (LEFT, RIGHT):
        item = table.until(shard, lambda item: item["checkpoint"]["S"] == "SHARD_END", "ended")
        assert item["childShardIds"] == {"SS": [MERGED]} and "leaseOwner" not in item
    assert_item(table.item(MERGED), made(MERGED, parents=[LEFT, RIGHT]))
    lease_writes.refuses = lambda key, values: False
    table.until(MERGED, lambda item: "leaseOwner" in item, "taken")
    assert table.items().keys() == {FIRST, LEFT, RIGHT, MERGED}


def test_a_start_at_a_time_makes_leases_only_of_the_shards_open_then(
    aws, tables, one_shard, start_through, start, lease_writes
):
    """The first shard ended before the start, and its events are never read, also after a restart with another
    --start."""
    merchant = person("merchant", "Ann")
    one_shard.put(puts(product("old", merchant, None, 1)))
    one_shard.split(FIRST)
    split_at_s = int(time.time())
    wait.until(lambda: time.time() >= split_at_s + 1, "a later second: kinesis-local keeps whole ones")
    at_ms = int(time.time()) * 1000
    text = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at_ms / 1000))
    table = Table(aws, tables)
    lease_writes.refuses = lambda key, values: True
    daemon = start_through(tables, one_shard.name, *OPTIONS, "--start", f"at:{text}")
    at = {"checkpoint": {"S": "AT_TIMESTAMP"}, "startAt": {"N": str(at_ms)}}
    wait.until(lambda: len(table.items()) == 2, "two leases", seen=table.items)
    assert_item(table.item(LEFT), made(LEFT, last=str(2**127 - 1), parents=[FIRST], **at))
    assert_item(table.item(RIGHT), made(RIGHT, first=str(2**127), parents=[FIRST], **at))
    lease_writes.refuses = lambda key, values: False
    daemon.wait_until_applied()
    assert daemon.terminate()[0] == 0

    daemon = start(tables, one_shard.name, *OPTIONS)  # --start trim-horizon
    one_shard.put(puts(product("new", merchant, None, 1)))
    daemon.wait_until_applied()
    assert table.items().keys() == {LEFT, RIGHT}
    assert {row["productId"] for row in cloud.contributions(aws.dynamodb, tables)} == {"new"}


# Two processes with one worker id.


def troubles(daemon):
    return {trouble["name"]: trouble["reason"] for trouble in daemon.health()["troubles"]}


def held(daemon):
    return daemon.metric("winner_view_leases")


def test_of_two_processes_with_one_worker_id_the_older_loses_its_leases_and_reports_it(aws, tables, stream, make_daemon):
    lamps = puts(product("lamp", person("merchant", "Ann"), None, 3))
    cloud.put(aws.kinesis, stream, lamps)
    # each has dead letters of its own
    first, second = (make_daemon(tables, stream, *OPTIONS, "--worker-id", "one-name") for _ in range(2))
    first.start()
    first.wait_until_applied()
    assert held(first) == 3

    second.start()
    wait.until(lambda: held(second) == 3 and held(first) == 0, "the newer one has all")
    wait.until(lambda: "worker id" in troubles(first), "the older process reports it")
    assert "one-name" in troubles(first)["worker id"] and "--worker-id" in troubles(first)["worker id"]
    assert "worker id" not in troubles(second)

    until = time.monotonic() + 3 * FAILOVER_MS / 1000
    while time.monotonic() < until:  # and it stays so
        cloud.put(aws.kinesis, stream, lamps[-1:])
        assert (held(first), held(second)) == (0, 3)
        time.sleep(0.2)
    assert first.log().count("another process is running as worker") == 1
    second.wait_until_applied()

    second.kill()  # then the older one takes the leases
    cloud.put(aws.kinesis, stream, lamps[-1:])
    wait.until(lambda: held(first) == 3, "the older one has all again")
    first.wait_until_applied()
    assert "worker id" not in troubles(first)
    expected = fold(cloud.read_stream(aws.kinesis, stream))
    assert_equal_to_model(KinesisDynamodb(aws, tables, stream), expected, first.dead_letters())


def test_two_processes_with_one_worker_id_that_start_together_do_not_share_leases(aws, tables, stream, make_daemon):
    daemons = [make_daemon(tables, stream, *OPTIONS, "--worker-id", "one-name") for _ in range(2)]
    for daemon in daemons:
        daemon.start(ready=False)
    for daemon in daemons:
        daemon.wait_until_ready()

    def is_settled():
        return sorted(map(held, daemons)) == [0, 3] and sorted("worker id" in troubles(v) for v in daemons) == [
            False,
            True,
        ]

    wait.until(is_settled, "one has all")
