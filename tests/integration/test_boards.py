"""Boards, ranks, pages and ids, on both stores. Tests write rows directly into the store, so that each example has its
own board. The cache is off, except where a test turns it on."""

import contextlib
import sqlite3

import expected_answers
import http_client
import model
import pairs
import pytest
import wait
from daemon import Daemon
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small_shop import event, person, product, puts

NO_CACHE = ("--cache-ttl-ms", "0", "--cache-stale-ms", "0", "--cache-stale-if-error-ms", "0")
PROPERTY = settings(
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
UPDATED_MS = 1_700_000_000_123
ODD_USERS = [
    "merchant",
    "creator",
    "a",
    "%2F",
    "w/m/50% off?&a=b#c/Zoë",
    "w/m/" + "日" * 680 + "/Ann",
    "..",
    "w/m/1/" + "".join(map(chr, range(1, 128))),
]


# A store that the test fills, and a service that serves it.


class SqliteRows:
    """Scores and products of an SQLite store."""

    def __init__(self, pair):
        self.database = pair.database

    def write(self, sql, rows):
        with contextlib.closing(sqlite3.connect(self.database, timeout=20)) as connection, connection:
            connection.executemany(sql, rows)

    def put_scores(self, scores):
        self.write(
            "INSERT OR REPLACE INTO scores (userId, role, score, updated) VALUES (?, ?, ?, ?)",
            [(user, role, score, UPDATED_MS) for (user, role), score in scores.items()],
        )

    def delete_scores(self, keys):
        self.write("DELETE FROM scores WHERE userId = ? AND role = ?", list(keys))

    def put_products(self, ids, filler):
        self.write(
            "INSERT INTO contributions (productId, creator, creatorScore, photographerScore, lastEventId,"
            " created, updated, createdBy) VALUES (?, 'w/m/1/Ann', 0, 0, 's:1', 0, 0, ?)",
            [(product_id, filler) for product_id in ids],
        )


class DynamodbRows:
    """Scores and products of a stage."""

    def __init__(self, pair):
        self.dynamodb, self.stage = pair.aws.dynamodb, pair.name

    def write(self, table, requests):
        requests = list(requests)
        for start in range(0, len(requests), 25):
            batch = {f"{self.stage}-{table}": requests[start : start + 25]}
            assert not self.dynamodb.batch_write_item(RequestItems=batch)["UnprocessedItems"]

    def put_scores(self, scores):
        self.write(
            "Scores",
            (
                {
                    "PutRequest": {
                        "Item": {
                            "userId": {"S": user},
                            "role": {"S": role},
                            "score": {"N": str(score)},
                            "updated": {"N": str(UPDATED_MS)},
                        }
                    }
                }
                for (user, role), score in scores.items()
            ),
        )

    def delete_scores(self, keys):
        self.write(
            "Scores",
            ({"DeleteRequest": {"Key": {"userId": {"S": u}, "role": {"S": r}}}} for u, r in keys),
        )

    def put_products(self, ids, filler):
        for product_id in ids:
            item = {"productId": {"S": product_id}, "lastEventId": {"S": "s:1"}, "createdBy": {"S": filler}}
            self.dynamodb.put_item(TableName=f"{self.stage}-Contributions", Item=item)


class Board:
    """The scores in the store, and the model of them."""

    def __init__(self, rows):
        self.rows, self.scores = rows, {}

    def set(self, scores):
        """Makes the scores exactly these: {(userId, role): score}."""
        self.rows.delete_scores(self.scores.keys() - scores.keys())
        self.rows.put_scores(scores)
        self.scores = dict(scores)

    def change(self, scores):
        self.rows.put_scores(scores)
        self.scores.update(scores)

    def model(self):
        expected = model.Model()
        for key, score in self.scores.items():
            expected.scores[key].score = score
        return expected


def serving(pair):
    """A daemon that only serves."""
    own = ["--source", "none", "--drain-seconds", "0", "--identities", "full", "--rank-units", "0", *NO_CACHE]
    return Daemon([*pair.options, *own], pair.environment)


@pytest.fixture(scope="module", params=pairs.KINDS)
def store(request, tmp_path_factory):
    """(daemon, board, pair), shared by the tests of this file."""
    pair = pairs.begin(pairs.stocked_pair(request.param, request, tmp_path_factory.mktemp("boards"), []))
    with serving(pair) as daemon:
        rows = SqliteRows(pair) if request.param == "file+sqlite" else DynamodbRows(pair)
        yield daemon, Board(rows), pair


# Reading a listing page by page.


def page_after(daemon, path, cursor, limit):
    target = f"{path}?limit={limit}" + (f"&cursor={cursor}" if cursor else "")
    response = daemon.get(target)
    assert response.status == 200, (target, response.body)
    return response.json()


def pages(daemon, path, limits, between=lambda: None):
    """Each page to the last, the limits in turn; `between` is called after each."""
    cursor, n = None, 0
    while n == 0 or cursor:
        page = page_after(daemon, path, cursor, limits[n % len(limits)])
        assert len(page["items"]) <= limits[n % len(limits)]
        assert page["next"] is None or len(page["items"]) == limits[n % len(limits)], "a page is short"
        yield page
        cursor, n = page["next"], n + 1
        assert n < 500, "an endless listing"
        between()


def whole(daemon, path, limits):
    found = list(pages(daemon, path, limits))
    assert all(page["items"] for page in found[1:]), "a cursor led to an empty page"
    return [item for page in found for item in page["items"]]


def assert_whole_board(items, expected):
    expected_answers.same_board({"items": items}, expected, len(items), full=True)
    assert len(items) == sum(len(users) for *_, users in expected)


# On an unchanged board.

# Few different scores, so that there are many ties. UNKNOWN is anywhere among them, or absent.
one_score = st.integers(1, 4) | st.integers(1, 4) | st.integers(1, 10**15)
tables = st.tuples(
    st.integers(0, 24).flatmap(lambda n: st.lists(one_score, min_size=n, max_size=n)),
    st.none() | st.integers(1, 4),
)


def scores_of(table, role=model.CREATOR):
    scores, unknown = table
    rows = {(ODD_USERS[n] if n < len(ODD_USERS) else f"w/m/{n}/é{n}", role): s for n, s in enumerate(scores)}
    if unknown:
        rows[model.UNKNOWN, role] = unknown
    return rows


def test_pages_join_to_the_whole_board_for_every_limit(store):
    daemon, board, _ = store

    @settings(PROPERTY, max_examples=25)
    @given(tables)
    def check(table):
        board.set(scores_of(table))
        expected = board.model().board(model.CREATOR)
        at_once = page_after(daemon, "/scores/merchant", None, 100)
        assert at_once["next"] is None
        assert_whole_board(at_once["items"], expected)
        for limit in range(1, len(at_once["items"]) + 2):
            assert whole(daemon, "/scores/merchant", [limit]) == at_once["items"]

    check()


def test_the_limit_may_change_and_each_rank_is_the_contributors_own(store):
    daemon, board, _ = store

    @settings(PROPERTY, max_examples=20)
    @given(tables, st.lists(st.integers(1, 9), min_size=1, max_size=5))
    def check(table, limits):
        board.set(scores_of(table, model.PHOTOGRAPHER))
        items = whole(daemon, "/scores/photographer", limits)
        assert_whole_board(items, board.model().board(model.PHOTOGRAPHER))
        for item in items:
            own = daemon.get(f"/scores/photographer/{item['id']}").json()
            assert {name: own[name] for name in item} == item

    check()


def test_without_rank_tables_ranks_end_after_a_thousand_and_pages_continue(store):
    daemon, board, _ = store
    scores = {(f"w/m/{n}/P", model.CREATOR): 10_000 - n for n in range(1, 999)}
    scores |= {(f"w/m/{n}/P", model.CREATOR): 5_000 for n in (999, 1000, 1001)}  # all three share 999
    scores |= {("w/m/1002/P", model.CREATOR): 4_999, ("w/m/1003/P", model.CREATOR): 1}
    board.set(scores | {(model.UNKNOWN, model.CREATOR): 9_500})
    items = whole(daemon, "/scores/merchant", [100])
    assert_whole_board(items, board.model().board(model.CREATOR))
    own = {n: daemon.get(f"/scores/merchant/w%2Fm%2F{n}%2FP").json() for n in (998, 1000, 1001, 1002, 1003)}
    assert {n: (one["rank"], one["tied"]) for n, one in own.items()} == {
        998: (998, False), 1000: (999, True), 1001: (999, True), 1002: (None, False), 1003: (None, False)
    }  # fmt: skip


# On a board that changes.


def assert_in_order(items):
    for before, now in zip(items, items[1:]):
        assert now["score"] <= before["score"]
        assert (now["rank"] == before["rank"]) == (now["score"] == before["score"])
        assert now["rank"] >= before["rank"]
        assert now["rank"] > before["rank"] or (now["tied"] and before["tied"])


def test_while_a_board_changes_pages_succeed_and_ranks_never_decrease(store):
    daemon, board, _ = store
    steps = st.lists(st.tuples(st.integers(0, 29), st.integers(0, 3)), max_size=6)

    @settings(PROPERTY, max_examples=12)
    @given(st.lists(st.integers(1, 4), min_size=10, max_size=24), st.integers(1, 5), st.data())
    def check(scores, limit, data):
        board.set(scores_of((scores, 2)))

        def rise():
            """A new contributor, or one that rises: perhaps the one that the cursor points to."""
            moves = {(f"w/m/{n}/é{n}", model.CREATOR): by for n, by in data.draw(steps) if by}
            board.change({key: board.scores.get(key, 0) + by for key, by in moves.items()})

        items = [
            item for page in pages(daemon, "/scores/merchant", [limit], rise) for item in page["items"]
        ]
        assert_in_order(items)
        assert len({item["id"] for item in items}) == len(items), "a contributor is listed twice"

    check()


def test_pages_are_in_order_while_ingest_continues(pair, start_on):
    """With the default options: the cache serves old pages beside new ones, and ingest runs."""
    makers = [person("merchant", f"M{n:02}") for n in range(30)]
    pair.put(puts([e for n, maker in enumerate(makers) for e in product(f"p{n}", maker, None, 1 + n % 3)]))
    daemon = start_on(pair)
    daemon.wait_until_applied()
    sold = iter(range(10_000))

    def sell():
        pair.put(puts([event(model.PURCHASE, f"p{next(sold) * 7 % 30}", person("customer", "Cy"))]))

    for limit in (1, 4, 7):
        listing = [i for page in pages(daemon, "/scores/merchant", [limit], sell) for i in page["items"]]
        for before, now in zip(listing, listing[1:]):
            assert (now["rank"], -now["score"]) >= (before["rank"], -before["score"])
    daemon.wait_until_applied()

    def are_of_one_board():
        return sum(len(page["items"]) for page in pages(daemon, "/scores/merchant", [7])) == 30

    wait.until(are_of_one_board, "the pages are of one board again", timeout_s=60)
    assert len(whole(daemon, "/contributions", [7])) == 30


# Cursors.


@pytest.fixture
def cursor(store):
    """A cursor of the merchants' board, after its first page of two."""
    daemon, board, _ = store
    roles = (model.CREATOR, model.PHOTOGRAPHER)
    board.set({(f"w/m/{n}/P", role): 1 + n % 3 for n in range(9) for role in roles})
    return page_after(daemon, "/scores/merchant", None, 2)["next"]


def assert_refused(daemon, target):
    response = daemon.get(target)
    assert (response.status, response.json()["code"]) == (400, "invalid-parameter"), target
    assert response.json()["parameter"] == "cursor"


def test_a_cursor_that_was_tampered_with_is_refused(store, cursor):
    daemon, _, _ = store
    assert page_after(daemon, "/scores/merchant", cursor, 2)["items"]
    assert page_after(daemon, "/scores/creator", cursor, 2)["items"]  # the same listing
    for n in range(0, len(cursor), 7):
        other = "A" if cursor[n] != "A" else "B"
        assert_refused(daemon, f"/scores/merchant?cursor={cursor[:n]}{other}{cursor[n + 1:]}")
    changed = (cursor[:-1], cursor + "A", cursor + cursor, "%20" + cursor)
    for wrong in (*changed, "", "v1", "%F0%9F%99%82", "A" * 4000):
        assert_refused(daemon, f"/scores/merchant?cursor={wrong}")


def test_a_cursor_of_another_listing_is_refused(store, cursor):
    daemon, board, _ = store
    person_id = page_after(daemon, "/scores/merchant", None, 1)["items"][0]["id"]
    for target in ("/scores/photographer", "/contributions", "/scores", "/scores?role=creator", "/livez"):
        assert_refused(daemon, f"{target}{'&' if '?' in target else '?'}cursor={cursor}")
    assert_refused(daemon, f"/scores/merchant?cursor={person_id}")
    assert daemon.get(f"/scores/{cursor}").status in (404, 503)  # nor is it an id


def test_a_cursor_of_another_store_is_refused(store, cursor, tmp_path):
    daemon, _, pair = store
    with serving(pairs.begin(pairs.FileSqlite(tmp_path))) as stranger:
        assert_refused(stranger, f"/scores/merchant?cursor={cursor}")


def test_a_cursor_and_an_id_hold_in_every_process_of_a_store(store, cursor):
    daemon, _, pair = store
    here = page_after(daemon, "/scores/merchant", cursor, 3)
    with serving(pair) as other:
        there = page_after(other, "/scores/merchant", cursor, 3)
        assert {**there, "asOf": None} == {**here, "asOf": None}
        assert other.get(f"/scores/{here['items'][0]['id']}").json()["userId"] == here["items"][0]["userId"]


@pytest.mark.parametrize("limit", ["0", "101", "-1", "1.5", "", "2&limit=2"])
@pytest.mark.parametrize("path", ["/scores/merchant", "/contributions"])
def test_a_limit_out_of_bounds_is_refused_on_any_page(store, cursor, path, limit):
    daemon, _, _ = store
    body = daemon.get(f"{path}?cursor={cursor}&limit={limit}").json()
    assert (body["status"], body["code"], body["parameter"]) == (400, "invalid-parameter", "limit")
    assert body["allowed"] == ("to be given once" if "&" in limit else "1 to 100")


# Contributions.


def test_pages_join_to_all_contributions_for_every_limit(store):
    """Rows so wide that DynamoDB answers in several pages of 1 MB."""
    daemon, board, _ = store
    products = [*(user[:300] for user in ODD_USERS), *(f"p{n}" for n in range(16))]
    board.rows.put_products(products, "x" * 90_000)
    at_once = page_after(daemon, "/contributions", None, 100)
    assert at_once["next"] is None
    ids = [item["productId"] for item in at_once["items"]]
    assert sorted(ids) == sorted(products)
    for limit in (1, 2, 5, 11, len(ids) - 1, len(ids), len(ids) + 1):
        assert [item["productId"] for item in whole(daemon, "/contributions", [limit])] == ids
    assert [item["productId"] for item in whole(daemon, "/contributions", [3, 1, 100])] == ids


# Ids.


@pytest.fixture
def odd(store):
    """All odd user ids on the merchants' board: {userId: opaque id}."""
    daemon, board, _ = store
    board.set({(user, model.CREATOR): 1 + n for n, user in enumerate(ODD_USERS)})
    return {item["userId"]: item["id"] for item in whole(daemon, "/scores/merchant", [3])}


def test_any_contributor_is_reached_by_an_opaque_id(store, odd):
    daemon, _, _ = store
    assert odd.keys() == set(ODD_USERS)
    for n, user in enumerate(ODD_USERS):
        for path in (f"/scores/{odd[user]}", f"/scores/merchant/{odd[user]}", f"/scores/creator/{odd[user]}"):
            answer = daemon.get(path).json()
            assert (answer["userId"], answer["id"]) == (user, odd[user])
            assert answer.get("score", answer.get("merchant")) == 1 + n


def test_any_contributor_is_reached_by_a_user_id_however_it_is_escaped(store, odd):
    daemon, _, _ = store
    for user in ODD_USERS:
        every_byte = "".join(f"%{byte:02X}" for byte in user.encode())
        for segment in {expected_answers.quoted(user), every_byte}:
            assert daemon.get(f"/scores/merchant/{segment}").json()["id"] == odd[user]
            if user not in ("merchant", "creator"):
                assert daemon.get(f"/scores/{segment}").json()["id"] == odd[user]


def test_an_escaped_path_of_a_board_is_the_same_board(store, odd):
    daemon, _, _ = store
    for path in ("/scores/%6Derchant", "/scores/%63reator", "/%73cores/merchan%74"):
        answer = http_client.request(daemon.port, path)  # escaped like this, the path is not in openapi.yaml
        assert answer.json()["items"] == page_after(daemon, "/scores/merchant", None, 10)["items"]


def test_a_user_id_equal_to_anothers_opaque_id_does_not_hide_that_contributor(store, odd):
    daemon, board, _ = store
    taken = odd["a"]
    board.change({(taken, model.CREATOR): 500})
    assert daemon.get(f"/scores/{taken}").json()["userId"] == "a"
    assert daemon.get(f"/scores/merchant/{taken}").json()["userId"] == "a"
    first = page_after(daemon, "/scores/merchant", None, 1)["items"][0]
    assert first["userId"] == taken and first["id"] != taken
    assert daemon.get(f"/scores/{first['id']}").json()["merchant"] == 500


def test_the_old_shape_has_its_own_limit_and_no_pages(store):
    daemon, board, _ = store
    scores = {"w/m/1/A": 9, model.UNKNOWN: 5, "w/m/2/B": 1}
    board.set({(user, model.CREATOR): score for user, score in scores.items()})
    rows = [{"userId": user, "score": score} for user, score in scores.items()]
    assert daemon.get("/scores?role=creator").json() == rows[:1]
    assert daemon.get("/scores?role=creator&limit=2").json() == rows[:2]
    assert daemon.get("/scores?limit=100&role=merchant").json() == rows
    both = daemon.get("/scores?limit=1").json()
    assert [board["next"] is None for board in (both["merchant"], both["photographer"])] == [False, True]
    (last,) = page_after(daemon, "/scores/merchant", both["merchant"]["next"], 5)["items"]
    assert (last["userId"], last["rank"], last["tied"]) == ("w/m/2/B", 2, False)
