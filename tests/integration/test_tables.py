"""create-tables, and the source that a store belongs to."""

import cloud
import program
import pytest
import wait
import workload

KEYS = {
    "Contributions": {"productId": "HASH"},
    "Scores": {"userId": "HASH", "role": "RANGE"},
    "Leases": {"leaseKey": "HASH"},
}


def describe(aws, stage, table):
    return aws.dynamodb.describe_table(TableName=f"{stage}-{table}")["Table"]


def key_schema(description):
    return {key["AttributeName"]: key["KeyType"] for key in description["KeySchema"]}


def test_create_tables_makes_the_documented_tables(aws, tables):
    for table, keys in KEYS.items():
        description = describe(aws, tables, table)
        assert description["TableStatus"] == "ACTIVE"
        assert key_schema(description) == keys
        assert description["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
        types = {a["AttributeName"]: a["AttributeType"] for a in description["AttributeDefinitions"]}
        assert types == {**dict.fromkeys(keys, "S"), **({"score": "N"} if table == "Scores" else {})}
        assert ("GlobalSecondaryIndexes" in description) == (table == "Scores")


def test_scores_by_role_is_an_index_from_role_to_score_with_user_and_time(aws, tables):
    (index,) = describe(aws, tables, "Scores")["GlobalSecondaryIndexes"]
    assert index["IndexName"] == "ScoresByRole"
    assert key_schema(index) == {"role": "HASH", "score": "RANGE"}
    assert index["Projection"]["ProjectionType"] == "INCLUDE"
    # userId is a key of the table: every index has it, whether it is named or not
    assert set(index["Projection"]["NonKeyAttributes"]) | {"userId"} == {"userId", "updated"}


def test_create_tables_twice_changes_nothing(aws, tables):
    before = {table: describe(aws, tables, table)["CreationDateTime"] for table in KEYS}
    program.create_tables(f"dynamodb:{tables}", aws.environment)
    assert before == {table: describe(aws, tables, table)["CreationDateTime"] for table in KEYS}


def test_create_tables_makes_the_one_that_is_missing(aws, tables):
    aws.dynamodb.delete_table(TableName=f"{tables}-Scores")
    program.create_tables(f"dynamodb:{tables}", aws.environment)
    assert describe(aws, tables, "Scores")["TableStatus"] == "ACTIVE"


def test_each_table_can_have_a_name_of_its_own(aws, stage):
    named = {option: f"{stage}.{option}" for option in ("contributions", "scores", "leases")}
    options = [word for option, name in named.items() for word in (f"--{option}-table", name)]
    done = program.run("create-tables", "--store", f"dynamodb:{stage}", *options, environment=aws.environment)
    assert done.returncode == 0, done.stderr
    assert key_schema(aws.dynamodb.describe_table(TableName=f"{stage}.scores")["Table"]) == KEYS["Scores"]
    with pytest.raises(aws.dynamodb.exceptions.ResourceNotFoundException):
        describe(aws, stage, "Scores")


def refused(daemon):
    """The stderr of a service that must not start."""
    daemon.start(ready=False)
    assert daemon.process.wait(20) == 2, daemon.log()
    program.check_sanitizers(daemon.log())
    return daemon.log()


def test_a_store_of_another_stream_is_refused_and_both_are_named(aws, tables, stream, start, make_daemon):
    daemon = start(tables, stream)
    daemon.wait_until_applied()
    daemon.terminate()
    other = cloud.create_stream(aws.kinesis, stream + "-other")
    message = refused(make_daemon(tables, other))
    assert f"stream/{other}" in message and f"stream/{stream}" in message.replace(f"stream/{other}", "")
    assert "stage" in message


def test_a_stream_deleted_and_created_again_is_another_stream(aws, tables, stream, start, make_daemon):
    cloud.put(aws.kinesis, stream, workload.generate(seed=2, events=50))
    daemon = start(tables, stream)
    daemon.wait_until_applied()
    daemon.terminate()
    rows = cloud.contributions(aws.dynamodb, tables)
    cloud.delete_stream(aws.kinesis, stream)
    cloud.create_stream(aws.kinesis, stream)
    assert stream in refused(make_daemon(tables, stream))
    assert cloud.contributions(aws.dynamodb, tables) == rows
