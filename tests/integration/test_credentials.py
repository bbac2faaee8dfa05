"""AWS credentials: each provider through the command `credentials`, and a service with credentials that expire. The
endpoints that give them out are scripted, on the loopback interface."""

import datetime
import json
import time
import urllib.parse

import cloud
import key_sources
import program
import proxy
import pytest
import wait
import workload
from daemon import Daemon
from key_sources import FAR, SECRET, document, endpoint, files, instance, session
from sigv4 import parts, recomputed

NONE = {**key_sources.NONE, "AWS_REGION": "eu-west-1"}


def command(environment, home):
    done = program.run("credentials", environment={**NONE, "HOME": str(home), **environment})
    assert SECRET not in done.stdout + done.stderr
    return done


def fields(done):
    assert done.returncode == 0, done.stderr
    return dict(line.split(maxsplit=1) for line in done.stdout.replace("access key id", "key").splitlines())


# The command.


def test_keys_in_the_environment_are_used(tmp_path):
    done = command({"AWS_ACCESS_KEY_ID": "AKIAENV", "AWS_SECRET_ACCESS_KEY": SECRET}, tmp_path)
    assert fields(done) == {
        "provider": "environment",
        "key": "AKIAENV",
        "expires": "never",
        "region": "eu-west-1",
        "profile": "default",
    }
    assert not done.stderr


def test_a_profiles_keys_and_region_are_used(tmp_path):
    where = files(
        tmp_path,
        "[profile dev]\nregion = ap-south-1\n",
        f"[dev]\naws_access_key_id = AKIADEV\naws_secret_access_key = {SECRET}\n",
    )
    shown = fields(command({**where, "AWS_PROFILE": "dev", "AWS_REGION": ""}, tmp_path))
    assert (shown["provider"], shown["key"], shown["region"], shown["profile"]) == (
        "shared files",
        "AKIADEV",
        "ap-south-1",
        "dev",
    )


def test_keys_in_the_environment_win_over_a_named_profile_with_a_warning(tmp_path):
    where = files(tmp_path, "[profile dev]\n")
    keys = {"AWS_ACCESS_KEY_ID": "AKIAENV", "AWS_SECRET_ACCESS_KEY": SECRET}
    done = command({**where, **keys, "AWS_PROFILE": "dev"}, tmp_path)
    assert fields(done)["provider"] == "environment"
    (line,) = done.stderr.splitlines()
    assert "AWS_PROFILE is 'dev'" in line and "AWS_ACCESS_KEY_ID" in line


def test_a_credential_process_gives_keys_and_their_expiry(tmp_path):
    answer = {"Version": 1, "AccessKeyId": "ASIAPROC", "SecretAccessKey": SECRET, "Expiration": FAR}
    (tmp_path / "answer.json").write_text(json.dumps(answer))
    where = files(tmp_path, f'[default]\ncredential_process = cat "{tmp_path}/answer.json"\n')
    shown = fields(command(where, tmp_path))
    assert shown["provider"] == "credential_process of profile 'default'" and shown["key"] == "ASIAPROC"
    assert shown["expires"].startswith("2099-01-01T00:00:00.000Z (in ")


def test_expired_keys_are_shown_as_such(tmp_path):
    """They are no error here: this machine's clock may be wrong, and AWS may accept them."""
    shown = fields(command(process_that_prints(tmp_path, Expiration="2020-01-01T00:00:00Z"), tmp_path))
    assert shown["expires"].startswith("2020-01-01T00:00:00.000Z (") and shown["expires"].endswith(" min ago)")


def test_a_failing_credential_process_is_reported_with_its_stderr(tmp_path):
    where = files(
        tmp_path, f"[default]\ncredential_process = sh -c 'echo {SECRET}; echo no card >&2; exit 2'\n"
    )
    done = command(where, tmp_path)
    assert done.returncode == 1 and "ended with status 2: no card" in done.stderr


def test_a_role_is_assumed_by_a_request_signed_as_botocore_signs_it(tmp_path):
    with endpoint(lambda request: (200, session("ASIAROLE"))) as sts:
        where = files(
            tmp_path,
            "[profile dev]\nrole_arn = arn:aws:iam::1:role/x\nsource_profile = base\nexternal_id = a=b&c/d e\n",
            f"[base]\naws_access_key_id = AKIABASE\naws_secret_access_key = {SECRET}-base\n"
            f"aws_session_token = {SECRET}-token\n",
        )
        shown = fields(
            command(
                {**where, "AWS_PROFILE": "dev", "AWS_ENDPOINT_URL_STS": sts.url, "http_proxy": ""}, tmp_path
            )
        )
        assert shown["provider"] == "AssumeRole of role 'arn:aws:iam::1:role/x'"
        assert shown["key"] == "ASIAROLE"
        (request,) = sts.requests
    form = dict(urllib.parse.parse_qsl(request.body.decode(), strict_parsing=True))
    assert form.pop("RoleSessionName").startswith("winner-view-")
    assert form == {
        "Action": "AssumeRole",
        "Version": "2011-06-15",
        "RoleArn": "arn:aws:iam::1:role/x",
        "ExternalId": "a=b&c/d e",
    }
    key, _, region, name, signed, signature = parts(request)
    assert (key, region, name) == ("AKIABASE", "eu-west-1", "sts")
    assert {"host", "x-amz-date", "content-type", "x-amz-security-token"} <= set(signed.split(";"))
    assert signature == recomputed(request, secret=f"{SECRET}-base")
    assert signature != recomputed(request, secret=f"{SECRET}-other")


def test_a_refusal_of_sts_is_reported_with_its_name_and_request_id(tmp_path):
    refusal = (
        b"<ErrorResponse><Error><Code>AccessDenied</Code><Message>not you</Message></Error>"
        b"<RequestId>R-77</RequestId></ErrorResponse>"
    )
    with endpoint(lambda request: (403, refusal)) as sts:
        where = files(
            tmp_path,
            "[default]\nrole_arn = r\nsource_profile = base\n",
            f"[base]\naws_access_key_id = AKIABASE\naws_secret_access_key = {SECRET}\n",
        )
        done = command({**where, "AWS_ENDPOINT_URL_STS": sts.url, "http_proxy": ""}, tmp_path)
    assert done.returncode == 1
    line = json.loads(done.stderr)
    assert (line["error"], line["requestId"]) == ("AccessDenied", "R-77") and "not you" in line["msg"]


def test_a_web_identity_is_exchanged_without_a_signature(tmp_path):
    (tmp_path / "token").write_text(f"{SECRET}.jwt\n")
    with endpoint(lambda request: (200, session("ASIAWEB"))) as sts:
        where = {
            "AWS_WEB_IDENTITY_TOKEN_FILE": str(tmp_path / "token"),
            "AWS_ROLE_ARN": "arn:aws:iam::1:role/pod",
            "AWS_ENDPOINT_URL_STS": sts.url,
            "http_proxy": "",
        }
        assert fields(command(where, tmp_path))["key"] == "ASIAWEB"
        (request,) = sts.requests
    form = dict(urllib.parse.parse_qsl(request.body.decode(), strict_parsing=True))
    assert form["Action"] == "AssumeRoleWithWebIdentity" and form["WebIdentityToken"] == f"{SECRET}.jwt"
    assert request.header("Authorization") is None


def test_a_container_endpoint_is_asked_with_the_token_of_a_file(tmp_path):
    (tmp_path / "token").write_text(f"{SECRET}-pod\n")
    with endpoint(lambda request: (200, document("ASIAPOD"))) as agent:
        where = {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": agent.url + "/v1/credentials",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(tmp_path / "token"),
        }
        shown = fields(command(where, tmp_path))
        (request,) = agent.requests
    assert (shown["provider"], shown["key"]) == ("container endpoint", "ASIAPOD")
    assert (request.method, request.target) == ("GET", "/v1/credentials")
    assert request.header("Authorization") == f"{SECRET}-pod"


def test_a_container_endpoint_that_is_not_local_is_refused(tmp_path):
    where = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1.example.com/v1/credentials"}
    done = command(where, tmp_path)
    assert done.returncode == 1 and "127.0.0.1.example.com" in done.stderr and "[::1]" in done.stderr


def test_an_instances_role_is_read_from_its_metadata(tmp_path):
    with endpoint(instance(lambda: document("ASIAEC2"))) as imds:
        where = {"AWS_EC2_METADATA_DISABLED": "", "AWS_EC2_METADATA_SERVICE_ENDPOINT": imds.url + "/"}
        shown = fields(command(where, tmp_path))
        assert imds.requests[0].header("X-aws-ec2-metadata-token-ttl-seconds") == "21600"
    assert (shown["provider"], shown["key"]) == ("EC2 instance metadata, role 'shop'", "ASIAEC2")


def test_without_credentials_the_error_lists_where_they_were_looked_for(tmp_path):
    done = command({"AWS_CONFIG_FILE": "", "AWS_SHARED_CREDENTIALS_FILE": ""}, tmp_path)
    assert done.returncode == 1 and not done.stdout
    for word in [
        "AWS_ACCESS_KEY_ID",
        "role_arn",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        f"{tmp_path}/.aws/credentials",
        f"{tmp_path}/.aws/config",
        "credential_process",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_EC2_METADATA_DISABLED",
    ]:
        assert word in done.stderr, word


# What cannot stand in a header.

BREAK = "\r\nX-Injected: 1\r\n"


def process_that_prints(tmp_path, **members):
    answer = {"Version": 1, "AccessKeyId": "ASIAPROC", "SecretAccessKey": SECRET, **members}
    (tmp_path / "answer.json").write_text(json.dumps(answer))
    return files(tmp_path, f'[default]\ncredential_process = cat "{tmp_path}/answer.json"\n')


def of_environment(**members):
    return lambda tmp_path, server: {"AWS_ACCESS_KEY_ID": "K", "AWS_SECRET_ACCESS_KEY": SECRET, **members}


def of_file(tmp_path, _):
    return files(tmp_path, "", f"[default]\naws_access_key_id = K\naws_secret_access_key = {SECRET}\x01a\n")


def of_container(tmp_path, server):
    return {"AWS_CONTAINER_CREDENTIALS_FULL_URI": server.url + "/keys"}


def of_token_variable(tmp_path, server):
    return {**of_container(tmp_path, server), "AWS_CONTAINER_AUTHORIZATION_TOKEN": SECRET + BREAK + "x"}


def of_token_file(tmp_path, server):
    (tmp_path / "token").write_text(SECRET + BREAK + "x")
    return {**of_container(tmp_path, server), "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(tmp_path / "token")}


def of_web_identity(tmp_path, server):
    (tmp_path / "token").write_text(SECRET + BREAK + "x")
    token = {"AWS_WEB_IDENTITY_TOKEN_FILE": str(tmp_path / "token"), "AWS_ROLE_ARN": "r"}
    return {**token, "AWS_ENDPOINT_URL_STS": server.url}


@pytest.mark.parametrize(
    "make, named",
    [
        (of_environment(AWS_ACCESS_KEY_ID="K" + BREAK + "x"), "AWS_ACCESS_KEY_ID has a line break"),
        (of_environment(AWS_SECRET_ACCESS_KEY=SECRET + "\x01x"), "AWS_SECRET_ACCESS_KEY has a character"),
        (of_environment(AWS_SESSION_TOKEN=SECRET + BREAK + "x"), "AWS_SESSION_TOKEN has a line break"),
        (of_environment(AWS_SESSION_TOKEN=SECRET + "\u00e9x"), "AWS_SESSION_TOKEN has a character"),
        (of_file, "credentials': aws_secret_access_key has a character"),
        (
            lambda tmp_path, _: process_that_prints(tmp_path, SessionToken=SECRET + BREAK + "x"),
            "credential_process of profile 'default': SessionToken has a line break",
        ),
        (of_container, "/keys: Token has a line break"),
        (of_token_variable, "AWS_CONTAINER_AUTHORIZATION_TOKEN has a line break"),
        (of_token_file, "token': it has a line break"),
        (of_web_identity, "token': it has a line break"),
    ],
)
def test_a_text_that_cannot_stand_in_a_header_is_an_error_before_anything_is_sent(tmp_path, make, named):
    def answer(request):
        if request.target != "/keys":
            return 400, b'{"__type":"AccessDeniedException"}'
        members = {"AccessKeyId": "K", "SecretAccessKey": SECRET, "Token": SECRET + BREAK + "x", "Expiration": FAR}
        return 200, json.dumps(members).encode()

    with endpoint(answer) as server:
        where = {**NONE, "http_proxy": "", "AWS_ENDPOINT_URL": server.url, **make(tmp_path, server)}
        service = program.run("create-tables", "--store", "dynamodb:t", environment=where)
        shown = command(where, tmp_path)
        assert [request.target for request in server.requests if request.target != "/keys"] == []
        assert not any(request.header("X-Injected") for request in server.requests)
    assert service.returncode == shown.returncode == 1
    assert SECRET not in service.stdout + service.stderr
    for done in (service, shown):
        assert named in json.loads(done.stderr)["msg"] and "printable ASCII" in done.stderr


def test_white_space_around_keys_and_region_is_no_part_of_them(tmp_path):
    with endpoint(lambda _: (400, b'{"__type":"AccessDeniedException"}')) as server:
        where = {"AWS_ACCESS_KEY_ID": " AKIAENV\n", "AWS_SECRET_ACCESS_KEY": f"{SECRET}\r\n"}
        more = {"AWS_SESSION_TOKEN": f"\t{SECRET}-token\n", "AWS_REGION": "eu-west-1\n"}
        where = {**NONE, **where, **more, "http_proxy": "", "AWS_ENDPOINT_URL": server.url}
        program.run("create-tables", "--store", "dynamodb:t", environment=where)
        request = server.requests[0]
    key, _, region, *_ = parts(request)
    assert (key, region, request.header("X-Amz-Security-Token")) == ("AKIAENV", "eu-west-1", f"{SECRET}-token")
    assert parts(request)[-1] == recomputed(request, secret=SECRET)
    assert fields(command(where, tmp_path))["key"] == "AKIAENV"


# A service that runs on credentials which expire.


class Agent:
    """A container endpoint. Each answer has a new key that is valid for `life_s`. It can fail, or not answer."""

    def __init__(self):
        self.life_s, self.fails, self.silent_s, self.asked = 3600, False, 0, 0
        self.given, self.given_at = [], []

    def __call__(self, _):
        self.asked += 1
        if self.silent_s:
            time.sleep(self.silent_s)
        if self.fails:
            return 400, b'{"code":"Locked","message":"come back later"}'
        now = datetime.datetime.now(datetime.timezone.utc)
        expires = now + datetime.timedelta(seconds=self.life_s)
        self.given.append(f"ASIAGIVEN{len(self.given)}")
        self.given_at.append(time.monotonic())
        return 200, document(self.given[-1], expires.strftime("%Y-%m-%dT%H:%M:%S.%fZ"))


@pytest.fixture
def agent():
    return Agent()


def environment_of(server):
    return {**NONE, "AWS_REGION": "us-east-1", "AWS_CONTAINER_CREDENTIALS_FULL_URI": server.url + "/x"}


def keys_used(server, since=0):
    return [parts(request)[0] for request in list(server.requests)[since:]]


@pytest.mark.parametrize("provider", ["container", "instance", "web identity"])
def test_a_service_starts_when_a_provider_that_gave_other_answers_gives_credentials(
    tmp_path, tables, stream, start, agent, provider
):
    """A 200 that is no answer is a failed call, as of a network that is not up yet."""
    others = iter([b"", b"null", b"<!DOCTYPE html><html>Sign in</html>"])
    answers = {
        "container": agent,
        "instance": instance(lambda: document("ASIAEC2")),
        "web identity": lambda request: (200, session("ASIAWEB")),
    }

    def answer(request):
        other = next(others, None)
        return answers[provider](request) if other is None else (200, other)

    (tmp_path / "token").write_text("jwt")
    with endpoint(answer) as server:
        where = {
            "container": {"AWS_CONTAINER_CREDENTIALS_FULL_URI": server.url + "/x"},
            "instance": {"AWS_EC2_METADATA_DISABLED": "", "AWS_EC2_METADATA_SERVICE_ENDPOINT": server.url},
            "web identity": {
                "AWS_WEB_IDENTITY_TOKEN_FILE": str(tmp_path / "token"),
                "AWS_ROLE_ARN": "arn:aws:iam::1:role/pod",
                "AWS_ENDPOINT_URL_STS": server.url,
            },
        }[provider]
        start(tables, stream, environment={**NONE, "AWS_REGION": "us-east-1", "http_proxy": "", **where})
        assert next(others, None) is None


def test_credentials_are_refreshed_ahead_of_their_expiry_and_every_request_is_signed_with_valid_ones(
    aws, tables, stream, start, agent
):
    agent.life_s = 4
    with endpoint(agent) as server, proxy.Proxy(aws.emulators.kinesis_url) as kinesis:
        daemon = start(
            tables,
            stream,
            environment={**environment_of(server), "AWS_ENDPOINT_URL_KINESIS": kinesis.url, "http_proxy": ""},
        )
        cloud.put(aws.kinesis, stream, workload.generate(seed=3, events=50))
        daemon.wait_until_applied()
        wait.until(lambda: len(agent.given) >= 4 and agent.given[3] in keys_used(kinesis), "4 keys in use")
        used = keys_used(kinesis)
        assert set(used) <= set(agent.given)
        order = sorted(set(used), key=used.index)
        assert order == agent.given[: len(order)]  # in the order in which they were given
        gaps = [later - earlier for earlier, later in zip(agent.given_at, agent.given_at[1:])]
        assert max(gaps) < 3.5, gaps  # each before the previous key expired
        assert daemon.health().get("troubles", []) == [] and "refresh" not in daemon.log()
        success = daemon.metric("winner_view_aws_credentials_refreshes_total", result="success")
        assert success >= 4
        expiry = daemon.metric("winner_view_aws_credentials_expiry_timestamp_seconds")
        assert 0 < expiry - time.time() <= 4
        assert daemon.metric("winner_view_aws_credentials_refreshes_total", result="failure") == 0


def test_a_failing_refresh_keeps_the_old_credentials_and_is_a_trouble_until_it_succeeds(
    aws, tables, stream, start, agent
):
    agent.life_s = 6
    with endpoint(agent) as server:
        daemon = start(tables, stream, environment={**environment_of(server), "http_proxy": ""})
        agent.fails = True
        agent.life_s = 3600

        def trouble():
            return [t for t in json.dumps(daemon.health()).split('"') if "Locked: come back later" in t]

        wait.until(lambda: any("the old ones expire at" in t for t in trouble()), "trouble in /healthz")
        assert daemon.get("/scores/merchant").status == 200
        cloud.put(aws.kinesis, stream, workload.generate(seed=4, events=20))
        daemon.wait_until_applied()  # with the old credentials
        wait.until(lambda: any("the old ones have expired" in t for t in trouble()), "expired in /healthz")

        def lines():
            return [line for line in daemon.log().splitlines() if "come back later" in line and "old ones" in line]

        wait.until(lambda: len(lines()) == 2, "two lines")  # when it began to fail, and when the old ones expired
        assert agent.asked > 3

        agent.fails = False
        wait.until(lambda: not trouble(), "mended", timeout_s=30)
        daemon.wait_until_applied()
        assert len(lines()) == 2 and "were refreshed from container endpoint" in daemon.log()
        assert SECRET not in daemon.log()


def test_a_first_fetch_that_hangs_does_not_delay_the_exit(aws, tables, stream, make_daemon, agent):
    agent.silent_s = 30
    with endpoint(agent) as server:
        daemon = make_daemon(tables, stream, environment={**environment_of(server), "http_proxy": ""})
        Daemon.start(daemon, ready=False)
        wait.until(lambda: agent.asked > 0, "asked")
        status, seconds = daemon.terminate()
        assert status == 0 and seconds < 2


def test_a_refresh_that_hangs_does_not_delay_the_exit(aws, tables, stream, start, agent):
    agent.life_s = 4
    with endpoint(agent) as server:
        daemon = start(tables, stream, environment={**environment_of(server), "http_proxy": ""})
        agent.silent_s = 30
        asked = agent.asked
        wait.until(lambda: agent.asked > asked, "asked again")
        status, seconds = daemon.terminate()
        assert status == 0 and seconds < 5, daemon.log()
