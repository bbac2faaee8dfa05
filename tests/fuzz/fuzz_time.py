import cases

DICTIONARY = [b"T", b"Z", b"t", b"z", b"+00:00", b"-23:59", b".123", b":60", b"02-29", b"0000", b"9999", b"\n"]
MAX_LENGTH = 128


def seeds():
    for text in cases.members("timeOrigin"):
        yield f"{text}\n\0\0\0\0\0\0\1".encode()
