"""The roles of deploy/cloudformation.yaml allow exactly the recorded calls of the program: no right is missing, and none
is unused. (The main job in test_cloudformation.py shows that a task that fills and serves misses none.)"""

import re
import threading

import aws_behaviour
import botocore.session
import cloud
import cloudformation
import expected_answers
import fan_out
import iam
import program
import promql
import proxy
import pytest
import wait
import workload
from iam import Call, arn
from main_job import PROMPT, wait_for_fresh_boards
from model import fold
from pairs import KinesisDynamodb, assert_equal_to_model
from small_shop import person, product, puts
from template_stack import options_of, stack_of

FIRST = "shardId-000000000000"
QUICK = ("--failover-ms", "1000")
# The worker must keep the lease until it has deleted it, also on a busy machine, where it retries late.
UNHURRIED = ("--failover-ms", "3000")


# Calls that only a fault causes.


class LostScores:
    """Loses the answers of the first few writes of scores, so that they are repeated and fail their own condition; and
    removes the row from that failure, so that the service must read it."""

    LOSE = 3

    def __init__(self, stage):
        self.table = f"{stage}-Scores"
        self.lock = threading.Lock()
        self.left = self.LOSE

    def is_to_be_lost(self):
        with self.lock:
            self.left -= 1
            return self.left >= 0

    def __call__(self, request, proceed):
        is_write = request.operation == "UpdateItem" and request.json()["TableName"] == self.table
        reply = proceed(request)
        if is_write and reply.status == 200 and self.is_to_be_lost():
            raise proxy.Reset()
        if is_write and reply.status == 400 and "Item" in reply.json():
            reply.set_json({name: value for name, value in reply.json().items() if name != "Item"})
        return reply


# The program.


def test_filling_calls_exactly_what_its_policy_allows(aws, tables, one_shard, start_on):
    """Odd events, a reshard, a restart, lost answers, and a shard that is forgotten."""
    hidden = threading.Event()

    def hide(listing):
        if hidden.is_set():
            listing["Shards"] = [one for one in listing["Shards"] if one["ShardId"] != FIRST]

    pair = KinesisDynamodb(aws, tables, one_shard.name)
    with iam.Recorder(aws.emulators, [LostScores(tables), aws_behaviour.ChangedReply("ListShards", hide)]) as recorder:
        stack = stack_of(tables, one_shard.name, recorder.queue, Serving="apart")
        options = options_of(stack, "TaskDefinition")
        one_shard.put(workload.generate(seed=71, events=1000))
        daemon = start_on(pair, *options, *QUICK, environment=recorder.environment)
        daemon.wait_until_applied()
        one_shard.split(FIRST)
        pair.wait_until_ended(FIRST)
        assert daemon.terminate()[0] == 0

        hidden.set()
        one_shard.put(workload.generate(seed=72, events=1000))
        daemon = start_on(pair, *options, *UNHURRIED, environment=recorder.environment)
        daemon.wait_until_applied()
        wait.until(lambda: "endedAt" in pair.leases()[FIRST], "the time of the end is noted", timeout_s=60)
        cloud.age_end(aws.dynamodb, tables, FIRST, 86_400)
        wait.until(lambda: FIRST not in pair.leases(), "the shard is forgotten", timeout_s=60)
        assert daemon.terminate()[0] == 0

        assert_equal_to_model(pair, fold(one_shard.records()), recorder.queue.keys())
        assert len(recorder.queue.letters()) > 0
        assert iam.differences(stack.statements("TaskRole"), recorder.calls()) == []


def of_kinesis(statements):
    return [one for one in statements if all(action.startswith("kinesis:") for action in iam.as_list(one["Action"]))]


def test_filling_over_push_calls_exactly_what_its_policy_allows_on_the_stream(aws, tables, one_shard, start_on):
    """The stack has made the consumer."""
    pair, pushing = KinesisDynamodb(aws, tables, one_shard.name), fan_out.FanOut(creating_s=0)
    consumer = pushing.add_consumer(arn("kinesis", f"stream/{one_shard.name}"), "view")
    with iam.Recorder(aws.emulators, [pushing]) as recorder:
        stack = stack_of(tables, one_shard.name, recorder.queue, consumer, Serving="apart", FanOut="view")
        options = (*options_of(stack, "TaskDefinition"), *QUICK)
        one_shard.put(workload.generate(seed=74, events=200))
        daemon = start_on(pair, *options, environment=recorder.environment)
        pair.wait_until_checkpointed()
        one_shard.split(FIRST)
        one_shard.put(workload.generate(seed=75, events=200))
        pair.wait_until_ended(FIRST)
        pair.wait_until_checkpointed()
        assert daemon.terminate()[0] == 0
        calls = {call for call in recorder.calls() if call.service == "kinesis"}
        assert iam.differences(of_kinesis(stack.statements("TaskRole")), calls) == []


def test_serving_calls_exactly_what_its_policy_allows(aws, tables, stream, make_on, start_on):
    """This service starts before the one that fills, so that it waits for the source's record."""
    kept = {"Periods": "day", "BestSellers": "on"}
    with iam.Recorder(aws.emulators) as recorder:
        stack = stack_of(tables, stream, recorder.queue, Serving="apart", **kept)
        options = (*options_of(stack, "ServingTaskDefinition"), *PROMPT)
        reader = make_on(KinesisDynamodb(aws, tables, None), *options, environment=recorder.environment)
        reader.start(ready=False)
        reader.wait_until_listening()

        pair = KinesisDynamodb(aws, tables, stream)
        pair.put(workload.generate(seed=73, events=1500))
        start_on(pair, "--periods", kept["Periods"], "--best-sellers", kept["BestSellers"]).wait_until_applied()
        reader.wait_until_applied()
        wait_for_fresh_boards(reader)
        expected_answers.check_all(reader, fold(pair.records()), pair)
        best = reader.get("/scores/merchant?limit=1").json()["items"][0]["id"]
        for target in (
            "/scores/product", "/sales", "/sales/history", f"/scores/merchant/{best}/history",
            f"/scores/merchant?around={best}", f"/contributions?merchant={best}", f"/contributions?photographer={best}",
            "/contributions?productIds=lamp",
        ):  # fmt: skip
            assert reader.get(target).status == 200, target
        assert reader.terminate()[0] == 0
        assert iam.differences(stack.statements("ServingTaskRole"), recorder.calls()) == []


def run(aws, recorder, *arguments, environment=None):
    done = program.run(*arguments, environment={**aws.environment, **recorder.environment, **(environment or {})})
    assert done.returncode == 0, done.stderr


def test_audit_calls_exactly_what_its_policy_allows(aws, tables, stream, start):
    """As a task of the stack with another command and another role."""
    cloud.put(aws.kinesis, stream, puts(product("p", person("merchant", "Ann"), None, 3)))
    start(tables, stream).wait_until_applied()
    with iam.Recorder(aws.emulators) as recorder:
        stack = stack_of(tables, stream)
        run(aws, recorder, "audit", environment=stack.environment("TaskDefinition"))
        assert iam.differences(stack.policy("AuditPolicy"), recorder.calls()) == []
        assert stack.statements("AuditTaskRole") == stack.policy("AuditPolicy")


@pytest.mark.new_emulators
def test_create_tables_calls_exactly_what_its_policy_allows(aws, stage):
    """On tables that lack indexes, and without tables."""
    cloud.make_bare_tables(aws.dynamodb, stage)
    with iam.Recorder(aws.emulators) as recorder:
        run(aws, recorder, "create-tables", "--store", f"dynamodb:{stage}")
        for table in cloud.TABLE_KEYS:
            aws.dynamodb.delete_table(TableName=f"{stage}-{table}")
        run(aws, recorder, "create-tables", "--store", f"dynamodb:{stage}")
        stack = stack_of(stage, "none")
        assert iam.differences(stack.policy("CreateTablesPolicy"), recorder.calls()) == []


@pytest.mark.parametrize("command", ["credentials", "healthcheck"])
def test_a_command_that_has_no_policy_calls_nothing(aws, tables, stream, start, command):
    daemon = start(tables, stream)
    with iam.Recorder(aws.emulators) as recorder:
        environment = stack_of(tables, stream).environment("TaskDefinition")
        run(
            aws,
            recorder,
            command,
            "--listen",
            f"127.0.0.1:{daemon.port}",
            "--ops-listen",
            "none",
            environment=environment,
        )
        assert recorder.calls() == set()


def test_every_command_has_a_test_of_its_calls():
    """A new command needs a test here."""
    commands = {"serve", "audit", "create-tables", "credentials", "healthcheck", "deregister"}
    assert program.commands().keys() - {"help"} == commands


def calls_in_the_sources():
    """Each string in the program's sources that names an AWS call, as {(service, name)}."""
    files = [
        path
        for folder in promql.LAYERS
        for path in program.ROOT.glob(f"{folder}/**/*.c")
    ]
    words = {word for path in files for word in re.findall(r'"([A-Z][A-Za-z]+)"', path.read_text())}
    session = botocore.session.get_session()
    known = {
        name: session.get_service_model(name).operation_names
        for name in ("dynamodb", "kinesis", "sqs", "sts")
    }
    return {(name, word) for name, operations in known.items() for word in words & set(operations)}


def test_every_aws_call_in_the_sources_is_in_a_policy():
    """Except those of STS, which a role of the stack does not need: they are for profiles that name a role, and for web
    identity, which needs no right. And those that make and remove a consumer: the stack's is its own resource."""
    stacks = stack_of("s", "t"), stack_of("s", "t", FanOut="view")
    allowed = {
        tuple(action.split(":"))
        for one in stacks
        for policy in one.of_type("AWS::IAM::ManagedPolicy").values()
        for one in policy["PolicyDocument"]["Statement"]
        for action in iam.as_list(one["Action"])
    }
    for_credentials = {("sts", "AssumeRole"), ("sts", "AssumeRoleWithWebIdentity")}
    of_consumers = {("kinesis", "RegisterStreamConsumer"), ("kinesis", "DeregisterStreamConsumer")}
    assert calls_in_the_sources() == allowed | for_credentials | of_consumers


# The roles.


def test_each_role_has_the_policies_of_its_tasks():
    together, apart = (stack_of("s", "t", Serving=serving) for serving in ("together", "apart"))
    fill, serve = together.policy("FillPolicy"), together.policy("ServePolicy")
    assert together.statements("TaskRole") == fill + serve
    assert apart.statements("TaskRole") == fill and apart.statements("ServingTaskRole") == serve
    assert "ServingTaskRole" not in together.resources


def test_roles_are_for_tasks_of_this_account_alone():
    """AWS's guide, "Amazon ECS task IAM role", recommends it against the confused deputy problem."""
    one = stack_of("s", "t", Serving="apart")
    assert len(one.of_type("AWS::IAM::Role")) == 4
    for role in one.of_type("AWS::IAM::Role").values():
        (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
        assert (
            trust["Principal"] == {"Service": "ecs-tasks.amazonaws.com"}
            and trust["Action"] == "sts:AssumeRole"
        )
        assert trust["Condition"] == {
            "StringEquals": {"aws:SourceAccount": cloudformation.ACCOUNT},
            "ArnLike": {"aws:SourceArn": f"arn:aws:ecs:{cloudformation.REGION}:{cloudformation.ACCOUNT}:*"},
        }


def test_the_policies_that_other_deployments_name_exist():
    """deploy/kubernetes and deploy/README.md name policies for roles that the operator makes."""
    policies = stack_of("s", "t").of_type("AWS::IAM::ManagedPolicy").keys()
    folder = program.ROOT / "deploy"
    for path in (folder / "README.md", *folder.glob("kubernetes/*/*.yaml")):
        assert set(re.findall(r"\b[A-Z][A-Za-z]+Policy\b", path.read_text())) <= policies, path
    accounts = [
        folder / "kubernetes/base/serviceaccount.yaml",
        folder / "kubernetes/serving/kustomization.yaml",
    ]
    named = [set(re.findall(r"\b[A-Z][a-z]+Policy\b", path.read_text())) for path in accounts]
    assert named == [{"FillPolicy", "ServePolicy"}, {"ServePolicy"}]


def test_every_right_is_named_without_wildcards_but_the_registry_login():
    one = stack_of("s", "t", Serving="apart", ImageRepositoryArn=arn("ecr", "repository/winner-view"))
    granted = [each for name in one.of_type("AWS::IAM::Role") for each in one.statements(name)]
    granted += [each for name in one.of_type("AWS::IAM::ManagedPolicy") for each in one.policy(name)]
    (login,) = [each for each in granted if each["Resource"] == "*"]
    assert login["Action"] == "ecr:GetAuthorizationToken"
    log = one.resources["ExecutionRole"]["Policies"][0]["PolicyDocument"]["Statement"]
    for each in granted:
        if each is not login and each not in log:  # the names of log streams are not known in advance
            assert iam.rights(each)


def test_own_kms_keys_add_rights_only_through_their_service():
    keys = {"StreamKeyArn": "arn:aws:kms:us-east-1:1:key/s", "TableKeyArn": "arn:aws:kms:us-east-1:1:key/t"}
    for role in ("TaskRole", "ServingTaskRole"):
        plain = stack_of("s", "t", Serving="apart").statements(role)
        more = [
            one for one in stack_of("s", "t", Serving="apart", **keys).statements(role) if one not in plain
        ]
        assert {one["Resource"] for one in more} == set(
            keys.values() if role == "TaskRole" else [keys["TableKeyArn"]]
        )
        for one in more:
            service_name = "kinesis" if one["Resource"].endswith("/s") else "dynamodb"
            via = {"StringEquals": {"kms:ViaService": f"{service_name}.us-east-1.amazonaws.com"}}
            assert one["Condition"] == via
            assert all(action.startswith("kms:") for action in iam.as_list(one["Action"]))


# The comparison.


def statement(actions, resource, **more):
    return {"Effect": "Allow", "Action": actions, "Resource": resource, **more}


def call(action, resource, *keys):
    return Call(*action.split(":"), resource, frozenset(keys))


def test_the_comparison_lists_missing_and_unused_rights():
    statements = [statement(["dynamodb:GetItem", "dynamodb:Scan"], "t"), statement("sqs:SendMessage", "q")]
    calls = {call("dynamodb:GetItem", "t"), call("dynamodb:Scan", "t"), call("sqs:SendMessage", "q")}
    assert iam.differences(statements, calls) == []
    assert iam.differences(statements[:1], calls) == ["missing: sqs SendMessage q"]
    assert iam.differences(statements, calls - {call("dynamodb:Scan", "t")}) == [
        "unused: dynamodb Scan t"
    ]
    assert iam.differences(statements, calls | {call("dynamodb:GetItem", "t/index/i")}) == [
        "missing: dynamodb GetItem t/index/i"
    ]


def test_the_comparison_respects_conditions_on_partition_keys():
    only = {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": ["mine"]}}
    statements = [statement("dynamodb:UpdateItem", "t", Condition=only)]
    mine, other = call("dynamodb:UpdateItem", "t", "mine"), call("dynamodb:UpdateItem", "t", "other")
    assert iam.differences(statements, {mine}) == []
    assert iam.differences(statements, {mine, other}) == ["missing: dynamodb UpdateItem t"]
    assert len(iam.differences(statements, {other})) == 2


@pytest.mark.parametrize(
    "one",
    [
        statement("dynamodb:*", "t"),
        statement("dynamodb:GetItem", "t/*"),
        {"Effect": "Deny", "Action": "dynamodb:GetItem", "Resource": "t"},
        {"Effect": "Allow", "NotAction": "dynamodb:GetItem", "Resource": "t"},
    ],
)
def test_a_statement_with_wildcards_or_denials_is_refused(one):
    with pytest.raises(AssertionError):
        iam.rights(one)


def test_a_recorded_call_has_its_service_action_resource_and_rows():
    def request(scope, target, body):
        authorization = (
            f"AWS4-HMAC-SHA256 Credential=AKID/20261123/us-east-1/{scope}/aws4_request, "
            f"SignedHeaders=host, Signature={'0' * 64}"
        )
        headers = [("X-Amz-Target", target), ("Authorization", authorization)]
        return proxy.Request("POST / HTTP/1.1", headers, b"{}").with_json(body)

    def seen(*arguments):
        calls = iam.Calls()
        calls.note(request(*arguments))
        return calls.seen

    table, index = arn("dynamodb", "table/s-Scores"), arn("dynamodb", "table/s-Scores/index/ScoresByRole")
    key = {"userId": {"S": "Ann"}, "role": {"S": "creator"}}
    assert seen("dynamodb", "DynamoDB_20120810.UpdateItem", {"TableName": "s-Scores", "Key": key}) == {
        call("dynamodb:UpdateItem", table, "Ann")
    }
    query = {"TableName": "s-Scores", "IndexName": "ScoresByRole"}
    assert seen("dynamodb", "DynamoDB_20120810.Query", query) == {call("dynamodb:Query", index)}
    batch = {"RequestItems": {"s-Scores": {"Keys": [key]}}}
    assert seen("dynamodb", "DynamoDB_20120810.BatchGetItem", batch) == {call("dynamodb:BatchGetItem", table)}
    letter = {"QueueUrl": "http://127.0.0.1:1/000000000000/letters", "MessageBody": "x"}
    assert seen("sqs", "AmazonSQS.SendMessage", letter) == {call("sqs:SendMessage", arn("sqs", "letters"))}
    assert seen("kinesis", "Kinesis_20131202.ListShards", {"StreamName": "st"}) == {
        call("kinesis:ListShards", arn("kinesis", "stream/st"))
    }
    (other,) = seen("sts", "", {})
    assert other.service == "sts"
