"""A 200 whose body is not what the call promises, for every call of DynamoDB and Kinesis: nothing is taken from it, not even
that a row is absent, and a write counts as one without an answer."""

import collections
import itertools
import threading
import urllib.parse

import cloud
import faults
import program
import workload
from pairs import KinesisDynamodb

PARTS, PART = 3, 120
MOST = 18  # of one operation in a part
OPERATIONS = (
    "GetItem", "BatchGetItem", "Scan", "Query", "UpdateItem", "PutItem", "DescribeTable", "CreateTable",
    "DescribeStreamSummary", "ListShards", "GetShardIterator", "GetRecords",
)  # fmt: skip


class NoAnswers:
    """A layer: of four calls of an operation three get such a body, each body in its turn, until it is MOST. Every other one
    of these writes has taken effect."""

    def __init__(self):
        self.lock = threading.Lock()
        self.calls = collections.Counter()  # since renew()
        self.turns = {name: itertools.cycle(faults.no_answers(name)) for name in OPERATIONS}
        self.happened = collections.Counter()

    def renew(self):
        self.calls.clear()

    def draw(self, operation):
        """The number of the call, and the name of its body or None."""
        with self.lock:
            self.calls[operation] += 1
            number = self.calls[operation]
            if operation not in self.turns or number % 4 == 0 or number > MOST:
                return number, None
            name = next(self.turns[operation])
            self.happened[operation, name] += 1
            return number, name

    def __call__(self, request, proceed):
        number, name = self.draw(request.operation)
        if not name:
            return proceed(request)
        is_lost = request.operation in {*faults.WRITES, "CreateTable"} and number % 2
        return faults.no_answer(faults.refusal(request, "", "", 200) if is_lost else proceed(request), name)


def check_answers(daemon, rows, board):
    """Of products that are in the store, and of a board that had so many rows: right, or that the store does not answer."""
    for n, row in enumerate(rows):
        answer = daemon.get("/contributions/" + urllib.parse.quote(row["productId"], safe=""))
        assert answer.status in (200, 503), answer.body
        answer = daemon.get(f"/scores/merchant?limit={100 - n}")
        assert answer.status == 503 or len(answer.json()["items"]) >= min(board, 100 - n), answer.body


def test_a_success_without_what_it_promises_is_no_answer(aws, proxies, stage, stream, start_through):
    """Each part of the events has a process, and so a tenure, of its own: it reads the rows of those before it."""
    events = workload.generate(seed=61, events=PARTS * PART)
    pair, layer, rows, board = KinesisDynamodb(aws, stage, stream), NoAnswers(), [], 0
    proxies.dynamodb.layers = proxies.kinesis.layers = [layer]
    program.create_tables(f"dynamodb:{stage}", proxies.environment)
    for part in range(PARTS):
        layer.renew()
        cloud.put(aws.kinesis, stream, events[part * PART : (part + 1) * PART])
        daemon = start_through(stage, stream, "--batch-size", "20", "--failover-ms", "3000", "--cache-ttl-ms", "1")
        check_answers(daemon, rows, board)
        daemon.wait_until_applied(60)
        proxies.assert_exact(stage, stream, daemon)
        assert daemon.metric("winner_view_aws_errors_total", error="MalformedReply") > 0
        rows = pair.contributions()[:20]
        board = len(daemon.get("/scores/merchant?limit=100").json()["items"])
        assert daemon.terminate()[0] == 0
    expected = {(operation, name) for operation in OPERATIONS for name in faults.no_answers(operation)}
    assert not expected - set(layer.happened), expected - set(layer.happened)
