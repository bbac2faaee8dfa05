"""Tests of the model with hand-made examples: the model must not have the program's mistakes."""

import json

import pytest

import model
import workload
from model import CREATE, EGRESS, IMAGE, INGRESS, PURCHASE, Model, Record

SHARD = "shardId-000000000002"
FIELDS = {
    CREATE: {"brand": "b", "name": "n", "description": "d", "category": "c"},
    IMAGE: {"image": "i"},
    PURCHASE: {},
}


def record(sequence, kind, origin, product="lamp", event_id=None, time="2026-11-23T10:00:00Z"):
    envelope = {"schema": INGRESS, "origin": origin, "timeOrigin": time}
    if event_id:
        envelope.update(schema=EGRESS, eventId=event_id, timeIngest="", timeProcess="")
    envelope["data"] = {"schema": kind, "id": product, **FIELDS[kind]}
    return Record(SHARD, sequence, product, json.dumps(envelope).encode())


def fold(*records):
    folded = Model()
    for one in records:
        folded.apply(one)
    return folded


def test_the_first_registration_wins_and_a_purchase_credits_both():
    m = fold(
        record(1, CREATE, "ann"), record(2, IMAGE, "pia"), record(3, CREATE, "bob"), record(4, PURCHASE, "c")
    )
    row = m.contributions["lamp"]
    assert (row["creator"], row["photographer"], row["creatorScore"], row["photographerScore"]) == (
        "ann",
        "pia",
        1,
        1,
    )
    assert row["photographerEventId"] == f"{SHARD}:2" and row["lastEventId"] == f"{SHARD}:4"
    assert (row["createdBy"], row["updatedBy"]) == ("ann", "c")
    assert (
        m.score("ann", "creator") == 1
        and m.score("pia", "photographer") == 1
        and m.score("bob", "creator") is None
    )


def test_a_purchase_before_the_photograph_earns_the_photographer_nothing():
    m = fold(
        record(1, CREATE, "ann"), record(2, PURCHASE, "c"), record(3, IMAGE, "pia"), record(4, PURCHASE, "c")
    )
    assert m.score("ann", "creator") == 2 and m.score("pia", "photographer") == 1


def test_an_image_and_a_purchase_before_creation_leave_both_unknown():
    m = fold(record(1, IMAGE, "pia"), record(2, PURCHASE, "c"), record(3, CREATE, "ann"))
    row = m.contributions["lamp"]
    assert (row["creator"], row["photographer"]) == ("UNKNOWN", "UNKNOWN")
    assert m.score("UNKNOWN", "photographer") == 1 and m.score("pia", "photographer") is None
    assert m.board("creator") == []


def test_an_event_whose_id_is_not_greater_is_not_applied():
    m = fold(
        record(1, CREATE, "ann", event_id="s:99"),
        record(2, PURCHASE, "c", event_id="s:100"),  # smaller as a string
        record(3, PURCHASE, "c", event_id="s:100"),
        record(4, PURCHASE, "c", event_id="s:99:7"),
        record(5, PURCHASE, "c", event_id="s:100:1"),
        record(6, PURCHASE, "c", event_id="t:1"),
    )
    assert m.counts == {"applied": 4, "duplicate": 1, "stale": 1}
    assert m.score("ann", "creator") == 3
    assert m.scores["ann", "creator"].last == {SHARD: (6, 0)}


@pytest.mark.parametrize(
    "text, expected",
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01t00:00:00.0019z", 1),
        ("1970-01-01T01:00:00.5+01:00", 500),
        ("1969-12-31T23:59:59.999-00:00", -1),
        ("2026-11-23T10:00:00Z", 1795428000000),
        ("2016-12-31T23:59:60Z", 1483228800000),
        ("2026-11-23T10:00:00", None),
        ("2025-02-29T10:00:00Z", None),
        ("2026-11-23T10:00:00Z\n", None),
        ("२०२६-11-23T10:00:00Z", None),
    ],
)
def test_rfc_3339_times_are_parsed_and_cut_to_milliseconds(text, expected):
    assert model.epoch_ms(text) == expected


@pytest.mark.parametrize(
    "user, expected",
    [
        ("web/merchant/0123456789/Ann", "Ann (**...**345****)"),
        ("web/merchant/0123456789/Ann/x", "Ann (**...**345****)"),
        ("web/merchant/01234/Ann", "Ann (**...**0****)"),
        ("web/merchant/0123/Ann", "Ann"),
        ("web/merchant/0123456789", "(**...**345****)"),
        ("web/0123", "(**...******)"),
        ("ann@example.com", "(**...**UNK****)"),
        ("UNKNOWN", "UNKNOWN (**...**UNK****)"),
        ("web/merchant/0123456789/ \u200b", "(**...**345****)"),
        ("web/merchant/0123456789/A\u202enn\n", "A\ufffdnn\ufffd (**...**345****)"),
        ("web/merchant/äöü日本語0123/Ann", "Ann (**...**日本語****)"),
    ],
)
def test_people_are_masked(user, expected):
    assert model.masked(user) == expected


def test_a_board_has_competition_ranks():
    m = Model()
    for user, score in {"a": 5, "b": 3, "c": 3, "d": 1, "UNKNOWN": 9}.items():
        m.scores[user, "creator"].score = score
    assert m.board("creator") == [(1, False, 5, {"a"}), (2, True, 3, {"b", "c"}), (4, False, 1, {"d"})]


@pytest.mark.parametrize(
    "stored, expected", [("0109", (9, 0)), ("02010000000007", (256, 7)), ("00", (0, 0))]
)
def test_a_stored_position_is_read_back(stored, expected):
    assert model.position(bytes.fromhex(stored)) == expected


def test_every_kind_of_malformed_record_has_its_reason_and_occurs_in_the_workload():
    seen, reasons = set(), set()
    for number, put in enumerate(workload.generate(seed=5, events=10_000)):
        group, _, name = put.note.partition(": ")
        if group not in workload.MALFORMED:
            continue
        seen.add((group, name))
        with pytest.raises(model.DeadLetter) as bad:
            model.parse(Record(SHARD, number, put.partition_key, put.data))
        assert bad.value.reason == group.split()[0], put.note
        reasons.add(bad.value.reason)
    assert seen == set(workload.EVERY_DEFECT)
    assert len(reasons) == 9


def test_the_workload_is_the_same_for_the_same_seed_and_one_in_ten_is_odd():
    puts = workload.generate(seed=7, events=5000)
    assert puts == workload.generate(seed=7, events=5000)
    odd = sum(put.note != "ordinary" for put in puts)
    assert 400 < odd < 600
    m = fold(*(Record(SHARD, n, put.partition_key, put.data) for n, put in enumerate(puts)))
    assert min(m.counts[kind] for kind in ("applied", "duplicate", "stale", "skipped", "dead_letter")) > 10
    assert m.score("UNKNOWN", "creator") > 10 and m.score("UNKNOWN", "photographer") > 10


def test_a_workload_without_odd_events_is_well_formed_and_each_product_has_one_envelope_kind():
    puts = workload.generate(seed=7, events=5000, odd=0)
    m = fold(*(Record(SHARD, n, put.partition_key, put.data) for n, put in enumerate(puts)))
    assert m.counts == {"applied": 5000}
    assert len(m.contributions) > 300 and len(m.users()) > 60
    kinds = {(put.partition_key, json.loads(put.data)["schema"]) for put in puts}
    assert len(kinds) == len(m.contributions)


def test_a_wrong_attribute_a_missing_row_and_an_extra_dead_letter_are_differences():
    m = fold(record(1, CREATE, "ann"), record(2, PURCHASE, "c"))
    row = dict(m.contributions["lamp"])
    score = {
        "userId": "ann",
        "role": "creator",
        "score": 1,
        "updated": row["updated"],
        "updatedBy": "c",
        "at2": bytes.fromhex("0102"),
    }
    shop = {**score, "userId": "SHOP/2", "role": "shop", "sales": 1}
    del shop["score"]
    assert model.differences(m, [row], [score, shop], set()) == []
    assert len(model.differences(m, [row], [score, shop], set(), gone={"shardId-000000000002"})) == 2
    assert len(model.differences(m, [{**row, "creatorScore": 2}], [score, shop], set())) == 1
    assert len(model.differences(m, [], [score, shop], set())) == 1
    assert len(model.differences(m, [row], [{**score, "score": 2}, shop], set())) == 1
    assert len(model.differences(m, [row], [{**score, "updatedBy": "ann"}, shop], set())) == 1
    assert len(model.differences(m, [row], [{**score, "at2": bytes.fromhex("0101")}, shop], set())) == 1
    assert len(model.differences(m, [row], [{**score, "at1": bytes.fromhex("0101")}, shop], set())) == 1
    assert len(model.differences(m, [row], [score, shop], {(SHARD, "1", "not-json")})) == 1
    assert len(model.differences(m, [row], [score], set())) == 1
    assert len(model.differences(m, [row], [score, {**shop, "sales": 2}], set())) == 1


def test_a_store_is_compared_in_the_periods_and_products_that_it_keeps_and_that_have_not_expired():
    m = fold(record(1, CREATE, "ann"), record(2, PURCHASE, "c"))  # no arrival is known: 2026-11-23
    shape = model.Shape(("day",), best_sellers=True, board_partitions=2)
    rows = {board: row for (_, board), row in m.rows(shape, 0).items()}
    assert rows.keys() == {
        f"{role}{period}" for role in ("creator", "product", "shop") for period in ("", "#day#2026-11-23")
    }
    expires = rows["creator#day#2026-11-23"].expires
    assert len(m.rows(shape, expires)) == 3
    assert shape.board("ann", "creator#day#2026-11-23") == "creator#day#2026-11-23/0"
    assert shape.board("SHOP/2", "shop") is None


def test_the_shop_has_a_row_for_one_shard_in_16():
    assert model.shop_id("shardId-000000000018") == "SHOP/2" and model.shop_id("s") == "SHOP/3"
