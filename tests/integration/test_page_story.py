"""The story that the page tells, in a real browser: periods, podium, moves, sales as they happen, catching up, sizes."""

import datetime
import re

import model
import pytest
import wait
from pages import ANN, BOB, PIA, purchases, rows, start_small, take, wait_for_rows, wait_for_state
from scripted_service import ScriptedService
from small_shop import event, person, product, puts

pytestmark = pytest.mark.all

CAT = person("merchant", "Cat")
BACKLOG, BACKLOG_S = 200_000, 240  # lines, which take some seconds, applied one by one
UNDER_WAY = {
    "id": "2026-11-30", "kind": "day", "start": "2026-11-30T00:00:00.000Z", "end": "2026-12-01T00:00:00.000Z", "final": False,
    "previous": "2026-11-29", "next": None,
}  # fmt: skip
FRESH = {"asOf": "2026-11-30T10:00:00.000Z", "caughtUp": True, "time": "2026-11-30T10:00:00.100Z", "sales": "all", "periods": [],
         "bestSellers": False}  # fmt: skip


def days_ago(days):
    return (datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=days)).strftime("%Y-%m-%d")


def bought(day, **sold):
    customer = person("customer", "Cy")
    names = [name for name, count in sold.items() for _ in range(count)]
    return [event(model.PURCHASE, name, customer, timeOrigin=f"{day}T10:00:00.000Z") for name in names]


def start_two_days(pair, start_on, *options):
    """Two days that are over: Ann led the first, Bob leads the second, on which Cat is new."""
    first, second = days_ago(3), days_ago(2)
    shop = [*product("lamp", ANN, PIA), *product("rug", BOB), *product("cup", CAT)]
    for one in shop:
        one["timeOrigin"] = f"{first}T09:00:00.000Z"
    pair.put(puts([*shop, *bought(first, lamp=3, rug=2), *bought(second, rug=5, lamp=4, cup=4)]))
    daemon = start_on(pair, *options)
    daemon.wait_until_applied()
    return daemon, first, second


def gaps(page, role):
    return page.evaluate(f"[...document.querySelectorAll('#{role} .gap')].map(gap => gap.textContent).filter(Boolean)")


def test_a_past_day_has_a_podium_ties_and_moves_against_the_day_before(embedded, start_on, visit):
    daemon, first, second = start_two_days(embedded, start_on, "--best-sellers", "on")
    page = visit(daemon, f"#/{second}")
    expected = [["1", "Bob", "▲ 1", "5"], ["=2", "Ann", "▼ 1", "4"], ["=2", "Cat", "new", "4"]]
    page.until(lambda: sorted(rows(page, "merchant")) == expected, f"{expected}")
    assert gaps(page, "merchant") == ["1 ahead", "1 to 1st", "1 to 1st"]
    page.until_text("#merchant", "Moves since the day before")
    page.until("document.querySelectorAll('#product tbody tr').length === 3", "best sellers")
    assert page.evaluate("document.querySelector('#product tbody a').hash") == f"#/{second}/product/rug"
    page.until_text("#merchant", "38%")  # 5 of 13
    assert page.text("#period-state") == "over"
    page.call("click", "#period-previous")
    wait_for_rows(page, "merchant", [["1", "Ann", "new", "3"], ["2", "Bob", "new", "2"]])
    assert page.evaluate("location.hash") == f"#/{first}"
    page.call("goBack")
    page.until(lambda: rows(page, "merchant")[:1] == [["1", "Bob", "▲ 1", "5"]], "the day after")
    take(page, "past-day")
    assert page.axe() == []


def test_who_was_beyond_the_first_hundred_is_asked_for_alone(embedded, start_on, visit):
    first, second = days_ago(3), days_ago(2)
    crowd = [person("merchant", f"M{n}") for n in range(101)]
    shop = [one for n, who in enumerate(crowd) for one in product(f"p{n}", who)] + product("late", CAT)
    for one in shop:
        one["timeOrigin"] = f"{first}T09:00:00.000Z"
    embedded.put(puts([*shop, *bought(first, **{f"p{n}": 2 for n in range(101)}, late=1), *bought(second, late=1)]))
    daemon = start_on(embedded)
    daemon.wait_until_applied()
    page = visit(daemon, f"#/{second}")
    wait_for_rows(page, "merchant", [["1", "Cat", "▲ 101", "1"]])


def test_today_is_shown_unless_the_address_names_a_period_and_switches_are_links(embedded, start_on, visit):
    daemon = start_small(embedded, start_on)
    page = visit(daemon)
    current = "document.querySelector('#periods [aria-current]')?.textContent"
    page.until(f"{current} === 'Today'", "today")
    page.until_text("#period-state", "under way")
    page.until_text("#merchant", "Nobody has sold anything today.")
    assert "Moves since" not in page.text("#merchant")
    page.evaluate("document.querySelector('#periods [data-kind=month]').focus()")
    page.press("Tab", "Enter")
    page.until("location.hash === '#/week'", "the week, by keyboard")
    page.until(f"{current} === 'Week'", "the week")
    page.until("document.querySelector('#period-title').textContent.startsWith('Week ')", "its title")
    page.call("click", "#periods [data-kind=all]")
    wait_for_rows(page, "merchant", [["1", "Ann", "–", "3"], ["2", "Bob", "–", "2"]])
    assert page.evaluate("document.querySelector('#period-previous').checkVisibility({visibilityProperty: true})") is False


def test_a_view_that_keeps_no_periods_shows_all_time_and_no_switch(embedded, start_on, visit):
    daemon = start_small(embedded, start_on, "--periods", "none")
    page = visit(daemon)
    wait_for_rows(page, "merchant", [["1", "Ann", "–", "3"], ["2", "Bob", "–", "2"]])
    page.until_text("#merchant", "Moves since this page was opened")
    page.until_text("#sold-all", "5")
    seen = "['periods', 'product', 'sold-today'].filter(id => document.getElementById(id).checkVisibility({visibilityProperty: true}))"
    assert page.evaluate(seen) == []
    take(page, "no-periods")
    assert page.axe() == []


def test_sales_appear_with_their_people_and_how_many_more(embedded, start_on, visit):
    daemon = start_small(embedded, start_on)
    page = visit(daemon, "#/all")
    wait_for_state(page, "live")
    page.until_text("#ticker-title", "Sold just now")

    # A first sale may precede the process's knowledge that the page reads.
    def is_told():
        embedded.put(purchases("lamp", 1))
        daemon.wait_until_applied()
        return "from Ann, photo by Pia" in page.text("#ticker-sales")

    wait.until(is_told, "a sale", every_s=1)
    links = page.evaluate("[...document.querySelectorAll('#ticker-sales li:first-child a')].map(link => link.hash.slice(0, 18))")
    assert links == ["#/all/product/lamp", "#/all/contributor/", "#/all/contributor/"]
    embedded.put(purchases("lamp", 40))
    page.until_text("#ticker-more", "more")
    assert page.evaluate("document.querySelectorAll('#ticker-sales li').length <= 5")
    assert page.evaluate("document.querySelector('#ticker').getAttribute('aria-live')") == "off"


@pytest.mark.parametrize("sales, title", [("some", "Some of what was sold just now"), ("none", None)])
def test_a_process_without_all_shards_says_so_or_has_no_ticker(embedded, start_on, visit, sales, title):
    daemon = start_small(embedded, start_on)
    with ScriptedService(daemon) as service:
        page = visit(service, "#/all", allowed="net::ERR_|.* 404 ")
        service.until_streams(1)
        service.send("freshness", {**FRESH, "sales": sales})
        if title:
            page.until_text("#ticker-title", title)
        else:
            page.until("!document.querySelector('#ticker').checkVisibility()", "no ticker")


def test_a_bar_stands_for_boards_that_were_not_seen_until_the_view_is_current(embedded, start_on, visit):
    embedded.put(puts(product("lamp", ANN, PIA)))
    daemon = start_on(embedded)
    daemon.wait_until_applied()
    boards = "document.querySelector('#merchant').checkVisibility({visibilityProperty: true})"
    with ScriptedService(daemon) as service:
        page = visit(service, "#/all", allowed="net::ERR_|.* 404 ", clock=True)
        service.until_streams(1)
        progress = {"percent": 42.7, "eventsPerSecond": 12345, "secondsLeft": 150, "shardsBehind": 2, "shards": 8}
        service.send("freshness", {**FRESH, "caughtUp": False})
        service.send("progress", progress)
        page.until_text("#progress", "Catching up: 42% · 12,345 events a second · 2 min left · 2 of 8 shards behind")
        assert page.evaluate("document.querySelector('#progress').ariaValueNow") == "43"
        page.until(f"!{boards}", "no boards")
        take(page, "catching-up")
        assert page.axe() == []
        service.send("progress", {**progress, "percent": None, "eventsPerSecond": None, "secondsLeft": None, "shards": 1})
        page.until("document.querySelector('#progress-words').textContent === 'Catching up'", "nothing invented")
        service.send("freshness", FRESH)
        page.until(boards, "the boards")
        assert not page.evaluate("document.querySelector('#progress').checkVisibility()")


def test_the_bar_tells_how_far_a_real_backlog_is_and_leaves_with_it(embedded, start_on, visit):
    lamp = puts(product("lamp", ANN, PIA, 1))
    embedded.put(lamp)
    embedded.append((lamp[-1].data + b"\n") * BACKLOG)
    page = visit(start_on(embedded, "--batch-size", "1"), "#/all")
    told = r"Catching up: \d\d?% · [\d,]+ events a second · .+ left"
    page.until(lambda: re.search(told, page.text("#progress")), told)
    page.until("!document.querySelector('#progress').checkVisibility()", "no bar", BACKLOG_S)
    wait_for_rows(page, "merchant", [["1", "Ann", "–", f"{BACKLOG + 1:,}"]])


def big_board(role, names):
    items = [
        {"rank": at + 1, "tied": False, "id": f"{role}{at}", "userId": f"{name} (**...**345****)", "name": name,
         "score": 1_234_567_890 - at * 1000, "updated": "2026-11-30T09:00:00.000Z"}
        for at, name in enumerate(names)
    ]  # fmt: skip
    return {"role": role, "items": items, "next": None, "period": None, "asOf": FRESH["asOf"]}


NAMES = ["نور الهدى عبد الرحمن المصري الطويل", "Wolfeschlegelsteinhausenbergerdorff", "Ann", "李", "Zoë"] * 2
OVERFLOWING = """[...document.querySelectorAll('.points, .rank, .move, #strip dd')].filter(one => {
  const {left, right} = one.getBoundingClientRect(), frame = one.closest('tr, #strip').getBoundingClientRect();
  return one.checkVisibility() && (left < frame.left - 1 || right > frame.right + 1);
}).map(one => one.textContent)"""
COVERED = """[...document.querySelectorAll('.board tbody tr')].filter(row => {
  const name = row.querySelector('a').getBoundingClientRect(), points = row.querySelector('.points').getBoundingClientRect();
  return points.top < name.bottom && name.top < points.bottom && points.left < name.right && name.left < points.right;
}).map(row => row.textContent)"""


@pytest.mark.parametrize("locale", ["de-CH", "hi-IN", "ar-EG"])
def test_scores_of_any_size_fit_in_the_viewers_locale(embedded, start_on, visit, locale):
    daemon = start_small(embedded, start_on)
    with ScriptedService(daemon) as service:
        board = {role: big_board(role, NAMES) for role in ("merchant", "photographer")}
        page = visit(service, "#/all", allowed="net::ERR_|.* 404 ", locale=locale)
        service.until_streams(1)
        for role in board:
            service.send(role, board[role])
        service.send("freshness", FRESH)
        text = page.evaluate(f"new Intl.NumberFormat('{locale}').format(1234567890)")
        page.until(lambda: [row[3] for row in rows(page, "merchant")[:1]] == [text], text)
        for width in (360, 768, 1280):
            page.call("setViewportSize", {"width": width, "height": 800})
            assert page.evaluate(OVERFLOWING) == [] and page.evaluate(COVERED) == []
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "scrolls sideways"
            take(page, f"sizes-{locale}-{width}")


LONG = [" ".join(["نور الهدى عبد الرحمن المصري"] * 3), "Wolfeschlegelsteinhausenbergerdorff" * 3, " ".join(["Ann"] * 40), "李" * 60]
LONG = [*LONG, "Zoë", *(f"{name}2" for name in LONG), "Zoë"]
BOXES = """JSON.stringify([...document.querySelectorAll('.board, .board tr, .board a, .points, #ticker, #ticker li, #ticker li > *, footer')]
  .map(one => { const {x, y, width, height} = one.getBoundingClientRect(); return [x, y, width, height]; }))"""
# Of the text itself: what is inside the frame that hides what is outside of it, and what is seen at its middle and at its ends.
CUT_OFF = """(link => {
  const range = document.createRange();
  range.selectNodeContents(link.querySelector('bdi'));
  const frame = (link.closest('.whole') ?? link.querySelector('.whole')).getBoundingClientRect();
  return [...range.getClientRects()].filter(({left, right, top, bottom}) => {
    const seen = x => link.contains(document.elementFromPoint(x, (top + bottom) / 2)) || (top + bottom) / 2 > innerHeight;
    return left < frame.left - 1 || right > frame.right + 1 || bottom > frame.bottom + 3 || !seen(left + 2) || !seen(right - 2);
  }).length;
})(%s)"""
BEGINS_SEEN = """(bdi => {
  const range = document.createRange();
  range.setStart(bdi.firstChild, 0);
  range.setEnd(bdi.firstChild, 1);
  const first = range.getBoundingClientRect(), frame = bdi.closest('.whole').getBoundingClientRect();
  return first.left >= frame.left - 1 && first.right <= frame.right + 1;
})(%s)"""


@pytest.mark.parametrize("width", [360, 1280])
def test_long_names_are_whole_under_focus_and_pointer_and_nothing_moves(embedded, start_on, visit, width):
    daemon = start_small(embedded, start_on)
    with ScriptedService(daemon) as service:
        page = visit(service, "#/all", allowed="net::ERR_|.* 404 ", viewport=(width, 900), clock=True)
        service.until_streams(1)
        for role in ("merchant", "photographer"):
            service.send(role, big_board(role, LONG))
        who = {"id": "merchant0", "userId": "(**...**345****)", "name": LONG[1]}
        service.send("sale", {"productId": "p", "name": LONG[0], "merchant": who, "photographer": who, "time": FRESH["asOf"], "skipped": 0})
        service.send("freshness", FRESH)
        page.until("document.querySelectorAll('.board tbody tr').length === 20 && document.querySelector('#ticker li')", "boards and a sale")
        page.forward(5)
        page.until("document.getAnimations().length === 0", "nothing moves")
        links = "document.querySelectorAll('#merchant tbody a, #ticker a')"
        count, before = page.evaluate(f"{links}.length"), page.evaluate(BOXES)
        assert count == 13
        for at in range(count):
            link = f"{links}[{at}]"
            page.evaluate(f"{link}.scrollIntoView({{block: 'center'}})")
            name = f"{link}.querySelector('bdi')"
            assert page.evaluate(BEGINS_SEEN % name), "the beginning is cut off: " + page.evaluate(f"{link}.textContent")
            still = page.evaluate(BOXES)
            if at % 5 != 4 or at > 9:
                assert page.evaluate(CUT_OFF % link), "not long"
            page.evaluate(f"{link}.focus({{preventScroll: true}})")
            assert page.evaluate(CUT_OFF % link) == 0, page.evaluate(f"{link}.textContent")
            assert page.evaluate(BOXES) == still
            take(page, f"whole-{width}") if at == 3 else None
            page.evaluate("document.activeElement.blur()")
            assert page.evaluate(BOXES) == still
        page.evaluate("scrollTo(0, 0)")
        assert page.evaluate(BOXES) == before
        page.call("hover", "#merchant tbody tr:nth-child(4)")
        assert page.evaluate(CUT_OFF % f"{links}[3]") == 0
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "scrolls sideways"


def test_a_size_beyond_ten_digits_is_shortened_and_whole_for_a_screen_reader(embedded, start_on, visit):
    daemon = start_small(embedded, start_on)
    with ScriptedService(daemon) as service:
        board = big_board("merchant", ["Ann"])
        board["items"][0]["score"] = 12_345_678_901_234
        page = visit(service, "#/all", allowed="net::ERR_|.* 404 ")
        service.until_streams(1)
        service.send("merchant", board)
        service.send("freshness", FRESH)
        wait_for_rows(page, "merchant", [["1", "Ann", "–", "12.35T"]])
        assert "12,345,678,901,234" in page.tree("#merchant")
