"""Enhanced fan-out on a Kinesis that pushes as AWS does (fan_out.py): whatever happens to a subscription, no row is lost or
counted twice."""

import contextlib
import itertools
import random

import cloud
import fan_out
import model
import pytest
import subscription_faults
import wait
import workload
from honesty import Sales, assert_honest
from pairs import KinesisDynamodb, assert_equal_to_model
from steady_load import SteadyLoad

NAME = "view"
FAILOVER_MS = 1000
OPTIONS = ("--fan-out", NAME, "--failover-ms", str(FAILOVER_MS))
FIRST, LEFT, RIGHT, MERGED = (f"shardId-{n:012}" for n in range(4))
SEED = 20261130


class Shop:
    """A stream with a pushing proxy in front of it, and what must come of its records."""

    def __init__(self, aws, stage, stream, proxies, make):
        self.pair, self.proxies, self.make = KinesisDynamodb(aws, stage, stream), proxies, make
        self.kinesis, self.stage, self.stream = aws.kinesis, stage, stream
        self.pushing = fan_out.FanOut(heartbeat_s=1.0, in_use_s=0.2)
        proxies.kinesis.layers = [self.pushing]
        self.events = itertools.count(SEED)

    def put(self, count=60):
        cloud.put(self.kinesis, self.stream, workload.generate(next(self.events), count))

    @contextlib.contextmanager
    def running(self, *options, environment=None):
        """A daemon, which stops with status 0."""
        environment = environment or self.proxies.environment
        daemon = self.make(self.stage, self.stream, *OPTIONS, *options, environment=environment).start()
        yield daemon
        daemon.__exit__(None)

    def until_subscribed(self, shard=FIRST, count=1):
        wait.until(lambda: len(self.pushing.of(shard)) >= count, f"{count} subscriptions of {shard}", seen=self.log)

    def log(self):
        return [str(one) for one in self.pushing.subscriptions]

    def assert_exact(self, *daemons):
        """What is in the stream now is applied, and as it must be."""
        self.pair.wait_until_checkpointed()
        letters = set().union(*(daemon.dead_letters() for daemon in daemons))
        assert_equal_to_model(self.pair, model.fold(self.pair.records()), letters)
        assert "GetRecords" not in self.operations(), "nothing is polled"

    def operations(self):
        return {request.operation for request in self.proxies.kinesis.requests}

    def checkpoints_are_of_records(self):
        """A continuation number is no position of a record."""
        known = {record.sequence for record in self.pair.records()}
        found = {lease["checkpoint"] for lease in self.pair.leases().values()}
        assert {checkpoint for checkpoint in found if checkpoint.isdecimal()} <= known


@pytest.fixture
def shop(aws, tables, stream, proxies, make_daemon):
    return Shop(aws, tables, stream, proxies, make_daemon)


@pytest.fixture
def narrow(aws, tables, one_shard, proxies, make_daemon):
    """Of one shard."""
    return Shop(aws, tables, one_shard.name, proxies, make_daemon)


def wide(aws, tables, proxies, make_daemon, shards):
    stream = cloud.create_stream(aws.kinesis, f"wide-{tables}", shards=shards)
    return Shop(aws, tables, stream, proxies, make_daemon)


# Without trouble.


def test_what_is_put_before_and_after_the_start_is_pushed(shop):
    shop.put()
    with shop.running() as daemon:
        shop.assert_exact(daemon)
        shop.put()
        shop.assert_exact(daemon)
    shop.checkpoints_are_of_records()


@pytest.mark.all
def test_a_restart_subscribes_at_the_checkpoint(narrow):
    narrow.put()
    with narrow.running() as daemon:
        narrow.assert_exact(daemon)
    checkpoint = narrow.pair.leases()[FIRST]["checkpoint"]
    narrow.put()
    narrow.pushing.step(10)
    with narrow.running() as again:
        narrow.assert_exact(daemon, again)
    asked = [one.position for one in narrow.pushing.of(FIRST)]
    assert asked[0]["Type"] == "TRIM_HORIZON"
    assert {"Type": "AT_SEQUENCE_NUMBER", "SequenceNumber": checkpoint} in asked


@pytest.mark.all
def test_a_view_that_is_pushed_knows_how_fresh_it_is(shop):
    shop.put()
    with shop.running() as daemon:
        daemon.wait_until_applied()
        shop.assert_exact(daemon)
        assert daemon.health()["caughtUp"]


@pytest.mark.all
def test_an_event_that_waited_on_its_way_claims_nothing_that_is_not_there(narrow, aws):
    """All that is pushed arrives 1.5 s after it was made. Sales go on meanwhile."""
    narrow.pushing.heartbeat_s, narrow.pushing.late_s = 1.0, 1.5
    sales = Sales(aws, narrow.stream)
    with narrow.running("--cache-ttl-ms", "50", "--cache-stale-ms", "0") as daemon:
        with SteadyLoad(lambda due: due and sales.sell(), range(40), 2, round_s=0.5) as load:
            while load.thread.is_alive():
                assert_honest([daemon], sales)
        last = sales.put_by_ms[-1]
        wait.until(lambda: assert_honest([daemon], sales) > last, "a heartbeat has claimed that there is nothing after it")


@pytest.mark.all
def test_a_process_that_only_serves_a_quiet_view_is_as_sure_as_its_worker(narrow, make_daemon):
    """With heartbeats as far apart as AWS's."""
    narrow.pushing.heartbeat_s = 5
    narrow.put()
    with narrow.running() as daemon:
        narrow.assert_exact(daemon)
        reader = make_daemon(narrow.stage, None, "--fan-out", NAME).start()
        wait.until(lambda: reader.health()["caughtUp"], "the reader has caught up", seen=reader.log_tail)
        events, found = narrow.pushing.of(FIRST)[-1].events, set()
        while narrow.pushing.of(FIRST)[-1].events < events + 3:
            found.add(reader.get("/contributions/nothing").status)
        assert found == {404}


# Resharding.


@pytest.mark.parametrize("end_alone", (False, True), ids=("with-records", "alone"))
def test_a_split_and_a_merge_are_followed(narrow, one_shard, end_alone):
    narrow.pushing.end_alone = end_alone
    narrow.put()
    with narrow.running() as daemon:
        narrow.until_subscribed()
        one_shard.split(FIRST)
        narrow.put()
        narrow.pair.wait_until_ended(FIRST)
        narrow.assert_exact(daemon)
        one_shard.merge(LEFT, RIGHT)
        narrow.put()
        narrow.pair.wait_until_ended(LEFT, RIGHT)
        narrow.assert_exact(daemon)
        assert {one.shard for one in narrow.pushing.subscriptions} == {FIRST, LEFT, RIGHT, MERGED}


@pytest.mark.all
def test_an_end_without_children_ends_no_shard(narrow):
    narrow.pushing.script(FIRST, *[subscription_faults.no_children(events=1)] * 3)
    narrow.put()
    with narrow.running() as daemon:
        narrow.until_subscribed(count=4)
        narrow.put()
        narrow.assert_exact(daemon)
        assert narrow.pair.leases()[FIRST]["checkpoint"] != "SHARD_END"


# Two workers.


def test_two_workers_share_the_shards_and_one_takes_those_of_the_other(shop):
    shop.put()
    with shop.running() as stays, shop.running() as leaves:
        wait.until(
            lambda: len({lease.get("leaseOwner") for lease in shop.pair.leases().values()}) == 2, "both have leases"
        )
        shop.put()
        leaves.kill()
        shop.put()
        shop.assert_exact(stays, leaves)


@pytest.mark.all
def test_a_worker_that_was_frozen_does_not_take_its_shards_back(narrow):
    narrow.put()
    with narrow.running() as first:
        narrow.assert_exact(first)
        first.freeze()
        with narrow.running() as second:
            narrow.put()
            narrow.assert_exact(first, second)
            owner = narrow.pair.leases()[FIRST]["leaseOwner"]
            subscriptions = len(narrow.pushing.of(FIRST))
            first.thaw()
            wait.until(lambda: first.metric("winner_view_leases") == 0, "the first knows that it lost its lease")
            narrow.put()
            narrow.assert_exact(first, second)
            assert narrow.pair.leases()[FIRST]["leaseOwner"] == owner
            assert len(narrow.pushing.of(FIRST)) == subscriptions


@pytest.mark.all
def test_a_second_worker_takes_shards_over_without_a_trouble(shop):
    """It takes leases from the first one, whose subscriptions are older than 5 s."""
    shop.pushing.in_use_s = 5
    shop.put()
    with shop.running("--failover-ms", "10000") as first:
        shop.assert_exact(first)
        begun = [shop.pushing.of(shard)[-1].began for shard in shop.pair.shards]
        wait.until(lambda: shop.pushing.now() > max(begun) + 6, "the subscriptions are old")
        with shop.running("--failover-ms", "10000") as second:
            wait.until(lambda: second.metric("winner_view_leases") > 0, "the second has a lease")
            shop.put()
            shop.assert_exact(first, second)
            for daemon in (first, second):
                assert "another program" not in daemon.log() and '"level":"error"' not in daemon.log()


def subscription_of_another(shop, aws):
    """None before the program's is five seconds old."""
    (arn,) = shop.pushing.consumers
    client = cloud.client("kinesis", {**aws.environment, "AWS_ENDPOINT_URL_KINESIS": shop.proxies.kinesis.url})
    try:
        return client.subscribe_to_shard(ConsumerARN=arn, ShardId=FIRST, StartingPosition={"Type": "LATEST"})
    except client.exceptions.ResourceInUseException:
        return None


@pytest.mark.all
def test_another_program_that_uses_the_consumer_is_a_trouble_that_ends_with_it(narrow, aws):
    narrow.pushing.in_use_s = 5
    narrow.put()
    with narrow.running() as daemon:
        narrow.assert_exact(daemon)
        stream = wait.until(lambda: subscription_of_another(narrow, aws), "another subscription", every_s=1)
        troubles = lambda: [trouble["reason"] for trouble in daemon.health()["troubles"]]  # noqa: E731
        wait.until(lambda: any(NAME in reason for reason in troubles()), "the trouble", seen=troubles)
        stream["EventStream"].close()
        narrow.put()
        narrow.assert_exact(daemon)
        wait.until(lambda: not troubles(), "no trouble", seen=troubles)


# Subscriptions that end badly.


def scripted(shop, scripts, per_shard):
    """Of each shard the next ones. The records come one by one, so that all of them are within events."""
    shop.pushing.records_per_event = 3
    shards = cloud.shard_ids(shop.kinesis, shop.stream)
    for number, shard in enumerate(shards):
        shop.pushing.script(shard, *scripts[number::len(shards)][:per_shard])
    shop.put(20 * len(shards))
    with shop.running() as daemon:
        for shard in shards:
            wait.until(lambda shard=shard: not shop.pushing.scripts[shard], f"the scripts of {shard}", seen=shop.log)
            shop.put(10)
        shop.assert_exact(daemon)
    shop.checkpoints_are_of_records()
    assert not shop.pushing.hurried


@pytest.mark.all
@pytest.mark.parametrize(
    "damage",
    (subscription_faults.torn, lambda at: subscription_faults.torn(at, is_clean=True), subscription_faults.corrupted),
    ids=("torn", "cut", "corrupted"),
)
def test_a_stream_that_is_damaged_at_any_byte_costs_a_subscription_and_no_row(
    aws, tables, proxies, make_daemon, damage
):
    """The bytes of the first frame and, at random, later ones; each shard meets a few."""
    shop = wide(aws, tables, proxies, make_daemon, shards=12)
    rng = random.Random(SEED)
    places = [*range(0, 140, 4), *(rng.randrange(140, 3000) for _ in range(13))]
    scripted(shop, [damage(at) for at in places], per_shard=4)


NAMES = (
    "ResourceInUseException", "LimitExceededException", "ResourceNotFoundException", "InternalFailureException",
    "KMSThrottlingException", "KMSAccessDeniedException", "AccessDeniedException", "InvalidArgumentException",
)  # fmt: skip


@pytest.mark.all
def test_an_exception_as_a_frame_or_as_a_status_costs_a_subscription_and_no_row(aws, tables, proxies, make_daemon):
    shop = wide(aws, tables, proxies, make_daemon, shards=8)
    scripts = [
        *(subscription_faults.exception(name, events=number % 2) for number, name in enumerate(NAMES)),
        *(subscription_faults.refused(name) for name in NAMES),
        *(subscription_faults.error(events=number % 2) for number in range(4)),
        *(subscription_faults.refused("InternalFailure", status) for status in (500, 503)),
        subscription_faults.reset(),
        subscription_faults.reset(events=1),
        *(subscription_faults.ended(events=number % 2) for number in range(4)),
        *[subscription_faults.in_pieces(1)] * 4,
    ]
    scripted(shop, scripts, per_shard=3)


@pytest.mark.all
def test_a_throttled_call_is_repeated_at_the_same_pace(narrow):
    tries = 6
    narrow.pushing.script(FIRST, *[subscription_faults.refused("LimitExceededException")] * tries)
    narrow.put()
    with narrow.running() as daemon:
        narrow.assert_exact(daemon)
    asked = [request.arrived for request in narrow.proxies.kinesis.requests if request.operation == "SubscribeToShard"]
    gaps = [later - earlier for earlier, later in itertools.pairwise(asked[: tries + 1])]
    assert len(gaps) == tries and min(gaps) > 0.9, gaps


@pytest.mark.all
def test_a_consumer_in_use_is_awaited(narrow):
    """A subscription that its owner did not end stays for 5 s."""
    narrow.pushing.in_use_s = 5
    narrow.put()
    with narrow.running() as first:
        narrow.assert_exact(first)
        first.kill()
    narrow.put()
    with narrow.running() as second:
        narrow.assert_exact(first, second)


def test_subscriptions_that_expire_during_a_load_lose_nothing(shop):
    puts = workload.generate(SEED, 600)
    with shop.running() as daemon:
        with SteadyLoad(lambda some: cloud.put(shop.kinesis, shop.stream, some), puts, 100) as load:
            for count in range(2, 5):
                shop.until_subscribed(count=count - 1)
                shop.pushing.step(300)
                shop.until_subscribed(count=count)
            load.wait()
        shop.assert_exact(daemon)
    assert [one.ended for one in shop.pushing.of(FIRST)][:3] == ["expired"] * 3


@pytest.mark.all
def test_a_quiet_subscription_is_left_alone(narrow):
    """Its first event takes ten seconds."""
    narrow.pushing.heartbeat_s = 10
    with narrow.running() as daemon:
        narrow.until_subscribed()
        wait.until(lambda: narrow.pushing.of(FIRST)[0].events, "an event", seen=narrow.log)
        narrow.put()
        narrow.assert_exact(daemon)
        assert len(narrow.pushing.of(FIRST)) == 1 and not daemon.health()["troubles"]


@pytest.mark.all
def test_a_subscription_without_an_event_for_35_seconds_is_given_up(shop):
    """In real time: a clock that steps looks like a machine that was suspended, of which nothing follows."""
    silent, half_open, _ = cloud.shard_ids(shop.kinesis, shop.stream)
    shop.pushing.script(silent, subscription_faults.silence(events=1))
    shop.pushing.script(half_open, subscription_faults.half_open(events=1))
    shop.put()
    with shop.running() as daemon:
        for shard in (silent, half_open):
            wait.until(lambda shard=shard: shop.pushing.of(shard) and shop.pushing.of(shard)[0].events, "an event")
        shop.put()
        shop.assert_exact(daemon)
        assert daemon.metric("winner_view_fan_out_resubscriptions_total", reason="silent") == 2


@pytest.mark.all
def test_a_store_that_fails_costs_no_call_too_many_and_no_row(narrow):
    """The shard reads its records again, by another reader."""
    narrow.pushing.records_per_event = 3
    narrow.put()
    with narrow.running("--batch-size", "5") as daemon:
        narrow.assert_exact(daemon)
        for count in range(1, 4):
            narrow.proxies.dynamodb.on_request = lambda request: None if b"-Leases" in request.body else (500, b"{}")
            narrow.put()
            rewinds = lambda: daemon.metric("winner_view_shard_rewinds_total")  # noqa: E731
            wait.until(lambda count=count: rewinds() >= count, "it drops what it has", seen=daemon.log_tail)
            narrow.proxies.dynamodb.on_request = None
            narrow.assert_exact(daemon)
    assert not narrow.pushing.hurried


@pytest.mark.all
def test_bursts_of_eleven_events_are_taken_in_order(shop):
    shop.pushing.records_per_event = 1
    shop.pushing.draw = lambda shard, number: subscription_faults.burst(11)
    shop.put(200)
    with shop.running() as daemon:
        shop.assert_exact(daemon)


# The consumer.


@pytest.mark.all
def test_a_consumer_that_is_being_created_is_awaited(narrow):
    narrow.pushing.creating_s = 2
    narrow.put()
    with narrow.running() as daemon:
        narrow.assert_exact(daemon)


def test_a_consumer_that_is_gone_is_registered_again(narrow):
    narrow.put()
    with narrow.running() as daemon:
        narrow.assert_exact(daemon)
        narrow.pushing.forget()
        narrow.put()
        narrow.assert_exact(daemon)
    assert len(narrow.pushing.consumers) == 1


@pytest.mark.parametrize(
    "operation, name",
    (
        ("RegisterStreamConsumer", "LimitExceededException"),
        ("DescribeStreamConsumer", "AccessDeniedException"),
        ("DescribeStreamConsumer", "UnknownOperationException"),  # of an endpoint without fan-out
    ),
)
def test_a_consumer_that_is_refused_is_reported_and_asked_for_again_and_nothing_is_polled(narrow, operation, name):
    narrow.pushing.refuse(operation, name, times=None)
    narrow.put()
    with narrow.running() as daemon:
        troubles = lambda: [trouble["reason"] for trouble in daemon.health()["troubles"]]  # noqa: E731
        wait.until(lambda: any(name in reason for reason in troubles()), "the trouble", seen=troubles)
        narrow.pushing.accept(operation)
        narrow.assert_exact(daemon)
        wait.until(lambda: not troubles(), "no trouble", seen=troubles)
