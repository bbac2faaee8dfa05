"""The string literals of a C file: most inputs in unit tests are such literals, and make good seeds."""

import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]

# Comments, characters and directives are recognised so that quotes in them begin no string. A macro between two strings
# (PRId64) ends the first.
TOKEN = re.compile(r'//[^\n]*|/\*.*?\*/|\'(?:\\.|[^\'\\])+\'|"(?:\\.|[^"\\])*"|#include[^\n]*|\s+|.', re.DOTALL)
ESCAPE = re.compile(rb"\\(?:x([0-9a-fA-F]+)|([0-7]{1,3})|u([0-9a-fA-F]{4})|(.))", re.DOTALL)
SIMPLE = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"v": b"\v", b"f": b"\f", b"a": b"\a", b"b": b"\b"}


def _unescape(match):
    hexadecimal, octal, code_point, simple = match.groups()
    if hexadecimal or octal:
        return bytes([int(hexadecimal or octal, 16 if hexadecimal else 8) & 0xFF])
    return chr(int(code_point, 16)).encode() if code_point else SIMPLE.get(simple, simple)


def c_strings(path):
    """As bytes, each once, in their order; adjacent literals are one. `path` is from the project's root."""
    found, current = {}, None
    for token in TOKEN.findall((ROOT / path).read_text()):
        if token[0] == '"':
            current = (current or b"") + ESCAPE.sub(_unescape, token[1:-1].encode())
        elif current is not None and not token.isspace() and token[:2] not in ("//", "/*"):
            found[current] = None
            current = None
    return list(found)
