"""One worker holds many leases whose writes are slow, or some of which hang: it takes them all and loses none."""

import time

import cloud
import fake_stream
import pairs
import program
import proxy
import pytest
import wait

SLOW_S = 0.1
FAILOVER_S = 10  # the default
RENEWALS = 4
WRITES = ("PutItem", "UpdateItem")

pytestmark = pytest.mark.skipif(
    program.is_sanitized(), reason="a sanitizer's build is too slow for its leases"
)


class Shop(pairs.KinesisDynamodb):
    """A fake stream, and a proxy before DynamoDB: `delays(shard)` is for how many seconds a write of its lease is held."""

    def __init__(self, aws, stage, stream, dynamodb, delays):
        super().__init__(aws, stage, stream.name)
        dynamodb.layers = [self.delay]
        self.delays = delays
        self.environment = stream.environment(dynamodb.url)

    def delay(self, request, proceed):
        content = request.json()
        if request.operation in WRITES and content["TableName"].endswith("-Leases"):
            key = content.get("Key") or content["Item"]
            time.sleep(self.delays(key["leaseKey"]["S"]))
        return proceed(request)

    def renewed(self, shards):
        """Whether each of these leases has been written often since it was taken."""
        leases = self.leases()
        return len(leases) >= len(shards) and all(
            int(leases[shard]["leaseCounter"]) > RENEWALS for shard in shards
        )


def events(daemon, event):
    return daemon.metric("winner_view_lease_events_total", event=event)


@pytest.fixture
def make_shop(aws, tables):
    """make_shop(stream, delays)"""
    with proxy.Proxy(aws.emulators.dynamodb_url) as dynamodb:
        yield lambda stream, delays: Shop(aws, tables, stream, dynamodb, delays)


@pytest.mark.all
def test_300_leases_at_100_ms_a_write_are_all_taken_and_none_is_lost(make_shop, start_on):
    with fake_stream.FakeStream(shards=300) as stream:
        shop = make_shop(stream, lambda _: SLOW_S)
        daemon = start_on(shop, "--poll-interval-ms", "5000")
        wait.until(lambda: shop.renewed(stream.shards), "all leases are renewed", 8 * FAILOVER_S, 0.5, daemon.log_tail)
        assert daemon.metric("winner_view_leases") == len(stream.shards)
        assert events(daemon, "taken") + events(daemon, "taken_back") == len(stream.shards)  # an answer may be late
        assert not events(daemon, "lost")


def test_lease_whose_writes_hang_costs_the_others_nothing(make_shop, start_on):
    with fake_stream.FakeStream(shards=24) as stream:
        hung, healthy = stream.shards[:6], stream.shards[6:]
        hangs = []
        shop = make_shop(stream, lambda shard: 60 if shard in hangs else 0)
        daemon = start_on(shop, "--poll-interval-ms", "1000", "--failover-ms", "6000")
        wait.until(lambda: daemon.metric("winner_view_leases") == 24, "all are taken", seen=daemon.log_tail)
        hangs += hung
        before = shop.leases()
        wait.until(lambda: events(daemon, "lost") == len(hung), "those that hang are lost", seen=daemon.log_tail)
        leases = shop.leases()
        for shard in healthy:
            assert leases[shard]["tenure"] == before[shard]["tenure"]
            assert int(leases[shard]["leaseCounter"]) >= int(before[shard]["leaseCounter"]) + 2
        hangs.clear()


def trouble(daemon):
    return next((one["reason"] for one in daemon.health()["troubles"] if one["name"] == "max leases"), None)


def test_worker_reads_no_more_shards_than_max_leases_and_says_if_the_others_stay_unread(make_shop, start_on):
    with fake_stream.FakeStream(shards=5) as stream:
        shop = make_shop(stream, lambda _: 0)
        options = ("--failover-ms", "1000", "--max-leases", "3")
        daemon = start_on(shop, *options)
        reason = wait.until(lambda: trouble(daemon), "the trouble", seen=daemon.log_tail)
        assert reason.startswith("2 shards have been read by no worker for 3 s, and this one reads 3, ")
        assert daemon.metric("winner_view_leases") == 3
        other = start_on(shop, *options)
        wait.until(lambda: not trouble(daemon), "the trouble ends", seen=daemon.log_tail)
        wait.until(lambda: other.metric("winner_view_leases") == 2, "all are read", seen=other.log_tail)
