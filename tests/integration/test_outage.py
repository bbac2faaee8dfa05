"""DynamoDB stops answering, or refuses connections, under load: cached answers are served as stale, others are 503
within seconds, and everything recovers by itself."""

import collections
import http.client
import random
import threading
import time

import cloud
import http_client
import program
import pytest
import wait
from model import fold
from pairs import KinesisDynamodb, assert_equal_to_model
from small_shop import person, product, puts

CONNECTIONS = 16
PAUSE_S = 0.05  # between two requests of a connection
TTL_S, STALE_S = 1, 10
SOON_S = 3  # within which a 503 must be sent (openapi.yaml)
AT_ONCE_S = 1
MEMORY_BUDGET = 96 << 20
PRODUCTS = 40
CACHED = [
    "/scores/merchant",
    "/scores/photographer",
    "/scores",
    "/scores?role=creator",
    "/contributions",
    *(f"/contributions/p{n}" for n in range(15)),
]
MISSES = [
    *(f"/contributions/p{n}" for n in range(20, 40)),
    *(f"/contributions/nothing-{n}" for n in range(5)),
    *(f"/scores/merchant?limit={n}" for n in range(50, 55)),
]


class Seen:
    """One answer, when it was requested and how long it took."""

    def __init__(self, target, at, seconds, response):
        self.target, self.at, self.seconds = target, at, seconds
        self.status, self.response = response.status, response
        self.cache_status = response.headers.get("cache-status", "")
        self.age_s = int(response.headers.get("age", -1))

    def __str__(self):
        return f"{self.target} at {self.at:.2f}: {self.status} {self.cache_status} in {self.seconds:.2f} s"


class Load:
    """Connections that send one request after the other until the block ends; with `asks_for_misses` also for targets
    that are not cached. In the end one answer of each kind is checked against openapi.yaml."""

    def __init__(self, daemon):
        self.daemon, self.seen, self.failures = daemon, [], []
        self.asks_for_misses = False
        self.ending = threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(n,), daemon=True) for n in range(CONNECTIONS)]

    def run(self, number):
        drawn = random.Random(number)
        connection = http.client.HTTPConnection("127.0.0.1", self.daemon.port, timeout=30)
        try:
            while not self.ending.wait(PAUSE_S):
                target = drawn.choice(MISSES if self.asks_for_misses and drawn.random() < 0.2 else CACHED)
                at = time.monotonic()
                connection.request("GET", target)
                response = http_client.Response("GET", target, connection.getresponse())
                self.seen.append(Seen(target, at, time.monotonic() - at, response))
        except Exception as error:  # a missing answer
            self.failures.append(repr(error))
        finally:
            connection.close()

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, kind, *_):
        self.ending.set()
        for thread in self.threads:
            thread.join(60)
        if kind is None:
            assert not self.failures, self.failures
            for one in {(one.target, one.status, one.cache_status): one for one in self.seen}.values():
                http_client.judge(one.response)


@pytest.fixture(params=["paused", "refused"])
def outage(request, aws, proxies):
    """(environment of a service, context manager that is the outage, its seconds)"""
    if request.param == "refused":
        return proxies.environment, proxies.dynamodb.refusing, 15
    return {}, aws.emulators.dynamodb.paused, 30


def shop_events():
    return [
        event
        for n in range(PRODUCTS)
        for event in product(
            f"p{n}", person("merchant", f"M{n % 10}"), person("photographer", f"P{n % 4}"), n % 5
        )
    ]


def judge(seen, begin, end):
    """Checks the answers to requests made while the store was gone. For each cached target at most one request waits
    for the store."""
    during = [one for one in seen if begin + TTL_S + 0.5 <= one.at and one.at + one.seconds <= end]
    counts = collections.Counter()
    for one in during:
        assert one.seconds < SOON_S, str(one)
        if one.target in CACHED:
            assert one.status == 200 and "hit; detail=stale" in one.cache_status, str(one)
            assert one.age_s >= int(one.at - begin), f"{one} has the Age {one.age_s}"
            if one.at > begin + TTL_S + STALE_S:
                assert "stale-if-error" in one.cache_status, str(one)
            counts[one.cache_status] += 1
        else:
            assert one.status == 503, str(one)
            assert one.response.content_type == "application/problem+json", str(one)
            assert int(one.response.headers["retry-after"]) >= 1
            counts[one.response.json()["code"]] += 1
    slow = [one for one in during if one.target in CACHED and one.seconds > AT_ONCE_S]
    assert len(slow) <= len(CACHED), [str(one) for one in slow]
    return during, counts


def percentile_ms(seconds, percent):
    return sorted(seconds)[max(0, len(seconds) * percent // 100 - 1)] * 1000


def report(capsys, what, during, counts, daemon):
    cached = [one.seconds for one in during if one.target in CACHED]
    rest = [one.seconds for one in during if one.target not in CACHED]
    with capsys.disabled():
        print(f"\n{what}: {dict(counts)}")
        for name, seconds in ("cached", cached), ("the rest", rest):
            print(
                f"  {name}, {len(seconds)}: p50 {percentile_ms(seconds, 50):.0f} ms, "
                f"p99 {percentile_ms(seconds, 99):.0f} ms, longest {max(seconds) * 1000:.0f} ms"
            )
        print(f"  peak memory {daemon.peak_memory() >> 20} MiB")


@pytest.mark.alone
@pytest.mark.own_emulators
def test_during_an_outage_of_the_store_cached_answers_are_served_as_stale_and_misses_get_503(
    outage, aws, tables, stream, start, capsys
):
    environment, gone, outage_s = outage
    cloud.put(aws.kinesis, stream, puts(shop_events()))
    daemon = start(tables, stream, "--failover-ms", "3000", environment=environment)
    daemon.wait_until_applied()
    for target in CACHED:
        assert daemon.get(target).status == 200
    with Load(daemon) as load:
        with gone():
            begin = time.monotonic()
            load.asks_for_misses = True  # not before: the answers would be cached
            time.sleep(outage_s / 2)
            assert daemon.get("/livez").status == 200 and daemon.get("/readyz").status == 200
            assert daemon.health()["status"] == "degraded"
            time.sleep(outage_s / 2)  # the outage itself
            end = time.monotonic()
        cloud.put(aws.kinesis, stream, puts(product("p1", None, None, 7)))
        daemon.wait_until_applied(60)
        wait.until(
            lambda: daemon.get("/contributions/p1").json()["purchases"] == 8, "the newest purchases", 30
        )
        well = time.monotonic()
        wait.until(lambda: well_since(load, well) >= set(CACHED + MISSES), "all well again", 60)
    during, counts = judge(load.seen, begin, end)
    report(capsys, f"{outage_s} s without a store", during, counts, daemon)
    assert counts["winner-view; hit; detail=stale-if-error"] > 100 and counts["store-unavailable"] > 50
    assert not daemon.health()["troubles"]
    expected = fold(cloud.read_stream(aws.kinesis, stream))
    assert_equal_to_model(KinesisDynamodb(aws, tables, stream), expected, daemon.dead_letters())
    if not program.is_sanitized():
        assert daemon.peak_memory() <= MEMORY_BUDGET


def well_since(load, when):
    """The targets that had a normal answer since then."""
    return {
        one.target
        for one in load.seen[-2000:]
        if one.at > when
        and one.status == (404 if "nothing" in one.target else 200)
        and "if-error" not in one.cache_status
    }
