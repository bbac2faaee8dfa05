"""Boards of periods, histories, sales and boards around somebody, on both stores, against the model."""

import datetime

import expected_answers
import model
import pairs
import pytest
import wait
import workload
from daemon import Daemon
from small_shop import event, person

OPTIONS = ["--periods", "hour,day,week,month", "--best-sellers", "on", "--cache-ttl-ms", "100"]
MERCHANTS = [person("merchant", f"M{n:02}") for n in range(12)]
DAY_S = 86400


def sales():
    """Each merchant sells their products now and on days of the last weeks, more or less often."""
    now = datetime.datetime.now(datetime.timezone.utc)
    for n, merchant in enumerate(MERCHANTS):
        yield event(model.CREATE, f"p{n}", merchant)
        yield event(model.IMAGE, f"p{n}", person("photographer", f"P{n % 3}"))
        for days_ago in (40, 9, 8, 3, 1, 0, 0):
            for _ in range(1 + (n * 7 + days_ago) % 4):
                sold = now - datetime.timedelta(days=days_ago)
                text = sold.strftime("%Y-%m-%dT%H:%M:%S.000Z")
                yield event(model.PURCHASE, f"p{n}", person("customer", "Cy"), timeOrigin=text)


@pytest.fixture(scope="module", params=[*((kind, 1) for kind in pairs.KINDS), ("kinesis+dynamodb", 3)], ids=str)
def shop(request, tmp_path_factory):
    """(daemon, the model, pair), on each store, and with the boards of DynamoDB in partitions."""
    events = list(sales())
    kind, partitions = request.param
    parts = ["--board-partitions", str(partitions)] if partitions > 1 else []
    pair = pairs.stocked_pair(kind, request, tmp_path_factory.mktemp("periods"), events, *parts)
    with Daemon([*pair.options, *OPTIONS, *parts, "--drain-seconds", "0"], pair.environment) as daemon:
        daemon.wait_until_applied()
        daemon.wait_until_boards_are_true()
        yield daemon, model.fold(pair.records()), pair


def test_boards_histories_and_sales_of_every_period_are_those_of_the_model(shop):
    daemon, expected, pair = shop
    expected_answers.check_all(daemon, expected, pair)


def test_products_have_boards_and_histories_like_people(shop):
    daemon, expected, _ = shop
    board = daemon.get("/scores/product?limit=100").json()
    sold = {user: row.score for (user, role), row in expected.others.items() if role == "product"}
    assert {item["productId"]: item["score"] for item in board["items"]} == sold
    assert [item["score"] for item in board["items"]] == sorted(sold.values(), reverse=True)
    one = board["items"][0]["productId"]
    expected_answers.check_history(
        daemon, f"/scores/product/{one}/history", "score", "day", expected_answers.sums(expected, "product", "day", one)
    )
    assert daemon.get(f"/scores/product/{one}").json()["rank"] == 1


def both_ways(daemon, first, limit):
    """The ids of a whole board, from the page `first` up and down."""
    found = [item["id"] for item in first["items"]]
    for name in ("previous", "next"):
        cursor = first[name]
        while cursor:
            page = daemon.get(f"/scores/merchant?limit={limit}&cursor={cursor}").json()
            ids = [item["id"] for item in page["items"]]
            found = ids + found if name == "previous" else found + ids
            cursor = page[name]
    return found


def test_the_pages_around_a_contributor_join_to_the_whole_board(shop):
    daemon, _, _ = shop
    board = daemon.get("/scores/merchant?limit=100").json()["items"]
    ids, ranks = [item["id"] for item in board], {item["id"]: item["rank"] for item in board}
    for at, one in enumerate(ids):
        page = daemon.get(f"/scores/merchant?around={one}&limit=5").json()
        assert [item["id"] for item in page["items"]] == ids[max(at - 2, 0) : at + 3]
        assert all(item["rank"] == ranks[item["id"]] for item in page["items"])
        assert both_ways(daemon, page, 1 + at % 4) == ids


def test_everybody_gets_a_rank_among_all(shop):
    daemon, expected, _ = shop
    board = daemon.get("/scores/merchant?limit=100").json()["items"]

    def is_ranked():
        return daemon.get(f"/scores/merchant/{board[-1]['id']}").json()["of"] == len(board)

    wait.until(is_ranked, "a table of the merchants' board", timeout_s=30)
    last = daemon.get(f"/scores/merchant/{board[-1]['id']}").json()
    assert last["percentile"] == round(100 * (len(board) - last["rank"]) / len(board), 2)


def test_a_contributor_without_sales_in_a_period_has_none_of_its_ranks(shop):
    daemon, expected, _ = shop
    one = daemon.get("/scores/merchant?limit=1").json()["items"][0]["id"]
    day = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=200)

    def seen():
        return daemon.get(f"/scores/merchant/{one}?period={day:%Y-%m-%d}").json()

    wait.until(lambda: seen()["of"] == 0, "a table of the board of that day", timeout_s=30)
    assert [seen()[name] for name in ("score", "rank", "percentile", "updated")] == [0, None, None, None]
    assert daemon.get(f"/scores/merchant?around={one}&period={day:%Y-%m-%d}").status == 404


def test_a_period_is_final_where_arrivals_are_the_streams_own(shop):
    daemon, _, pair = shop
    today = datetime.datetime.now(datetime.timezone.utc)
    ended = today - datetime.timedelta(days=3)

    def finals():
        days = (daemon.get(f"/sales?period={day:%Y-%m-%d}").json()["period"] for day in (ended, today))
        return [day["final"] for day in days]

    assert finals() == ([None, None] if isinstance(pair, pairs.FileSqlite) else [True, False])
