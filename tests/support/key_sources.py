"""Where a program gets its AWS keys from, scripted on the loopback interface and in files; and services that refuse keys."""

import contextlib
import json

import proxy
from sigv4 import parts

SECRET = "hidden/secret+of"  # the prefix of every secret and token here, which must not be printed
FAR = "2099-01-01T00:00:00Z"
NONE = {
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "",
    "AWS_PROFILE": "",
    "AWS_ACCESS_KEY_ID": "",
    "AWS_SECRET_ACCESS_KEY": "",
    "AWS_SESSION_TOKEN": "",
    "AWS_CONFIG_FILE": "/dev/null",
    "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    "AWS_EC2_METADATA_DISABLED": "true",
    "http_proxy": "http://127.0.0.1:9",  # metadata is never fetched through a proxy
    "no_proxy": "",
}


def document(key, expires=FAR):
    """The answer of the container endpoint and of instance metadata."""
    members = {"AccessKeyId": key, "SecretAccessKey": f"{SECRET}-{key}", "Token": f"{SECRET}-token"}
    return json.dumps({"Code": "Success", **members, "Expiration": expires}).encode()


def session(key):
    """The answer of STS."""
    return (
        '<R xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>'
        f"<AccessKeyId>{key}</AccessKeyId><SecretAccessKey>{SECRET}-{key}</SecretAccessKey>"
        f"<SessionToken>{SECRET}-token</SessionToken><Expiration>{FAR}</Expiration>"
        "</Credentials></AssumeRoleResult></R>"
    ).encode()


def section(key):
    """The settings of a profile that has this key."""
    return f"aws_access_key_id = {key}\naws_secret_access_key = {SECRET}-{key}\naws_session_token = {SECRET}\n"


def files(folder, config, credentials=""):
    (folder / "config").write_text(config)
    (folder / "credentials").write_text(credentials)
    return {
        "AWS_CONFIG_FILE": str(folder / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(folder / "credentials"),
    }


@contextlib.contextmanager
def endpoint(answer):
    """A server that replies with `answer(request)`: (status, body)."""
    with proxy.Proxy("http://127.0.0.1:9") as server:

        def on_request(request):
            reply = answer(request)
            request.reply_status, request.reply_body = reply
            return reply

        server.on_request = on_request
        yield server


def instance(document):
    """Instance metadata, version 2 only, whose role has the keys that `document()` returns."""
    folder = "/latest/meta-data/iam/security-credentials/"

    def answer(request):
        if request.method == "PUT" and request.target == "/latest/api/token":
            return 200, b"imds-token"
        if request.header("X-aws-ec2-metadata-token") != "imds-token":
            return 401, b""
        if request.target == folder:
            return 200, b"shop"
        return (200, document()) if request.target == folder + "shop" else (404, b"")

    return answer


class Gate:
    """A layer of proxies (support/proxy.py): calls that are signed with another key than `accepted` are refused."""

    def __init__(self, accepted, error="UnrecognizedClientException"):
        self.accepted, self.error, self.refused = accepted, error, 0

    def __call__(self, request, proceed):
        if parts(request)[0] == self.accepted:
            return proceed(request)
        self.refused += 1
        body = {"__type": f"com.amazon.coral.service#{self.error}", "message": "not these keys"}
        return proxy.Reply(400, [("Content-Type", "application/x-amz-json-1.0")], json.dumps(body).encode())
