"""`winner-view deregister` removes the consumer that a view has used, and no other."""

import cloud
import fan_out
import pairs
import program
import pytest
import wait
from iam import Recorder
from pairs import KinesisDynamodb

SOURCE = {"leaseKey": {"S": "winner-view#source"}}


@pytest.fixture
def pushing(proxies):
    found = fan_out.FanOut(creating_s=0)
    proxies.kinesis.layers = [found]
    return found


@pytest.fixture
def consumers(aws, proxies, pushing, stream):
    """The ARNs of two."""
    kinesis = cloud.client("kinesis", proxies.environment)
    arn = kinesis.describe_stream_summary(StreamName=stream)["StreamDescriptionSummary"]["StreamARN"]
    register = lambda name: kinesis.register_stream_consumer(StreamARN=arn, ConsumerName=name)["Consumer"]["ConsumerARN"]
    return register("view"), register("another")


@pytest.fixture
def pair(aws, tables, stream):
    """A view that has used the first of them."""
    return pairs.begin(KinesisDynamodb(aws, tables, stream))


def note(pair, arn):
    pair.aws.dynamodb.update_item(
        TableName=f"{pair.name}-Leases", Key=SOURCE, UpdateExpression="SET consumerArn = :a",
        ExpressionAttributeValues={":a": {"S": arn}},
    )  # fmt: skip


def deregister(pair, environment):
    return program.run("deregister", *pair.options[:2], environment=environment)


def test_it_removes_the_consumer_of_the_view_and_no_other(pair, proxies, pushing, consumers):
    note(pair, consumers[0])
    done = deregister(pair, proxies.environment)
    assert done.returncode == 0 and consumers[0] in done.stderr
    pushing.step(1)
    pushing.drop_gone(pushing.now())
    assert list(pushing.consumers) == [consumers[1]]
    assert "consumerArn" not in pair.source_record()


def test_it_succeeds_if_the_consumer_is_gone_already(pair, proxies, pushing, consumers):
    note(pair, consumers[0])
    pushing.forget()
    assert deregister(pair, proxies.environment).returncode == 0
    assert "consumerArn" not in pair.source_record()


def test_it_forgets_nothing_before_the_consumer_is_gone(pair, proxies, pushing, consumers):
    note(pair, consumers[0])
    pushing.refuse("DeregisterStreamConsumer", "AccessDeniedException")
    done = deregister(pair, proxies.environment)
    assert done.returncode == 1 and "AccessDeniedException" in done.stderr
    assert pair.source_record()["consumerArn"] == consumers[0]

    proxies.kinesis.on_request = lambda request: (
        (200, b"<html>Sign in</html>") if request.operation == "DeregisterStreamConsumer" else None
    )
    done = deregister(pair, proxies.environment)
    assert done.returncode == 1 and "ACTIVE" in done.stderr
    assert pair.source_record()["consumerArn"] == consumers[0]


def test_without_a_view_or_a_consumer_it_says_so(pair, stage, proxies, pushing):
    done = deregister(pair, proxies.environment)
    assert done.returncode == 1 and "no consumer" in done.stderr
    assert not any("Deregister" in request.operation for request in proxies.kinesis.requests)


def test_it_makes_no_database(tmp_path):
    path = tmp_path / "nowhere.db"
    done = program.run("deregister", "--store", f"sqlite:{path}")
    assert done.returncode != 0 and str(path) in done.stderr and not path.exists()


def test_it_warns_of_workers_that_still_run(pair, proxies, pushing, consumers, start_on):
    """A worker that is pushed to makes another consumer. Each is reported."""
    daemon = start_on(pair, "--fan-out", "view", environment=proxies.environment)
    wait.until(lambda: pair.source_record().get("consumerArn") == consumers[0], "the consumer is noted")
    wait.until(lambda: all("leaseOwner" in lease for lease in pair.leases().values()), "all leases are held")
    done = deregister(pair, proxies.environment)
    assert done.returncode == 0 and "3 are held" in done.stderr
    wait.until(lambda: pair.source_record().get("consumerArn") not in (None, consumers[0]), "another consumer")
    assert pair.source_record()["consumerArn"] in daemon.log()


def test_it_calls_only_what_deploy_readme_says(pair, aws, pushing, consumers):
    note(pair, consumers[0])
    with Recorder(aws.emulators, [pushing]) as recorder:
        assert deregister(pair, {**aws.environment, **recorder.environment}).returncode == 0
        calls = {(call.service, call.action) for call in recorder.calls()}
    assert calls == {
        ("dynamodb", "GetItem"), ("dynamodb", "Scan"), ("dynamodb", "UpdateItem"),
        ("kinesis", "DeregisterStreamConsumer"), ("kinesis", "DescribeStreamConsumer"),
    }  # fmt: skip
    assert all(call.resource == consumers[0] for call in recorder.calls() if call.service == "kinesis")
