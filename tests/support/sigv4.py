"""The signature of a request that arrived, taken apart and computed again by botocore (Signature Version 4)."""

import re

import botocore.auth
import botocore.awsrequest
import botocore.credentials

KEY, SECRET, TOKEN = (
    "AKIDSIGNINGTEST00001",
    "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
    "a/session+token==" * 8,
)
CREDENTIALS = {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_SESSION_TOKEN": TOKEN}
MUST_BE_SIGNED = {"host", "x-amz-date", "x-amz-target", "x-amz-security-token"}
AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/([^/]+)/aws4_request, ?"
    r"SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{64})"
)


def parts(request):
    """(key id, date, region, service, signed headers, signature)"""
    return AUTHORIZATION.fullmatch(request.header("Authorization")).groups()


def recomputed(request, secret=SECRET):
    """The signature that botocore makes of the signed headers and the body as they arrived."""
    key, _, region, service, signed, _ = parts(request)
    headers = {name: request.header(name) for name in signed.split(";")}
    aws_request = botocore.awsrequest.AWSRequest(
        method=request.method,
        url=f"http://{request.header('Host')}{request.target}",
        data=request.body,
        headers=headers,
    )
    aws_request.context["timestamp"] = request.header("X-Amz-Date")
    signer = botocore.auth.SigV4Auth(botocore.credentials.Credentials(key, secret, TOKEN), service, region)
    to_sign = signer.string_to_sign(aws_request, signer.canonical_request(aws_request))
    return signer.signature(to_sign, aws_request)
