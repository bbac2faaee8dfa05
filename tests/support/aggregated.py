"""Aggregated records of the Kinesis Producer Library: a second implementation of aggregation-format.md, independent of
the C code.

    data = aggregated.pack([Part("lamp", b"..."), Part("sofa", b"...", explicit_hash_key=7)])
    aggregated.unpack(data)             # the parts; raises Broken
    aggregated.take_apart(records, ranges)      # model.Records as the daemon must see them

tests/model/test_aggregated_format.py compares it with a foreign writer and reader of the format.
"""

import collections
import hashlib

from model import Record

MAGIC = b"\xf3\x89\x9a\xc2"
DIGEST_BYTES = 16
VARINT, BYTES = 0, 2
Part = collections.namedtuple("Part", "partition_key data explicit_hash_key", defaults=(None,))


class Broken(Exception):
    pass


# Protobuf, as far as it is needed.


def varint(number):
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes(out) + bytes([number])


def number_field(field, number):
    return varint(field << 3 | VARINT) + varint(number)


def bytes_field(field, data):
    return varint(field << 3 | BYTES) + varint(len(data)) + data


def read_varint(data, at):
    number = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise Broken("varint")
        number |= (data[at] & 127) << shift
        at, shift = at + 1, shift + 7
        if data[at - 1] < 128:
            return number, at


def fields(data):
    """(field number, value): an int or bytes."""
    at = 0
    while at < len(data):
        key, at = read_varint(data, at)
        value, at = read_varint(data, at)
        if key & 7 == BYTES:
            if at + value > len(data):
                raise Broken("cut short")
            value, at = data[at : at + value], at + value
        elif key & 7 != VARINT:
            raise Broken("wire type")
        yield key >> 3, value


# The format.


def frame(message):
    return MAGIC + message + hashlib.md5(message).digest()


def message_of(parts, tags=()):
    keys = list(dict.fromkeys(part.partition_key for part in parts))
    hash_keys = list(dict.fromkeys(p.explicit_hash_key for p in parts if p.explicit_hash_key is not None))
    message = b"".join(bytes_field(1, key.encode()) for key in keys)
    message += b"".join(bytes_field(2, str(key).encode()) for key in hash_keys)
    for part in parts:
        inner = number_field(1, keys.index(part.partition_key))
        if part.explicit_hash_key is not None:
            inner += number_field(2, hash_keys.index(part.explicit_hash_key))
        inner += bytes_field(3, part.data)
        for key, value in tags:
            inner += bytes_field(4, bytes_field(1, key.encode()) + bytes_field(2, value.encode()))
        message += bytes_field(3, inner)
    return message


def pack(parts, tags=()):
    return frame(message_of(parts, tags))


def is_one(data):
    return data.startswith(MAGIC)


def entry(table, index):
    if index >= len(table):
        raise Broken("index")
    return table[index]


def unpack(data):
    message, digest = data[len(MAGIC) : -DIGEST_BYTES], data[-DIGEST_BYTES:]
    if len(data) < len(MAGIC) + DIGEST_BYTES or hashlib.md5(message).digest() != digest:
        raise Broken("MD5")
    tables = collections.defaultdict(list)
    for number, value in fields(message):
        tables[number].append(value)
    if not tables[3]:
        raise Broken("no parts")
    return [unpack_part(inner, tables) for inner in tables[3]]


def unpack_part(inner, tables):
    values = dict(fields(inner))
    if not {1, 3} <= values.keys():
        raise Broken("required")
    key = entry(tables[1], values[1])
    hash_key = None
    if 2 in values:
        text = entry(tables[2], values[2])
        if not text.isdigit() or int(text) >= 1 << 128:
            raise Broken("hash key")
        hash_key = int(text)
    return Part(key.decode("utf-8", "replace"), values[3], hash_key)


def hash_key(part):
    if part.explicit_hash_key is not None:
        return part.explicit_hash_key
    return int.from_bytes(hashlib.md5(part.partition_key.encode()).digest(), "big")


def take_apart(records, ranges):
    """The records of a stream with aggregated ones replaced by their parts. A part has its place within the record as
    sub-sequence number. Strays (parts of another shard) are left out. `ranges`: {shard: (first hash key, last)}."""
    for record in records:
        if not is_one(record.data):
            yield record
            continue
        try:
            parts = unpack(record.data)
        except Broken:
            yield record._replace(broken=True)
            continue
        first, last = ranges[record.shard]
        for i, part in enumerate(parts):
            if first <= hash_key(part) <= last:
                yield record._replace(partition_key=part.partition_key, data=part.data, subsequence=i)
