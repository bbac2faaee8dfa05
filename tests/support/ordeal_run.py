"""What the ordeals and the soak have in common: a shop on a fake stream of many shards with a view on DynamoDB Local, and
troubles of single shards that begin and end.

    with ordeal_run.Scene(folder, shards=64) as scene:
        scene.fill(shards, 1000)                    # records of each shard, at once
        scene.load(shards, per_s=20)                # of each shard, from now on
        with scene.daemon() as daemon:
            trouble = scene.trouble("hung", shards); trouble.enter(); ... trouble.leave()
            lags = ordeal_run.Lags(daemon, shards).watch(seconds=30)
        scene.check(daemon.dead_letters())          # the rows equal the model's, and no dead letter is missing

Each shard has products of its own, and shares merchants and photographers with all others.
"""

import collections
import contextlib
import json
import random
import time

import aggregated
import cloud
import emulators
import fake_stream
import faults
import model
import program
import proxy
import wait
import workload
from aws_behaviour import refusal
from daemon import Daemon
from workload import Put

PRODUCTS, MERCHANTS, PHOTOGRAPHERS = 2, 6, 3  # of a shard; of all
PURCHASES = 6  # of a product, for each registration
LARGE_BYTES, LARGE_REPLY_BYTES = 20_000, 21 << 20
SETTLE_S = 180
EVERY_S = 0.2  # time between two looks at the lags


def event(origin, data):
    envelope = {"schema": model.INGRESS, "origin": origin, "timeOrigin": "2026-11-23T10:00:00Z", "data": data}
    return json.dumps(envelope).encode()


def person(role, n):
    return f"web/{role}/amzn1.account.{role[:2].upper()}{n:06}/Person {n}"


def events_of(product, n):
    words = {"brand": "Brand", "name": f"Name of {product}", "description": "a fine piece", "category": "x"}
    create = {"schema": model.CREATE, "id": product, **words}
    image = {"schema": model.IMAGE, "id": product, "image": f"https://example.invalid/{product}.jpg"}
    yield Put(product, event(person("merchant", n % MERCHANTS), create), "")
    yield Put(product, event(person("photographer", n % PHOTOGRAPHERS), image), "")
    purchase = event("web/customer/x/y", {"schema": model.PURCHASE, "id": product})
    yield from [Put(product, purchase, "")] * PURCHASES


def is_dead(put):
    try:
        model.parse(model.Record("shardId-000000000000", "1", put.partition_key, put.data))
    except model.DeadLetter:
        return True
    except model.Skipped:
        return False
    return False


def poison(seed=1):
    """Records that are no events: one of each kind that is malformed, and broken aggregated ones."""
    puts = {put.note: put for put in workload.generate(seed, 800, odd=1) if is_dead(put)}
    packed = aggregated.pack([aggregated.Part("key", b"data")])
    broken = [packed[:-1] + b"~", packed[: len(packed) // 2], aggregated.frame(b"\xff")]
    return [*puts.values(), *(Put("key", data, "broken aggregate") for data in broken)]


def large(put):
    """Padded with blanks: replies of it are as large as they get."""
    return put._replace(data=put.data.ljust(LARGE_BYTES))


class Refusals:
    """A layer: DynamoDB refuses the contributions of these products, each shard's in one of the ways, always."""

    WAYS = (
        lambda request, chance: faults.Throttle(1).apply(request, None, chance),
        lambda request, chance: refusal(request, "InternalServerError", "The request could not be processed.", 500),
        lambda request, chance: refusal(request, "ValidationException", "One or more parameter values were invalid"),
    )

    def __init__(self):
        self.ways = {}  # product: which way
        self.happened = collections.Counter()

    def __call__(self, request, proceed):
        if request.operation != "PutItem" or not self.ways:
            return proceed(request)
        way = self.ways.get(request.json()["Item"].get("productId", {}).get("S"))
        if way is None:
            return proceed(request)
        self.happened[way] += 1
        return self.WAYS[way](request, random.Random(self.happened[way]))


class SlowWrites:
    """A layer: each write of a table whose name ends so is answered later by `seconds`."""

    def __init__(self, ending, seconds=0):
        self.ending, self.seconds, self.happened = ending, seconds, 0

    def __call__(self, request, proceed):
        if self.seconds and request.operation in faults.WRITES:
            if request.json()["TableName"].endswith(self.ending):
                self.happened += 1
                time.sleep(self.seconds)
        return proceed(request)


Trouble = collections.namedtuple("Trouble", "enter leave")


class Scene:
    def __init__(self, folder, shards, name="ordeal"):
        self.folder, self.name = folder, name
        self.stream = fake_stream.FakeStream(shards, name)
        self.dynamodb = emulators.Emulator("DynamoDB Local", emulators.dynamodb_command)
        self.refusals, self.slow_leases = Refusals(), SlowWrites("-Leases")
        self.per_s = {}  # shard: its load
        self.open = contextlib.ExitStack()
        self.dead_letters = folder / "dead-letters.jsonl"

    def __enter__(self):
        with contextlib.ExitStack() as opening:
            opening.enter_context(self.stream)
            opening.callback(self.dynamodb.stop)
            self.dynamodb.start()
            url = f"http://127.0.0.1:{self.dynamodb.port}"
            self.proxy = opening.enter_context(proxy.Proxy(url, [self.refusals, self.slow_leases]))
            self.proxy.requests = collections.deque(maxlen=1)
            self.direct = self.stream.environment(url)
            self.environment = self.stream.environment(self.proxy.url)
            program.create_tables(f"dynamodb:{self.name}", self.direct)
            self.shards = self.stream.shards
            self.products = self.stream.keys_of_all(PRODUCTS)
            self.puts = {shard: self.puts_of(shard, n) for n, shard in enumerate(self.shards)}
            self.open = opening.pop_all()
        return self

    def __exit__(self, *_):
        self.open.close()

    def puts_of(self, shard, n):
        return [put for i, product in enumerate(self.products[shard]) for put in events_of(product, n + i)]

    def daemon(self, *options, dead_letters=None, kind=Daemon):
        dead_letters = dead_letters or self.dead_letters
        common = ["--store", f"dynamodb:{self.name}", "--source", f"kinesis:{self.name}", "--drain-seconds", "0"]
        return kind(
            [*common, "--dead-letter", f"file:{dead_letters}", *options], self.environment, dead_letters
        )

    # Its records.

    def fill(self, shards, times):
        self.stream.fill({shard: self.puts[shard] for shard in shards}, times)

    def load(self, shards, per_s):
        self.stream.load({shard: self.puts[shard] for shard in shards}, per_s)
    # Its troubles.

    def trouble(self, kind, shards):
        return Trouble(lambda: getattr(self, kind)(shards), lambda: self.heal(shards))

    def refused(self, shards):
        """With a backlog of large replies, which would fill the memory of all."""
        for n, shard in enumerate(shards):
            self.refusals.ways.update(dict.fromkeys(self.products[shard], n % len(Refusals.WAYS)))
        self.backlog(shards)

    def backlog(self, shards):
        self.stream.fill({shard: [large(put) for put in self.puts[shard]] for shard in shards}, times=600)

    def hung(self, shards):
        self.stream.fault(shards, fake_stream.hang())

    def slow(self, shards, bytes_per_s=100_000):
        self.stream.fault(shards, fake_stream.slow(bytes_per_s))
        self.backlog(shards)

    def poisoned(self, shards, per_s=100):
        self.stream.fault(
            shards, fake_stream.too_large(LARGE_REPLY_BYTES, times=1), fake_stream.malformed(every=3)
        )
        self.stream.load({shard: [*poison(), *self.puts[shard]] for shard in shards}, per_s)

    def heal(self, shards):
        for shard in shards:
            for product in self.products[shard]:
                self.refusals.ways.pop(product, None)
        self.stream.fault(shards)
        for shard in shards:
            self.load([shard], self.per_s.get(shard, 0))

    # What is in the view.

    @staticmethod
    def records_read(daemon):
        return daemon.metric("winner_view_source_records_total")

    def check(self, letters):
        """When everything is applied."""
        client = cloud.client("dynamodb", self.direct)
        ranges = dict(zip(self.stream.shards, self.stream.ranges))
        found = model.differences(
            model.fold(aggregated.take_apart(self.stream.records(), ranges)),
            cloud.contributions(client, self.name),
            cloud.scores(client, self.name),
            letters,
        )
        assert not found, f"{len(found)} differences:\n" + "\n".join(found[:20])


def shard_lags(daemon):
    """{shard: ms since its asOf}, infinite where it is not known."""
    health, now = daemon.health(), time.time() * 1000
    return {
        one["shard"]: now - model.epoch_ms(one["asOf"]) if one["asOf"] else float("inf") for one in health["shards"]
    }


class Lags:
    """The lags of some shards, looked at again and again."""

    def __init__(self, daemon, shards):
        self.daemon, self.shards, self.seen = daemon, shards, []

    def watch(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.look()
            time.sleep(EVERY_S)
        return self

    def look(self):
        lags = shard_lags(self.daemon)
        self.seen += [lags.get(shard, float("inf")) for shard in self.shards]

    def percentile(self, percent):
        """In ms."""
        return sorted(self.seen)[min(len(self.seen) - 1, len(self.seen) * percent // 100)]


def rate_of_backlog(scene, daemon):
    """Records a second, until all that is in the stream now is applied."""
    before, begin = scene.records_read(daemon), time.monotonic()
    daemon.wait_until_applied(SETTLE_S)
    return (scene.records_read(daemon) - before) / (time.monotonic() - begin)


def troubles(daemon):
    """{name: reason}"""
    return {one["name"]: one["reason"] for one in daemon.health()["troubles"]}


def until_calm(daemon, timeout_s=SETTLE_S):
    wait.until(lambda: not troubles(daemon), "no troubles", timeout_s, 0.2, seen=lambda: troubles(daemon))
