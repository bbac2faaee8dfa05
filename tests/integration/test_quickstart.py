"""deploy/quickstart.sh and deploy/sample_shop.py."""

import collections
import json
import subprocess
import sys

import model
import program
import pytest
import wait
from model import fold
from pairs import FileSqlite

QUICKSTART = program.ROOT / "deploy" / "quickstart.sh"
SAMPLE_SHOP = program.ROOT / "deploy" / "sample_shop.py"


def run_sample_shop(target, *options, **more):
    return subprocess.run(
        [sys.executable, SAMPLE_SHOP, target, *options], capture_output=True, text=True, timeout=60, **more
    )


def test_quickstart_starts_with_scores_and_leaves_no_process_behind():
    if program.binary() != str(program.ROOT / "build" / "release" / "winner-view"):
        pytest.skip("the quick start starts the release preset")
    done = subprocess.run([QUICKSTART, "--check"], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    board = json.loads(done.stdout)
    assert len(board["items"]) == 10 and board["items"][0]["score"] > 1


@pytest.mark.parametrize("words", [["--port", "0"], ["--port", "65536"], ["--port"], ["--colour"]])
def test_quickstart_refuses_unknown_options(words):
    done = subprocess.run([QUICKSTART, *words], capture_output=True, text=True, timeout=10)
    assert done.returncode == 2 and words[0] in done.stderr


def test_the_sample_is_a_shop_of_30_merchants_20_photographers_and_150_products(embedded):
    done = run_sample_shop(f"file:{embedded.journal}", "--rate", "0", "--days", "2")
    assert done.returncode == 0, done.stderr
    shop = fold(embedded.records())
    assert shop.dead_letters == set() and shop.counts.keys() == {"applied"}
    assert len(shop.contributions) == 150
    assert len({row["creator"] for row in shop.contributions.values()}) == 30
    assert len({row.get("photographer") for row in shop.contributions.values()} - {None}) == 20
    assert len(shop.board(model.CREATOR)) > 10


def test_the_sample_has_hours_days_weeks_and_months_with_different_leaders(embedded, start_on):
    assert run_sample_shop(f"file:{embedded.journal}", "--rate", "0", "--seed", "1").returncode == 0
    daemon = start_on(embedded, "--periods", "hour,day,week,month", "--best-sellers", "on")
    daemon.wait_until_applied()

    def history(kind):
        items = daemon.get(f"/sales/history?kind={kind}&limit=100").json()["items"]
        return [one["period"]["id"] for one in items if one["sales"]]

    for kind, least in (("hour", 90), ("day", 69), ("week", 10), ("month", 3)):
        assert len(history(kind)) >= least, kind
    boards = [daemon.get(f"/scores/merchant?limit=1&period={week}").json() for week in history("week")]
    assert len({board["items"][0]["name"] for board in boards}) > 1
    assert len(daemon.get("/scores/product?limit=10").json()["items"]) == 10


def test_a_sample_shop_first_makes_up_for_the_time_in_which_it_was_stopped(embedded):
    target = f"file:{embedded.journal}"
    run_sample_shop(target, "--rate", "0", "--days", "2")
    past = [json.loads(line) for line in embedded.lines()[:-3000]]
    embedded.journal.write_text("".join(json.dumps(one) + "\n" for one in past))
    with subprocess.Popen([sys.executable, SAMPLE_SHOP, target, "--rate", "0.001"]) as sample_shop:
        wait.until(lambda: len(embedded.lines()) >= len(past) + 1000, "a thousand events more")
        sample_shop.terminate()
        sample_shop.wait(10)
    times = [json.loads(line)["timeOrigin"] for line in embedded.lines()]
    assert times == sorted(times)


def test_a_restarted_sample_shop_continues_with_the_same_products(embedded):
    target = f"file:{embedded.journal}"
    run_sample_shop(target, "--rate", "0", "--days", "2")
    before = embedded.lines()
    embedded.append(b'{"torn')
    with subprocess.Popen([sys.executable, SAMPLE_SHOP, target, "--rate", "500"]) as sample_shop:
        wait.until(lambda: len(embedded.lines()) >= len(before) + 100, "a hundred events more")
        sample_shop.terminate()
        assert sample_shop.wait(10) == 0
    assert embedded.lines()[: len(before)] == before
    shop = fold(embedded.records())
    kinds = collections.Counter(reason for _, _, reason in shop.dead_letters)
    assert kinds == {"not-json": 1}  # the torn line of another program
    assert len(shop.contributions) == 150 and shop.counts["applied"] >= len(before) + 99


@pytest.mark.parametrize("words", [["events.jsonl"], ["file:"], ["file:x", "--rate", "-1"], ["file:x", "--days", "0"], ["sqs:x"]])
def test_the_sample_shop_refuses_an_invalid_target_or_rate(words, tmp_path):
    done = run_sample_shop(*words, cwd=tmp_path)
    assert done.returncode == 2 and "allowed" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_sample_shop_on_a_file_needs_only_python(tmp_path):
    """With -I -S Python has no site packages, so no boto3."""
    target = f"file:{tmp_path / 'events.jsonl'}"
    command = [sys.executable, "-I", "-S", SAMPLE_SHOP, target, "--rate", "0", "--days", "1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert FileSqlite(tmp_path).records()
