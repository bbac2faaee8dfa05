from test_envelope_cases import CASES, record

DICTIONARY = [b"\xef\xbb\xbf", b"\r\n", b"\n", b" \t\r\n", b"\0" * 15, b"\0" * 16, b"x" * 151, b"x" * 150, b"\n\n"]
MAX_LENGTH = 2048
STEPS = [b"", b"\x01", b"\x40", b"\x05\xff\x20", b"\x80\x80\x01\x80", b"\x01" * 40]


def seeds():
    data = [record({**case, "partitionKey": ""}).data for case in CASES]
    data = [one.replace(b"\n", b"") for one in data if len(one) < 250]
    for i in range(0, len(data), 12):
        for ends in (b"\n", b"\r\n", b"\n \n"):
            yield STEPS[i % len(STEPS)] + b"\n" + b"\xef\xbb\xbf" * (i % 2) + ends.join(data[i : i + 6]) + ends
    yield b"\x40\n" + b"a\n" + b"\0" * 16 + b"\nb\n"
    yield b"\x40\n" + b"\0" * 16
    yield b"\x08\n" + b"x" * 300 + b"\n" + b"y" * 151 + b"\n" + b"z" * 150 + b"\n"
