"""Records that are damaged in any way make the rows and the dead letters of the model, and the service keeps running.
(What a process alone does with any bytes is fuzzed: tests/fuzz.)"""

import os
import random
import re

import pytest
from model import fold
from pairs import assert_equal_to_model
from test_envelope_cases import CASES, record

SEEDS = [1, int(os.environ.get("WINNER_VIEW_FUZZ_SEED") or random.SystemRandom().randrange(10**6))]
LINES = 4000
WORDS = [
    b'"', b"\\", b"\\\xc3\xa9", b"\\u00e9", b"\\ud83d\\ude00", b"\\ud83d", b"\xf0\x9f\x98\x80", b"\xf0\x9f", b"\xef\xbb\xbf",
    b"\0", b"\xff", b"\xed\xa0\x80", b",", b":", b"{", b"}", b"[", b"]", b" ", b"\r", b"null", b"true", b"NaN", b"1e5", b"-0",
    b'"id":"lamp",', b'"schema":"com.nordstrom/product/purchase/1-0-0",', b'"x":1,', b"T", b"Z", b"+24:00", b"\x7f",
]  # fmt: skip
# Where the library for JSON and the model differ (the cases with a limit): U+0000 in a name, a number beyond a double, a NUL
# byte right after a number or a word.
BEYOND_THE_LIBRARY = re.compile(rb"\\u0000|[eE]\+?\d{3}|\d{300}|\w\0")
# A run of them is a hole in the file, and no line.
HOLE = b"\0" * 16


def damaged(rng, data):
    data = bytearray(data)
    for _ in range(rng.choice([0, 1, 1, 1, 2, 5])):
        at = rng.randint(0, len(data))
        change = rng.randrange(4)
        if change == 0:
            data[at:at] = rng.choice(WORDS)
        elif change == 1:
            data[at : at + 1] = bytes([rng.randrange(256)])
        elif change == 2:
            del data[at : at + rng.choice([1, 1, 3, 20])]
        else:
            data[at:at] = data[rng.randint(0, at) : at][:40]
    return bytes(data)


def is_a_line(data):
    return b"\n" not in data and HOLE not in data and not BEYOND_THE_LIBRARY.search(data)


def lines(seed):
    rng = random.Random(seed)
    whole = [record({**case, "partitionKey": ""}).data for case in CASES]
    whole = [data for data in whole if len(data) < 3000]
    found = []
    while len(found) < LINES:
        data = damaged(rng, rng.choice(whole))
        if is_a_line(data):
            found.append(data + b"\n")
    return b"".join(found)


@pytest.mark.parametrize("seed", SEEDS)
def test_damaged_records_make_the_rows_and_dead_letters_of_the_model(embedded, make_on, seed):
    embedded.append(lines(seed))
    daemon = make_on(embedded).start()
    daemon.wait_until_applied()
    assert_equal_to_model(embedded, fold(embedded.records()), daemon.dead_letters())
