"""Shards in trouble cost the healthy ones nothing: neither their rate, nor their lag, nor memory, nor a record."""

import dataclasses
import os

import ordeal_run
import pytest

MEMORY = 160 << 20
SETTLE_S = 5  # until the load, or the troubles, are there
LEAST_LAG_MS = 500  # lags below two polls are noise


@dataclasses.dataclass
class Size:
    refused: int
    hung: int
    slow: int
    poisoned: int
    healthy: int
    backlog: int  # of each healthy shard
    seconds: int  # of each measurement

    @property
    def shards(self):
        return self.refused + self.hung + self.slow + self.poisoned + self.healthy


LONG = Size(refused=8, hung=4, slow=4, poisoned=4, healthy=44, backlog=4000, seconds=60)
SHORT = Size(refused=3, hung=1, slow=3, poisoned=1, healthy=8, backlog=4000, seconds=20)
takes_minutes = pytest.mark.skipif(os.environ.get("WINNER_VIEW_LONG") != "1", reason="minutes: HACKING.md has the command")


def in_parts(shards, size):
    """{kind of trouble: its shards}"""
    rest = iter(shards)
    return {kind: [next(rest) for _ in range(getattr(size, kind))] for kind in ("refused", "hung", "slow", "poisoned")}


def events_a_second(scene, daemon, shards, backlog):
    """What these shards take alone."""
    scene.fill(shards, backlog)
    return ordeal_run.rate_of_backlog(scene, daemon)


def lag_ms(daemon, shards, size):
    """The 99th percentile."""
    ordeal_run.Lags(daemon, shards).watch(SETTLE_S)
    return ordeal_run.Lags(daemon, shards).watch(size.seconds).percentile(99)


def endure(scene, size, report):
    parts = in_parts(scene.shards, size)
    healthy = scene.shards[-size.healthy :]
    with scene.daemon() as daemon:
        rate = events_a_second(scene, daemon, healthy, size.backlog)
        scene.load(healthy, rate / 2 / size.healthy)
        alone_ms = lag_ms(daemon, healthy, size)
        troubles = [scene.trouble(kind, shards) for kind, shards in parts.items()]
        for trouble in troubles:
            trouble.enter()
        beside_ms = lag_ms(daemon, healthy, size)
        seen = ordeal_run.troubles(daemon)
        for trouble in troubles:
            trouble.leave()
        scene.load(scene.shards, 0)
        daemon.wait_until_applied(ordeal_run.SETTLE_S)
        ordeal_run.until_calm(daemon)
        peak = daemon.peak_memory()
        report(
            f"{rate:.0f} events/s alone; at half of it p99 of the lag {alone_ms:.0f} ms alone, {beside_ms:.0f} ms beside "
            f"the troubles; {peak >> 20} MiB; refused writes {dict(scene.refusals.happened)}; troubles {sorted(seen)}"
        )
    scene.check(daemon.dead_letters())
    assert beside_ms <= 2 * max(alone_ms, LEAST_LAG_MS)
    assert peak <= MEMORY
    assert {f"shard {shard}" for shard in [*parts["refused"], *parts["hung"]]} <= seen.keys()
    assert len(scene.refusals.happened) == min(size.refused, len(scene.refusals.WAYS))


@pytest.mark.alone
@pytest.mark.parametrize("size", [pytest.param(LONG, marks=takes_minutes, id="long"), pytest.param(SHORT, id="short")])
def test_shards_in_trouble_cost_the_healthy_ones_neither_lag_nor_memory_nor_a_record(tmp_path, size, capsys):
    def report(text):
        with capsys.disabled():
            print(f"\n{text}")

    with ordeal_run.Scene(tmp_path, size.shards) as scene:
        endure(scene, size, report)
