"""Many leases whose writes are slow: none is lost by a worker that lives, and those of one that died are taken over."""

import collections
import os
import time

import cloud
import ordeal_run
import pytest
import wait

WRITE_S = 0.1
FAILOVER_S = 10  # --failover-ms
QUIET = ["--poll-interval-ms", "5000"]
HOLD_S = 3 * FAILOVER_S
takes_minutes = pytest.mark.skipif(os.environ.get("WINNER_VIEW_LONG") != "1", reason="minutes: HACKING.md has the command")


class Workers:
    """Some workers of one view, by name."""

    def __init__(self, scene, count):
        self.scene, self.client = scene, cloud.client("dynamodb", scene.direct)
        names = [f"worker-{n}" for n in range(count)]
        self.running = {
            name: scene.daemon("--worker-id", name, *QUIET, dead_letters=scene.folder / f"{name}.jsonl") for name in names
        }

    def __enter__(self):
        for daemon in self.running.values():
            daemon.start()
        return self

    def __exit__(self, kind, *_):
        self.scene.slow_leases.seconds = 0  # the stop has 20 s for all of them
        for daemon in self.running.values():
            daemon.__exit__(kind)

    def held(self):
        """{owner: how many leases}; None: those without an owner."""
        leases = cloud.leases(self.client, self.scene.name).values()
        return collections.Counter(lease.get("leaseOwner") for lease in leases)

    def events(self, event):
        return sum(d.metric("winner_view_lease_events_total", event=event) for d in self.running.values())

    def lost(self):
        """Leases that were lost to nobody: a steal is how workers share."""
        return self.events("lost") - self.events("stolen")

    def until(self, condition, what, timeout_s):
        """Returns the seconds that it took."""
        begin = time.monotonic()
        seen = lambda: f"{dict(self.held())}, {self.lost():.0f} lost"
        wait.until(lambda: condition(self.held()), what, timeout_s, 0.25, seen)
        return time.monotonic() - begin

    def kill(self, name):
        self.running.pop(name).kill()


def share(held, leases):
    """Whether all leases have an owner, and the owners about as many each."""
    return sum(held.values()) == leases and None not in held and max(held.values()) - min(held.values()) <= 5


def say(capsys, text):
    with capsys.disabled():
        print(f"\n{text}")


@pytest.mark.alone
@takes_minutes
def test_of_a_thousand_leases_none_is_lost_and_those_of_a_worker_that_died_are_taken_over(tmp_path, capsys):
    leases = 1000
    with ordeal_run.Scene(tmp_path, leases) as scene:
        scene.slow_leases.seconds = WRITE_S
        with Workers(scene, 3) as workers:
            took = workers.until(lambda held: share(held, leases), "three workers share all leases", 240)
            begin, lost = time.monotonic(), workers.lost()
            assert share(workers.held(), leases)
            wait.until(lambda: time.monotonic() > begin + HOLD_S, "three failover times", HOLD_S + 5, 1)
            lost_while_held = workers.lost() - lost
            workers.kill("worker-0")
            lost = workers.lost()
            over = workers.until(lambda held: not held["worker-0"] and None not in held, "taken over", 60)
            lost_while_taken_over = workers.lost() - lost
            say(
                capsys,
                f"shared in {took:.0f} s, {lost_while_held:.0f} lost in {HOLD_S} s; taken over in {over:.1f} s, "
                f"{lost_while_taken_over:.0f} lost; {dict(workers.held())}; "
                f"{[d.peak_memory() >> 20 for d in workers.running.values()]} MiB",
            )
            assert lost_while_held <= 0 and lost_while_taken_over <= 0
            assert over <= 2 * FAILOVER_S


@pytest.mark.alone
def test_a_worker_with_many_leases_and_slow_writes_takes_them_all_and_loses_none(tmp_path, capsys):
    leases = 150
    with ordeal_run.Scene(tmp_path, leases) as scene:
        scene.slow_leases.seconds = WRITE_S
        with Workers(scene, 1) as workers:
            took = workers.until(lambda held: share(held, leases), "all leases", 60)
            begin = time.monotonic()
            wait.until(lambda: time.monotonic() > begin + 2 * FAILOVER_S, "two failover times", 60, 1)
            say(capsys, f"taken in {took:.0f} s, {workers.lost():.0f} lost, {scene.slow_leases.happened} lease writes")
            assert workers.lost() == 0 and workers.held() == {"worker-0": leases}
