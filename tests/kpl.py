"""The npm package aws-kinesis-agg, a writer and a reader of KPL records by others than us.

    kpl.run([("pack", parts), ("unpack", data), ...])       # the answers, in order

The package and all that it needs are pinned by tests/kpl/package-lock.json with their integrity hashes, which
`npm ci` checks; no script of theirs runs at the installation.
"""

import base64
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import tempfile

import emulators
from aggregated import Part

SOURCE = pathlib.Path(__file__).resolve().parent / "kpl"
NPM = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]


def folder():
    """Where it is installed; installs it if it is not."""
    files = sorted(SOURCE.iterdir())
    name = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:16]
    target = emulators.cache_folder() / f"kpl-{name}"
    if target.is_dir():
        return target
    emulators.cache_folder().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=emulators.cache_folder(), prefix="kpl-") as work:
        made = pathlib.Path(work) / "made"
        shutil.copytree(SOURCE, made)
        subprocess.run(NPM, cwd=made, check=True, timeout=600)
        try:
            made.rename(target)
        except OSError:  # somebody was faster
            if not target.is_dir():
                raise
    return target


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
        cwd=folder(),
        env={**os.environ, "NODE_OPTIONS": ""},
        input=lines,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return [answer(json.loads(line)) for line in done.stdout.splitlines()]
