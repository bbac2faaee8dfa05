#!/usr/bin/python3
"""Peak resident memory of a backlog of large records: 8 shards, each with some replies of GetRecords as large as
they get (8 MB of records of 50 KB), into SQLite.

    tests/bench/inflight_memory.py [BINARY...]

The stream is a fake with prepared replies: kinesis-local needs seconds for each of that size.
"""

import base64
import http.server
import json
import os
import pathlib
import sys
import tempfile
import threading
import time

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / "support"), str(TESTS / "model")]
import model  # noqa: E402
import program  # noqa: E402
from daemon import Daemon  # noqa: E402

SHARDS, REPLIES, RECORDS, RECORD_BYTES = 8, 3, 160, 50_000
PATIENCE_S = 120
LAST_HASH_KEY = (1 << 128) - 1


def event(product):
    data = {"schema": model.PURCHASE, "id": product}
    envelope = {"schema": model.INGRESS, "origin": "web/x/y/z", "timeOrigin": "2026-11-23T10:00:00Z", "data": data}
    return json.dumps({**envelope, "followsFrom": "x" * (RECORD_BYTES - 250)}).encode()


def reply(shard, number):
    encoded = base64.b64encode(event(f"product-{shard}")).decode()
    records = [
        {
            "SequenceNumber": str(10**55 + number * RECORDS + i),
            "PartitionKey": f"product-{shard}",
            "ApproximateArrivalTimestamp": 1.7e9,
            "Data": encoded,
        }
        for i in range(RECORDS)
    ]
    lag = 0 if number == REPLIES - 1 else 3_600_000
    rest = {"NextShardIterator": f"{shard}:{number + 1}", "MillisBehindLatest": lag}
    return json.dumps({"Records": records, **rest}).encode()


class Stream(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    replies = {}

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        answer = getattr(self, self.headers["X-Amz-Target"].rpartition(".")[2])(body)
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def DescribeStreamSummary(self, _):
        summary = {"StreamARN": "arn:aws:kinesis:us-east-1:1:stream/big", "StreamCreationTimestamp": 1.0}
        return json.dumps({"StreamDescriptionSummary": {**summary, "RetentionPeriodHours": 24}}).encode()

    def ListShards(self, _):
        range_ = {"StartingHashKey": "0", "EndingHashKey": str(LAST_HASH_KEY)}
        shards = [{"ShardId": f"shardId-{n:012}", "HashKeyRange": range_} for n in range(SHARDS)]
        return json.dumps({"Shards": shards}).encode()

    def GetShardIterator(self, body):
        return json.dumps({"ShardIterator": f"{int(body['ShardId'][-12:])}:0"}).encode()

    def GetRecords(self, body):
        shard, number = map(int, body["ShardIterator"].split(":"))
        empty = {"Records": [], "NextShardIterator": body["ShardIterator"], "MillisBehindLatest": 0}
        return self.replies.get((shard, number)) or json.dumps(empty).encode()

    def log_message(self, *_):
        pass


def measure(binary, environment):
    os.environ["WINNER_VIEW_BINARY"] = binary
    wanted = SHARDS * REPLIES * RECORDS
    with tempfile.TemporaryDirectory() as folder:
        options = ["--source", "kinesis:big", "--store", f"sqlite:{folder}/v.db", "--drain-seconds", "0"]
        begin, held = time.monotonic(), 0
        with Daemon(options, environment) as daemon:
            while daemon.metric("winner_view_events_total", result="applied") < wanted:
                held = max(held, daemon.metric("winner_view_inflight_bytes"))
                assert time.monotonic() < begin + PATIENCE_S, daemon.log()[-3000:]
                time.sleep(0.01)
            status = pathlib.Path(f"/proc/{daemon.process.pid}/status").read_text()
            peak = int(status.partition("VmHWM:")[2].split()[0]) / 1024
            print(
                f"{binary}: {wanted * RECORD_BYTES / 1e6:.0f} MB in {time.monotonic() - begin:.1f} s, "
                f"peak resident {peak:.0f} MiB, held of the budget (as seen) {held / 2**20:.0f} MiB"
            )


def main():
    Stream.replies = {(s, n): reply(s, n) for s in range(SHARDS) for n in range(REPLIES)}
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Stream)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    environment = {
        "AWS_ENDPOINT_URL_KINESIS": f"http://127.0.0.1:{server.server_address[1]}",
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "AKIDWINNERVIEWTEST",
        "AWS_SECRET_ACCESS_KEY": "not-a-secret",
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    }
    for binary in sys.argv[1:] or [program.binary()]:
        measure(binary, environment)
    server.shutdown()


if __name__ == "__main__":
    main()
