"""Several workers on one stream join and leave under a steady load: their leases spread evenly, every shard is read, and
the tables are exact."""

import collections
import contextlib
import time

import aws_behaviour
import cloud
import program
import pytest
import wait
import workload
from model import fold
from pairs import KinesisDynamodb, assert_equal_to_model
from steady_load import SteadyLoad

SHARDS = 8
FAILOVER_S = 4.0
EVEN_WITHIN_S = 3 * FAILOVER_S
UNREAD_AT_MOST_S = 2 * FAILOVER_S
# kinesis-local needs 2 ms for each record put and 15 ms for each read: with more of either the test would
# measure the emulator on two processors.
EVENTS_PER_SECOND = 120
POLL_MS = 500
EVENTS_AT_MOST = 20_000
OPTIONS = (
    *("--failover-ms", str(int(FAILOVER_S * 1000))),
    *("--poll-interval-ms", str(POLL_MS)),
    *("--batch-window-ms", "1000"),
)

pytestmark = pytest.mark.skipif(
    program.is_sanitized(), reason="a sanitizer's build is too slow for its leases"
)


@pytest.fixture
def wide_stream(aws, stage):
    return cloud.create_stream(aws.kinesis, f"wide-{stage}", SHARDS)


class Crew:
    """Workers by name, and the distribution of their leases."""

    def __init__(self, aws, stage, readers, make_worker):
        self.aws, self.stage, self.readers, self.make_worker = aws, stage, readers, make_worker
        self.workers = {}
        self.report = []

    def join(self, *names):
        for name in names:
            self.workers[name] = self.make_worker("--worker-id", name).start(ready=False)
        for name in names:
            self.workers[name].wait_until_ready()

    def leave(self, name):
        status, _ = self.workers.pop(name).terminate()
        assert status == 0

    def crash(self, name):
        self.workers.pop(name).kill()

    @contextlib.contextmanager
    def frozen(self, name):
        """The worker is frozen until the block ends."""
        worker = self.workers.pop(name)
        worker.freeze()
        try:
            yield
        finally:
            worker.thaw()
        self.workers[name] = worker

    def owners(self):
        """{worker: how many leases it has}; None if a lease belongs to none of them."""
        owners = [lease.get("leaseOwner") for lease in cloud.leases(self.aws.dynamodb, self.stage).values()]
        if len(owners) < SHARDS or not set(owners) <= self.workers.keys():
            return None
        held = collections.Counter(owners)
        return {name: held[name] for name in self.workers}

    def is_even(self):
        owners = self.owners()
        return owners is not None and max(owners.values()) - min(owners.values()) <= 1

    @contextlib.contextmanager
    def change(self, what):
        """A change is made in the block. After it leases must be spread evenly within a time that counts from its
        end."""
        started = time.monotonic()
        yield
        begin = time.monotonic()
        try:
            wait.until(self.is_even, "even", EVEN_WITHIN_S, every_s=0.05)
        except AssertionError:
            held = cloud.leases(self.aws.dynamodb, self.stage)
            owners = {shard: lease.get("leaseOwner") for shard, lease in held.items()}
            raise AssertionError(f"{what}: not even within {EVEN_WITHIN_S} s: {owners}") from None
        even, (gap, shard) = time.monotonic() - begin, self.readers.longest_gap(since=started)
        self.report.append(f"{what}: even after {even:.1f} s, unread for {gap:.1f} s at most ({shard})")


@pytest.mark.alone
def test_leases_stay_evenly_spread_and_every_shard_is_read_while_workers_join_and_leave(
    aws, tables, wide_stream, make_daemon, proxies, capsys
):
    readers = aws_behaviour.Readers()
    puts = workload.generate(seed=41, events=EVENTS_AT_MOST, products=200)
    proxies.kinesis.layers = [readers]
    with SteadyLoad(cloud.Stream(aws.kinesis, wide_stream).put, puts, EVENTS_PER_SECOND) as steady:
        make_worker = lambda *more: make_daemon(tables, wide_stream, *OPTIONS, *more, environment=proxies.environment)
        crew = Crew(aws, tables, readers, make_worker)
        with crew.change("1 worker begins"):
            crew.join("ann")
        with crew.change("2 more join"):
            crew.join("bob", "cid")
        with crew.change("1 of 3 leaves by SIGTERM"):
            crew.leave("bob")
        with crew.change("a third joins"):
            crew.join("dan")
        with crew.change("1 of 3 is killed"):
            crew.crash("ann")
        with crew.change("a third joins"):
            crew.join("eve")
        with contextlib.ExitStack() as ice:
            with crew.change("1 of 3 freezes"):
                ice.enter_context(crew.frozen("cid"))
            with crew.change("the frozen worker continues"):
                ice.close()
        with crew.change("1 of 3 leaves by SIGTERM"):
            crew.leave("dan")
        put = steady.end()
        survivor = crew.workers["eve"]
        survivor.wait_until_applied()
        gap, shard = readers.longest_gap()
        with capsys.disabled():
            print(f"\n{put} events on {SHARDS} shards, failover {FAILOVER_S:.0f} s:")
            print("\n".join(f"  {line}" for line in crew.report))
            print(f"  longest time without a read of a shard: {gap:.1f} s ({shard})")
        assert put < EVENTS_AT_MOST  # the load lasted to the end
        assert_equal_to_model(
            KinesisDynamodb(aws, tables, wide_stream),
            fold(cloud.read_stream(aws.kinesis, wide_stream)),
            survivor.dead_letters(),
        )
        assert len(readers.reads) == SHARDS and gap <= UNREAD_AT_MOST_S