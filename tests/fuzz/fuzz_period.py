import cases

DICTIONARY = [b"-W", b"W53", b"T23", b"-02-29", b"0000", b"9999", b"#day#", b"creator", b"hour,day", b"none", b"\n"]
MAX_LENGTH = 64


def seeds():
    for case in cases.read("periods.json"):
        for kind, (name, _) in case["periods"].items():
            yield f"{name}\n".encode() + case["time"].to_bytes(8, "little", signed=True)
            yield f"product#{kind}#{name}\n".encode()
    yield b"hour,day,week,month\n"
