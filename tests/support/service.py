"""winner-view as a process under test: started with options, reached over HTTP, stopped by pid.

The binary is $WINNER_VIEW_BINARY, else build/release/winner-view. A line of a sanitizer's report on its
stderr fails whoever stops it.
"""

import gzip
import http.client
import json
import os
import pathlib
import re
import signal
import subprocess
import tempfile
import time

import emulators

ROOT = pathlib.Path(__file__).resolve().parents[2]
START_TIMEOUT_S = 20
STOP_TIMEOUT_S = 25
SANITIZER = re.compile(
    r"(ERROR|WARNING|SUMMARY): (Address|Leak|Thread|UndefinedBehavior|Memory)Sanitizer|runtime error:"
)


def binary():
    return os.environ.get("WINNER_VIEW_BINARY") or str(ROOT / "build" / "release" / "winner-view")


def is_sanitized():
    """True under a sanitizer, which makes everything several times slower."""
    return bool(re.search(r"/(asan|tsan)/", binary()))


def sanitizer_environment():
    return {
        "ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0:exitcode=86",
        "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=0",
        "TSAN_OPTIONS": f"exitcode=86:second_deadlock_stack=1:suppressions={ROOT}/tests/tsan.supp"
        if (ROOT / "tests" / "tsan.supp").exists()
        else "exitcode=86:second_deadlock_stack=1",
    }


# What is held against each response that `request` gets; the integration tests put openapi.yaml here.
judge = None


class Response:
    """A finished response: status, headers (names in lower case), body as bytes, as it was sent."""

    def __init__(self, method, target, reply):
        self.method, self.target = method, target
        self.status = reply.status
        self.header_lines = [(name.lower(), value) for name, value in reply.getheaders()]
        self.headers = dict(self.header_lines)
        self.body = reply.read()

    @property
    def content_type(self):
        return self.headers.get("content-type", "").split(";")[0]

    def content(self):
        """The body, decompressed if it was compressed."""
        return gzip.decompress(self.body) if self.headers.get("content-encoding") == "gzip" else self.body

    def json(self):
        return json.loads(self.content())


def request(port, target, method="GET", headers=None, timeout_s=10, host="127.0.0.1", unjudged=None):
    """One request on a connection of its own; `target` goes out as it is, escapes and all. `unjudged` says
    why its response is none that openapi.yaml describes."""
    connection = http.client.HTTPConnection(host, port, timeout=timeout_s)
    try:
        connection.putrequest(method, target, skip_accept_encoding=True)
        for name, value in (headers or {}).items():
            connection.putheader(name, value)
        connection.endheaders()
        response = Response(method, target, connection.getresponse())
    finally:
        connection.close()
    if judge and not unjudged:
        judge(response)
    return response


def run(*arguments, environment=None, timeout_s=60):
    """A command of the program that ends by itself. Returns the finished process; stderr has no sanitizer
    report."""
    full = {**os.environ, **sanitizer_environment(), **(environment or {})}
    done = subprocess.run([binary(), *arguments], env=full, capture_output=True, text=True, timeout=timeout_s)
    check_sanitizers(done.stderr)
    return done


def check_sanitizers(text):
    found = SANITIZER.search(text)
    assert not found, text[max(0, found.start() - 200) :][:20000]


class Service:
    """One running `winner-view serve`. A context manager that stops what it started."""

    def __init__(self, options, environment, port=None):
        self.port = port or emulators.free_port()
        self.argv = [binary(), "serve", "--listen", f"127.0.0.1:{self.port}", *options]
        self.environment = {**os.environ, **sanitizer_environment(), **environment}
        self.process = None
        self.stderr = tempfile.TemporaryFile()

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
        self.wait_for("/readyz", "ready")

    def wait_until_listening(self):
        """Whether its store and its source can be reached or not."""
        self.wait_for("/livez", "listening")

    def wait_for(self, probe, what):
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                if request(self.port, probe).status == 200:
                    return
            except OSError:
                pass
            time.sleep(0.01)
        raise AssertionError(f"not {what} (exit status {self.process.poll()}):\n{self.log()}")

    def log(self):
        self.stderr.seek(0)
        return self.stderr.read().decode(errors="replace")

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def kill(self):
        """SIGKILL, as a crash would."""
        self.process.kill()
        self.process.wait()
        check_sanitizers(self.log())

    def freeze(self):
        """SIGSTOP, and not only sent: no thread of it runs when this returns."""
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
            status = self.process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(
                f"still running {STOP_TIMEOUT_S} s after SIGTERM:\n{self.log()[-5000:]}"
            ) from None
        check_sanitizers(self.log())
        return status, time.monotonic() - begin

    def get(self, target, **more):
        return request(self.port, target, **more)

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

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, *_):
        if not self.is_running():
            return
        status, seconds = self.terminate()
        if kind is None:
            assert status == 0, f"exit status {status} after SIGTERM ({seconds:.1f} s):\n{self.log()[-5000:]}"
