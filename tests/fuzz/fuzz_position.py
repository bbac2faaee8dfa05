import struct

import cases

DICTIONARY = [b"4294967295", b"18446744073709551615", b"18446744073709551616", b"\xff", b"\x22", b"\n0", b"\n1\n", b"9" * 80]
MAX_LENGTH = 256


def stored(sequence, sub):
    """The bytes of views/position.h."""
    number = int(sequence)
    size = (number.bit_length() + 7) // 8
    return bytes([size]) + number.to_bytes(size, "big") + (struct.pack(">I", sub) if sub else b"")


def seeds():
    yield b"0\n1\n" + b"9" * 80 + b"\n4294967295\n\xff"
    for text in cases.members("eventId"):
        _, _, place = text.partition(":")
        sequence, _, sub = place.partition(":")
        if sequence.isdecimal() and (sub or "0").isdecimal():
            sub = int(sub or 0) % 2**32
            yield f"{sequence}\n{sub}\n4957740022\n0\n".encode() + stored(sequence, sub)
