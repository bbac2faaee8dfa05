"""Another file in the place of the source for a while: emptied, refilled, replaced, with a hole; or a copy, which is right.

    applied = wrong_file.applied(pair)              # how much of the file is in the view; 0 if nothing is known
    with wrong_file.instead(pair, applied, random.Random(7)) as kind:
        ...                                         # nothing may be appended meanwhile
    # the right file is back, in place or as a new inode

What was applied is never left as it was (except in a copy), so that a service can see the difference. The other events
are valid ones of the same products: if one is applied, the rows differ from the model's.
"""

import contextlib
import itertools
import os
import sqlite3

import claims
import small_shop

EVE = small_shop.person("merchant", "Eve")


def other_puts(records):
    """Events of the same products that are in no record."""
    products = sorted({event.product for _, event, _ in claims.steps(records)})
    others = small_shop.puts(small_shop.product("other", EVE, small_shop.person("photographer", "Ed"), 1))
    return others + [put for product in products[:100] for put in small_shop.puts(small_shop.product(product, EVE, None, 1))]


def applied(pair):
    """The offset of the last line that was applied and is known to be; 0 if there is none."""
    with contextlib.suppress(sqlite3.Error):
        for lease in pair.leases().values():
            if str(lease.get("checkpoint")).isdecimal():
                return int(lease["checkpoint"])
    return 0


def other_lines(pair, size):
    """At least so many bytes of other lines."""
    lines, found = itertools.cycle(put.data + b"\n" for put in other_puts(pair.records())), bytearray()
    while len(found) < size:
        found += next(lines)
    return bytes(found)


def write(path, data, offset=0):
    """In place, cut to where it ends."""
    with open(path, "r+b", buffering=0) as file:
        file.truncate(offset)
        file.seek(offset)
        file.write(data)


def replace(path, data):
    """By another inode."""
    new = path.with_suffix(".new")
    new.write_bytes(data)
    os.replace(new, path)


def emptied(pair, right, applied, chance):
    write(pair.journal, b"")


def refilled(pair, right, applied, chance):
    """Also far beyond the old size."""
    write(pair.journal, other_lines(pair, len(right) * chance.choice((0.5, 1, 2))))


def replaced(pair, right, applied, chance):
    replace(pair.journal, other_lines(pair, len(right) * chance.choice((0.5, 1, 2))))


def other_end(pair, right, applied, chance):
    """The beginning is right, and less than what was applied."""
    at = chance.randrange(applied + 1)
    write(pair.journal, other_lines(pair, 2 * len(right)), right.rfind(b"\n", 0, at) + 1)


def hole(pair, right, applied, chance):
    """As of a program that writes on where it was after the file was emptied."""
    write(pair.journal, b"")
    with open(pair.journal, "r+b") as file:
        file.seek(len(right))
        file.write(other_lines(pair, 1000))


def copy(pair, right, applied, chance):
    replace(pair.journal, right)


KINDS = (emptied, refilled, replaced, other_end, hole, copy)


def draw(chance):
    return chance.choice(KINDS)


@contextlib.contextmanager
def instead(pair, applied, chance):
    """Yields the kind's name."""
    right, kind = pair.journal.read_bytes(), draw(chance)
    kind(pair, right, applied, chance)
    try:
        yield kind.__name__
    finally:
        chance.choice((write, replace))(pair.journal, right)
