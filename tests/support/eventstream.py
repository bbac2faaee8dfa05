"""Frames of AWS's event streams (application/vnd.amazon.eventstream), as a service sends them, and as a client reads them.

    frame = eventstream.event("SubscribeToShardEvent", {"Records": []})
    for headers, payload in eventstream.read(stream_of_bytes): ...
"""

import json
import struct
import zlib

CONTENT_TYPE = "application/vnd.amazon.eventstream"
STRING = 7
PRELUDE, CHECKSUM = struct.Struct("!II"), struct.Struct("!I")
OVERHEAD = PRELUDE.size + 2 * CHECKSUM.size


def header(name, value):
    name, value = name.encode(), value.encode()
    return struct.pack("!B", len(name)) + name + struct.pack("!BH", STRING, len(value)) + value


def frame(headers, payload):
    encoded = b"".join(header(*pair) for pair in headers.items())
    prelude = PRELUDE.pack(OVERHEAD + len(encoded) + len(payload), len(encoded))
    message = prelude + CHECKSUM.pack(zlib.crc32(prelude)) + encoded + payload
    return message + CHECKSUM.pack(zlib.crc32(message))


def message(kind, named, name, content):
    headers = {":message-type": kind, named: name, ":content-type": "application/json"}
    return frame(headers, json.dumps(content).encode())


def event(name, content):
    return message("event", ":event-type", name, content)


def exception(name, text):
    return message("exception", ":exception-type", name, {"message": text})


def error(code, text):
    return frame({":message-type": "error", ":error-code": code, ":error-message": text}, b"")


# Reading.


def headers_of(data):
    found = {}
    while data:
        length = data[0]
        name, kind, data = data[1 : 1 + length].decode(), data[1 + length], data[2 + length :]
        assert kind == STRING, f"a header of type {kind}"
        (length,) = struct.unpack("!H", data[:2])
        found[name], data = data[2 : 2 + length].decode(), data[2 + length :]
    return found


def read(stream):
    """(headers, payload) of each frame until the end of a stream, which must not be in the middle of one."""
    while prelude := stream.read(PRELUDE.size + CHECKSUM.size):
        length, of_headers = PRELUDE.unpack(prelude[: PRELUDE.size])
        rest = stream.read(length - len(prelude))
        data = prelude + rest
        assert len(data) == length, f"{len(data)} of {length} bytes"
        assert zlib.crc32(prelude[: PRELUDE.size]) == CHECKSUM.unpack(prelude[PRELUDE.size :])[0]
        assert zlib.crc32(data[: -CHECKSUM.size]) == CHECKSUM.unpack(data[-CHECKSUM.size :])[0]
        yield headers_of(rest[:of_headers]), rest[of_headers : -CHECKSUM.size]
