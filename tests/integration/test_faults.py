"""Faults, outages, AWS's limits and a wrong clock: the tables become exact without a restart."""

import os
import threading
import time

import aws_behaviour
import cloud
import faults
import program
import pytest
import wait
import workload
from model import fold
from steady_load import SteadyLoad

EVENTS = 400
RATE = 0.1
RATES = {
    faults.ExpiredIterator: 0.4,
    faults.EmptyRead: 0.4,
    faults.UnprocessedKeys: 0.5,
}  # there are few such calls
READING = {"GetRecords", "GetShardIterator"}
FAILOVER = ("--failover-ms", "3000")
SEEDS = [int(seed) for seed in os.environ.get("WINNER_VIEW_FAULT_SEEDS", "1 2 3").split()]


# Calls that fail, are lost, or take effect late.


def run_through(drawn, aws, proxies, tables, stream, start_through, enough_faults=lambda: True):
    """A small workload with these faults, half of it put while the service runs. In the end the tables are exact, without
    a restart."""
    events = workload.generate(seed=drawn.seed, events=EVENTS)
    cloud.put(aws.kinesis, stream, events[: EVENTS // 2])
    proxies.dynamodb.layers = proxies.kinesis.layers = [drawn]
    daemon = start_through(tables, stream, "--batch-size", "50", *FAILOVER)
    try:
        with SteadyLoad(cloud.Stream(aws.kinesis, stream).put, events[EVENTS // 2 :], per_second=150) as steady:
            steady.wait()
        wait.until(enough_faults, "enough faults", 30)
        daemon.wait_until_applied(90)
        drawn.settle()
        proxies.assert_exact(tables, stream, daemon)
    except AssertionError as error:
        raise AssertionError(f"WINNER_VIEW_FAULT_SEEDS={drawn.seed}, {drawn}\n{error}") from None
    finally:
        drawn.off()
    return daemon


@pytest.mark.all
@pytest.mark.parametrize("kind", faults.EVERY_KIND, ids=lambda kind: kind.__name__)
def test_the_tables_become_exact_while_one_call_in_ten_fails(
    kind, aws, proxies, tables, stream, start_through
):
    fault = kind(RATES.get(kind, RATE))
    reading = [] if fault.operations else [kind(0.3, READING)]  # there are few such calls, too
    drawn = faults.Faults(31, [fault, *reading])
    shards = cloud.shard_ids(aws.kinesis, stream)
    is_of_reads = kind is not faults.WrongChecksum and "GetRecords" in (fault.operations or {"GetRecords"})

    def enough_faults():
        """Reads of each shard have failed. (Everything may be applied before that.)"""
        return not is_of_reads or all(drawn.happened[fault.name, "GetRecords", shard] for shard in shards)

    run_through(drawn, aws, proxies, tables, stream, start_through, enough_faults)
    assert drawn.counts[fault.name] >= 3, drawn


@pytest.mark.parametrize("seed", SEEDS)
def test_the_tables_become_exact_under_a_mixture_of_faults(seed, aws, proxies, tables, stream, start_through, capsys):
    """WINNER_VIEW_FAULT_SEEDS="7 8" sets other seeds."""
    drawn = faults.mixture(seed)
    run_through(drawn, aws, proxies, tables, stream, start_through)
    with capsys.disabled():
        print(f"\n{drawn}")
    assert sum(drawn.counts.values()) > 0


# Outages.

RECORD_BYTES = 20_000
# The peak memory allowed while 3 MB a second arrive and nothing can be written: 64 MiB for the process, and the
# records in flight (LIMIT_INFLIGHT_BYTES).
MEMORY_BUDGET = (64 + 128) << 20


@pytest.mark.all
@pytest.mark.skipif(program.is_sanitized(), reason="a sanitizer's memory is not measured")
def test_after_a_minute_without_a_store_the_service_catches_up_within_its_memory_budget(
    aws, proxies, tables, stream, start_through, capsys
):
    proxies.kinesis.layers = [aws_behaviour.Padding(RECORD_BYTES)]
    events = workload.generate(seed=51, events=150 * 75, odd=0)
    daemon = start_through(tables, stream, *FAILOVER)
    with SteadyLoad(cloud.Stream(aws.kinesis, stream).put, events, 150) as steady:
        wait.until(lambda: daemon.metric("winner_view_events_total", result="applied") > 100, "some applied")
        before = daemon.peak_memory()
        with proxies.dynamodb.refusing():
            time.sleep(60)  # the outage itself
            assert daemon.get("/livez").status == 200 and daemon.get("/readyz").status == 200
        back, put = time.monotonic(), steady.end()
        daemon.wait_until_applied(90)
        caught_up_s = time.monotonic() - back
    with capsys.disabled():
        print(
            f"\na minute without a store, {put * RECORD_BYTES / 1e6:.0f} MB put: caught up "
            f"{caught_up_s:.1f} s later; "
            f"peak memory {before >> 20} MiB before, {daemon.peak_memory() >> 20} MiB in the end"
        )
    proxies.assert_exact(tables, stream, daemon)
    assert daemon.peak_memory() <= MEMORY_BUDGET


@pytest.mark.all
def test_the_tables_are_exact_after_the_store_hangs_longer_than_the_failover_time(
    aws, proxies, tables, stream, start_through
):
    events = workload.generate(seed=52, events=2000)
    daemon = start_through(tables, stream, *FAILOVER)
    with SteadyLoad(cloud.Stream(aws.kinesis, stream).put, events, 150) as steady:
        wait.until(lambda: daemon.metric("winner_view_events_total", result="applied") > 100, "some applied")
        with proxies.dynamodb.hanging():
            time.sleep(8)  # the outage itself
        steady.end()
        daemon.wait_until_applied(60)
    proxies.assert_exact(tables, stream, daemon)


@pytest.mark.all
def test_the_tables_become_exact_under_outages_of_both_services(aws, proxies, tables, stream, start_through):
    events = workload.generate(seed=53, events=2000)
    stopped = threading.Event()
    daemon = start_through(tables, stream, *FAILOVER)
    players = [
        threading.Thread(target=faults.play, args=(faults.outages(seed, 10, 4), through, stopped))
        for seed, through in ((1, proxies.dynamodb), (2, proxies.kinesis))
    ]
    with SteadyLoad(cloud.Stream(aws.kinesis, stream).put, events, 150) as steady:
        for player in players:
            player.start()
        for player in players:
            player.join(30)
        steady.end()
        daemon.wait_until_applied(60)
    proxies.assert_exact(tables, stream, daemon)


# AWS's limits on reading shards.


@pytest.mark.all
def test_iterators_that_expire_between_two_reads_are_replaced(aws, proxies, tables, stream, start_through):
    readers = aws_behaviour.Readers()
    life = aws_behaviour.IteratorLife(readers, seconds=0.3)
    proxies.kinesis.layers = [readers, life]
    events = workload.generate(seed=54, events=900)
    daemon = start_through(tables, stream, "--poll-interval-ms", "500", *FAILOVER)
    with SteadyLoad(cloud.Stream(aws.kinesis, stream).put, events, 300) as steady:
        steady.wait()
    wait.until(lambda: life.happened >= 10, "iterators expired")
    daemon.wait_until_applied(60)
    proxies.assert_exact(tables, stream, daemon)
    counted = sum(daemon.metric("winner_view_events_total", result=r) for r in ("duplicate", "stale"))
    assert counted == sum(fold_counts(aws, stream)[r] for r in ("duplicate", "stale"))  # nothing was applied twice


def fold_counts(aws, stream):
    return fold(cloud.read_stream(aws.kinesis, stream)).counts


@pytest.mark.all
@pytest.mark.alone
def test_a_sole_reader_stays_within_the_read_limits_of_its_shards(aws, proxies, tables, stream, start_through, capsys):
    """Both on a backlog that takes some seconds at 2 MB/s a shard, and at the tip."""
    readers = aws_behaviour.Readers()
    limits = aws_behaviour.ShardLimits(readers)
    proxies.kinesis.layers = [readers, limits, aws_behaviour.Lag(aws_behaviour.Lag.of_aws), aws_behaviour.Padding(40_000)]
    backlog = workload.generate(seed=55, events=900, odd=0)
    cloud.put(aws.kinesis, stream, backlog)
    begin = time.monotonic()
    daemon = start_through(tables, stream)
    daemon.wait_until_applied(60)
    seconds = time.monotonic() - begin
    reads = len(readers.all())
    wait.until(lambda: len(readers.all()) >= reads + 40, "more reads at the tip")
    reads = len(readers.all())
    with capsys.disabled():
        print(
            f"\na backlog of {len(backlog) * 40_000 / 1e6:.0f} MB on 3 shards read in {seconds:.1f} s; "
            f"{limits.happened} of {reads} reads throttled"
        )
    proxies.assert_exact(tables, stream, daemon)
    assert limits.happened <= 1


def test_a_sole_reader_that_is_always_behind_reads_five_times_a_second_and_no_more(
    aws, proxies, tables, stream, start_through
):
    readers = aws_behaviour.Readers()
    limits = aws_behaviour.ShardLimits(readers)
    proxies.kinesis.layers = [readers, limits, aws_behaviour.Lag(lambda content, now_ms: 1000)]
    start_through(tables, stream)
    shards = cloud.shard_ids(aws.kinesis, stream)
    wait.until(lambda: all(len(readers.reads[shard]) >= 25 for shard in shards), "25 reads of each shard")
    assert limits.happened <= 1
    for shard in shards:
        times = [arrived for arrived, _ in readers.reads[shard][:25]]
        assert times[-1] - times[0] > 3.9


def test_a_shard_that_others_read_four_times_a_second_is_read_to_its_end(
    aws, proxies, tables, stream, start_through
):
    readers = aws_behaviour.Readers()
    limits = aws_behaviour.ShardLimits(readers, others=4)
    proxies.kinesis.layers = [readers, limits]
    events = workload.generate(seed=56, events=600)
    daemon = start_through(tables, stream)

    def is_throttled():
        """After some more events. When there are none, reads stay within the limit."""
        with SteadyLoad(cloud.Stream(aws.kinesis, stream).put, events, 150) as steady:
            steady.wait()
        return limits.happened >= 5

    wait.until(is_throttled, "reads throttled")
    daemon.wait_until_applied(60)
    proxies.assert_exact(tables, stream, daemon)
    assert daemon.metric("winner_view_source_throttles_total") >= 5
    assert not daemon.health()["troubles"]  # throttled reads are not a trouble


@pytest.mark.parametrize(
    "lag", [lambda content, now_ms: None, aws_behaviour.Lag.of_aws], ids=["absent", "as AWS counts it"]
)
def test_everything_is_read_whatever_lag_the_stream_reports(lag, aws, proxies, tables, stream, start_through):
    proxies.kinesis.layers = [aws_behaviour.Lag(lag)]
    cloud.put(aws.kinesis, stream, workload.generate(seed=57, events=EVENTS))
    daemon = start_through(tables, stream)
    counted = sum(fold_counts(aws, stream).values())
    wait.until(lambda: daemon.metric("winner_view_events_total") == counted, "all counted", 60)
    proxies.assert_exact(tables, stream, daemon)


# A clock that is wrong.


def test_signing_follows_the_clock_of_aws_when_ours_is_wrong(
    aws, proxies, tables, stream, start_through
):
    """AWS's clock is an hour ahead of ours, then agrees, then is half an hour behind."""
    clocks = [aws_behaviour.ServerClock(3600) for _ in range(2)]
    proxies.dynamodb.layers, proxies.kinesis.layers = clocks[:1], clocks[1:]
    events = workload.generate(seed=58, events=EVENTS)
    daemon = None
    for shift_s, part in zip((3600, 0, -1800), (events[:200], events[200:400], events[400:])):
        for clock in clocks:
            clock.shift_s = shift_s
        cloud.put(aws.kinesis, stream, part)
        daemon = daemon or start_through(tables, stream, *FAILOVER)
        daemon.wait_until_applied(60)
        for clock, through in zip(clocks, (proxies.dynamodb, proxies.kinesis)):
            wait.until(lambda: abs(clock.off_s(through.requests[-1])) < 60, "signed for the service's clock")
    proxies.assert_exact(tables, stream, daemon)
    assert all(0 < clock.happened < 300 for clock in clocks)
