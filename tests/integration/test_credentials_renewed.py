"""A running service whose keys stop working: each kind of source is asked again."""

import contextlib
import json
import os
import time

import clock_shim
import cloud
import pytest
import wait
import workload
from key_sources import NONE, SECRET, Gate, document, endpoint, files, instance, section, session
from sigv4 import parts

OLD, NEW = "ASIAOLD", "ASIANEW"


class Source:
    """Where the keys are, and what the program needs to find them there. `write(key)` replaces them."""

    def __init__(self, folder):
        self.folder, self.key, self.fetches = folder, OLD, 0
        self.document = document

    def replace(self, name, text):
        """As other tools do it: a new file takes the place of the old one."""
        (self.folder / "new").write_text(text)
        os.replace(self.folder / "new", self.folder / name)

    def write(self, key):
        self.key = key

    def fetch(self):
        self.fetches += 1
        return self.document(self.key)


class SharedFile(Source):
    @contextlib.contextmanager
    def environment(self):
        self.write(OLD)
        yield files(self.folder, "", f"[default]\n{section(OLD)}")

    def write(self, key):
        self.replace("credentials", f"[default]\n{section(key)}")


class Process(Source):
    @contextlib.contextmanager
    def environment(self):
        self.write(OLD)
        yield files(self.folder, f'[default]\ncredential_process = cat "{self.folder}/answer.json"\n')

    def write(self, key):
        self.replace("answer.json", json.dumps({"Version": 1, **json.loads(document(key))}))


class Role(Source):
    """STS answers by the key that signs: a role of the keys in a source profile, which another tool renews."""

    @contextlib.contextmanager
    def environment(self):
        def answer(request):
            old = "OLD/" in request.header("Authorization")
            return 200, session(OLD if old else NEW)

        with endpoint(answer) as sts:
            config = "[default]\nrole_arn = r\nsource_profile = one\n[profile one]\nrole_arn = q\nsource_profile = two\n"
            yield {**files(self.folder, config), "AWS_ENDPOINT_URL_STS": sts.url, "http_proxy": ""}

    def write(self, key):
        self.replace("credentials", f"[two]\n{section('ASIABASE' + key[4:])}")


class WebIdentity(Source):
    """STS gives the key by the token in the file."""

    @contextlib.contextmanager
    def environment(self):
        def answer(request):
            return 200, session(OLD if b"token-ASIAOLD" in request.body else NEW)

        self.write(OLD)
        with endpoint(answer) as sts:
            yield {
                "AWS_WEB_IDENTITY_TOKEN_FILE": str(self.folder / "token"),
                "AWS_ROLE_ARN": "arn:aws:iam::1:role/pod",
                "AWS_ENDPOINT_URL_STS": sts.url,
                "http_proxy": "",
            }

    def write(self, key):
        self.replace("token", f"token-{key}\n")


class Container(Source):
    @contextlib.contextmanager
    def environment(self):
        with endpoint(lambda _: (200, self.fetch())) as agent:
            yield {"AWS_CONTAINER_CREDENTIALS_FULL_URI": agent.url + "/x", "http_proxy": ""}


class Instance(Source):
    @contextlib.contextmanager
    def environment(self):
        with endpoint(instance(self.fetch)) as imds:
            yield {
                "AWS_EC2_METADATA_DISABLED": "",
                "AWS_EC2_METADATA_SERVICE_ENDPOINT": imds.url,
                "http_proxy": "",
            }


@pytest.fixture
def gated(proxies):
    """Both services refuse other keys than the gate accepts."""
    gate = Gate(OLD)
    proxies.dynamodb.layers = proxies.kinesis.layers = [gate]
    return gate


def run(start, tables, stream, proxies, more):
    addresses = {name: value for name, value in proxies.environment.items() if "ENDPOINT" in name}
    return start(tables, stream, environment={**NONE, **addresses, "http_proxy": "", **more})


@pytest.mark.parametrize("error", ["ExpiredTokenException", "UnrecognizedClientException"])
@pytest.mark.parametrize("kind", [SharedFile, Process, Role, WebIdentity, Container, Instance])
def test_refused_keys_are_fetched_again_and_the_service_goes_on(
    aws, tables, stream, start, proxies, gated, tmp_path, kind, error
):
    source = kind(tmp_path)
    gated.error = error
    with source.environment() as where:
        source.write(OLD)
        daemon = run(start, tables, stream, proxies, where)
        cloud.put(aws.kinesis, stream, workload.generate(seed=5, events=50))
        daemon.wait_until_applied()
        source.write(NEW)
        gated.accepted = NEW
        cloud.put(aws.kinesis, stream, workload.generate(seed=6, events=50))
        daemon.wait_until_applied(timeout_s=20)
        assert daemon.get("/scores/merchant").status == 200
        assert gated.refused > 0
        proxies.assert_exact(tables, stream, daemon)
        assert SECRET not in daemon.log()


def trouble(daemon):
    found = [t["reason"] for t in daemon.health().get("troubles", []) if t["name"] == "aws credentials"]
    return found[0] if found else ""


def test_a_file_that_is_broken_when_it_is_read_again_is_a_trouble_until_it_is_whole(
    aws, tables, stream, start, proxies, gated, tmp_path
):
    source = SharedFile(tmp_path)
    with source.environment() as where:
        daemon = run(start, tables, stream, proxies, where)
        daemon.wait_until_applied()
        source.replace("credentials", "[default]\naws_access_key_id = ASIANEW\naws_secr")
        gated.accepted = NEW
        wait.until(lambda: f"'{tmp_path}/credentials': line 3" in trouble(daemon), "the file and the line")
        assert "; the old ones are used" in trouble(daemon)
        source.write(NEW)
        cloud.put(aws.kinesis, stream, workload.generate(seed=6, events=50))
        daemon.wait_until_applied()
        assert trouble(daemon) == ""
        proxies.assert_exact(tables, stream, daemon)


def test_keys_that_are_refused_and_have_no_successor_are_a_trouble(tables, stream, start, proxies, gated, tmp_path):
    source = SharedFile(tmp_path)
    with source.environment() as where:
        daemon = run(start, tables, stream, proxies, where)
        daemon.wait_until_applied()
        gated.accepted = NEW
        text = f"access key id '{OLD}' is still there, which AWS refuses (UnrecognizedClientException)"
        wait.until(lambda: text in trouble(daemon), "the trouble")
        assert daemon.metric("winner_view_aws_credentials_refreshes_total", result="failure") == 1
        assert SECRET not in daemon.log()


# Expired keys.

HOUR_MS = 3_600_000


def in_ms(ms):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + ms / 1000))


@pytest.mark.parametrize("hours", [8, -8])
@pytest.mark.parametrize("kind", [Container, Instance])
def test_a_wrong_clock_neither_ends_nor_prolongs_the_life_of_keys(
    aws, tables, stream, start, proxies, tmp_path, kind, hours
):
    clocks = clock_shim.Clocks(tmp_path)
    clocks.step(real_ms=hours * HOUR_MS)
    source = kind(tmp_path)
    source.document = lambda key: document(key, in_ms(10_000 if source.fetches == 1 else HOUR_MS))
    with source.environment() as where:
        daemon = run(start, tables, stream, proxies, {**where, **clocks.environment})
        cloud.put(aws.kinesis, stream, workload.generate(seed=5, events=50))
        wait.until(lambda: source.fetches == 2, "the refresh before the expiry")
        clocks.right()
        clocks.step(real_ms=-hours * HOUR_MS)
        daemon.wait_until_applied()
        assert daemon.health().get("troubles", []) == []
        assert source.fetches == 2
        proxies.assert_exact(tables, stream, daemon)


def test_expired_keys_of_the_metadata_service_are_used(aws, tables, stream, start, proxies, tmp_path):
    source = Instance(tmp_path)
    source.document = lambda key: document(key, "2020-01-01T00:00:00Z")
    with source.environment() as where:
        daemon = run(start, tables, stream, proxies, where)
        cloud.put(aws.kinesis, stream, workload.generate(seed=5, events=50))
        daemon.wait_until_applied()
        proxies.assert_exact(tables, stream, daemon)
        assert source.fetches == 1  # it is asked again in minutes
        assert daemon.get("/scores/merchant").status == 200


def test_an_expiry_in_a_shared_file_is_not_read(aws, tables, stream, start, proxies, tmp_path):
    past = "x_security_token_expires = 2020-01-01T00:00:00Z\naws_expiration = 2020-01-01T00:00:00Z\n"
    where = files(tmp_path, "", f"[default]\n{section(OLD)}{past}")
    daemon = run(start, tables, stream, proxies, where)
    daemon.wait_until_applied()
    assert {parts(request)[0] for request in proxies.kinesis.requests} == {OLD}
