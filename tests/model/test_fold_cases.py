"""The model agrees with the cases of the C unit test (tests/unit/views/test_fold.c)."""

import datetime
import json
import pathlib

import pytest

import model

CASES = json.loads((pathlib.Path(__file__).resolve().parents[1] / "data" / "fold.json").read_text())
KINDS = {"create": model.CREATE, "image": model.IMAGE, "purchase": model.PURCHASE}
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


def record(sequence, event):
    """The event as an egress record, which has its own id."""
    kind = KINDS[event["kind"]]
    time = EPOCH + datetime.timedelta(milliseconds=event["time"])
    envelope = {
        "schema": model.EGRESS,
        "eventId": event["id"],
        "origin": event["origin"],
        "timeOrigin": time.isoformat(timespec="milliseconds"),
        "timeIngest": "",
        "timeProcess": "",
        "data": {**{field: event.get(field, "") for field in model.DATA_FIELDS[kind]}, "schema": kind, "id": "lamp"},
    }
    return model.Record("shardId-000000000000", sequence, "lamp", json.dumps(envelope).encode())


@pytest.mark.parametrize("case", CASES, ids=[case["title"] for case in CASES])
def test_the_model_agrees_with_the_shared_fold_cases(case):
    folded = model.Model()
    outcomes = []
    for sequence, event in enumerate(case["events"]):
        before = folded.counts.copy()
        folded.apply(record(sequence, event))
        outcomes += (folded.counts - before).keys()
    assert outcomes == case["outcomes"]
    assert folded.contributions == {"lamp": case["row"]}
    expected = {(user, role): n for role, users in case["scores"].items() for user, n in users.items()}
    assert {key: score.score for key, score in folded.scores.items()} == expected
