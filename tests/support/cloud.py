"""Streams and tables of the emulators: tests fill and read them with boto3, never through the program under test."""

import boto3
import botocore.config

import wait
from model import Record

TABLES = ("Contributions", "Scores", "Leases")
PUT_BATCH = 500


def client(service, environment):
    """A boto3 client for the endpoint in `environment` (of emulators.Emulators): boto3 1.26 does not read endpoint
    variables."""
    return boto3.client(
        service,
        endpoint_url=environment["AWS_ENDPOINT_URL_" + service.upper()],
        region_name=environment["AWS_REGION"],
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        config=botocore.config.Config(max_pool_connections=4, read_timeout=60),
    )


class Aws:
    """Running emulators and clients to them."""

    def __init__(self, running):
        self.emulators, self.environment = running, running.environment
        self.kinesis = client("kinesis", self.environment)
        self.dynamodb = client("dynamodb", self.environment)


# Streams.


def create_stream(kinesis, name, shards=3):
    kinesis.create_stream(StreamName=name, ShardCount=shards)
    return until_active(kinesis, name)


def delete_stream(kinesis, name):
    kinesis.delete_stream(StreamName=name)

    def is_gone():  # not by list_streams, which returns a hundred names at a time
        try:
            kinesis.describe_stream_summary(StreamName=name)
            return False
        except kinesis.exceptions.ResourceNotFoundException:
            return True

    wait.until(is_gone, f"stream {name} deleted")


def until_active(kinesis, name):
    def is_active():
        summary = kinesis.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]
        return summary["StreamStatus"] == "ACTIVE"

    wait.until(is_active, f"stream {name} active")
    return name


def put(kinesis, stream, puts):
    """Puts workload.Puts in order. A refused record would break the order, so it is an error. Returns their
    [(shard, sequence number)]."""
    positions = []
    for start in range(0, len(puts), PUT_BATCH):
        records = [{"Data": p.data, "PartitionKey": p.partition_key} for p in puts[start : start + PUT_BATCH]]
        reply = kinesis.put_records(StreamName=stream, Records=records)
        assert reply["FailedRecordCount"] == 0, reply
        positions += [(record["ShardId"], record["SequenceNumber"]) for record in reply["Records"]]
    return positions


def shard_ids(kinesis, stream):
    return [shard["ShardId"] for shard in kinesis.list_shards(StreamName=stream)["Shards"]]


def shard_ranges(kinesis, stream):
    """{shard: (first hash key, last)}"""
    shards = kinesis.list_shards(StreamName=stream)["Shards"]
    ranges = {shard["ShardId"]: shard["HashKeyRange"] for shard in shards}
    return {
        shard: (int(range["StartingHashKey"]), int(range["EndingHashKey"])) for shard, range in ranges.items()
    }


def open_ranges(kinesis, stream):
    """shard_ranges of the shards that have not ended."""
    ranges, shards = shard_ranges(kinesis, stream), kinesis.list_shards(StreamName=stream)["Shards"]
    ended = {shard["ShardId"] for shard in shards if shard["SequenceNumberRange"].get("EndingSequenceNumber")}
    return {shard: range for shard, range in ranges.items() if shard not in ended}


def read_shard(kinesis, stream, shard):
    iterator = kinesis.get_shard_iterator(StreamName=stream, ShardId=shard, ShardIteratorType="TRIM_HORIZON")
    iterator = iterator["ShardIterator"]
    while iterator:
        reply = kinesis.get_records(ShardIterator=iterator)
        for record in reply["Records"]:
            arrived_ms = round(record["ApproximateArrivalTimestamp"].timestamp() * 1000)
            yield Record(
                shard, record["SequenceNumber"], record["PartitionKey"], record["Data"], arrived_ms=arrived_ms
            )
        if not reply["Records"] and not reply.get("MillisBehindLatest"):
            return
        iterator = reply.get("NextShardIterator")


def read_stream(kinesis, stream):
    """All records of a stream: each shard's in order, one shard after the other."""
    return [record for shard in shard_ids(kinesis, stream) for record in read_shard(kinesis, stream, shard)]


class Stream:
    """A stream that can be resharded; each change is awaited."""

    def __init__(self, kinesis, name):
        self.kinesis, self.name = kinesis, name

    def put(self, puts):
        return put(self.kinesis, self.name, puts)

    def records(self):
        return read_stream(self.kinesis, self.name)

    def shard_ids(self):
        return shard_ids(self.kinesis, self.name)

    def open_ranges(self):
        return open_ranges(self.kinesis, self.name)

    def wait(self):
        until_active(self.kinesis, self.name)

    def split(self, shard):
        """Splits a shard in the middle of its hash keys."""
        middle = sum(self.open_ranges()[shard]) // 2 + 1
        self.kinesis.split_shard(StreamName=self.name, ShardToSplit=shard, NewStartingHashKey=str(middle))
        self.wait()

    def merge(self, shard, adjacent):
        self.kinesis.merge_shards(StreamName=self.name, ShardToMerge=shard, AdjacentShardToMerge=adjacent)
        self.wait()

    def update_shard_count(self, n):
        self.kinesis.update_shard_count(StreamName=self.name, TargetShardCount=n, ScalingType="UNIFORM_SCALING")
        self.wait()


# Tables.


def plain(attribute):
    """A DynamoDB attribute value as a Python one: numbers as int, binary as bytes."""
    ((kind, value),) = attribute.items()
    return {"N": int, "SS": set, "B": bytes}.get(kind, lambda same: same)(value)


def rows(dynamodb, table):
    pages = dynamodb.get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
    return [{name: plain(value) for name, value in item.items()} for page in pages for item in page["Items"]]


def contributions(dynamodb, stage):
    return rows(dynamodb, f"{stage}-Contributions")


def scores(dynamodb, stage):
    return rows(dynamodb, f"{stage}-Scores")


def leases(dynamodb, stage):
    """The shards' leases by shard; the table holds rows of other kinds too."""
    found = rows(dynamodb, f"{stage}-Leases")
    return {
        row["leaseKey"]: row
        for row in found
        if "checkpoint" in row and not row["leaseKey"].startswith("winner-view#")
    }


def set_as_of(dynamodb, stage, shard, seconds):
    """Changes a lease that nobody holds. None: without an asOf."""
    more = {"ExpressionAttributeValues": {":t": {"N": str(int(seconds * 1000))}}} if seconds else {}
    update = "SET asOf = :t" if seconds else "REMOVE asOf"
    key = {"leaseKey": {"S": shard}}
    dynamodb.update_item(TableName=f"{stage}-Leases", Key=key, UpdateExpression=update, **more)


def age_end(dynamodb, stage, shard, seconds):
    """Lets the end of a shard, of which the program has noted the time, lie so much further back."""
    dynamodb.update_item(
        TableName=f"{stage}-Leases", Key={"leaseKey": {"S": shard}}, UpdateExpression="ADD endedAt :less",
        ConditionExpression="attribute_exists(endedAt)",
        ExpressionAttributeValues={":less": {"N": str(-int(seconds * 1000))}},
    )  # fmt: skip


def checkpoint(lease):
    """A lease's checkpoint as a number: -1 before the first, infinity at the shard's end."""
    text = lease["checkpoint"]
    if text.isdecimal():
        return int(text)
    return float("inf") if text == "SHARD_END" else -1


TABLE_KEYS = {
    "Contributions": {"productId": "HASH"},
    "Scores": {"userId": "HASH", "role": "RANGE"},
    "Leases": {"leaseKey": "HASH"},
}


def make_bare_tables(dynamodb, stage, **billing):
    """Without indexes or time to live. `billing`: of CreateTable; on demand if there is none."""
    for table, keys in TABLE_KEYS.items():
        dynamodb.create_table(
            **(billing or {"BillingMode": "PAY_PER_REQUEST"}),
            TableName=f"{stage}-{table}",
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in keys],
            KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in keys.items()],
        )
