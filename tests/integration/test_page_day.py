"""A day that ends while the page is open, on the real binary, whose clock is moved."""

import time

import clock_shim
import model
import pytest
import wait
from pages import ANN, BOB, PIA, rows, wait_for_rows
from small_shop import event, person, product, puts

pytestmark = pytest.mark.all

KEEPS = ("--periods", "hour,day,week,month", "--best-sellers", "on")
DAYS = ("2026-11-22", "2026-11-23", "2026-11-24")  # a Sunday, then a Monday


def sold(when, **counts):
    customer = person("customer", "Cy")
    return [event(model.PURCHASE, name, customer, timeOrigin=when) for name, count in counts.items() for _ in range(count)]


@pytest.fixture
def clocks(tmp_path):
    """Ten minutes before the end of the second day."""
    clocks = clock_shim.Clocks(tmp_path)
    clocks.step(real_ms=model.epoch_ms(f"{DAYS[1]}T23:50:00.000Z") - time.time_ns() // 1_000_000)
    return clocks


@pytest.fixture
def daemon(embedded, start_on, clocks):
    """Ann led the first day; Bob leads the second, and so became the first of all time."""
    shop = [*product("lamp", ANN, PIA), *product("rug", BOB)]
    for one in shop:
        one["timeOrigin"] = f"{DAYS[0]}T09:00:00.000Z"
    embedded.put(puts([*shop, *sold(f"{DAYS[0]}T10:00:00.000Z", lamp=3, rug=2), *sold(f"{DAYS[1]}T10:00:00.000Z", lamp=1, rug=5)]))
    daemon = start_on(embedded, *KEEPS, environment=clocks.environment)
    return daemon


LINE = "document.querySelector('#sold-history polyline')?.getAttribute('points')"


def test_when_the_day_ends_the_boards_the_strip_and_the_moves_are_of_the_next(embedded, daemon, clocks, visit):
    page = visit(daemon, locale="en-US")
    wait_for_rows(page, "merchant", [["1", "Bob", "▲ 1", "5"], ["2", "Ann", "▼ 1", "1"]])
    page.until_text("#period-title", "Nov 23, 2026")
    page.until("document.querySelector('#sold-today').textContent === '6'", "today's sales")
    before = page.until(LINE, "the strip's history")
    clocks.step(real_ms=20 * 60_000)
    page.until_text("#period-title", "Nov 24, 2026")
    page.until_text("#merchant", "Nobody has sold anything today.")
    page.until("document.querySelector('#sold-today').textContent === '0'", "nothing was sold")
    page.until(f"{LINE} !== {before!r}", "an hour more in the history")
    embedded.put(puts(sold(f"{DAYS[2]}T00:05:00.000Z", lamp=1)))
    wait_for_rows(page, "merchant", [["1", "Ann", "▲ 1", "1"]])
    page.until_text("#merchant", "Moves since yesterday")
    page.until("document.querySelector('#product tbody .move')?.textContent.includes('up 1')", "the lamp was second")
    page.until_text("#merchant", "100%")
    assert page.evaluate("document.querySelector('#period-previous').hash") == f"#/{DAYS[1]}"
    assert page.evaluate("document.querySelector('#periods [aria-current]').textContent") == "Today"


def test_all_time_moves_are_those_since_the_new_day_began_also_without_a_sale(embedded, daemon, clocks, visit):
    page = visit(daemon, "#/all")
    wait_for_rows(page, "merchant", [["1", "Bob", "▲ 1", "7"], ["2", "Ann", "▼ 1", "4"]])
    clocks.step(real_ms=20 * 60_000)
    wait_for_rows(page, "merchant", [["1", "Bob", "–", "7"], ["2", "Ann", "–", "4"]])


def test_a_day_that_is_shown_by_its_name_becomes_one_that_is_over(embedded, daemon, clocks, visit):
    page = visit(daemon, f"#/{DAYS[1]}", clock=True)
    wait_for_rows(page, "merchant", [["1", "Bob", "▲ 1", "5"], ["2", "Ann", "▼ 1", "1"]])
    page.until_text("#merchant", "Moves since yesterday")
    clocks.step(real_ms=20 * 60_000)
    page.until_text("#merchant", "Moves since the day before")
    page.until_text("#period-state", "over")
    assert [row[0] for row in rows(page, "merchant")] == ["1", "2"]
    after = "document.querySelector('#period-next').hash"
    page.until(f"{after} === '#/day'", "the day after is today")
    page.call("click", "#pause")  # no answer says any more which day it is
    page.forward(24 * 3600)
    page.until(f"{after} === '#/{DAYS[2]}'", "it is over, too")


def test_a_late_sale_of_the_day_before_changes_todays_moves(embedded, daemon, clocks, visit):
    clocks.step(real_ms=20 * 60_000)
    embedded.put(puts(sold(f"{DAYS[2]}T00:05:00.000Z", lamp=1)))
    page = visit(daemon, clock=True)
    wait_for_rows(page, "merchant", [["1", "Ann", "▲ 1", "1"]])
    embedded.put(puts(sold(f"{DAYS[1]}T23:59:00.000Z", lamp=5)))
    before = f"/scores/merchant?limit=100&period={DAYS[1]}"
    wait.until(lambda: daemon.get(before).json()["items"][0]["name"] == "Ann", "Ann led the day before")
    page.forward(301)
    wait_for_rows(page, "merchant", [["1", "Ann", "–", "1"]])
