"""A seeded generator of events as the producers of a shop put them, well-formed or not.

    puts = workload.generate(seed=1, events=10_000)                  # one in ten is odd
    puts = workload.generate(seed=1, events=10_000, odd=0)           # what a well-behaved shop sends

All events of a product have the same kind of envelope (ingress or egress). Products are chosen by Zipf's law. Odd
events are re-registrations, purchases before creation, images before creation, duplicates with an old event id,
unsupported schemas and malformed records. `MALFORMED` has every kind of malformed record, by the reason of its dead
letter; a workload of some thousand events contains each of them. What a record means is the model's task.
"""

import collections
import datetime
import itertools
import json
import random

import aggregated
import model

Put = collections.namedtuple("Put", "partition_key data note")

START_MS = 1_700_000_000_000
CORE_SHARD = "shardId-00000000000{}"


# Malformed records.
# Each function takes (envelope, random) and returns what to put: the changed envelope, text or bytes. Each record has
# one defect, or a first one that hides the others.


def without(*path):
    def change(envelope, _):
        inner = envelope
        for name in path[:-1]:
            inner = inner[name]
        inner.pop(path[-1], None)
        return envelope

    return change


def with_value(value, *path):
    def change(envelope, _):
        inner = envelope
        for name in path[:-1]:
            inner = inner[name]
        inner[path[-1]] = value
        return envelope

    return change


def as_text(change):
    return lambda envelope, _: change(json.dumps(envelope))


def with_raw_byte(raw):
    """A byte sequence that is not UTF-8, within a string."""

    def change(envelope, _):
        envelope["data"]["id"] += "@@"
        return json.dumps(envelope).encode().replace(b"@@", raw)

    return change


def renamed_id(new_id):
    """The product id and the partition key change together, so that only the id is wrong."""

    def change(envelope, rng):
        envelope["data"]["id"] = new_id
        return envelope

    return change


BAD_TIMES = [
    "",
    "yesterday",
    "2026-11-23",
    "2026-11-23T10:00:00",
    "2026-02-30T10:00:00Z",
    "2026-13-01T10:00:00Z",
    "2026-11-23T24:00:00Z",
    "2026-11-23T10:60:00Z",
    "2026-11-23 10:00:00Z",
    "2026-11-23T10:00:00+0100",
    "2026-11-23T10:00:00+24:00",
    "2026-11-23T10:00:00.Z",
    " 2026-11-23T10:00:00Z",
    "2026-11-23T10:00:00Z\n",
    "26-11-23T10:00:00Z",
    "1763892000000",
]
BAD_EVENT_IDS = [
    "",
    "shardId-000000000000",
    "shardId-000000000000:",
    ":12",
    "shardId-000000000000:012",
    "shardId-000000000000:-1",
    "shardId-000000000000:+1",
    "shardId-000000000000:1x",
    "shardId-000000000000:1:2:3",
    "shardId-000000000000:1:",
    "shardId-000000000000:1:01",
    "shardId-000000000000:1:4294967296",
    "shardId 0:1",
    "shardId-0:" + "9" * 81,
    "s" * 129 + ":1",
    "shardId-000000000000:1\n",
    "shardId-000000000000:١",
    "shärd:1",
]

# The first word of a group is the reason of the dead letter. Its last word may name the kind of event.
MALFORMED = {
    "not-utf8": {
        "bytes": lambda *_: b"\xff\xfe\x00",
        "in a string": with_raw_byte(b"\xe4"),
        "overlong": with_raw_byte(b"\xc0\xaf"),
        "surrogate": with_raw_byte(b"\xed\xa0\x80"),
        "beyond Unicode": with_raw_byte(b"\xf4\x90\x80\x80"),
        "cut short": lambda envelope, _: json.dumps(envelope).encode() + b"\xc3",
    },
    "not-json": {
        "nothing": lambda *_: "",
        "words": lambda *_: "a customer bought a lamp",
        "cut short": as_text(lambda text: text[:-1]),
        "more behind": as_text(lambda text: text + "}"),
        "trailing comma": as_text(lambda text: text[:-1] + ",}"),
        "single quotes": as_text(lambda text: text.replace('"', "'")),
        "NaN": with_value(float("nan"), "data", "id"),
        "raw newline": as_text(lambda text: text.replace('"origin": "', '"origin": "\n')),
        "lone surrogate": as_text(lambda text: text.replace('"origin": "', '"origin": "\\ud800')),
        "byte order mark": as_text(lambda text: "\ufeff" + text),
        "zero byte": as_text(lambda text: text + "\0"),
    },
    "not-object": {
        "list": lambda envelope, _: json.dumps([envelope]),
        "string": lambda *_: '"event"',
        "number": lambda *_: "42",
        "null": lambda *_: "null",
        "false": lambda *_: "false",
    },
    "unknown-schema": {
        "missing": without("schema"),
        "number": with_value(1, "schema"),
        "null": with_value(None, "schema"),
        "another version": with_value("com.nordstrom/retail-stream-ingress/2-0-0", "schema"),
        "another case": with_value("COM.NORDSTROM/retail-stream-egress/1-0-0", "schema"),
        "empty": with_value("", "schema"),
        "zero character behind": lambda envelope, _: {**envelope, "schema": envelope["schema"] + "\0"},
    },
    "invalid-field": {
        "no origin": without("origin"),
        "no timeOrigin": without("timeOrigin"),
        "no data": without("data"),
        "origin number": with_value(7, "origin"),
        "origin null": with_value(None, "origin"),
        "timeOrigin number": with_value(START_MS, "timeOrigin"),
        "followsFrom object": with_value({}, "followsFrom"),
        "unknown envelope field": with_value("x", "color"),
        "data list": with_value([], "data"),
        "data text": with_value("{}", "data"),
        "data null": with_value(None, "data"),
        "no data.schema": without("data", "schema"),
        "data.schema number": with_value(1, "data", "schema"),
        "no id": without("data", "id"),
        "id number": with_value(12, "data", "id"),
        "unknown data field": with_value("x", "data", "price"),
        **{f"timeOrigin {time!r}": with_value(time, "timeOrigin") for time in BAD_TIMES},
    },
    "invalid-field of ingress": {
        "eventId": with_value("shardId-000000000000:1", "eventId"),
        "timeIngest": with_value("2026-11-23T10:00:00Z", "timeIngest"),
        "timeProcess": with_value("2026-11-23T10:00:00Z", "timeProcess"),
    },
    "invalid-field of egress": {
        "no eventId": without("eventId"),
        "no timeIngest": without("timeIngest"),
        "no timeProcess": without("timeProcess"),
        "eventId number": with_value(1, "eventId"),
        "timeIngest null": with_value(None, "timeIngest"),
        "timeProcess number": with_value(1, "timeProcess"),
    },
    "invalid-field of create": {
        **{f"no {name}": without("data", name) for name in ("brand", "name", "description", "category")},
        **{
            f"{name} null": with_value(None, "data", name)
            for name in ("brand", "name", "description", "category")
        },
    },
    "invalid-field of image": {
        "no image": without("data", "image"),
        "image list": with_value(["x"], "data", "image"),
    },
    "malformed-event-id": {
        repr(event_id[:30]): with_value(event_id, "eventId") for event_id in BAD_EVENT_IDS
    },
    "invalid-origin": {
        "empty": with_value("", "origin"),
        "too long": with_value("w/r/" + "x" * 2045, "origin"),
        "too long in bytes": with_value("€" * 683, "origin"),
        "zero character": with_value("w/r/u\0/n", "origin"),
    },
    "invalid-product-id": {
        "empty": renamed_id(""),
        "too long": renamed_id("x" * 1025),
        "too long in bytes": renamed_id("€" * 342),
        "zero character": renamed_id("p\0"),
    },
    "partition-key-mismatch": {
        "another": lambda envelope, _: (envelope, "another-product"),
        "longer": lambda envelope, _: (envelope, envelope["data"]["id"] + "x"),
        "another case": lambda envelope, _: (envelope, envelope["data"]["id"].swapcase()),
        "zero character behind": lambda envelope, _: (envelope, envelope["data"]["id"] + "\0"),
        "decomposed": lambda envelope, _: (with_value("café", "data", "id")(envelope, _), "cafe\u0301"),
    },
}
EVERY_DEFECT = [(group, name) for group, ways in MALFORMED.items() for name in ways]


# Times.

HOUR_MS, DAY_MS = 3_600_000, 86_400_000
# Ends of years with week 52 and 53, the end of such a week, a leap day, and a month's end in the year of a century without
# one. All so late that no clock of today lets their rows expire.
EDGES = ("2094-01-01", "2094-01-04", "2096-01-01", "2096-02-29", "2096-03-01", "2100-03-01", "2095-07-11", "2095-05-01")


class SkewedTimes:
    """Events around an edge of periods: most in order, some by clocks that are far off, some late (to the millisecond of
    the hour that decides), some that arrive before they happened, and some so old that their rows have expired."""

    def __init__(self, seed, events):
        self.rng = random.Random(f"times {seed}")
        self.step_ms = self.rng.choice((10, 1000, 60_000))
        edge = datetime.datetime.fromisoformat(self.rng.choice(EDGES) + "T00:00:00+00:00")
        self.now_ms = int(edge.timestamp()) * 1000 - events * self.step_ms // 2

    def next(self):
        rng = self.rng
        self.now_ms += rng.randint(0, 2 * self.step_ms)
        far = rng.random()
        origin_ms = self.now_ms
        if far < 0.02:
            origin_ms = 10**12 + rng.randint(0, DAY_MS)
        elif far < 0.1:
            origin_ms += rng.randint(-40 * DAY_MS, 40 * DAY_MS)
        late_ms = rng.choice(
            (0, 1, rng.randint(0, 2000), rng.randint(0, HOUR_MS), HOUR_MS, HOUR_MS + 1, rng.randint(HOUR_MS, 9 * DAY_MS), -1,
             -rng.randint(1, 2 * DAY_MS))
        )  # fmt: skip
        return origin_ms, origin_ms + (late_ms if rng.random() < 0.3 else rng.randint(0, 2000))


# The shop.


class Product:
    def __init__(self, product_id, schema, merchant, photographer, core_shard):
        self.id = product_id
        self.schema = schema
        self.merchant = merchant
        self.photographer = photographer
        self.core_shard = core_shard
        self.is_created = self.has_image = False
        self.event_ids = []  # those given so far (egress)


class Shop:
    """Products and people, and the events that they cause. Event ids of egress events increase within a product, across
    powers of ten; some have a sub-sequence number or a later core shard."""

    def __init__(self, rng, products, merchants, photographers, plain, times=None):
        self.rng = rng
        self.time_ms, self.times = START_MS, times
        self.sequence = 99_900 if not plain else 10**20
        self.plain = plain
        self.merchants = [self.person("merchant", n) for n in range(merchants)]
        self.photographers = [self.person("photographer", n) for n in range(photographers)]
        self.customers = [f"hello-retail/customer/amzn1.account.C{n:04}/Customer{n}" for n in range(200)]
        self.products = [self.product(n) for n in range(products)]
        self.fresh = itertools.count(products)

    def person(self, role, n):
        """The userId of a contributor. In an odd workload some have fewer parts, or more, or letters beyond ASCII."""
        ordinary = (
            f"hello-retail-web/{role}/amzn1.account.{role[:2].upper()}{n:06}XYZ/{role.capitalize()} {n}"
        )
        unusual = {
            1: f"{role}-only",
            2: f"web/{role}2",
            3: f"web/{role}/three-parts-of-{n}",
            4: f"web/{role}/abcd/Short",
            5: f"web/{role}/abcdefgh/Five/parts",
            6: f"web/{role}/日本語ユーザー識別子/高橋 Ärger",
            7: f"web/{role}//",
            8: f"web/{role}/" + "long" * 500 + f"/{role}8",
            9: f'web/{role}/a"b\\c<d>&e%2Ff/O\'Hara "x"',
        }
        return ordinary if self.plain else unusual.get(n, ordinary)

    def product(self, n):
        unusual = {
            1: "Ünïcode/1",
            2: "50% off?&a=b#c",
            3: "a b",
            4: "日" * 85,
            5: "..",
            6: "merchant",
            7: '"quoted\\"',
        }
        product_id = f"product-{n:06}" if self.plain else unusual.get(n, f"product-{n:06}")
        schema = self.rng.choice([model.INGRESS, model.EGRESS])
        merchant, photographer = self.rng.choice(self.merchants), self.rng.choice(self.photographers)
        return Product(product_id, schema, merchant, photographer, n % 3)

    def next_event_id(self, product):
        self.sequence += self.rng.randint(1, 9)
        event_id = f"{CORE_SHARD.format(product.core_shard)}:{self.sequence}"
        if not self.plain and self.rng.random() < 0.1:
            event_id += f":{self.rng.randint(1, 300)}"
        product.event_ids.append(event_id)
        return event_id

    def next_times(self):
        """(timeOrigin, timeIngest)"""
        self.time_ms += self.rng.randint(0, 40)
        if not self.times:
            text = self.time_text(self.time_ms)
            return text, text
        origin_ms, ingest_ms = self.times.next()
        return self.time_text(origin_ms), self.time_text(ingest_ms)

    def time_text(self, time_ms):
        """In one of the forms that RFC 3339 allows."""
        seconds, ms = divmod(time_ms, 1000)
        text = model.datetime.datetime.fromtimestamp(seconds, model.datetime.timezone.utc).strftime(
            "%Y-%m-%dT%H:%M:%S"
        )
        endings = (
            [f".{ms:03}Z"]
            if self.plain
            else [
                f".{ms:03}Z",
                "Z",
                f".{ms:03}{ms:03}999Z",
                f".{ms:03}+02:00",
                f".{ms // 100}-07:30",
                ".5z",
                "-00:00",
            ]
        )
        return text + self.rng.choice(endings)

    def envelope(self, product, origin, data):
        time_origin, time_ingest = self.next_times()
        envelope = {"schema": product.schema, "origin": origin, "timeOrigin": time_origin, "data": data}
        if product.schema == model.EGRESS:
            envelope["eventId"] = self.next_event_id(product)
            envelope["timeIngest"] = envelope["timeProcess"] = time_ingest
        if self.rng.random() < 0.1:
            envelope["followsFrom"] = "shardId-000000000000:1"
        return envelope

    def create(self, product, origin=None):
        product.is_created = True
        words = {
            "brand": "Brand",
            "name": f"Name of {product.id}",
            "description": "ein schönes Stück",
            "category": "x",
        }
        if not self.plain and self.rng.random() < 0.1:
            words["description"] = "zero \0, pair \U0001f600, end"
        return self.envelope(
            product, origin or product.merchant, {"schema": model.CREATE, "id": product.id, **words}
        )

    def image(self, product):
        product.has_image = True
        data = {"schema": model.IMAGE, "id": product.id, "image": f"https://example.invalid/{product.id}.jpg"}
        return self.envelope(product, product.photographer, data)

    def purchase(self, product):
        return self.envelope(
            product, self.rng.choice(self.customers), {"schema": model.PURCHASE, "id": product.id}
        )

    def ordinary(self, product):
        if not product.is_created:
            return self.create(product)
        if not product.has_image and self.rng.random() < 0.5:
            return self.image(product)
        return self.purchase(product)


def zipf_chooser(rng, products, exponent):
    weights = list(itertools.accumulate(1 / (rank + 1) ** exponent for rank in range(len(products))))
    return lambda: rng.choices(products, cum_weights=weights)[0]


class OddOnes:
    """The odd events. Their kinds take turns, and so do the kinds of malformed records."""

    def __init__(self, shop, choose):
        self.shop, self.choose = shop, choose
        kinds = [
            self.registered_again,
            self.before_creation,
            self.old_event_id,
            self.unsupported,
            self.malformed,
        ]
        self.kinds = itertools.cycle(kinds + [self.malformed] * 2)
        self.defects = itertools.cycle(EVERY_DEFECT)

    def next(self):
        return next(self.kinds)()

    def registered_again(self):
        product = self.choose()
        event = self.shop.create(product, self.shop.rng.choice(self.shop.merchants))
        return to_put(event, product.id, "registered again")

    def before_creation(self):
        """A product that is not registered gets a purchase or an image."""
        product = self.shop.product(next(self.shop.fresh))
        unpopular = self.shop.rng.randrange(len(self.shop.products) // 4, len(self.shop.products))
        self.shop.products[unpopular] = product
        meaning = self.shop.rng.choice([self.shop.purchase, self.shop.image])
        return to_put(meaning(product), product.id, f"{meaning.__name__} before creation")

    def old_event_id(self):
        candidates = [product for product in self.shop.products if product.event_ids]
        if not candidates:
            return self.registered_again()
        product = self.choose()  # a popular one has many old ids
        if not product.event_ids:
            product = self.shop.rng.choice(candidates)
        given = list(product.event_ids)
        event = self.shop.ordinary(product)
        product.event_ids[:] = given  # without the id drawn for it, which is replaced
        event["eventId"] = self.shop.rng.choice([given[-1], self.shop.rng.choice(given)])
        return to_put(event, product.id, "old event id")

    def unsupported(self):
        product = self.choose()
        schema = self.shop.rng.choice(
            [
                "com.nordstrom/user-info/create/1-0-0",
                "com.nordstrom/product/create/2-0-0",
                "",
                model.PURCHASE + "\0",
            ]
        )
        data = {"schema": schema, "id": product.id, "n": 1.5, "more": [None, {"deep": True}]}
        return to_put(
            self.shop.envelope(product, "web/user/x/y", data), "any partition key", "unsupported schema"
        )

    def malformed(self):
        group, name = next(self.defects)
        subject = group.split()[-1]
        schemas = {"ingress": model.INGRESS, "egress": model.EGRESS, "malformed-event-id": model.EGRESS}
        schema = schemas.get(subject) or self.shop.rng.choice([model.INGRESS, model.EGRESS])
        product = Product(
            f"malformed-{next(self.shop.fresh)}",
            schema,
            self.shop.merchants[0],
            self.shop.photographers[0],
            0,
        )
        make = {"create": self.shop.create, "image": self.shop.image}.get(subject)
        make = make or self.shop.rng.choice([self.shop.create, self.shop.image, self.shop.purchase])
        changed = MALFORMED[group][name](make(product), self.shop.rng)
        return to_put(changed, product.id, f"{group}: {name}")


def to_put(content, product_id, note):
    """`content`: an envelope, its text or its bytes, or a pair of an envelope and its partition key."""
    key = product_id
    if isinstance(content, tuple):
        content, key = content
    elif isinstance(content, dict) and isinstance(content.get("data"), dict):
        new_id = content["data"].get("id")
        if isinstance(new_id, str) and 0 < len(new_id) <= 256:
            key = new_id
    if isinstance(content, dict):
        content = json.dumps(content, ensure_ascii=len(note) % 2 == 0)
    return Put(key, content.encode() if isinstance(content, str) else content, note)


def generate(seed, events, products=400, merchants=50, photographers=20, zipf=1.1, odd=0.10, times=None):
    """A list of `events` Puts, to be put in this order. `odd`: the share of odd events; with 0 all ids are plain. `times`:
    SkewedTimes; else events happen one after the other, in 2023, and arrive at once."""
    rng = random.Random(seed)
    shop = Shop(rng, products, merchants, photographers, odd == 0, times)
    choose = zipf_chooser(rng, shop.products, zipf)
    odd_ones = OddOnes(shop, choose)
    puts = []
    while len(puts) < events:
        if rng.random() < odd:
            puts.append(odd_ones.next())
        else:
            product = choose()
            puts.append(to_put(shop.ordinary(product), product.id, "ordinary"))
    return puts


# Packed as the Kinesis Producer Library packs.


def shard_of(key, ranges):
    """`ranges`: {shard: (first hash key, last)}, those that are open."""
    hash_key = aggregated.hash_key(aggregated.Part(key, b""))
    return next(shard for shard, (first, last) in ranges.items() if first <= hash_key <= last)


class Packer:
    """Collects events by shard into aggregated records. A stray is a part in a record of another shard. A broken record
    is a damaged copy of a whole one, so that no event is lost with it."""

    def __init__(self, rng, ranges):
        self.rng, self.ranges = rng, ranges
        self.waiting = {shard: [] for shard in ranges}
        self.sizes = {shard: 1 for shard in ranges}
        self.puts = []

    def add(self, put):
        shard = shard_of(put.partition_key, self.ranges)
        self.waiting[shard].append(aggregated.Part(put.partition_key, put.data))
        if len(self.waiting[shard]) >= self.sizes[shard]:
            self.flush(shard)

    def flush(self, shard):
        parts, self.waiting[shard] = self.waiting[shard], []
        self.sizes[shard] = self.rng.choice([1, 2, 5, 20, 60])
        if not parts:
            return
        key = parts[0].partition_key  # it decides the shard of the record, so that the first part is never a stray
        for part in [part for others in self.waiting.values() for part in others[:1]]:
            if self.rng.random() < 0.1:
                parts.insert(self.rng.randint(1, len(parts)), part)
        data = aggregated.pack(parts, tags=[("k", "v")] * self.rng.randint(0, 2))
        self.puts.append(Put(key, data, f"{len(parts)} packed"))
        if self.rng.random() < 0.1:
            self.puts.append(Put(key, self.broken(data), "broken aggregate"))

    def broken(self, data):
        torn = data[: self.rng.randrange(len(aggregated.MAGIC), len(data))]
        return self.rng.choice([torn, aggregated.frame(b""), aggregated.frame(b"\xff"), data[:-1] + b"~!"])


def packed(puts, seed, ranges, plain=0.2):
    """The same events in the same order within a shard, most of them parts of aggregated records."""
    rng = random.Random(seed)
    packer = Packer(rng, ranges)
    for put in puts:
        if rng.random() < plain:
            packer.flush(shard_of(put.partition_key, ranges))
            packer.puts.append(put)
        else:
            packer.add(put)
    for shard in ranges:
        packer.flush(shard)
    return packer.puts
