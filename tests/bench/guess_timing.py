#!/usr/bin/python3
"""Whether the time of an answer shows that a guessed userId exists: a service that masks people is asked for userIds that
have scores and for as many that have none, in turn, on one connection.

    tests/bench/guess_timing.py
    tests/bench/guess_timing.py --requests 50000 --identities full     how it looks where userIds are accepted

Prints p10, p50, p90 and p99 of both in microseconds, their ratios, and the distance of the two distributions
(Kolmogorov-Smirnov: the most by which their shares of answers within a time differ), with what chance alone gives in
one of a hundred runs. Times are printed and not checked.
"""

import argparse
import bisect
import math
import pathlib
import random
import socket
import tempfile
import time
import urllib.parse

import common  # noqa: F401: it finds tests/support
import pairs
from daemon import Daemon
from small_shop import product, puts

PEOPLE = 200
SHARES = (0.1, 0.5, 0.9, 0.99)


def ask(connection, file, target):
    begun = time.perf_counter_ns()
    connection.sendall(f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    length = 0
    while (line := file.readline()) != b"\r\n":
        if line.lower().startswith(b"content-length:"):
            length = int(line.split(b":")[1])
    file.read(length)
    return (time.perf_counter_ns() - begun) / 1000


def measure(port, known, unknown, requests):
    """The sorted times of both kinds; which kind is asked first changes at random."""
    times = {True: [], False: []}
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        file = connection.makefile("rb")
        for n in range(requests // 2 + 500):
            for exists in random.sample((True, False), 2):
                origin = random.choice(known if exists else unknown)
                took = ask(connection, file, "/scores/" + urllib.parse.quote(origin, safe=""))
                if n >= 500:  # after a warm-up
                    times[exists].append(took)
    return sorted(times[True]), sorted(times[False])


def distance(one, other):
    share = lambda times, limit: bisect.bisect_right(times, limit) / len(times)
    return max(abs(share(one, limit) - share(other, limit)) for limit in one + other)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=40_000)
    parser.add_argument("--identities", choices=("masked", "full"), default="masked")
    options = parser.parse_args()
    known = [f"web/merchant/amzn1.account.{n:04}KNOWN/Merchant{n}" for n in range(PEOPLE)]
    unknown = [origin.replace("KNOWN", "GUESS") for origin in known]
    with tempfile.TemporaryDirectory() as folder:
        pair = pairs.FileSqlite(pathlib.Path(folder))
        pair.put(puts([event for n, origin in enumerate(known) for event in product(f"p{n}", origin, None, 1)]))
        own = ["--caught-up-ms", "600000", "--drain-seconds", "0", "--identities", options.identities]
        with Daemon([*pair.options, *own], pair.environment) as daemon:
            daemon.wait_until_boards_are_true()
            existing, others = measure(daemon.port, known, unknown, options.requests)
    for share in SHARES:
        one, other = (times[int(share * len(times))] for times in (existing, others))
        print(f"p{share * 100:<4g} existing {one:8.1f} us, others {other:8.1f} us, ratio {one / other:.3f}")
    by_chance = 1.63 * math.sqrt(2 / len(existing))
    print(f"distance {distance(existing, others):.4f}; by chance up to {by_chance:.4f}")


if __name__ == "__main__":
    main()
