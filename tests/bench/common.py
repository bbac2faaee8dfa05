"""Helpers of the benchmarks: a plain workload on a stream, a service with tables of its own, an open-loop client."""

import collections
import contextlib
import json
import pathlib
import subprocess
import sys
import time

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / "support"), str(TESTS / "model")]

import cloud
import emulators
import program
import workload
from daemon import Daemon

SHOP = {"products": 400, "merchants": 50, "photographers": 20, "zipf": 1.1, "odd": 0}


def fill(running, stream, events, seed=1):
    """A stream of 3 shards with this many events of the plain shop."""
    kinesis = cloud.client("kinesis", running.environment)
    cloud.create_stream(kinesis, stream)
    cloud.put(kinesis, stream, workload.generate(seed, events, **SHOP))


def built(name):
    """The path of a program that is built beside the service."""
    executable = pathlib.Path(program.binary()).parent / name
    if not executable.exists():
        raise SystemExit(f"{executable} is missing: cmake --build the preset of {program.binary()}")
    return str(executable)


def open_loop(port, path, rate, seconds, connections):
    """The measurements of open_loop.c, times in microseconds."""
    done = subprocess.run(
        [built("open_loop"), str(port), path, str(rate), str(seconds), str(connections)],
        capture_output=True,
        text=True,
        timeout=seconds + 60,
    )
    if done.returncode != 0:
        raise SystemExit(f"open_loop failed: {done.stdout}{done.stderr}")
    return json.loads(done.stdout)


def processor_s(pid):
    """The processor time that a process has had, with its ended threads. /proc has it in steps of 10 ms only."""
    return time.clock_gettime(~pid << 3 | 2)  # clock_getcpuclockid(3), which Python lacks


def thread_seconds(pid):
    """{name: processor seconds} of the threads that run now, the most first."""
    seconds = collections.Counter()
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            name, counted = ((task / file).read_text() for file in ("comm", "schedstat"))
            seconds[name.strip()] += int(counted.split()[0]) / 1e9
    return dict(seconds.most_common())


def new_daemon(running, stage, stream, *options, environment=None):
    """A service with tables of its own, to be started by `with`. It must stop with status 0, unless the block fails."""
    environment = {**running.environment, **(environment or {})}
    program.create_tables(f"dynamodb:{stage}", running.environment)
    return Daemon(
        ["--store", f"dynamodb:{stage}", "--source", f"kinesis:{stream}", "--drain-seconds", "0", *options], environment
    )


def work_s(threads):
    """The processor seconds of these threads without those that answer the benchmark's own requests."""
    return sum(seconds for name, seconds in threads.items() if name not in ("http", "acceptor"))


def start_emulators():
    emulators.stop_on_signals()
    return emulators.Emulators()
