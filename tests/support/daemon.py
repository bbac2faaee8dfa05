"""`winner-view serve` as a process under test: started with options, requested over HTTP, stopped by its pid."""

import collections
import json
import os
import pathlib
import re
import signal
import subprocess
import time

import emulators
import http_client
import logs
import model
import program
import wait


class Daemon:
    """One running service. A context manager that stops its process. `dead_letter_file`: where its options send
    dead letters, for dead_letters()."""

    START_TIMEOUT_S = 60
    STOP_TIMEOUT_S = 25
    writers = collections.defaultdict(list)  # of each file of dead letters

    def __init__(self, options, environment, dead_letter_file=None, port=None):
        self.port = port or emulators.free_port()
        self.argv = [program.binary(), "serve", "--listen", f"127.0.0.1:{self.port}", *options]
        self.environment = {**os.environ, **program.sanitizer_environment(), **environment}
        self.dead_letter_file = dead_letter_file
        self.process = None
        self.stderr = logs.Log()
        self.writers[dead_letter_file].append(self)

    def start(self, ready=True):
        self.process = subprocess.Popen(
            self.argv,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=self.stderr,
            stderr=subprocess.STDOUT,
            preexec_fn=emulators.die_with_parent,
        )
        if ready:
            self.wait_until_ready()
        return self

    def wait_until_ready(self):
        self.wait_for_probe("/readyz")

    def wait_until_listening(self):
        """Waits until it listens, whether its store and source can be reached or not."""
        self.wait_for_probe("/livez")

    def wait_for_probe(self, probe):
        def is_200():
            assert self.is_running(), f"exit status {self.process.poll()} before {probe} is 200:\n{self.log()}"
            try:
                return http_client.request(self.port, probe).status == 200
            except OSError:
                return False

        wait.until(is_200, f"{probe} is 200", self.START_TIMEOUT_S, every_s=0.01, seen=self.log)

    def log(self):
        return self.stderr.text()

    def log_tail(self):
        return self.log()[-3000:]

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def kill(self):
        """SIGKILL, as a crash would."""
        self.process.kill()
        self.process.wait()
        program.check_sanitizers(self.log())

    def freeze(self):
        """SIGSTOP. None of its threads runs when this returns."""
        self.process.send_signal(signal.SIGSTOP)
        os.waitpid(self.process.pid, os.WUNTRACED)

    def thaw(self):
        """SIGCONT."""
        self.process.send_signal(signal.SIGCONT)

    def peak_memory(self):
        """The peak resident size so far, in bytes."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)[1]) << 10

    def terminate(self):
        """SIGTERM. Returns (exit status, seconds it took)."""
        begin = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(self.STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(
                f"still running {self.STOP_TIMEOUT_S} s after SIGTERM:\n{self.log()[-5000:]}"
            ) from None
        program.check_sanitizers(self.log())
        return status, time.monotonic() - begin

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, *_):
        if not self.is_running():
            return
        status, seconds = self.terminate()
        if kind is None:
            assert status == 0, f"exit status {status} after SIGTERM ({seconds:.1f} s):\n{self.log()[-5000:]}"

    # What it answers.

    def get(self, target, **more):
        return http_client.request(self.port, target, **more)

    def health(self):
        return self.get("/healthz").json()

    def metrics(self):
        """{(name, frozenset of label pairs): value}"""
        values = {}
        for line in self.get("/metrics").body.decode().splitlines():
            match = re.fullmatch(r"([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)", line)
            if match:
                labels = re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', match[2] or "")
                values[match[1], frozenset(labels)] = float(match[3])
        return values

    def metric(self, name, **labels):
        """The sum over all series of that name that carry these labels."""
        wanted = set(labels.items())
        return sum(
            value for (found, pairs), value in self.metrics().items() if found == name and wanted <= pairs
        )

    # What it has applied.

    def wait_until_applied(self, timeout_s=120):
        """Waits until every record that is in the source now is in the views."""
        now_ms = int(time.time() * 1000)

        def is_applied():
            assert self.is_running(), f"it ended: {self.log_tail()}"
            try:
                as_of = self.health()["asOf"]
            except OSError:
                return False  # it does not listen yet
            return as_of and model.epoch_ms(as_of) >= now_ms

        wait.until(is_applied, f"asOf {now_ms}", timeout_s, seen=self.log_tail)

    def wait_until_boards_are_true(self):
        """Until everything that is in the source now is in the views, and the boards have an asOf: on DynamoDB that is
        one allowance later. Each request is for another board, so that none is cached. Returns the last."""
        self.wait_until_applied()
        limits = iter(range(20, 101))

        def known():
            board = self.get(f"/scores/merchant?limit={next(limits)}").json()
            return board if board["asOf"] else None

        return wait.until(known, "boards with an asOf", every_s=0.25)

    def dead_letters(self):
        return read_dead_letters(self.dead_letter_file, any(map(was_killed, self.writers[self.dead_letter_file])))


def was_killed(daemon):
    return daemon.process is not None and daemon.process.poll() == -signal.SIGKILL


def read_dead_letters(path, may_be_torn=False):
    """{(shard, place, reason)} of a file of dead letters. `may_be_torn`: a crash may have torn a line; the next process
    writes that letter again, on a line of its own."""
    letters = set()
    for line in path.read_bytes().splitlines() if path.exists() else []:
        try:
            letter = json.loads(line)
        except ValueError:
            if not may_be_torn:
                raise
            continue
        place = model.place(letter["sequenceNumber"], letter["subSequenceNumber"])
        letters.add((letter["shard"], place, letter["reason"]))
    return letters
