"""No answer claims to be fresher than it is: with a late index, on a worker that ingests and on one that only serves,
and when leases or tables cannot be read. An answer is never older than `maxLag`; otherwise it is a problem."""

import time

import aws_behaviour
import wait
from model import epoch_ms
from honesty import LAMP, Sales, assert_honest, shown
from pairs import KinesisDynamodb

FAILOVER = ("--failover-ms", "3000")


def test_answers_from_a_late_index_hold_everything_up_to_their_as_of(aws, proxies, tables, stream, start_through):
    """The index is late by most of the allowance. A backlog is the hard case: once it is applied the view is fresh at
    once, and the index is not."""
    late = aws_behaviour.LateIndex(seconds=0.8)
    proxies.dynamodb.layers = [late]
    sales = Sales(aws, stream)
    options = ("--cache-ttl-ms", "50", "--cache-stale-ms", "0", *FAILOVER)  # the default allowance is a second
    daemons = [start_through(tables, stream, *options), start_through(tables, None, *options)]
    deadline = time.monotonic() + 3
    while time.monotonic() < deadline:
        sales.sell()
        assert_honest(daemons, sales)
    for _ in range(2):
        with proxies.kinesis.refusing():
            deadline = time.monotonic() + 2
            while time.monotonic() < deadline:
                sales.sell()
                assert_honest(daemons, sales)
        last = sales.put_by_ms[-1]
        wait.until(lambda: assert_honest(daemons, sales) > last, "all answers fresh", 30, every_s=0)
    assert late.happened
    for daemon in daemons:
        assert {purchases for _, purchases in shown(daemon)} == {len(sales.put_by_ms)}


def test_the_end_of_a_shard_claims_nothing_of_what_its_children_have(aws, proxies, tables, one_shard, start_through):
    """A read at lag 0, and only the next one is the shard's end. By then a child has a purchase."""
    late = aws_behaviour.LateEnd()
    proxies.kinesis.layers = [late]
    sales = Sales(aws, one_shard.name)
    daemon = start_through(tables, one_shard.name, *FAILOVER)
    daemon.wait_until_applied()
    with proxies.kinesis.hanging():
        one_shard.split(one_shard.shard_ids()[0])
        sales.sell()
    wait.until(lambda: late.happened, "a read that reached the end")
    deadline = time.monotonic() + 1.5  # longer than the as-of of a read takes to an answer
    while time.monotonic() < deadline:
        assert_honest([daemon], sales)
    late.may_end.set()
    daemon.wait_until_applied()
    assert assert_honest([daemon], sales) and shown(daemon)[-1][1] == 1


def serves_with_time(daemon):
    """The view's asOf in ms, None if it is unknown."""
    as_of = daemon.health()["asOf"]
    return epoch_ms(as_of) if as_of else None


def test_a_worker_that_only_serves_takes_its_freshness_from_the_leases(
    aws, proxies, tables, stream, start, make_daemon
):
    """The worker reaches AWS through a proxy that refuses reads of the leases for a while."""
    worker = start(tables, stream, *FAILOVER)
    server = make_daemon(tables, None, "--caught-up-ms", "5000", environment=proxies.environment).start()
    server.wait_until_applied(30)
    shards = KinesisDynamodb(aws, tables, stream).shards
    assert [shard["shard"] for shard in server.health()["shards"]] == shards
    assert all(0 <= shard["lagMs"] < 60_000 for shard in server.health()["shards"])

    def refuse_scans(request):
        is_scan = request.operation == "Scan"
        return aws_behaviour.refusal(request, "InternalServerError", "scripted", 500) if is_scan else None

    proxies.dynamodb.on_request = refuse_scans
    wait.until(
        lambda: "leases" in {t["name"] for t in server.health()["troubles"]}, "trouble with the leases"
    )
    stands_at = serves_with_time(server)
    missing = lambda: server.get("/contributions/nothing").json()["code"]
    wait.until(lambda: missing() == "view-not-ready", "no longer caught up", 30)  # its read teaches the clock
    assert serves_with_time(server) == stands_at and worker.health()["caughtUp"]
    assert max(shard["lagMs"] for shard in server.health()["shards"]) > 5000
    assert server.get("/scores/merchant").status == 200
    assert epoch_ms(server.get("/scores/photographer").json()["asOf"]) <= stands_at
    assert server.get("/scores/merchant?maxLag=1000").json()["code"] == "too-stale"
    proxies.dynamodb.on_request = None
    server.wait_until_applied(30)
    wait.until(lambda: missing() == "not-found", "caught up")

    worker.terminate()  # without ingest asOf does not advance
    stopped_ms = time.time() * 1000
    wait.until(lambda: not server.health()["caughtUp"], "no longer caught up", 30)
    assert serves_with_time(server) <= stopped_ms
    start(tables, stream, *FAILOVER)
    server.wait_until_applied(30)


def test_a_shard_without_a_known_time_makes_the_views_time_unknown(aws, tables, stream, start):
    """On a worker that only serves: a lease whose shard has not been read yet."""
    worker, server = start(tables, stream, *FAILOVER), start(tables, None)
    server.wait_until_applied(30)
    worker.terminate()
    leases, new = f"{tables}-Leases", "shardId-000000000009"
    shard = KinesisDynamodb(aws, tables, stream).shards[1]
    item = aws.dynamodb.get_item(TableName=leases, Key={"leaseKey": {"S": shard}})["Item"]
    del item["asOf"]
    item.update(leaseKey={"S": new}, checkpoint={"S": "TRIM_HORIZON"})
    aws.dynamodb.put_item(TableName=leases, Item=item)
    wait.until(lambda: server.health()["asOf"] is None, "not known")
    wait.until(lambda: server.get("/scores/merchant").json()["asOf"] is None, "not known, of boards")
    unknown = [one for one in server.health()["shards"] if one["asOf"] is None]
    assert [(shard["shard"], shard["lagMs"], shard["secondsLeft"]) for shard in unknown] == [(new, None, None)]
    assert server.get("/contributions/nothing").json()["code"] == "view-not-ready"
    aws.dynamodb.delete_item(TableName=leases, Key={"leaseKey": {"S": new}})
    wait.until(lambda: server.health()["asOf"], "known again")


ROUTES = [
    "/scores/merchant",
    "/scores/photographer",
    "/scores",
    "/scores?role=creator",
    "/scores/{id}",
    "/scores/merchant/{id}",
    "/contributions",
    "/contributions/lamp",
]


def test_a_missing_contributor_is_404_however_late_the_index_may_be(tables, stream, start):
    daemon = start(tables, stream, "--index-allowance-ms", "3600000", "--caught-up-ms", "3600001")
    daemon.wait_until_applied()
    assert daemon.get("/scores/merchant").json()["asOf"] is None
    for target in ("/scores/nobody", "/scores/merchant/nobody"):
        assert daemon.get(target).status == 404, target


def test_a_missing_table_is_503_and_not_404(aws, tables, stream, start):
    """The process only serves, so that it needs those tables only for answers."""
    start(tables, stream).wait_until_applied()
    none = ["--scores-table", f"{tables}-none", "--contributions-table", f"{tables}-none"]
    server = start(tables, None, *none, "--identities", "full")  # masked, a guessed userId is no reason to read
    server.wait_until_applied()
    for target in [route.replace("{id}", "nobody") for route in ROUTES]:
        response = server.get(target)
        assert (response.status, response.json()["code"]) == (503, "store-unavailable"), target
    assert "reads" in {trouble["name"] for trouble in server.health()["troubles"]}


def test_an_answer_is_never_older_than_max_lag_allows(pair, start_on):
    """A cached answer becomes older than the view: maxLag is checked also for a hit."""
    pair.put(LAMP)
    daemon = start_on(pair, "--cache-ttl-ms", "600000")
    board = daemon.wait_until_boards_are_true()
    for route in ROUTES:
        target = route.replace("{id}", board["items"][0]["id"])
        mark = "&" if "?" in target else "?"
        as_of = daemon.get(target).headers["view-as-of"]
        wait.until(lambda: time.time() * 1000 > epoch_ms(as_of) + 50, "50 ms older")
        for method in ("GET", "HEAD"):
            refused = daemon.get(f"{target}{mark}maxLag=50", method=method)
            assert refused.status == 412 and int(refused.headers["retry-after"]) >= 1
            assert "no-store" in refused.headers["cache-control"]
        refused = daemon.get(f"{target}{mark}maxLag=50").json()
        assert refused["code"] == "too-stale" and "maxLag allows 50 ms" in refused["detail"]
        served = daemon.get(f"{target}{mark}maxLag=86400000")
        assert served.status == 200 and served.headers["view-as-of"] == as_of
        assert served.headers["cache-status"].startswith("winner-view; hit")


def test_a_max_lag_out_of_bounds_is_refused(embedded, start_on):
    embedded.put(LAMP)
    daemon = start_on(embedded)
    for lag in ("0", "86400001", "-1", "1.5", "", "ten"):
        body = daemon.get(f"/scores/merchant?maxLag={lag}").json()
        assert (body["code"], body["parameter"], body["given"]) == ("invalid-parameter", "maxLag", lag)
        assert "86400000" in body["allowed"]
    assert daemon.get("/livez?maxLag=1").status == 400  # it has no data of the view
