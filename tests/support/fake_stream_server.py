"""A Kinesis stream in memory, in a process of its own: what fake_stream.FakeStream starts.

One thread serves some thousand reads a second, of a thousand shards or more. It answers as AWS does: pages of ListShards,
iterators that live five minutes, at most 10,000 records or 10 MB in a reply, lag as the age of the last record, and at
the end of a shard its children. A record is kept as its time and the number of its template (partition key and data), so
that an hour of load fits into memory.

Calls of "FakeStream" (X-Amz-Target) are for the test: they fill shards, and set their faults.
"""

import argparse
import array
import asyncio
import base64
import bisect
import collections
import email.utils
import functools
import hashlib
import json
import resource
import ssl
import sys
import time

REPLY_RECORDS, REPLY_BYTES = 10_000, 10_000_000
ITERATOR_LIFE_S = 300
PAGE = 1000
HASH_KEYS = 1 << 128
FIRST_SEQUENCE = 49 * 10**54
OF_A_SHARD = 10**20
LOAD_S, SLICE_S = 0.02, 0.1
MAX_BODY = 64 << 20


class Refused(Exception):
    def __init__(self, name, message):
        super().__init__(name, message)
        self.name, self.message = name, message


class Shard:
    def __init__(self, number, first, last, parents=()):
        self.number, self.id = number, f"shardId-{number:012}"
        self.first, self.last, self.parents = first, last, list(parents)
        self.children, self.is_open = [], True
        self.begin = FIRST_SEQUENCE + number * OF_A_SHARD
        self.arrivals, self.templates = array.array("d"), array.array("I")
        self.faults, self.held = [], set()  # `held`: connections that get no answer
        self.reads = self.load_per_s = self.load_begin = 0
        self.load_done, self.load_templates = 0, []

    def add(self, template, now):
        assert self.is_open
        self.arrivals.append(now)
        self.templates.append(template)
        return str(self.begin + len(self.arrivals) - 1)

    def described(self):
        numbers = {"StartingSequenceNumber": str(self.begin)}
        if not self.is_open:
            numbers["EndingSequenceNumber"] = str(self.begin + len(self.arrivals))
        range_ = {"StartingHashKey": str(self.first), "EndingHashKey": str(self.last)}
        names = ("ParentShardId", "AdjacentParentShardId")
        return {
            "ShardId": self.id,
            "HashKeyRange": range_,
            "SequenceNumberRange": numbers,
            **dict(zip(names, (parent.id for parent in self.parents))),
        }

    def as_child(self):
        range_ = {"StartingHashKey": str(self.first), "EndingHashKey": str(self.last)}
        return {"ShardId": self.id, "ParentShards": [parent.id for parent in self.parents], "HashKeyRange": range_}

    def load(self, now):
        """Adds what is due of a steady load."""
        if not self.load_per_s or not self.is_open:
            return
        due = int((now - self.load_begin) * self.load_per_s)
        for n in range(self.load_done, due):
            self.add(self.load_templates[n % len(self.load_templates)], now)
        self.load_done = max(due, self.load_done)


class Stream:
    def __init__(self, name, shards):
        self.name, self.created = name, round(time.time(), 3)
        edges = [HASH_KEYS * n // shards for n in range(shards + 1)]
        self.shards = [Shard(n, edges[n], edges[n + 1] - 1) for n in range(shards)]
        self.templates = []  # (partition key, data in base64)
        self.numbers = {}  # of the templates
        self.tails = []  # of their records in a reply
        self.calls = collections.Counter()

    def shard(self, shard_id):
        number = int(shard_id.rpartition("-")[2])
        if number >= len(self.shards):
            raise Refused("ResourceNotFoundException", f"Shard {shard_id} in stream {self.name} does not exist")
        return self.shards[number]

    def template(self, key, data):
        number = self.numbers.setdefault((key, data), len(self.templates))
        if number == len(self.templates):
            self.templates.append((key, data))
            self.tails.append(f',"Data":"{data}","PartitionKey":{json.dumps(key)}}}'.encode())
        return number

    def shard_of(self, key):
        hashed = int.from_bytes(hashlib.md5(key.encode()).digest(), "big")
        return next(shard for shard in self.shards if shard.is_open and shard.first <= hashed <= shard.last)

    # Kinesis.

    def DescribeStreamSummary(self, _):
        summary = {
            "StreamName": self.name,
            "StreamARN": f"arn:aws:kinesis:us-east-1:000000000000:stream/{self.name}",
            "StreamStatus": "ACTIVE",
            "RetentionPeriodHours": 24,
            "StreamCreationTimestamp": self.created,
            "OpenShardCount": sum(shard.is_open for shard in self.shards),
        }
        return {"StreamDescriptionSummary": summary}

    def ListShards(self, asked):
        begin = int(asked.get("NextToken") or 0)
        page = self.shards[begin : begin + PAGE]
        more = {"NextToken": str(begin + PAGE)} if begin + PAGE < len(self.shards) else {}
        return {"Shards": [shard.described() for shard in page], **more}

    def GetShardIterator(self, asked):
        shard = self.shard(asked["ShardId"])
        index = self.index_of(shard, asked)
        return {"ShardIterator": iterator(shard, index)}

    @staticmethod
    def index_of(shard, asked):
        kind = asked["ShardIteratorType"]
        if kind == "TRIM_HORIZON":
            return 0
        if kind == "LATEST":
            return len(shard.arrivals)
        if kind == "AT_TIMESTAMP":
            return bisect.bisect_left(shard.arrivals, asked["Timestamp"])
        number = int(asked["StartingSequenceNumber"])
        if not shard.begin <= number <= shard.begin + len(shard.arrivals):
            message = f"StartingSequenceNumber {number} is invalid because it did not come from this stream"
            raise Refused("InvalidArgumentException", message)
        return number - shard.begin + (kind == "AFTER_SEQUENCE_NUMBER")

    def GetRecords(self, asked):
        """The reply as bytes."""
        shard, index = self.place(asked["ShardIterator"])
        end = min(len(shard.arrivals), index + min(asked.get("Limit") or REPLY_RECORDS, REPLY_RECORDS))
        records, size = [], 0
        while index < end:
            tail = self.tails[shard.templates[index]]
            size += len(tail) * 3 // 4
            if size > REPLY_BYTES and records:
                break
            head = b'{"SequenceNumber":"%d","ApproximateArrivalTimestamp":%.12fE9'
            records.append(head % (shard.begin + index, shard.arrivals[index] / 1e9) + tail)
            index += 1
        return b'{"Records":[%b],%b' % (b",".join(records), self.rest(shard, index))

    def rest(self, shard, index):
        if index < len(shard.arrivals):
            last = shard.arrivals[index - 1] if index else shard.arrivals[0]
            lag = max(1, int((time.time() - last) * 1000))
        else:
            lag = 0
        rest = {"NextShardIterator": iterator(shard, index), "MillisBehindLatest": lag}
        if index == len(shard.arrivals) and not shard.is_open:
            rest["NextShardIterator"] = None
            rest["ChildShards"] = [child.as_child() for child in shard.children]
        return json.dumps(rest).encode()[1:]

    def place(self, token):
        shard_id, index, made = token.split(":")
        if time.time() - int(made) / 1000 > ITERATOR_LIFE_S:
            raise Refused("ExpiredIteratorException", "Iterator expired.")
        return self.shard(shard_id), int(index)

    def PutRecords(self, asked):
        results, now = [], round(time.time(), 3)
        for record in asked["Records"]:
            shard = self.shard_of(record["PartitionKey"])
            sequence = shard.add(self.template(record["PartitionKey"], record["Data"]), now)
            results.append({"ShardId": shard.id, "SequenceNumber": sequence})
        return {"FailedRecordCount": 0, "Records": results}

    def SplitShard(self, asked):
        parent, middle = self.shard(asked["ShardToSplit"]), int(asked["NewStartingHashKey"])
        self.continue_with([parent], [(parent.first, middle - 1), (middle, parent.last)])
        return {}

    def MergeShards(self, asked):
        parents = [self.shard(asked["ShardToMerge"]), self.shard(asked["AdjacentShardToMerge"])]
        self.continue_with(parents, [(min(p.first for p in parents), max(p.last for p in parents))])
        return {}

    def continue_with(self, parents, ranges):
        children = [Shard(len(self.shards) + n, *range_, parents) for n, range_ in enumerate(ranges)]
        for parent in parents:
            parent.is_open, parent.children = False, children
        self.shards += children

    # For the test.

    def Fill(self, asked):
        """`times` records of each shard, all at once, which take turns."""
        now = round(time.time(), 3)
        for shard_id, puts in asked["puts"].items():
            templates = [self.template(*put) for put in puts]
            shard = self.shard(shard_id)
            for n in range(asked["times"]):
                shard.add(templates[n % len(templates)], now)
        return {}

    def Load(self, asked):
        """Each shard's records a second, from now on."""
        for shard_id, puts in asked["puts"].items():
            shard = self.shard(shard_id)
            shard.load_per_s, shard.load_begin, shard.load_done = asked["per_s"], time.time(), 0
            shard.load_templates = [self.template(*put) for put in puts]
        return {}

    def Faults(self, asked):
        for shard_id in asked["shards"]:
            shard = self.shard(shard_id)
            shard.faults = [dict(fault) for fault in asked["faults"]]
            for connection in list(shard.held):
                connection.transport.abort()
        return {}

    def Stored(self, asked):
        """The records of a shard, from one on, and the templates from one on."""
        templates = self.shard(asked["shard"]).templates[asked["index"] :]
        return {
            "records": base64.b64encode(templates.tobytes()).decode(),
            "templates": self.templates[asked["template"] :],
        }

    def Counts(self, _):
        return {
            "calls": self.calls,
            "records": {shard.id: len(shard.arrivals) for shard in self.shards},
            "reads": {shard.id: shard.reads for shard in self.shards},
            "held": {shard.id: len(shard.held) for shard in self.shards if shard.held},
        }

    async def keep_loading(self):
        while True:
            now = round(time.time(), 3)
            for shard in self.shards:
                shard.load(now)
            await asyncio.sleep(LOAD_S)


def iterator(shard, index):
    return f"{shard.id}:{index}:{int(time.time() * 1000)}"


# Faults of GetRecords. Each changes the reply of a shard, (status, body), or the way in which it is sent.


def refused(name, status=400):
    return status, json.dumps({"__type": name, "message": f"{name} by the test"}).encode()


def malformed(body, number):
    """The bodies take turns."""
    return [
        body[: len(body) // 2],
        b"",
        b"null",
        b"{}",
        b"<html>Bad gateway</html>",
        body.replace(b'"Data":"', b'"Data":"*', 1) if b'"Data"' in body else b'{"Records":7}',
        body.replace(b'"SequenceNumber":"', b'"SequenceNumber":"-', 1) if b'"Data"' in body else b'{"Records":[7]}',
    ][number % 7]


def faulty(fault, body, number):
    kind = fault["kind"]
    if kind == "malformed":
        return 200, malformed(body, number)
    if kind == "too-large":  # blanks may stand between the members of an object
        return 200, body[:1] + b" " * fault["bytes"] + body[1:]
    return refused(
        *{
            "expired": ("ExpiredIteratorException",),
            "throttled": ("ProvisionedThroughputExceededException",),
            "error": ("InternalFailure", 500),
        }[kind]
    )


def take_fault(shard):
    """The fault that happens to this read, or None. `every`: to each so many reads; `times`: to so many in all."""
    for fault in shard.faults:
        if shard.reads % fault.get("every", 1) == 0 and fault.get("times", 1) > 0:
            if "times" in fault:
                fault["times"] -= 1
            return fault
    return None


@functools.lru_cache(1)
def date(second):
    return email.utils.formatdate(second, usegmt=True)


class Connection(asyncio.Protocol):
    def __init__(self, stream):
        self.stream, self.buffer, self.is_busy = stream, b"", False
        self.held_by = None

    def connection_made(self, transport):
        self.transport = transport

    def connection_lost(self, _):
        if self.held_by:
            self.held_by.held.discard(self)

    def data_received(self, data):
        self.buffer += data
        while not self.is_busy and self.take_request():
            pass

    def take_request(self):
        """False if the request has not arrived yet."""
        head, found, rest = self.buffer.partition(b"\r\n\r\n")
        if not found:
            return False
        headers = {}
        for line in head.split(b"\r\n")[1:]:
            name, _, value = line.partition(b":")
            headers[name.lower()] = value.strip()
        length = int(headers.get(b"content-length", 0))
        if length > MAX_BODY:
            self.transport.abort()
            return False
        if headers.get(b"expect") == b"100-continue" and not rest:
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if len(rest) < length:
            return False
        self.buffer = rest[length:]
        self.call(headers[b"x-amz-target"].decode().rpartition(".")[2], json.loads(rest[:length] or b"{}"))
        return True

    def call(self, operation, asked):
        self.stream.calls[operation] += 1
        try:
            shard = self.stream.place(asked["ShardIterator"])[0] if operation == "GetRecords" else None
            answer = getattr(self.stream, operation)(asked)
            status, body = 200, answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        except Refused as why:
            return self.answer(400, json.dumps({"__type": why.name, "message": why.message}).encode())
        if shard:
            return self.answer_read(shard, body)
        return self.answer(status, body)

    def answer_read(self, shard, body):
        shard.reads += 1
        fault = take_fault(shard)
        if not fault:
            self.answer(200, body)
        elif fault["kind"] == "hang":
            self.is_busy, self.held_by = True, shard
            shard.held.add(self)
        elif fault["kind"] == "slow":
            self.is_busy, self.held_by = True, shard
            shard.held.add(self)
            asyncio.get_running_loop().create_task(self.trickle(self.head(200, body) + body, fault["bytes_per_s"]))
        else:
            self.answer(*faulty(fault, body, shard.reads))

    async def trickle(self, data, bytes_per_s):
        step = max(1, int(bytes_per_s * SLICE_S))
        for start in range(0, len(data), step):
            if self.transport.is_closing():
                return
            self.transport.write(data[start : start + step])
            if start + step < len(data):
                await asyncio.sleep(SLICE_S)
        self.held_by.held.discard(self)
        self.is_busy = False
        self.data_received(b"")

    @staticmethod
    def head(status, body):
        lines = [
            f"HTTP/1.1 {status} X",
            f"Date: {date(int(time.time()))}",
            "Content-Type: application/x-amz-json-1.1",
            f"Content-Length: {len(body)}",
        ]
        return "\r\n".join([*lines, "", ""]).encode()

    def answer(self, status, body):
        self.transport.write(self.head(status, body) + body)


def parse_arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--name", required=True)
    parser.add_argument("--shards", type=int, required=True)
    parser.add_argument("--certificate", nargs=2, metavar=("CERTIFICATE", "KEY"))
    return parser.parse_args()


async def serve(options):
    stream, tls = Stream(options.name, options.shards), None
    if options.certificate:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(*options.certificate)
    server = await asyncio.get_running_loop().create_server(
        lambda: Connection(stream), "127.0.0.1", 0, ssl=tls, backlog=4096
    )
    print(server.sockets[0].getsockname()[1])
    sys.stdout.flush()
    await stream.keep_loading()


if __name__ == "__main__":
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    asyncio.run(serve(parse_arguments()))
