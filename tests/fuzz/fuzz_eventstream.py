import struct
import zlib

DICTIONARY = [b"\x02:t\x07\x00\x05event", b"\x01a\x00", b"\x01a\x06\x00\x01x", b"\x01a\x09", b"\x00\x00\x00\x10", b"\x00" * 4]


def message(headers, payload):
    lengths = struct.pack(">II", 16 + len(headers) + len(payload), len(headers))
    start = lengths + struct.pack(">I", zlib.crc32(lengths)) + headers + payload
    return start + struct.pack(">I", zlib.crc32(start))


def seeds():
    text = b"\x02:t\x07\x00\x05event"
    others = b"\x01a\x00\x01b\x02x\x01c\x04abcd\x01d\x08abcdefgh\x01e\x06\x00\x02xy\x01f\x09" + b"u" * 16
    messages = [message(b"", b""), message(text, b"{}"), message(others + text, b"{'foo':'bar'}"), message(b"\x09cut", b"")]
    for one in [*messages, b"".join(messages), messages[1] * 3 + messages[1][:-5]]:
        for piece, mends in ((0, 0), (1, 1), (7, 0)):
            yield bytes([piece, mends]) + one
