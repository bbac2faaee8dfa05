import base64

import cases

DICTIONARY = [b"\x0a\x04lamp", b"\x12\x01", b"\x1a\x06\x08\x00\x1a\x02{}", b"\x10\x00", b"\x22\x00", b"\x1a\x00",
              b"340282366920938463463374607431768211456", b"340282366920938463463374607431768211455"]  # fmt: skip


def seeds():
    for case in cases.read("aggregated.json"):
        yield base64.b64decode(case["record"])[4:-16]  # without magic and MD5
