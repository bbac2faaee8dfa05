"""A shard that is refused by the store, hangs or is slow costs the others nothing, and gets on when that ends."""

import ordeal_run
import pytest
import wait

pytestmark = pytest.mark.all

LARGE = 520  # records of 20 KB: a full reply, and some
BATCH = "20"  # records: so a reply is many batches, most of which wait
SOON_S = 30
MOST_LAG_MS = 10000  # with room for a busy machine
REWINDS = "winner_view_shard_rewinds_total"
HELD = "winner_view_inflight_bytes"


def applied(daemon, shards):
    """{shard: its records in the views}"""
    return {shard: daemon.metric("winner_view_records_total", shard=shard) for shard in shards}


def wait_for_trouble(daemon, shards):
    wanted = {f"shard {shard}" for shard in shards}
    wait.until(lambda: wanted <= ordeal_run.troubles(daemon).keys(), f"troubles of {shards}", 90, seen=daemon.log_tail)


def finish(scene, daemon):
    daemon.wait_until_applied(ordeal_run.SETTLE_S)
    wait.until(lambda: not ordeal_run.troubles(daemon), "no troubles", SOON_S, seen=daemon.log_tail)
    scene.check(daemon.dead_letters())


def backlog(scene, shards):
    scene.stream.fill({shard: [ordeal_run.large(put) for put in scene.puts[shard]] for shard in shards}, LARGE)


def test_twelve_shards_whose_writes_are_refused_leave_the_memory_to_the_healthy_ones(tmp_path):
    with ordeal_run.Scene(tmp_path, shards=14) as scene:
        refused, healthy = scene.shards[:12], scene.shards[12:]
        for shard in refused:
            scene.refusals.ways.update(dict.fromkeys(scene.products[shard], 2))  # by a ValidationException
        backlog(scene, refused)
        with scene.daemon("--batch-size", BATCH) as daemon:
            wait_for_trouble(daemon, refused)
            backlog(scene, healthy)
            every = dict.fromkeys(healthy, LARGE)
            wait.until(lambda: applied(daemon, healthy) == every, "the healthy shards", SOON_S, seen=daemon.log_tail)
            wait.until(lambda: daemon.metric(REWINDS) == len(refused), "a rewind each", SOON_S)
            wait.until(lambda: daemon.metric(HELD) < 8 << 20, "little that is parked", SOON_S)
            scene.heal(refused)
            finish(scene, daemon)


def test_reads_that_hang_do_not_delay_the_others(tmp_path):
    with ordeal_run.Scene(tmp_path, shards=12) as scene:
        hung, healthy = scene.shards[:8], scene.shards[8:]
        scene.hung(hung)
        with scene.daemon() as daemon:
            wait.until(lambda: scene.stream.counts()["held"], "reads that hang")
            scene.load(healthy, per_s=20)
            wait.until(lambda: all(applied(daemon, healthy).values()), "the first records", SOON_S)
            lags = ordeal_run.Lags(daemon, healthy).watch(20)
            assert max(lags.seen) < MOST_LAG_MS, sorted(lags.seen)[-20:]
            wait_for_trouble(daemon, hung)
            scene.load(healthy, per_s=0)
            scene.heal(hung)
            finish(scene, daemon)


def test_a_full_reply_gets_through_a_line_of_700_kb_a_second(tmp_path):
    with ordeal_run.Scene(tmp_path, shards=1) as scene:
        (shard,) = scene.shards
        puts = [put._replace(data=put.data.ljust(100_000)) for put in scene.puts[shard]]
        scene.stream.fill({shard: puts}, 95)
        scene.stream.fault([shard], ordeal_run.fake_stream.slow(700_000))
        with scene.daemon() as daemon:
            wait.until(lambda: applied(daemon, [shard]) == {shard: 95}, "all records", 60, seen=daemon.log_tail)
            finish(scene, daemon)
