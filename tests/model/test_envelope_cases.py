"""The model agrees with the cases of the C unit test (tests/unit/ingest/test_envelope.c, which explains their form)."""

import base64
import json
import pathlib

import pytest

import model

CASES = json.loads((pathlib.Path(__file__).resolve().parents[1] / "data" / "envelopes.json").read_text())
TEXTS = ("name", "brand", "category", "image")
KINDS = {"create": model.CREATE, "image": model.IMAGE, "purchase": model.PURCHASE}


def is_the_models(case):
    """Whether a case is about a complete record of a stream, with a partition key, as the model reads them."""
    return "limit" not in case and case.get("partitionKey", "") is not None and not case.get("sub")


def expand(case, text):
    for token, (string, times) in case.get("tokens", {}).items():
        text = text.replace(token, string * times)
    return text


def record(case):
    if "dataBase64" in case:
        data = base64.b64decode(case["dataBase64"])
    else:
        text = case["text"] if "text" in case else json.dumps(case["data"])
        data = expand(case, text).encode()
    return model.Record(
        case.get("shard", "shardId-000000000002"),
        int(case.get("sequence", "42")),
        expand(case, case.get("partitionKey", "lamp")),
        data,
        arrived_ms=case.get("arrived"),
    )


def outcome(case):
    try:
        event = model.parse(record(case))
    except model.DeadLetter as letter:
        return "dead", letter.reason
    except model.Skipped:
        return ("skipped",)
    return "event", event


def expected(case):
    expect = case["expect"]
    if expect["kind"] == "dead":
        return "dead", expect["reason"]
    if expect["kind"] == "skipped":
        return ("skipped",)
    event = expect["event"]
    product, origin = expand(case, event["productId"]), expand(case, event["origin"])
    texts = {name: expand(case, event[name]) for name in TEXTS if name in event}
    kind, times = KINDS[event["kind"]], (event["time"], event.get("arrived"))
    return "event", model.Event(event["id"], kind, product, origin, *times, texts)


MODELS = [case for case in CASES if is_the_models(case)]


@pytest.mark.parametrize("case", MODELS, ids=[case["title"] for case in MODELS])
def test_the_model_agrees_with_the_shared_envelope_cases(case):
    assert outcome(case) == expected(case)
