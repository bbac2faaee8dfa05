import json

import cases

DICTIONARY = [
    b'"Records":', b'"SequenceNumber":', b'"PartitionKey":', b'"Data":', b'"ApproximateArrivalTimestamp":',
    b'"NextShardIterator":', b'"MillisBehindLatest":', b'"ChildShards":', b'"ShardId":', b'"ParentShards":',
    b'"HashKeyRange":', b'"StartingHashKey":', b'"EndingHashKey":', b'"shardId-000000000002"', b'"lamp"', b'"49577"',
    b'"EncryptionType":"NONE"', b"null", b"1e300", b"-1", b"9223372036854775807", b"[", b"]", b"{", b"}", b",", b":",
    b'"84mawg', b"==", b"\\u0000",
]  # fmt: skip


def seeds():
    for case in cases.read("get_records.json"):
        sequence, _ = case.get("after", ("", 0))
        yield f"{sequence}\n{json.dumps(case['reply'], ensure_ascii=False)}".encode()
