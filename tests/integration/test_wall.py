"""A page that is left open for days: its feed, how it finds back by itself, and the wall mode. In a real browser, on the
real binary; where /live must do what no real one can be made to do, a test writes it."""

import pathlib
import stat

import pytest
import wait
from pages import (
    ANN,
    PIA,
    ROWS_WITHOUT_LINE,
    SCREENSHOTS,
    asked,
    live_readers,
    purchases,
    put_sample,
    rows,
    set_hidden,
    start_small,
    wait_for_board,
    wait_for_state,
)
from reverse_proxies import Nginx
from scripted_service import ScriptedService
from small_shop import product, puts

pytestmark = pytest.mark.all

DOWN = r"net::ERR_|.* 50[234] "  # what Chromium says while a service is away
OLD_ENOUGH_S = 601  # for a page to load itself again


def mark(page):
    page.evaluate("window.sameDocument = true")


def is_same_document(page):
    return page.evaluate("window.sameDocument === true")


def is_loaded_again(page):
    try:
        return not is_same_document(page)
    except AssertionError as error:
        assert "navigation" in str(error)
        return False  # it is loading


def first_score(page):
    return rows(page, "merchant")[0][-1].split("+")[0]


# Finding back.


def test_after_hours_without_the_service_the_page_follows_it_again(embedded, start_on, visit):
    daemon = start_small(embedded, start_on, "--failover-ms", "1000")
    page = visit(daemon, "#/all", clock=True, allowed=DOWN)
    wait_for_state(page, "live")
    mark(page)
    daemon.kill()
    wait_for_state(page, "disconnected")
    for _ in range(3):
        page.forward(3600)
        wait_for_state(page, "disconnected")
    daemon.start()
    page.forward(120)
    wait_for_state(page, "live")
    embedded.put(purchases("rug", 2))
    page.until(lambda: first_score(page) == "4", "the new score")
    assert is_same_document(page), "the same version is not loaded again"


def replace_page(daemon, folder):
    """Another version of the program: the same but for a letter in a comment of its script."""
    before, after = b"/* The feed:", b"/* the feed:"
    program = pathlib.Path(daemon.argv[0]).read_bytes()
    assert program.count(before) == 1
    daemon.argv[0] = str(folder / "winner-view")
    pathlib.Path(daemon.argv[0]).write_bytes(program.replace(before, after))
    pathlib.Path(daemon.argv[0]).chmod(stat.S_IRWXU)


def test_a_new_version_is_loaded_but_not_under_a_reader_and_not_twice_in_ten_minutes(
    embedded, start_on, visit, tmp_path
):
    daemon = start_small(embedded, start_on, "--failover-ms", "1000")
    page = visit(daemon, "#/all", clock=True, allowed=DOWN)
    wait_for_state(page, "live")
    mark(page)
    page.until(lambda: asked(page, "board.js") == 2, "its own version is known")
    page.call("focus", "#find")
    daemon.kill()
    replace_page(daemon, tmp_path)
    wait_for_state(page, "disconnected")
    daemon.start()
    page.forward(120)
    wait_for_state(page, "live")
    page.until(lambda: asked(page, "board.js") == 3, "the version is compared")
    page.evaluate("document.activeElement.blur()")
    page.forward(2)
    assert is_same_document(page), "a page of two minutes is not loaded again"
    page.call("focus", "#find")
    page.forward(OLD_ENOUGH_S)
    wait_for_state(page, "live")
    assert is_same_document(page), "not while a reader types"
    page.evaluate("document.activeElement.blur()")
    page.until(lambda: is_loaded_again(page), "the new version is loaded")
    wait_for_state(page, "live")
    wait_for_board(page)


def test_behind_a_proxy_that_answers_502_the_page_stays_and_finds_back(embedded, start_on, visit, tmp_path):
    daemon = start_small(embedded, start_on, "--failover-ms", "1000")
    with Nginx(tmp_path, daemon.port) as proxy:
        page = visit(proxy, "#/all", clock=True, allowed=DOWN)
        wait_for_state(page, "live")
        mark(page)
        daemon.kill()
        wait_for_state(page, "disconnected")
        for _ in range(3):
            page.forward(OLD_ENOUGH_S)
            wait_for_state(page, "disconnected")
        assert is_same_document(page), "a page that loads itself now would show the proxy's error for ever"
        daemon.start()
        page.forward(120)
        wait_for_state(page, "live")
        embedded.put(purchases("rug", 2))
        page.until(lambda: first_score(page) == "4", "the new score")


def test_after_a_sleep_of_the_machine_the_page_connects_anew_at_once(embedded, start_on, visit):
    daemon = start_small(embedded, start_on)
    page = visit(daemon, "#/all", clock=True)
    wait_for_state(page, "live")
    mark(page)
    page.forward(8 * 3600)
    page.until(lambda: asked(page, "live") == 2, "a second stream")
    wait_for_state(page, "live")
    wait.until(lambda: live_readers(daemon) == 1, "the first one is closed")
    assert is_same_document(page)


HOLD_ANSWERS = """{
  const released = new Promise(release => { window.release = release; }), fetch = window.fetch;
  const isHeld = path => path.startsWith("live") || path.startsWith("scores?");
  window.fetch = async (path, ...more) => { if (isHeld(path)) await released; return fetch(path, ...more); };
}"""


def test_a_page_that_was_hidden_for_long_is_not_loaded_again_when_it_is_looked_at(embedded, start_on, visit):
    page = visit(start_small(embedded, start_on), "#/all", clock=True)
    wait_for_state(page, "live")
    mark(page)
    set_hidden(page, "true")
    for _ in range(OLD_ENOUGH_S // 20 + 1):
        page.forward(20)  # the machine does not sleep
    page.evaluate(HOLD_ANSWERS)
    set_hidden(page, "false")
    page.forward(2)
    page.evaluate("release()")
    wait_for_state(page, "live")
    for _ in range(3):
        page.forward(1)
    assert is_same_document(page)


# The stream, as the test writes it.


@pytest.fixture
def scripted(embedded, start_on):
    daemon = start_small(embedded, start_on)
    with ScriptedService(daemon) as service:
        service.boards = daemon.get("/scores?limit=10").json()
        yield service


def send_boards(service):
    for role in ("merchant", "photographer"):
        service.send(role, service.boards[role])
    as_of = service.boards["merchant"]["asOf"]
    service.send("freshness", {"asOf": as_of, "caughtUp": True, "time": as_of})


@pytest.fixture
def scripted_and_still(embedded, start_on):
    """Without an ingest: polls find nothing newer than the stream sent."""
    start_small(embedded, start_on).terminate()
    daemon = start_on(embedded, "--source", "none")
    with ScriptedService(daemon) as service:
        service.boards = daemon.get("/scores?limit=10").json()
        yield service


def test_a_stream_that_sends_nothing_is_opened_anew_after_three_heartbeats(scripted_and_still, visit):
    scripted = scripted_and_still
    page = visit(scripted, "#/all", clock=True)
    scripted.until_streams(1)
    send_boards(scripted)
    wait_for_state(page, "live")
    for _ in range(2):
        page.forward(20)
        scripted.write(": heartbeat\n\n")
        page.until(lambda: asked(page, "scores") >= 1, "it polls")
    assert len(scripted.readers) == 1, "a heartbeat is news of the stream"
    for _ in range(4):
        page.forward(20)
    scripted.until_streams(2)  # a server learns of the end of one when it writes
    send_boards(scripted)
    wait_for_state(page, "live")


def test_a_refused_stream_is_not_asked_for_before_the_time_that_the_answer_names(scripted, visit):
    scripted.refuse_live(503, {"Retry-After": "100"})
    page = visit(scripted, "#/all", clock=True, allowed=".* 503 ")
    wait_for_state(page, "polling")
    scripted.until_readers(1)
    for _ in range(4):
        page.forward(20)
        wait_for_state(page, "polling")
    assert len(scripted.readers) == 1
    scripted.accept_live()
    for _ in range(3):
        page.forward(20)
    scripted.until_readers(2)
    scripted.until_streams(1)
    send_boards(scripted)
    wait_for_state(page, "live")


def change(**more):
    return {"role": "merchant", "period": None, "asOf": None, "rows": [], "left": [], **more}


def test_changed_rows_are_applied_to_the_board_and_a_change_that_does_not_fit_starts_whole(scripted, visit):
    page = visit(scripted, "#/all", clock=True)
    scripted.until_streams(1)
    send_boards(scripted)
    wait_for_state(page, "live")
    names = lambda: [(name, score.split("+")[0]) for _, name, _, score in rows(page, "merchant")]
    page.until(lambda: names() == [("Ann", "3"), ("Bob", "2")], "the board")
    scripted.send("rows", change(rows=[{"at": 0, "was": 1, "rank": 1, "score": 5}, {"at": 1, "was": 0, "rank": 2}]))
    page.until(lambda: names() == [("Bob", "5"), ("Ann", "3")], "changed places")
    cem = {**scripted.boards["merchant"]["items"][0], "id": "x", "name": "Cem", "score": 4, "rank": 2}
    scripted.send("rows", change(rows=[{"at": 1, **cem}], left=[scripted.boards["merchant"]["items"][0]["id"]]))
    page.until(lambda: names() == [("Bob", "5"), ("Cem", "4")], "one came, one left")
    scripted.end_streams()
    wait_for_state(page, "polling")
    page.forward(10)
    scripted.until_readers(2)
    assert scripted.readers[1][1] == f"e-{scripted.events}", "it names the last event that it has"
    scripted.until_streams(1)
    scripted.send("rows", change(rows=[{"at": 0, "score": 6}]))
    page.until(lambda: names() == [("Bob", "6"), ("Cem", "4")], "what it missed")
    scripted.send("rows", change(rows=[{"at": 0, "was": 7, "score": 6}]))
    scripted.until_readers(3)
    assert scripted.readers[2][1] is None, "it starts whole"


HANG_ANSWERS = """{
  const fetch = window.fetch;
  Object.assign(window, {hangs: true, hung: 0});
  window.fetch = (path, ...more) => {
    if (!hangs || !/^(live|scores[?])/.test(path)) return fetch(path, ...more);
    hung++;
    return new Promise(() => {}); // a browser that forgot it
  };
}"""


def test_a_page_that_shows_nothing_for_five_minutes_although_the_service_answers_is_loaded_again(scripted, visit):
    page = visit(scripted, "#/all", clock=True, allowed=DOWN)
    scripted.until_streams(1)
    send_boards(scripted)
    wait_for_state(page, "live")
    page.forward(OLD_ENOUGH_S)
    scripted.until_streams(1)
    wait_for_state(page, "polling")
    page.evaluate(HANG_ANSWERS)
    scripted.end_streams()
    page.until(lambda: page.forward(1) or page.evaluate("hung") >= 2, "it waits for a stream and for boards")
    page.evaluate("hangs = false")
    mark(page)
    for _ in range(13):
        page.forward(20)
    assert is_same_document(page)
    page.until(lambda: page.forward(20) or is_loaded_again(page), "the page is loaded again")


# The wall.

SIZES = [(1920, 1080), (1080, 1920), (3840, 2160)]
TEXTS = """[...document.querySelectorAll('body *')].filter(one => one.checkVisibility() && !one.closest('.spoken, dialog, noscript, header')
  && [...one.childNodes].some(node => node.nodeType === 3 && node.textContent.trim())).map(one => parseFloat(getComputedStyle(one).fontSize))"""
OUTSIDE = """[...document.querySelectorAll('#wall-screens span, #strip :is(dt, dd), .state p, .board, .board tr, #ticker li, #ticker h2')]
  .filter(one => one.checkVisibility()).filter(one => {
    const {left, top, right, bottom} = one.getBoundingClientRect(), x = innerWidth * .05 - 1, y = innerHeight * .05 - 1;
    return left < x || top < y || right > innerWidth - x || bottom > innerHeight - y;
  }).map(one => one.textContent)"""
ROWS_SEEN = "[...document.querySelectorAll('#%s tbody tr')].filter(row => row.checkVisibility()).length"
CONTROLS = "[...document.querySelectorAll('button, input, nav a, footer a')].filter(one => one.checkVisibility()).length"


@pytest.fixture
def sellers(embedded, start_on):
    put_sample(embedded, days=2)
    daemon = start_on(embedded, "--best-sellers", "on")
    daemon.wait_until_applied()
    return daemon


def shown_screen(page):
    return page.evaluate("document.querySelector('#wall-screens [data-shown]')?.textContent")


def wait_for_screen(page, name):
    page.until(lambda: shown_screen(page) == name, name)


def wait_for_seven_rows(page, role):
    page.until(lambda: page.evaluate(ROWS_SEEN % role) == 7, f"seven rows of {role}")


def take_wall(page, name):
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.call("screenshot", {"path": str(SCREENSHOTS / f"wall-{name}.png")})


def assert_readable_from_afar(page, size):
    least = 32 * min(size) / 1080
    assert min(page.evaluate(TEXTS)) >= least - 0.1
    assert page.evaluate(OUTSIDE) == []
    assert page.evaluate(CONTROLS) == 0
    assert page.evaluate("getComputedStyle(document.querySelector('tbody a')).cursor") == "none"
    assert page.evaluate("document.documentElement.scrollHeight <= innerHeight && document.documentElement.scrollWidth <= innerWidth")
    assert page.axe() == []


@pytest.mark.parametrize("size", SIZES, ids=lambda size: "x".join(map(str, size)))
def test_a_wall_is_read_from_afar_within_the_middle_nine_tenths_of_a_screen(sellers, visit, size):
    dark = {"colorScheme": "dark"} if size == SIZES[2] else {}
    page = visit(sellers, "?wall&screens=day", viewport=size, **dark)
    wait_for_screen(page, "Today")
    for role in ("merchant", "photographer"):
        wait_for_seven_rows(page, role)
    assert_readable_from_afar(page, size)
    take_wall(page, f"people-{size[0]}x{size[1]}")
    page = visit(sellers, "?wall&screens=products", viewport=size, **dark)
    wait_for_screen(page, "Best sellers")
    wait_for_seven_rows(page, "product")
    assert page.evaluate(ROWS_SEEN % "merchant") == 0
    assert_readable_from_afar(page, size)
    take_wall(page, f"products-{size[0]}x{size[1]}")


def test_a_wall_turns_through_its_screens_and_keeps_the_first_one_in_sight(sellers, visit):
    page = visit(sellers, "?wall", clock=True, viewport=(1920, 1080))
    for screen, period in [("Today", "day"), ("This week", "week"), ("All time", None), ("Best sellers", "day"), ("Today", "day")]:
        wait_for_screen(page, screen)
        role = "product" if screen == "Best sellers" else "merchant"
        board = sellers.get(f"/scores/{role}?limit=1" + (f"&period={period}" if period else "")).json()
        page.until(lambda: rows(page, role) and str(board["items"][0]["score"]) in rows(page, role)[0][-1].replace(",", ""), screen)
        if screen == "Best sellers":
            page.until(lambda: page.evaluate(ROWS_WITHOUT_LINE) == 0, "their history within the first minute")
        page.forward(11)


def test_words_of_the_address_that_a_wall_does_not_have_are_named_for_ten_seconds(sellers, visit):
    page = visit(sellers, "?wall&screens=week,dy,hour&seconds=1", clock=True)
    page.until_text("#wall-note", "No screen is called dy.")
    page.until_text("#wall-note", "seconds: allowed are 5 to 600.")
    wait_for_screen(page, "This week")
    page.forward(11)
    page.until("document.querySelector('#wall-note').hidden", "the note is gone")
    assert page.text("#wall-screens") == "This week"


def test_the_frame_of_a_wall_shifts_along_a_closed_path(sellers, visit):
    page = visit(sellers, "?wall&screens=day", clock=True, viewport=(1920, 1080))
    wait_for_screen(page, "Today")
    places = []
    for _ in range(9):
        page.forward(180)
        places.append(page.evaluate("getComputedStyle(document.body).translate"))
        assert page.evaluate(OUTSIDE) == []
    assert len(set(places)) == 9


def test_without_its_service_a_wall_keeps_its_screen_and_says_so_large(sellers, visit):
    page = visit(sellers, "?wall", clock=True, viewport=(1920, 1080), allowed=DOWN)
    wait_for_seven_rows(page, "merchant")
    sellers.kill()
    wait_for_state(page, "disconnected")
    before = shown_screen(page)
    for _ in range(3):
        page.forward(20)
        wait_for_state(page, "disconnected")
    assert shown_screen(page) == before and page.evaluate(ROWS_SEEN % "merchant") == 7
    assert page.evaluate("parseFloat(getComputedStyle(document.querySelector('#connection-text')).fontSize)") >= 40
    take_wall(page, "disconnected")


@pytest.mark.parametrize("motion", ["no-preference", "reduce"])
def test_what_changed_is_marked_and_nothing_moves_where_less_motion_is_preferred(embedded, start_on, visit, motion):
    daemon = start_small(embedded, start_on)
    page = visit(daemon, "?wall&screens=all", reducedMotion=motion)
    wait_for_board(page)
    wait_for_state(page, "live")
    page.evaluate(
        """{
      const animate = Element.prototype.animate;
      window.moved = 0;
      Element.prototype.animate = function(...how) { moved++; return animate.apply(this, how); };
    }"""
    )
    embedded.put(purchases("rug", 2))
    page.until("document.querySelector('#merchant tr[data-changed]')", "a mark")
    assert first_score(page) == "4"
    assert (page.evaluate("moved") > 0) == (motion == "no-preference")


def test_a_wall_keeps_its_screen_awake_also_after_it_was_hidden(embedded, start_on, visit):
    page = visit(start_small(embedded, start_on), "?wall")
    page.call("addInitScript", "window.locks = []; WakeLock.prototype.request = async kind => { locks.push(kind); throw Error('refused'); }")
    page.call("reload")
    page.until("locks.length === 1", "a lock is asked for")
    set_hidden(page, "true")
    set_hidden(page, "false")
    page.until("locks.length === 2", "the browser dropped it while the page was hidden")
    assert page.evaluate("locks") == ["screen", "screen"]


# States of a wall.


def assert_within_a_wall(page):
    assert min(page.evaluate(TEXTS)) >= 32 - 0.1
    assert page.evaluate(OUTSIDE) == []


def test_a_wall_of_a_shop_without_a_sale_says_so(embedded, start_on, visit):
    embedded.put(puts(product("lamp", ANN, PIA)))
    daemon = start_on(embedded)
    daemon.wait_until_applied()
    page = visit(daemon, "?wall&screens=all", viewport=(1920, 1080))
    for role in ("merchant", "photographer"):
        page.until_text(f"#{role}", "Nobody has sold anything yet.")
    assert_within_a_wall(page)
    take_wall(page, "empty")


def test_a_wall_shows_how_far_its_service_has_caught_up(scripted, visit):
    page = visit(scripted, "?wall&screens=all", viewport=(1920, 1080))
    scripted.until_streams(1)
    scripted.send("progress", {"percent": 42, "eventsPerSecond": 12345, "secondsLeft": 150, "shardsBehind": 1, "shards": 1})
    page.until_text("#progress", "Catching up: 42%")
    assert page.evaluate("getComputedStyle(document.querySelector('#boards'), '::after').visibility") == "hidden"
    assert_within_a_wall(page)
    take_wall(page, "catching-up")
    send_boards(scripted)
    wait_for_board(page)
    page.until("!document.querySelector('#progress').checkVisibility()", "the bar is gone")


def test_a_wall_whose_service_stands_still_keeps_its_rows_and_follows_it_again(sellers, visit):
    page = visit(sellers, "?wall", clock=True, viewport=(1920, 1080), allowed=DOWN)
    wait_for_seven_rows(page, "merchant")
    wait_for_state(page, "live")
    mark(page)
    sellers.freeze()
    try:
        page.forward(20)
        wait_for_state(page, "disconnected")
        page.until("document.querySelector('.late')", "it says that the rows are old")
        assert page.evaluate(ROWS_SEEN % "merchant") == 7
        assert_within_a_wall(page)
    finally:
        sellers.thaw()
    page.forward(120)
    wait_for_state(page, "live")
    assert is_same_document(page)


def test_of_a_burst_of_changes_a_wall_shows_the_last_and_moves_no_row_for_those_between(scripted, visit):
    page = visit(scripted, "?wall&screens=all")
    scripted.until_streams(1)
    send_boards(scripted)
    wait_for_state(page, "live")
    wait_for_board(page)
    page.evaluate(
        """{
      const animate = Element.prototype.animate;
      window.moved = 0;
      Element.prototype.animate = function(...how) { moved += this.matches("tr"); return animate.apply(this, how); };
    }"""
    )
    for score in range(5, 105):
        scripted.send("rows", change(rows=[{"at": 0, "was": 1, "rank": 1, "score": score}, {"at": 1, "was": 0, "rank": 2}]))
    page.until(lambda: first_score(page) == "104", "the last change")
    assert page.evaluate("moved") <= 20, "a hundred overtook, of two rows each"
