"""A store that throttles writes gets fewer and larger batches; when it accepts writes again the batch window
narrows."""

import threading
import time

import aws_behaviour
import cloud
import pytest
import wait
import workload
from model import fold
from pairs import KinesisDynamodb, assert_equal_to_model

BATCH_SIZE = 20
EVENTS, WRITES_A_SECOND = 3000, 50


class Limiter:
    """Forwards at most `per_second` score writes per second and throttles the others."""

    def __init__(self, dynamodb, per_second):
        self.per_second = per_second
        self.lock = threading.Lock()
        self.tokens, self.filled_at = per_second, time.monotonic()
        self.passed = self.throttled = 0
        dynamodb.on_request = self.on_request

    def on_request(self, request):
        if request.operation != "UpdateItem" or not request.json()["TableName"].endswith("-Scores"):
            return None
        with self.lock:
            now = time.monotonic()
            self.tokens = min(self.per_second, self.tokens + (now - self.filled_at) * self.per_second)
            self.filled_at = now
            if self.tokens < 1:
                self.throttled += 1
                return aws_behaviour.refusal(request, "ProvisionedThroughputExceededException", "Throttled.")
            self.tokens -= 1
            self.passed += 1
            return None


def window(daemon):
    """The sum over all shards."""
    return daemon.metric("winner_view_batch_window_seconds")


@pytest.mark.all
def test_throttled_score_writes_widen_the_batch_window_and_accepted_ones_narrow_it(aws, tables, stream, start_through, proxies):
    cloud.put(aws.kinesis, stream, workload.generate(seed=41, events=EVENTS, odd=0))
    limiter = Limiter(proxies.dynamodb, WRITES_A_SECOND)
    daemon = start_through(tables, stream, "--batch-size", str(BATCH_SIZE))
    wait.until(lambda: window(daemon) > 0, "a wider window", 60)
    daemon.wait_until_applied()
    assert limiter.throttled
    records, batches = daemon.metric("winner_view_records_total"), daemon.metric("winner_view_batches_total")
    assert records / batches > 2 * BATCH_SIZE
    assert daemon.metric("winner_view_dead_letters_total") == 0

    proxies.dynamodb.on_request = None
    widest = window(daemon)
    wait.until(lambda: window(daemon) <= widest / 4, "a narrower window", 60)
    cloud.put(aws.kinesis, stream, workload.generate(seed=42, events=300, odd=0))
    daemon.wait_until_applied()
    expected = fold(cloud.read_stream(aws.kinesis, stream))
    assert_equal_to_model(KinesisDynamodb(aws, tables, stream), expected, daemon.dead_letters())
