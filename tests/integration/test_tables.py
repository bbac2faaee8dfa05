"""create-tables, and the source that a store belongs to."""

import collections
import os
import subprocess

import aws_behaviour
import cloud
import program
import proxy
import pytest
import workload

INDEXES = {  # {name: (keys, attributes besides keys)}; every index has the keys of its table
    "Contributions": {
        "ProductsByCreator": ({"creator": "HASH", "productId": "RANGE"}, set()),
        "ProductsByPhotographer": ({"photographer": "HASH", "productId": "RANGE"}, set()),
    },
    "Scores": {"ScoresByRole": ({"role": "HASH", "score": "RANGE"}, {"updated"})},
    "Leases": {},
}
MORE_ATTRIBUTES = {
    "Contributions": {"creator": "S", "photographer": "S"},
    "Scores": {"score": "N"},
    "Leases": {},
}


def describe(aws, stage, table):
    return aws.dynamodb.describe_table(TableName=f"{stage}-{table}")["Table"]


def key_schema(description):
    return {key["AttributeName"]: key["KeyType"] for key in description["KeySchema"]}


def indexes(description):
    return {
        index["IndexName"]: (key_schema(index), set(index["Projection"].get("NonKeyAttributes", [])))
        for index in description.get("GlobalSecondaryIndexes", [])
    }


def expiry(aws, stage, table):
    """The attribute of the table's time to live; None if it has none."""
    found = aws.dynamodb.describe_time_to_live(TableName=f"{stage}-{table}")["TimeToLiveDescription"]
    return found.get("AttributeName") if found["TimeToLiveStatus"] in ("ENABLED", "ENABLING") else None


def test_create_tables_makes_the_documented_tables(aws, tables):
    for table, keys in cloud.TABLE_KEYS.items():
        description = describe(aws, tables, table)
        assert description["TableStatus"] == "ACTIVE"
        assert key_schema(description) == keys
        assert description["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
        types = {a["AttributeName"]: a["AttributeType"] for a in description["AttributeDefinitions"]}
        assert types == {**dict.fromkeys(keys, "S"), **MORE_ATTRIBUTES[table]}
        assert indexes(description) == INDEXES[table]
    assert expiry(aws, tables, "Scores") == "expires"


def test_create_tables_with_partitions_makes_the_index_by_board(aws, stage):
    program.create_tables(f"dynamodb:{stage}", aws.environment, "--board-partitions", "4")
    assert indexes(describe(aws, stage, "Scores")) == {
        "ScoresByBoard": ({"board": "HASH", "score": "RANGE"}, {"updated"})
    }


def test_create_tables_makes_the_index_that_the_view_of_the_tables_has(aws, stage, stream, start):
    store = ("create-tables", "--store", f"dynamodb:{stage}")
    assert program.run(*store, "--board-partitions", "4", environment=aws.environment).returncode == 0
    start(stage, stream, "--board-partitions", "4").terminate()
    aws.dynamodb.delete_table(TableName=f"{stage}-Scores")
    assert program.run(*store, environment=aws.environment).returncode == 0
    assert set(indexes(describe(aws, stage, "Scores"))) == {"ScoresByBoard"}
    refused = program.run(*store, "--board-partitions", "2", environment=aws.environment)
    assert refused.returncode == 2 and "4" in refused.stderr and "2" in refused.stderr


def test_create_tables_twice_changes_nothing(aws, tables):
    before = {table: describe(aws, tables, table)["CreationDateTime"] for table in cloud.TABLE_KEYS}
    program.create_tables(f"dynamodb:{tables}", aws.environment)
    assert before == {table: describe(aws, tables, table)["CreationDateTime"] for table in cloud.TABLE_KEYS}


def test_create_tables_makes_the_one_that_is_missing(aws, tables):
    aws.dynamodb.delete_table(TableName=f"{tables}-Scores")
    program.create_tables(f"dynamodb:{tables}", aws.environment)
    assert describe(aws, tables, "Scores")["TableStatus"] == "ACTIVE"


# Tables that are there.


class OneIndexAtATime(aws_behaviour.Layer):
    """DynamoDB makes one index of a table at a time, from the table's rows (Developer Guide, "Managing global secondary
    indexes"): meanwhile it is CREATING, and another is refused. Every other change is refused once because the table is in
    use."""

    LOOKS = 4  # at a new index, until it is ACTIVE

    def __init__(self):
        super().__init__()
        self.new, self.refused = {}, collections.Counter()  # index: looks that are left; reason: times
        self.changes = 0

    def refuse(self, request, name):
        self.refused[name] += 1
        return aws_behaviour.refusal(request, name, "as the test has it")

    def __call__(self, request, proceed):
        if request.operation in ("UpdateTable", "UpdateTimeToLive"):
            self.changes += 1
            if any(self.new.values()):
                return self.refuse(request, "LimitExceededException")
            if self.changes % 2:
                return self.refuse(request, "ResourceInUseException")
        reply = proceed(request)
        if request.operation == "UpdateTable" and reply.status == 200:
            (update,) = request.json()["GlobalSecondaryIndexUpdates"]
            self.new[update["Create"]["IndexName"]] = self.LOOKS
        if request.operation == "DescribeTable" and reply.status == 200:
            content = reply.json()
            for index in content["Table"].get("GlobalSecondaryIndexes", []):
                if self.new.get(index["IndexName"]):
                    self.new[index["IndexName"]] -= 1
                    index["IndexStatus"], index["Backfilling"] = "CREATING", True
            reply.set_json(content)
        return reply


@pytest.mark.new_emulators
def test_what_is_missing_of_tables_that_are_there_is_added_one_index_at_a_time(aws, stage):
    cloud.make_bare_tables(aws.dynamodb, stage)
    row = {"productId": {"S": "p"}, "creator": {"S": "Ann"}, "photographer": {"S": "Bo"}}
    aws.dynamodb.put_item(TableName=f"{stage}-Contributions", Item=row)
    with proxy.Proxy(aws.emulators.dynamodb_url) as between:
        layer = OneIndexAtATime()
        between.layers = [layer]
        where = {**aws.environment, "AWS_ENDPOINT_URL_DYNAMODB": between.url}
        done = program.run("create-tables", "--store", f"dynamodb:{stage}", environment=where)
    assert done.returncode == 0, done.stderr
    assert layer.refused["ResourceInUseException"] == 4 and layer.refused["LimitExceededException"] == 0
    for table in cloud.TABLE_KEYS:
        assert indexes(describe(aws, stage, table)) == INDEXES[table]
    assert expiry(aws, stage, "Scores") == "expires"
    for name, key, value in (("ProductsByCreator", "creator", "Ann"), ("ProductsByPhotographer", "photographer", "Bo")):
        assert f"index {name} is CREATING" in done.stderr
        assert found_by(aws, f"{stage}-Contributions", name, key, value) == [{key: row[key], "productId": {"S": "p"}}]


def found_by(aws, table, index, key, value):
    query = {"KeyConditionExpression": "#k = :v", "ExpressionAttributeNames": {"#k": key}}
    return aws.dynamodb.query(
        TableName=table, IndexName=index, ExpressionAttributeValues={":v": {"S": value}}, **query
    )["Items"]


@pytest.mark.new_emulators
def test_an_index_that_another_process_is_making_is_waited_for(aws, stage):
    cloud.make_bare_tables(aws.dynamodb, stage)
    with proxy.Proxy(aws.emulators.dynamodb_url) as between:
        layer = OneIndexAtATime()
        between.layers = [layer]
        where = {**aws.environment, "AWS_ENDPOINT_URL_DYNAMODB": between.url}
        both = [
            subprocess.Popen(
                [program.binary(), "create-tables", "--store", f"dynamodb:{stage}"],
                env={**os.environ, **where}, stderr=subprocess.PIPE, text=True,
            )
            for _ in range(2)
        ]  # fmt: skip
        ended = [(one.communicate(timeout=program.CREATION_S)[1], one.returncode) for one in both]
    assert [status for _, status in ended] == [0, 0], ended
    assert indexes(describe(aws, stage, "Contributions")) == INDEXES["Contributions"]


@pytest.mark.new_emulators
def test_an_index_of_a_table_with_provisioned_throughput_has_as_much(aws, stage):
    throughput = {"ReadCapacityUnits": 7, "WriteCapacityUnits": 5}
    cloud.make_bare_tables(aws.dynamodb, stage, BillingMode="PROVISIONED", ProvisionedThroughput=throughput)
    program.create_tables(f"dynamodb:{stage}", aws.environment)
    for table in cloud.TABLE_KEYS:
        description = describe(aws, stage, table)
        assert indexes(description) == INDEXES[table]
        for index in description.get("GlobalSecondaryIndexes", []):
            assert throughput.items() <= index["ProvisionedThroughput"].items()


def refused_creation(aws, stage):
    """What create-tables says to tables that are not its own."""
    done = program.run("create-tables", "--store", f"dynamodb:{stage}", environment=aws.environment)
    assert done.returncode == 2, done.stderr
    return done.stderr


def add_index(aws, table, name, keys, projection):
    aws.dynamodb.update_table(
        TableName=table,
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": kind} for key, kind in keys],
        GlobalSecondaryIndexUpdates=[{"Create": {
            "IndexName": name,
            "KeySchema": [{"AttributeName": key, "KeyType": role} for (key, _), role in zip(keys, ("HASH", "RANGE"))],
            "Projection": projection,
        }}],
    )  # fmt: skip


KEYS_ONLY = {"ProjectionType": "KEYS_ONLY"}


@pytest.mark.new_emulators
@pytest.mark.parametrize(
    "table, index, keys, said",
    [
        ("Contributions", "ProductsByCreator", [("creator", "S"), ("updated", "N")], "another key"),
        ("Scores", "ScoresByRole", [("role", "S"), ("userId", "S")], "another key"),
        ("Scores", "ScoresByRole", [("role", "S"), ("score", "N")], "without the attribute 'updated'"),
    ],
)
def test_an_index_of_another_form_is_refused_by_its_name(aws, stage, table, index, keys, said):
    cloud.make_bare_tables(aws.dynamodb, stage)
    add_index(aws, f"{stage}-{table}", index, keys, KEYS_ONLY)
    message = refused_creation(aws, stage)
    assert index in message and f"{stage}-{table}" in message and said in message


def test_a_time_to_live_by_another_attribute_is_refused_by_its_name(aws, tables):
    table = f"{tables}-Scores"
    for enabled, attribute in ((False, "expires"), (True, "until")):
        aws.dynamodb.update_time_to_live(
            TableName=table, TimeToLiveSpecification={"Enabled": enabled, "AttributeName": attribute}
        )
    message = refused_creation(aws, tables)
    assert "'until'" in message and table in message and expiry(aws, tables, "Scores") == "until"


def test_each_table_can_have_a_name_of_its_own(aws, stage):
    named = {option: f"{stage}.{option}" for option in ("contributions", "scores", "leases")}
    options = [word for option, name in named.items() for word in (f"--{option}-table", name)]
    program.create_tables(f"dynamodb:{stage}", aws.environment, *options)
    assert key_schema(aws.dynamodb.describe_table(TableName=f"{stage}.scores")["Table"]) == cloud.TABLE_KEYS["Scores"]
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
