"""deploy/cloudformation.yaml: its resources agree with each other and with the program, and its tables are those of
create-tables."""

import contextlib
import itertools
import json
import re
import resource
import shutil
import subprocess

import cloud
import cloudformation
import dockerfile
import emulators
import http_client
import iam
import program
import pytest
import wait
from daemon import Daemon
from main_job import check_main_job
from pairs import KinesisDynamodb
from small_shop import person, product, puts
from template_stack import PARAMETERS, TEMPLATE, options_of, stack_of

PATH = program.ROOT / "deploy" / "cloudformation.yaml"
TABLES = {"ContributionsTable", "ScoresTable", "LeasesTable"}
TASKS = {"together": ["TaskDefinition"], "apart": ["TaskDefinition", "ServingTaskDefinition"]}
# The properties of a table that the program needs, and those that the operator chooses.
SHAPE = {"TableName", "BillingMode", "AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes"}
EXPIRY = "TimeToLiveSpecification"
KEEPING = {"PointInTimeRecoverySpecification", "DeletionProtectionEnabled", "SSESpecification"}
# Each parameter that a condition depends on, both ways.
ALTERNATIVES = {
    "StreamArn": ["", "arn:aws:kinesis:us-east-1:000000000000:stream/events"],
    "Tables": ["made", "there"],
    "BoardPartitions": ["1", "4"],
    "ProductsByCreator": ["true", "false"],
    "ProductsByPhotographer": ["true", "false"],
    "StreamKeyArn": ["", "arn:aws:kms:us-east-1:000000000000:key/s"],
    "FanOut": ["", "view"],
    "TableKeyArn": ["", "arn:aws:kms:us-east-1:000000000000:key/t"],
    "ImageRepositoryArn": ["", "arn:aws:ecr:us-east-1:000000000000:repository/winner-view"],
    "CertificateArn": ["", "arn:aws:acm:us-east-1:000000000000:certificate/c"],
    "MetricsCidr": ["", "10.1.0.0/16"],
    "AlarmTopicArn": ["", "arn:aws:sns:us-east-1:000000000000:alarms"],
    "Serving": ["together", "apart"],
}


def stack(**parameters):
    return TEMPLATE.stack({**PARAMETERS, **parameters})


# The template by itself.


@pytest.mark.all
def test_cfn_lint_finds_nothing():
    if not shutil.which("cfn-lint"):
        pytest.skip("cfn-lint is not installed")
    done = subprocess.run(["cfn-lint", str(PATH)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_reference_resolves_for_all_combinations_of_parameters():
    conditions = set(TEMPLATE.content["Conditions"])
    met = {name: set() for name in conditions}
    for one in TEMPLATE.stacks(PARAMETERS, ALTERNATIVES):
        for name in conditions:
            met[name].add(one.holds(name))
    assert all(values == {True, False} for values in met.values()), met


def test_an_unresolvable_reference_is_an_error():
    """References to nothing and to a resource whose condition is false; a value for an unknown parameter."""
    broken = {"Parameters": {}, "Conditions": {"No": {"Fn::Equals": [1, 2]}}, "Resources": {}}
    for properties, resources in [
        ({"A": {"Ref": "Nothing"}}, {}),
        ({"A": {"Fn::GetAtt": ["Other", "Arn"]}}, {"Other": {"Type": "x", "Condition": "No"}}),
        ({"A": {"Fn::Sub": "${Other.Arn}"}}, {"Other": {"Type": "x", "Condition": "No"}}),
    ]:
        template = {**broken, "Resources": {**resources, "It": {"Type": "x", "Properties": properties}}}
        with pytest.raises(cloudformation.TemplateError):
            cloudformation.Template(template).stack({})
    with pytest.raises(cloudformation.TemplateError):
        stack(NoSuchParameter="1")
    with pytest.raises(cloudformation.TemplateError):
        stack(Serving="sideways")


def test_a_yaml_alias_and_a_duplicate_key_are_errors(tmp_path):
    """CloudFormation refuses aliases, and ignores a duplicate key silently."""
    for text in ("A: &a {B: 1}\nC: *a\n", "A: 1\nA: 2\n"):
        (tmp_path / "template.yaml").write_text(text)
        with pytest.raises(cloudformation.TemplateError):
            cloudformation.load(tmp_path / "template.yaml")


def test_the_template_can_be_deployed_without_a_bucket():
    """CloudFormation takes a template of at most 51,200 bytes in a call ("CloudFormation quotas")."""
    assert PATH.stat().st_size <= 51_200


def test_data_is_kept_when_the_stack_is_deleted():
    kept = {"Stream", "DeadLetterQueue", "LogGroup", *TABLES}
    for name, resource in TEMPLATE.resources.items():
        policies = {resource.get("DeletionPolicy"), resource.get("UpdateReplacePolicy")}
        assert policies == ({"RetainExceptOnCreate", "Retain"} if name in kept else {None}), name


# The program in the stack.


def own_names(environment):
    return {name for name in environment if name.startswith("WINNER_VIEW_")}


def with_free_ports(environment):
    """The environment with free local ports: a container has all ports to itself."""
    return {
        name: re.sub(r"^\[::\]:\d+$", f"127.0.0.1:{emulators.free_port()}", value)
        for name, value in environment.items()
    }


def healthcheck(environment):
    """Checks the whole configuration. Exit status 2: it is wrong; 1: it is right, and nothing listens there."""
    return program.run("healthcheck", environment=with_free_ports(environment))


@pytest.mark.parametrize("serving, stream", itertools.product(TASKS, ALTERNATIVES["StreamArn"]))
def test_the_program_accepts_every_variable_of_the_tasks(serving, stream):
    one = stack(Serving=serving, StreamArn=stream)
    for task in TASKS[serving]:
        environment = one.environment(task)
        done = healthcheck(environment)
        assert done.returncode == 1, done.stderr
        for name in own_names(environment):  # a wrong value of each is refused
            assert healthcheck({**environment, name: "no such: thing"}).returncode == 2, name


class Task(Daemon):
    """The process of a task definition: the image's entry point, without arguments, in the definition's environment.
    `port` is that of the operations address, `public` that of the public one, if there is one."""

    def __init__(self, stack, name, environment):
        own = with_free_ports(stack.environment(name))
        super().__init__([], {**environment, **own, "WINNER_VIEW_DRAIN_SECONDS": "0"})
        self.argv = [program.binary()]
        self.port = int(own["WINNER_VIEW_OPS_LISTEN"].rpartition(":")[2])
        listen = own["WINNER_VIEW_LISTEN"]
        self.public = None if listen == "none" else int(listen.rpartition(":")[2])


def test_the_tasks_run_as_they_are_defined(aws, stage, stream):
    make_tables(aws, stage)
    with iam.Recorder(aws.emulators) as recorder, contextlib.ExitStack() as running:
        one = stack_of(stage, stream, recorder.queue, Serving="apart")
        environment = {**aws.environment, **recorder.environment}
        filling, serving = [running.enter_context(Task(one, name, environment)) for name in TASKS["apart"]]
        for task in (filling, serving):
            assert program.run("healthcheck", environment=task.environment).returncode == 0
            assert task.get("/metrics").status == 200
        assert filling.public is None

        cloud.put(aws.kinesis, stream, puts(product("p", person("merchant", "Ann"), None, 3)))

        def is_served():
            return http_client.request(serving.public, "/contributions/p").status == 200

        wait.until(is_served, "the product p", seen=filling.log_tail)
        assert http_client.request(serving.public, "/contributions/p").json()["purchases"] == 3
        assert http_client.request(serving.public, "/metrics").status == 404


@pytest.mark.parametrize("serving", TASKS)
def test_the_load_balancer_forwards_to_the_view_port_and_checks_health_on_the_operations_port(serving):
    one = stack(Serving=serving)
    for service_name, properties in one.of_type("AWS::ECS::Service").items():
        task = properties["TaskDefinition"]
        environment, container = one.environment(task), one.container(task)
        ports = {mapping["ContainerPort"] for mapping in container["PortMappings"]}
        target, is_served = one.resources["TargetGroup"], "LoadBalancers" in properties
        assert is_served == (environment["WINNER_VIEW_LISTEN"] != "none"), service_name
        assert environment["WINNER_VIEW_OPS_LISTEN"] == f"[::]:{target['HealthCheckPort']}"
        assert int(target["HealthCheckPort"]) in ports and target["HealthCheckPath"] == "/healthz"
        if is_served:
            (balanced,) = properties["LoadBalancers"]
            assert balanced["ContainerName"] == container["Name"]
            assert environment["WINNER_VIEW_LISTEN"] == f"[::]:{target['Port']}"
            assert balanced["ContainerPort"] == target["Port"] and target["Port"] in ports
    scaled = one.resources["ScalableTarget"]["ResourceId"].split("/")[-1]
    assert scaled == ("ServingService.Name" if serving == "apart" else "Service.Name")


@pytest.mark.parametrize("metrics", ALTERNATIVES["MetricsCidr"])
def test_only_the_given_network_reaches_metrics_and_the_load_balancer_does_not(metrics):
    """Metrics are on the operations address, to which the load balancer forwards nothing."""
    one = stack(MetricsCidr=metrics)
    forwarded = {group["Port"] for group in one.of_type("AWS::ElasticLoadBalancingV2::TargetGroup").values()}
    assert forwarded == {8080}
    rules = one.resources["TaskSecurityGroup"]["SecurityGroupIngress"]
    assert [rule["CidrIp"] for rule in rules] == ([metrics] if metrics else [])
    assert all(rule["FromPort"] == rule["ToPort"] == 9090 for rule in rules)
    for rule in one.of_type("AWS::EC2::SecurityGroupIngress").values():
        assert rule["SourceSecurityGroupId"] == "LoadBalancerSecurityGroup"


def ports_of(rules, key, group):
    """The ports that rules open from or to a security group."""
    rules = [rule for rule in rules if rule.get(key) == group]
    assert all(rule["FromPort"] == rule["ToPort"] and rule["IpProtocol"] == "tcp" for rule in rules)
    return {rule["FromPort"] for rule in rules}


@pytest.mark.parametrize("certificate", ALTERNATIVES["CertificateArn"])
def test_clients_reach_only_the_load_balancer_and_it_reaches_only_the_task_ports(certificate):
    one = stack(CertificateArn=certificate, ClientCidr="10.2.0.0/16")
    group, target = one.resources["LoadBalancerSecurityGroup"], one.resources["TargetGroup"]
    listeners = one.of_type("AWS::ElasticLoadBalancingV2::Listener").values()
    assert {rule["CidrIp"] for rule in group["SecurityGroupIngress"]} == {"10.2.0.0/16"}
    assert ports_of(group["SecurityGroupIngress"], "CidrIp", "10.2.0.0/16") == {
        one["Port"] for one in listeners
    }
    asked = {target["Port"], int(target["HealthCheckPort"])}
    assert ports_of(group["SecurityGroupEgress"], "DestinationSecurityGroupId", "TaskSecurityGroup") == asked
    let_in = one.of_type("AWS::EC2::SecurityGroupIngress").values()
    assert {rule["GroupId"] for rule in let_in} == {"TaskSecurityGroup"}
    assert ports_of(let_in, "SourceSecurityGroupId", "LoadBalancerSecurityGroup") == asked


def test_with_a_certificate_plain_http_only_redirects():
    plain, secure = (stack(CertificateArn=one) for one in ALTERNATIVES["CertificateArn"])
    assert plain.resources["Listener"]["Port"] == 80 and plain.outputs["Url"].startswith("http://")
    listeners = secure.of_type("AWS::ElasticLoadBalancingV2::Listener").values()
    forwards = {one["Port"]: one["DefaultActions"][0]["Type"] for one in listeners}
    assert forwards == {443: "forward", 80: "redirect"} and secure.outputs["Url"].startswith("https://")


@pytest.mark.parametrize("serving", TASKS)
def test_a_deployment_keeps_old_tasks_until_new_ones_are_healthy_and_rolls_back_on_failure(serving):
    for properties in stack(Serving=serving).of_type("AWS::ECS::Service").values():
        deployment = properties["DeploymentConfiguration"]
        assert deployment["MinimumHealthyPercent"] == 100 < deployment["MaximumPercent"]
        assert deployment["DeploymentCircuitBreaker"] == {"Enable": True, "Rollback": True}


def test_tasks_that_serve_are_scaled_and_tasks_that_only_fill_are_not():
    counts = {"Workers": "3", "ServingTasks": "4", "MostTasks": "9"}
    for serving, least in (("together", "3"), ("apart", "4")):
        one = stack(Serving=serving, **counts)
        (target,) = one.of_type("AWS::ApplicationAutoScaling::ScalableTarget").values()
        assert (target["MinCapacity"], target["MaxCapacity"]) == (least, "9")
        assert one.resources["Service"]["DesiredCount"] == "3"
    assert one.resources["ServingService"]["DesiredCount"] == "4"


def attributes(properties, name):
    return {one["Key"]: one["Value"] for one in properties[name]}


def test_timeouts_of_balancer_container_and_program_agree():
    one = stack(Serving="apart")
    balancer = attributes(one.resources["LoadBalancer"], "LoadBalancerAttributes")
    target = attributes(one.resources["TargetGroup"], "TargetGroupAttributes")
    idle_ms = int(balancer["idle_timeout.timeout_seconds"]) * 1000
    assert program.limit("LIMIT_LIVE_HEARTBEAT_MS") < idle_ms < program.limit("LIMIT_KEEP_ALIVE_MS")
    assert int(target["deregistration_delay.timeout_seconds"]) * 1000 >= program.limit("LIMIT_ANSWER_MS")
    stop_s = int(program.default("drain-seconds")) + program.limit("LIMIT_STOP_MS") / 1000
    for task in TASKS["apart"]:
        assert "WINNER_VIEW_DRAIN_SECONDS" not in one.environment(task)
        assert stop_s < one.container(task)["StopTimeout"] <= 120  # Fargate's maximum


def test_tasks_are_sandboxed_and_run_the_image_unchanged():
    """ECS ignores the image's own HEALTHCHECK ("HealthCheck", ECS API)."""
    image = dict(dockerfile.instructions())
    one = stack(Serving="apart")
    for task in TASKS["apart"]:
        container = one.container(task)
        assert container["ReadonlyRootFilesystem"] and container["User"] == image["USER"]
        assert container["LinuxParameters"]["Capabilities"] == {"Drop": ["ALL"]}
        assert not container.keys() & {"EntryPoint", "Command"}
        of_the_image = json.loads(image["HEALTHCHECK"].partition("CMD ")[2])
        assert container["HealthCheck"]["Command"] == ["CMD", *of_the_image]


def test_tasks_have_the_open_files_and_the_memory_that_the_program_needs():
    one = stack(Serving="apart")
    held = program.limit("LIMIT_INFLIGHT_BYTES") + program.limit("LIMIT_CONTRIBUTION_CACHE_BYTES")
    least_mib = 64 + ((held + int(program.default("cache-bytes"))) >> 20)
    assert min(map(int, TEMPLATE.parameters["Memory"]["AllowedValues"])) >= least_mib
    for task in TASKS["apart"]:
        (files,) = one.container(task)["Ulimits"]
        assert files["Name"] == "nofile" and files["SoftLimit"] == files["HardLimit"]
        # the open files limit is checked before the database, which does not exist
        nowhere = {"WINNER_VIEW_STORE": "sqlite:/nowhere/view.db", "WINNER_VIEW_SOURCE": "file:events.jsonl"}
        most = min(files["HardLimit"], resource.getrlimit(resource.RLIMIT_NOFILE)[1])
        done = subprocess.run(
            ["prlimit", f"--nofile={most}", program.binary()],
            env={**with_free_ports(one.environment(task)), **nowhere},
            capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert done.returncode != 0 and "/nowhere" in done.stderr, done.stderr


def test_alarms_watch_the_given_stream_and_queue():
    for stream, name in zip(ALTERNATIVES["StreamArn"], ("Stream", "events")):
        one = stack(StreamArn=stream, AlarmTopicArn="arn:aws:sns:us-east-1:1:alarms")
        (dimension,) = one.resources["LagAlarm"]["Dimensions"]
        assert dimension == {"Name": "StreamName", "Value": name}
        for alarm in one.of_type("AWS::CloudWatch::Alarm").values():
            assert alarm["AlarmActions"] == ["arn:aws:sns:us-east-1:1:alarms"]
    assert stack().resources["LagAlarm"]["AlarmActions"] == []


def metrics_of(alarm):
    """Each (namespace, name) of an alarm."""
    if "MetricName" in alarm:
        return {(alarm["Namespace"], alarm["MetricName"])}
    stats = [one["MetricStat"]["Metric"] for one in alarm["Metrics"] if "MetricStat" in one]
    return {(metric["Namespace"], metric["MetricName"]) for metric in stats}


def test_alarms_cover_lag_dead_letters_and_failed_answers():
    alarms = stack().of_type("AWS::CloudWatch::Alarm").values()
    assert set().union(*map(metrics_of, alarms)) == {
        ("AWS/Kinesis", "GetRecords.IteratorAgeMilliseconds"),
        ("AWS/SQS", "ApproximateNumberOfMessagesVisible"),
        ("AWS/SQS", "ApproximateAgeOfOldestMessage"),
        ("winner-view/stack", "LoggedDeadLetters"),
        ("AWS/ApplicationELB", "HealthyHostCount"),
        ("AWS/ApplicationELB", "UnHealthyHostCount"),
        ("AWS/ApplicationELB", "HTTPCode_Target_5XX_Count"),
        ("AWS/ApplicationELB", "HTTPCode_ELB_5XX_Count"),
        ("AWS/ApplicationELB", "RequestCount"),
    }


def test_a_stream_that_pushes_has_a_consumer_and_an_alarm_on_its_lag():
    for stream, name in zip(ALTERNATIVES["StreamArn"], ("Stream", "events")):
        one = stack(StreamArn=stream, FanOut="view", Serving="apart")
        for task in TASKS["apart"]:  # of one that only serves it decides when it counts as caught up
            assert one.environment(task)["WINNER_VIEW_FAN_OUT"] == "view"
        assert one.resources["Consumer"]["ConsumerName"] == "view"
        assert one.resources["Consumer"]["StreamARN"].endswith(f":stream/{name}")
        alarm = one.resources["LagAlarm"]
        assert alarm["MetricName"] == "SubscribeToShardEvent.MillisBehindLatest"
        watched = {dimension["Name"]: dimension["Value"] for dimension in alarm["Dimensions"]}
        assert watched == {"StreamName": name, "ConsumerName": "view"}
    assert "Consumer" not in stack().resources and "WINNER_VIEW_FAN_OUT" not in stack().environment("TaskDefinition")


def test_missing_data_raises_the_lag_and_the_load_balancer_alarm_and_no_other():
    alarms = stack().of_type("AWS::CloudWatch::Alarm")
    loud = {name for name, alarm in alarms.items() if alarm["TreatMissingData"] == "breaching"}
    assert loud == {"LagAlarm", "NobodyServesAlarm"}


def test_an_alarms_expression_names_its_own_metrics():
    alarm = stack().resources["RefusedReadersAlarm"]
    (result,) = [one for one in alarm["Metrics"] if "Expression" in one]
    others = {one["Id"] for one in alarm["Metrics"] if one is not result and one["ReturnData"] is False}
    assert set(re.findall(r"\b[a-z]\w*\b", result["Expression"])) == others and len(others) == 3
    assert len(alarm["Metrics"]) == 4


def test_the_log_filter_finds_dead_letters(embedded, start_on):
    """The filter matches no other log line."""
    pattern = stack().resources["LoggedDeadLetters"]["FilterPattern"]
    wanted = re.fullmatch(r'\{ \$\.msg = "(.*)" \}', pattern)[1]
    embedded.append(b"no event\n")
    daemon = start_on(embedded, "--dead-letter", "log", "--log-format", "json")
    daemon.wait_until_applied()
    found = [line for line in map(json.loads, daemon.log().splitlines()) if line["msg"] == wanted]
    assert [one["reason"] for one in found] == ["not-json"] and len(daemon.log().splitlines()) > 1


# One definition of the tables.


def test_every_table_property_is_either_compared_or_an_operators_choice():
    """No property is without a test."""
    for key in ALTERNATIVES["TableKeyArn"]:
        tables = stack(TableKeyArn=key).of_type("AWS::DynamoDB::Table")
        assert tables.keys() == TABLES
        for properties in tables.values():
            assert properties.keys() <= SHAPE | KEEPING | {EXPIRY}


@pytest.mark.parametrize("value", ["true", "false"])
def test_the_operator_chooses_recovery_deletion_protection_and_encryption_of_tables(value):
    key = ALTERNATIVES["TableKeyArn"][1]
    one = stack(PointInTimeRecovery=value, DeletionProtection=value, TableKeyArn=key)
    for properties in one.of_type("AWS::DynamoDB::Table").values():
        assert properties["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": value}
        assert properties["DeletionProtectionEnabled"] == value
        assert properties["SSESpecification"]["KMSMasterKeyId"] == key


def test_existing_tables_are_not_created_and_get_the_same_policies_and_settings():
    made, there = (stack(Serving="apart", Tables=tables) for tables in ("made", "there"))
    assert there.of_type("AWS::DynamoDB::Table") == {}
    for policy in made.of_type("AWS::IAM::ManagedPolicy"):
        assert there.policy(policy) == made.policy(policy)
    for task in TASKS["apart"]:
        assert there.environment(task) == made.environment(task)


def make_tables(aws, stage, **parameters):
    """Makes the tables as CloudFormation does: its properties are CreateTable's and UpdateTimeToLive's own."""
    for properties in stack_of(stage, "none", **parameters).of_type("AWS::DynamoDB::Table").values():
        aws.dynamodb.create_table(**{name: properties[name] for name in SHAPE & properties.keys()})
        if EXPIRY in properties:
            table = {"TableName": properties["TableName"]}
            aws.dynamodb.update_time_to_live(**table, TimeToLiveSpecification=properties[EXPIRY])


OF_THE_MOMENT = {
    "TableName", "TableArn", "TableId", "IndexArn", "CreationDateTime", "TableSizeBytes", "IndexSizeBytes",
    "ItemCount", "LastUpdateToPayPerRequestDateTime", "LastIncreaseDateTime", "LastDecreaseDateTime",
}  # fmt: skip


def lasting(value):
    """The part of a DescribeTable reply that is the same for an equal table with another name."""
    if isinstance(value, list):
        return [lasting(one) for one in value]
    if not isinstance(value, dict):
        return value
    kept = {name: lasting(one) for name, one in value.items() if name not in OF_THE_MOMENT}
    for name, key in (("AttributeDefinitions", "AttributeName"), ("GlobalSecondaryIndexes", "IndexName")):
        if name in kept:
            kept[name].sort(key=lambda one: one[key])
    return kept


def described(aws, stage):
    """{table: (the table, its time to live)}"""

    def one(name):
        table = aws.dynamodb.describe_table(TableName=name)["Table"]
        return lasting(table), aws.dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]

    return {name: one(f"{stage}-{name}") for name in ("Contributions", "Scores", "Leases")}


def test_the_template_makes_the_same_tables_as_create_tables(aws, tables):
    make_tables(aws, f"{tables}-template")
    ours, theirs = described(aws, tables), described(aws, f"{tables}-template")
    assert theirs == ours
    scores, expiry = ours["Scores"]
    assert len(scores["AttributeDefinitions"]) == 3 and expiry["AttributeName"] == "expires"
    assert len(ours["Contributions"][0]["GlobalSecondaryIndexes"]) == 2


def test_the_template_makes_the_tables_of_a_view_with_board_partitions(aws, stage):
    make_tables(aws, f"{stage}-template", BoardPartitions="4")
    program.create_tables(f"dynamodb:{stage}", aws.environment, "--board-partitions", "4")
    assert described(aws, f"{stage}-template") == described(aws, stage)
    (statement,) = [one for one in stack_of(stage, "s", BoardPartitions="4").policy("ServePolicy") if one["Sid"] == "ReadBoards"]
    assert statement["Resource"].endswith("/index/ScoresByBoard")


def test_an_update_of_the_stack_can_make_one_index_after_the_other(aws, stage):
    """As DynamoDB requires: the template has a parameter for each."""
    choices = itertools.product(ALTERNATIVES["ProductsByCreator"], ALTERNATIVES["ProductsByPhotographer"])
    for number, (creator, photographer) in enumerate(choices):
        make_tables(aws, f"{stage}-{number}", ProductsByCreator=creator, ProductsByPhotographer=photographer)
        contributions, _ = described(aws, f"{stage}-{number}")["Contributions"]
        found = {index["IndexName"] for index in contributions.get("GlobalSecondaryIndexes", [])}
        wanted = {"ProductsByCreator": creator, "ProductsByPhotographer": photographer}
        assert found == {name for name, value in wanted.items() if value == "true"}


def test_create_tables_changes_nothing_on_the_tables_of_the_template(aws, stage):
    make_tables(aws, stage)
    before = described(aws, stage)
    program.create_tables(f"dynamodb:{stage}", aws.environment)
    assert described(aws, stage) == before


@pytest.mark.all
def test_the_main_job_passes_on_the_tables_and_the_role_of_the_template(
    aws, stage, main_stream, start_on
):
    """With the options of a task that fills and serves, except that dead letters go to a file, where the check reads
    them."""
    make_tables(aws, stage)
    stream, records, expected = main_stream
    with iam.Recorder(aws.emulators) as recorder:
        one = stack_of(stage, stream)
        options = options_of(one, "TaskDefinition", without=["dead-letter"])

        def start(pair, *more):
            return start_on(pair, *options, *more, environment=recorder.environment)

        main_job = KinesisDynamodb(aws, stage, stream), records, expected
        check_main_job(main_job, start)
        found = iam.differences(one.statements("TaskRole"), recorder.calls())
    # unused rights are tested for the two policies of which this role consists
    assert [line for line in found if line.startswith("missing")] == []
