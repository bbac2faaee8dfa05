"""GET /live?changes=1: whole boards once, then what changes; of all time or of the period under way; from where a reader
left off."""

import time

import clock_shim
import live
import model
import pytest
from live import Reader
from small_shop import TIME, event, person, product, puts

CHANGES = "?changes=1"
OF_DAY = "?changes=1&period=day"
ANN, BEN, PHIL = person("merchant", "Ann"), person("merchant", "Ben"), person("photographer", "Phil")
LAMP, VASE = puts(product("lamp", ANN, PHIL, 3)), puts(product("vase", BEN, PHIL, 1))
LAMP_SOLD, VASE_SOLD = LAMP[-1:], VASE[-1:]


def shown(board):
    """A board's rows without what changes do not have."""
    return [{name: value for name, value in item.items() if name != "updated"} for item in board["items"]]


def check_schemas(openapi, reader):
    names = {"rows": "BoardRows", "merchant": "Board", "photographer": "Board"}
    for one in reader.events:
        if one.kind in names:
            openapi.validate(one.data, {"$ref": f"#/components/schemas/{names[one.kind]}"}, f"/live {one.kind}")


def whole_boards(reader):
    return [one for one in reader.events if one.kind in live.BOARDS]


def test_a_board_with_its_changes_is_the_board(pair, start_on, openapi):
    pair.put(LAMP + VASE)
    daemon = start_on(pair)
    daemon.wait_until_applied()
    with Reader(daemon, query=CHANGES) as reader, Reader(daemon) as other:
        reader.wait_for_score(3)
        reader.wait_for_all()
        for score, sold in enumerate([LAMP_SOLD, VASE_SOLD, VASE_SOLD, VASE_SOLD, VASE_SOLD], 5):
            pair.put(sold)
            reader.wait_for_score(score, "photographer")
        reader.wait_for(lambda: reader.boards["merchant"]["items"][0]["name"] == "Ben", "Ben passes Ann")
        pair.put(puts(product("bowl", person("merchant", "Cid"), PHIL, 9)))
        reader.wait_for_score(9)
        reader.wait_for_score(18, "photographer")
        for role in live.BOARDS:
            assert shown(reader.boards[role]) == shown(daemon.get(f"/scores/{role}").json())
        assert len(reader.of("rows")) >= 5
        other.wait_for_score(9)
        assert not other.of("rows") and not other.of("sale")
        check_schemas(openapi, reader)
        ids = [one.id for one in reader.events if one.id]
        assert ids == sorted(set(ids)) and len({one.epoch for one in reader.events if one.id}) == 1


def test_a_reader_that_returns_gets_what_it_missed_and_no_whole_board(pair, start_on):
    pair.put(LAMP)
    daemon = start_on(pair)
    daemon.wait_until_applied()
    with Reader(daemon, query=CHANGES) as stays:
        stays.wait_for_score(3)
        with Reader(daemon, query=CHANGES) as leaves:
            leaves.wait_for_score(3)
            leaves.wait_for_all()
        for score in (4, 5, 6):
            pair.put(LAMP_SOLD)
            stays.wait_for_score(score)
        left_off = {"Last-Event-ID": leaves.last_event_id}
        with Reader(daemon, left_off, CHANGES, leaves.boards) as returns:
            returns.wait_for_score(6)
            assert not whole_boards(returns)
            assert [one.data["rows"][0]["score"] for one in returns.of("rows") if one.data["role"] == "merchant"] == [4, 5, 6]
            pair.put(LAMP_SOLD)
            returns.wait_for_score(7)
            stays.wait_for_score(7)


@pytest.mark.parametrize("last", ["garbage", "00000000-1", "-1", "1"])
def test_a_reader_with_an_id_that_is_not_of_the_stream_begins_with_whole_boards(embedded, start_on, last):
    embedded.put(LAMP)
    daemon = start_on(embedded)
    daemon.wait_until_applied()
    with Reader(daemon, {"Last-Event-ID": last}, CHANGES) as reader:
        reader.wait_for_score(3)
        reader.wait_for_all()
        assert sorted(one.kind for one in whole_boards(reader)) == ["merchant", "photographer"]


def test_after_a_crash_a_reader_begins_with_whole_boards_of_another_epoch(pair, start_on):
    pair.put(LAMP)
    daemon = start_on(pair)
    daemon.wait_until_applied()
    with Reader(daemon, query=CHANGES) as reader:
        reader.wait_for_score(3)
        reader.wait_for(lambda: reader.last_event_id, "an id")
        daemon.kill()
        reader.wait_for(lambda: reader.end == "cut", "the end of the stream")
    pair.put(LAMP_SOLD)
    daemon.start()
    with Reader(daemon, {"Last-Event-ID": reader.last_event_id}, CHANGES) as returns:
        returns.wait_for_score(4)
        returns.wait_for(lambda: returns.last_event_id, "an id")
        returns.wait_for(lambda: {one.kind for one in whole_boards(returns)} == set(live.BOARDS), "both boards")
        assert returns.last_event_id.split("-")[0] != reader.last_event_id.split("-")[0]


def test_when_the_day_ends_both_kinds_of_readers_get_the_boards_of_the_next(embedded, start_on, tmp_path):
    clocks = clock_shim.Clocks(tmp_path)
    clocks.step(real_ms=model.epoch_ms("2026-11-23T23:50:00.000Z") - time.time_ns() // 1_000_000)
    embedded.put(LAMP)
    daemon = start_on(embedded, "--periods", "day", environment=clocks.environment)
    with Reader(daemon, query=OF_DAY) as reader, Reader(daemon, query="?period=day") as other:
        for one in (reader, other):
            one.wait_for_score(3)
            one.wait_for_all()
            assert one.last("merchant")["period"]["id"] == "2026-11-23"
        embedded.put(puts([event(model.PURCHASE, "lamp", person("customer", "Cy"), timeOrigin=TIME)]))
        reader.wait_for(lambda: reader.of("rows"), "rows")
        assert reader.last("rows")["period"] == "2026-11-23"
        left_off = {"Last-Event-ID": reader.last_event_id}
        clocks.step(real_ms=20 * 60_000)
        for one in (reader, other):
            one.wait_for(lambda: one.last("merchant")["period"]["id"] == "2026-11-24", "the next day")
            assert one.last("merchant")["items"] == []
        embedded.put(puts([event(model.PURCHASE, "lamp", person("customer", "Cy"), timeOrigin="2026-11-24T00:05:00.000Z")]))
        for one in (reader, other):
            one.wait_for_score(1)
        with Reader(daemon, left_off, OF_DAY, reader.boards) as returns:
            returns.wait_for_score(1)
            assert returns.of("merchant")[-1].data["period"]["id"] == "2026-11-24"


def test_wrong_parameters_of_live_are_refused(embedded, start_on):
    embedded.put(LAMP)
    daemon = start_on(embedded, "--periods", "day")
    for query in ("period=all", "period=day:previous", "period=2026-11-23", "period=", "changes=0", "changes=", "changes=true"):
        answer = daemon.get(f"/live?{query}")
        assert (answer.status, answer.json()["code"]) == (400, "invalid-parameter"), query
    answer = daemon.get("/live?period=week")
    assert (answer.status, answer.json()["code"], answer.json()["allowed"]) == (404, "period-not-kept", "day")
    assert daemon.get("/live?period=day&changes=1", method="HEAD").status == 200
