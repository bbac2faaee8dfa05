"""The page in a real browser, on the real binary. In every test the pages write no unexpected console message, send no
request to another server, and violate no rule of their policy."""

import contextlib
import os
import pathlib
import re
import struct
import subprocess
import sys

import browser
import live
import model
import pairs
import program
import pytest
import wait
from daemon import Daemon
from small_shop import event, person, product, puts

pytestmark = pytest.mark.all

SCREENSHOTS = program.ROOT / "build" / "screenshots"
PICTURE, PICTURE_SIZE = program.ROOT / "deploy" / "page.png", (1200, 700)
ANN, BOB = person("merchant", "Ann"), person("merchant", "Bob")
PIA = person("photographer", "Pia")
SMALL = [*product("lamp", ANN, PIA, 3), *product("rug", BOB, None, 2)]
HOSTILE = '<img src=x onerror="document.title=1">'
PASSING = r"Failed to load resource: "

ROWS = """[...document.querySelectorAll('#%s tbody tr')].map(row => [...row.cells].map(cell => {
  const seen = cell.querySelector('[aria-hidden]:not(.bar)') ?? cell.querySelector('a, span') ?? cell;
  return seen.textContent + [...cell.querySelectorAll('.gain')].map(gain => gain.textContent);
}))"""


@pytest.fixture(scope="module")
def chromium():
    with browser.Browser() as running:
        yield running


def assert_quiet(page, allowed):
    noise = page.noise()
    origin = page.url.split("#")[0]
    loud = [
        one for one in noise["console"] if not (allowed and re.match(f"{PASSING}({allowed})", one["text"]))
    ]
    assert not loud
    assert not noise["errors"] and not noise["violations"]
    asked = [url for url in noise["requests"] if not url.startswith((origin, "data:"))]
    assert noise["requests"] and not asked


@pytest.fixture
def visit(chromium, make_on):
    """Opens pages: visit(daemon, "#/…", option…). `allowed`: Chromium's messages about loads that may fail."""
    visits = []

    def visit(daemon, place="", allowed=None, **options):
        page = chromium.open(f"http://127.0.0.1:{daemon.port}/{place}", **options)
        visits.append((page, allowed))
        return page

    yield visit
    for page, allowed in visits:
        assert_quiet(page, allowed)
        page.close()


def put_sample(pair):
    """The sample of the shop: more than ten merchants and photographers, some of them tied."""
    command = [sys.executable, str(program.ROOT / "deploy" / "sample_shop.py"), f"file:{pair.journal}"]
    subprocess.run([*command, "--rate", "0", "--seed", "1"], check=True, timeout=60)


@pytest.fixture(scope="module")
def market(tmp_path_factory):
    """The sample shop, for tests that only read."""
    pair = pairs.FileSqlite(tmp_path_factory.mktemp("market"))
    put_sample(pair)
    with Daemon([*pair.options, "--drain-seconds", "0"], {}) as daemon:
        daemon.wait_until_applied()
        yield daemon


def rows(page, role):
    """[rank, name, movement, score and gain] of each row, as it is visible."""
    return page.evaluate(ROWS % role)


def wait_for_rows(page, role, expected):
    page.until(lambda: rows(page, role) == expected, f"{role}: {expected}")


def wait_for_state(page, state):
    page.until(f"document.querySelector('#connection').dataset.state === '{state}'", state)


def wait_for_board(page):
    page.until("document.querySelectorAll('tbody tr').length", "rows")


def purchases(product_id, n):
    return puts([event(model.PURCHASE, product_id, person("customer", "Cy"))] * n)


def start_small(pair, start_on, *options):
    pair.put(puts(SMALL))
    daemon = start_on(pair, *options)
    daemon.wait_until_applied()
    return daemon


# The boards.


def test_scores_appear_and_a_purchase_moves_a_row_without_reload(pair, start_on, visit):
    daemon = start_small(pair, start_on)
    page = visit(daemon)
    wait_for_rows(page, "merchant", [["1", "Ann", "", "3"], ["2", "Bob", "", "2"]])
    wait_for_rows(page, "photographer", [["1", "Pia", "", "3"]])
    wait_for_state(page, "live")
    page.evaluate("window.sameDocument = true")
    pair.put(purchases("rug", 2))
    wait_for_rows(page, "merchant", [["1", "Bob", "▲ 1", "4+2"], ["2", "Ann", "▼ 1", "3"]])
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
    page = visit(daemon)
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
    page = visit(daemon)
    wait_for_rows(page, "merchant", [["1", "(**...**ple****)", "", "3"], ["2", "\ufffdevil\ufffd", "", "2"]])
    page.call("click", "#merchant tbody tr:first-child a")
    page.until_text("#details-content", "3 sold")
    assert page.text("#details-title") == "(**...**ple****)" and page.text("#details-note") == ""
    assert "example.com" not in page.evaluate("document.body.textContent")


def test_rows_slide_to_their_new_place_unless_reduced_motion_is_preferred(embedded, start_on, visit):
    daemon = start_small(embedded, start_on)
    moving, still = visit(daemon), visit(daemon, reducedMotion="reduce")
    for page in (moving, still):
        wait_for_rows(page, "merchant", [["1", "Ann", "", "3"], ["2", "Bob", "", "2"]])
        page.evaluate(
            """{
          const animate = Element.prototype.animate;
          window.slides = [];
          Element.prototype.animate = function(frames, how) { slides.push(how.duration); return animate.call(this, frames, how); };
        }"""
        )
    embedded.put(purchases("rug", 2))
    for page in (moving, still):
        wait_for_rows(page, "merchant", [["1", "Bob", "▲ 1", "4+2"], ["2", "Ann", "▼ 1", "3"]])
    assert moving.evaluate("slides.length") == 2 and all(150 <= ms <= 200 for ms in moving.evaluate("slides"))
    assert still.evaluate("slides.length") == 0


def test_the_focus_stays_on_its_row_and_a_screen_reader_gets_one_sentence(embedded, start_on, visit):
    daemon = start_small(embedded, start_on)
    page = visit(daemon, clock=True)
    wait_for_rows(page, "merchant", [["1", "Ann", "", "3"], ["2", "Bob", "", "2"]])
    page.evaluate(
        """{
      window.announced = [];
      const summary = document.querySelector('[aria-live=polite]');
      new MutationObserver(() => announced.push(summary.textContent)).observe(summary, {childList: true});
      document.querySelector('#merchant tbody tr:last-child a').focus();
    }"""
    )
    embedded.put(purchases("rug", 2))
    wait_for_rows(page, "merchant", [["1", "Bob", "▲ 1", "4+2"], ["2", "Ann", "▼ 1", "3"]])
    assert page.evaluate("document.activeElement.textContent") == "Bob"
    embedded.put(purchases("lamp", 2))
    wait_for_rows(page, "merchant", [["1", "Ann", "", "5+2"], ["2", "Bob", "", "4+2"]])
    assert page.evaluate("announced") == ["Bob now leads the merchants with 4 sold."]
    page.forward(10)
    page.until_text("#summary", "Ann now leads the merchants with 5 sold.")


# Failures are visible, and disappear when they end.


def is_stale(page):
    return page.evaluate("document.querySelectorAll('[data-stale]').length") == 2


def test_after_a_kill_the_boards_are_marked_as_old_until_the_service_is_back(
    embedded, start_on, visit
):
    put_sample(embedded)
    daemon = start_on(embedded, "--failover-ms", "1000")
    daemon.wait_until_applied()
    page = visit(daemon, allowed="net::ERR_(CONNECTION|INCOMPLETE|EMPTY)", viewport=(1920, 1080), clock=True)
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
    take(page, "stale")
    embedded.put(puts(product("lamp", ANN, PIA, 100)))
    daemon.start()
    page.until(lambda: rows(page, "merchant")[0] == ["1", "Ann", "new", "100"], "Ann leads")
    assert rows(page, "merchant")[1] == ["2", before[0][1], "▼ 1", before[0][3]]
    wait_for_state(page, "live")
    page.until(lambda: not is_stale(page), "current again")
    take(page, "moved")
    assert page.evaluate("window.sameDocument") is True


def test_the_page_notices_a_service_that_hangs_and_reconnects(embedded, start_on, visit):
    daemon = start_small(embedded, start_on)
    page = visit(daemon, clock=True, allowed="net::ERR_")
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


def asked(page, name):
    return sum(url.split("?")[0].endswith(f"/{name}") for url in page.noise()["requests"])


def test_data_without_ingest_is_marked_as_old_and_its_live_stream_is_kept(
    embedded, start_on, visit
):
    daemon = start_small(embedded, start_on)
    daemon.terminate()
    daemon = start_on(embedded, "--source", "none", "--caught-up-ms", "100")
    page = visit(daemon, clock=True)
    wait_for_rows(page, "merchant", [["1", "Ann", "", "3"], ["2", "Bob", "", "2"]])
    wait_for_state(page, "live")
    for role in ("merchant", "photographer"):
        page.until_text(f"#{role} .notice", "Not current: as of ")
    for _ in range(2):
        before = asked(page, "scores")
        page.forward(15)
        page.until(lambda: asked(page, "scores") > before, "the page polls for newer scores")
    assert asked(page, "live") == 1
    wait_for_state(page, "live")


@contextlib.contextmanager
def reader_of_live(daemon):
    """Is one of the readers of /live."""
    with live.dial(daemon.port) as reader, reader.makefile("rb") as file:
        assert live.read_head(file)[0] == 200
        yield


def test_without_a_live_stream_the_page_polls_with_the_etag_until_one_is_free(
    embedded, start_on, visit
):
    daemon = start_small(embedded, start_on, "--max-live", "1")
    with reader_of_live(daemon):
        page = visit(daemon, allowed=".* 503 ", clock=True)
        wait_for_state(page, "polling")
        embedded.put(purchases("rug", 2))
        wait_for_rows(page, "merchant", [["1", "Bob", "▲ 1", "4+2"], ["2", "Ann", "▼ 1", "3"]])
        unchanged = lambda: daemon.metric("winner_view_http_requests_total", route="/scores", status="304")
        wait.until(unchanged, "an answer without a body")
        assert "behind" not in page.text("#through")
    wait.until(lambda: live_readers(daemon) == 0, "its place is free")
    page.forward(120)
    wait_for_state(page, "live")
    embedded.put(purchases("lamp", 2))
    wait_for_rows(page, "merchant", [["1", "Ann", "", "5+2"], ["2", "Bob", "", "4+2"]])


def test_a_polling_page_reconnects_to_a_restarted_service(embedded, start_on, visit):
    daemon = start_small(embedded, start_on, "--max-live", "0", "--failover-ms", "1000")
    page = visit(daemon, allowed=".* 503 |net::ERR_", clock=True)
    wait_for_state(page, "polling")
    daemon.kill()
    wait_for_state(page, "disconnected")
    daemon.start()
    page.forward(15)
    wait_for_state(page, "polling")
    embedded.put(purchases("rug", 2))
    wait_for_rows(page, "merchant", [["1", "Bob", "▲ 1", "4+2"], ["2", "Ann", "▼ 1", "3"]])


def live_readers(daemon):
    return daemon.metric("winner_view_live_readers")


def set_hidden(page, hidden):
    page.evaluate(
        f"""{{
      Object.defineProperty(document, "hidden", {{value: {hidden}, configurable: true}});
      document.dispatchEvent(new Event("visibilitychange"));
    }}"""
    )


def test_a_paused_or_hidden_page_holds_no_connection(embedded, start_on, visit):
    daemon = start_small(embedded, start_on)
    page = visit(daemon)
    wait_for_state(page, "live")
    page.call("click", "#pause")
    wait_for_state(page, "paused")
    wait.until(lambda: live_readers(daemon) == 0, "no reader")
    embedded.put(purchases("rug", 2))
    daemon.wait_until_applied()
    assert rows(page, "merchant") == [["1", "Ann", "", "3"], ["2", "Bob", "", "2"]]
    page.call("click", "#pause")
    wait_for_rows(page, "merchant", [["1", "Bob", "▲ 1", "4+2"], ["2", "Ann", "▼ 1", "3"]])
    wait.until(lambda: live_readers(daemon) == 1, "a reader")
    set_hidden(page, "true")
    wait.until(lambda: live_readers(daemon) == 0, "no reader")
    set_hidden(page, "false")
    wait.until(lambda: live_readers(daemon) == 1, "a reader")


# Details of products and contributors.


def look_up(page, product_id):
    page.call("fill", "#product", product_id)
    page.press("Enter")


def test_a_products_details_link_to_its_people_and_back(market, visit):
    page = visit(market)
    listed = market.get("/contributions?limit=100").json()["items"]
    one = next(item for item in listed if item["photographer"] and item["purchases"])
    wait_for_board(page)
    look_up(page, one["productId"])
    page.until_text("#details-content", one["merchant"]["name"])
    facts = page.text("#details-content")
    assert one["photographer"]["name"] in facts and f"Sold\n{one['purchases']}\n" in facts
    assert facts.count(":") >= 4, "the times of its first and latest event"
    page.call("click", "#details-content a")
    page.until_text("#details-content", "As a merchant")
    ranked = market.get(f"/scores/merchant/{one['merchant']['id']}").json()
    assert page.text("#details-title") == one["merchant"]["name"]
    facts = page.text("#details-content")
    assert f"{ranked['score']} sold\nRank {ranked['rank']}" in facts and "Nothing sold yet" in facts
    page.call("goBack")
    page.until_text("#details-title", one["productId"])
    page.call("click", "#close")
    page.until("!document.querySelector('#details').open && !location.hash", "closed")


def test_a_missing_product_is_distinguished_from_one_not_caught_up_yet(market, embedded, make_on, visit):
    page = visit(market, allowed=".* 404 ")
    for odd in ("none such", '"><svg onload=alert(1)>/?#%', "日本"):
        look_up(page, odd)
        page.until_text("#details-title", odd)
        page.until_text("#details-note", "There is no such product")
        page.press("Escape")
    first_line = pairs.begin(embedded).journal.read_bytes()
    embedded.journal.unlink()
    daemon = make_on(embedded).start(ready=False)  # it waits for its file
    daemon.wait_until_listening()
    page = visit(daemon, "#/product/lamp", allowed=".* 503 ")
    page.until_text("#details-note", "still catching up")
    page.until_text("#merchant", "Not known yet how current this is")
    embedded.append(first_line)
    embedded.put(puts(SMALL))
    page.until_text("#details-content", "Registered by\nAnn")


def test_the_address_of_an_unknown_product_or_contributor_shows_a_message(market, visit):
    page = visit(market, allowed=".* 4(00|04|14) ")
    for place, word in {
        "product/" + "é" * 1100: "There is no such product",  # more bytes than an id may have
        "product/" + "é" * 1500: "There is no such product",  # and than a target may have
        "product/..": "A browser cannot request this id",
        "contributor/..": "A browser cannot request this id",
        "contributor/merchant": "A browser cannot request this id",
        "contributor/nobody": "There is no such contributor",
    }.items():
        page.evaluate(f"location.hash = '#/{place}'")
        page.until_text("#details-note", word)
        assert not page.text("#details-content")
        page.press("Escape")


def test_closing_details_does_not_undo_a_navigation_that_follows_at_once(market, visit):
    page = visit(market, "#/product/none", allowed=".* 404 ")
    page.until_text("#details-note", "There is no such product")
    page.evaluate(
        """(() => { // a busy browser may send these events in this order: the close first, then the new hash
      const details = document.getElementById("details");
      details.close();
      location.hash = "#/contributor/nobody";
      details.dispatchEvent(new Event("close"));
    })()"""
    )
    page.until_text("#details-note", "There is no such contributor")


def test_reopened_details_are_requested_once(market, visit):
    page = visit(market, "#/product/none", clock=True, allowed=".* 404 ")
    page.until_text("#details-note", "There is no such product")
    page.evaluate(
        """(async () => {
      for (let n = 0; n < 40; n++) {
        location.hash = n % 2 ? "#/product/none" : "";
        await new Promise(resolve => setTimeout(resolve, 5));
      }
      location.hash = "";
    })()"""
    )
    page.until("!document.querySelector('#details').open", "closed")
    before = asked(page, "none")
    page.forward(15)
    wait_for_state(page, "live")
    assert asked(page, "none") == before


def test_everything_can_be_reached_and_seen_with_the_keyboard_alone(market, visit):
    page = visit(market)
    wait_for_board(page)
    reached = []
    for _ in range(25):
        page.press("Tab")
        reached.append(page.evaluate("document.activeElement.id || document.activeElement.textContent"))
        assert page.evaluate(
            "['', '::after'].some(part => getComputedStyle(document.activeElement, part).outlineStyle !== 'none')"
        ), f"{reached[-1]}: its focus cannot be seen"
    names = [row[1] for role in ("merchant", "photographer") for row in rows(page, role)]
    assert reached == ["Skip to the boards", "product", "Look up", *names, "API", "pause"]
    page.evaluate("document.querySelector('#photographer tbody tr:nth-child(2) a').focus()")
    page.press("Enter")
    page.until_text("#details-content", "As a photographer")
    assert page.text("#details-title") == rows(page, "photographer")[1][1]
    page.press("Tab")
    assert page.evaluate("document.querySelector('#details').contains(document.activeElement)")
    page.press("Escape")
    page.until("!document.querySelector('#details').open", "closed")
    assert page.evaluate("document.activeElement.textContent") == rows(page, "photographer")[1][1]


# Layout, keyboard and accessibility.


def take(page, name):
    page.until("document.getAnimations().length === 0", "nothing moves")
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.call("screenshot", {"path": str(SCREENSHOTS / f"{name}.png")})


LOOKS = {
    "wide": {"viewport": (1920, 1080)},
    "laptop": {"viewport": (1366, 768)},
    "dark": {"viewport": (1440, 900), "colorScheme": "dark"},
    "phone": {"viewport": (390, 844)},
    "small-phone": {"viewport": (320, 568)},
}


@pytest.mark.parametrize("name", LOOKS)
def test_the_page_fits_its_screen_and_axe_finds_nothing_wrong(market, visit, name):
    page = visit(market, **LOOKS[name])
    wait_for_board(page)
    wait_for_state(page, "live")
    take(page, name)
    assert page.axe() == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "scrolls sideways"
    if name == "wide":
        assert page.evaluate("document.documentElement.scrollHeight <= innerHeight"), "does not fit a wall"
    page.call("click", "tbody a")
    page.until_text("#details-content", "As a photographer")
    take(page, f"{name}-details")
    assert page.axe() == []


def png_size(path):
    """Width and height, which follow a PNG file's signature and the name of its first chunk (PNG, sections 5.2 and 11.2.2)."""
    head = path.read_bytes()[:24]
    assert head[:8] == b"\x89PNG\r\n\x1a\n" and head[12:16] == b"IHDR", path
    return struct.unpack(">II", head[16:])


def test_the_picture_in_the_readme_shows_the_current_page(market, visit, tmp_path):
    """Renew the picture: WINNER_VIEW_PICTURE=renew pytest tests/integration/test_page.py -k picture"""
    page = visit(market, viewport=PICTURE_SIZE)
    wait_for_board(page)
    wait_for_state(page, "live")
    page.until("document.getAnimations().length === 0", "nothing moves")
    taken = PICTURE if os.environ.get("WINNER_VIEW_PICTURE") == "renew" else tmp_path / "page.png"
    page.call("screenshot", {"path": str(taken)})
    assert png_size(taken) == png_size(PICTURE) == PICTURE_SIZE
    assert PICTURE.stat().st_size < 200_000
    assert f"](deploy/{PICTURE.name})" in (program.ROOT / "README.md").read_text()


def test_a_shop_without_a_sale_shows_a_message(embedded, start_on, visit):
    embedded.put(puts(product("lamp", ANN, PIA)))
    daemon = start_on(embedded)
    daemon.wait_until_applied()
    page = visit(daemon)
    for role in ("merchant", "photographer"):
        page.until_text(f"#{role}", "Nobody has sold anything yet.")
    take(page, "empty")
    assert page.axe() == []
    embedded.put(purchases("lamp", 1))
    wait_for_rows(page, "merchant", [["1", "Ann", "new", "1"]])


# What is served.


@pytest.mark.parametrize(
    "target, content_type", [("/", "text/html"), ("/board.css", "text/css"), ("/board.js", "text/javascript")]
)
def test_the_page_has_a_content_security_policy_that_allows_only_itself(market, target, content_type):
    answer = market.get(target)
    assert answer.content_type == content_type
    file = pathlib.Path(target).name or "index.html"
    assert answer.body == (program.ROOT / "api" / "page" / file).read_bytes()
    policy = dict(
        part.strip().partition(" ")[::2] for part in answer.headers["content-security-policy"].split(";")
    )
    assert policy["default-src"] == "'none'" and policy["frame-ancestors"] == "'none'"
    assert {policy[kind] for kind in ("script-src", "style-src", "connect-src")} == {"'self'"}
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-cache"
