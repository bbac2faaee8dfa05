"""How the page looks: each state at each size, in light and dark, lands in build/screenshots, and there axe finds nothing
wrong and nothing scrolls sideways. Lighthouse's scores land in build/lighthouse-*.txt."""

import contextlib
import os
import sqlite3
import subprocess
import sys

import lighthouse
import pages
import pairs
import program
import pytest
from daemon import Daemon
from pages import ROWS_WITHOUT_LINE, asked, png_size, purchases, start_small, take, wait_for_board, wait_for_state
from small_shop import person, product, puts

pytestmark = pytest.mark.all

PICTURE, PICTURE_SIZE = program.ROOT / "deploy" / "page.png", (1280, 720)
SIZES = {
    "phone": (360, 740), "tablet": (768, 1024), "laptop": (1280, 800), "wide": (1920, 1080), "portrait": (1080, 1920),
    "huge": (3840, 2160),
}  # fmt: skip
WALLS = ("wide", "portrait", "huge")
DARK = ("phone", "wide")  # sizes that are taken in dark, too
CHECKED = (("phone", "light"), ("wide", "dark"))  # what axe looks at: each layout and each scheme
EVERYTHING = ["--periods", "hour,day,week,month", "--best-sellers", "on"]
LOST = "net::ERR_(CONNECTION|INCOMPLETE|EMPTY)"
FAULTS = {
    "scrolls sideways": """document.documentElement.scrollWidth > innerWidth
      && getComputedStyle(document.documentElement).overflowX !== 'hidden'""",  # a wall's frame is shifted
    "numbers are behind the state": """[...document.querySelectorAll('#strip :is(dt, dd)')].some(one => {
      const number = one.getBoundingClientRect(), state = document.querySelector('.state').getBoundingClientRect();
      return one.checkVisibility() && number.right > state.left && number.left < state.right
        && number.bottom > state.top + 1 && number.top < state.bottom - 1;
    })""",
    "rows are cut off": """[...document.querySelectorAll('.board tr')].some(row => row.checkVisibility()
      && row.getBoundingClientRect().bottom > row.closest('.board').getBoundingClientRect().bottom)""",
    "the list of the finder is cut off": "document.querySelector('#found').scrollHeight > document.querySelector('#found').clientHeight",
}
SCORES = """[...document.querySelectorAll('tbody tr')].filter(row => row.checkVisibility()).map(row => {
  const score = row.querySelector('.points'), {left, right} = score.getBoundingClientRect(), rank = document.createRange();
  rank.selectNodeContents(row.querySelector('.rank'));
  const isFree = left > rank.getBoundingClientRect().right && right <= row.getBoundingClientRect().right;
  return [parseFloat(getComputedStyle(score).fontSize), isFree];
})"""  # of each score: its size in pixels, and whether it is within its place and not over the rank
SHIFTS = """new Promise(resolve => {
  let sum = 0;
  new PerformanceObserver(list => { for (const one of list.getEntries()) sum += one.value; })
    .observe({type: "layout-shift", buffered: true});
  setTimeout(() => resolve(sum), 500);
})"""
NAMES = ["Ann", "جمال حداد (الأول)", "נעמי לוי 12", "王秀英", "Nguyễn Thị Minh Khai", "Лев", "A" * 120, "प्रिया नायर"]


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """The sample shop with all that a view can keep, for tests that only read."""
    pair = pairs.FileSqlite(tmp_path_factory.mktemp("shop"))
    pages.put_sample(pair, days=9)
    with Daemon([*pair.options, *EVERYTHING, "--drain-seconds", "0"], {}) as daemon:
        daemon.wait_until_applied()
        yield daemon


def look(page, state, sizes=SIZES, checked=CHECKED):
    """Takes a state at each size, and fails with all that is wrong."""
    wrong = []
    for size in sizes:
        page.call("setViewportSize", dict(zip(("width", "height"), SIZES[size])))
        for scheme in ("light", "dark") if size in DARK else ("light",):
            page.call("emulateMedia", {"colorScheme": scheme})
            take(page, f"{state}-{size}-{scheme}")
            wrong += [(size, scheme, violation) for violation in (page.axe() if (size, scheme) in checked else ())]
        wrong += [(size, fault) for fault, is_there in FAULTS.items() if page.evaluate(is_there)]
    assert not wrong


# States of the boards.


def test_the_boards_fit_every_screen(shop, visit):
    page = visit(shop)
    wait_for_board(page)
    wait_for_state(page, "live")
    look(page, "boards")


@pytest.mark.parametrize("size", [(360, 740), (1366, 768)])
def test_nothing_jumps_while_the_page_fills(shop, visit, size):
    page = visit(shop, viewport=size)
    for role in ("merchant", "photographer", "product"):
        page.until(f"document.querySelector('#{role} tbody .sparkline')", f"rows of {role}, and their history")
    page.until("document.querySelector('#sold-history svg') && document.querySelector('#merchant .move').textContent", "strip, moves")
    assert page.evaluate(SHIFTS) <= 0.05


@pytest.mark.parametrize("width, lines", [(1280, 3), (1920, 24)])
def test_each_row_with_room_for_its_history_has_it_and_no_other_row_asks_for_one(shop, visit, width, lines):
    page = visit(shop, viewport=(width, 1080))
    page.until(lambda: page.evaluate("document.querySelectorAll('.board .sparkline').length") == lines, f"{lines} lines")
    page.until(lambda: asked(page, "history") == lines + 1, "and that of the strip")
    assert page.evaluate(ROWS_WITHOUT_LINE) == 0


@pytest.mark.parametrize("period", ["all", "week", "day:previous"])
def test_a_period_fits_every_screen(shop, visit, period):
    kind, _, previous = period.partition(":")
    if previous:
        kind = shop.get(f"/scores?limit=1&period={kind}").json()["merchant"]["period"]["previous"]
    page = visit(shop, f"#/{kind}/")
    wait_for_board(page)
    look(page, f"period-{'past' if previous else kind}")


@pytest.mark.parametrize("kind", ["contributor", "product"])
def test_details_fit_every_screen(shop, visit, kind):
    board = "merchant" if kind == "contributor" else "product"
    (first,) = shop.get(f"/scores/{board}?limit=1").json()["items"]
    page = visit(shop, f"#/{kind}/{first['id' if kind == 'contributor' else 'productId']}")
    page.until_text("#details-content", "old")
    look(page, kind)


def test_the_finder_fits_every_screen(shop, visit):
    page = visit(shop, "#/all")
    wait_for_board(page)
    page.call("fill", "#find", "a")
    page.until("document.querySelectorAll('#found li').length >= 3", "names that begin with a")
    look(page, "finder")


def test_the_boards_fit_every_screen_while_they_load(shop, visit):
    page = visit(shop, stalled=["**/live*", "**/scores*"])
    page.until("document.querySelector('#boards').ariaBusy === 'true'", "the page is busy")
    look(page, "loading")


def test_the_boards_of_a_view_without_periods_fit_every_screen(embedded, start_on, visit):
    pages.put_sample(embedded)
    daemon = start_on(embedded, "--periods", "none")
    daemon.wait_until_applied()
    page = visit(daemon)
    wait_for_board(page)
    wait_for_state(page, "live")
    look(page, "no-periods")


def test_the_boards_of_a_shop_without_a_sale_fit_every_screen(embedded, start_on, visit):
    embedded.put(puts(product("lamp", pages.ANN, pages.PIA)))
    daemon = start_on(embedded)
    daemon.wait_until_applied()
    page = visit(daemon, "#/all")
    for role in ("merchant", "photographer"):
        page.until_text(f"#{role}", "Nobody has sold anything yet.")
    look(page, "empty")


def test_catching_up_fits_every_screen(embedded, start_on, visit):
    pages.put_sample(embedded, days=9)
    daemon = start_on(embedded, "--batch-size", "1", "--caught-up-ms", "100", *EVERYTHING)
    page = visit(daemon, clock=True)
    page.until("!document.querySelector('#progress').hidden", "the bar")
    assert page.axe() == []
    page.call("clock.pauseAt", page.evaluate("Date.now() + 1000"))
    daemon.freeze()
    try:
        look(page, "catching-up", checked=())  # axe waits for timers
    finally:
        daemon.thaw()
        page.call("clock.resume")


def test_old_boards_fit_every_screen_with_the_service_gone(embedded, start_on, visit):
    pages.put_sample(embedded, days=9)
    daemon = start_on(embedded, *EVERYTHING)
    daemon.wait_until_applied()
    page = visit(daemon, allowed=LOST, clock=True)
    wait_for_board(page)
    daemon.kill()
    wait_for_state(page, "disconnected")
    look(page, "disconnected")
    page.forward(60)
    page.until("document.querySelector('[data-stale]')", "stale")
    look(page, "stale")


# Names, numbers, motion.


def test_long_names_in_every_script_and_large_numbers_fit_every_screen(embedded, start_on, visit):
    people = [person("merchant", name) for name in NAMES]
    embedded.put(puts([one for n, ann in enumerate(people) for one in product(f"p{n}", ann, ann, 20 - n)]))
    daemon = start_on(embedded, *EVERYTHING)
    daemon.wait_until_applied()
    daemon.terminate()
    with contextlib.closing(sqlite3.connect(embedded.database)) as rows, rows:
        rows.execute("update scores set score = case score when 20 then 246913578020 else score * 64977257 end")
    page = visit(daemon.start(), "#/all")
    wait_for_board(page)
    assert pages.rows(page, "merchant")[1][3] == "1,234,567,883"
    look(page, "names")
    page.call("setViewportSize", {"width": 360, "height": 740})
    for pixels, is_free in page.evaluate(SCORES):
        assert pixels >= 12.5 and is_free


def test_nothing_moves_where_reduced_motion_is_preferred(embedded, start_on, visit):
    daemon = start_small(embedded, start_on, *EVERYTHING)
    page = visit(daemon, "#/all", reducedMotion="reduce")
    wait_for_board(page)
    page.evaluate(
        """{
      window.moved = [];
      const note = () => { moved.push(...document.getAnimations().map(one => one.effect.target.outerHTML)); requestAnimationFrame(note); };
      note();
    }"""
    )
    for _ in range(3):
        before = page.text("#merchant")
        embedded.put(purchases("rug", 2))
        page.until(lambda: page.text("#merchant") != before, "a sale on the board")
    page.call("click", "#merchant a[href*=contributor]")
    page.until_text("#details-content", "old")
    assert page.evaluate("moved") == []


# On a wall marks fade for seconds, unless reduced motion is preferred.


@pytest.mark.parametrize("screen", ["day", "week", "all", "products"])
def test_a_screen_of_the_wall_fits_every_display(shop, visit, screen):
    page = visit(shop, f"?wall&screens={screen}", reducedMotion="reduce")
    board = "product" if screen == "products" else "photographer"
    page.until(f"document.querySelectorAll('#{board} tbody tr').length >= 7", "seven rows")
    look(page, f"wall-{screen}", WALLS)


def test_the_wall_fits_every_display_with_the_service_gone(embedded, start_on, visit):
    pages.put_sample(embedded)
    daemon = start_on(embedded, *EVERYTHING)
    daemon.wait_until_applied()
    page = visit(daemon, "?wall", allowed=LOST, reducedMotion="reduce", clock=True)
    wait_for_board(page)
    daemon.kill()
    wait_for_state(page, "disconnected")
    page.forward(25 * 3600)
    page.until_text("#through", "h behind")  # with its date
    look(page, "wall-disconnected", WALLS)


# The picture, and Lighthouse.


def test_the_picture_in_the_readme_shows_the_current_wall(embedded, start_on, visit, tmp_path):
    """Renew the picture: WINNER_VIEW_PICTURE=renew pytest tests/integration/test_page_look.py -k picture"""
    pages.put_sample(embedded, days=30)
    daemon = start_on(embedded, *EVERYTHING)
    daemon.wait_until_applied()
    page = visit(daemon, "?wall&seconds=600", viewport=PICTURE_SIZE)
    wait_for_board(page)
    sales = [sys.executable, str(program.ROOT / "deploy" / "sample_shop.py"), f"file:{embedded.journal}"]
    with subprocess.Popen([*sales, "--rate", "6"]) as customers:
        page.until("document.querySelectorAll('#ticker-sales li').length >= 3", "three sales")
        customers.terminate()
    page.until("document.getAnimations().length === 0", "nothing moves")
    taken = PICTURE if os.environ.get("WINNER_VIEW_PICTURE") == "renew" else tmp_path / "page.png"
    page.call("screenshot", {"path": str(taken)})
    assert png_size(taken) == png_size(PICTURE) == PICTURE_SIZE
    assert PICTURE.stat().st_size < 200_000
    assert f"](deploy/{PICTURE.name})" in (program.ROOT / "README.md").read_text()


@pytest.mark.alone
@pytest.mark.parametrize("form", ["mobile", "desktop"])
def test_lighthouse_gives_95_or_more_and_nothing_shifts(shop, form):
    """On a busy machine a page loads slowly, so the best of three counts."""
    tries = []
    for _ in range(3):
        tries.append(lighthouse.judge(f"http://127.0.0.1:{shop.port}/", form))
        if min(tries[-1].scores.values()) >= 95:
            break
    best = max(tries, key=lambda one: min(one.scores.values()))
    table = "".join(f"{form:8} {name:16} {score:4}\n" for name, score in best.scores.items())
    (program.ROOT / "build" / f"lighthouse-{form}.txt").write_text(
        f"{table}{form:8} {'layout shift':16} {best.layout_shift:.3f}\n"
    )
    assert min(best.scores.values()) >= 95 and best.layout_shift <= 0.05, (best, tries)
