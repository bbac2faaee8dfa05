"""One run of tests/torture, drawn from a seed: a random workload and random workers, which are killed, frozen, stopped
and started again, with random resharding and random faults. In the end the rows must equal the model's.

    plan = torture_run.draw(seed, "dynamodb")           # pure: the same plan for the same seed
    result = torture_run.run(plan, folder, aws)         # raises AssertionError if anything differs
    result.counts["SIGKILL"], result.counts["fault LostAnswer"], ...

The seed draws what happens and when. How far the service is by then depends on the machine, so that a seed repeats a
run nearly, not exactly. Faults between the service and the emulators repeat exactly for each call (faults.py).
"""

import collections
import dataclasses
import heapq
import os
import random
import signal
import threading
import time

import aggregated
import cloud
import faults
import model
import pairs
import program
import proxy
import wait
import workload
from daemon import Daemon, read_dead_letters
from steady_load import SteadyLoad

KILLABLE = program.ROOT / "build" / "kill" / "winner-view"
STORES = ("dynamodb", "sqlite")
SETTLE_S = 120
KILL_POINTS = 60  # a process with a kill point dies at one of the first so many
PAUSE = 1.2  # a worker is frozen for this many failover times


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
    disturbances: list  # (seconds after the beginning, kind, a number to choose with)

    def __str__(self):
        what = collections.Counter(what for _, what, _ in self.disturbances)
        disturbances = ", ".join(f"{count} {name}" for name, count in sorted(what.items()))
        return (
            f"seed {self.seed} on {self.store}: {self.events} events of {self.products} products in "
            f"{self.seconds:.1f} s, {self.shards} shards, {self.workers} workers, failover "
            f"{self.failover_ms} ms{', aggregated' if self.packed else ''}; {disturbances}"
        )


DISTURBANCES = {
    "dynamodb": {"SIGKILL": 4, "kill point": 4, "SIGSTOP": 2, "SIGTERM": 2, "reshard": 2, "outage": 1},
    "sqlite": {"SIGKILL": 5, "kill point": 5, "SIGSTOP": 1, "SIGTERM": 2, "second process": 1},
}


def draw(seed, store):
    rng = random.Random(f"ordeal {seed} {store}")  # another word would make other plans of known seeds
    seconds = rng.uniform(3, 7) if store == "dynamodb" else rng.uniform(1.5, 4)
    names, weights = zip(*DISTURBANCES[store].items())
    disturbances = [
        (rng.uniform(0.2, seconds), what, rng.getrandbits(32))
        for what in rng.choices(names, weights, k=rng.randint(2, 8))
    ]
    return Plan(
        seed=seed,
        store=store,
        events=rng.randint(200, 1200) if store == "dynamodb" else rng.randint(2_000, 20_000),
        products=rng.choice((3, 20, 100)),
        seconds=seconds,
        shards=rng.randint(1, 4),
        workers=rng.randint(1, 4),
        failover_ms=rng.randint(1000, 2000),
        packed=store == "dynamodb" and rng.random() < 0.5,
        disturbances=sorted(disturbances),
    )


class Result:
    def __init__(self):
        self.counts = collections.Counter()
        self.begin = time.monotonic()

    def finish(self):
        self.counts["seconds"] = round(time.monotonic() - self.begin, 1)
        return self


class Worker:
    """A worker whose process is started several times. Each start draws its own options."""

    def __init__(self, number, rng, folder, options, environment, counts):
        self.number, self.rng, self.counts = number, rng, counts
        self.options, self.environment = options, environment
        self.dead_letters = folder / f"dead-letters-{number}.jsonl"
        self.log = folder / f"log-{number}.txt"
        self.daemon = None
        self.may_die = self.is_frozen = False

    def is_running(self):
        return self.daemon is not None and self.daemon.is_running()

    def start(self, kill_point=0):
        """Starts the process. With a kill point it may end by itself."""
        size = int(2 ** self.rng.uniform(0, 8))
        own = ["--batch-size", str(size), "--batch-window-ms", str(self.rng.choice((0, 0, 50, 300)))]
        own += ["--dead-letter", f"file:{self.dead_letters}", "--drain-seconds", "0"]
        point = {"WINNER_VIEW_KILLPOINT": str(kill_point)} if kill_point else {}
        self.daemon = Daemon([*self.options, *own], {**self.environment, **point})
        self.may_die = bool(kill_point)
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
        assert status == 0 or too_early or (died and self.may_die) or stop is Daemon.kill, (
            f"worker {self.number} ended with status {status}: {text[-3000:]}"
        )
        self.daemon = None

    def kill(self):
        self.end(Daemon.kill)

    def terminate(self):
        self.end(lambda daemon: daemon.process.send_signal(signal.SIGTERM))

    def freeze(self):
        if self.is_running() and not self.is_frozen:
            self.daemon.freeze()
            self.is_frozen = True

    def thaw(self):
        if self.is_frozen:
            self.daemon.thaw()
        self.is_frozen = False


class Run:
    """The common part of the runs on both stores: workers, timed disturbances, the comparison."""

    def __init__(self, plan, folder):
        self.plan, self.folder = plan, folder
        self.result = Result()
        self.counts = self.result.counts
        self.agenda = [(at, n, what, number) for n, (at, what, number) in enumerate(plan.disturbances)]
        self.workers = []

    def add_workers(self, count, options, environment):
        for number in range(count):
            rng = random.Random(f"worker {number} {self.plan.seed}")
            self.workers.append(Worker(number, rng, self.folder, options, environment, self.counts))

    def puts(self):
        """Some events are put twice, as by a producer that lost the answer. Of those with an event id one counts."""
        plan, rng = self.plan, random.Random(f"again {self.plan.seed}")
        puts = pairs.can_be_lines(
            workload.generate(plan.seed, plan.events, plan.products, merchants=12, photographers=5)
        )
        again = [(n + rng.expovariate(1 / 30), put) for n, put in enumerate(puts) if rng.random() < 0.3]
        in_order = sorted([*enumerate(puts), *again], key=lambda pair: pair[0])
        return [put for _, put in in_order]

    def later(self, at, what, number=0):
        heapq.heappush(self.agenda, (at, len(self.agenda) + 1000 * number, what, number))

    def play(self):
        """Causes every disturbance at its time. Some add more to the agenda."""
        begin = time.monotonic()
        heapq.heapify(self.agenda)
        while self.agenda:
            at, _, what, number = heapq.heappop(self.agenda)
            time.sleep(max(0, begin + at - time.monotonic()))
            self.do(at, what, number)

    def do(self, at, what, number):
        worker = self.workers[number % len(self.workers)]
        if what == "SIGKILL":
            worker.kill()
            self.later(at + 0.1 + number % 7 / 10, "start", number)
        elif what == "kill point":
            worker.terminate()
            worker.start(kill_point=1 + number % KILL_POINTS)
            self.later(at + 2, "start", number)
            return  # counted when the process has died
        elif what == "SIGTERM":
            worker.terminate()
            self.later(at + number % 5 / 10, "start", number)
        elif what == "SIGSTOP":
            worker.freeze()
            self.later(at + PAUSE * self.plan.failover_ms / 1000, "SIGCONT", number)
        elif what == "SIGCONT":
            worker.thaw()
            return
        elif what == "start":
            if not worker.is_running():
                worker.terminate()
                worker.start()
            return
        elif not self.do_more(what, number):
            return
        self.counts[what] += 1

    def do_more(self, what, number):
        """Disturbances of one store only. False if it is not possible now."""
        raise NotImplementedError

    def records(self):
        """The records of the source as the model must see them."""
        return self.pair.records()

    def check(self, daemon):
        """When everything is applied, ends all workers and compares."""
        daemon.wait_until_applied(SETTLE_S)
        for worker in self.workers:
            worker.terminate()
        records = self.records()
        letters = set().union(*(read_dead_letters(worker.dead_letters, may_be_torn=True) for worker in self.workers))
        pairs.assert_equal_to_model(self.pair, model.fold(records), letters)
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

    def run(self):
        kinesis, urls = self.aws.kinesis, self.aws.emulators
        cloud.create_stream(kinesis, self.name, self.plan.shards)
        program.create_tables(self.pair.options[1], self.aws.environment)
        with proxy.Proxy(urls.dynamodb_url, [self.faults]) as self.to_dynamodb, proxy.Proxy(
            urls.kinesis_url, [self.faults]
        ) as to_kinesis:
            environment = {
                **self.aws.environment,
                "AWS_ENDPOINT_URL_DYNAMODB": self.to_dynamodb.url,
                "AWS_ENDPOINT_URL_KINESIS": to_kinesis.url,
            }
            options = [*self.pair.options, "--failover-ms", str(self.plan.failover_ms)]
            self.add_workers(self.plan.workers, options, environment)
            try:
                puts = self.puts()
                if self.plan.packed:
                    ranges = cloud.shard_ranges(kinesis, self.name)
                    puts = workload.packed(puts, self.plan.seed, ranges)
                per_second = len(puts) / self.plan.seconds
                self.live(SteadyLoad(cloud.Stream(kinesis, self.name).put, puts, per_second))
            finally:
                self.close()
        return self.result.finish()

    def live(self, steady):
        with steady:
            for worker in self.workers:
                worker.start()
            self.play()
            wait.until(lambda: steady.done == len(steady.puts) or steady.failure, "all put", SETTLE_S)
        self.faults.off()
        self.faults.settle()
        for name, count in self.faults.counts.items():
            self.counts[f"fault {name}"] += count
        for worker in self.workers:
            worker.thaw()
        last = self.workers[0]
        last.terminate()
        last.start()
        self.check(last.daemon)

    def records(self):
        ranges = cloud.shard_ranges(self.aws.kinesis, self.name)
        return list(aggregated.take_apart(self.pair.records(), ranges))

    def do_more(self, what, number):
        if what == "reshard":
            self.reshard(number)
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

    def clean_up(self):
        self.aws.kinesis.delete_stream(StreamName=self.name, EnforceConsumerDeletion=True)
        for table in cloud.TABLES:
            self.aws.dynamodb.delete_table(TableName=f"{self.name}-{table}")


class SqliteRun(Run):
    """One process at a time fills an SQLite store. A second one is refused and changes nothing."""

    def __init__(self, plan, folder, _):
        super().__init__(plan, folder)
        self.pair = pairs.FileSqlite(folder)

    def run(self):
        self.add_workers(1, self.pair.options, {})
        data = b"".join(put.data + b"\n" for put in self.puts())
        ending = threading.Event()
        writer = threading.Thread(target=self.write, args=(data, ending), daemon=True)
        writer.start()
        try:
            self.workers[0].start()
            self.play()
            writer.join(SETTLE_S)
            worker = self.workers[0]
            worker.terminate()
            worker.start()
            self.check(worker.daemon)
        finally:
            ending.set()
            writer.join()
            self.close()
        return self.result.finish()

    def write(self, data, ending):
        """Appends in pieces that end anywhere, also in the middle of a line."""
        rng = random.Random(f"pieces {self.plan.seed}")
        begin, done = time.monotonic(), 0
        while done < len(data) and not ending.wait(rng.uniform(0, 0.05)):
            due = min(1, (time.monotonic() - begin) / self.plan.seconds) * len(data)
            piece = data[done : max(done + rng.randint(1, 300), int(due))]
            self.pair.append(piece)
            done += len(piece)
        if done < len(data) and not ending.is_set():
            self.pair.append(data[done:])

    def do_more(self, what, number):
        """A second process on the same database, while the first holds it."""
        worker = self.workers[0]
        if not worker.is_running() or worker.may_die or worker.is_frozen:
            return False
        worker.daemon.wait_until_ready()
        second = Daemon(self.pair.options, {}).start(ready=False)
        try:
            status = second.process.wait(SETTLE_S)
        finally:
            second.process.kill()
        assert status == 2, f"a second process was not refused, but ended with {status}: {second.log()}"
        return True

    def clean_up(self):
        pass


def run(plan, folder, aws):
    """`aws`: clients and running emulators (cloud.Aws). Raises AssertionError if something differs; the logs are then in
    `folder`."""
    kind = {"dynamodb": DynamodbRun, "sqlite": SqliteRun}[plan.store]
    one = kind(plan, folder, aws)
    result = one.run()
    one.clean_up()
    return result
