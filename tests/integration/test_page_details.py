"""The views of people and products, and the finder, in a real browser."""

import datetime

import model
import pairs
import pytest
import wait
from daemon import Daemon
from pages import SMALL, asked, purchases, rows, start_small, take, wait_for_board, wait_for_state
from small_shop import event, person, puts

pytestmark = pytest.mark.all

KEEPS = ("--periods", "hour,day,week,month", "--best-sellers", "on")
NAMES = ["Ann Arbor", "Àngela Ruiz", "ليلى حداد", "田中 芽衣", "Bo Lindqvist", "W" * 96, "Chidi Obi", "Élodie Martin", "Ann Arbor"]
NAMES += [f"Merchant {n:02}" for n in range(len(NAMES), 20)]
PIA = person("photographer", "Pia")
MANY = 45  # products of the first merchant
LOOKS = {
    "light": {"viewport": (1280, 900)},
    "dark": {"viewport": (1280, 900), "colorScheme": "dark"},
    "phone": {"viewport": (360, 740), "colorScheme": "dark"},
}


def merchant(n):
    return f"hello-retail-web/merchant/amzn1.{n:04}0123456789/{NAMES[n]}"


def registered(n, p):
    one = event(model.CREATE, f"p-{n:02}-{p:02}", merchant(n))
    one["data"].update(name=f"{'Blue' if p % 2 else 'Red'} lamp {n}/{p}", brand="Alder & Oak", category="home")
    return one


def sales():
    """Twenty merchants, each with other numbers of sales on other days of the last weeks."""
    now = datetime.datetime.now(datetime.timezone.utc)
    for n in range(len(NAMES)):
        for p in range(MANY if n == 0 else 3):
            yield registered(n, p)
            yield event(model.IMAGE, f"p-{n:02}-{p:02}", merchant(0) if (n, p) == (1, 0) else PIA)
        for days_ago in (*range(40, 4, -1), 1, 0):
            when = (now - datetime.timedelta(days=days_ago)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
            for one in range((n * 7 + days_ago * 3) % 5 + 20 // (n + 4)):
                product = f"p-{n:02}-{(days_ago + one) % 3:02}"
                yield event(model.PURCHASE, product, person("customer", "Cy"), timeOrigin=when)


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A shop with some weeks behind it, for tests that only read."""
    pair = pairs.FileSqlite(tmp_path_factory.mktemp("shop"))
    pair.put(puts(sales()))
    with Daemon([*pair.options, *KEEPS, "--drain-seconds", "0"], {}) as daemon:
        daemon.wait_until_applied()
        yield daemon


def board(daemon, role="merchant", **query):
    query = "&".join(f"{key}={value}" for key, value in {"limit": 100, **query}.items())
    return daemon.get(f"/scores/{role}?{query}").json()["items"]


def id_of(daemon, name):
    return next(item["id"] for item in board(daemon) if item["name"] == name)


def wait_for_chart(page, section=".merchant"):
    page.until(f"document.querySelectorAll('#details-content {section} rect').length > 0", "a chart")


def rows_around(page, section=".merchant"):
    """[rank, name, score] of each row."""
    return page.evaluate(
        f"""[...document.querySelectorAll('#details-content {section} .around li')].map(row =>
      [(row.querySelector('.rank [aria-hidden]') ?? row.querySelector('.rank')).textContent,
       row.querySelector('.name').textContent, row.querySelector('.score').textContent])"""
    )


def find(page, text):
    page.call("focus", "#find")
    page.call("fill", "#find", text)


def found(page):
    return page.evaluate("[...document.querySelectorAll('#found li > bdi')].map(name => name.textContent)")


def focused(page):
    return page.evaluate("document.activeElement.textContent || document.activeElement.id")


def refuse(page, name, status, body):
    """Lets requests whose path or query has `name` be answered like this."""
    page.evaluate(
        f"""{{
      const original = window.fetch;
      window.fetch = async (path, ...more) => String(path).includes({name!r})
        ? new Response({body!r}, {{status: {status}}}) : original(path, ...more);
    }}"""
    )


# People.


def test_a_contributor_has_scores_and_ranks_of_all_time_and_of_the_period_shown(shop, visit):
    one = id_of(shop, "Bo Lindqvist")
    page = visit(shop, f"#/week/contributor/{one}")

    def is_true(period, title):
        row = shop.get(f"/scores/merchant/{one}{period}").json()
        shared = ", shared" if row["tied"] else ""
        return f"{title}\n{row['score']} sold\nRank {row['rank']} of {row['of']}{shared}\n" in page.text("#details-content")

    page.until(lambda: is_true("", "All time") and is_true("?period=week", "This week"), "both, as the server has them")
    assert "Ahead of " in page.text("#details-content")
    assert page.text("#details-title") == "Bo Lindqvist"


def test_in_a_past_period_without_a_sale_the_rows_around_are_those_of_all_time(shop, visit):
    one = id_of(shop, "Bo Lindqvist")
    day = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=3)
    page = visit(shop, f"#/{day:%Y-%m-%d}/contributor/{one}")
    page.until_text("#details-content", f"{day:%b} {day.day}\nNothing sold\nAll time\n")
    page.until_text("#details-content .around", "On the board: All time")


def test_a_name_from_right_to_left_leaves_its_mark_readable(shop, visit):
    page = visit(shop, f"#/all/contributor/{id_of(shop, 'ليلى حداد')}")
    page.until_text("#details-title", "ليلى حداد")
    assert page.text("#details-note") == "(**...**345****)"
    assert page.evaluate("document.querySelectorAll('#details-title bdi, #details-note bdi').length") == 2


def test_the_rows_around_a_contributor_lead_to_their_neighbours(shop, visit):
    one = id_of(shop, "Chidi Obi")
    page = visit(shop, f"#/all/contributor/{one}")
    around = board(shop, around=one, limit=5)
    expected = [[("=" if i["tied"] else "") + str(i["rank"]), i["name"], str(i["score"])] for i in around]
    page.until(lambda: rows_around(page) == expected, expected)
    at = [item["id"] for item in around].index(one)
    above = next(item for item in reversed(around[:at]) if item["score"] > around[at]["score"])
    gap = f"{above['score'] - around[at]['score']} behind {above['name']}"
    page.until_text("#details-content .merchant .around", gap)
    assert page.evaluate("document.querySelector('.around [aria-current] .name').textContent") == "Chidi Obi"
    page.call("click", ".merchant .around li:not([aria-current]) a")
    other = next(item for item in around if item["id"] != one)
    page.until(lambda: page.text("#details-title") == other["name"], "a neighbour")
    assert page.evaluate("location.hash") == f"#/all/contributor/{other['id']}"


def test_the_history_is_a_chart_and_a_table_of_each_kind_that_is_kept(shop, visit):
    one = id_of(shop, "Bo Lindqvist")
    page = visit(shop, f"#/all/contributor/{one}")
    wait_for_chart(page)
    cells = "[...document.querySelectorAll('.merchant tbody td')].map(cell => Number(cell.textContent))"
    for kind, button in (("day", "Days"), ("week", "Weeks"), ("month", "Months"), ("hour", "Hours")):
        page.evaluate(f"[...document.querySelectorAll('.merchant .kinds button')].find(b => b.textContent === '{button}').click()")
        history = lambda: shop.get(f"/scores/merchant/{one}/history?kind={kind}&limit=30").json()["items"]
        scores = lambda: [item["score"] for item in history()]
        page.until(lambda: page.evaluate(cells) == scores(), f"each {kind}, newest first")
        assert page.evaluate("document.querySelectorAll('.merchant rect').length") == len(scores())
        assert page.evaluate("document.querySelectorAll('.merchant [aria-pressed=true]').length") == 1
        assert page.evaluate("document.querySelector('.merchant .bar-now title').textContent").startswith("This" if kind != "day" else "Today")
    assert page.evaluate("document.querySelector('.merchant svg').getAttribute('aria-label')").startswith("Sold in ")


def test_a_contributors_products_come_in_pages_that_the_keyboard_can_turn(shop, visit):
    one = id_of(shop, NAMES[0])
    page = visit(shop, f"#/all/contributor/{one}")
    shown = "[...document.querySelectorAll('.merchant .products li a')].map(link => link.textContent)"
    names = lambda n: [f"{'Blue' if p % 2 else 'Red'} lamp 0/{p}" for p in range(n)]
    page.until(lambda: page.evaluate(shown) == names(20), "the first")
    for n in (40, MANY):
        page.evaluate("[...document.querySelectorAll('.merchant .products button')].find(b => !b.hidden && b.textContent.startsWith('More')).focus()")
        page.press("Enter")
        page.until(lambda: page.evaluate(shown) == names(n), f"{n} products")
        before = 20 if n == 40 else 40
        page.until(lambda: focused(page) == names(n)[before], "the first new one has the focus")
    assert page.evaluate("[...document.querySelectorAll('.merchant .products button')].every(button => button.hidden)")
    sold = shop.get(f"/contributions?merchant={one}&limit=1").json()["items"][0]["purchases"]
    assert page.text(".merchant .products li") == f"Red lamp 0/0\n{sold} sold"
    assert page.text(".photographer .products li a") == "Red lamp 1/0", "what they photographed"


def test_what_was_sold_before_the_photograph_is_not_the_photographers(embedded, start_on, visit):
    embedded.put(puts([event(model.CREATE, "lamp", merchant(0))]))
    embedded.put(purchases("lamp", 2))
    embedded.put(puts([event(model.IMAGE, "lamp", PIA)]))
    embedded.put(purchases("lamp", 1))
    daemon = start_on(embedded)
    daemon.wait_until_applied()
    page = visit(daemon, f"#/contributor/{board(daemon, 'photographer')[0]['id']}")
    page.until_text("#details-content", "1 of 3 sold")


def test_an_open_view_follows_the_scores_and_nothing_moves_under_the_hand(embedded, start_on, visit):
    daemon = start_small(embedded, start_on, "--cache-ttl-ms", "100")
    one = id_of(daemon, "Ann")
    page = visit(daemon, f"#/all/contributor/{one}")
    page.until_text("#details-content", "3 sold\nRank 1 of 2")
    page.evaluate(
        """{
      window.link = document.querySelector('.merchant .around li:not([aria-current]) a');
      window.kept = [...document.querySelectorAll('.merchant li, .merchant p, .merchant h4')];
      link.focus();
    }"""
    )
    embedded.put(purchases("lamp", 4))
    page.until_text("#details-content", "7 sold\nRank 1 of 2")
    page.until_text(".merchant .products", "7 sold")
    assert page.evaluate("document.activeElement === link && kept.every(one => one.isConnected)")
    embedded.put(purchases("rug", 9))
    page.until_text("#details-content", "7 sold\nRank 2 of 2")
    page.until(lambda: [row[1] for row in rows_around(page)] == ["Bob", "Ann"], "the order has changed")
    assert page.evaluate("document.activeElement === link && kept.every(one => one.isConnected)")
    before = daemon.metric("winner_view_http_requests_total", route="/scores/{id}", status="304")
    wait.until(
        lambda: daemon.metric("winner_view_http_requests_total", route="/scores/{id}", status="304") > before,
        "an answer without a body",
    )


def test_ranks_that_are_not_known_yet_are_said_to_be_known_in_a_moment(shop, visit):
    one = id_of(shop, "Bo Lindqvist")
    page = visit(shop)
    wait_for_board(page)
    page.evaluate(
        """{
      const original = window.fetch;
      window.fetch = async (path, ...more) => {
        const answer = await original(path, ...more);
        if (window.known || !/^scores\\/merchant\\/[^/]+$/.test(path)) return answer;
        return Response.json({...await answer.json(), rank: window.rank, tied: false, of: null, percentile: null});
      };
      window.rank = null;
    }"""
    )
    page.evaluate(f"location.hash = '#/all/contributor/{one}'")
    page.until_text("#details-content", " sold\nRank known in a moment")
    page.evaluate("window.rank = 12")
    page.until_text("#details-content", "Rank 12\nHow many take part is known in a moment")
    page.evaluate("window.known = true")
    page.until_text("#details-content", f" of {len(NAMES)}")


def test_an_answer_that_fails_leaves_what_is_there_and_says_so(shop, visit):
    page = visit(shop, f"#/all/contributor/{id_of(shop, 'Bo Lindqvist')}")
    wait_for_chart(page)
    page.until_text("#details-content", "Products they registered")  # the last to arrive
    before = page.text("#details-content")
    refuse(page, "scores/", 503, '{"code":"store-unavailable","title":"The store is unavailable"}')
    page.until_text("#details-note", "The server has no answer: The store is unavailable. Trying again.")
    assert page.text("#details-content") == before and page.text("#details-title") == "Bo Lindqvist"
    refuse(page, "scores/", 200, "<html>")
    page.until_text("#details-note", "No answer from the server. Trying again.")
    assert page.text("#details-content") == before


def test_a_view_that_keeps_neither_periods_nor_best_sellers_shows_what_there_is(embedded, start_on, visit):
    daemon = start_small(embedded, start_on, "--periods", "none")
    page = visit(daemon)
    wait_for_state(page, "live")
    for place in (f"contributor/{id_of(daemon, 'Ann')}", "product/lamp"):
        page.evaluate(f"location.hash = '#/{place}'")
        page.until_text("#details-content", "3 sold" if place.startswith("c") else "Sold\n3\n")
        assert "History" not in page.text("#details-content") and "Today" not in page.text("#details-content")
        page.press("Escape")
    page.until("!location.hash.includes('lamp')", "closed")
    assert asked(page, "history") == asked(page, "product") == 0


def test_long_names_end_in_an_ellipsis_and_are_whole_on_focus(shop, visit):
    long, one = "W" * 96, id_of(shop, "W" * 96)
    next_to = next(item for item in board(shop, around=one, limit=5) if item["id"] != one)
    page = visit(shop, f"#/all/contributor/{next_to['id']}", viewport=(360, 740))
    link = f"[...document.querySelectorAll('.around a')].find(one => one.textContent === '{long}')"
    page.until(f"!!{link}", "the long name")
    assert page.evaluate(f"{link}.scrollWidth > {link}.clientWidth"), "cut"
    page.press("Tab")  # the next focus is a keyboard's
    page.evaluate(f"{link}.focus()")
    assert page.evaluate(f"{link}.scrollWidth <= {link}.clientWidth"), "whole"
    page.press("Enter")
    page.until(f"document.querySelector('#details-title').textContent === '{long}'", "the long name")
    page.until("document.querySelector('#details').scrollWidth <= innerWidth", "nothing is wider than the screen")


# Products.


def test_a_product_has_its_texts_its_sales_and_its_people(shop, visit):
    page = visit(shop, "#/day/product/p-04-02")
    one = shop.get("/contributions/p-04-02").json()
    page.until_text("#details-content", f"All time\n{one['purchases']} sold\nRank ")
    wait_for_chart(page, ".product")
    text = page.text("#details-content")
    assert page.text("#details-title") == "Red lamp 4/2" and page.text("#details-note") == "p-04-02"
    assert "Brand\nAlder & Oak\nCategory\nhome\nPicture\ni\nFirst event\n" in text and "Latest event\n" in text
    assert "Registered by\nBo Lindqvist\n" in text and "Photographed by\nPia\n" in text
    assert any(row[1] == "Red lamp 4/2" for row in rows_around(page, ".product"))
    assert page.evaluate("document.images.length") == 0


def test_a_products_details_link_to_its_people_and_back_through_all_of_them(shop, visit):
    page = visit(shop)
    wait_for_board(page)
    page.evaluate("document.querySelectorAll('#merchant tbody a')[1].focus()")
    row = focused(page)
    page.press("Enter")
    page.until("document.querySelectorAll('.merchant .products a').length > 2", "products")
    person_title = page.text("#details-title")
    page.evaluate("document.querySelectorAll('.merchant .products a')[2].focus()")
    product = focused(page)
    page.press("Enter")
    page.until(lambda: page.text("#details-title") == product, "the product")
    page.until("!!document.querySelector('.facts a')", "its people")
    assert page.evaluate("document.activeElement.id") == "details-title"
    page.evaluate("document.querySelectorAll('.facts a')[1].focus()")
    photographer = focused(page)
    page.press("Enter")
    page.until(lambda: page.text("#details-title") == photographer, "the photographer")
    page.call("goBack")
    page.until(lambda: page.text("#details-title") == product, "the product again")
    page.until(lambda: focused(page) == photographer, "the focus is where it was")
    page.call("goBack")
    page.until(lambda: page.text("#details-title") == person_title, "the merchant again")
    page.until(lambda: focused(page) == product, "the focus is where it was")
    page.press("Escape")
    page.until("!document.querySelector('#details').open", "closed")
    assert focused(page) == row


def test_a_missing_product_is_distinguished_from_one_not_caught_up_yet(market, embedded, make_on, visit):
    page = visit(market)
    for odd in ("none such", '"><svg onload=alert(1)>/?#%', "日本", "a,b", "..", "é" * 1100):
        page.evaluate(f"location.hash = '#/product/' + encodeURIComponent({odd!r})")
        page.until_text("#details-title", odd)
        page.until_text("#details-note", "There is no such product")
        assert not page.text("#details-content")
        page.press("Escape")
        page.until("!document.querySelector('#details').open", "closed")
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


def test_a_product_that_was_never_registered_credits_nobody(embedded, start_on, visit):
    embedded.put(purchases("lamp", 2))
    daemon = start_on(embedded)
    daemon.wait_until_applied()
    page = visit(daemon, "#/product/lamp")
    page.until_text("#details-content", "Sold\n2\nThe registration is older than the event log")
    assert "Registered by\nUnknown\n" in page.text("#details-content")


# The dialog.


def test_the_address_of_an_unknown_contributor_shows_a_message(market, visit):
    page = visit(market, allowed=".* 404 ")
    for place, word in {
        "contributor/..": "A browser cannot request this id",
        "contributor/merchant": "A browser cannot request this id",
        "contributor/product": "A browser cannot request this id",
        "contributor/nobody": "There is no such contributor",
    }.items():
        page.evaluate(f"location.hash = '#/{place}'")
        page.until_text("#details-note", word)
        assert not page.text("#details-content")
        page.press("Escape")
        page.until("!document.querySelector('#details').open", "closed")


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
    page = visit(market, "#/contributor/nobody", clock=True, allowed=".* 404 ")
    page.until_text("#details-note", "There is no such contributor")
    page.evaluate(
        """(async () => {
      for (let n = 0; n < 40; n++) {
        location.hash = n % 2 ? "#/contributor/nobody" : "";
        await new Promise(resolve => setTimeout(resolve, 5));
      }
      location.hash = "";
    })()"""
    )
    page.until("!document.querySelector('#details').open", "closed")
    before = asked(page, "nobody")
    page.forward(15)
    wait_for_state(page, "live")
    assert asked(page, "nobody") == before


def test_a_row_opens_and_closes_with_the_keyboard_alone(market, visit):
    page = visit(market)
    wait_for_board(page)
    page.evaluate("document.querySelector('#photographer tbody tr:nth-child(2) a').focus()")
    page.press("Enter")
    page.until_text("#details-content", "As a photographer")
    assert page.text("#details-title") == rows(page, "photographer")[1][1]
    page.press("Tab")
    assert page.evaluate("document.querySelector('#details').contains(document.activeElement)")
    page.press("Escape")
    page.until("!document.querySelector('#details').open", "closed")
    assert focused(page) == rows(page, "photographer")[1][1]


def test_many_views_in_a_row_take_no_more_memory_than_some(shop, visit):
    ids, page = [item["id"] for item in board(shop)], visit(shop)

    def open_all(period):
        for one in ids:
            page.evaluate(f"location.hash = '#/{period}/contributor/{one}'")
            page.until(f"document.querySelectorAll('#details a[href*=\"/{period}/\"]').length > 2", "its view")
            wait_for_chart(page)
        return page.memory()

    before, after = open_all("all"), open_all("day")
    assert after["nodes"] < 1.2 * before["nodes"] and after["listeners"] < 1.2 * before["listeners"], (before, after)


# Assistive technology.


def assert_in_order(tree, steps):
    at = -1
    for step in steps:
        assert tree.find(step, at + 1) > at, f"{step} in {tree}"
        at = tree.find(step, at + 1)


def test_a_screen_reader_finds_a_person_in_order(shop, visit):
    page = visit(shop, f"#/all/contributor/{id_of(shop, 'ليلى حداد')}")
    wait_for_chart(page)
    steps = [
        'dialog "ليلى حداد"', 'heading "ليلى حداد" [level=2]', 'heading "As a merchant" [level=3]',
        'heading "All time" [level=4]', 'heading "On the board: All time" [level=4]', "list:", "listitem:",
        'heading "History" [level=4]', 'group "Chart by"', 'button "Days" [pressed]', 'img "Sold in 30 days. Most: ',
        'heading "Products they registered" [level=4]', 'link "Red lamp 2/0"',
        'heading "As a photographer" [level=3]', "paragraph: Nothing sold yet",
    ]  # fmt: skip
    assert_in_order(page.tree("#details"), steps)


def test_a_screen_reader_finds_a_product_in_order(shop, visit):
    page = visit(shop, "#/all/product/p-04-02")
    wait_for_chart(page, ".product")
    steps = [
        'dialog "Red lamp 4/2"', 'heading "Red lamp 4/2" [level=2]', 'heading "Among the best sellers" [level=3]',
        'img "Sold in ', 'heading "Registered by" [level=3]', 'link "Bo Lindqvist"',
        'heading "Photographed by" [level=3]', 'link "Pia"', 'heading "Latest event" [level=3]',
    ]  # fmt: skip
    assert_in_order(page.tree("#details"), steps)


@pytest.mark.parametrize("look", LOOKS)
def test_axe_finds_nothing_wrong_with_a_person_a_product_and_the_finder(shop, visit, look):
    page = visit(shop, **LOOKS[look])
    wait_for_board(page)
    find(page, "an")
    page.until(lambda: found(page), "names")
    page.press("ArrowDown")
    take(page, f"finder-{look}")
    assert page.axe() == []
    for kind, place in (("merchant", f"contributor/{id_of(shop, NAMES[2])}"), ("product", "product/p-04-02")):
        page.evaluate(f"location.hash = '#/all/{place}'")
        wait_for_chart(page, f".{kind}")
        page.evaluate(f"document.querySelector('.{kind} details').open = true")
        take(page, f"{kind}-{look}")
        assert page.axe() == []
        assert page.evaluate("document.querySelector('#details').scrollWidth <= innerWidth"), "scrolls sideways"


# The finder.


def test_the_finder_finds_people_by_the_start_of_any_word_whatever_its_accents(shop, visit):
    page = visit(shop, "#/all")
    wait_for_board(page)
    for text, expected in {
        "ann": ["Ann Arbor", "Ann Arbor"],
        "ARB": ["Ann Arbor", "Ann Arbor"],
        "ang": ["Àngela Ruiz"],
        "ruiz": ["Àngela Ruiz"],
        "A\u0300ng": ["Àngela Ruiz"],
        "حد": ["ليلى حداد"],
        "芽衣": ["田中 芽衣"],
        "ann arb": ["Ann Arbor", "Ann Arbor"],
    }.items():
        find(page, text)
        wanted = sorted(expected)
        page.until(lambda: sorted(found(page)) == wanted, f"{text}: {wanted}")
    page.until_text("#finder-results", " (**...**345****)")  # two of one name
    find(page, "rbor")
    page.until_text("#finder-note", "Not found: no name of the first 100 merchants")
    assert not found(page)


def test_the_finder_works_by_keyboard_and_its_result_has_a_url(shop, visit):
    page = visit(shop, "#/all")
    wait_for_board(page)
    find(page, "merchant 1")
    page.until_text("#finder-note", "8 of ")
    attribute = lambda name: page.evaluate(f"document.querySelector('#find').getAttribute('{name}')")
    assert attribute("aria-expanded") == "true" and attribute("aria-activedescendant") is None
    page.press("ArrowDown", "ArrowDown")
    assert attribute("aria-activedescendant") == "found-1"
    page.press("ArrowUp", "ArrowUp")
    assert attribute("aria-activedescendant") == "found-7"
    page.press("Escape")
    assert attribute("aria-expanded") == "false" and page.evaluate("document.querySelector('#find').value") == "merchant 1"
    page.press("ArrowDown", "ArrowDown")
    name = page.evaluate("document.querySelector('#found [aria-selected=true] bdi').textContent")
    page.press("Enter")
    page.until(lambda: page.text("#details-title") == name, "its view")
    assert page.evaluate("location.hash") == f"#/all/contributor/{id_of(shop, name)}"
    page.press("Escape")
    page.until("document.activeElement.id === 'find'", "the focus is where it was")
    page.press("Escape", "Escape")
    assert page.evaluate("document.querySelector('#find').value") == ""


def test_the_finder_finds_products_exactly_by_id_and_best_sellers_by_name(shop, visit):
    page = visit(shop, "#/all")
    wait_for_board(page)
    find(page, "p-00-44")  # never sold, so on no board
    page.until(lambda: found(page) == ["Red lamp 0/44"], "the product")
    find(page, "red lamp 4/")
    page.until(lambda: sorted(found(page)) == ["Red lamp 4/0", "Red lamp 4/2"], "best sellers")
    find(page, "p-04-02")
    page.press("Enter")  # before anything is found
    page.until(lambda: page.text("#details-title") == "Red lamp 4/2", "the product")
    page.press("Escape")
    page.until("!document.querySelector('#details').open", "closed")
    for odd in ("p-04-0", "a,b", "..", '"><svg onload=alert(1)>/?#%'):
        find(page, odd)
        page.press("Enter")
        page.until_text("#finder-note", "no product has this id")
        assert not page.evaluate("document.querySelector('#details').open")


def test_the_finder_asks_for_the_boards_once_a_minute(shop, visit):
    page = visit(shop, "#/all", clock=True)
    wait_for_board(page)
    names = lambda: sum("scores?limit=100" in url for url in page.noise()["requests"])
    for text in ("a", "an", "ann"):
        find(page, text)
        page.until(lambda: found(page), text)
    assert names() == 1
    page.forward(61)
    find(page, "bo")
    page.until(lambda: names() == 2, "asked again")


HOLD_NAMES = """{
  const released = new Promise(release => { window.release = release; }), fetch = window.fetch;
  window.fetch = async (path, ...more) => {
    if (path !== "scores?limit=100") return fetch(path, ...more);
    window.isHeld = true;
    await released;
    return fetch(path, ...more);
  };
}"""


def test_the_finder_searches_the_boards_of_the_period_that_is_shown_now(shop, visit):
    ranks = {item["id"]: item["rank"] for item in board(shop)}
    one = next(item for item in board(shop, period="day") if not item["tied"] and ranks[item["id"]] != item["rank"])
    page = visit(shop, "#/all")
    wait_for_board(page)
    page.evaluate(HOLD_NAMES)
    find(page, one["name"])
    page.until("window.isHeld", "names of all time are asked for")
    page.evaluate("location.hash = '#/day'")
    find(page, one["name"])
    place = lambda: page.evaluate("document.querySelector('#found small')?.textContent")
    page.until(lambda: place() == f"merchant at rank {one['rank']}", "names of today")
    page.evaluate("release()")
    page.until(lambda: "found." in page.text("#finder-note"), "the end of the search")
    assert place() == f"merchant at rank {one['rank']}"


def test_the_finder_says_when_the_server_does_not_answer(shop, visit):
    page = visit(shop, "#/all")
    wait_for_board(page)
    refuse(page, "limit=100", 503, '{"code":"overloaded","title":"The service is overloaded"}')
    find(page, "ann")
    page.until_text("#finder-note", "The server has no answer: The service is overloaded.")
