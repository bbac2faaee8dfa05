"""The clock of the machine may be wrong from the start, step forward or back, drift or stand still: nothing that is claimed,
stored or skipped differs, because the clock of the source's service counts (base/service_clock.h)."""

import email.utils
import json
import time

import pytest

import clock_shim
import cloud
import proxy
import wait
from honesty import LAMP, Sales, assert_honest, shown
from model import epoch_ms
from pairs import KinesisDynamodb

HOUR_MS = 3_600_000
FAST = ("--failover-ms", "3000", "--cache-ttl-ms", "50", "--cache-stale-ms", "0")

pytestmark = pytest.mark.skipif(not clock_shim.library().exists(), reason="needs the target clock_shim")


@pytest.fixture
def clocks(tmp_path):
    return clock_shim.Clocks(tmp_path)


@pytest.fixture
def start_shifted(start, proxies, clocks):
    """Starts daemons whose clocks are `clocks`, and that reach AWS through the proxies."""
    environment = {**proxies.environment, **clocks.environment}
    return lambda *arguments: start(*arguments, environment=environment)


def assert_lag_is_true(daemon):
    """The age of each shard in /healthz is not below the true one; and an answer has the true Date."""
    headers = daemon.get("/scores/merchant").headers
    date = email.utils.parsedate_to_datetime(headers["date"]).timestamp()
    assert abs(date - time.time()) < 5 or "view-as-of" not in headers, headers
    sent_ms = time.time() * 1000
    for shard in daemon.health()["shards"]:
        if shard["asOf"]:
            assert epoch_ms(shard["asOf"]) <= time.time() * 1000, shard
            # Not known before the first Date: asOf is then the arrival of a record.
            assert shard["lagMs"] is None or shard["lagMs"] >= sent_ms - epoch_ms(shard["asOf"]) - 50, shard


def sell_and_check(daemons, sales, seconds):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        sales.sell()
        assert_honest(daemons, sales)
        for daemon in daemons:
            assert_lag_is_true(daemon)
    last = sales.put_by_ms[-1]
    wait.until(lambda: assert_honest(daemons, sales) > last, "all answers fresh", every_s=0.05)
    for daemon in daemons:
        # Not at once: a Date has whole seconds, and a busy machine takes a while for all answers.
        wait.until(lambda daemon=daemon: daemon.health()["caughtUp"], "caught up", 30)
        assert {purchases for _, purchases in shown(daemon)} == {len(sales.put_by_ms)}


def lease_times(aws, tables):
    """A lease without asOf: 0."""
    return [int(lease.get("asOf", 0)) for lease in KinesisDynamodb(aws, tables, None).leases().values()]


@pytest.mark.parametrize("hours", [1, -1, 8, -8])
def test_answers_are_true_with_a_clock_that_is_wrong_from_the_start(
    aws, tables, stream, start_shifted, clocks, hours
):
    """On the worker that ingests and on one that only serves; and what it stored is true for the next."""
    clocks.step(real_ms=hours * HOUR_MS)
    sales = Sales(aws, stream)
    cloud.put(aws.kinesis, stream, [LAMP[0]._replace(data=b"no event")])
    daemons = [start_shifted(tables, stream, *FAST), start_shifted(tables, None, *FAST)]
    sell_and_check(daemons, sales, 1.5)
    daemons[0].terminate()
    letter = json.loads(daemons[0].dead_letter_file.read_text())
    for stored_ms in (*lease_times(aws, tables), epoch_ms(letter["time"])):
        assert time.time() * 1000 - 60_000 < stored_ms <= time.time() * 1000


def test_a_worker_with_a_wrong_clock_takes_over_from_one_with_a_right_clock_and_back(
    aws, tables, stream, start_through, start_shifted, clocks
):
    clocks.step(real_ms=8 * HOUR_MS)
    sales = Sales(aws, stream)
    right, server = start_through(tables, stream, *FAST), start_through(tables, None, *FAST)
    wrong = start_shifted(tables, stream, *FAST)
    sell_and_check([right, wrong, server], sales, 1)
    right.terminate()
    sell_and_check([wrong, server], sales, 1)
    again = start_through(tables, stream, *FAST)
    wrong.terminate()
    sell_and_check([again, server], sales, 1)
    assert max(lease_times(aws, tables)) <= time.time() * 1000
    assert not again.health()["troubles"] and not server.health()["troubles"]


def test_only_the_service_of_the_events_sets_the_clock(aws, proxies, tables, stream, start_shifted, clocks):
    """The clock of DynamoDB is hours off, as is that of another server that answers for Kinesis."""

    def dated_by(shift_s):
        def layer(request, proceed):
            reply = proceed(request)
            reply.headers.set("Date", email.utils.formatdate(time.time() + shift_s, usegmt=True))
            return reply

        return layer

    def of_another_server(request, proceed):
        return proxy.Reply(200, [], b"{}")

    clocks.step(real_ms=8 * HOUR_MS)
    proxies.dynamodb.layers = [dated_by(3600)]
    sales = Sales(aws, stream)
    daemon = start_shifted(tables, stream, *FAST, "--caught-up-ms", "2000")
    sell_and_check([daemon], sales, 0.5)
    proxies.kinesis.layers = [dated_by(3600), of_another_server]
    wait.until(lambda: not daemon.health()["caughtUp"], "no longer caught up", 30)
    assert_honest([daemon], sales)
    assert daemon.get("/scores/merchant?maxLag=2000").json()["code"] == "too-stale"
    proxies.kinesis.layers = []
    sell_and_check([daemon], sales, 0.5)


def test_a_machine_that_was_suspended_claims_nothing_for_that_time(
    aws, proxies, tables, stream, start_shifted, clocks
):
    sales = Sales(aws, stream)
    daemon = start_shifted(tables, stream, *FAST, "--caught-up-ms", "2000")
    sell_and_check([daemon], sales, 0.5)
    with proxies.kinesis.refusing():
        clocks.suspended(daemon, 3)
        assert_lag_is_true(daemon)
        assert not daemon.health()["caughtUp"]
    sell_and_check([daemon], sales, 0.5)


def test_answers_stay_true_while_the_clocks_step_and_drift(aws, tables, stream, start_shifted, clocks):
    sales = Sales(aws, stream)
    daemons = [start_shifted(tables, stream, *FAST), start_shifted(tables, None, *FAST)]
    moves = [
        lambda: clocks.step(real_ms=60_000),
        lambda: clocks.step(real_ms=8 * HOUR_MS),
        lambda: clocks.step(real_ms=-16 * HOUR_MS),
        lambda: clocks.drift(real_ppm=80_000, boot_ppm=80_000),
        lambda: clocks.drift(real_ppm=-80_000, boot_ppm=-80_000),
        clocks.right,
    ]
    for move in moves:
        move()
        sell_and_check(daemons, sales, 0.7)


def test_a_view_without_its_source_grows_old_by_a_wrong_clock_too(
    aws, proxies, tables, stream, start_shifted, clocks
):
    """An hour ahead for a moment: asOf is not in the future after that, and answers grow too old in time."""
    sales = Sales(aws, stream)
    daemon = start_shifted(tables, stream, *FAST, "--caught-up-ms", "2000")
    sell_and_check([daemon], sales, 0.5)
    clocks.step(real_ms=HOUR_MS)
    sell_and_check([daemon], sales, 0.5)
    clocks.step(real_ms=-HOUR_MS)
    with proxies.kinesis.refusing():
        wait.until(lambda: not daemon.health()["caughtUp"], "no longer caught up", 30)
        assert daemon.get("/scores/merchant?maxLag=2000").json()["code"] == "too-stale"
        assert daemon.get("/contributions/nothing").json()["code"] == "view-not-ready"
        clocks.step(real_ms=-HOUR_MS)
        assert daemon.get("/scores/merchant?maxLag=2000").json()["code"] == "too-stale"
        assert not daemon.health()["caughtUp"]


@pytest.mark.parametrize("ahead_ms", [40_000, -HOUR_MS])
def test_the_start_latest_is_now_by_the_services_clock(aws, tables, stream, start_shifted, clocks, ahead_ms):
    clocks.step(real_ms=ahead_ms)
    daemon = start_shifted(tables, stream, "--start", "latest", *FAST)
    cloud.put(aws.kinesis, stream, LAMP)
    daemon.wait_until_applied()
    assert daemon.get("/contributions/lamp").json()["purchases"] == 1
    leases = KinesisDynamodb(aws, tables, None).leases().values()
    starts = [int(lease["startAt"]) for lease in leases if "startAt" in lease]  # the lamp's lease may have a checkpoint
    assert len(starts) >= 2 and all(time.time() * 1000 - 60_000 < start_at <= time.time() * 1000 for start_at in starts)


def test_a_stored_time_from_the_future_is_unknown_and_reported(aws, tables, stream, start):
    """On a worker that only serves, while no other replaces it."""
    worker, server, leases = start(tables, stream, *FAST), start(tables, None, *FAST), f"{tables}-Leases"
    server.wait_until_applied()
    worker.terminate()
    other = "shardId-000000000009"
    item = aws.dynamodb.get_item(TableName=leases, Key={"leaseKey": {"S": "shardId-000000000000"}})["Item"]
    future_ms = int(time.time() * 1000) + HOUR_MS
    item.update(leaseKey={"S": other}, asOf={"N": str(future_ms)})
    aws.dynamodb.put_item(TableName=leases, Item=item)
    wait.until(lambda: "asOf of leases" in {t["name"] for t in server.health()["troubles"]}, "reported")
    wait.until(lambda: server.health()["asOf"] is None, "not known")
    assert next(one for one in server.health()["shards"] if one["shard"] == other)["asOf"] is None
    aws.dynamodb.delete_item(TableName=leases, Key={"leaseKey": {"S": other}})
    wait.until(lambda: not server.health()["troubles"] and server.health()["asOf"], "no trouble")


def test_the_next_owner_of_a_lease_replaces_a_time_from_the_future(aws, tables, stream, start):
    worker, leases = start(tables, stream, *FAST), f"{tables}-Leases"
    worker.wait_until_applied()
    worker.terminate()
    for shard in KinesisDynamodb(aws, tables, stream).shards:
        aws.dynamodb.update_item(
            TableName=leases,
            Key={"leaseKey": {"S": shard}},
            UpdateExpression="SET asOf = :t",
            ExpressionAttributeValues={":t": {"N": str(int(time.time() * 1000) + HOUR_MS)}},
        )
    start(tables, stream, *FAST).wait_until_applied()

    def are_true():
        times = lease_times(aws, tables)
        return min(times) and max(times) <= time.time() * 1000

    wait.until(are_true, "true times in the leases", seen=lambda: lease_times(aws, tables))


def without_date(request, proceed):
    reply = proceed(request)
    reply.headers.remove("Date")
    return reply


def test_while_no_reply_has_a_date_the_views_time_is_unknown(
    aws, proxies, tables, stream, start_shifted, clocks
):
    clocks.step(real_ms=HOUR_MS)
    proxies.kinesis.layers = [without_date]
    sales = Sales(aws, stream)
    sales.sell()
    daemon = start_shifted(tables, stream, *FAST)
    wait.until(lambda: daemon.get("/contributions/lamp").status == 200, "the lamp")
    health = daemon.health()
    assert health["asOf"] is None and not health["caughtUp"]
    assert daemon.get("/contributions/nothing").json()["code"] == "view-not-ready"
    proxies.kinesis.layers = []
    sell_and_check([daemon], sales, 0.3)
    proxies.kinesis.layers = [without_date]  # what is known stays known
    sell_and_check([daemon], sales, 0.3)


def test_if_a_source_never_sends_a_date_the_machines_clock_counts(
    aws, proxies, tables, stream, start_shifted, clocks
):
    proxies.kinesis.layers = [without_date]
    sales = Sales(aws, stream)
    sales.sell()
    daemon = start_shifted(tables, stream, *FAST)
    wait.until(lambda: daemon.get("/contributions/lamp").status == 200, "the lamp")
    clocks.step(raw_ms=64_000)
    daemon.wait_until_applied()
    assert daemon.health()["caughtUp"]
    assert daemon.log().count("have no Date") == 1


def test_a_file_is_as_fresh_as_its_last_look_whatever_the_wall_clock_does(embedded, start_on, clocks):
    """Its asOf is reported by the wall clock; its age is measured by a clock that does not jump."""
    embedded.put(LAMP)
    daemon = start_on(embedded, environment=clocks.environment)
    daemon.wait_until_applied()

    def reported_ahead_ms():
        health = daemon.health()
        assert health["caughtUp"] and 0 <= health["shards"][0]["lagMs"] < 5000
        assert daemon.get("/scores/merchant?maxLag=5000").status == 200
        return epoch_ms(health["asOf"]) - time.time() * 1000

    for hours in (1, -2, 1):
        clocks.step(real_ms=hours * HOUR_MS)
        ahead = clocks.offset_ns("real") / 1e6
        wait.until(lambda: abs(reported_ahead_ms() - ahead) < 10_000, f"reported {ahead} ms ahead", seen=reported_ahead_ms)
    clocks.step(real_ms=HOUR_MS)
    wait.until(lambda: reported_ahead_ms() > HOUR_MS - 10_000, "reported an hour ahead")
    daemon.terminate()
    clocks.right()
    daemon = start_on(embedded, environment=clocks.environment)
    daemon.wait_until_applied()
    assert epoch_ms(daemon.health()["asOf"]) <= time.time() * 1000


def test_a_file_in_dynamodb_is_as_fresh_as_dynamodbs_clock_says(aws, tables, embedded, start_on, clocks):
    embedded.put(LAMP)
    clocks.step(real_ms=HOUR_MS)
    options = ("--store", f"dynamodb:{tables}", *FAST)
    daemon = start_on(embedded, *options, environment={**aws.environment, **clocks.environment})
    daemon.wait_until_applied()
    assert epoch_ms(daemon.health()["asOf"]) <= time.time() * 1000
    assert daemon.get("/contributions/lamp").json()["purchases"] == 1
