"""The preloaded library that moves the clocks of one process (clock_shim.c)."""

import contextlib
import os
import subprocess
import sys
import time

import clock_shim
import pytest
import wait

REPORT = """
import sys, time
for _ in sys.stdin:
    ids = time.CLOCK_REALTIME, time.CLOCK_BOOTTIME, time.CLOCK_MONOTONIC_RAW, time.CLOCK_MONOTONIC
    found = [*map(time.clock_gettime_ns, ids)]
    around = [time.clock_gettime_ns(ids[0]), time.time_ns(), time.clock_gettime_ns(ids[0])]
    print(*found, *around, flush=True)
"""
IDS = time.CLOCK_REALTIME, time.CLOCK_BOOTTIME, time.CLOCK_MONOTONIC_RAW, time.CLOCK_MONOTONIC


@pytest.fixture
def clocks(tmp_path):
    return clock_shim.Clocks(tmp_path)


@contextlib.contextmanager
def reporter(clocks):
    """A process whose clocks are moved. Yields a function: how far, in ms, its clocks are ahead of the machine's."""
    command = [sys.executable, "-c", REPORT]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env={**os.environ, **clocks.environment}, **pipes) as process:

        def ahead():
            process.stdin.write("\n")
            process.stdin.flush()
            *found, before, wall, after = map(int, process.stdout.readline().split())
            here = [*map(time.clock_gettime_ns, IDS)]
            assert before <= wall <= after  # however the process reads the time of day
            return [(there - now) / 1e6 for there, now in zip(found, here)]

        yield ahead
        process.stdin.close()


@pytest.mark.parametrize("hours", [8, -8])
def test_a_step_moves_the_clock_of_a_running_process(clocks, hours):
    with reporter(clocks) as ahead:
        assert ahead() == pytest.approx([0, 0, 0, 0], abs=2000)
        clocks.step(real_ms=hours * 3_600_000, boot_ms=5_000)
        assert ahead() == pytest.approx([hours * 3_600_000, 5_000, 0, 0], abs=2000)
        clocks.right()
        assert ahead() == pytest.approx([0, 0, 0, 0], abs=2000)


def test_a_drifting_clock_gains_from_then_on(clocks):
    clocks.step(raw_ms=-30_000)
    with reporter(clocks) as ahead:
        clocks.drift(real_ppm=500_000_000)
        begin = time.monotonic()
        first = ahead()
        assert first[2] == pytest.approx(-30_000, abs=2000)
        # Less 2 s, which is more than lies between the two readings of a report.
        gained_ms = wait.until(lambda: max(0, ahead()[0] - first[0] - 2000), "it gains")
        assert gained_ms <= (time.monotonic() - begin) * 1000 * 500
