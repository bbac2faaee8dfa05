import json

from test_envelope_cases import CASES, record

DICTIONARY = [
    b'"schema":', b'"origin":', b'"timeOrigin":', b'"data":', b'"followsFrom":', b'"eventId":', b'"timeIngest":',
    b'"timeProcess":', b'"id":', b'"image":', b'"brand":', b'"name":', b'"description":', b'"category":', b'"lamp"',
    b'"com.nordstrom/retail-stream-ingress/1-0-0"', b'"com.nordstrom/retail-stream-egress/1-0-0"',
    b'"com.nordstrom/product/create/1-0-0"', b'"com.nordstrom/product/image/1-0-0"',
    b'"com.nordstrom/product/purchase/1-0-0"', b'"2026-11-23T04:36:00Z"', b'"shardId-000000000002:42:1"',
    b"\\u0000", b"\\ud83d\\ude00", b"\\ud800", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"null", b"true",
    b"1e400", b"-0", b"12345678901234567890", b"NaN", b"[", b"]", b"{", b"}", b",", b" ", b"\\", b'"',
]  # fmt: skip
MAX_LENGTH = 8192  # keys of 2048 bytes are allowed


EVENTS = [case["data"] for case in CASES if "data" in case and case["expect"]["kind"] == "event"][:6]


def orders(members):
    """An object's members forwards, backwards, and each first once."""
    yield members[::-1]
    for i in range(len(members)):
        yield members[i:] + members[:i]


def permuted_events():
    """An ingress and an egress event of each schema."""
    for event in EVENTS:
        for data in orders(list(event["data"].items())):
            for members in orders(list({**event, "data": dict(data)}.items())):
                yield dict(members)


def seeds():
    for case in CASES:
        yield record({**case, "partitionKey": ""}).data
    for number, event in enumerate(permuted_events()):
        yield json.dumps(event, indent="\t" if number % 3 == 0 else None).encode()
