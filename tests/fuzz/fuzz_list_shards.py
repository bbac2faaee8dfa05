import json

import cases

DICTIONARY = [
    b'"Shards":', b'"ShardId":', b'"HashKeyRange":', b'"StartingHashKey":', b'"EndingHashKey":', b'"ParentShardId":',
    b'"AdjacentParentShardId":', b'"SequenceNumberRange":', b'"StartingSequenceNumber":', b'"NextToken":', b"null",
    b'"shardId-000000000002"', b'"340282366920938463463374607431768211455"', b'"0"', b'"t"', b"\\u0000", b"[", b"]",
    b"{", b"}", b",", b":", b'""',
]  # fmt: skip


def seeds():
    shards = [case["shard"] for case in cases.read("shards.json")]
    yield json.dumps({"Shards": shards[:3], "NextToken": "t"}).encode()
    for shard in shards:
        yield json.dumps({"Shards": [shard], "NextToken": None}, ensure_ascii=False).encode()
