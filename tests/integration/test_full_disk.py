"""A database on a full disk: what can be freed is freed, the rest is a trouble that says what to do and ends by itself."""

import subprocess

import program
import pytest
import wait
from model import fold
from pairs import FileSqlite, assert_equal_to_model
from small_shop import person, product, puts

MIB = 1 << 20
ANN = person("merchant", "Ann")
LOG_BYTES = program.limit("LIMIT_SQLITE_WAL_PAGES") * 4096


@pytest.fixture
def disk(tmp_path):
    """A small file system of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "small", folder], capture_output=True).returncode:
        pytest.skip("who runs this may mount nothing")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.fixture
def on_disk(tmp_path, disk):
    pair = FileSqlite(tmp_path)
    pair.database = disk / "winner-view.db"
    pair.options = ["--store", f"sqlite:{pair.database}", "--source", f"file:{pair.journal}"]
    return pair


def purchases(count):
    """Of few products, so that the database stays small while its log grows."""
    lamps = [product(f"lamp {n}", ANN, None, 1) for n in range(100)]
    return puts([event for n in range(count // 200) for events in lamps for event in events])


def assert_exact(pair, daemon):
    assert_equal_to_model(pair, fold(pair.records()), daemon.dead_letters())


def test_a_disk_that_the_write_ahead_log_has_filled_is_freed_by_moving_the_log(on_disk, start_on):
    assert LOG_BYTES > 8 * MIB
    on_disk.put(purchases(4000))
    daemon = start_on(on_disk, "--batch-size", "1")
    daemon.wait_until_applied()
    assert_exact(on_disk, daemon)


def test_a_full_disk_is_a_trouble_that_names_it_and_ends_when_there_is_room(on_disk, disk, start_on):
    on_disk.put(purchases(200))
    daemon = start_on(on_disk, "--batch-size", "20")
    daemon.wait_until_applied()
    ballast = disk / "ballast"
    with open(ballast, "wb", buffering=0) as file, pytest.raises(OSError):
        while True:
            file.write(bytes(4096))
    on_disk.put(puts([event for n in range(8000) for event in product(f"new {n}", ANN)]))
    reasons = lambda: [one["reason"] for one in daemon.health()["troubles"] if "free" in one["reason"]]
    reason = wait.until(reasons, "a trouble", seen=daemon.health)[0]
    assert str(on_disk.database) in reason
    assert daemon.get("/contributions/lamp%200").status == 200
    ballast.unlink()
    daemon.wait_until_applied()
    assert daemon.health()["troubles"] == []
    assert_exact(on_disk, daemon)
