"""One run of tests/torture, drawn from a seed: a random workload and random workers, which are killed, frozen, stopped
and started again, with random resharding and random faults; their clocks are wrong, their file is replaced or their
stream made again. Their stream is polled, or it pushes, and then something happens to its subscriptions. In the end the rows
must equal the model's, and no answer may have claimed what was false (claims.py).

    plan = torture_run.draw(seed, "dynamodb")           # pure: the same plan for the same seed
    result = torture_run.run(plan, folder, aws)         # raises AssertionError if anything differs
    result.counts["SIGKILL"], result.counts["fault LostAnswer"], ...

The seed draws what happens and when. How far the service is by then depends on the machine, so that a seed repeats a
run nearly, not exactly. Faults between the service and the emulators repeat exactly for each call (faults.py).
"""

import bisect
import collections
import contextlib
import dataclasses
import heapq
import os
import random
import signal
import threading
import time

import aggregated
import aws_behaviour
import claims
import clock_shim
import cloud
import fan_out
import faults
import model
import pairs
import program
import proxy
import subscription_faults
import wait
import workload
import wrong_file
from daemon import Daemon, read_dead_letters
from steady_load import SteadyLoad

KILLABLE = program.ROOT / "build" / "kill" / "winner-view"
STORES = ("dynamodb", "sqlite")
SETTLE_S = 120
KILL_POINTS = 60, 60, 60, 1000  # a process with a kill point dies at one of the first so many
BATCH_SIZES = (1, 256), (1, 256), (1, 256), (256, 1_000_000)  # an event, to the most that the service accepts
PAUSE = 1.2  # a worker is frozen for this many failover times
CALM_S = {"dynamodb": 2.5, "sqlite": 1}  # in the end: no kills, so that the view has caught up while it is filled
CALM_SHARE = 0.2  # of the events
PUSHED_CAUGHT_UP_MS = 30_000
LONG_CALM_S = 14  # an event without records says something only after 10 s (ingest/README.md)
CATCH_UP_S = 15
HOUR_MS = 3_600_000
CUT_MS = 1000  # a Date has whole seconds: one that is late by less looks like a right one; a busy node's is late, too


@dataclasses.dataclass
class Plan:
    seed: int
    store: str
    events: int
    products: int
    seconds: float
    shards: int
    workers: int
    failover_ms: int
    packed: bool  # most events are parts of aggregated records
    shape: model.Shape
    disturbances: list  # (seconds after the beginning, kind, a number to choose with)
    calm: list  # the same, for the end
    edges: object
    push: object  # None: the stream is polled

    def __str__(self):
        what = collections.Counter(what for _, what, _ in self.disturbances + self.calm)
        disturbances = ", ".join(f"{count} {name}" for name, count in sorted(what.items()))
        return (
            f"seed {self.seed} on {self.store}: {self.events} events of {self.products} products in "
            f"{self.seconds:.1f} s, {self.shards} shards, {self.workers} workers, failover "
            f"{self.failover_ms} ms{', aggregated' if self.packed else ''}, {self.shape}; {disturbances}\n{self.edges}"
            f"\n{self.push or 'polled'}"
        )

    @property
    def calm_s(self):
        return LONG_CALM_S if self.push and self.push.is_calm_long else CALM_S[self.store]


@dataclasses.dataclass
class Edges:
    """What lies outside the service: clocks, and what the stream is in the end."""

    ahead_ms: list  # for each worker: how far its wall clock is ahead when it begins
    slewed: list  # for each worker: by how many ppm CLOCK_BOOTTIME and CLOCK_MONOTONIC_RAW are too fast
    early_s: float  # single replies of Kinesis have a Date that is ahead by at most this
    late_s: float  # or behind
    other_date_s: float  # every reply of DynamoDB has a Date that is wrong by this
    checks_signatures: bool  # the services refuse what was signed more than 5 minutes off
    is_made_again: bool  # in the end the stream is deleted, and another one has its name


@dataclasses.dataclass
class Push:
    """How the stream pushes: as fan_out.FanOut has it."""

    heartbeat_s: float
    late_s: float
    life_s: float
    in_use_s: float
    records_per_event: int
    end_alone: bool
    taken_over: str
    trouble_rate: float  # something happens to this share of the subscriptions
    is_calm_long: bool


DISTURBANCES = {
    "dynamodb": {"SIGKILL": 4, "kill point": 4, "SIGSTOP": 2, "SIGTERM": 2, "reshard": 2, "outage": 1},
    "sqlite": {"SIGKILL": 5, "kill point": 5, "SIGSTOP": 1, "SIGTERM": 2, "second process": 1},
}
EDGES = {
    "dynamodb": {"clock step": 6, "suspended": 1, "no Date": 2},
    "sqlite": {"clock step": 2, "suspended": 1, "wrong file": 4},
}


def step_ms(rng, store):
    """Up to 8 hours, either way; a small one is as likely as a large one. The times of a file are reported by the wall
    clock: its steps are larger than the age of any answer, else Worker.by_the_machine could not undo them."""
    least = 50 if store == "dynamodb" else 60_000
    return rng.choice((-1, 1)) * round(least * (8 * HOUR_MS / least) ** rng.random())


def draw_disturbances(rng, kinds, seconds, count):
    names, weights = zip(*kinds.items())
    return [(rng.uniform(0.2, seconds), what, rng.getrandbits(32)) for what in rng.choices(names, weights, k=count)]


def draw_edges(seed, store, seconds, workers):
    """(Edges, more disturbances, those of the end)"""
    rng = random.Random(f"edges {seed} {store}")
    disturbances = draw_disturbances(rng, EDGES[store], seconds, rng.randint(0, 4))
    calm = draw_disturbances(rng, {"clock step": 1}, CALM_S[store], rng.randint(0, 2))
    has_services = store == "dynamodb"
    is_slewed = has_services and rng.random() < 0.3
    checks_signatures = has_services and rng.random() < 0.3
    if any(what == "no Date" for _, what, _ in disturbances):
        checks_signatures = False  # no client could sign for a service that checks times and does not send its own
    edges = Edges(
        ahead_ms=[step_ms(rng, store) if rng.random() < 0.4 else 0 for _ in range(workers)],
        slewed=[(rng.randint(-80_000, 80_000), rng.randint(-500, 500)) if is_slewed else None for _ in range(workers)],
        early_s=rng.uniform(0, 5) if has_services and rng.random() < 0.2 else 0,
        late_s=rng.uniform(0, 60) if has_services and rng.random() < 0.3 else 0,
        other_date_s=rng.uniform(-30_000, 30_000) if has_services and not checks_signatures else 0,
        checks_signatures=checks_signatures,
        is_made_again=has_services and rng.random() < 0.15,
    )
    return edges, disturbances, calm


def draw_shape(seed, store):
    """Nearly always with periods."""
    rng = random.Random(f"shape {seed}")
    periods = [kind for kind in model.KINDS if rng.random() < 0.8]
    partitions = rng.choice((1, 1, 3)) if store == "dynamodb" else 1
    return model.Shape(tuple(periods), rng.random() < 0.7, partitions)


def draw_push(seed, store, is_pushed=None):
    """`is_pushed` None: drawn, too."""
    rng = random.Random(f"push {seed} {store}")
    drawn = rng.random() < 0.4
    if store != "dynamodb" or not (drawn if is_pushed is None else is_pushed):
        return None
    return Push(
        heartbeat_s=rng.uniform(0.7, 1.5),
        late_s=rng.choice((0, 0.2, 1.2)),
        life_s=rng.choice((2, 5, 300)),
        in_use_s=rng.choice((0.5, 5)),
        records_per_event=rng.choice((1, 10, 1000)),
        end_alone=rng.random() < 0.5,
        taken_over=rng.choice(("exception", "end", "nothing")),
        trouble_rate=rng.choice((0, 0.5, 0.9)),
        is_calm_long=rng.random() < 0.3,
    )


def draw_batch_size(rng):
    """Mostly small, so that there are many batches; sometimes up to the largest, so that few hold all."""
    least, most = rng.choice(BATCH_SIZES)
    return round(least * (most / least) ** rng.random())


def draw_kill_point(rng):
    return rng.randint(1, rng.choice(KILL_POINTS))


def draw(seed, store, is_pushed=None):
    rng = random.Random(f"ordeal {seed} {store}")  # another word would make other plans of known seeds
    seconds = rng.uniform(3, 7) if store == "dynamodb" else rng.uniform(1.5, 4)
    disturbances = draw_disturbances(rng, DISTURBANCES[store], seconds, rng.randint(2, 8))
    plan = Plan(
        seed=seed,
        store=store,
        events=rng.randint(200, 1200) if store == "dynamodb" else rng.randint(2_000, 20_000),
        products=rng.choice((3, 20, 100)),
        seconds=seconds,
        shards=rng.randint(1, 4),
        workers=rng.randint(1, 4),
        failover_ms=rng.randint(1000, 2000),
        packed=store == "dynamodb" and rng.random() < 0.5,
        shape=draw_shape(seed, store),
        disturbances=disturbances,
        calm=[],
        edges=None,
        push=draw_push(seed, store, is_pushed),
    )
    plan.edges, more, plan.calm = draw_edges(seed, store, seconds, plan.workers if store == "dynamodb" else 1)
    plan.disturbances += more
    return plan


class Result:
    def __init__(self):
        self.counts = collections.Counter()
        self.begin = time.monotonic()

    def finish(self):
        self.counts["seconds"] = round(time.monotonic() - self.begin, 1)
        return self


class Worker:
    """A worker whose process is started several times. Each start draws its own options. Its clocks go on from one
    process to the next. `may_refuse`: what it reads is not its source now, so that it may end by itself."""

    def __init__(self, number, rng, folder, options, environment, counts, edges):
        self.number, self.rng, self.counts = number, rng, counts
        self.options, self.environment = options, environment
        self.dead_letters = folder / f"dead-letters-{number}.jsonl"
        self.log = folder / f"log-{number}.txt"
        self.daemon = None
        self.may_die = self.is_frozen = self.may_refuse = False
        clocks = folder / f"clocks-{number}"
        clocks.mkdir()
        self.clocks = clock_shim.Clocks(clocks)
        if edges.slewed[number]:
            boot_ppm, raw_ppm = edges.slewed[number]
            self.clocks.drift(boot_ppm=boot_ppm, raw_ppm=raw_ppm)
        self.were_ahead_ms = [0]  # every offset that its wall clock had
        self.step_clock(edges.ahead_ms[number])

    def is_running(self):
        return self.daemon is not None and self.daemon.is_running()

    def by_the_machine(self, as_of, received):
        """The machine's time for a time that this worker reported by its wall clock: the latest that is possible."""
        possible = [as_of - ahead for ahead in self.were_ahead_ms]
        return max((time for time in possible if time <= received), default=min(possible))

    def port(self):
        daemon = self.daemon
        return daemon.port if daemon and daemon.is_running() else None

    def has_caught_up(self):
        """Or has ended at its kill point."""
        daemon = self.daemon
        if not self.is_running():
            return True
        with contextlib.suppress(OSError):
            return daemon.health()["caughtUp"]
        return False

    def has_opened_its_file(self):
        """A process that starts beside another file is refused, and right so."""
        with contextlib.suppress(OSError):
            return self.daemon.get("/readyz").status == 200
        return False

    def step_clock(self, ms):
        self.were_ahead_ms.append(self.were_ahead_ms[-1] + ms)
        self.clocks.step(real_ms=ms)

    def clock_is_right(self):
        self.step_clock(-self.were_ahead_ms[-1])

    def start(self, kill_point=0):
        """Starts the process. With a kill point it may end by itself."""
        size = draw_batch_size(self.rng)
        own = ["--batch-size", str(size), "--batch-window-ms", str(self.rng.choice((0, 0, 50, 300)))]
        own += ["--dead-letter", f"file:{self.dead_letters}", "--drain-seconds", "0", "--identities", "full"]
        own += ["--cache-ttl-ms", str(self.rng.choice((1, 50, 1000))), "--index-allowance-ms", "0"]
        point = {"WINNER_VIEW_KILLPOINT": str(kill_point)} if kill_point else {}
        self.daemon = Daemon([*self.options, *own], {**self.environment, **self.clocks.environment, **point})
        self.may_die, self.may_refuse = bool(kill_point), False
        if kill_point:
            self.daemon.argv[0] = str(KILLABLE)
        self.daemon.start(ready=False)
        self.counts["starts"] += 1

    def end(self, stop):
        """Ends the process, if there is one, by `stop`, and keeps its log."""
        if self.daemon is None:
            return
        self.thaw()
        if self.daemon.is_running():
            stop(self.daemon)
        status = self.daemon.process.wait(Daemon.STOP_TIMEOUT_S)
        text = self.daemon.log()
        with open(self.log, "a") as file:
            file.write(f"{text}\nexit status {status}\n\n")
        program.check_sanitizers(text)
        died = status == -signal.SIGKILL and stop is not Daemon.kill
        self.counts["died at a kill point"] += died
        too_early = status == -signal.SIGTERM and not text  # before it handled signals
        refused = self.may_refuse and status in (1, 2, -signal.SIGTERM)
        assert status == 0 or too_early or refused or (died and self.may_die) or stop is Daemon.kill, (
            f"worker {self.number} ended with status {status}: {text[-3000:]}"
        )
        self.daemon = None

    def kill(self):
        self.end(Daemon.kill)

    def terminate(self):
        self.end(lambda daemon: daemon.process.send_signal(signal.SIGTERM))

    def freeze(self, is_suspended):
        if self.is_running() and not self.is_frozen:
            self.daemon.freeze()
            self.is_frozen, self.suspended_at = True, time.monotonic() if is_suspended else None

    def thaw(self):
        if self.is_frozen:
            if self.suspended_at:  # that clock stood still
                self.clocks.step(raw_ms=-round((time.monotonic() - self.suspended_at) * 1000))
            self.daemon.thaw()
        self.is_frozen = False


class Run:
    """The common part of the runs on both stores: workers, timed disturbances, the comparison."""

    def __init__(self, plan, folder):
        self.plan, self.folder = plan, folder
        self.result = Result()
        self.counts = self.result.counts
        self.agenda = []
        self.workers = []
        self.acknowledged = {}  # (shard, sequence number): when, in ms

    def add_workers(self, count, options, environment):
        for number in range(count):
            rng = random.Random(f"worker {number} {self.plan.seed}")
            self.workers.append(
                Worker(number, rng, self.folder, options, environment, self.counts, self.plan.edges)
            )

    def shape_options(self):
        shape = self.plan.shape
        return [
            "--periods", ",".join(shape.periods) or "none", "--best-sellers", "on" if shape.best_sellers else "off",
            "--board-partitions", str(shape.board_partitions),
        ]  # fmt: skip

    def live(self, puts, events):
        """`puts`: what the source gets; `events`: what is in it."""
        calm = len(puts) - int(len(puts) * CALM_SHARE)
        with self.readers(events):
            for worker in self.workers:
                worker.start()
            with self.load(puts[:calm], self.plan.seconds):
                self.play(self.plan.disturbances)
            self.catch_up()
            with self.load(puts[calm:], self.plan.calm_s):
                self.play(self.plan.calm)
            self.settle()

    def load(self, puts, seconds):
        """Fills the source at a steady rate. Leaving the block waits until all is in it."""
        raise NotImplementedError

    def settle(self):
        """No more faults; all is applied, unless the source is another one in the end."""
        raise NotImplementedError

    def catch_up(self):
        """Waits until all workers have caught up, which faults may prevent."""
        deadline = time.monotonic() + CATCH_UP_S
        while time.monotonic() < deadline and not all(worker.has_caught_up() for worker in self.workers):
            time.sleep(0.05)

    @contextlib.contextmanager
    def readers(self, puts):
        """Each worker is asked all the time. At the end all answers must be true."""
        products = {put.partition_key for put in puts if put.note == "ordinary"}
        caught_up_ms = PUSHED_CAUGHT_UP_MS if self.plan.push else claims.CAUGHT_UP_MS
        readers = [
            claims.Reader(worker.number, worker.port, products, self.plan.seed, caught_up_ms) for worker in self.workers
        ]
        with contextlib.ExitStack() as running:
            for reader in readers:
                running.enter_context(reader)
            yield
        self.answers = [answer for reader in readers for answer in reader.answers]

    def check_claims(self, records):
        self.counts["answers"] = len(self.answers)
        edges = self.plan.edges
        history = claims.History(records, self.acknowledged)
        found = history.false_claims(self.answers, ahead_ms=edges.early_s * 1000, young_ms=CUT_MS)
        assert not found, "\n".join(found[:20])

    def puts(self):
        """Some events are put twice, as by a producer that lost the answer. Of those with an event id one counts."""
        plan, rng = self.plan, random.Random(f"again {self.plan.seed}")
        puts = pairs.can_be_lines(
            workload.generate(
                plan.seed,
                plan.events,
                plan.products,
                merchants=12,
                photographers=5,
                times=workload.SkewedTimes(plan.seed, plan.events),
            )
        )
        again = [(n + rng.expovariate(1 / 30), put) for n, put in enumerate(puts) if rng.random() < 0.3]
        in_order = sorted([*enumerate(puts), *again], key=lambda pair: pair[0])
        return [put for _, put in in_order]

    def later(self, at, what, number=0):
        heapq.heappush(self.agenda, (at, what, number))

    def play(self, disturbances):
        """Causes every disturbance at its time. Some add more to the agenda."""
        begin = time.monotonic()
        for disturbance in disturbances:
            self.later(*disturbance)
        while self.agenda:
            at, what, number = heapq.heappop(self.agenda)
            time.sleep(max(0, begin + at - time.monotonic()))
            self.do(at, what, number)

    def do(self, at, what, number):
        worker = self.workers[number % len(self.workers)]
        if what == "SIGKILL":
            worker.kill()
            self.later(at + 0.1 + number % 7 / 10, "start", number)
        elif what == "kill point":
            worker.terminate()
            worker.start(kill_point=draw_kill_point(random.Random(number)))
            self.later(at + 2, "start", number)
            return  # counted when the process has died
        elif what == "SIGTERM":
            worker.terminate()
            self.later(at + number % 5 / 10, "start", number)
        elif what in ("SIGSTOP", "suspended"):
            worker.freeze(is_suspended=what == "suspended")
            self.later(at + PAUSE * self.plan.failover_ms / 1000, "SIGCONT", number)
        elif what == "SIGCONT":
            worker.thaw()
            return
        elif what == "clock step":
            worker.step_clock(step_ms(random.Random(number), self.plan.store))
        elif what == "start":
            if not worker.is_running():
                worker.terminate()
                worker.start()
            return
        elif not self.do_more(at, what, number):
            return
        self.counts[what] += 1

    def do_more(self, at, what, number):
        """Disturbances of one store only. False if it is not possible now."""
        raise NotImplementedError

    def records(self):
        """The records of the source as the model must see them."""
        return self.pair.records()

    def letters(self):
        return set().union(*(read_dead_letters(worker.dead_letters, may_be_torn=True) for worker in self.workers))

    def check(self):
        """When everything is applied: ends all workers and compares."""
        for worker in self.workers:
            worker.terminate()
        records = self.records()
        pairs.assert_equal_to_model(self.pair, model.fold(records), self.letters())
        self.check_claims(records)
        audit = program.run("audit", *self.pair.options[:2], environment=self.pair.environment)
        assert audit.returncode == 0, f"the audit differs from the model: {audit.stdout}{audit.stderr}"
        self.counts["events"] = len(records)

    def close(self):
        for worker in self.workers:
            if worker.daemon and worker.daemon.process.poll() is None:
                worker.thaw()
                worker.daemon.process.kill()
            if worker.daemon:
                worker.daemon.process.wait()
                with open(worker.log, "a") as file:
                    file.write(worker.daemon.log())


class DynamodbRun(Run):
    def __init__(self, plan, folder, aws):
        super().__init__(plan, folder)
        self.aws, self.name = aws, f"o{os.getpid()}-{plan.seed}"
        self.pair = pairs.KinesisDynamodb(aws, self.name, self.name)
        self.faults = faults.mixture(plan.seed)
        self.no_date = faults.NoDate(0)
        early = [faults.EarlyDate(0.05, 0, plan.edges.early_s)] if plan.edges.early_s else []
        late = [faults.LateDate(0.3, -plan.edges.late_s, 0)] if plan.edges.late_s else []
        self.dates = faults.Faults(plan.seed, [self.no_date, *early, *late])
        other_s = plan.edges.other_date_s
        self.other_dates = faults.Faults(plan.seed, [faults.ShiftedDate(1, other_s, other_s)])
        self.pushing = self.pushes() if plan.push else None

    def pushes(self):
        plan = dataclasses.asdict(self.plan.push)
        rate, _ = plan.pop("trouble_rate"), plan.pop("is_calm_long")
        pushing = fan_out.FanOut()
        vars(pushing).update(plan, draw=subscription_faults.drawn(self.plan.seed, rate))
        return pushing

    def run(self):
        kinesis, urls = self.aws.kinesis, self.aws.emulators
        cloud.create_stream(kinesis, self.name, self.plan.shards)
        program.create_tables(self.pair.options[1], self.aws.environment)
        signatures = [aws_behaviour.ServerClock(0)] if self.plan.edges.checks_signatures else []
        with proxy.Proxy(
            urls.dynamodb_url, [self.other_dates, self.faults, *signatures]
        ) as self.to_dynamodb, proxy.Proxy(
            urls.kinesis_url, [self.dates, self.faults, *signatures, *([self.pushing] if self.pushing else [])]
        ) as to_kinesis:
            environment = {
                **self.aws.environment,
                "AWS_ENDPOINT_URL_DYNAMODB": self.to_dynamodb.url,
                "AWS_ENDPOINT_URL_KINESIS": to_kinesis.url,
            }
            options = [*self.pair.options, *self.shape_options(), "--failover-ms", str(self.plan.failover_ms)]
            options += ["--fan-out", "view"] if self.pushing else []
            self.add_workers(self.plan.workers, options, environment)
            try:
                puts = events = self.puts()
                if self.plan.packed:
                    ranges = cloud.shard_ranges(kinesis, self.name)
                    puts = workload.packed(puts, self.plan.seed, ranges)
                self.live(puts, events)
                if self.plan.edges.is_made_again:
                    self.make_again()
                else:
                    self.check()
            finally:
                self.close()
        return self.result.finish()

    def put(self, puts):
        positions = cloud.put(self.aws.kinesis, self.name, puts)
        self.acknowledged.update(dict.fromkeys(positions, claims.now_ms()))

    @contextlib.contextmanager
    def load(self, puts, seconds):
        with SteadyLoad(self.put, puts, len(puts) / seconds, round_s=0.03) as steady:
            yield
            steady.wait(SETTLE_S)

    def settle(self):
        """Clocks stay wrong."""
        for drawn in (self.faults, self.dates):
            drawn.off()
            for name, count in drawn.counts.items():
                self.counts[f"fault {name}"] += count
        self.faults.settle()
        if self.pushing:
            self.pushing.draw = lambda shard, number: None
            ends = collections.Counter(one.ended or "open" for one in self.pushing.subscriptions)
            self.counts.update({f"subscription {name}": count for name, count in ends.items()})
        if not self.plan.edges.is_made_again:
            self.workers[0].terminate()
            self.workers[0].start()
            self.until_applied()

    def until_applied(self):
        """What is pushed is known to be all only after 10 s."""
        if self.pushing:
            self.pair.wait_until_checkpointed(SETTLE_S)
        else:
            self.workers[0].daemon.wait_until_applied(SETTLE_S)

    def records(self):
        ranges = cloud.shard_ranges(self.aws.kinesis, self.name)
        return list(aggregated.take_apart(self.pair.records(), ranges))

    def do_more(self, at, what, number):
        if what == "reshard":
            self.reshard(number)
        elif what == "no Date":
            if self.plan.edges.late_s:
                return False  # a worker whose only Date is late could not find out
            self.no_date.rate = 1
            self.later(at + (60 if number % 10 == 0 else 1 + number % 5), "Date", number)
        elif what == "Date":
            self.no_date.rate = 0
            return False
        else:
            with self.to_dynamodb.refusing() if number % 2 else self.to_dynamodb.hanging():
                time.sleep(0.2 + number % 10 / 10)
        return True

    def reshard(self, number):
        stream = cloud.Stream(self.aws.kinesis, self.name)
        ranges = stream.open_ranges()
        chosen = list(ranges)[number % len(ranges)]
        neighbour = next((shard for shard in ranges if ranges[shard][0] == ranges[chosen][1] + 1), None)
        if number % 3 == 0:
            count = len(ranges) * 2 if number % 2 else (len(ranges) + 1) // 2
            stream.update_shard_count(max(1, min(6, count)))
        elif number % 3 == 1 and neighbour:
            stream.merge(chosen, neighbour)
        else:
            stream.split(chosen)

    def make_again(self):
        """Deletes the stream and makes another one of that name while the workers run. Each reports it or ends, and a
        new one refuses; nothing of the other stream may be in the view."""
        records = self.records()
        chance = random.Random(f"again {self.plan.seed}")
        if self.pushing:
            self.pushing.forget(self.name)
        cloud.delete_stream(self.aws.kinesis, self.name)
        cloud.create_stream(self.aws.kinesis, self.name, chance.randint(1, 4))
        for worker in self.workers:
            worker.may_refuse = True
        cloud.put(self.aws.kinesis, self.name, wrong_file.other_puts(records))
        wait.until(lambda: all(map(self.has_noticed, self.workers)), "every worker has noticed", SETTLE_S)
        for worker in self.workers:
            worker.terminate()
        again = self.workers[0]
        again.start()
        assert again.daemon.process.wait(SETTLE_S) == 2, again.daemon.log_tail()
        found = [*part_differences(records, self.pair, self.letters())]
        assert not found, "\n".join(found[:20])
        self.check_claims(records)
        self.counts["stream made again"] += 1

    @staticmethod
    def has_noticed(worker):
        if not worker.is_running():
            return True
        with contextlib.suppress(OSError):
            return any("stream" in trouble["reason"] for trouble in worker.daemon.health()["troubles"])
        return False

    def clean_up(self):
        self.aws.kinesis.delete_stream(StreamName=self.name, EnforceConsumerDeletion=True)
        for table in cloud.TABLES:
            self.aws.dynamodb.delete_table(TableName=f"{self.name}-{table}")


class SqliteRun(Run):
    """One process at a time fills an SQLite store. A second one is refused and changes nothing."""

    def __init__(self, plan, folder, _):
        super().__init__(plan, folder)
        self.pair = pairs.FileSqlite(folder)
        self.is_whole = threading.Lock()  # held while another file is in the place of the right one
        self.size, self.written = 0, []  # (bytes, when they were in the file, in ms)

    def run(self):
        self.add_workers(1, [*self.pair.options, *self.shape_options()], {})
        puts = self.puts()
        try:
            self.live(puts, puts)
            self.acknowledge()
            self.check()
        finally:
            self.close()
        return self.result.finish()

    @contextlib.contextmanager
    def load(self, puts, seconds):
        data = b"".join(put.data + b"\n" for put in puts)
        ending = threading.Event()
        writer = threading.Thread(target=self.write, args=(data, seconds, ending), daemon=True)
        writer.start()
        try:
            yield
            writer.join(SETTLE_S)
        finally:
            ending.set()
            writer.join()

    def write(self, data, seconds, ending):
        """Appends in pieces that end anywhere, also in the middle of a line."""
        rng = random.Random(f"pieces {self.plan.seed}")
        begin, done = time.monotonic(), 0
        while done < len(data) and not ending.wait(rng.uniform(0, 0.05)):
            due = min(1, (time.monotonic() - begin) / seconds) * len(data)
            piece = data[done : max(done + rng.randint(1, 300), int(due))]
            done += len(piece)
            self.append(piece)

    def append(self, piece):
        with self.is_whole:
            self.pair.append(piece)
            self.size += len(piece)
            self.written.append((self.size, claims.now_ms()))

    def settle(self):
        """Its times are reported by the wall clock, which must be right in the end."""
        worker = self.workers[0]
        worker.terminate()
        worker.clock_is_right()
        worker.start()
        worker.daemon.wait_until_applied(SETTLE_S)

    def acknowledge(self):
        """A line is acknowledged when the write that ended it has returned. The times in answers are the worker's."""
        for answer in self.answers:
            answer.as_of = self.workers[0].by_the_machine(answer.as_of, answer.received)
        sizes, times = zip(*self.written)
        for record in self.records():
            end = int(record.sequence) + len(record.data) + 1
            self.acknowledged[record.shard, record.sequence] = times[bisect.bisect_left(sizes, end)]

    def do_more(self, at, what, number):
        worker = self.workers[0]
        if not worker.is_running() or worker.may_die or worker.may_refuse or worker.is_frozen:
            return False
        if what == "wrong file":
            return worker.has_opened_its_file() and self.wrong_file(worker, at, number)
        self.second_process(worker)
        return True

    def wrong_file(self, worker, at, number):
        """Another file is in the place of the right one for a while, perhaps also when the worker starts again."""
        applied = wrong_file.applied(self.pair)
        if not applied:
            return False
        chance = random.Random(number)
        with self.is_whole, wrong_file.instead(self.pair, applied, chance) as kind:
            time.sleep(chance.uniform(0, 0.5))
            if chance.random() < 0.4:
                chance.choice((worker.kill, worker.terminate))()
                worker.start()
                worker.may_refuse = kind != "copy"
            time.sleep(chance.uniform(0, 0.5))
        self.counts[f"wrong file, {kind}"] += 1
        self.later(at + 1, "start", number)
        return True

    def second_process(self, worker):
        """On the same database, while the first holds it."""
        worker.daemon.wait_until_ready()
        second = Daemon(self.pair.options, {}).start(ready=False)
        try:
            status = second.process.wait(SETTLE_S)
        finally:
            second.process.kill()
        assert status == 2, f"a second process was not refused, but ended with {status}: {second.log()}"

    def clean_up(self):
        pass


def part_differences(records, pair, letters):
    """One line for each value of the store that it had at no time while these records were applied."""
    states = collections.defaultdict(list)
    for _, event, row in claims.steps(records):
        states[event.product].append(dict(row))
    folded, least = model.fold(records), collections.Counter()
    for row in pair.contributions():
        if row not in states[row["productId"]]:
            yield f"contribution {row['productId']!r} was never {row}"
        least[row.get("creator"), model.CREATOR] += row["creatorScore"]
        least[row.get("photographer"), model.PHOTOGRAPHER] += row["photographerScore"]
    for row in pair.scores():
        key = row["userId"], row["role"]
        if row["role"] not in (model.CREATOR, model.PHOTOGRAPHER):
            continue
        if not least[key] <= row["score"] <= (folded.score(*key) or 0):
            yield f"score {key} is {row['score']}, not {least[key]} to {folded.score(*key)}"
    for letter in sorted(letters - folded.dead_letters):
        yield f"dead letter {letter}: extra"


def run(plan, folder, aws):
    """`aws`: clients and running emulators (cloud.Aws). Raises AssertionError if something differs; the logs are then in
    `folder`."""
    kind = {"dynamodb": DynamodbRun, "sqlite": SqliteRun}[plan.store]
    one = kind(plan, folder, aws)
    result = one.run()
    one.clean_up()
    return result
