"""The npm package aws-kinesis-agg: a foreign writer and reader of records of the Kinesis Producer Library.

    kpl.run([("pack", parts), ("unpack", data), ...])       # the answers, in order

Pinned by tests/support/kpl/package-lock.json (see npm.py).
"""

import base64
import json
import os
import subprocess

import npm
from aggregated import Part


def to_json(part):
    value = {"partitionKey": part.partition_key, "data": base64.b64encode(part.data).decode()}
    if part.explicit_hash_key is not None:
        value["explicitHashKey"] = str(part.explicit_hash_key)
    return value


def from_json(value):
    hash_key = value.get("explicitHashKey")
    return Part(value["partitionKey"], base64.b64decode(value["data"]), int(hash_key) if hash_key else None)


def request(operation, content):
    if operation == "pack":
        return {"pack": [to_json(part) for part in content]}
    return {"unpack": base64.b64encode(content).decode()}


def answer(value):
    """Packed bytes, unpacked parts, or the error's text."""
    if "data" in value:
        return base64.b64decode(value["data"])
    return [from_json(part) for part in value["parts"]] if "parts" in value else value["error"]


def run(requests):
    lines = "".join(json.dumps(request(*one)) + "\n" for one in requests)
    done = subprocess.run(
        ["node", "kpl.js"],
        cwd=npm.folder("kpl"),
        env={**os.environ, "NODE_OPTIONS": ""},
        input=lines,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return [answer(json.loads(line)) for line in done.stdout.splitlines()]
