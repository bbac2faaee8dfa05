"""Dead letters reach the queue, or the log if it refuses them: none is missing, none is extra."""

import base64
import hashlib
import itertools
import json

import model
import pytest
import sigv4
import sqs
import wait
import workload
from model import fold
from pairs import assert_equal_to_model

CREDENTIALS = {
    "AWS_REGION": "us-east-1",
    **sigv4.CREDENTIALS,
    "AWS_CONFIG_FILE": "/dev/null",
    "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
}


@pytest.fixture
def queue():
    with sqs.Queue() as queue:
        yield queue


@pytest.fixture
def start_with(queue, start_on):
    """Starts a service on a pair with that queue for its dead letters."""

    def start(pair, *options, **more):
        environment = {**CREDENTIALS, **queue.environment}
        return start_on(pair, "--dead-letter", f"sqs:{queue.url}", *options, environment=environment, **more)

    return start


def logged_letters(daemon):
    lines = [json.loads(line) for line in daemon.log().splitlines() if line.startswith("{")]
    return [line for line in lines if line["msg"] == "dead letter"]


def keys(letters):
    return {(one["shard"], one["sequenceNumber"], one["reason"]) for one in letters}


def trouble(daemon, name):
    return next((one for one in daemon.health()["troubles"] if one["name"] == name), None)


def broken(count, first=0):
    """Records that are not events, all different."""
    return [workload.Put(f"p{n}", f"broken {n}".encode(), "") for n in range(first, first + count)]


def test_all_dead_letters_arrive_signed_and_complete(pair, queue, start_with):
    pair.put(workload.generate(seed=21, events=1500))
    daemon = start_with(pair)
    daemon.wait_until_applied()
    records = pair.records()
    assert_equal_to_model(pair, fold(records), queue.keys())

    data = {(record.shard, str(record.sequence)): record.data for record in records}
    letters = queue.letters()
    assert len(letters) == len(keys(letters))  # nothing failed: no letter arrived twice
    for letter in letters:
        whole = data[letter["shard"], letter["sequenceNumber"]]
        assert base64.b64decode(letter["data"], validate=True) == whole
        assert (letter["length"], letter["truncated"]) == (len(whole), False)
        assert letter["sha256"] == hashlib.sha256(whole).hexdigest()
        assert letter["subSequenceNumber"] == 0 and letter["detail"] and model.epoch_ms(letter["time"])
    for request in queue.requests:
        key, _, region, service, signed, signature = sigv4.parts(request)
        assert (key, region, service) == (sigv4.KEY, "us-east-1", "sqs")
        assert sigv4.MUST_BE_SIGNED <= set(signed.split(";"))
        assert signature == sigv4.recomputed(request)
    written = daemon.metric("winner_view_dead_letter_writes_total", target="sqs", result="written")
    assert written == len(letters)


def test_no_dead_letter_is_lost_through_throttles_errors_and_lost_answers(pair, queue, start_with):
    no_answers = [(200, body) for body in (b"", b"null", b"[]", b"{}", b"<html>Sign in</html>")]
    failures = [sqs.error("RequestThrottled", status=403), (500, b"{}"), sqs.LOST, (503, b""), *no_answers]
    outcomes = itertools.cycle(outcome for failure in failures for outcome in (None, failure))
    queue.refuse = lambda body: next(outcomes)
    pair.put(workload.generate(seed=22, events=800))
    daemon = start_with(pair)
    daemon.wait_until_applied()
    assert_equal_to_model(pair, fold(pair.records()), queue.keys())
    assert logged_letters(daemon) == []


def test_a_queue_that_is_down_stops_the_shard_and_is_a_trouble(embedded, queue, start_with):
    queue.refuse = lambda body: (500, b"{}")
    embedded.put(broken(3))
    daemon = start_with(embedded)
    found = wait.until(lambda: trouble(daemon, "shard shardId-000000000000"), "a trouble")
    assert "cannot send dead letters" in found["reason"] and model.epoch_ms(found["since"])
    assert daemon.metric("winner_view_shard_waits_total", cause="dead_letter") > 0
    assert daemon.metric("winner_view_shard_waiting_since_timestamp_seconds") > 1e9
    assert embedded.leases()["shardId-000000000000"]["checkpoint"] == "TRIM_HORIZON"
    queue.refuse = None
    daemon.wait_until_applied()
    assert queue.keys() == fold(embedded.records()).dead_letters
    assert trouble(daemon, "shard shardId-000000000000") is None
    assert daemon.metric("winner_view_shard_waiting_since_timestamp_seconds") == 0
    assert logged_letters(daemon) == []


@pytest.mark.parametrize("refusal", ["AccessDeniedException", "QueueDoesNotExist"])
def test_dead_letters_go_to_the_log_while_the_queue_refuses_them(embedded, queue, start_with, refusal):
    queue.refuse = lambda body: sqs.error(refusal, status=403 if "Access" in refusal else 400)
    embedded.put(broken(30))
    daemon = start_with(embedded)
    daemon.wait_until_applied()  # the shard does not wait
    found = trouble(daemon, "dead-letter")
    assert refusal in found["reason"] and queue.url in found["reason"]
    refusing = "winner_view_dead_letter_target_refusing_since_timestamp_seconds"
    assert daemon.metric(refusing, target="sqs") > 1e9
    assert keys(logged_letters(daemon)) == fold(embedded.records()).dead_letters
    one = logged_letters(daemon)[0]
    assert base64.b64decode(one["data"]) == b"broken 0" and one["truncated"] == "false"
    assert one["sha256"] == hashlib.sha256(b"broken 0").hexdigest() and one["length"] == "8"

    queue.refuse = None
    numbers = itertools.count(30)

    def arrives():
        embedded.put(broken(1, next(numbers)))
        return queue.messages

    wait.until(arrives, "a letter in the mended queue", every_s=0.2)
    daemon.wait_until_applied()
    assert trouble(daemon, "dead-letter") is None and daemon.metric(refusing, target="sqs") == 0
    expected = fold(embedded.records()).dead_letters
    assert keys(logged_letters(daemon)) | queue.keys() == expected
    assert len(logged_letters(daemon)) + len(queue.letters()) == len(expected)


def test_data_too_large_for_a_message_is_cut_and_its_hash_covers_the_whole(embedded, queue, start_with):
    whole = bytes(n % 251 for n in range(1_000_000)).replace(b"\n", b"-")
    embedded.append(whole + b"\n")
    start_with(embedded).wait_until_applied()
    (letter,) = queue.letters()
    kept = base64.b64decode(letter["data"])
    assert whole.startswith(kept) and len(kept) > 190_000
    assert letter["truncated"] and letter["length"] == len(whole)
    assert letter["sha256"] == hashlib.sha256(whole).hexdigest()
