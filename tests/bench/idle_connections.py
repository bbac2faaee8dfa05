#!/usr/bin/python3
"""p99 of /livez and of a board at a constant rate (open_loop.c): without others; while 10,000 idle and 1,000 slow
connections are at another process, which only share the processors; and while they are at this one. And 200 probes on new
connections, where --connections is below their number. Prints the memory of the service too.

Exits 1 if the lowest p99 of all rounds is more than LIMIT times the lowest with the crowd elsewhere and SLICE_MS more, or
if in each round a probe took over PROBE_MS: the first ones stand in the kernel's queue behind the slow connections.
"""

import argparse
import dataclasses
import pathlib
import sys
import tempfile
import time

import common
import emulators
import figures
import wait
from crowd import Crowd, raise_limit
from daemon import Daemon
from figures import Figure
from pairs import FileSqlite
from small_shop import person, product, puts

TARGETS = ["/livez", "/scores/merchant"]
LIMIT, PROBE_MS = 2, 100
SLICE_MS = 10  # what a scheduler alone may add on a busy machine
PROBES = 200


def resident_mib(daemon):
    status = pathlib.Path(f"/proc/{daemon.process.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) >> 10


def p99s_ms(daemon, options):
    return {t: common.open_loop(daemon.port, t, options.rate, options.seconds, 8)["p99"] / 1000 for t in TARGETS}


def measure_round(daemon, other, options):
    """[{target: p99}] without a crowd, with one elsewhere, and with one here."""
    wait.until(lambda: daemon.metric("winner_view_http_connections") < 50, "the last crowd to be gone")
    measured = [p99s_ms(daemon, options)]
    for where in (other, daemon):
        with Crowd(where.port, options.idle, options.slow):
            measured.append(p99s_ms(daemon, options))
            resident = resident_mib(daemon)
    print(f"{measured} ms; {resident} MiB resident with the crowd")
    return measured


def compare(rounds):
    """A Figure of each target: its lowest p99 with the crowd here / the lowest with it elsewhere. The lowest: a busy
    machine only adds. Within a slice of the scheduler the ratio is no failure."""
    found = []
    for target in TARGETS:
        alone, elsewhere, here = (min(measured[i][target] for measured in rounds) for i in range(3))
        limit = LIMIT if here - elsewhere > SLICE_MS else None
        figure = Figure(f"p99 of {target} / with them elsewhere", [here / elsewhere], LIMIT, True, limit, is_kept=False)
        figure.notes = [f"p99 of {target}: {alone:.2f} ms alone; with the crowd elsewhere {elsewhere:.2f}, here {here:.2f}"]
        found.append(figure)
    return found


def late_probes(daemon, options):
    """How many took over PROBE_MS."""
    took = []
    with Crowd(daemon.port, options.idle, options.slow):
        for _ in range(PROBES):
            begin = time.monotonic()
            assert daemon.get("/livez").status == 200
            took.append((time.monotonic() - begin) * 1000)
    took.sort()
    print(
        f"probes on new connections, all --connections in use: median {took[len(took) // 2]:.2f} ms, "
        f"p99 {took[len(took) * 99 // 100]:.2f}, slowest {took[-1]:.2f}"
    )
    return sum(ms > PROBE_MS for ms in took)


def measure(rounds, seconds=2, rate=500, idle=10_000, slow=1000):
    """The Figures."""
    crowd = idle + slow
    if not raise_limit(crowd + 1000):
        raise SystemExit("the limit of open files is too low")
    options = argparse.Namespace(seconds=seconds, rate=rate, idle=idle, slow=slow)
    with tempfile.TemporaryDirectory() as folder:

        def start(name, connections):
            home = pathlib.Path(folder) / name
            home.mkdir()
            pair = FileSqlite(home)
            pair.put(puts(product("lamp", person("merchant", "Ann"), None, 3)))
            return Daemon([*pair.options, "--drain-seconds", "0", "--connections", str(connections)], {})

        with start("here", crowd + 1000) as daemon, start("elsewhere", crowd + 1000) as other:
            daemon.wait_until_applied()
            ratios = compare([measure_round(daemon, other, options) for _ in range(rounds)])
        with start("full", 1024) as daemon:
            late = min(late_probes(daemon, options) for _ in range(rounds))
    late_figure = Figure(f"probes over {PROBE_MS} ms on new connections", [late], 0, True, 0)
    what = f"{idle} idle and {slow} slow connections"
    return [dataclasses.replace(figure, name=f"{what}: {figure.name}") for figure in (*ratios, late_figure)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=4, help="of each measurement")
    parser.add_argument("--rate", type=int, default=500, help="requests a second")
    parser.add_argument("--idle", type=int, default=10000)
    parser.add_argument("--slow", type=int, default=1000)
    options = parser.parse_args()
    emulators.stop_on_signals()
    return 0 if figures.report(measure(**vars(options))) else 1


if __name__ == "__main__":
    sys.exit(main())
