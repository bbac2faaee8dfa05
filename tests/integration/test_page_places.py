"""Where the reader of the page is, what leads from one place to another, and what is true of a period there. In a real
browser, on the real binary."""

import datetime
import itertools

import model
import pytest
from pages import asked, purchases, rows, start_small, wait_for_state
from small_shop import event, person, product, puts

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


def test_a_link_of_the_ticker_stays_in_the_period_that_is_shown(embedded, start_on, visit):
    page = visit(start_small(embedded, start_on), "#/all")
    wait_for_state(page, "live")

    def is_told():  # one that falls between two streams is not
        embedded.put(purchases("lamp", 1))
        return page.evaluate("document.querySelector('#ticker-sales .sold a') !== null")

    page.until(is_told, "a sale")
    choose(page, "month")
    page.until(lambda: page.text("#period-title") != "", "the month")
    page.call("click", "#ticker-sales .sold a")
    page.until_text("#details-title", "n")
    assert page.evaluate("location.hash") == "#/month/product/lamp"


def test_skipping_to_the_boards_stays_in_their_period(embedded, start_on, visit):
    page = visit(start_small(embedded, start_on), "#/all")
    wait_for_small_board(page)
    page.press("Tab", "Enter")
    page.until("document.activeElement.id === 'boards'", "the focus")
    page.press("Tab")
    page.until("document.activeElement.textContent === 'Ann'", "the first row")
    assert page.evaluate("location.hash") == "#/all"


def test_the_switch_of_a_kind_is_current_only_for_the_period_under_way(embedded, start_on, visit):
    page = visit(start_small(embedded, start_on), "#/day")
    current = lambda: page.evaluate("document.querySelector('#period-kinds [aria-current]')?.textContent ?? null")
    page.until(lambda: current() == "Today", "today")
    page.evaluate("location.hash = '#/2026-11-23'")
    wait_for_small_board(page)
    assert current() is None and "2026" in page.text("#period-title")


# What is kept while boards move.


def test_the_focus_of_a_row_that_leaves_the_board_goes_to_the_row_in_its_place(embedded, start_on, visit):
    for place in range(10):
        embedded.put(puts(product(f"p{place}", person("merchant", f"M{place}"), None, 20 - place)))
    daemon = start_on(embedded)
    daemon.wait_until_applied()
    page = visit(daemon, "#/all")
    page.until(lambda: len(rows(page, "merchant")) == 10, "ten rows")
    page.evaluate("document.querySelector('#merchant tbody tr:last-child a').focus()")
    embedded.put(puts(product("new", person("merchant", "New"), None, 15)))
    page.until(lambda: rows(page, "merchant")[-1][1] == "M8", "the ninth is the tenth")
    assert page.evaluate("document.activeElement.textContent") == "M8"
    page.evaluate("location.hash = '#/day'")
    page.until_text("#merchant", "Nobody has sold anything today.")
    assert page.evaluate("document.activeElement.id") == "boards"


def test_who_reaches_the_leader_shares_the_lead(embedded, start_on, visit):
    page = visit(start_small(embedded, start_on), "#/all")
    wait_for_small_board(page)
    embedded.put(purchases("rug", 1))
    page.until(lambda: {rank for rank, *_ in rows(page, "merchant")} == {"=1"}, "a tie")
    page.call("setViewportSize", {"width": 360, "height": 740})
    gaps = page.evaluate("[...document.querySelectorAll('#merchant .gap')].map(gap => [gap.textContent, gap.scrollWidth <= gap.clientWidth])")
    assert gaps == [["tied", True]] * 2
    page.until(lambda: "3 sold" in page.text("#summary"), "a sentence")
    assert "leads" not in page.text("#summary")


# What is asked for beside the boards.


def test_the_rate_of_a_quiet_shop_becomes_known(embedded, start_on, visit):
    page = visit(start_small(embedded, start_on), clock=True)
    page.until(lambda: page.text("#sold-all") == "5", "the sum")
    page.until(lambda: page.forward(6) or page.text("#sold-rate") == "0", "no sale a minute")


def test_another_period_gets_its_shares_without_waiting_for_the_next_look_at_the_sales(embedded, start_on, visit):
    page = visit(start_small(embedded, start_on), "#/all", clock=True)
    share = "document.querySelector('#merchant .share')?.textContent"
    page.until(share, "a share")
    page.call("clock.pauseAt", page.evaluate("Date.now() + 3000"))
    choose(page, "month")
    wait_for_small_board(page)
    page.forward(1)
    page.until(share, "a share")


def days_ago(days, events):
    at = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=days)
    return [{**one, "timeOrigin": at.strftime("%Y-%m-%dT%H:%M:%S.000Z")} for one in events]


def test_who_sells_nothing_today_still_counts_for_the_ranks_of_when_the_day_began(embedded, start_on, visit):
    """150 merchants sell today: those who lead are not among the first hundred of the day."""
    before = [*product("top", person("merchant", "Top"), None, 500), *product("next", person("merchant", "Next"), None, 400)]
    others = [product(f"p{n}", person("merchant", f"M{n}"), None, 200 - n) for n in range(150)]
    sold = [event(model.PURCHASE, f"p{n}", person("customer", "Cy")) for n in range(150) for _ in range(4 if n < 10 else 3)]
    embedded.put(puts(days_ago(1, [*before, *itertools.chain(*others)]) + days_ago(0, sold)))
    daemon = start_on(embedded)
    daemon.wait_until_applied()
    page = visit(daemon, "#/all")
    page.until(lambda: any(move for _, _, move, _ in rows(page, "merchant")), "moves")
    assert [(name, move) for _, name, move, _ in rows(page, "merchant")][:4] == [
        ("Top", "–"), ("Next", "–"), ("M0", "–"), ("M1", "–"),
    ]  # fmt: skip


def test_a_paused_page_shows_no_further_sales(embedded, start_on, visit):
    page = visit(start_small(embedded, start_on), "#/all", clock=True)
    wait_for_state(page, "live")
    sales = "document.querySelectorAll('#ticker-sales li').length"
    for count in (1, 2, 3):  # an event each
        embedded.put(purchases("lamp", 1))
        page.until(lambda: rows(page, "merchant")[0][-1] == str(3 + count), "the sale counts")
    page.until(sales, "a sale")
    page.call("click", "#pause")
    before = page.evaluate(sales)
    for _ in range(3):
        page.forward(5)
    assert page.evaluate(sales) == before


def test_sums_of_a_service_that_is_gone_are_marked_as_old(embedded, start_on, visit):
    daemon = start_small(embedded, start_on)
    page = visit(daemon, clock=True, allowed="net::ERR_")
    page.until(lambda: page.text("#sold-all") == "5", "the sum")
    page.until("!document.querySelector('#strip').matches('[data-stale]')", "it is current")
    daemon.kill()
    wait_for_state(page, "disconnected")
    page.forward(15)
    page.until("document.querySelector('#strip').matches('[data-stale]')", "it is old")
