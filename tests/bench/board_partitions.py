#!/usr/bin/python3
"""Score writes a second that the board of one role takes, by --board-partitions, where each partition of the index writes
100 units a second (aws_behaviour.IndexPartitions; on AWS 1,000). A score write is 2 units, so 50 a second are the most.

    tests/bench/board_partitions.py [N...]      by default 1 2 4

Every purchase is another merchant's, so that every event is a score write. Exits 1 if a board takes fewer than 45 a
second for each partition. The stream has two shards for each: a slice of a batch waits for its slowest row, so few
shards cannot fill many partitions (8 partitions, 3 shards: 289). DynamoDB Local itself takes about 2,000 writes a second,
in all tables.
"""

import sys

import common
import aws_behaviour
import cloud
import figures
import program
import proxy
from daemon import Daemon
from figures import Figure
from small_shop import person, product, puts

UNITS, LIMIT = 100, 45
SECONDS = 20  # that a board at its limit is busy


def events(n):
    """All registrations, then all purchases."""
    shops = [product(f"p{i}", person("merchant", f"m{i}"), None, 1) for i in range(n)]
    return puts([shop[0] for shop in shops] + [shop[1] for shop in shops])


def rate(writes):
    """Writes a second, without the burst at the begin and the rest at the end."""
    first, last = len(writes) // 5, len(writes) * 9 // 10
    return (last - first) / (writes[last] - writes[first])


def measure(running, n):
    name = f"partitions-{n}"
    kinesis = cloud.client("kinesis", running.environment)
    cloud.create_stream(kinesis, name, max(3, 2 * n))
    cloud.put(kinesis, name, events(n * UNITS // 2 * SECONDS))
    store, partitions = f"dynamodb:{name}", ["--board-partitions", str(n)]
    program.create_tables(store, running.environment, *partitions)
    index = aws_behaviour.IndexPartitions(UNITS)
    with proxy.Proxy(running.dynamodb_url) as slow:
        slow.layers = [index]
        environment = {**running.environment, "AWS_ENDPOINT_URL_DYNAMODB": slow.url}
        options = ["--store", store, *partitions, "--source", f"kinesis:{name}", "--drain-seconds", "0"]
        with Daemon(options, environment) as daemon:
            daemon.wait_until_applied(300)
    return rate(index.writes), index.happened


def measure_figures(running, counts):
    """The Figures."""
    found = []
    for n in counts:
        writes, refused = measure(running, n)
        figure = Figure(f"score writes/s of a board with {n} partitions of {UNITS} units/s", [writes], n * LIMIT, limit=n * LIMIT)
        figure.notes = [f"{n} partitions: at most {n * UNITS // 2} writes/s; {refused} refused"]
        found.append(figure)
    return found


def main():
    with common.start_emulators() as running:
        return 0 if figures.report(measure_figures(running, list(map(int, sys.argv[1:] or (1, 2, 4))))) else 1


if __name__ == "__main__":
    sys.exit(main())
