"""What a page holds that stays open for days: the real page, in a real browser whose clock is moved, at a scripted shop of
twenty sales a second (tests/support/browser/days.js)."""

import contextlib
import json
import os
import subprocess
import types
import urllib.request

import browser
import emulators
import live
import npm
import pytest
from pages import start_small

pytestmark = pytest.mark.all

takes_minutes = pytest.mark.skipif(os.environ.get("WINNER_VIEW_LONG") != "1", reason="minutes: HACKING.md has the command")
TIMERS_MOST = 100
ASKED = [
    *["/scores?limit=10", "/scores?limit=10&period=day", "/scores/product?limit=10&period=week", "/sales", "/sales?period=day"],
    *["/scores/merchant?limit=100&period=2026-11-29", "/sales/history?kind=day&limit=14"],
]
EVENTS = {"merchant": "Board", "photographer": "Board", "rows": "BoardRows", "sale": "Sale", "freshness": "Freshness"}


@pytest.fixture
def leave_open(embedded, start_on):
    """leave_open(place, hours, seconds of an hour): the lines of days.js, as they come."""
    daemon = start_small(embedded, start_on, "--best-sellers", "on")

    @contextlib.contextmanager
    def run(place, hours, hour_s):
        command = ["node", "days.js", browser.executable(), f"http://127.0.0.1:{daemon.port}", place, str(hours), str(hour_s)]
        environment = {**os.environ, "NODE_OPTIONS": ""}
        with subprocess.Popen(
            command, cwd=npm.folder("browser"), env=environment, stdout=subprocess.PIPE, text=True, preexec_fn=emulators.die_with_parent
        ) as running:
            yield map(json.loads, running.stdout)
        assert running.returncode == 0

    return run


@pytest.mark.parametrize("place", ["?wall", ""], ids=["wall", "page"])
@pytest.mark.parametrize("hours, hour_s", [(2, 2400), pytest.param(24, 3600, marks=takes_minutes)])
def test_memory_is_flat_over_hours_of_a_busy_shop(leave_open, place, hours, hour_s):
    """Also over midnight, a reconnect every ten minutes, a view that falls behind now and then, and on a page a reader."""
    with leave_open(place, hours, hour_s) as lines:
        next(lines)
        first = next(lines)
        for now in lines:
            print(now, "first", first)
            for held in ("heap", "nodes", "listeners"):
                assert now[held] <= 1.1 * first[held], held
            assert now["timers"] < TIMERS_MOST
        assert now["hour"] == hours


def test_the_busy_shop_answers_as_openapi_says(leave_open, openapi):
    with leave_open("", 1, 600) as lines:
        port = next(lines)["port"]
        for target in ASKED:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{target}") as answer:
                schema = openapi.responses("GET", target)[200]["content"]["application/json"]["schema"]
                openapi.validate(json.load(answer), schema, target)
        with live.Reader(types.SimpleNamespace(port=port), query="?changes=1&period=day") as reader:
            reader.wait_for(lambda: {event.kind for event in reader.events} >= set(EVENTS), "events of each kind")
        for event in reader.events:
            openapi.validate(event.data, {"$ref": f"#/components/schemas/{EVENTS.get(event.kind, 'Progress')}"}, event.kind)
        assert len(list(lines)) == 1
