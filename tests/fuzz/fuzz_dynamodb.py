import json

from c_strings import ROOT, c_strings

SEPARATOR = b"\x1e"
CALLS = 17  # of the target
WRITE_BATCH = 6
CALL_OF_ROW = {"lease": 7, "score": 2, "contribution": 0, "record": 9, "watermarks": 11}

ROWS = json.loads((ROOT / "tests/data/dynamodb_rows.json").read_text())
GOOD = {case["row"]: case["good"] for case in ROWS if "good" in case}
GOOD["watermarks"] = GOOD["score"]
SCORE, CONTRIBUTION, LEASE, RECORD = (GOOD[row] for row in ("score", "contribution", "lease", "record"))
DAYS = [{**SCORE, "role": {"S": f"creator#day#2026-11-{day}"}} for day in (29, 28, 27)]
SALES = {"userId": {"S": "SHOP/0"}, "role": {"S": "shop"}, "sales": {"N": "7"}, "expires": {"N": "1800000000"}}
UNITS = {"ConsumedCapacity": {"TableName": "dev-Scores", "CapacityUnits": 128.5}}
REFUSAL = {"__type": "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException", "message": "no"}


def pages(*items):
    """One page, and the same in two."""
    whole = {"Items": list(items), "Count": len(items), **UNITS}
    return [[whole], [{"Items": list(items[:1]), "LastEvaluatedKey": {"k": {"S": "a"}}, **UNITS}, {"Items": list(items[1:])}]]


def replies():
    """For each call what it may be answered."""
    contributions, scores = pages(CONTRIBUTION, {**CONTRIBUTION, "productId": {"S": "q"}}), pages(SCORE, SCORE)
    leases = pages(LEASE, {**LEASE, "leaseKey": {"S": "shardId-000000000001"}, "checkpoint": {"S": "SHARD_END"}}, RECORD)
    rows = {"Responses": {"dev-Contributions": [CONTRIBUTION]}}
    unprocessed = {**rows, "UnprocessedKeys": {"dev-Contributions": {"Keys": [{"productId": {"S": "q"}}]}}}
    return [
        [[{"Item": CONTRIBUTION}], [{}]],
        contributions,
        scores,
        [[{"Item": SCORE}, {}], [{"Item": SCORE}, {"Item": SCORE}]],
        [scores[0] * 2],
        [[rows], [unprocessed, rows]],
        [[UNITS, UNITS], [{}, REFUSAL]],
        leases,
        [[{**REFUSAL, "Item": LEASE}], [REFUSAL]],
        [[{"Item": RECORD}], [{}, {"Items": []}, {"Attributes": RECORD}], [{}, {"Items": [LEASE]}]],
        [[scores[0][0], contributions[0][0], scores[0][0]]],
        [[{}, scores[0][0], UNITS, UNITS]],
        [[{"Items": [{"productId": CONTRIBUTION["productId"]}], **UNITS}, rows]],
        [scores[0] * 2, [*scores[1], scores[0][0]]],
        scores,
        [*pages(*DAYS), pages(*reversed(DAYS))[0]],
        [[{"Item": SALES}, {}, {"Item": SALES}]],
    ]


def as_input(call, refused, *answers):
    texts = (json.dumps(answer, separators=(",", ":")).encode() for answer in answers)
    return bytes([call, refused]) + SEPARATOR.join(texts)


def malformed_rows():
    for case in ROWS:
        if "good" not in case:
            row = {**GOOD[case["row"]], case["attribute"]: case["value"]}
            row = {name: value for name, value in row.items() if value}
            reply = {"Item": row} if case["row"] in ("contribution", "record") else {"Items": [row]}
            yield as_input(CALL_OF_ROW[case["row"]], False, *([{}] if case["row"] == "watermarks" else []), reply)


def seeds():
    yield from malformed_rows()
    for call, possible in enumerate(replies()):
        for answers in possible:
            yield as_input(call, "__type" in answers[0], *answers)
    yield as_input(WRITE_BATCH, True, {**REFUSAL, "Item": {"at0": {"B": "AQU="}}}, {}, {})
    for text in c_strings("tests/unit/aws/test_promise.c"):
        if text[:1] == b"{":
            yield from (bytes([call, 0]) + text for call in range(CALLS))


DICTIONARY = [b"%c" % 0x1E, b'{"S":"', b'{"N":"', b'{"B":"', b'{"SS":["', b'{"NULL":true}', b'"Item":', b'"Items":[', b"\\u0000"]
DICTIONARY += [b'"LastEvaluatedKey":', b'"UnprocessedKeys":', b'"CapacityUnits":1e300', b'"N":"-1"', b'"N":"4294967296"']
DICTIONARY += [b'"N":"1.5"', b'"N":"9223372036854775808"', b'"N":"1E5"', b"TRIM_HORIZON", b"AT_TIMESTAMP", b"SHARD_END"]
MAX_LENGTH = 8192
