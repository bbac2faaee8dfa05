"""aggregated.py, which other tests use, agrees with a foreign writer and reader of the format, and with the cases of
the C unit tests."""

import base64
import json
import pathlib
import random

import pytest

import aggregated
import kpl
from aggregated import Part
from model import Record

CASES = json.loads((pathlib.Path(__file__).resolve().parents[1] / "data" / "aggregated.json").read_text())


def samples(seed, foreign):
    """Lists of parts. For the foreign writer no hash key is a small number (it keeps them as keys of JavaScript
    objects, which reorder those) and no data is empty."""
    rng = random.Random(seed)
    for _ in range(40):
        parts = []
        for _ in range(rng.choice([1, 2, 3, 20, 300])):
            key = rng.choice(["lamp", "sofa", "Ünïcode/1", "日" * 85, f"product-{rng.randrange(200)}"])
            hash_key = rng.choice([None, None, rng.randrange(1 << 40, 1 << 128)])
            data = rng.randbytes(rng.choice([1, 2, 127, 128, 300]) if foreign else rng.choice([0, 1, 128]))
            parts.append(Part(key, data, hash_key))
        yield parts


def test_a_foreign_reader_reads_our_aggregated_records():
    written = list(samples(1, foreign=False))
    read = kpl.run([("unpack", aggregated.pack(parts, tags=[("k", "v")])) for parts in written])
    # The npm reader returns the first hash key of the table for a missing one: only given ones are compared.
    for parts, found in zip(written, read, strict=True):
        pairs = zip(parts, found, strict=True)
        assert [f if p.explicit_hash_key is not None else f._replace(explicit_hash_key=None) for p, f in pairs] == parts


def test_our_reader_reads_a_foreign_writers_aggregated_records():
    written = list(samples(2, foreign=True))
    packed = kpl.run([("pack", parts) for parts in written])
    assert [aggregated.unpack(data) for data in packed] == written


def test_our_reader_and_a_foreign_one_refuse_a_wrong_md5():
    data = bytearray(aggregated.pack([Part("lamp", b"x")]))
    data[-1] ^= 1
    (refused,) = kpl.run([("unpack", bytes(data))])
    assert "checksum" in refused
    with pytest.raises(aggregated.Broken):
        aggregated.unpack(bytes(data))


@pytest.mark.parametrize("case", CASES, ids=[case["title"] for case in CASES])
def test_our_reader_agrees_with_the_shared_cases(case):
    data = base64.b64decode(case["record"])
    if "broken" in case:
        with pytest.raises(aggregated.Broken):
            aggregated.unpack(data)
        return
    parts = aggregated.unpack(data)
    assert [(part.partition_key.replace("\0", "") if "\0" not in part.partition_key else "",
             base64.b64encode(part.data).decode(), str(aggregated.hash_key(part))) for part in parts] == [
        (part["partitionKey"], part["data"], part["hashKey"]) for part in case["parts"]
    ]  # fmt: skip


def test_a_part_keeps_its_number_when_parts_of_other_shards_are_dropped():
    parts = [Part("a", b"0", 5), Part("a", b"1", 500), Part("a", b"2", 9)]
    record = Record("s", "77", "a", aggregated.pack(parts))
    kept = list(aggregated.take_apart([record], {"s": (0, 100)}))
    assert [(one.subsequence, one.data) for one in kept] == [(0, b"0"), (2, b"2")]
