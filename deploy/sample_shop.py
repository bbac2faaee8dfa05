#!/usr/bin/python3
"""A sample shop: 30 merchants, 20 photographers and 150 products, whose customers buy a few products a second
until the program is stopped.

    deploy/sample_shop.py file:PATH [--rate EVENTS_PER_SECOND]        appends to a file, one event a line
    deploy/sample_shop.py kinesis:STREAM [--rate EVENTS_PER_SECOND]   puts on a stream; needs python3-boto3

An empty file and every stream first get the sample: every product registered, most of them photographed, some sold.
With --rate 0 the program then ends. For Kinesis it reads AWS_ENDPOINT_URL_KINESIS or AWS_ENDPOINT_URL, AWS_REGION and
credentials from the environment.
"""

import argparse
import datetime
import itertools
import json
import os
import random
import signal
import sys
import time

INGRESS = "com.nordstrom/retail-stream-ingress/1-0-0"
MERCHANTS = [
    "Ann Arbor", "Bo Lindqvist", "Chidi Obi", "Dolores Vega", "Emre Kaya", "Fumiko Sato", "Giorgos Pappas",
    "Hanna Weiss", "Ines Duarte", "Jamal Haddad", "Katya Orlova", "Liam Byrne", "Mei Tanaka", "Nadia Rahman",
    "Oskar Nowak", "Priya Nair", "Quinn Harper", "Rafael Souza", "Siobhan Kelly", "Tomas Novotny", "Uma Patel",
    "Viktor Lund", "Wanjiru Mwangi", "Xiomara Cruz", "Yusuf Demir", "Zofia Zielinska", "Amara Diallo", "Björn Ek",
    "Camille Roux", "Dev Anand",
]  # fmt: skip
PHOTOGRAPHERS = [
    "Pia Roth", "Quentin Oyelaran", "Rosa Marín", "Sven Dahl", "Tala Aziz", "Ugo Conti", "Vera Sokol", "Will Archer",
    "Ximena Paz", "Yara Costa", "Zane Porter", "Astrid Holm", "Bilal Khan", "Chloé Martin", "Dmitri Volkov",
    "Elif Arslan", "Felix Braun", "Grace Owusu", "Hiro Mori", "Isla Grant",
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
SAMPLE_PURCHASES = 600
SAMPLE_HOURS = 3  # the events of the sample are at most this old
MAX_RATE = 1000


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
    image = f"https://images.example.invalid/{product.id}.jpg"
    return event("image", product, product.photographer, when, image=image)


def purchase(rng, product, when):
    return event("purchase", product, customer(rng), when)


def sample(rng, products, now):
    """(product id, event) of the last hours of a shop."""
    weights = [1 / (rank + 5) for rank in range(len(products))]
    sold = rng.choices(products, weights, k=SAMPLE_PURCHASES)
    makers = [(registration, product) for product in products]
    makers += [(photograph, product) for product in products[:PHOTOGRAPHED]]
    makers += [(lambda product, when: purchase(rng, product, when), product) for product in sold]
    step = datetime.timedelta(hours=SAMPLE_HOURS) / len(makers)
    for number, (make, product) in enumerate(makers):
        yield make(product, now - step * (len(makers) - number))


class Shop:
    """Makes the next events: mostly purchases, a third of them of one popular product, which sometimes changes."""

    def __init__(self, rng, products):
        self.rng, self.products = rng, products
        self.weights = [1 / (rank + 5) for rank in range(len(products))]
        self.popular = rng.choice(products)

    def next_event(self, now):
        if self.rng.random() < 0.02:
            self.popular = self.rng.choice(self.products)
        if self.rng.random() < 0.03:  # a second photograph changes nothing
            return photograph(self.rng.choice(self.products[PHOTOGRAPHED:]), now)
        if self.rng.random() < 0.33:
            return purchase(self.rng, self.popular, now)
        return purchase(self.rng, self.rng.choices(self.products, self.weights)[0], now)


class EventFile:
    """Appends lines to a file, each in one write, so that other programs may append to it as well."""

    def __init__(self, path):
        self.file = open(path, "a+b", buffering=0)
        size = self.file.seek(0, os.SEEK_END)
        self.needs_sample = size == 0
        if size:
            self.file.seek(size - 1)
            if self.file.read(1) != b"\n":
                self.file.write(b"\n")  # the last writer stopped within a line

    def put(self, _, data):
        self.file.write(data.encode() + b"\n")


class Stream:
    needs_sample = (
        True  # only a read could find out whether it is empty; a product that is registered again does not change
    )

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
    parser.add_argument("--rate", type=float, default=5.0, help="events a second (5); 0: only the sample")
    parser.add_argument("--seed", type=int, help="seed of the random events after the sample")
    options = parser.parse_args()
    if not 0 <= options.rate <= MAX_RATE:
        parser.error(f"--rate is {options.rate}, allowed is 0 to {MAX_RATE}")
    kind, _, options.name = options.target.partition(":")
    options.open = {"file": EventFile, "kinesis": Stream}.get(kind)
    if not options.open or not options.name:
        parser.error(f"the target is '{options.target}', allowed are file:PATH and kinesis:STREAM")
    return options


def main():
    options = parse_options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    signal.signal(signal.SIGINT, lambda *_: sys.exit(0))
    utc = datetime.timezone.utc
    rng, products, target = random.Random(options.seed), catalogue(), options.open(options.name)
    if target.needs_sample:
        for put in sample(rng, products, datetime.datetime.now(utc)):
            target.put(*put)
    shop = Shop(rng, products)
    for _ in itertools.count() if options.rate else ():
        time.sleep(rng.expovariate(options.rate))
        target.put(*shop.next_event(datetime.datetime.now(utc)))


if __name__ == "__main__":
    main()
