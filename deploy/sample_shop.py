#!/usr/bin/python3
"""A sample shop: 30 merchants, 20 photographers and 150 products, whose customers buy a few products a second
until the program is stopped.

    deploy/sample_shop.py file:PATH [--rate EVENTS_PER_SECOND]        appends to a file, one event a line
    deploy/sample_shop.py kinesis:STREAM [--rate EVENTS_PER_SECOND]   puts on a stream; needs python3-boto3

An empty file and every stream first get the sample: every product registered, most of them photographed, and what was
sold since, by day and night, on weekdays and weekends: 70 days in a file. On a stream, where events count when they
arrive, it is what a short time would bring. A file that has events first gets what was sold since the last of them.
With --rate 0 the program ends after the sample. For Kinesis it reads AWS_ENDPOINT_URL_KINESIS or AWS_ENDPOINT_URL,
AWS_REGION and credentials from the environment.
"""

import argparse
import collections
import datetime
import itertools
import json
import math
import os
import random
import signal
import sys
import time

INGRESS = "com.nordstrom/retail-stream-ingress/1-0-0"
# Scripts that DejaVu has: a Debian with a browser has no other font.
MERCHANTS = [
    "Ann Arbor", "Bo Lindqvist", "Chidi Obi", "Dolores Vega", "Emre Kaya", "Fumiko Sato", "Γιώργος Παππάς",
    "Hanna Weiss", "Ines Duarte", "جمال حداد", "Катя Орлова", "Liam Byrne", "Mei Tanaka", "נעמי לוי",
    "Oskar Nowak", "Priya Nair", "Quinn Harper", "Rafael Souza", "Siobhan Kelly", "Tomáš Novotný", "Uma Patel",
    "Виктор Лунд", "Wanjiru Mwangi", "Xiomara Cruz", "Yusuf Demir", "Zofia Zielińska", "Amara Diallo", "Björn Ek",
    "Camille Roux-Desrochers de la Tour", "Արամ Սարգսյան",
]  # fmt: skip
PHOTOGRAPHERS = [
    "Pia Roth", "Quentin Oyelaran", "Rosa Marín", "Sven Dahl", "تالا عزيز", "Ugo Conti", "Вера Сокол", "Will Archer",
    "Ximena Paz", "Yara Costa", "Zane Porter", "Astrid Holm", "Bilal Khan", "Chloé Martin", "Дмитрий Волков",
    "Elif Arslan", "Ελένη Μακρή", "Grace Owusu", "Hiro Mori", "Isla Grant",
]  # fmt: skip
BRANDS = ["Alder & Oak", "Brightside", "Copperline", "Driftwood", "Evergreen", "Foxglove"]
THINGS = {
    "home": [
        "desk lamp",
        "wool blanket",
        "wall clock",
        "reading chair",
        "oak shelf",
        "linen curtain",
        "floor rug",
    ],
    "outdoors": [
        "day pack",
        "camp stove",
        "rain jacket",
        "head torch",
        "sleeping bag",
        "trail map",
        "folding saw",
    ],
    "kitchen": [
        "tea kettle",
        "bread knife",
        "salad bowl",
        "pepper mill",
        "cast-iron pan",
        "egg timer",
        "milk jug",
    ],
    "clothing": ["denim jacket", "silk scarf", "leather belt", "knit beanie", "canvas shoes", "cotton shirt"],
}
COLORS = ["amber", "blue", "crimson", "green", "ivory", "slate"]
PRODUCTS = 150
PHOTOGRAPHED = 115  # in the sample; the others are photographed later
UTC = datetime.timezone.utc
# Sales of each hour of the day, and of each day from Monday on, in proportion to the average.
HOURS = [0.5, 0.3, 0.2, 0.2, 0.2, 0.3, 0.6, 0.9, 1.0, 1.1, 1.3, 1.5, 1.6, 1.4, 1.2, 1.1, 1.2, 1.4, 1.6, 1.8, 1.9, 1.6, 1.3, 0.8]
WEEKDAYS = [0.8, 0.85, 0.9, 0.95, 1.15, 1.3, 1.05]
SALES_A_DAY = 6000  # at the end of the sample
GROWTH_DAYS = 30  # in which the shop's sales grow by the factor e
MAX_RATE = 1000
MAX_DAYS = 400


def person(role, number, name):
    letters = random.Random(f"{role} {number}").choices("ABCDEFGHJKLMNPQRSTUVWXYZ23456789", k=14)
    return f"hello-retail-web/{role}/amzn1.account.{''.join(letters)}/{name}"


def customer(rng):
    number = rng.randrange(500)
    return person("customer", number, f"Customer {number}")


class Product:
    def __init__(self, rng, color, thing, category):
        self.name, self.category = f"{color} {thing}", category
        self.id = self.name.replace(" ", "-")
        self.brand = rng.choice(BRANDS)
        merchant, photographer = rng.randrange(len(MERCHANTS)), rng.randrange(len(PHOTOGRAPHERS))
        self.merchant = person("merchant", merchant, MERCHANTS[merchant])
        self.photographer = person("photographer", photographer, PHOTOGRAPHERS[photographer])


def catalogue():
    """The same products each time, so that a restarted shop continues with them. The first sell best."""
    rng = random.Random(1)
    all_of_them = [(c, thing, kind) for kind, things in THINGS.items() for thing in things for c in COLORS]
    return [Product(rng, *one) for one in rng.sample(all_of_them, PRODUCTS)]


def event(kind, product, origin, when, **more):
    data = {"schema": f"com.nordstrom/product/{kind}/1-0-0", "id": product.id, **more}
    time_origin = when.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    envelope = {"schema": INGRESS, "origin": origin, "timeOrigin": time_origin, "data": data}
    return product.id, json.dumps(envelope, ensure_ascii=False)


def registration(product, when):
    words = {"brand": product.brand, "name": product.name.capitalize(), "category": product.category}
    words["description"] = f"{product.name.capitalize()}, made to last."
    return event("create", product, product.merchant, when, **words)


def photograph(product, when):
    image = f"photographs/{product.id}.jpg"
    return event("image", product, product.photographer, when, image=image)


def purchase(rng, product, when):
    return event("purchase", product, customer(rng), when)


def pace(when):
    """How much is sold then, in proportion to the average."""
    hour = when.hour + when.minute / 60
    before, after = HOURS[when.hour], HOURS[(when.hour + 1) % 24]
    return (before + (after - before) * (hour % 1)) * WEEKDAYS[when.weekday()]


def fashion(word, products):
    """How much more each product sells for a while. The word names the while: a restarted shop has the same fashion."""
    rng = random.Random(word)
    return [math.exp(rng.gauss(0, 0.5)) for _ in products]


class Shop:
    """Sells. A fifth is of one popular product, which often changes: mostly for one of a merchant who is close behind
    today's leader, so that places change."""

    def __init__(self, rng, products):
        self.rng, self.products = rng, products
        self.day, self.totals, self.sold, self.popular = None, [], collections.Counter(), rng.choice(products)

    def open_day(self, day):
        year, week, _ = day.isocalendar()
        fashions = zip(fashion(f"{year} {week}", self.products), fashion(str(day), self.products))
        weights = (of_week * of_day / (rank + 12) for rank, (of_week, of_day) in enumerate(fashions))
        self.day, self.totals, self.sold = day, list(itertools.accumulate(weights)), collections.Counter()

    def sell(self, when):
        if self.day != when.date():
            self.open_day(when.date())
        if self.rng.random() < 0.02:
            self.popular = self.challenger()
        is_popular = self.rng.random() < 0.2
        product = self.popular if is_popular else self.rng.choices(self.products, cum_weights=self.totals)[0]
        self.sold[product.merchant] += 1
        return purchase(self.rng, product, when)

    def challenger(self):
        close = {merchant for merchant, _ in self.sold.most_common(6)[1:]} if self.rng.random() < 0.7 else set()
        return self.rng.choice([one for one in self.products if one.merchant in close] or self.products)

    def next_event(self, when):
        if self.rng.random() < 0.03:  # a second photograph changes nothing
            return photograph(self.rng.choice(self.products[PHOTOGRAPHED:]), when)
        return self.sell(when)

    def opening(self, when):
        """Everything registered, most of it photographed."""
        yield from (registration(product, when) for product in self.products)
        yield from (photograph(product, when) for product in self.products[:PHOTOGRAPHED])

    def sales(self, since, until):
        """What was sold in that time. The shop has grown all the time."""
        when = since
        while True:
            grown = math.exp((when - until) / datetime.timedelta(days=GROWTH_DAYS))
            a_second = SALES_A_DAY / 86400 * grown * pace(when)
            when += datetime.timedelta(seconds=self.rng.expovariate(a_second))
            if when >= until:
                return
            yield self.sell(when)


class EventFile:
    """Appends lines to a file, each in one write, so that other programs may append to it as well."""

    sample_days = 70
    TAIL = 1 << 16

    def __init__(self, path):
        self.file = open(path, "a+b", buffering=0)
        size = self.file.seek(0, os.SEEK_END)
        self.file.seek(max(0, size - self.TAIL))
        lines = self.file.read().split(b"\n")
        self.is_new = size == 0
        self.latest = next(filter(None, map(time_of, reversed(lines))), None)
        if lines[-1]:
            self.file.write(b"\n")  # the last writer stopped within a line

    def put(self, _, data):
        self.file.write(data.encode() + b"\n")


def time_of(line):
    """The time of an event. None: this line has none."""
    try:
        return datetime.datetime.fromisoformat(json.loads(line)["timeOrigin"].replace("Z", "+00:00"))
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


class Stream:
    sample_days = 0.15
    is_new = True  # only a read could find out; a product that is registered again does not change
    latest = None

    def __init__(self, name):
        import boto3  # a file needs no boto3

        endpoint = os.environ.get("AWS_ENDPOINT_URL_KINESIS") or os.environ.get("AWS_ENDPOINT_URL")
        region = os.environ.get("AWS_REGION", "us-east-1")
        self.name = name
        self.kinesis = boto3.client("kinesis", endpoint_url=endpoint, region_name=region)

    def put(self, product, data):
        self.kinesis.put_record(StreamName=self.name, PartitionKey=product, Data=data.encode())


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("target", help="file:PATH or kinesis:STREAM")
    parser.add_argument("--rate", type=float, default=2.0, help="events a second, on average (2); 0: only the sample")
    parser.add_argument("--days", type=float, help="days that the sample goes back (a file 70, a stream 0.15)")
    parser.add_argument("--seed", type=int, help="seed of the random events")
    options = parser.parse_args()
    if not 0 <= options.rate <= MAX_RATE:
        parser.error(f"--rate is {options.rate}, allowed is 0 to {MAX_RATE}")
    if options.days is not None and not 0 < options.days <= MAX_DAYS:
        parser.error(f"--days is {options.days}, allowed is above 0 to {MAX_DAYS}")
    kind, _, options.name = options.target.partition(":")
    options.open = {"file": EventFile, "kinesis": Stream}.get(kind)
    if not options.open or not options.name:
        parser.error(f"the target is '{options.target}', allowed are file:PATH and kinesis:STREAM")
    return options


def past(shop, target, options, now):
    """(product id, event) of what happened before the program started."""
    begin = now - datetime.timedelta(days=options.days or target.sample_days)
    if target.is_new:
        yield from shop.opening(begin)
        yield from shop.sales(begin, now)
    elif options.rate and target.latest:
        yield from shop.sales(max(begin, target.latest), now)


def main():
    options = parse_options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    signal.signal(signal.SIGINT, lambda *_: sys.exit(0))
    rng, target = random.Random(options.seed), options.open(options.name)
    shop = Shop(rng, catalogue())
    for put in past(shop, target, options, datetime.datetime.now(UTC)):
        target.put(*put)
    for _ in itertools.count() if options.rate else ():
        a_second = options.rate * max(0.5, pace(datetime.datetime.now(UTC)))  # who looks at night sees a shop, too
        time.sleep(rng.expovariate(a_second))
        target.put(*shop.next_event(datetime.datetime.now(UTC)))


if __name__ == "__main__":
    main()
