import re

from c_strings import ROOT, c_strings

OPTIONS = [name.encode() for name in re.findall(r'^    \{"([a-z-]+)", ', (ROOT / "server/options.c").read_text(), re.MULTILINE)]


def seeds():
    texts = [text for text in c_strings("tests/unit/server/test_options.c") if b" " not in text]
    yield from (b"--" + name + b"=" + text for name in OPTIONS for text in (b"none", b"1", b"65536", b""))
    yield from (a + b"\n" + b for a, b in zip(texts, texts[1:]))
    yield b"--source=kinesis:arn:aws:kinesis:eu-west-1:111122223333:stream/events\n--store=dynamodb:test\n--start=latest"
    yield b"--source=none\n--listen=[::]:8080\n--max-live=31\n--connections=32\n--caught-up-ms=100\n--index-allowance-ms=0"
    yield b"--dead-letter=sqs:https://sqs.eu-west-1.amazonaws.com/111122223333/letters\n--start=at:2026-11-23T06:36:00+02:00"


DICTIONARY = [b"--" + name + b"=" for name in OPTIONS]
DICTIONARY += [b"kinesis:", b"dynamodb:", b"sqlite:", b"file:", b"sqs:https://", b"none", b"log", b"at:", b"\n", b"serve"]
DICTIONARY += [b"arn:aws:kinesis:", b"9223372036854775807", b"-1", b"0x1", b" 1", b"[::]:", b"masked", b"full", b"debug"]
