"""The pairs of a source and a store that tests run on: Kinesis with DynamoDB, and a file with SQLite. Both have the same
methods (put events, options for a service, read the rows), so that a test that uses the fixture `pair` or `main_job`
runs on each.

Sources are filled and rows are read by other means than the program under test.
"""

import contextlib
import itertools
import os
import sqlite3
import time

import cloud
import model
import program
import small_shop
import wait
import workload
from daemon import Daemon
from model import Record

KINDS = ("kinesis+dynamodb", "file+sqlite")
FILE_SHARD = "shardId-000000000000"
EXPIRES_SOON_S = 86_400  # a row so near its end is not compared: some process's clock may be ahead
numbers = itertools.count(1)  # for names of stages and streams


class KinesisDynamodb:
    """`stream` is None for a service that only serves."""

    has_watermarks = True
    shards = [f"shardId-{n:012}" for n in range(3)]

    def __init__(self, aws, stage, stream):
        self.aws, self.name, self.stream = aws, stage, stream
        self.environment = aws.environment
        self.options = [
            "--store", f"dynamodb:{stage}", "--source", f"kinesis:{stream}" if stream else "none"
        ]  # fmt: skip

    def put(self, puts):
        cloud.put(self.aws.kinesis, self.stream, puts)

    def records(self):
        return cloud.read_stream(self.aws.kinesis, self.stream)

    def contributions(self):
        return cloud.contributions(self.aws.dynamodb, self.name)

    def scores(self):
        return cloud.scores(self.aws.dynamodb, self.name)

    def leases(self):
        return cloud.leases(self.aws.dynamodb, self.name)

    def source_record(self):
        """What the store belongs to, and what it keeps."""
        return next(row for row in cloud.rows(self.aws.dynamodb, f"{self.name}-Leases") if "identityKey" in row)

    def identity_key(self):
        return self.source_record()["identityKey"]

    def delete_leases(self):
        for shard in self.leases():
            self.aws.dynamodb.delete_item(TableName=f"{self.name}-Leases", Key={"leaseKey": {"S": shard}})

    def wait_until_checkpointed(self, timeout_s=120):
        """Waits until every record that is in the stream now is applied, however fresh the view claims to be."""
        last = {record.shard: int(record.sequence) for record in self.records()}

        def is_checkpointed():
            leases = self.leases()
            return all(shard in leases and cloud.checkpoint(leases[shard]) >= at for shard, at in last.items())

        wait.until(is_checkpointed, f"checkpoints {last}", timeout_s, every_s=0.1, seen=self.leases)

    def wait_until_ended(self, *shards):
        """Waits until these shards are read to their end."""

        def is_ended():
            leases = self.leases()
            return all(leases.get(shard, {}).get("checkpoint") == "SHARD_END" for shard in shards)

        wait.until(is_ended, f"{shards} ended", timeout_s=60, seen=self.leases)


def can_be_lines(puts):
    """The puts whose data can be a line of a file: without a newline."""
    return [put for put in puts if b"\n" not in put.data]


def whole_lines(data):
    """Those of a file, without their newlines."""
    return data.split(b"\n")[:-1]


def records_of(data):
    """The records of a file with these bytes."""
    records, offset = [], 0
    for line in whole_lines(data):
        records.append(Record(FILE_SHARD, str(offset), None, line))
        offset += len(line) + 1
    return records


class FileSqlite:
    """A file of events (by default in `folder`) and a database in `folder`. A file has no partition keys."""

    has_watermarks = False
    shards = [FILE_SHARD]
    environment = {}

    def __init__(self, folder, journal=None):
        self.name = folder.name
        self.journal = journal or folder / "events.jsonl"
        self.database = folder / "winner-view.db"
        self.options = ["--store", f"sqlite:{self.database}", "--source", f"file:{self.journal}"]

    def put(self, puts):
        self.append(b"".join(put.data + b"\n" for put in can_be_lines(puts)))

    def append(self, data):
        with open(self.journal, "ab", buffering=0) as file:
            assert file.write(data) == len(data)

    def records(self):
        return records_of(self.journal.read_bytes())

    def lines(self):
        return whole_lines(self.journal.read_bytes())

    def connect(self):
        """Read-only, so that the next service finds what a killed one left."""
        return contextlib.closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True))

    def rows(self, table):
        """Rows in the form of cloud.rows: a column that is NULL is left out."""
        with self.connect() as connection:
            connection.row_factory = sqlite3.Row
            return [
                {name: row[name] for name in row.keys() if row[name] is not None}
                for row in connection.execute(f"SELECT * FROM {table}")
            ]

    def contributions(self):
        return self.rows("contributions")

    def scores(self):
        """The shop counts in the column of the others; DynamoDB has an attribute of its own for it, outside its index."""
        return [sales_of_shop(row) for row in self.rows("scores")]

    def leases(self):
        return {row["leaseKey"]: row for row in self.rows("leases") if row["entityType"] != "SOURCE"}

    def source_record(self):
        return next(row for row in self.rows("leases") if "identityKey" in row)

    def identity_key(self):
        return self.source_record()["identityKey"]

    def delete_leases(self):
        with contextlib.closing(sqlite3.connect(self.database, isolation_level=None)) as connection:
            connection.execute("DELETE FROM leases WHERE entityType <> 'SOURCE'")


def sales_of_shop(row):
    is_shop = row["role"].partition("#")[0] == model.SHOP and "score" in row
    return {("sales" if is_shop and name == "score" else name): value for name, value in row.items()}


def shape_of(record):
    """What the store keeps, by its record of its source."""
    periods = record.get("periods", "none")
    kinds = () if periods == "none" else tuple(periods.split(","))
    return model.Shape(kinds, record.get("bestSellers") == "on", int(record.get("boardPartitions", 1)))


def begin(pair):
    """An empty view: a worker has bound the store to its source and ended, and there are no leases yet. Before that, a
    process that only serves waits."""
    if isinstance(pair, FileSqlite):
        pair.put([workload.to_put({"schema": "none"}, "none", "")])  # a line, so that the file is known; no event
    with Daemon([*pair.options, "--drain-seconds", "0"], pair.environment):
        pass
    pair.delete_leases()
    return pair


def stocked_pair(kind, request, folder, events, *creating):
    """A pair whose source has these events, for fixtures with the scope of a module. `creating`: options of
    create-tables."""
    if kind == "file+sqlite":
        pair = FileSqlite(folder)
    else:
        aws, name = request.getfixturevalue("shared_aws"), f"stock-{os.getpid()}-{next(numbers)}"
        cloud.create_stream(aws.kinesis, name)
        program.create_tables(f"dynamodb:{name}", aws.environment, *creating)
        pair = KinesisDynamodb(aws, name, name)
    pair.put(small_shop.puts(events))
    return pair


def assert_equal_to_model(pair, expected, dead_letters):
    """The store's rows and these dead letters are what the model expects. A shard without a lease is gone."""
    watermarks = pair.has_watermarks
    gone = {shard for score in expected.scores.values() for shard in score.last} - pair.leases().keys() if watermarks else ()
    found = model.differences(
        expected,
        pair.contributions(),
        pair.scores(),
        dead_letters,
        watermarks,
        gone,
        shape_of(pair.source_record()),
        time.time() + EXPIRES_SOON_S,
    )
    assert not found, f"{len(found)} differences:\n" + "\n".join(found[:20])
