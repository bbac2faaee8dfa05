"""A stream that is given by its ARN is called in the ARN's region."""

import pytest
import program
from model import fold
from pairs import FileSqlite, KinesisDynamodb, assert_equal_to_model
from small_shop import person, product, puts

LAMPS = puts(product("lamp", person("merchant", "Ann"), None, 3))
ELSEWHERE = "ap-southeast-2"


def scopes(proxy):
    """The regions and services for which the requests were signed."""
    return {tuple(request.header("Authorization").split("/")[2:4]) for request in proxy.requests}


def arn_of(aws, stream):
    summary = aws.kinesis.describe_stream_summary(StreamName=stream)["StreamDescriptionSummary"]
    return summary["StreamARN"]


@pytest.fixture
def shop(aws, tables, stream):
    pair = KinesisDynamodb(aws, tables, stream)
    pair.put(LAMPS)
    return pair


def test_a_stream_is_called_in_the_region_of_its_arn_and_the_tables_in_ours(aws, shop, start_on, proxies):
    arn = arn_of(aws, shop.stream)
    assert arn.split(":")[3] != ELSEWHERE
    environment = {**proxies.environment, "AWS_REGION": ELSEWHERE}
    daemon = start_on(shop, "--source", f"kinesis:{arn}", environment=environment)
    daemon.wait_until_applied()
    assert scopes(proxies.kinesis) == {(arn.split(":")[3], "kinesis")}
    assert scopes(proxies.dynamodb) == {(ELSEWHERE, "dynamodb")}
    assert_equal_to_model(shop, fold(shop.records()), daemon.dead_letters())


def test_an_arn_needs_no_other_region(aws, shop, make_on, tmp_path):
    pair = FileSqlite(tmp_path)
    daemon = make_on(pair, "--source", f"kinesis:{arn_of(aws, shop.stream)}", environment=aws.environment)
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        daemon.environment.pop(name, None)
    daemon.environment["AWS_CONFIG_FILE"] = "/dev/null"
    daemon.start().wait_until_applied()
    assert daemon.get("/contributions/lamp").json()["purchases"] == 3


@pytest.mark.parametrize(
    "arn, part",
    [
        ("arn:aws:kinesis::111122223333:stream/shop", "region"),
        ("arn:aws:dynamodb:eu-west-1:111122223333:table/shop", "service"),
        ("arn:aws:kinesis:eu-west-1:111122223333:stream/shop/consumer/view:1", "stream"),
    ],
)
def test_a_malformed_arn_is_refused_at_the_start(tmp_path, arn, part):
    done = program.run("--source", f"kinesis:{arn}", "--store", f"sqlite:{tmp_path}/view.db", timeout_s=20)
    (line,) = done.stderr.splitlines()
    assert done.returncode == 2 and "--source" in line and f"its {part}" in line and "REGION:ACCOUNT" in line
    assert list(tmp_path.iterdir()) == []
