"""The HTTP answers that the model expects, compared with those of a daemon."""

import functools
import time
import urllib.parse

import model

ROLES = {"merchant": model.CREATOR, "photographer": model.PHOTOGRAPHER}
KINDS = ("hour", "day", "week", "month")


def quoted(segment):
    """One path segment. Dots are escaped, because clients normalise segments of dots alone."""
    return urllib.parse.quote(segment, safe="").replace(".", "%2E")


@functools.cache
def best_merchant(daemon):
    return daemon.get("/scores/merchant").json()["items"][0]["id"]


def named(daemon, target):
    """The target with the id of the first merchant in the place of `{best}`."""
    return target.replace("{best}", best_merchant(daemon)) if "{best}" in target else target


def displayed(user, full):
    return user if full else model.masked(user)


def same_board(board, expected, limit, full):
    """Ranks, ties and scores are the model's. Tied contributors are in any order, and the limit may cut between them."""
    items = board["items"]
    flat = [(rank, tied, score) for rank, tied, score, users in expected for _ in users]
    assert [(item["rank"], item["tied"], item["score"]) for item in items] == flat[:limit]
    for rank, _, _, users in expected:
        here = [item for item in items if item["rank"] == rank]
        names = sorted((displayed(user, full), model.name(user, full) or "") for user in users)
        got = sorted((item["userId"], item["name"] or "") for item in here)
        if len(here) == len(users):
            assert got == names
        else:
            assert set(got) <= set(names)
    assert len({item["id"] for item in items}) == len(items)


def check_boards(daemon, expected, full=False):
    for role, stored in ROLES.items():
        for limit in (1, 10, 100):
            same_board(daemon.get(f"/scores/{role}?limit={limit}").json(), expected.board(stored), limit, full)
    both = daemon.get("/scores?limit=100").json()
    for role, stored in ROLES.items():
        same_board(both[role], expected.board(stored), 100, full)


def check_old_shape(daemon, expected, full=False):
    """The old shape includes UNKNOWN."""
    for stored in (model.CREATOR, model.PHOTOGRAPHER):
        answer = daemon.get(f"/scores?role={stored}&limit=100").json()
        users = {user: row.score for (user, role), row in expected.scores.items() if role == stored}
        wanted = sorted(((score, displayed(user, full)) for user, score in users.items()), reverse=True)[:100]
        assert [item["score"] for item in answer] == [score for score, _ in wanted]
        if len(users) <= 100:
            assert sorted((item["score"], item["userId"]) for item in answer) == sorted(wanted)
        assert all(item.keys() == {"userId", "score"} for item in answer)


def check_contributors(daemon, expected, key, full=False):
    """Each contributor in both roles, by opaque id; also by origin, where that is accepted. Returns {user: opaque
    id}."""
    ids = {user: model.sealed_id(key, user) for user in sorted(expected.users())}
    for user, person_id in ids.items():
        answer = daemon.get(f"/scores/{person_id}").json()
        assert answer["id"] == person_id
        assert answer["userId"] == displayed(user, full)
        assert answer["name"] == model.name(user, full)
        assert answer["merchant"] == expected.score(user, model.CREATOR)
        assert answer["photographer"] == expected.score(user, model.PHOTOGRAPHER)
        by_origin = daemon.get(f"/scores/{quoted(user)}")
        assert by_origin.status == (200 if full else 404)
        if full:
            assert {**by_origin.json(), "asOf": None} == {**answer, "asOf": None}
    return ids


def check_ranks(daemon, expected, ids, full=False):
    for role, stored in ROLES.items():
        for rank, tied, score, users in expected.board(stored):
            for user in users:
                answer = daemon.get(f"/scores/{role}/{ids[user]}").json()
                assert (answer["role"], answer["rank"], answer["tied"], answer["score"]) == (
                    role,
                    rank,
                    tied,
                    score,
                )
                assert (answer["id"], answer["userId"]) == (ids[user], displayed(user, full))
                touches = {time_ms for time_ms, _ in expected.scores[user, stored].touches}
                assert model.epoch_ms(answer["updated"]) in touches


def same_person(person, user, score, full):
    if user is None or user == model.UNKNOWN:
        assert person is None
    else:
        assert (person["userId"], person["score"]) == (displayed(user, full), score)
        assert person["name"] == model.name(user, full)


def same_texts(answer, row):
    for name in ("name", "brand", "category"):
        text = row.get(name)
        assert answer[name] == (model.cleaned(text) if text and not model.is_blank(text) else None), name
    assert answer["image"] in (row.get("image"), None)


def same_contribution(answer, row, full):
    is_attributed = row["creator"] != model.UNKNOWN
    assert answer["productId"] == row["productId"]
    same_texts(answer, row)
    assert answer["purchases"] == row["creatorScore"]
    assert answer["attributed"] == is_attributed
    assert answer["lastEventId"] == row["lastEventId"]
    assert model.epoch_ms(answer["created"]) == row["created"]
    assert model.epoch_ms(answer["updated"]) == row["updated"]
    same_person(answer["merchant"], row["creator"], row["creatorScore"], full)
    photographer = row.get("photographer") if is_attributed else None
    same_person(answer["photographer"], photographer, row["photographerScore"], full)


def check_contributions(daemon, expected, full=False):
    for product, row in expected.contributions.items():
        same_contribution(daemon.get(f"/contributions/{quoted(product)}").json(), row, full)
    listing = daemon.get("/contributions?limit=100").json()
    assert len(listing["items"]) == min(100, len(expected.contributions))
    for item in listing["items"]:
        same_contribution(item, expected.contributions[item["productId"]], full)


# Periods.


def competition(scores):
    """What `model.Model.board` gives, of these {userId: score}."""
    expected = model.Model()
    for user, score in scores.items():
        expected.scores[user, model.CREATOR].score = score
    return expected.board(model.CREATOR)


def kept_kinds(daemon):
    found = []
    for kind in KINDS:
        answer = daemon.get(f"/sales/history?kind={kind}&limit=1")
        assert answer.status == 200 or answer.json()["code"] == "period-not-kept"
        found += [kind] if answer.status == 200 else []
    return found


def check_board_of_period(daemon, expected, role, stored, kind, period, full):
    users = {user: row.score for (user, board), row in expected.others.items() if board == f"{stored}#{kind}#{period}"}
    board = daemon.get(f"/scores/{role}?period={period}&limit=100").json()
    same_board(board, competition(users), 100, full)
    assert (board["period"]["id"], board["period"]["kind"]) == (period, kind)


def sums(expected, role, kind, user=None):
    """{period: what was counted} in periods that have not expired, of one userId or of all."""
    found = {}
    for (earner, board), row in expected.others.items():
        if board.startswith(f"{role}#{kind}#") and user in (None, earner) and row.expires > time.time():
            found[board.split("#")[2]] = found.get(board.split("#")[2], 0) + row.score
    return found


def check_history(daemon, path, member, kind, counted):
    """From the period under way back to the first that counts, without a gap, in pages of 40."""
    cursor, items = "", []
    while cursor is not None:
        page = daemon.get(f"{path}?kind={kind}&limit=40{cursor and '&cursor='}{cursor}").json()
        items, cursor = items + page["items"], page["next"]
    assert {item["period"]["id"]: item[member] for item in items if item[member]} == counted
    assert not items or items[-1][member]
    for newer, older in zip(items, items[1:]):
        assert newer["period"]["previous"] == older["period"]["id"]
        assert newer["period"]["start"] == older["period"]["end"]


def check_periods(daemon, expected, ids, full=False):
    assert daemon.get("/sales").json()["sales"] == sum(
        row.score for (_, board), row in expected.others.items() if board == "shop"
    )
    for kind in kept_kinds(daemon):
        shop = sums(expected, "shop", kind)
        for period in shop:
            assert daemon.get(f"/sales?period={period}").json()["sales"] == shop[period]
            for role, stored in ROLES.items():
                check_board_of_period(daemon, expected, role, stored, kind, period, full)
        check_history(daemon, "/sales/history", "sales", kind, shop)
        for user in sorted(ids)[:5]:
            for role, stored in ROLES.items():
                counted = sums(expected, stored, kind, user)
                if counted:
                    check_history(daemon, f"/scores/{role}/{ids[user]}/history", "score", kind, counted)


def check_all(daemon, expected, pair, full=False):
    check_boards(daemon, expected, full)
    check_old_shape(daemon, expected, full)
    ids = check_contributors(daemon, expected, pair.identity_key(), full)
    check_ranks(daemon, expected, ids, full)
    check_contributions(daemon, expected, full)
    check_periods(daemon, expected, ids, full)
    return ids
