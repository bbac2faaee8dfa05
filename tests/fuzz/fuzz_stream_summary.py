import json

from c_strings import c_strings

ARN = "arn:aws:kinesis:eu-west-1:123456789012:stream/events"


def summary(arn=ARN, created=1700000000.123, hours=24):
    members = {"StreamARN": arn, "StreamCreationTimestamp": created, "RetentionPeriodHours": hours, "StreamName": "events"}
    return json.dumps({"StreamDescriptionSummary": members}).encode()


def seeds():
    yield summary()
    yield from (summary(arn=arn) for arn in ("", "a" * 511, "a" * 512, "a\0b", None, 7))
    yield from (summary(created=created) for created in (0, -1, 0.0005, 1.7e9, 253402300799.9996, 1e300, -1e300, "1", None))
    yield from (summary(hours=hours) for hours in (0, -1, 168, 168.0, 2562047788015, 2562047788016, 2**63 - 1, "24", None))
    yield from (text for text in c_strings("tests/unit/ingest/kinesis/test_stream.c") if text[:1] == b"{")


DICTIONARY = [b'"StreamDescriptionSummary":', b'"StreamARN":', b'"StreamCreationTimestamp":', b'"RetentionPeriodHours":']
DICTIONARY += [b"\\u0000", b"1e300", b"-0.0004", b"null", b"{", b"}", b",", b'"']
