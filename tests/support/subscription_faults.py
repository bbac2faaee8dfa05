"""What may happen to a subscription of enhanced fan-out (fan_out.py): scripts, each a function of (frames, Frames) that
returns pieces of the body, or a refusal.

    pushing.script(shard, subscription_faults.torn(100), subscription_faults.exception("InternalFailure", events=2))
    pushing.draw = subscription_faults.drawn(seed, rate=0.5)
"""

import random
import time

import eventstream
import proxy
from fan_out import Refused


def refused(name, status=400):
    """The call is refused, in its status."""
    return Refused(name, status=status)


def after(count, more, why="by the script"):
    """So many events, then the pieces of `more(frames, Frames)`."""

    def run(frames, own):
        while own.subscription.events < count:
            frame = next(frames, None)
            if frame is None:
                return
            yield frame
        own.subscription.ended = own.subscription.ended or why
        yield from more(frames, own)

    return run


def exception(name, events=0):
    """The exception as a frame, then the end."""
    return after(events, lambda *_: [eventstream.exception(name, "by the test")])


def error(code="InternalError", events=0):
    return after(events, lambda *_: [eventstream.error(code, "by the test")])


def ended(events=0):
    """A clean end without a word, as when the 5 minutes are over."""
    return after(events, lambda *_: [])


def no_children(events=0):
    """An event without a continuation and without children, which no shard has."""
    return after(events, lambda frames, own: [own.event([], {}, ChildShards=[])])


def raising(error):
    """Pieces that end with it."""
    yield b""
    raise error


def reset(events=0):
    return after(events, lambda *_: raising(proxy.Reset()))


def silence(events=0):
    """Open until the client leaves or the subscription's time is over, without an event."""

    def wait(_, own):
        while not own.subscription.is_over():
            yield from own.pause(-1)

    return after(events, wait, why=None)


def half_open(events=0):
    """Open until the client leaves, whatever happens."""

    def wait(_, own):
        while True:
            time.sleep(own.pushing.tick_s)
            yield b""

    return after(events, wait, why=None)


def bytewise(change):
    """`change(piece, offset)` of each piece of the stream: what to send instead."""

    def run(frames, _):
        offset = 0
        for piece in frames:
            yield change(piece, offset)
            offset += len(piece)

    return run


def torn(at, is_clean=False):
    """The stream ends after so many bytes: the connection closes, or, if it is clean, the body ends there."""

    def run(frames, own):
        offset = 0
        for piece in frames:
            yield piece[: at - offset]
            offset += len(piece)
            if offset >= at:
                own.subscription.ended = "torn"
                if is_clean:
                    return
                raise proxy.Closed()

    return run


def corrupted(at, mask=0x20):
    """One byte of the stream is another."""

    def change(piece, offset):
        if not 0 <= at - offset < len(piece):
            return piece
        changed = bytearray(piece)
        changed[at - offset] ^= mask
        return bytes(changed)

    return bytewise(change)


def in_pieces(size):
    """Every piece has at most so many bytes."""

    def run(frames, _):
        for frame in frames:
            yield from (frame[start : start + size] for start in range(0, len(frame), size)) if frame else [b""]

    return run


def burst(count):
    """Events wait until there are so many, or the subscription ends; then they are one piece."""

    def run(frames, own):
        held, begun = b"", own.subscription.events
        for frame in frames:
            held += frame
            if held and own.subscription.events - begun >= count:
                yield held
                held, begun = b"", own.subscription.events
            else:
                yield b""
        yield held

    return run


# Drawn from a seed.

NAMES = (
    "ResourceInUseException", "LimitExceededException", "ResourceNotFoundException", "InternalFailureException",
    "KMSThrottlingException", "InvalidArgumentException",
)  # fmt: skip
FAR = 4000  # bytes: the first frames


def one_of(chance):
    events = chance.randint(0, 3)
    return chance.choice(
        (
            lambda: refused(chance.choice(NAMES)),
            lambda: refused("InternalFailure", 500),
            lambda: exception(chance.choice(NAMES), events),
            lambda: error(events=events),
            lambda: ended(events),
            lambda: no_children(events),
            lambda: reset(events),
            lambda: silence(events),
            lambda: torn(chance.randint(0, FAR), is_clean=chance.random() < 0.5),
            lambda: corrupted(chance.randint(0, FAR), 1 << chance.randrange(8)),
            lambda: in_pieces(chance.randint(1, 50)),
            lambda: burst(11),
        )
    )()


def drawn(seed, rate):
    """Something happens to this share of the subscriptions: the same to the same one of a shard, for the same seed."""

    def draw(shard, number):
        chance = random.Random(f"subscription {seed} {shard} {number}")
        return one_of(chance) if chance.random() < rate else None

    return draw
