"""A fake Kinesis stream with any number of shards, for tests for which kinesis-local is too slow, and with faults by shard.

    with fake_stream.FakeStream(shards=64) as stream:
        environment = stream.environment(dynamodb_url)  # for a service with --source kinesis:NAME
        stream.fill({shard: puts}, times=5000)          # now; the puts of a shard take turns
        stream.load({shard: puts}, per_s=20)            # from now on, until per_s=0
        stream.fault(shards, slow(100_000))             # until stream.fault(shards)
        stream.records()                                # model.Records, those of each shard in order

It runs in a process of its own (fake_stream_server.py) and speaks Kinesis: boto3 can put, list, split and merge.
"""

import array
import base64
import hashlib
import http.client
import itertools
import json
import pathlib
import ssl
import subprocess
import sys

import emulators
from model import Record

SERVER = pathlib.Path(__file__).with_name("fake_stream_server.py")


# Faults of the reads of a shard. `times`: only so many reads; `every`: only each so many.


def hang():
    """Accepted, and never answered."""
    return {"kind": "hang"}


def slow(bytes_per_s):
    return {"kind": "slow", "bytes_per_s": bytes_per_s}


def malformed(**more):
    """A 200 whose body is cut, empty, of other types, or has a broken record, in turn."""
    return {"kind": "malformed", **more}


def too_large(size, **more):
    """The reply has this many bytes more."""
    return {"kind": "too-large", "bytes": size, **more}


def expired(**more):
    return {"kind": "expired", **more}


def throttled(**more):
    return {"kind": "throttled", **more}


def error(**more):
    """HTTP 500."""
    return {"kind": "error", **more}


def shard_id(number):
    return f"shardId-{number:012}"


class FakeStream:
    """`certificate`: (file, file of its key), for TLS. Thread-safe but for start and stop."""

    def __init__(self, shards, name="fake", certificate=None):
        self.name, self.certificate = name, certificate
        arguments = ["--name", name, "--shards", str(shards)]
        self.argv = [sys.executable, str(SERVER), *arguments]
        if certificate:
            self.argv += ["--certificate", *map(str, certificate)]
        self.ranges = [((1 << 128) * n // shards, (1 << 128) * (n + 1) // shards - 1) for n in range(shards)]
        self.shards = [shard_id(n) for n in range(shards)]  # those of the beginning
        self.templates = []  # (partition key, data)
        self.process = None

    def __enter__(self):
        self.process = subprocess.Popen(
            self.argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, preexec_fn=emulators.die_with_parent
        )
        line = self.process.stdout.readline()
        assert line, "the fake stream does not start"
        self.port = int(line)
        return self

    def __exit__(self, *_):
        self.process.kill()  # it keeps nothing
        self.process.wait()
        self.process.stdout.close()

    @property
    def url(self):
        return f"{'https' if self.certificate else 'http'}://127.0.0.1:{self.port}"

    def environment(self, dynamodb_url="http://127.0.0.1:1"):
        return emulators.Addresses(dynamodb_url, self.url).environment

    def call(self, operation, target="FakeStream", **content):
        connection = self.connect()
        try:
            connection.request("POST", "/", json.dumps(content), {"X-Amz-Target": f"{target}.{operation}"})
            reply = connection.getresponse()
            body = reply.read()
        finally:
            connection.close()
        assert reply.status == 200, body[:500]
        return json.loads(body)

    def connect(self):
        if self.certificate:
            return http.client.HTTPSConnection("127.0.0.1", self.port, context=ssl._create_unverified_context())
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)

    # Its records.

    def put(self, puts):
        """workload.Puts in order. Returns their [(shard, sequence number)]."""
        records = [{"Data": encoded(put.data), "PartitionKey": put.partition_key} for put in puts]
        reply = self.call("PutRecords", "Kinesis_20131202", StreamName=self.name, Records=records)
        return [(record["ShardId"], record["SequenceNumber"]) for record in reply["Records"]]

    def fill(self, puts, times):
        self.call("Fill", puts=as_json(puts), times=times)

    def load(self, puts, per_s):
        self.call("Load", puts=as_json(puts), per_s=per_s)

    def keys(self, shard, count):
        """Partition keys of a shard of the beginning."""
        return self.keys_of_all(count)[shard]

    def keys_of_all(self, count):
        """{shard: so many partition keys}, the same at each call."""
        found, missing = {shard: [] for shard in self.shards}, len(self.shards) * count
        for n in itertools.count():
            if not missing:
                return found
            key = f"product-{n}"
            hashed = int.from_bytes(hashlib.md5(key.encode()).digest(), "big")
            own = found[self.shards[hashed * len(self.shards) >> 128]]
            if len(own) < count:
                own.append(key)
                missing -= 1

    def records_of(self, shard, index=0):
        """Those of one shard from its record `index` on."""
        reply = self.call("Stored", shard=shard, index=index, template=len(self.templates))
        self.templates += [(key, base64.b64decode(data)) for key, data in reply["templates"]]
        numbers = array.array("I", base64.b64decode(reply["records"]))
        first = 49 * 10**54 + int(shard.rpartition("-")[2]) * 10**20 + index
        for n, number in enumerate(numbers):
            yield Record(shard, str(first + n), *self.templates[number])

    def records(self):
        for shard in self.counts()["records"]:
            yield from self.records_of(shard)

    def counts(self):
        """`calls` by operation; by shard `records`, `reads`, and `held` connections (hanging or slow)."""
        return self.call("Counts")

    # Its troubles.

    def fault(self, shards, *faults):
        """From now on these faults, and no others; replies that were held are reset."""
        self.call("Faults", shards=list(shards), faults=faults)


def encoded(data):
    return base64.b64encode(data).decode()


def as_json(puts):
    return {shard: [(put.partition_key, encoded(put.data)) for put in own] for shard, own in puts.items()}
