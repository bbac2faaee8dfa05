from c_strings import c_strings

CREDENTIALS = "tests/unit/aws/credentials/test_"


def seeds():
    """In the documents of the unit tests "hidden" is what no error may quote."""
    for text in c_strings(CREDENTIALS + "document.c"):
        if text[:1] == b"{":
            yield b"\0" + text.replace(b"hidden", b"\1")
            yield b"\1" + text.replace(b"hidden", b"\1")
    for text in c_strings(CREDENTIALS + "sts_reply.c"):
        if text[:1] == b"<":
            yield b"\2" + text.replace(b"hidden", b"\1")
            yield b"\3" + text.replace(b"hidden", b"\1")
    for text in c_strings(CREDENTIALS + "container.c"):
        yield (b"\4" if b"://" in text else b"\5") + text
    for text in c_strings(CREDENTIALS + "process.c"):
        yield b"\6" + text


DICTIONARY = [b'"AccessKeyId":', b'"SecretAccessKey":', b'"Token":', b'"Expiration":', b'"Code":', b'"Message":', b"\1"]
DICTIONARY += [b"<Credentials>", b"</Credentials>", b"<SecretAccessKey>\1</SecretAccessKey>", b"<SessionToken>", b"<Error>"]
DICTIONARY += [b"<Code>", b"<Message>", b"<!DOCTYPE", b"<![CDATA[", b"&#1;", b"&lt;", b"2026-11-23T04:36:00Z"]
DICTIONARY += [b"http://", b"https://", b"localhost", b"127.0.0.1", b"169.254.170.2", b"[::1]", b"@", b"\\", b'"', b"'"]
