from c_strings import c_strings


def seeds():
    texts = c_strings("tests/unit/server/http/test_negotiate.c")
    tags = [text for text in texts if b'"' in text or b"*" in text]
    yield from texts
    yield from (b"\0" + text for text in tags)
    yield b"gzip;q=0.5, *;q=0\nidentity ; q=1.000,x-gzip\0W/\"x\", \"a,b\" ,\n, W/\"a,b\""
    yield b'\0*'


DICTIONARY = [b"gzip", b"x-gzip", b"identity", b"*", b";q=", b"0.001", b"1.000", b", ", b'W/"a,b"', b'"a,b"', b"\n", b"\0", b"\t"]
MAX_LENGTH = 512
