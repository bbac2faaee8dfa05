import cases

DICTIONARY = [b"shardId-000000000002", b":", b"4294967295", b"4294967296", b":0", b"\n", b"9" * 80, b"a" * 128]
MAX_LENGTH = 512


def seeds():
    for text in cases.members("eventId"):
        yield f"{text}\nshardId-000000000002:42".encode()
        yield f"{text}\n{text}:1".encode()
