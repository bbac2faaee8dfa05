"""Enhanced fan-out of kinesis-local itself: over HTTP/1.1 as it is, and over TLS as HTTP/2 or HTTP/1.1 by ALPN."""

import random

import certificates
import cloud
import pytest
import reverse_proxies
import wait
import workload
from main_job import check_main_job
from model import fold
from pairs import KinesisDynamodb, assert_equal_to_model

OPTIONS = ("--fan-out", "view", "--failover-ms", "1000")
KILLS = 3

pytestmark = pytest.mark.all


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    return certificates.make(tmp_path_factory.mktemp("certificate"))


@pytest.fixture(params=["plain", "h2", "http/1.1"])
def transport(request, aws, certificate, tmp_path):
    """The environment of a service that reaches the emulator so."""
    if request.param == "plain":
        yield aws.environment
        return
    port = int(aws.emulators.kinesis_url.rpartition(":")[2])
    with reverse_proxies.Tls(tmp_path, port, certificate, request.param) as through:
        bundle = certificates.bundle(tmp_path, certificate)
        yield {**aws.environment, "AWS_ENDPOINT_URL_KINESIS": through.url, "AWS_CA_BUNDLE": bundle}


@pytest.fixture
def start_pushed(transport, make_on):
    """Starts services: start_pushed(pair, option...). One without a source needs no consumer."""

    def start(pair, *options):
        push = () if "none" in options else OPTIONS
        return make_on(pair, *push, *options, environment=transport).start()

    return start


@pytest.fixture
def pair(aws, tables, stream):
    return KinesisDynamodb(aws, tables, stream)


def assert_exact(pair, *daemons):
    pair.wait_until_checkpointed()
    letters = set().union(*(daemon.dead_letters() for daemon in daemons))
    assert_equal_to_model(pair, fold(pair.records()), letters)


def test_the_main_job_is_exact(aws, tables, main_stream, start_pushed):
    stream, records, expected = main_stream
    check_main_job((KinesisDynamodb(aws, tables, stream), records, expected), start_pushed)


def test_restarts_and_kills_lose_and_repeat_nothing(pair, start_pushed):
    rng, puts = random.Random(19), workload.generate(19, 1200)
    some = lambda: cloud.put(pair.aws.kinesis, pair.stream, [puts.pop(0) for _ in range(200)])  # noqa: E731
    applied = lambda daemon: daemon.metric("winner_view_events_total", result="applied")  # noqa: E731
    some()
    first = start_pushed(pair, "--batch-size", "10")
    assert_exact(pair, first)
    assert first.terminate()[0] == 0
    for _ in range(KILLS):
        some()
        daemon = start_pushed(pair, "--batch-size", "10")
        least = rng.randint(1, 50)
        wait.until(lambda daemon=daemon, least=least: applied(daemon) >= least, "some are applied", seen=daemon.log_tail)
        daemon.kill()
    some()
    last = start_pushed(pair)
    some()
    assert_exact(pair, first, last)


def test_two_workers_share_the_shards_and_one_takes_those_of_the_other(pair, start_pushed):
    puts = workload.generate(20, 600)
    cloud.put(pair.aws.kinesis, pair.stream, puts[:200])
    stays, leaves = start_pushed(pair), start_pushed(pair)
    owners = lambda: {lease.get("leaseOwner") for lease in pair.leases().values()}  # noqa: E731
    wait.until(lambda: len(owners()) == 2 and None not in owners(), "both have leases", seen=owners)
    cloud.put(pair.aws.kinesis, pair.stream, puts[200:400])
    leaves.kill()
    cloud.put(pair.aws.kinesis, pair.stream, puts[400:])
    assert_exact(pair, stays, leaves)
