"""The commands of deploy/README.md, run line by line, end with rows in the tables and scores over HTTP."""

import json
import os
import pathlib
import shutil
import subprocess

import cloud
import emulators
import model
import operators_page
import pairs
import program
import pytest
import workload
from small_shop import event, person, product, puts

MISSING = [name for name in ("aws", "jq", "curl") if not shutil.which(name)]
LAMPS = puts(product("lamp", person("merchant", "Ann"), None, 3))
BROKEN = workload.to_put({**event(model.PURCHASE, "lamp", person("customer", "Cy")), "data": {"schema": model.PURCHASE}}, "lamp", "")


@pytest.mark.all
@pytest.mark.skipif(MISSING, reason=f"not installed: {', '.join(MISSING)}")
def test_the_marked_commands_of_the_operators_page_work_in_order(aws, tmp_path):
    stream = cloud.create_stream(aws.kinesis, f"page-{os.getpid()}")
    ports = {name: str(emulators.free_port()) for name in ("_8080", "_8090")}
    script = operators_page.script(
        **ports,
        **{
            "kinesis:retail-stream": f"kinesis:{stream}",
            "--stream-name retail-stream": f"--stream-name {stream}",
        },
    )
    path = f"{pathlib.Path(program.binary()).resolve().parent}:{os.environ['PATH']}"
    environment = {**os.environ, **program.sanitizer_environment(), **aws.environment, "PATH": path}
    done = subprocess.run(
        ["bash", "-x", "-c", script],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    # the page deleted the old stage, and put a repaired purchase into the new one
    (row,) = cloud.contributions(aws.dynamodb, "next")
    assert (row["productId"], row["creatorScore"], row["photographerScore"]) == ("4579874", 2, 2)
    assert {score["role"]: score["score"] for score in cloud.scores(aws.dynamodb, "next") if "score" in score} == {
        "creator": 2,
        "photographer": 2,
    }
    letters = [json.loads(line) for line in (tmp_path / "next-dead-letters.jsonl").read_text().splitlines()]
    assert {letter["reason"] for letter in letters} == {"invalid-field"}
    pages = aws.dynamodb.get_paginator("list_tables").paginate()
    tables = {name for page in pages for name in page["TableNames"]}
    assert "next-Scores" in tables and not [name for name in tables if name.startswith("prod-")]


# Stores and targets that the rehearsal does not use.


def command_with(words):
    """The only line of the page that has these words."""
    (line,) = [line for line in operators_page.all_commands() if words in line]
    return line


def shell(command, folder, **environment):
    done = subprocess.run(
        ["bash", "-c", operators_page.PRELUDE + command],
        cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(not shutil.which("jq"), reason="not installed: jq")
def test_the_pages_commands_extract_a_dead_letter_from_the_log(pair, make_on, tmp_path):
    pair.put([BROKEN])
    daemon = make_on(pair, "--dead-letter", "log", "--log-format", "json").start()
    daemon.wait_until_applied()
    log = tmp_path / "log"
    log.write_text(daemon.log() + "no JSON at all\n")
    command = command_with("journalctl -u winner-view -o cat")
    shell(command.replace("journalctl -u winner-view -o cat", f"cat {log}"), tmp_path)
    shell(command_with("jq -r .data letter.json"), tmp_path)
    assert (tmp_path / "record.json").read_bytes() == BROKEN.data
    letter = json.loads((tmp_path / "letter.json").read_text())
    assert letter["reason"] == "invalid-field" and letter["shard"] in pair.shards and letter["sequenceNumber"]


@pytest.mark.skipif(not shutil.which("sqlite3"), reason="not installed: sqlite3")
def test_a_copy_of_an_sqlite_view_made_during_ingest_catches_up(embedded, start_on, tmp_path):
    embedded.put(LAMPS)
    start_on(embedded).wait_until_applied()
    shell(command_with("sqlite3 winner-view.db"), tmp_path)
    embedded.put(LAMPS[-1:])
    restored = pairs.FileSqlite(tmp_path / "restored", embedded.journal)
    restored.database.parent.mkdir()
    (tmp_path / "copy.db").rename(restored.database)
    daemon = start_on(restored)
    daemon.wait_until_applied()
    assert daemon.get("/contributions/lamp").json()["purchases"] == 4
    assert program.run("audit", "--store", f"sqlite:{restored.database}").returncode == 0
