"""Every request is signed as botocore signs it, recomputed from the bytes that arrived."""

import datetime

import cloud
import pytest
import sigv4
import workload
from sigv4 import KEY, MUST_BE_SIGNED, SECRET, TOKEN, parts, recomputed

@pytest.fixture
def recorded(aws, tables, stream, start, proxies):
    """{service: the requests of a daemon that reads a few records and serves a board}"""
    cloud.put(aws.kinesis, stream, workload.generate(seed=9, events=200))
    daemon = start(tables, stream, environment={**proxies.environment, **sigv4.CREDENTIALS})
    daemon.wait_until_applied()
    daemon.get("/scores/merchant")
    daemon.terminate()
    yield {"dynamodb": list(proxies.dynamodb.requests), "kinesis": list(proxies.kinesis.requests)}


def test_every_signature_equals_the_one_that_botocore_computes(recorded):
    for service, requests in recorded.items():
        assert len(requests) > 5
        for request in requests:
            key, date, region, scope_service, signed, signature = parts(request)
            assert (key, region, scope_service) == (KEY, "us-east-1", service)
            assert MUST_BE_SIGNED <= set(signed.split(";")) and signed.split(";") == sorted(signed.split(";"))
            assert request.header("X-Amz-Security-Token") == TOKEN
            assert request.header("X-Amz-Date").startswith(date)
            sent = datetime.datetime.strptime(request.header("X-Amz-Date"), "%Y%m%dT%H%M%SZ")
            age = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None) - sent
            assert abs(age.total_seconds()) < 600
            assert signature == recomputed(request)
    operations = {request.operation for requests in recorded.values() for request in requests}
    assert {"GetRecords", "GetShardIterator", "ListShards", "UpdateItem", "Query"} <= operations


def test_the_check_detects_another_secret_and_another_byte(recorded):
    request = recorded["kinesis"][0]
    assert parts(request)[-1] != recomputed(request, secret=SECRET[:-1])
    request.body += b" "
    assert parts(request)[-1] != recomputed(request)
