from c_strings import c_strings

HEADERS = [
    b"x-amzn-RequestId: R-1\nx-amzn-ErrorType: ns#ThrottlingException:http://x\nRetry-After: 120\n",
    b"Date: Mon, 23 Nov 2026 04:36:00 GMT\nRetry-After: Mon, 23 Nov 2026 04:37:00 GMT\nAge: 1\n",
    b"x-amz-crc32: 3421780262\nx-amz-retry-after: 1500\n",
    b"",
]


def seeds():
    """For each operation and status of the target some body."""
    bodies = [text for text in c_strings("tests/unit/aws/test_reply.c") if text[:1] in (b"{", b"<", b"[")]
    bodies += [text for text in c_strings("tests/unit/aws/test_promise.c") if text[:1] == b"{"]
    bodies += [b"", b"null", b"<html><body><h1>503 Service Unavailable</h1></body></html>", b"123456789"]
    for i, body in enumerate(bodies):
        for operation in range(14):
            yield bytes([operation, (i + operation) % 14]) + HEADERS[i % len(HEADERS)] + b"\n" + body


DICTIONARY = [b'"__type":', b'"code":', b'"message":', b'"Message":', b"ns#", b":http://", b"ThrottlingException", b"null"]
DICTIONARY += [b"x-amz-crc32: ", b"x-amzn-ErrorType: ", b"Retry-After: ", b"Date: ", b'"Items":[', b'"Item":{', b'"S":']
