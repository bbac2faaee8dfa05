"""The two halves of tests/soak: a shop on DynamoDB with two workers, and one in an SQLite store. Each has kinds of troubles
that begin and end while it is under load, and checkpoints, at which all is quiet and the rows must equal the model's.

A kind is a context manager: the trouble lasts as long as its block. It yields a function that returns what /healthz should
show and has not, of {name of a trouble: reason}; or None if it is no trouble there, or need not be one.
"""

import collections
import contextlib
import fcntl
import os
import pathlib
import re
import sqlite3
import subprocess
import threading
import time

import aggregated
import cloud
import emulators
import fake_stream
import faults
import http_client
import model
import ordeal_run
import wait
from daemon import Daemon, read_dead_letters

PIPE_BYTES = 4096
KEPT_LINES = 2000
DISK_BYTES = 96 << 20
SETTLE_S = 180
SLOW_LEASE_S = 0.15
PROBE_S = 5  # for an answer of /livez


class PipedDaemon(Daemon):
    """Its log goes through a pipe, whose reader may stop."""

    def __init__(self, *arguments, **more):
        super().__init__(*arguments, **more)
        self.lines = collections.deque(maxlen=KEPT_LINES)
        self.may_read = threading.Event()
        self.may_read.set()

    def start(self, ready=True):
        read, write = os.pipe()
        fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        self.stderr = os.fdopen(write, "wb")
        threading.Thread(target=self.read_log, args=(os.fdopen(read, "rb"),), daemon=True).start()
        super().start(ready=False)
        self.stderr.close()  # ours: the reader ends with the process
        if ready:
            self.wait_until_ready()
        return self

    def read_log(self, pipe):
        with pipe:
            for line in pipe:
                self.lines.append(line.decode(errors="replace"))
                self.may_read.wait()

    def log(self):
        return "".join(list(self.lines))

    def kill(self):
        self.may_read.set()
        super().kill()

    @contextlib.contextmanager
    def blocked_log(self):
        """The pipe is full while the block lasts."""
        self.may_read.clear()
        try:
            for _ in range(3 * PIPE_BYTES // 100):  # each is a line of the log
                http_client.request(self.port, "/nothing-here", timeout_s=PROBE_S)
            yield
        finally:
            self.may_read.set()

    def sizes(self):
        """Of its process: {what: how much}"""
        folder = pathlib.Path(f"/proc/{self.process.pid}")
        kib = lambda name: int(re.search(rf"^{name}:\s+(\d+)", (folder / "status").read_text(), re.M)[1])
        return {
            "pid": self.process.pid,
            "rss_mib": kib("VmRSS") >> 10,
            "peak_mib": kib("VmHWM") >> 10,
            "descriptors": len(os.listdir(folder / "fd")),
            "threads": kib("Threads"),
            "leases": int(self.metric("winner_view_leases")),
        }


class ModelSoFar:
    """The model's result of a stream that grows."""

    def __init__(self, stream):
        self.stream, self.folded = stream, model.Model()
        self.next = collections.Counter()  # by shard: the first record that is not folded yet

    def catch_up(self, ranges):
        """Parents are folded before their children, whose numbers are higher."""
        for shard in sorted(self.stream.counts()["records"]):
            records = list(self.stream.records_of(shard, self.next[shard]))
            self.next[shard] += len(records)
            for record in aggregated.take_apart(records, ranges):
                self.folded.apply(record)
        return self.folded


class Half:
    """What both halves have in common. `kinds`: the names of its methods that are troubles."""

    def __init__(self, rng):
        self.rng, self.daemons, self.busy = rng, {}, set()
        self.letters = []  # files of dead letters

    def start(self, worker, daemon):
        self.daemons[worker] = daemon
        if daemon.dead_letter_file not in self.letters:
            self.letters.append(daemon.dead_letter_file)
        daemon.start()

    def troubles(self):
        """{name: reason}, of all its workers. One that does not answer is a failure but while its log is blocked."""
        found = {}
        for daemon in self.daemons.values():
            found.update(ordeal_run.troubles(daemon))
        return found

    @contextlib.contextmanager
    def shards(self, count):
        """Some shards that no other trouble has."""
        free = [shard for shard in self.loaded() if shard not in self.busy]
        chosen = self.rng.sample(free, min(count, len(free)))
        self.busy.update(chosen)
        try:
            yield chosen
        finally:
            self.busy.difference_update(chosen)

    @contextlib.contextmanager
    def blocked_stderr(self):
        """It serves and applies all the same."""
        daemon = self.rng.choice(list(self.daemons.values()))
        with daemon.blocked_log():
            assert daemon.get("/livez", timeout_s=PROBE_S).status == 200
            yield None
            assert daemon.get("/livez", timeout_s=PROBE_S).status == 200

    def settle(self):
        """No load, and all that is in the stream is applied."""
        daemon = next(iter(self.daemons.values()))
        daemon.wait_until_applied(SETTLE_S)
        wait.until(lambda: not self.troubles(), f"no troubles of {self.name}", SETTLE_S, 0.5, seen=self.troubles)

    def dead_letters(self):
        return set().union(*(read_dead_letters(path, may_be_torn=True) for path in self.letters))

    def check(self):
        """At rest: the rows are the model's. Returns the sizes of its processes."""
        self.settle()
        folded = self.model.catch_up(self.ranges)
        found = model.differences(folded, *self.rows(), self.dead_letters(), watermarks=self.has_watermarks)
        assert not found, f"{self.name}: {len(found)} differences:\n" + "\n".join(found[:20])
        return {f"{self.name} {worker}": daemon.sizes() for worker, daemon in self.daemons.items()}


class DynamodbHalf(Half):
    name, has_watermarks = "dynamodb", True
    kinds = "refused hung slow poisoned slow_leases throttled killed blocked_stderr resharded".split()
    SHARDS, PER_S = 16, 10

    def __init__(self, folder, rng):
        super().__init__(rng)
        self.scene = ordeal_run.Scene(folder, self.SHARDS, "soak")
        self.throttle = faults.Faults(rng.random(), [faults.Throttle(0.3, faults.WRITES)])
        self.throttle.off()
        self.split = None  # the children of the shard that was split last

    def __enter__(self):
        with contextlib.ExitStack() as opening:
            opening.enter_context(self.scene)
            self.scene.proxy.layers.append(self.throttle)
            self.stream = self.scene.stream
            self.ranges = dict(zip(self.stream.shards, self.stream.ranges))
            self.model = ModelSoFar(self.stream)
            self.client = cloud.client("dynamodb", self.scene.direct)
            self.kinesis = cloud.client("kinesis", self.scene.direct)
            opening.callback(self.stop)
            for worker in ("a", "b"):
                self.begin(worker)
            self.open = opening.pop_all()
        self.load(True)
        return self

    def __exit__(self, *_):
        self.open.close()

    def begin(self, worker):
        path = self.scene.folder / f"letters-{worker}.jsonl"
        options = ["--worker-id", worker, "--access-log", "all"]
        self.start(worker, self.scene.daemon(*options, dead_letters=path, kind=PipedDaemon))

    def stop(self):
        for daemon in self.daemons.values():
            daemon.may_read.set()
            daemon.__exit__(None)

    def load(self, is_on):
        self.scene.load(self.loaded(), self.PER_S if is_on else 0)

    def loaded(self):
        return [shard for shard in self.scene.puts if self.scene.puts[shard]]

    def rows(self):
        return cloud.contributions(self.client, "soak"), cloud.scores(self.client, "soak")

    @contextlib.contextmanager
    def of_shards(self, kind, count):
        with self.shards(count) as chosen:
            trouble = self.scene.trouble(kind, chosen)
            trouble.enter()
            try:
                yield chosen
            finally:
                trouble.leave()

    @contextlib.contextmanager
    def refused(self):
        with self.of_shards("refused", 3) as chosen:
            yield lambda seen: {f"shard {shard}" for shard in chosen} - seen.keys()

    @contextlib.contextmanager
    def hung(self):
        with self.of_shards("hung", 2) as chosen:
            yield lambda seen: {f"shard {shard}" for shard in chosen} - seen.keys()

    @contextlib.contextmanager
    def slow(self):
        with self.of_shards("slow", 2):
            yield None

    @contextlib.contextmanager
    def poisoned(self):
        with self.of_shards("poisoned", 1):
            yield None

    @contextlib.contextmanager
    def slow_leases(self):
        self.scene.slow_leases.seconds = SLOW_LEASE_S
        try:
            yield None
        finally:
            self.scene.slow_leases.seconds = 0

    @contextlib.contextmanager
    def throttled(self):
        self.throttle.is_on = True
        try:
            yield None
        finally:
            self.throttle.off()

    @contextlib.contextmanager
    def killed(self):
        """The other one takes over. Only one of the two is ever killed."""
        self.daemons.pop("b").kill()
        try:
            yield None
        finally:
            self.begin("b")

    @contextlib.contextmanager
    def resharded(self):
        """A shard is split, or those that were split last are merged."""
        if self.split and not self.busy.intersection(self.split):
            self.reshard(self.split, lambda s: s.merge(*self.split))
            self.split = None
        else:
            with self.shards(1) as (chosen,):
                self.split = self.reshard([chosen], lambda s: s.split(chosen))
        yield None

    def reshard(self, parents, change):
        """Their products move to the children, which are returned."""
        known = set(self.ranges)
        self.scene.load([parent for parent in parents if self.scene.puts[parent]], 0)
        change(cloud.Stream(self.kinesis, "soak"))
        self.ranges.update(cloud.shard_ranges(self.kinesis, "soak"))
        children = sorted(set(self.ranges) - known)
        puts = sum((self.scene.puts.pop(parent) for parent in parents), [])
        products = sum((self.scene.products.pop(parent) for parent in parents), [])
        for child in children:
            first, last = self.ranges[child]
            own = {p for p in products if first <= aggregated.hash_key(aggregated.Part(p, b"")) <= last}
            self.scene.products[child] = sorted(own)
            self.scene.puts[child] = [put for put in puts if put.partition_key in own]
        self.scene.load([child for child in children if self.scene.puts[child]], self.PER_S)
        return children


class SqliteHalf(Half):
    """Its store is on a small disk of its own, if we may mount one."""

    name, has_watermarks = "sqlite", False
    SHARDS, PER_S = 4, 50

    def __init__(self, folder, rng):
        super().__init__(rng)
        self.folder, self.disk = folder, folder / "disk"
        self.stream = fake_stream.FakeStream(self.SHARDS, "soak-sqlite")
        self.ranges = dict(zip(self.stream.shards, self.stream.ranges))
        self.kinds = "hung pinned_wal blocked_stderr killed".split()
        if os.geteuid() == 0:
            self.kinds.append("full_disk")

    def __enter__(self):
        with contextlib.ExitStack() as opening:
            opening.enter_context(self.stream)
            self.model = ModelSoFar(self.stream)
            products = self.stream.keys_of_all(ordeal_run.PRODUCTS)
            self.puts = {
                shard: [put for i, p in enumerate(products[shard]) for put in ordeal_run.events_of(p, n + i)]
                for n, shard in enumerate(self.stream.shards)
            }
            self.disk.mkdir()
            if "full_disk" in self.kinds:
                subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "soak", self.disk], check=True)
                opening.callback(subprocess.run, ["umount", "--lazy", self.disk])
            opening.callback(self.stop)
            self.begin()
            self.open = opening.pop_all()
        self.load(True)
        return self

    def __exit__(self, *_):
        self.open.close()

    def begin(self):
        path = self.folder / "letters-sqlite.jsonl"
        options = ["--store", f"sqlite:{self.disk}/view.db", "--source", "kinesis:soak-sqlite", "--drain-seconds", "0"]
        options += ["--dead-letter", f"file:{path}", "--access-log", "all"]
        self.start("embedded", PipedDaemon(options, self.stream.environment(), path))

    def stop(self):
        for daemon in self.daemons.values():
            daemon.may_read.set()
            daemon.__exit__(None)

    def load(self, is_on):
        self.stream.load(self.puts, self.PER_S if is_on else 0)

    def loaded(self):
        return list(self.puts)

    def rows(self):
        with contextlib.closing(self.connect()) as connection:
            connection.row_factory = sqlite3.Row
            return [
                [
                    {name: row[name] for name in row.keys() if row[name] is not None}
                    for row in connection.execute(f"SELECT * FROM {table}")
                ]
                for table in ("contributions", "scores")
            ]

    def connect(self):
        return sqlite3.connect(f"file:{self.disk}/view.db?mode=ro", uri=True)

    @contextlib.contextmanager
    def hung(self):
        with self.shards(1) as chosen:
            self.stream.fault(chosen, fake_stream.hang())
            try:
                yield lambda seen: {f"shard {shard}" for shard in chosen} - seen.keys()
            finally:
                self.stream.fault(chosen)

    @contextlib.contextmanager
    def pinned_wal(self):
        """A reader that has forgotten its transaction."""
        with contextlib.closing(self.connect()) as connection:
            connection.isolation_level = None
            connection.execute("BEGIN")
            connection.execute("SELECT count(*) FROM contributions").fetchone()
            yield None

    @contextlib.contextmanager
    def full_disk(self):
        ballast = self.disk / "ballast"
        with contextlib.suppress(OSError), open(ballast, "wb", buffering=0) as file:
            while file.write(bytes(4096)):
                pass
        try:
            yield None  # the log may have room enough in what it holds already
        finally:
            ballast.unlink()

    @contextlib.contextmanager
    def killed(self):
        self.daemons.pop("embedded").kill()
        try:
            yield None
        finally:
            self.begin()
