#!/usr/bin/python3
"""DynamoDB Local and kinesis-local, the emulators that winner-view is tested with.

    tests/emulators -- COMMAND ARG...     run a command with both running; exits with its status
    tests/emulators                       start both, print lines for eval, run until SIGINT or SIGTERM
    tests/emulators --fetch               only fetch what is not in the cache yet

Both come from npm tarballs, pinned by version and checked against the integrity hashes below; they are kept
in ${XDG_CACHE_HOME:-~/.cache}/winner-view. They listen on free ports of the loopback address and keep
everything in memory. The environment for them (endpoints, throw-away credentials, no configuration files) can never
lead to a real AWS account. The process that starts them stops them, by pid; if it is killed, the kernel stops them.

From Python:

    with emulators.Emulators() as running:
        subprocess.run([...], env={**os.environ, **running.environment})
"""

import argparse
import base64
import contextlib
import ctypes
import hashlib
import http.client
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import tempfile

import logs
import wait

TARBALLS = {
    "amplify-dynamodb-simulator": (
        "2.9.30",
        "xTeeRLvzEfqyd5lh3bH4c0kHvSHHmmhD5ZDsHFKAQ5g2Zl6JqlFdutaQhCLHzxEp6Ry1o7TB6niIoXuQAnSewQ==",
    ),
    "kinesis-local": (
        "0.6.2",
        "mFlmksPMQP/A3nT22N2E8WzUbJcbEdxkCnhNCx2lHj20CW4vzuVH8zn5ByRg5LS5es8tvnx2mY1DpbZ5kw9PPQ==",
    ),
}
REGION = "us-east-1"
START_TIMEOUT_S = 60
START_TRIES = 3
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)  # loaded here: a child between fork and exec must not


def cache_folder():
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return pathlib.Path(base) / "winner-view"


def check_integrity(tarball, expected):
    digest = hashlib.sha512()
    with open(tarball, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    actual = base64.b64encode(digest.digest()).decode()
    if actual != expected:
        raise RuntimeError(f"{tarball.name}: sha512 is {actual}, expected {expected}")


def npm_pack(spec, folder):
    command = ["npm", "pack", spec, "--silent", "--pack-destination", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    tarballs = list(folder.glob("*.tgz"))
    if done.returncode != 0 or len(tarballs) != 1:
        raise RuntimeError(f"'{' '.join(command)}' failed: {done.stderr.strip()}")
    return tarballs[0]


def fetch(name):
    """Returns the unpacked package's folder; fetches, checks and unpacks it if it is not cached."""
    version, integrity = TARBALLS[name]
    target = cache_folder() / f"{name}-{version}"
    if target.is_dir():
        return target / "package"
    cache_folder().mkdir(parents=True, exist_ok=True)
    print(f"fetching {name}@{version}", file=sys.stderr)
    with tempfile.TemporaryDirectory(dir=cache_folder(), prefix=f"{name}-") as work:
        tarball = npm_pack(f"{name}@{version}", pathlib.Path(work))
        check_integrity(tarball, integrity)
        unpacked = pathlib.Path(work) / "unpacked"
        with tarfile.open(tarball) as archive:
            archive.extractall(unpacked)
        try:
            unpacked.rename(target)  # the whole folder appears at once, or another process was faster
        except OSError:
            if not target.is_dir():
                raise
    return target / "package"


def free_port():
    """Below the ports that the kernel gives to clients: tests have thousands of those, and one could take this port before
    its server does."""
    clients = pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()
    below = int(clients[0])
    while True:
        with socket.socket() as probe, contextlib.suppress(OSError):
            # Hypothesis seeds the module's own generator alike in all processes.
            probe.bind(("", random.SystemRandom().randrange(10240, below) if below > 20000 else 0))
            return probe.getsockname()[1]


def die_with_parent():
    """Runs in the child before exec: an emulator must not outlive the process that started it, even if that is killed."""
    os.setsid()  # Ctrl-C in a terminal reaches only us; we stop the emulators in order
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def answers(port):
    """True if an HTTP server answers there at all: neither emulator has a health check without a signed
    request."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/")
        connection.getresponse().read()
        return True
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


class Emulator:
    """One process with its log. `start` retries on another port if the one it found has been taken."""

    def __init__(self, name, command):
        self.name = name
        self.command = command
        self.process = None
        self.port = None
        self.log = logs.Log()

    def log_tail(self):
        return self.log.text()[-2000:]

    def start(self):
        for _ in range(START_TRIES):
            self.port = free_port()
            argv, environment, folder = self.command(self.port)
            self.process = subprocess.Popen(
                argv,
                cwd=folder,
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=self.log,
                stderr=subprocess.STDOUT,
                preexec_fn=die_with_parent,
            )
            if self.wait_until_it_answers():
                return
            self.stop()
        raise RuntimeError(f"{self.name} does not start:\n{self.log_tail()}")

    def wait_until_it_answers(self):
        """False if it ended instead."""
        ended = lambda: self.process.poll() is not None
        wait.until(lambda: ended() or answers(self.port), f"{self.name} answers", START_TIMEOUT_S, 0.05, self.log_tail)
        return not ended()

    @contextlib.contextmanager
    def paused(self):
        """All its threads are stopped: connections stay open, and what is sent is not answered."""
        os.kill(self.process.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, self.process.pid, os.WSTOPPED | os.WNOWAIT)
        try:
            yield
        finally:
            os.kill(self.process.pid, signal.SIGCONT)

    def stop(self):
        if self.process is None:
            return
        self.process.kill()  # they keep nothing, and kinesis-local takes 30 s to end on SIGTERM
        self.process.wait()
        self.process = None


def dynamodb_command(port):
    folder = fetch("amplify-dynamodb-simulator") / "emulator"
    argv = [
        "java",
        "-Xms256m",
        "-Xmx2g",
        "-Djava.library.path=DynamoDBLocal_lib",
        "-jar",
        "DynamoDBLocal.jar",
    ]
    return argv + ["-inMemory", "-sharedDb", "-port", str(port)], {"DDB_LOCAL_TELEMETRY": "0"}, folder


def kinesis_command(streams):
    """By default each change to a stream takes effect after 500 ms; tests need not wait for that."""
    slow = "CREATE_STREAM DELETE_STREAM MERGE_SHARDS SPLIT_SHARD UPDATE_SHARD_COUNT UPDATE_STREAM_MODE"
    environment = {f"{operation}_DURATION": "20ms" for operation in slow.split()}
    environment.update(AWS_REGION=REGION, SHARD_LIMIT="10000", LOG_LEVEL="ERROR")
    if streams:
        environment.update(INITIALIZE_STREAMS=streams)

    def command(port):
        ports = {"KINESIS_MOCK_PLAIN_PORT": str(port), "KINESIS_MOCK_TLS_PORT": str(free_port())}
        return ["node", "main.js"], {**environment, **ports}, fetch("kinesis-local")

    return command


class Addresses:
    """The addresses of two emulators that any process may have started."""

    VARIABLES = ("WINNER_VIEW_DYNAMODB", "WINNER_VIEW_KINESIS")

    def __init__(self, dynamodb_url, kinesis_url):
        self.dynamodb_url, self.kinesis_url = dynamodb_url, kinesis_url

    @classmethod
    def shared(cls):
        """Those that another process has exported; None if there are none."""
        urls = [os.environ.get(name) for name in cls.VARIABLES]
        return cls(*urls) if all(urls) else None

    def exported(self):
        return dict(zip(self.VARIABLES, (self.dynamodb_url, self.kinesis_url), strict=True))

    @property
    def environment(self):
        return {
            "AWS_ENDPOINT_URL_DYNAMODB": self.dynamodb_url,
            "AWS_ENDPOINT_URL_KINESIS": self.kinesis_url,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "AKIDWINNERVIEWTEST",
            "AWS_SECRET_ACCESS_KEY": "not-a-secret",
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
            "AWS_EC2_METADATA_DISABLED": "true",
        }


class Emulators:
    """Both emulators, as a context manager."""

    def __init__(self, streams=""):
        self.dynamodb = Emulator("DynamoDB Local", dynamodb_command)
        self.kinesis = Emulator("kinesis-local", kinesis_command(streams))

    def start(self):
        try:
            self.dynamodb.start()
            self.kinesis.start()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self):
        self.kinesis.stop()
        self.dynamodb.stop()

    __enter__ = start

    def __exit__(self, *_):
        self.stop()

    @property
    def addresses(self):
        return Addresses(f"http://127.0.0.1:{self.dynamodb.port}", f"http://127.0.0.1:{self.kinesis.port}")

    @property
    def dynamodb_url(self):
        return self.addresses.dynamodb_url

    @property
    def kinesis_url(self):
        return self.addresses.kinesis_url

    @property
    def environment(self):
        return self.addresses.environment


class Stopped(BaseException):
    """Raised by SIGTERM and SIGINT, so that `with` and `finally` blocks run."""

    def __init__(self, number):
        super().__init__(number)
        self.number = number


def stop_on_signals():
    def on_signal(number, _):
        signal.signal(number, signal.SIG_IGN)  # a second one must not cut the cleaning up short
        raise Stopped(number)

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)


def run_command(command, environment):
    child = subprocess.Popen(command, env={**os.environ, **environment})
    try:
        status = child.wait()
    except Stopped:
        child.terminate()
        child.wait()
        raise
    return status if status >= 0 else 128 - status


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fetch", action="store_true", help="only fetch what is not in the cache yet")
    parser.add_argument(
        "--streams", default="", metavar="NAME:SHARDS,...", help="streams to create at the start"
    )
    parser.add_argument("command", nargs="*", help="what to run with both running (after --)")
    options = parser.parse_args()
    for program in ("java", "node", "npm"):
        if not shutil.which(program):
            parser.error(f"'{program}' is not installed (see deploy/packages.sh, list 'emulators')")
    stop_on_signals()
    try:
        for name in TARBALLS:
            fetch(name)
        if options.fetch:
            return 0
        with Emulators(options.streams) as running:
            if options.command:
                return run_command(options.command, running.environment)
            for name, value in running.environment.items():
                print(f"export {name}={value}")
            sys.stdout.flush()
            signal.pause()
    except Stopped as stopped:
        return 128 + stopped.number
    except (RuntimeError, AssertionError) as error:
        print(f"emulators.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
