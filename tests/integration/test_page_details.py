"""The details of products and contributors on the page, in a real browser."""

import pairs
import pytest
from pages import (
    SMALL,
    asked,
    look_up,
    purchases,
    rows,
    wait_for_board,
    wait_for_state,
)
from small_shop import puts

pytestmark = pytest.mark.all


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
    assert reached == ["Skip to the boards", "find", "Look up", *names, "API", "pause"]
    page.evaluate("document.querySelector('#photographer tbody tr:nth-child(2) a').focus()")
    page.press("Enter")
    page.until_text("#details-content", "As a photographer")
    assert page.text("#details-title") == rows(page, "photographer")[1][1]
    page.press("Tab")
    assert page.evaluate("document.querySelector('#details').contains(document.activeElement)")
    page.press("Escape")
    page.until("!document.querySelector('#details').open", "closed")
    assert page.evaluate("document.activeElement.textContent") == rows(page, "photographer")[1][1]


