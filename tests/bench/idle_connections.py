#!/usr/bin/python3
"""p99 of /livez and of a board at a constant rate (open_loop.c), without others and beside 10,000 idle and 1,000 slow
connections; and of 200 probes on new connections, where --connections is below their number. Prints the memory of the
service too.

Exits 1 if the lowest p99 of all rounds is more than LIMIT times the lowest without others, or if in each round more than
LATE probes took over PROBE_MS.
"""

import argparse
import pathlib
import sys
import tempfile
import time

import common
import wait
from crowd import Crowd, raise_limit
from daemon import Daemon
from pairs import FileSqlite
from small_shop import person, product, puts

TARGETS = ["/livez", "/scores/merchant"]
LIMIT, PROBE_MS = 2, 100
SLICE_MS = 10  # what a scheduler alone may add on a busy machine
PROBES, LATE = 200, 2  # on two processors, which the clients share, the scheduler alone may delay one


def resident_mib(daemon):
    status = pathlib.Path(f"/proc/{daemon.process.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) >> 10


def p99s_ms(daemon, options):
    return {t: common.open_loop(daemon.port, t, options.rate, options.seconds, 8)["p99"] / 1000 for t in TARGETS}


def measure_round(daemon, options):
    """{target: p99} without the crowd, and beside it."""
    wait.until(lambda: daemon.metric("winner_view_http_connections") < 50, "the last crowd to be gone")
    alone, alone_mib = p99s_ms(daemon, options), resident_mib(daemon)
    with Crowd(daemon.port, options.idle, options.slow):
        beside, beside_mib = p99s_ms(daemon, options), resident_mib(daemon)
    print(f"alone {alone} ms, {alone_mib} MiB resident; beside the crowd {beside} ms, {beside_mib} MiB")
    return alone, beside


def compare(rounds):
    """{target: the lowest p99 beside the crowd / the lowest without, or 1 if they hardly differ}. The lowest: a busy
    machine only adds."""
    found = {}
    for target in TARGETS:
        alone, beside = (min(measured[i][target] for measured in rounds) for i in (0, 1))
        found[target] = beside / alone if beside - alone > SLICE_MS else 1
        print(f"{target:17} p99 {alone:.2f} ms alone, {beside:.2f} beside the crowd: x {beside / alone:.2f} (at most {LIMIT})")
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


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=4, help="of each measurement")
    parser.add_argument("--rate", type=int, default=500, help="requests a second")
    parser.add_argument("--idle", type=int, default=10000)
    parser.add_argument("--slow", type=int, default=1000)
    options = parser.parse_args()
    crowd = options.idle + options.slow
    if not raise_limit(crowd + 1000):
        raise SystemExit("the limit of open files is too low")
    with tempfile.TemporaryDirectory() as folder:
        pair = FileSqlite(pathlib.Path(folder))
        pair.put(puts(product("lamp", person("merchant", "Ann"), None, 3)))

        def start(connections):
            return Daemon([*pair.options, "--drain-seconds", "0", "--connections", str(connections)], {})

        with start(crowd + 1000) as daemon:
            daemon.wait_until_applied()
            found = compare([measure_round(daemon, options) for _ in range(options.rounds)])
        with start(1024) as daemon:
            late = min(late_probes(daemon, options) for _ in range(options.rounds))
    return 0 if max(found.values()) <= LIMIT and late <= LATE else 1


if __name__ == "__main__":
    sys.exit(main())
