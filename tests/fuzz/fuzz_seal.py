from c_strings import c_strings


def seeds():
    texts = [text for name in ("seal", "listing", "people") for text in c_strings(f"tests/unit/api/test_{name}.c")]
    # lengths around those that ids and cursors are padded to
    texts += [b"u" * length for limit in (64, 128, 256, 512, 1024, 2048) for length in range(limit - 30, limit + 3)]
    return [bytes([i % 2, i * 7 % 256]) + text for i, text in enumerate(texts)]


DICTIONARY = [b"amazon/merchant/", b"/", b"UNKNOWN", b"\xe2\x80\xae", b"\xf0\x9f\x99\x82"]
MAX_LENGTH = 3000
