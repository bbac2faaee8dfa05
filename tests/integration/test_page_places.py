"""Where the reader of the page is: periods that are kept or not, and what leads from one place to another. In a real
browser, on the real binary."""

import pytest
from pages import asked, rows, start_small, wait_for_rows, wait_for_state

pytestmark = pytest.mark.all

SMALL_BOARD = [["Ann", "3"], ["Bob", "2"]]
NOT_KEPT = "This view does not keep that period."


def wait_for_small_board(page):
    page.until(lambda: [[name, score] for _, name, _, score in rows(page, "merchant")] == SMALL_BOARD, "the board")


def choose(page, kind):
    page.call("click", f"#period-kinds a[data-kind={kind}]")


def test_from_a_past_day_to_all_time_the_board_is_there_without_another_sale(embedded, start_on, visit):
    page = visit(start_small(embedded, start_on), "#/2026-11-23")
    wait_for_small_board(page)
    wait_for_state(page, "live")
    choose(page, "all")
    page.until(lambda: page.text("#period-title") == "", "no period")
    wait_for_small_board(page)


def test_a_paused_page_shows_the_period_that_its_reader_chooses(embedded, start_on, visit):
    page = visit(start_small(embedded, start_on), "#/day")
    wait_for_state(page, "live")
    page.call("click", "#pause")
    choose(page, "all")
    wait_for_small_board(page)
    wait_for_state(page, "paused")


def test_a_period_that_is_not_kept_says_so_and_leads_to_those_that_are(embedded, start_on, visit):
    page = visit(start_small(embedded, start_on), "#/hour", allowed=".* 404 ")
    for role in ("merchant", "photographer"):
        page.until_text(f"#{role}", NOT_KEPT)
    wait_for_state(page, "live")
    page.until(lambda: "not known" not in page.text("#through"), "how fresh the view is")
    page.until_text("#periods", "Today")
    assert asked(page, "live") == 2
    choose(page, "all")
    wait_for_small_board(page)


@pytest.mark.parametrize("place", ["#/2026-02-30", "#/2025-W53", "#/2026-11-30T23"])
def test_a_period_that_cannot_be_says_so(embedded, start_on, visit, place):
    page = visit(start_small(embedded, start_on), place, allowed=".* 40[04] ")
    page.until_text("#merchant", NOT_KEPT)
    wait_for_state(page, "live")
    choose(page, "all")
    wait_for_small_board(page)


@pytest.mark.parametrize("place", ["#/2026-13", "#/2026-W60", "#/2026-11-30T24"])
def test_what_names_no_period_is_the_usual_place(embedded, start_on, visit, place):
    page = visit(start_small(embedded, start_on), place)
    page.until_text("#merchant", "Nobody has sold anything today.")
    wait_for_state(page, "live")
