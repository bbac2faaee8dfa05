#!/usr/bin/python3
"""A little shop traffic for a demonstration: merchants register products, photographers photograph them,
customers buy them, a few events a second, for as long as it runs.

    deploy/game.py STREAM [--rate EVENTS_PER_SECOND] [--seed N]

Reaches Kinesis as the environment says: AWS_ENDPOINT_URL_KINESIS or AWS_ENDPOINT_URL, AWS_REGION,
credentials.
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

import boto3

INGRESS = "com.nordstrom/retail-stream-ingress/1-0-0"
MERCHANTS = ["Ann Arbor", "Bo Lindqvist", "Chidi Obi", "Dolores Vega", "Emre Kaya", "Fumiko Sato"]
PHOTOGRAPHERS = ["Pia Roth", "Quentin Oyelaran", "Rosa Marín", "Sven Dahl"]
BRANDS = ["Alder & Oak", "Brightside", "Copperline", "Driftwood", "Evergreen", "Foxglove"]
THINGS = {
    "home": ["desk lamp", "wool blanket", "tea kettle", "wall clock"],
    "outdoors": ["day pack", "camp stove", "rain jacket", "head torch"],
    "kitchen": ["bread knife", "salad bowl", "pepper mill", "cast-iron pan"],
}
COLORS = ["amber", "blue", "green", "ivory", "red", "slate"]
MAX_PRODUCTS = 60
FIRST_EVENTS = 60  # put at once, so that there is a board to look at from the first moment


def person(role, number, name):
    return f"hello-retail-web/{role}/amzn1.account.{role[0].upper()}{number:03}K7QX2M{number:02}/{name}"


class Game:
    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.run = f"{self.rng.getrandbits(32):08x}"  # each run brings products of its own
        self.numbers = itertools.count(1)
        self.merchants = [person("merchant", n, name) for n, name in enumerate(MERCHANTS)]
        self.photographers = [person("photographer", n, name) for n, name in enumerate(PHOTOGRAPHERS)]
        self.products = []
        self.to_photograph = []

    def create(self):
        category = self.rng.choice(sorted(THINGS))
        name = f"{self.rng.choice(COLORS)} {self.rng.choice(THINGS[category])}"
        product = f"{name.replace(' ', '-')}-{self.run}-{next(self.numbers)}"
        self.products.append(product)
        self.to_photograph.append(product)
        data = {
            "schema": "com.nordstrom/product/create/1-0-0",
            "id": product,
            "brand": self.rng.choice(BRANDS),
            "name": name.capitalize(),
            "description": f"A {name}, made to last.",
            "category": category,
        }
        return self.rng.choice(self.merchants), data

    def image(self):
        product = self.to_photograph.pop(0)
        data = {
            "schema": "com.nordstrom/product/image/1-0-0",
            "id": product,
            "image": f"https://images.example.invalid/{product}.jpg",
        }
        return self.rng.choice(self.photographers), data

    def purchase(self):
        weights = [1 / (rank + 1) for rank in range(len(self.products))]
        product = self.rng.choices(self.products, weights)[0]
        number = self.rng.randrange(500)
        data = {"schema": "com.nordstrom/product/purchase/1-0-0", "id": product}
        return person("customer", number, f"Customer {number}"), data

    def next_event(self):
        roll = self.rng.random()
        if not self.products or (roll < 0.15 and len(self.products) < MAX_PRODUCTS):
            origin, data = self.create()
        elif self.to_photograph and roll < 0.35:
            origin, data = self.image()
        else:
            origin, data = self.purchase()
        now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds")
        return data["id"], json.dumps({"schema": INGRESS, "origin": origin, "timeOrigin": now, "data": data})


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("stream")
    parser.add_argument("--rate", type=float, default=5.0, help="events a second (5)")
    parser.add_argument("--seed", type=int, default=None)
    options = parser.parse_args()
    if not 0 < options.rate <= 1000:
        parser.error(f"--rate is {options.rate}, allowed is above 0 and up to 1000")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    signal.signal(signal.SIGINT, lambda *_: sys.exit(0))

    endpoint = os.environ.get("AWS_ENDPOINT_URL_KINESIS") or os.environ.get("AWS_ENDPOINT_URL")
    kinesis = boto3.client(
        "kinesis", endpoint_url=endpoint, region_name=os.environ.get("AWS_REGION", "us-east-1")
    )
    game = Game(options.seed)
    for number in itertools.count():
        product, data = game.next_event()
        kinesis.put_record(StreamName=options.stream, PartitionKey=product, Data=data.encode())
        if number >= FIRST_EVENTS:
            time.sleep(game.rng.expovariate(options.rate))


if __name__ == "__main__":
    main()
