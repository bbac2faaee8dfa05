"""GET /live?changes=1: what was sold just now, and how far a view is on its way to being caught up."""

import time

import aws_behaviour
import live
import pairs
import wait
from small_shop import TIME, person, product, puts

FAILOVER = ("--failover-ms", "3000")
PATIENT = ("--caught-up-ms", "60000")  # a busy machine is no reason to be behind
ANN, PHIL = person("merchant", "Ann"), person("photographer", "Phil")
LAMP = puts(product("lamp", ANN, PHIL, 3))
PURCHASE = LAMP[-1:]


def shelf(n):
    """As many products of Ann's, each bought once."""
    return puts([event for i in range(n) for event in product(f"p{i}", ANN, None, 1)])


def follow(daemon):
    return live.Reader(daemon, query="?changes=1")


def wait_until_caught_up(reader, sales):
    """From now on it gets every sale of this process, whose shards are so many."""
    fresh = lambda: reader.last("freshness") or {}
    reader.wait_for(lambda: fresh().get("caughtUp") and fresh()["sales"] == sales, f"caught up, sales of {sales}")


def count_sold(reader):
    return sum(1 + event.data["skipped"] for event in reader.of("sale"))


def check_schemas(openapi, reader):
    for kind, schema in (("sale", "Sale"), ("progress", "Progress"), ("freshness", "Freshness")):
        for event in reader.of(kind):
            openapi.validate(event.data, {"$ref": f"#/components/schemas/{schema}"}, f"/live {kind}")


def test_each_sale_is_told_once_with_its_product_and_people(pair, start_on, openapi):
    pair.put(LAMP)
    daemon = start_on(pair, *PATIENT)
    daemon.wait_until_applied()
    with follow(daemon) as reader, live.Reader(daemon) as other:
        wait_until_caught_up(reader, "all")
        pair.put(PURCHASE)
        reader.wait_for(lambda: count_sold(reader) == 1, "the sale")
        lamp = daemon.get("/contributions/lamp").json()
        people = {role: {name: lamp[role][name] for name in ("id", "userId", "name")} for role in ("merchant", "photographer")}
        assert reader.last("sale") == {"productId": "lamp", "name": "n", **people, "time": TIME, "skipped": 0}
        pair.put(puts(product("vase", ANN, None, 1)) + puts(product("old", None, None, 1)))
        reader.wait_for(lambda: count_sold(reader) == 3, "two more")
        reader.wait_for_score(5)
        before = len(reader.of("freshness"))
        reader.wait_for(lambda: len(reader.of("freshness")) > before + 1, "a second later")
        assert count_sold(reader) == 3
        assert reader.last("sale")["photographer"] is None
        check_schemas(openapi, reader)
        other.wait_for_score(5)
        assert {event.kind for event in other.events} == live.KINDS  # they are for those who follow changes


def test_sales_that_arrive_faster_than_can_be_read_are_counted(embedded, start_on):
    embedded.put(LAMP)
    daemon = start_on(embedded, *PATIENT)
    daemon.wait_until_applied()
    with follow(daemon) as reader:
        wait_until_caught_up(reader, "all")
        begin, bursts, each = time.monotonic(), 20, 100
        for _ in range(bursts):
            embedded.put(PURCHASE * each)
            time.sleep(0.05)  # the time between two bursts, not a wait for a condition
        reader.wait_for(lambda: count_sold(reader) >= bursts * each, "all sales")
        assert count_sold(reader) == bursts * each
        assert 1 <= len(reader.of("sale")) <= 4 * (reader.of("sale")[-1].at - begin) + 1


def test_each_sale_is_told_by_the_process_that_reads_its_shard(aws, tables, stream, start, openapi):
    pair = pairs.KinesisDynamodb(aws, tables, stream)
    workers = [start(tables, stream, *FAILOVER, *PATIENT) for _ in range(2)]
    server = start(tables, None, *PATIENT)
    wait.until(lambda: [w.metric("winner_view_leases") > 0 for w in workers] == [True, True], "both read", 60)
    with follow(workers[0]) as one, follow(workers[1]) as two, follow(server) as none:
        for reader in (one, two):
            wait_until_caught_up(reader, "some")
        wait_until_caught_up(none, "none")
        pair.put(shelf(30))
        one.wait_for(lambda: count_sold(one) + count_sold(two) >= 30, "all sales")
        for reader in (one, two, none):
            reader.wait_for_score(30)
        assert count_sold(one) + count_sold(two) == 30 and count_sold(one) and count_sold(two)
        assert not none.of("sale")
        check_schemas(openapi, none)


def test_a_stream_that_is_behind_tells_its_progress_and_no_sales(aws, tables, stream, proxies, start_through, openapi):
    """The stream says how far behind the reads are, as AWS does."""
    behind = {"ms": 600_000}
    proxies.kinesis.layers = [aws_behaviour.Lag(lambda content, now_ms: behind["ms"])]
    pair = pairs.KinesisDynamodb(aws, tables, stream)
    daemon = start_through(tables, stream)
    pair.put(LAMP)
    with follow(daemon) as reader:
        reader.wait_for_score(3)
        wait.until(lambda: daemon.health()["asOf"], "the way begins")
        behind["ms"] = 300_000
        half = lambda: ((reader.last("progress") or {}).get("percent") or 0) >= 49
        reader.wait_for(half, "half of the way, which grew by the seconds since it began")
        progress = reader.last("progress")
        assert progress["percent"] < 60
        assert (progress["shardsBehind"], progress["shards"]) == (3, 3) and progress["secondsLeft"] > 0
        assert progress["eventsPerSecond"] >= 0 and not reader.of("sale")
        behind["ms"] = 0
        wait_until_caught_up(reader, "all")
        pair.put(PURCHASE)
        reader.wait_for(lambda: count_sold(reader) == 1, "the sale")
        check_schemas(openapi, reader)


def test_a_file_that_is_behind_tells_its_progress_and_no_sales(embedded, start_on, openapi):
    embedded.put(LAMP)
    embedded.append((LAMP[-1].data + b"\n") * 150_000)  # which take some seconds, applied one by one
    daemon = start_on(embedded, "--batch-size", "1")
    with follow(daemon) as reader:
        known = lambda: [e.data for e in reader.of("progress") if None not in e.data.values()]
        reader.wait_for(known, "two pieces of the file are applied")
        assert not reader.of("sale")
        progress = known()[0]
        assert progress["percent"] < 100 and progress["eventsPerSecond"] > 0
        assert (progress["shardsBehind"], progress["shards"]) == (1, 1)
        check_schemas(openapi, reader)
