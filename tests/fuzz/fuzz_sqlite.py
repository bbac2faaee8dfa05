"""Values are in the order of the columns of views/sqlite/schema.c."""

CONTRIBUTION_CALLS, SCORE_CALLS, LEASE_CALLS = range(6), range(6, 15), range(15, 18)  # of the target
NULL, INTEGER, REAL, TEXT, BLOB = range(5)
EVENT = "shardId-000000000000:17:3"
CONTRIBUTION = [
    "p", "u", "u", 3, 2, EVENT, EVENT, 1700000000000, 1700000000001, "shardId-000000000000:5", EVENT, "Lamp", "Brand",
    "lights", "/lamp.jpg",
]  # fmt: skip
DAY = "#day#1970-01-01"
SCORES = [
    ["u", "creator", 3, 1700000000000, EVENT, None],
    ["v", "creator", 3, 1700000000000, EVENT, None],
    ["u", f"creator{DAY}", 2, 1700000000000, EVENT, 1800000000000],
    ["SHOP/3", f"shop{DAY}", 9, 1700000000000, EVENT, 1800000000000],
]
LEASE = [
    "shardId-000000000001", "LEASE", "worker", 7, "0123456789abcdef0123456789abcdef", "17", 3, b"12345678901234567890123456789012",
    None, 1, 1700000000000, None, "shardId-000000000000", "shardId-000000000002,shardId-000000000003", "0", "12", None,
    None, None, None, None, None, None,
]  # fmt: skip
SOURCE = [
    "winner-view#source", "SOURCE", *[None] * 14, "arn:aws:kinesis:eu-west-1:123456789012:stream/events", 1700000000000,
    3, b"12345678901234567890123456789012", "day", "on", 1,
]  # fmt: skip


def value(given):
    types = {type(None): NULL, int: INTEGER, float: REAL, str: TEXT, bytes: BLOB}
    text = given if isinstance(given, bytes) else b"" if given is None else str(given).encode()
    return bytes([types[type(given)]]) + text + b"\x1e"


def as_input(call, *rows):
    return bytes([call]) + b"".join(value(given) for row in rows for given in row)


def damaged(row):
    """The row with each value in turn of another type."""
    for i in range(len(row)):
        for other in (None, -1, 1e300, "", "x" * 300, b"a\0b"):
            yield [*row[:i], other, *row[i + 1 :]]


def seeds():
    for calls, rows in (
        (CONTRIBUTION_CALLS, [CONTRIBUTION, ["q", *CONTRIBUTION[1:]]]),
        (SCORE_CALLS, SCORES[:3]),
        (SCORE_CALLS, SCORES[1:]),
        (LEASE_CALLS, [LEASE, SOURCE]),
    ):
        for call in calls:
            yield as_input(call, *rows)
            yield from (as_input(call, row) for good in rows for row in damaged(good))


DICTIONARY = [b"\x1e", b"\0\x1e", b"\3winner-view#source\x1e", b"\3LEASE\x1e", b"\3SOURCE\x1e", b"\3creator\x1e", b"\3u\x1e", b"\3p\x1e"]
DICTIONARY += [b"\3shop#day#1970-01-01\x1e", b"\3creator#day#", b"\3SHARD_END\x1e", b"\3AT_TIMESTAMP\x1e", b"\3TRIM_HORIZON\x1e"]
DICTIONARY += [b"\0019223372036854775807\x1e", b"\0021e300\x1e", b"\x04\xff\x1e", b"\3day,hour\x1e", b"\3on\x1e"]
