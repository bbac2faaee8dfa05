"""A store that throttles writes gets fewer, larger batches, until they fit; and the usual ones again when it does not."""

import json
import threading
import time

import cloud
import proxy
import wait
import workload
from model import fold
from pairs import KinesisDynamodb, assert_equal_to_model

THROTTLE = json.dumps(
    {
        "__type": "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException",
        "message": "The level of configured provisioned throughput for the table was exceeded.",
    }
).encode()
BATCH_SIZE = 20
EVENTS, WRITES_A_SECOND = 3000, 50


class Limiter:
    """Lets so many writes of the scores through in a second, in all; the others are throttled."""

    def __init__(self, through, a_second):
        self.a_second = a_second
        self.lock = threading.Lock()
        self.tokens, self.filled_at = a_second, time.monotonic()
        self.passed = self.throttled = 0
        through.on_request = self.on_request

    def on_request(self, request):
        if request.operation != "UpdateItem" or not request.json()["TableName"].endswith("-Scores"):
            return None
        with self.lock:
            now = time.monotonic()
            self.tokens = min(self.a_second, self.tokens + (now - self.filled_at) * self.a_second)
            self.filled_at = now
            if self.tokens < 1:
                self.throttled += 1
                return 400, THROTTLE
            self.tokens -= 1
            self.passed += 1
            return None


def window(daemon):
    """Over all shards."""
    return daemon.metric("winner_view_batch_window_seconds")


def test_throttled_score_writes_widen_the_batch_window_and_accepted_ones_narrow_it(aws, tables, stream, start):
    cloud.put(aws.kinesis, stream, workload.generate(seed=41, events=EVENTS, odd=0))
    with proxy.Proxy(aws.emulators.dynamodb_url) as through:
        limiter = Limiter(through, WRITES_A_SECOND)
        daemon = start(
            tables, stream, "--batch-size", str(BATCH_SIZE), environment={"AWS_ENDPOINT_URL_DYNAMODB": through.url}
        )
        wait.until(lambda: window(daemon) > 0, "a wider window", 60)
        daemon.wait_until_applied()
        assert limiter.throttled
        records, batches = daemon.metric("winner_view_records_total"), daemon.metric("winner_view_batches_total")
        assert records / batches > 2 * BATCH_SIZE
        assert daemon.metric("winner_view_dead_letters_total") == 0

        through.on_request = None
        widest = window(daemon)
        wait.until(lambda: window(daemon) <= widest / 4, "a narrower window", 60)
        cloud.put(aws.kinesis, stream, workload.generate(seed=42, events=300, odd=0))
        daemon.wait_until_applied()
        expected = fold(cloud.read_stream(aws.kinesis, stream))
        assert_equal_to_model(KinesisDynamodb(aws, tables, stream), expected, daemon.dead_letters())
