"""The main job: a stream or a file of 10,000 events, one in ten of them odd, becomes exactly the rows, dead
letters and answers that the model expects; undisturbed, through SIGKILLs, and across a restart."""

import collections
import random
import re
import threading
import time

import cloud
import expected_answers
import http_client
import model
import proxy
import wait
import workload
from model import fold
from pairs import KinesisDynamodb, assert_equal_to_model

KILLS = 10
TORN_AT_LEAST = 3
# Boards come from an index that may be late on AWS; DynamoDB Local's is not, so that no allowance is to
# be made.
PROMPT = ("--index-allowance-ms", "0", "--cache-ttl-ms", "100")


def wait_for_fresh_boards(daemon):
    """Boards may be served a moment old: until both are of what is applied now."""
    target = model.epoch_ms(daemon.health()["asOf"])
    for role in ("merchant", "photographer"):
        for target_path in (f"/scores/{role}?limit={limit}" for limit in (1, 10, 100)):
            wait.until(
                lambda: model.epoch_ms(daemon.get(target_path).json()["asOf"]) >= target, f"fresh {target_path}"
            )


def test_events_become_exact_rows_dead_letters_and_answers(main_job, start_on):
    pair, records, expected = main_job
    daemon = start_on(pair, *PROMPT)
    daemon.wait_until_applied()
    assert_equal_to_model(pair, expected, daemon.dead_letters())

    counted = {kind: daemon.metric("winner_view_events_total", result=kind) for kind in expected.counts}
    assert counted == dict(expected.counts)
    reasons = collections.Counter(reason for _, _, reason in expected.dead_letters)
    assert {r: daemon.metric("winner_view_dead_letters_total", reason=r) for r in reasons} == reasons

    wait_for_fresh_boards(daemon)
    ids = expected_answers.check_all(daemon, expected)

    # only serves, beside the one that fills the store; knows its freshness from the leases
    reader = start_on(pair, "--source", "none", "--identities", "full", *PROMPT)
    assert expected_answers.check_all(reader, expected, full=True) == ids


class Killer:
    """Stands between a service and the store, makes writes slow, and kills the service at a chosen one. Half
    the time that write is lost with it; else it arrives in the store, as do others that were on their way,
    when the service is gone and its successor perhaps already at work."""

    SLOWNESS_S = 0.1  # so that a checkpoint, at most one a second, falls into the work and not behind it
    CHECKPOINT = re.compile(rb'"S": ?"\d{20,}"')

    def __init__(self, through, stage):
        self.stage = stage
        self.lock = threading.Lock()
        self.done = threading.Event()
        self.table = None
        through.on_request = self.on_request

    def arm(self, daemon, table, writes, after_checkpoint, lose):
        """Kill `view` at this many writes of a table, counted from its first checkpoint or from its start."""
        self.done.clear()
        self.daemon, self.left, self.counting, self.lose = daemon, writes, not after_checkpoint, lose
        self.table = table

    def on_request(self, request):
        if request.operation not in ("UpdateItem", "PutItem") or not self.table:
            return None
        table = request.json()["TableName"].removeprefix(f"{self.stage}-")
        if table == "Leases":
            self.counting = self.counting or bool(self.CHECKPOINT.search(request.body))
            return None
        with self.lock:
            self.left -= self.counting and table == self.table
            is_time = self.left == 0 and not self.done.is_set()
            if is_time:
                self.daemon.process.kill()
                self.done.set()
        if is_time and self.lose:
            return 500, b"{}"
        time.sleep(self.SLOWNESS_S)
        return None


def watermarks(rows):
    """The highest watermark of each shard's attribute over all scores."""
    highest = collections.defaultdict(int)
    for row in rows:
        for name, value in row.items():
            if name.startswith("at"):
                highest[name] = max(highest[name], model.position(value)[0])
    return highest


def test_ten_sigkills_change_nothing(aws, tables, main_stream, make_daemon, capsys):
    stream, records, expected = main_stream
    ends = {record.shard: int(record.sequence) for record in records}
    rng = random.Random(11)
    options = ("--batch-size", "50", "--worker-id", "the-same-worker", *PROMPT)
    torn, begun = 0, 0
    with proxy.Proxy(aws.emulators.dynamodb_url) as through:
        killer = Killer(through, tables)
        for kill in range(KILLS):
            daemon = make_daemon(tables, stream, *options, environment={"AWS_ENDPOINT_URL_DYNAMODB": through.url})
            table = "Contributions" if kill % 3 == 2 else "Scores"
            killer.arm(daemon, table, rng.randint(10, 90), after_checkpoint=kill % 2 == 1, lose=kill % 4 < 2)
            daemon.start(ready=False)
            assert killer.done.wait(120), daemon.log()[-3000:]
            daemon.kill()

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


def test_a_restart_goes_on_where_it_stopped(pair, start_on):
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


def test_the_envelope_decides_which_id_is_compared(pair, start_on):
    """The same ingress event put twice is two purchases; the same egress event is one."""

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
