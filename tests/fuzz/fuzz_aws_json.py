import json

import cases

DICTIONARY = [
    b'{"', b'":', b'"a"', b"{}", b"[]", b"null", b"true", b"false", b"-0", b"0.5", b"1e3", b"-12.25", b"\\u0000",
    b"999999999999999999", b"1000000000000000000", b"\xc3\xa4", b"\xed\xa0\x80", b" ", b"\n",
]  # fmt: skip


def seeds():
    for case in cases.read("get_records.json"):
        yield json.dumps(case["reply"], ensure_ascii=False).encode()
        yield json.dumps(case["reply"], separators=(",", ":")).encode()
    yield b'{"ConsumedCapacity":{"TableName":"live-Scores","CapacityUnits":3.0}}'
    yield b'{"__type":"ns#ConditionalCheckFailedException","Item":{"at2":{"B":"AQI="}}}'
