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


def seeds():
    for case in CASES:
        yield record({**case, "partitionKey": ""}).data
