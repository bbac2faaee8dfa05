"""A file of events for the benchmarks of the file source.

    shop_file.write(path, shop_file.Shop(lines=2_000_000, products=100_000))

Of 20 lines one is a registration, two are photographs, 17 are purchases: each product is registered and photographed twice,
evenly within the first 30 % of the lines, and always registered before anything else of it. One product has 5 % of all
purchases; each other one is of any product registered so far, so that those registered first sell more.
2,000 merchants, 500 photographers. Lines have 232 bytes on average.
"""

import dataclasses
import datetime
import functools
import itertools
import random

MERCHANTS, PHOTOGRAPHERS, CUSTOMERS = 2000, 500, 5000
PURCHASES_A_PRODUCT, PHOTOGRAPHS = 17, 2
INTRODUCED_BY = 0.3  # of the lines
HOT_SHARE = 0.05
BEGIN = datetime.datetime(2026, 11, 12, tzinfo=datetime.UTC)
HALF_A_SECOND, HOUR_S, YEAR_S = 0.5, 3600, 365 * 86400
WRITE_LINES = 20_000  # in memory at once

ENVELOPE = (
    '{{"schema":"com.nordstrom/retail-stream-ingress/1-0-0","origin":"web/{role}/amzn1.account.{origin}",'
    '"timeOrigin":"%s","data":{{"schema":"com.nordstrom/product/{kind}/1-0-0","id":"product-%07d"{more}}}}}\n'
)
CREATE = ENVELOPE.format(
    role="merchant",
    origin="ME%06dXYZ/Merchant %d",
    kind="create",
    more=',"brand":"Brightside","name":"A thing of quality","description":"Made to last and to be seen.",'
    '"category":"home"',
)
IMAGE = ENVELOPE.format(
    role="photographer", origin="PH%06dXYZ/Photographer %d", kind="image", more=',"image":"photograph.jpg"'
)
PURCHASE = ENVELOPE.format(role="customer", origin="%04d/C%d", kind="purchase", more="")


@dataclasses.dataclass(frozen=True)
class Shop:
    """`span_s`: between the first and the last event."""

    lines: int
    products: int
    span_s: float = 0

    @classmethod
    def usual(cls, lines, span_s=None):
        return cls(lines, lines // (1 + PHOTOGRAPHS + PURCHASES_A_PRODUCT), span_s or lines * HALF_A_SECOND)


def create(product, time):
    merchant = product * 7 % MERCHANTS
    return CREATE % (merchant, merchant, time, product)


def image(product, time, taken=0):
    photographer = (product * 11 + taken) % PHOTOGRAPHERS
    return IMAGE % (photographer, photographer, time, product)


def purchase(product, time, customer=0):
    return PURCHASE % (customer, customer % 10, time, product)


def times(shop):
    """The timeOrigin of each line."""
    step_ms = shop.span_s * 1000 / shop.lines
    minute, text = None, ""
    for number in range(shop.lines):
        whole, ms = divmod(int(number * step_ms), 60_000)
        if whole != minute:
            minute, text = whole, (BEGIN + datetime.timedelta(minutes=whole)).strftime("%Y-%m-%dT%H:%M:")
        yield f"{text}{ms // 1000:02}.{ms % 1000:03}Z"


def choose(rng, introduced):
    """The first product is the one that sells most."""
    return 0 if rng.random() < HOT_SHARE else int(rng.random() * introduced)


def introductions(shop):
    """Makers of the first lines of each product, in order."""
    for product in range(shop.products):
        yield functools.partial(create, product)
        for taken in range(PHOTOGRAPHS):
            yield functools.partial(image, product, taken=taken)


def event_lines(shop):
    rng, firsts = random.Random(1), introductions(shop)
    every = max(1, INTRODUCED_BY * shop.lines / ((1 + PHOTOGRAPHS) * shop.products))
    introduced = 0
    for number, time in enumerate(times(shop)):
        make = next(firsts, None) if number >= introduced * every else None
        introduced += make is not None
        if make:
            yield make(time=time)
        else:
            products = max(1, introduced // (1 + PHOTOGRAPHS))
            yield purchase(choose(rng, products), time, rng.randrange(CUSTOMERS))


def write(path, shop):
    """Writes the file. Returns its size in bytes."""
    lines = event_lines(shop)
    with open(path, "w", encoding="ascii") as file:
        while chunk := list(itertools.islice(lines, WRITE_LINES)):
            file.writelines(chunk)
    return path.stat().st_size
