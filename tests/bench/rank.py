#!/usr/bin/python3
"""Ranks on a board of a million contributors, in SQLite; and of 20,000 in DynamoDB Local, with rows of 3 shards.

    tests/bench/rank.py [--baseline BINARY] [--contributors N] [--dynamodb-contributors N]

The rows of Scores are written directly. Checks that ranks of random contributors are exact on a board that stands still,
against a full count; that on one that moves they are off by at most those who moved; and that they are exact again
afterwards. Prints the memory of a table, the time and the units of a pass, and the time of GET /scores/merchant/{id} for
contributors that no cache has; with --baseline (a program of view version 2) the same for that one, side by side: exits 1
if our p99 is above twice its p99.
"""

import argparse
import bisect
import concurrent.futures
import contextlib
import datetime
import http.client
import json
import os
import pathlib
import random
import re
import sqlite3
import sys
import tempfile
import threading
import time
import urllib.parse

import common
import cloud
import program
import wait
from daemon import Daemon

UPDATED_MS = 1_764_000_000_000
MOST_TIMES = 2
CHECKED, TIMED, ROUNDS = 300, 1000, 3
MOVES, MOVES_A_SECOND = 10_000, 1000
PATIENCE_S = 300


def contributor(number):
    return f"hello-retail-web/merchant/amzn1.account.ME{number:07d}XYZ/Merchant {number}"


def draw_scores(contributors):
    """A few sell a lot, most a little: many ties."""
    drawn = random.Random(16)
    return [1 + int(drawn.paretovariate(0.7)) % 50_000 for _ in range(contributors)]


def event(kind, product, origin):
    more = {"brand": "b", "name": "n", "description": "d", "category": "c"} if kind == "create" else {}
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return json.dumps(
        {
            "schema": "com.nordstrom/retail-stream-ingress/1-0-0",
            "origin": origin,
            "timeOrigin": now,
            "data": {"schema": f"com.nordstrom/product/{kind}/1-0-0", "id": product, **more},
        }
    )


class Board:
    """The truth: the scores of a board, and what a full count says."""

    def __init__(self, scores):
        self.scores = scores
        self.ascending = sorted(scores)

    def rank(self, score):
        return 1 + len(self.ascending) - bisect.bisect_right(self.ascending, score)


class Service:
    """A daemon over a view whose rows were written directly."""

    def __init__(self, options, environment=None):
        self.daemon = Daemon([*options, "--identities", "full", "--drain-seconds", "0"], environment or {})
        self.local = threading.local()

    def get(self, number, may_fail=False):
        if not hasattr(self.local, "connection"):
            self.local.connection = http.client.HTTPConnection("127.0.0.1", self.daemon.port, timeout=30)
        self.local.connection.request(
            "GET", "/scores/merchant/" + urllib.parse.quote(contributor(number), safe="")
        )
        reply = self.local.connection.getresponse()
        body = reply.read()
        if may_fail and reply.status == 503:
            return None
        if reply.status != 200:
            raise SystemExit(f"{contributor(number)}: {reply.status} {body}")
        return json.loads(body)

    def passes(self):
        """(contributors, bytes, units, milliseconds) of each table."""
        line = r"table of ranks: (\d+) contributors, (\d+) bytes, (\d+) units, in (\d+) ms"
        found = re.findall(line, self.daemon.log())
        return [tuple(map(int, one)) for one in found]

    def close(self):
        if hasattr(self.local, "connection"):
            self.local.connection.close()


@contextlib.contextmanager
def running(service):
    with service.daemon:
        yield service
        service.close()


def fill_sqlite(folder, binary, scores):
    """A view that `binary` has made from one event, and its options."""
    folder.mkdir()
    events = folder / "events.jsonl"
    events.write_text(event("create", "first", contributor(0)) + "\n")
    options = ["--store", f"sqlite:{folder / 'view.db'}", "--source", f"file:{events}"]
    with with_binary(binary), running(Service(options)) as service:
        service.daemon.wait_until_applied(30)
    database = sqlite3.connect(folder / "view.db")
    database.executemany(
        "INSERT INTO scores (userId, role, score, updated) VALUES (?, 'creator', ?, ?)",
        ((contributor(number), score, UPDATED_MS) for number, score in enumerate(scores)),
    )
    database.commit()
    database.close()
    return options, events


@contextlib.contextmanager
def with_binary(binary):
    before = os.environ.get("WINNER_VIEW_BINARY")
    if binary:
        os.environ["WINNER_VIEW_BINARY"] = str(binary)
    try:
        yield
    finally:
        os.environ.pop("WINNER_VIEW_BINARY", None)
        if before is not None:
            os.environ["WINNER_VIEW_BINARY"] = before


def check_exact(service, board, sample):
    """Ranks of random contributors are those of a full count."""
    for number in sample:
        answer = service.get(number)
        expected = (board.scores[number], board.rank(board.scores[number]), len(board.scores))
        found = (answer["score"], answer["rank"], answer["of"])
        if found != expected:
            raise SystemExit(f"{contributor(number)}: score, rank, of are {found}, a full count says {expected}")


def await_table(service, number, since=None):
    """The first answer with a rank of a table that was begun after `since`."""
    return wait.until(
        lambda: (a := service.get(number, may_fail=True))
        and a["of"]
        and (since is None or a["rankAsOf"] > since)
        and a,
        "a table of ranks",
        PATIENCE_S,
    )


def move(events, movers, stop):
    """Products of existing contributors are made and sold, one each."""
    began = time.monotonic()
    with events.open("a") as out:
        for i, number in enumerate(movers):
            out.write(event("create", f"product-{i}", contributor(number)) + "\n")
            out.write(event("purchase", f"product-{i}", "w/customer/1/Cid") + "\n")
            if i % 100 == 0:
                out.flush()
                time.sleep(max(0, began + i / MOVES_A_SECOND - time.monotonic()))
    stop.set()


def check_moving(service, board, events):
    """While contributors move, a rank is off by at most those who moved. Returns the board afterwards, and the largest
    distance from what the rank was at some time meanwhile."""
    drawn = random.Random(17)
    movers = [drawn.randrange(len(board.scores)) for _ in range(MOVES)]
    after = list(board.scores)
    for number in movers:
        after[number] += 1
    end, stop, farthest, asked = Board(after), threading.Event(), 0, 0
    thread = threading.Thread(target=move, args=(events, movers, stop))
    thread.start()
    while not stop.is_set():
        answer = service.get(drawn.randrange(len(board.scores)))
        least, most = board.rank(answer["score"]), end.rank(answer["score"])
        farthest = max(farthest, least - answer["rank"], answer["rank"] - most)
        asked += 1
    thread.join()
    if farthest > len(set(movers)):
        raise SystemExit(f"a rank was off by {farthest}, and only {len(set(movers))} moved")
    print(f"moving board: {asked} ranks, none farther than {max(farthest, 0)} from the true ones meanwhile; "
          f"{len(set(movers))} contributors moved")  # fmt: skip
    return end


def percentiles(services, contributors):
    """[(p50, p99)] in ms of each service, for contributors that are not asked for twice: alternating rounds."""
    times = [[] for _ in services]
    drawn = random.Random(18).sample(range(contributors), min(contributors, TIMED * ROUNDS))
    for one_round in range(ROUNDS):
        for service, mine in zip(services, times):
            for number in drawn[one_round::ROUNDS]:
                began = time.perf_counter()
                service.get(number)
                mine.append((time.perf_counter() - began) * 1000)
    return [(sorted(t)[len(t) // 2], sorted(t)[len(t) * 99 // 100]) for t in times]


def compare(folder, ours, baseline, scores):
    if not baseline:
        ((p50, p99),) = percentiles([ours], len(scores))
        print(f"GET /scores/merchant/{{id}}: p50 {p50:.2f} ms, p99 {p99:.2f} ms")
        return True
    options, _ = fill_sqlite(folder / "baseline", baseline, scores)
    with with_binary(baseline), running(Service(options)) as theirs:
        (p50, p99), (p50_before, p99_before) = percentiles([ours, theirs], len(scores))
    print(f"GET /scores/merchant/{{id}}: p50 {p50:.2f} ms, p99 {p99:.2f} ms; before: {p50_before:.2f}, "
          f"{p99_before:.2f}: p99 x {p99 / p99_before:.2f} (at most {MOST_TIMES})")  # fmt: skip
    return p99 <= MOST_TIMES * p99_before


def measure_sqlite(folder, options):
    scores = draw_scores(options.contributors)
    board, sample = Board(scores), random.Random(19)
    arguments, events = fill_sqlite(folder / "ours", None, scores)
    with running(Service([*arguments, "--log-level", "debug"])) as service:
        began = time.monotonic()
        lowest = scores.index(min(scores))
        answer = await_table(service, lowest)
        print(f"SQLite, {len(scores)} contributors: a table after {time.monotonic() - began:.1f} s")
        check_exact(service, board, sample.sample(range(len(scores)), CHECKED))
        print(f"board at rest: {CHECKED} ranks are those of a full count")
        good = compare(folder, service, options.baseline, scores)
        board = check_moving(service, board, events)
        service.daemon.wait_until_applied(60)
        await_table(service, lowest, since=answer["rankAsOf"])
        wait.until(lambda: is_exact(service, board), "ranks that are exact again", PATIENCE_S)
        print("at rest again: ranks are those of a full count")
        for contributors, size, _, took_ms in service.passes()[:1]:
            print(f"table: {contributors} contributors, {size / 1024:.0f} KiB, made in {took_ms / 1000:.1f} s")
    return good


def is_exact(service, board):
    sample = random.Random(20).sample(range(len(board.scores)), 50)
    for number in sample:
        answer = service.get(number)
        if (answer["score"], answer["rank"]) != (board.scores[number], board.rank(board.scores[number])):
            return False
    return True


def write_rows(emulators, table, scores):
    """As three shards would have left them."""
    dynamodb = cloud.client("dynamodb", emulators.environment)
    marks = {f"at{shard}": {"B": bytes([24]) + bytes([shard + 1]) * 24} for shard in range(3)}

    def write(first):
        rows = [
            {
                "userId": {"S": contributor(number)},
                "role": {"S": "creator"},
                "score": {"N": str(scores[number])},
                "updated": {"N": str(UPDATED_MS)},
                **marks,
            }
            for number in range(first, min(first + 25, len(scores)))
        ]
        dynamodb.batch_write_item(RequestItems={table: [{"PutRequest": {"Item": row}} for row in rows]})

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        list(pool.map(write, range(0, len(scores), 25)))


def measure_dynamodb(emulators, options):
    scores = draw_scores(options.dynamodb_contributors)
    cloud.create_stream(cloud.client("kinesis", emulators.environment), "ranks")
    program.create_tables("dynamodb:ranks", emulators.environment)
    write_rows(emulators, "ranks-Scores", scores)
    arguments = ["--store", "dynamodb:ranks", "--source", "kinesis:ranks", "--log-level", "debug", "--rank-units", "100"]
    with running(Service(arguments, emulators.environment)) as service:
        await_table(service, scores.index(min(scores)))
        check_exact(service, Board(scores), random.Random(21).sample(range(len(scores)), CHECKED))
        print(f"DynamoDB Local, {len(scores)} contributors: {CHECKED} ranks are those of a full count")
        for _, size, units, took_ms in service.passes()[:1]:
            print(f"table: {size / 1024:.0f} KiB, made of {units} units in {took_ms / 1000:.1f} s at 100 units/s")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--contributors", type=int, default=1_000_000)
    parser.add_argument("--dynamodb-contributors", type=int, default=20_000)
    parser.add_argument("--baseline", type=pathlib.Path, help="a program of view version 2")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        good = measure_sqlite(pathlib.Path(folder), options)
    if options.dynamodb_contributors:
        with common.start_emulators() as emulators:
            measure_dynamodb(emulators, options)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
