"""The page in a real browser, on the real binary. In every test the pages write no unexpected console message, send no
request to another server, and violate no rule of their policy."""

import datetime

import model
import pairs
import program
import pytest
import wait
from pages import (
    ANN,
    PIA,
    HOSTILE,
    asked,
    is_stale,
    live_readers,
    purchases,
    put_sample,
    reader_of_live,
    rows,
    set_hidden,
    start_small,
    wait_for_rows,
    wait_for_state,
)
from small_shop import person, product, puts

pytestmark = pytest.mark.all

ALL_TIME = "#/all"  # events of tests are of another day than today

# The boards.


def test_scores_appear_and_a_purchase_moves_a_row_without_reload(pair, start_on, visit):
    daemon = start_small(pair, start_on)
    page = visit(daemon, ALL_TIME)
    wait_for_rows(page, "merchant", [["1", "Ann", "–", "3"], ["2", "Bob", "–", "2"]])
    wait_for_rows(page, "photographer", [["1", "Pia", "–", "3"]])
    wait_for_state(page, "live")
    page.evaluate("window.sameDocument = true")
    pair.put(purchases("rug", 2))
    wait_for_rows(page, "merchant", [["1", "Bob", "▲ 1", "4"], ["2", "Ann", "▼ 1", "3"]])
    assert page.evaluate("window.sameDocument") is True
    assert "up 1" in page.evaluate("document.querySelector('#merchant tbody tr').textContent")
    page.until_text("#through", "Data through ")


def test_ties_share_a_rank_large_scores_have_separators_and_names_are_only_text(embedded, start_on, visit):
    hostile, twin = person("merchant", HOSTILE), "hello-retail-web/merchant/amzn1.ANOTHER0ANN9999/Ann"
    events = [*product("lamp", ANN, None, 1234), *product("rug", twin, None, 1234)]
    events += product("kettle", hostile, hostile, 617)
    embedded.put(puts(events))
    daemon = start_on(embedded)
    daemon.wait_until_applied()
    page = visit(daemon, ALL_TIME)
    page.until("document.querySelectorAll('#merchant tbody tr').length === 3", "three merchants")
    ranks = [(rank, score) for rank, _, _, score in rows(page, "merchant")]
    assert ranks == [("=1", "1,234"), ("=1", "1,234"), ("3", "617")]
    shown = {name for _, name, _, _ in rows(page, "merchant")}
    assert shown == {HOSTILE} | {f"Ann {model.masked(user)}" for user in (ANN, twin)}
    shares = "[...document.querySelectorAll('#merchant .bar div')].map(bar => bar.style.getPropertyValue('--share'))"
    assert page.evaluate(shares) == ["1.000", "1.000", "0.500"]
    page.call("click", "#merchant tbody tr:last-child a")
    page.until_text("#details-content", "617 sold")
    assert page.text("#details-title") == HOSTILE
    assert page.evaluate("document.images.length") == 0 and "Who is winning" in page.evaluate(
        "document.title"
    )


def test_a_contributor_without_a_name_is_shown_by_the_masked_user_id(embedded, start_on, visit):
    """And a name cannot reorder or end the line it stands in."""
    nameless, reversing = "web/merchant/ann@example.com", person("merchant", "\u202eevil\n")
    embedded.put(puts([*product("lamp", nameless, nameless, 3), *product("rug", reversing, None, 2)]))
    daemon = start_on(embedded)
    daemon.wait_until_applied()
    page = visit(daemon, ALL_TIME)
    wait_for_rows(page, "merchant", [["1", "(**...**ple****)", "–", "3"], ["2", "\ufffdevil\ufffd", "–", "2"]])
    page.call("click", "#merchant tbody tr:first-child a")
    page.until_text("#details-content", "3 sold")
    assert page.text("#details-title") == "(**...**ple****)" and page.text("#details-note") == ""
    assert "example.com" not in page.evaluate("document.body.textContent")


def test_rows_slide_to_their_new_place_unless_reduced_motion_is_preferred(embedded, start_on, visit):
    daemon = start_small(embedded, start_on)
    moving, still = visit(daemon, ALL_TIME), visit(daemon, ALL_TIME, reducedMotion="reduce")
    for page in (moving, still):
        wait_for_rows(page, "merchant", [["1", "Ann", "–", "3"], ["2", "Bob", "–", "2"]])
        page.evaluate(
            """{
          const animate = Element.prototype.animate;
          window.slides = [];
          Element.prototype.animate = function(frames, how) { slides.push(how.duration); return animate.call(this, frames, how); };
        }"""
        )
    embedded.put(purchases("rug", 2))
    for page in (moving, still):
        wait_for_rows(page, "merchant", [["1", "Bob", "▲ 1", "4"], ["2", "Ann", "▼ 1", "3"]])
    assert moving.evaluate("slides.length") == 2 and all(ms == 500 for ms in moving.evaluate("slides"))
    assert still.evaluate("slides.length") == 0


def test_the_focus_stays_on_its_row_and_a_screen_reader_gets_one_sentence(embedded, start_on, visit):
    daemon = start_small(embedded, start_on)
    page = visit(daemon, ALL_TIME, clock=True)
    wait_for_rows(page, "merchant", [["1", "Ann", "–", "3"], ["2", "Bob", "–", "2"]])
    page.evaluate(
        """{
      window.announced = [];
      const summary = document.querySelector('[aria-live=polite]');
      new MutationObserver(() => announced.push(summary.textContent)).observe(summary, {childList: true});
      document.querySelector('#merchant tbody tr:last-child a').focus();
    }"""
    )
    embedded.put(purchases("rug", 2))
    wait_for_rows(page, "merchant", [["1", "Bob", "▲ 1", "4"], ["2", "Ann", "▼ 1", "3"]])
    assert page.evaluate("document.activeElement.textContent") == "Bob"
    embedded.put(purchases("lamp", 2))
    wait_for_rows(page, "merchant", [["1", "Ann", "–", "5"], ["2", "Bob", "–", "4"]])
    assert page.evaluate("announced") == ["Bob now leads the merchants with 4 sold."]
    page.forward(10)
    page.until_text("#summary", "Ann now leads the merchants with 5 sold.")


# Failures are visible, and disappear when they end.


def test_after_a_kill_the_boards_are_marked_as_old_until_the_service_is_back(
    embedded, start_on, visit
):
    put_sample(embedded, days=0.1)
    daemon = start_on(embedded, "--failover-ms", "1000")
    daemon.wait_until_applied()
    page = visit(daemon, ALL_TIME, allowed="net::ERR_(CONNECTION|INCOMPLETE|EMPTY)|.* 503 ", viewport=(1920, 1080), clock=True)
    page.until(lambda: len(rows(page, "merchant")) == 10, "ten merchants")
    page.evaluate("window.sameDocument = true")
    before = rows(page, "merchant")
    daemon.kill()
    wait_for_state(page, "disconnected")
    page.until_text("#connection", "Disconnected since ")
    assert not is_stale(page), "what is a moment old is not stale"
    page.forward(60)
    for role in ("merchant", "photographer"):
        page.until_text(f"#{role} .notice", "Not current: as of ")
    page.until_text("#through", " s behind")
    assert rows(page, "merchant") == before
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    embedded.put(puts([{**one, "timeOrigin": now} for one in product("lamp", ANN, PIA, 100)]))  # today: so Ann is new
    daemon.start()
    page.until(lambda: rows(page, "merchant")[0] == ["1", "Ann", "new", "100"], "Ann leads")
    assert rows(page, "merchant")[1] == ["2", *before[0][1:]]
    wait_for_state(page, "live")
    page.until(lambda: not is_stale(page), "current again")
    assert page.evaluate("window.sameDocument") is True


def test_the_page_notices_a_service_that_hangs_and_reconnects(embedded, start_on, visit):
    daemon = start_small(embedded, start_on)
    page = visit(daemon, ALL_TIME, clock=True, allowed="net::ERR_")
    wait_for_state(page, "live")
    daemon.freeze()
    try:
        page.forward(15)
        wait_for_state(page, "disconnected")
        assert is_stale(page)
    finally:
        daemon.thaw()
    page.forward(15)
    wait_for_state(page, "live")
    page.until(lambda: not is_stale(page), "current again")


def test_data_without_ingest_is_marked_as_old_and_its_live_stream_is_kept(
    embedded, start_on, visit
):
    daemon = start_small(embedded, start_on)
    daemon.terminate()
    daemon = start_on(embedded, "--source", "none", "--caught-up-ms", "100")
    page = visit(daemon, ALL_TIME, clock=True)
    wait_for_rows(page, "merchant", [["1", "Ann", "–", "3"], ["2", "Bob", "–", "2"]])
    wait_for_state(page, "live")
    for role in ("merchant", "photographer"):
        page.until_text(f"#{role} .notice", "Not current: as of ")
    for _ in range(2):
        before = asked(page, "scores")
        page.forward(15)
        page.until(lambda: asked(page, "scores") > before, "the page polls for newer scores")
    assert asked(page, "live") == 1
    wait_for_state(page, "live")


def test_without_a_live_stream_the_page_polls_with_the_etag_until_one_is_free(
    embedded, start_on, visit
):
    daemon = start_small(embedded, start_on, "--max-live", "1")
    with reader_of_live(daemon):
        page = visit(daemon, ALL_TIME, allowed=".* 503 ", clock=True)
        wait_for_state(page, "polling")
        embedded.put(purchases("rug", 2))
        wait_for_rows(page, "merchant", [["1", "Bob", "▲ 1", "4"], ["2", "Ann", "▼ 1", "3"]])
        unchanged = lambda: daemon.metric("winner_view_http_requests_total", route="/scores", status="304")
        wait.until(unchanged, "an answer without a body")
        assert "behind" not in page.text("#through")
    wait.until(lambda: live_readers(daemon) == 0, "its place is free")
    page.forward(120)
    wait_for_state(page, "live")
    embedded.put(purchases("lamp", 2))
    wait_for_rows(page, "merchant", [["1", "Ann", "▲ 1", "5"], ["2", "Bob", "▼ 1", "4"]])


def test_a_polling_page_reconnects_to_a_restarted_service(embedded, start_on, visit):
    daemon = start_small(embedded, start_on, "--max-live", "0", "--failover-ms", "1000")
    page = visit(daemon, ALL_TIME, allowed=".* 503 |net::ERR_", clock=True)
    wait_for_state(page, "polling")
    daemon.kill()
    wait_for_state(page, "disconnected")
    daemon.start()
    page.forward(15)
    wait_for_state(page, "polling")
    embedded.put(purchases("rug", 2))
    wait_for_rows(page, "merchant", [["1", "Bob", "▲ 1", "4"], ["2", "Ann", "▼ 1", "3"]])


def test_a_paused_or_hidden_page_holds_no_connection(embedded, start_on, visit):
    daemon = start_small(embedded, start_on)
    page = visit(daemon, ALL_TIME)
    wait_for_state(page, "live")
    page.call("click", "#pause")
    wait_for_state(page, "paused")
    wait.until(lambda: live_readers(daemon) == 0, "no reader")
    embedded.put(purchases("rug", 2))
    daemon.wait_until_applied()
    assert rows(page, "merchant") == [["1", "Ann", "–", "3"], ["2", "Bob", "–", "2"]]
    page.call("click", "#pause")
    wait_for_rows(page, "merchant", [["1", "Bob", "▲ 1", "4"], ["2", "Ann", "▼ 1", "3"]])
    wait.until(lambda: live_readers(daemon) == 1, "a reader")
    set_hidden(page, "true")
    wait.until(lambda: live_readers(daemon) == 0, "no reader")
    set_hidden(page, "false")
    wait.until(lambda: live_readers(daemon) == 1, "a reader")


def test_a_shop_without_a_sale_shows_a_message(embedded, start_on, visit):
    embedded.put(puts(product("lamp", ANN, PIA)))
    daemon = start_on(embedded)
    daemon.wait_until_applied()
    page = visit(daemon, ALL_TIME)
    for role in ("merchant", "photographer"):
        page.until_text(f"#{role}", "Nobody has sold anything yet.")
    embedded.put(purchases("lamp", 1))
    wait_for_rows(page, "merchant", [["1", "Ann", "new", "1"]])


# What is served.


@pytest.mark.parametrize(
    "target, content_type", [("/", "text/html"), ("/board.css", "text/css"), ("/board.js", "text/javascript")]
)
def test_the_page_has_a_content_security_policy_that_allows_only_itself(market, target, content_type):
    answer = market.get(target)
    assert answer.content_type == content_type
    parts = {"/board.css": "style/*", "/board.js": "script/*"}.get(target, "index.html")
    files = [file.read_bytes() for file in (program.ROOT / "api" / "page").glob(parts)]
    assert all(file in answer.body for file in files) and len(answer.body) == sum(map(len, files))
    policy = dict(
        part.strip().partition(" ")[::2] for part in answer.headers["content-security-policy"].split(";")
    )
    assert policy["default-src"] == "'none'" and policy["frame-ancestors"] == "'none'"
    assert {policy[kind] for kind in ("script-src", "style-src", "connect-src")} == {"'self'"}
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-cache"
