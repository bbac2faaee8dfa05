from http_requests import CASES


def seeds():
    """The corpus of requests; each alone, and with another behind it."""
    for case in CASES:
        data = case.data()
        yield data
        if len(data) < 2000:
            yield data + b"GET /second HTTP/1.1\r\nHost: y\r\n\r\n"


DICTIONARY = [b"\r\n", b"\r", b"\n", b"\0", b" HTTP/1.1\r\n", b"HTTP/1.0", b"Host: x\r\n", b"\r\n\r\n", b"\r\n h", b"\t", b" :", b": "]
DICTIONARY += [b"Content-Length: 5\r\n", b"Content-Length", b"Transfer-Encoding: chunked\r\n", b"chunked", b"0\r\n\r\n", b"5\r\nhello\r\n"]
DICTIONARY += [b"Connection: close\r\n", b"keep-alive", b"Expect: 100-continue\r\n", b"Cookie: a=b; c\r\n", b"Upgrade: h2c\r\n"]
MAX_LENGTH = 8192
