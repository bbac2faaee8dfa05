"""The faults (faults.py) and AWS's behaviour (aws_behaviour.py) in front of a fake emulator: each has its documented
effect, and the same seed repeats it."""

import base64
import datetime
import email.utils
import http.client
import itertools
import json
import threading
import time

import aws_behaviour
import fake_emulator
import faults
import proxy
import pytest
import wait

NO_ANSWER = (OSError, http.client.HTTPException)
UPDATE, GET_RECORDS, QUERY = (
    "DynamoDB_20120810.UpdateItem",
    "Kinesis_20131202.GetRecords",
    "DynamoDB_20120810.Query",
)
GET_ITERATOR, BATCH_GET = "Kinesis_20131202.GetShardIterator", "DynamoDB_20120810.BatchGetItem"
ALWAYS = 1.0


class Stream:
    """Answers as Kinesis: iterators "<shard>/<n>"."""

    def __init__(self):
        self.numbers = itertools.count()
        self.records = []

    def __call__(self, target, content):
        if target == GET_ITERATOR:
            return {"ShardIterator": f"{content['ShardId']}/{next(self.numbers)}"}
        shard = content["ShardIterator"].partition("/")[0]
        return {
            "Records": self.records,
            "NextShardIterator": f"{shard}/{next(self.numbers)}",
            "MillisBehindLatest": 0,
        }


def row(name):
    return {"TableName": "t-Scores", "Key": {"userId": {"S": name}}}


def outcomes(seed, order):
    """{row: the outcome of each of its calls: a status, or None for a reset}"""
    with fake_emulator.FakeEmulator() as behind, proxy.Proxy(behind.url) as through:
        through.layers = [faults.Faults(seed, [faults.Throttle(0.2), faults.ResetBefore(0.2)])]
        client, seen = fake_emulator.Client(through.port), {}
        for name in order:
            try:
                outcome = client.call(UPDATE, row(name))[0]
            except NO_ANSWER:
                outcome = None
            seen.setdefault(name, []).append(outcome)
        client.close()
    return seen


def test_a_seed_repeats_its_faults_however_the_calls_interleave():
    one_by_one = outcomes(5, ["a"] * 30 + ["b"] * 30)
    assert one_by_one == outcomes(5, ["a", "b"] * 30)
    assert one_by_one != outcomes(6, ["a", "b"] * 30)
    assert {200, 400, None} == set(one_by_one["a"] + one_by_one["b"])


def test_faults_can_be_turned_off_and_are_counted(through, client):
    drawn = faults.Faults(1, [faults.Throttle(ALWAYS)])
    through.layers = [drawn]
    assert client.call(UPDATE, row("a"))[0] == 400
    drawn.off()
    assert client.call(UPDATE, row("a"))[0] == 200
    assert "seed 1" in str(drawn) and "Throttle(1.000): 1" in str(drawn)


@pytest.mark.parametrize("kind", faults.EVERY_KIND)
def test_every_kind_happens_to_about_its_share_of_the_calls(kind):
    fault = kind(0.25)
    request = proxy.Request("POST / HTTP/1.1", [("X-Amz-Target", "DynamoDB_20120810.UpdateItem")], b"{}")
    request.headers.set("X-Amz-Target", f"DynamoDB_20120810.{next(iter(fault.operations or ['UpdateItem']))}")
    if "GetRecords" in (fault.operations or ()):
        request.body = b'{"ShardIterator": "x"}'
    drawn = faults.Faults(3, [fault])
    assert 60 < sum(drawn.draw(fault, request) is not None for _ in range(400)) < 140


def test_throttles_have_all_error_names_and_reason_keys(through, client):
    through.layers = [faults.Faults(1, [faults.Throttle(ALWAYS)])]
    replies = [client.call(UPDATE, row("a")) for _ in range(40)]
    assert {status for status, _, _ in replies} == {400}
    names = {content["__type"].partition("#")[2] for _, content, _ in replies}
    assert names == {"ProvisionedThroughputExceededException", "ThrottlingException"}
    reasons = {key for _, content, _ in replies for key in content if key.lower() == "throttlingreasons"}
    assert reasons == {"ThrottlingReasons", "throttlingReasons"}
    kinesis = {client.call(GET_ITERATOR, {"ShardId": "s"})[1]["__type"] for _ in range(5)}
    assert kinesis == {"ProvisionedThroughputExceededException"}


@pytest.mark.parametrize("kind, arrives", [(faults.ResetBefore, 0), (faults.LostAnswer, 1)])
def test_a_reset_happens_before_or_after_the_call_takes_effect(behind, through, client, kind, arrives):
    through.layers = [faults.Faults(1, [kind(ALWAYS)])]
    with pytest.raises(ConnectionResetError):
        client.call(UPDATE, row("a"))
    assert len(behind.arrived) == arrives


def test_a_server_error_of_a_write_may_have_taken_effect(behind, through, client):
    through.layers = [faults.Faults(1, [faults.ServerError(ALWAYS)])]
    statuses = {client.call(UPDATE, row("a"))[0] for _ in range(40)}
    assert statuses == {500, 503} and 0 < len(behind.arrived) < 40


def test_a_delayed_write_takes_effect_after_later_ones(behind, through, client):
    drawn = faults.Faults(1, [faults.LateWrite(ALWAYS, up_to_s=0.2)])
    through.layers = [drawn]
    with pytest.raises(ConnectionResetError):
        client.call(UPDATE, row("first"))
    drawn.off()
    client.call(UPDATE, row("second"))
    drawn.settle()
    assert [content["Key"]["userId"]["S"] for _, content in behind.arrived] == ["second", "first"]


def test_an_answers_body_is_cut(behind, through, client):
    through.layers = [faults.Faults(1, [faults.CutBody(ALWAYS)])]
    with pytest.raises(http.client.IncompleteRead):
        client.call(UPDATE, row("a"))
    assert len(behind.arrived) == 1


def test_a_success_whose_body_is_no_answer_may_have_taken_effect(behind, through, client):
    behind.answer = lambda *_: {"Items": [{"n": {"N": "1"}}], "Count": 1}
    through.layers = [faults.Faults(1, [faults.NoAnswer(ALWAYS)])]
    replies = [client.call(UPDATE, row("a")) for _ in range(40)]
    assert {status for status, _, _ in replies} == {200} and 0 < len(behind.arrived) < 40
    assert not any("x-amz-crc32" in headers or isinstance(content, dict) for _, content, headers in replies)
    bodies = [client.call(QUERY, row("a"))[1] for _ in range(60)]
    assert {b"", b"null", b"[]", b'"x"'} < {body for body in bodies if isinstance(body, bytes)}
    for broken in ({}, {"Items": "x", "Count": []}, {"Items": [7], "Count": 1}):
        assert broken in bodies


def test_numbers_change_and_the_checksum_does_not(behind, through, client):
    behind.answer = lambda *_: {"Item": {"score": {"N": "42"}}}
    through.layers = [faults.Faults(1, [faults.WrongChecksum(ALWAYS)])]
    _, content, headers = client.call(UPDATE, row("a"))
    assert headers["x-amz-crc32"] == "1234" and content["Item"]["score"]["N"] not in ("42", "")


def test_keys_left_unprocessed_are_named_and_the_others_are_answered(behind, through, client):
    behind.answer = lambda target, content: {"Responses": {"t": content["RequestItems"]["t"]["Keys"]}}
    through.layers = [faults.Faults(1, [faults.UnprocessedKeys(ALWAYS)])]
    keys = [{"k": {"S": str(n)}} for n in range(5)]
    counts = set()
    for _ in range(20):
        _, content, _ = client.call(
            BATCH_GET, {"RequestItems": {"t": {"Keys": keys, "ConsistentRead": True}}}
        )
        now, later = content["Responses"].get("t", []), content["UnprocessedKeys"]["t"]
        assert now + later["Keys"] == keys and later["ConsistentRead"]
        counts.add(len(now))
    assert counts == {0, 1, 2, 3, 4}


def test_a_mixture_and_a_script_of_outages_are_drawn_by_their_seed():
    assert str(faults.mixture(4)) == str(faults.mixture(4)) != str(faults.mixture(5))
    script = faults.outages(4, during_s=60, up_to_s=5)
    assert script == faults.outages(4, during_s=60, up_to_s=5)
    assert all(begin + seconds <= later for (begin, seconds, _), (later, _, _) in itertools.pairwise(script))


def test_a_script_of_outages_is_played_and_can_be_ended_early(through, client):
    stopped = threading.Event()
    player = threading.Thread(target=faults.play, args=([(0, 60, "refusing")], through, stopped))
    player.start()
    deadline = time.monotonic() + 5
    with pytest.raises(ConnectionError):
        while time.monotonic() < deadline:
            client.call(UPDATE, row("a"))
    stopped.set()
    player.join(5)
    assert not player.is_alive() and client.call(UPDATE, row("a"))[0] == 200


# The behaviour of AWS (aws_behaviour.py).


@pytest.fixture
def readers(behind, through):
    behind.answer = Stream()
    made = aws_behaviour.Readers()
    through.layers = [made]
    return made


def iterator_of(client, shard):
    return client.call(GET_ITERATOR, {"ShardId": shard})[1]["ShardIterator"]


def read(client, iterator):
    return client.call(GET_RECORDS, {"ShardIterator": iterator})


def test_readers_record_the_shard_of_every_iterator_and_the_gaps_between_reads(client, readers):
    for shard in ("a", "b"):
        iterator = iterator_of(client, shard)
        for _ in range(3):
            iterator = read(client, iterator)[1]["NextShardIterator"]
    assert {shard: len(times) for shard, times in readers.reads.items()} == {"a": 3, "b": 3}


def test_a_shard_is_unread_while_no_read_of_it_is_under_way():
    readers, now = aws_behaviour.Readers(), time.monotonic()
    readers.reads["a"] = [(now - 9, now - 8.9), (now - 5, now - 2), (now - 4, now - 3), (now - 0.5, now)]
    readers.reads["b"] = [(now - 8, now - 2.5)]
    assert readers.longest_gap() == (pytest.approx(3.9), "a")
    assert readers.longest_gap(since=now - 2) == (pytest.approx(2.5, abs=0.2), "b")
    readers.reads["b"].append((now - 0.1, now))
    assert readers.longest_gap(since=now - 2) == (pytest.approx(2.4), "b")


def test_a_sixth_read_in_a_second_is_refused_and_five_a_second_are_not(readers):
    limits = aws_behaviour.ShardLimits(readers)
    assert [limits.may_read("a", 100.0) for _ in range(6)] == [True] * 5 + [False]
    assert limits.may_read("b", 100.0)
    assert all(limits.may_read("a", 101.0 + n * 0.2) for n in range(100))
    assert not all(limits.may_read("a", 200.0 + n / 6) for n in range(60))
    shared = aws_behaviour.ShardLimits(readers, others=4)
    assert 14 <= sum(shared.may_read("a", 100.0 + n * 0.2) for n in range(50)) <= 16


def test_after_two_megabytes_a_shard_is_refused_for_a_second(behind, client, readers, through):
    limits = aws_behaviour.ShardLimits(readers)
    through.layers.append(limits)
    behind.answer.records = [{"Data": "A" * 2_666_668}]
    iterator = iterator_of(client, "a")
    began = time.monotonic()
    assert read(client, iterator)[0] == 200
    status, content, _ = read(client, iterator)
    assert status == 400 and content["__type"] == "ProvisionedThroughputExceededException"
    assert limits.happened == 1 and not limits.may_read("a", began + 0.8)
    assert limits.may_read("a", time.monotonic() + 1)


def test_an_old_iterator_is_refused_and_a_new_one_is_not(client, readers, through):
    through.layers.append(aws_behaviour.IteratorLife(readers, seconds=0.5))
    iterator = iterator_of(client, "a")
    assert read(client, iterator)[0] == 200
    readers.iterators[iterator] = ("a", time.monotonic() - 0.6)
    status, content, _ = read(client, iterator)
    assert status == 400 and content["__type"] == "ExpiredIteratorException"
    assert read(client, iterator_of(client, "a"))[0] == 200


def test_the_lag_of_a_reply_can_be_set_or_left_out(client, readers, through):
    lag = aws_behaviour.Lag(lambda content, now_ms: 7)
    through.layers.append(lag)
    assert read(client, iterator_of(client, "a"))[1]["MillisBehindLatest"] == 7
    lag.change = lambda content, now_ms: None
    assert "MillisBehindLatest" not in read(client, iterator_of(client, "a"))[1]
    records = [{"ApproximateArrivalTimestamp": 1000.0}]
    assert aws_behaviour.Lag.of_aws({"MillisBehindLatest": 5, "Records": records}, 1_002_500) == 2500
    assert aws_behaviour.Lag.of_aws({"MillisBehindLatest": 0, "Records": records}, 1_002_500) == 0


def test_records_are_padded_and_a_reply_keeps_within_ten_megabytes(behind, client, readers, through):
    through.layers.append(aws_behaviour.Padding(1_000_000))
    behind.answer.records = [{"Data": base64.b64encode(b"{}").decode()}]
    (record,) = read(client, iterator_of(client, "a"))[1]["Records"]
    data = base64.b64decode(record["Data"])
    assert len(data) == 1_000_000 and json.loads(data) == {}
    assert behind.arrived[-1][1]["Limit"] == 10


def test_an_index_is_late_by_its_maximum_and_a_table_never(behind, client, through):
    numbers = itertools.count(1)
    behind.answer = lambda *_: {"n": next(numbers)}
    late = aws_behaviour.LateIndex(seconds=3)
    through.layers = [late]
    boards = [client.call(QUERY, {"IndexName": "ScoresByRole"})[1]["n"] for _ in range(3)]
    assert boards == [1, 1, 1] and late.happened == 2
    assert client.call(QUERY, {})[1]["n"] == 4
    wait.until(lambda: client.call(QUERY, {"IndexName": "ScoresByRole"})[1]["n"] != 1, "the index has the newest row")


def test_a_shifted_server_clock_refuses_other_signing_times_and_dates_its_answers(client, through):
    through.layers = [aws_behaviour.ServerClock(shift_s=3600)]

    def call(off_s):
        at = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=off_s)
        return client.call(UPDATE, row("a"), X_Amz_Date=f"{at:%Y%m%dT%H%M%SZ}")

    status, content, headers = call(0)
    assert status == 400 and content["__type"].endswith("#InvalidSignatureException")
    assert content["message"].startswith("Signature expired")
    ahead = email.utils.parsedate_to_datetime(headers["Date"]) - datetime.datetime.now(datetime.timezone.utc)
    assert 3590 < ahead.total_seconds() < 3610
    assert call(3600)[0] == 200 and call(3400)[0] == 200
    assert call(4000)[1]["message"].startswith("Signature not yet current")
