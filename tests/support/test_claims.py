"""The comparison of answers with what was acknowledged before their asOf (claims.py)."""

import claims
import model
import pairs
import pytest
import small_shop

ANN, PIA = small_shop.person("merchant", "Ann"), small_shop.person("photographer", "Pia")
BEGIN, STEP_MS = 1_000_000, 100


@pytest.fixture
def records():
    """The lamp's creation, its photograph and three purchases."""
    events = small_shop.puts(small_shop.product("lamp", ANN, PIA, 3))
    return [model.Record(pairs.FILE_SHARD, str(n), None, put.data) for n, put in enumerate(events)]


@pytest.fixture
def history(records):
    """One was acknowledged each 100 ms."""
    return claims.History(
        records, {(record.shard, record.sequence): BEGIN + n * STEP_MS for n, record in enumerate(records)}
    )


def answer(as_of, **content):
    return claims.Answer(0, "/", BEGIN + 1000, BEGIN + 1000, BEGIN + as_of, **content)


def lamp(last, purchases):
    return {"lamp": (model.EventId(pairs.FILE_SHARD, last, 0), purchases)}


TRUE = {
    "the last event that was acknowledged before": answer(350, products=lamp(3, 2)),
    "one that was acknowledged at asOf may be missing": answer(400, products=lamp(3, 2)),
    "more than was acknowledged": answer(150, products=lamp(4, 3)),
    "nothing was there yet": answer(0, products={"lamp": None}),
    "an unknown product": answer(1000, products={"chair": None}),
    "scores": answer(350, scores={(ANN, model.CREATOR): 2, (PIA, model.PHOTOGRAPHER): 3}),
    "a board before the first purchase": answer(200, whole=(model.CREATOR,)),
    "exactly as old as allowed": answer(700, most_lag=300),
}
FALSE = {
    "a purchase is missing that was acknowledged 50 ms before": answer(450, products=lamp(3, 2)),
    "a photograph": answer(150, products=lamp(0, 0)),
    "a product": answer(50, products={"lamp": None}),
    "a point": answer(450, scores={(ANN, model.CREATOR): 2}),
    "a contributor's row": answer(450, scores={(ANN, model.CREATOR): None}),
    "a contributor on a whole board": answer(450, whole=(model.PHOTOGRAPHER,)),
    "asOf is ahead": answer(1001),
    "older than asked for": answer(699, most_lag=300),
    "unknown, but asked for at most so old": answer(float("-inf"), most_lag=300),
}


@pytest.mark.parametrize("name", TRUE)
def test_a_true_claim_is_not_reported(history, name):
    assert history.false_claims([TRUE[name]]) == []


@pytest.mark.parametrize("name", FALSE)
def test_a_false_claim_is_reported(history, name):
    found = history.false_claims([FALSE[name], *TRUE.values()])
    assert len(found) == 2 and found[0].startswith(f"1 of {1 + len(TRUE)} answers")


def test_a_claim_may_be_ahead_by_what_the_caller_allows(history):
    assert history.false_claims([FALSE["asOf is ahead"]], ahead_ms=1) == []
    assert history.false_claims([answer(450, products=lamp(3, 2))], ahead_ms=51) == []
    assert history.false_claims([answer(450, products=lamp(3, 2))], ahead_ms=49)
    assert history.false_claims([FALSE["older than asked for"]], young_ms=1) == []
