"""A file is recognized by its content. A copy is read on. A file that was truncated, filled again or replaced is refused
until the right one is back: nothing more is applied, and answers get stale."""

import codecs
import hashlib
import os
import shutil

import cloud
import pairs
import pytest
import wait
from model import fold
from pairs import assert_equal_to_model
from small_shop import person, product, puts

ANN = person("merchant", "Ann")
LAMPS = puts(product("lamp", ANN, person("photographer", "Phil"), 40))  # more than 4 KiB
CHAIRS = puts(product("chair", person("merchant", "Bo"), None, 60))
OTHERS = LAMPS[:1] + CHAIRS  # the same first line
MORE = LAMPS[-1:]


def lines(some):
    return b"".join(put.data + b"\n" for put in some)


def first_hash(pair):
    return hashlib.sha256(pair.journal.read_bytes().split(b"\n")[0]).hexdigest()


def hash_at_checkpoint(pair, data):
    """The hash that the lease must have if `data` was read."""
    return hashlib.sha256(data[-4096:]).digest()


def trouble(daemon):
    found = wait.until(lambda: daemon.health()["troubles"], "a trouble", seen=daemon.log_tail)
    return " ".join(one["reason"] for one in found)


def applied(start_on, pair):
    """A service that has read the lamps."""
    pair.put(LAMPS)
    daemon = start_on(pair, "--cache-ttl-ms", "0")
    daemon.wait_until_applied()
    return daemon


def stopped(start_on, pair):
    applied(start_on, pair).terminate()
    return pair.journal.read_bytes()


def replace(pair, data):
    """Another inode at the path."""
    new = pair.journal.with_name("new.jsonl")
    new.write_bytes(data)
    new.rename(pair.journal)


def refill(pair, data):
    """The same inode, truncated and filled again."""
    with open(pair.journal, "wb") as file:
        file.write(data)


# What is done to the file.


def truncate(pair):
    os.truncate(pair.journal, pair.journal.stat().st_size // 2)


def truncate_and_refill_short(pair):
    refill(pair, lines(OTHERS[:10]))


def truncate_and_refill_past_the_old_size(pair):
    refill(pair, lines(OTHERS))
    assert pair.journal.stat().st_size > len(lines(LAMPS))


def copy_and_truncate(pair):
    """As logrotate does it, with a writer that appends."""
    shutil.copy(pair.journal, pair.journal.with_suffix(".1"))
    os.truncate(pair.journal, 0)
    pair.put(CHAIRS)


def copy_and_truncate_under_a_writer_with_an_offset(pair):
    """The writer did not open the file to append: NUL bytes stand before its next line."""
    size = pair.journal.stat().st_size
    os.truncate(pair.journal, 0)
    with open(pair.journal, "r+b") as file:
        file.seek(size)
        file.write(lines(CHAIRS))


def replace_by_another(pair):
    replace(pair, lines(CHAIRS))


def replace_by_one_with_the_same_first_line(pair):
    replace(pair, lines(OTHERS))


def lose_blocks_in_a_crash(pair):
    """The last blocks were not written; lines were added after that."""
    size = pair.journal.stat().st_size
    with open(pair.journal, "r+b") as file:
        file.seek(size - 1000)
        file.write(bytes(1000))
    pair.put(CHAIRS)


def leave_a_hole_in_new_lines(pair):
    data = lines(CHAIRS)
    pair.append(data[:1000] + bytes(4096) + data[5096:])


def leave_a_sparse_end(pair):
    os.truncate(pair.journal, pair.journal.stat().st_size + 10_000)


WHILE_RUNNING = [
    truncate,
    truncate_and_refill_short,
    truncate_and_refill_past_the_old_size,
    copy_and_truncate,
    copy_and_truncate_under_a_writer_with_an_offset,
    replace_by_another,
    replace_by_one_with_the_same_first_line,
    lose_blocks_in_a_crash,
    leave_a_hole_in_new_lines,
    leave_a_sparse_end,
]


def folded(data):
    return fold(pairs.records_of(data))


def assert_refused_until_it_is_back(pair, daemon, whole):
    """`whole`: the right file."""
    message = trouble(daemon)
    assert str(pair.journal) in message and "nothing more is applied until" in message
    found = daemon.health()
    assert found["status"] == "degraded" and daemon.get("/readyz").status == 200
    assert daemon.get("/contributions/lamp").json()["purchases"] == 40
    assert_equal_to_model(pair, folded(whole), daemon.dead_letters())

    replace(pair, whole + lines(MORE))
    daemon.wait_until_applied()
    assert daemon.health()["troubles"] == []
    assert_equal_to_model(pair, folded(whole + lines(MORE)), daemon.dead_letters())


@pytest.mark.parametrize("do", WHILE_RUNNING)
def test_a_file_that_changes_while_it_is_read_is_refused_until_it_is_back(embedded, start_on, do):
    daemon = applied(start_on, embedded)
    whole = embedded.journal.read_bytes()
    do(embedded)
    if do is leave_a_hole_in_new_lines:  # the lines before the hole are right
        whole += lines(CHAIRS)[:1000].rpartition(b"\n")[0] + b"\n"
    assert_refused_until_it_is_back(embedded, daemon, whole)


@pytest.mark.parametrize(
    "do",
    [
        truncate,
        truncate_and_refill_short,
        truncate_and_refill_past_the_old_size,
        replace_by_one_with_the_same_first_line,
        lose_blocks_in_a_crash,
    ],
)
def test_a_file_that_changed_between_two_processes_is_refused_until_it_is_back(embedded, start_on, do):
    whole = stopped(start_on, embedded)
    do(embedded)
    daemon = start_on(embedded, "--cache-ttl-ms", "0")
    assert_refused_until_it_is_back(embedded, daemon, whole)


@pytest.mark.parametrize("do", [copy_and_truncate, replace_by_another])
def test_another_first_line_at_the_start_is_refused_with_both_hashes(embedded, start_on, make_on, do):
    stopped(start_on, embedded)
    first, rows = first_hash(embedded), embedded.contributions()
    do(embedded)
    daemon = make_on(embedded).start(ready=False)
    assert daemon.process.wait(20) == 2, daemon.log()
    assert first in daemon.log() and first_hash(embedded) in daemon.log()
    assert embedded.contributions() == rows


# The right file is read on, wherever it lies.


def copy(pair):
    replace(pair, pair.journal.read_bytes())


def write_again(pair):
    refill(pair, pair.journal.read_bytes())


@pytest.mark.parametrize("do", [copy, write_again])
def test_a_copy_is_read_on_while_running_and_after_a_restart(embedded, start_on, do):
    daemon = applied(start_on, embedded)
    do(embedded)
    embedded.put(MORE)
    daemon.wait_until_applied()
    daemon.terminate()
    do(embedded)
    embedded.put(MORE)
    daemon = start_on(embedded)
    daemon.wait_until_applied()
    assert daemon.health()["troubles"] == []
    assert daemon.get("/contributions/lamp").json()["purchases"] == 42
    assert_equal_to_model(embedded, fold(embedded.records()), daemon.dead_letters())


def test_a_view_and_its_file_go_on_in_another_place(embedded, start_on, tmp_path):
    stopped(start_on, embedded)
    (tmp_path / "moved").mkdir()
    moved = pairs.FileSqlite(tmp_path / "moved")
    for path in (embedded.journal, embedded.database):
        shutil.copy(path, moved.journal.parent / path.name)
    moved.put(MORE)
    daemon = start_on(moved)
    daemon.wait_until_applied()
    assert_equal_to_model(moved, fold(moved.records()), daemon.dead_letters())


def test_the_hash_is_that_of_the_last_line_of_each_batch(embedded, start_on, make_on):
    embedded.put(LAMPS)
    embedded.append(b"not json\n\n")
    daemon = start_on(embedded, "--batch-size", "7", "--failover-ms", "1000")

    def stands_at_the_end():
        lease = embedded.leases().get(pairs.FILE_SHARD)
        return lease and cloud.checkpoint(lease) == embedded.journal.stat().st_size - 1 and lease

    lease = wait.until(stands_at_the_end, "the checkpoint is the last line")
    assert lease["checkpointHash"] == hash_at_checkpoint(embedded, embedded.journal.read_bytes())
    daemon.kill()
    assert start_on(embedded).health()["troubles"] == []


# DynamoDB.


class FileDynamodb(pairs.FileSqlite):
    """A file of events, and the tables of a stage."""

    has_watermarks = True

    def __init__(self, aws, stage, folder):
        super().__init__(folder)
        self.dynamodb, self.stage, self.environment = aws.dynamodb, stage, aws.environment
        self.options = ["--store", f"dynamodb:{stage}", "--source", f"file:{self.journal}"]

    def contributions(self):
        return cloud.contributions(self.dynamodb, self.stage)

    def scores(self):
        return cloud.scores(self.dynamodb, self.stage)

    def leases(self):
        return cloud.leases(self.dynamodb, self.stage)

    def source_record(self):
        return next(row for row in cloud.rows(self.dynamodb, f"{self.stage}-Leases") if "identityKey" in row)


def test_on_dynamodb_too_another_file_is_refused(aws, tables, start_on, tmp_path):
    pair = FileDynamodb(aws, tables, tmp_path)
    whole = stopped(start_on, pair)
    lease = pair.leases()[pairs.FILE_SHARD]
    assert bytes(lease["checkpointHash"]) == hash_at_checkpoint(pair, whole)
    truncate_and_refill_past_the_old_size(pair)
    daemon = start_on(pair, "--cache-ttl-ms", "0")
    assert pair.source_record()["sourceArn"] == f"file: first line sha256 {first_hash(pair)}"
    assert_refused_until_it_is_back(pair, daemon, whole)


# What is skipped.


def test_a_byte_order_mark_costs_no_event_and_blank_lines_are_skipped(embedded, start_on):
    embedded.append(codecs.BOM_UTF8)
    embedded.put(LAMPS[:2])
    embedded.append(b"\n\r\n \t\r\n")
    embedded.put(LAMPS[2:])
    embedded.append(codecs.BOM_UTF8 + b"\n")
    last = embedded.journal.stat().st_size - 4
    daemon = start_on(embedded)
    daemon.wait_until_applied()
    assert daemon.metric("winner_view_events_total", result="skipped") == 3
    assert daemon.dead_letters() == {(embedded.shards[0], str(last), "not-json")}  # a mark belongs before all
    assert_equal_to_model(embedded, fold(embedded.records()), daemon.dead_letters())
    embedded.put(MORE)
    daemon.terminate()
    daemon = start_on(embedded)
    daemon.wait_until_applied()
    assert daemon.get("/contributions/lamp").json()["purchases"] == 41
