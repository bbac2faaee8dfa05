"""The container made by the Dockerfile's steps from a bootstrapped Debian. It runs as an unprivileged user on a
read-only root."""

import contextlib
import os
import pathlib
import re
import signal
import subprocess
import time

import emulators
import http_client
import program
import pytest
import debian_roots
import wait
from small_shop import person, product, puts

EVENTS = puts(product("lamp", person("merchant", "Ann"), None, 3))
COMPILERS = ("cc", "gcc", "g++", "c99", "cpp", "ld", "as", "make", "cmake", "ninja", "pkg-config", "protoc-c", "clang")


@pytest.fixture(scope="module")
def image(built):
    return built.image


class Container(debian_roots.Running):
    """The entry point as the first process on its read-only root, on a free port. A context manager that ends it."""

    def __init__(self, image, folder, *options, environment=None):
        self.image, self.port = image, emulators.free_port()
        listen = image.environment["WINNER_VIEW_LISTEN"].replace("8080", str(self.port))
        self.environment = {**(environment or {}), "WINNER_VIEW_LISTEN": listen}
        argv = image.command([*image.entry_point, *options], self.environment, read_only=True, first=True)
        super().__init__(argv, folder / "log")

    def get(self, target):
        with contextlib.suppress(OSError):
            return http_client.request(self.port, target)

    def healthcheck(self):
        argv = self.image.command(self.image.healthcheck, self.environment)
        return subprocess.run(argv, capture_output=True, text=True, timeout=60).returncode

    def status(self):
        lines = pathlib.Path(f"/proc/{self.pid()}/status").read_text().splitlines()
        return dict(line.split(":\t", 1) for line in lines)


def test_the_container_has_no_compiler_no_headers_and_no_build_tree(image):
    for name in COMPILERS:
        for folder in ("usr/bin", "usr/local/bin"):
            assert not image.root.has(f"{folder}/{name}"), name
    assert not list(image.root.path("/usr/include").glob("*.h"))
    assert not image.root.has("/src") and not image.root.has("/out") and not image.root.has("/tmp/packages.sh")


def test_the_container_is_labelled_with_the_projects_version(image):
    version = re.search(r"^project\(.* VERSION (\S+) ", (program.ROOT / "CMakeLists.txt").read_text(), re.MULTILINE)[1]
    assert image.labels["org.opencontainers.image.version"] == version
    assert image.labels["org.opencontainers.image.title"] == "winner-view"
    done = subprocess.run(image.command([*image.entry_point, "--version"]), capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == f"winner-view {version}"


def test_the_containers_user_is_a_number_and_not_root(image):
    """An orchestrator that requires an unprivileged user cannot look up names."""
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", image.user)


def test_the_container_listens_on_all_addresses_of_the_port_that_it_exposes(image):
    assert image.environment["WINNER_VIEW_LISTEN"] == "[::]:8080" and image.exposed == {8080}


@pytest.fixture
def database():
    """A path that the user may write to: the root is read-only."""
    path = f"/dev/shm/winner-view-{os.getpid()}.db"
    yield path
    for suffix in ("", "-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path + suffix)


def test_the_container_serves_on_a_read_only_root_is_healthy_and_stops_with_status_0(image, tmp_path, database):
    folder = image.root.path("/var/lib/winner-view")
    (folder / "events.jsonl").write_bytes(b"".join(put.data + b"\n" for put in EVENTS))

    def has_all():
        answer = running.get("/contributions/lamp")
        return answer and answer.json().get("purchases") == 3

    with Container(image, tmp_path, "--store", f"sqlite:{database}") as running:
        wait.until(has_all, "the events are in the view")
        assert running.get("/readyz").status == 200, running.log()
        assert running.status()["Uid"].split()[0] == image.user.partition(":")[0]
        assert int(running.status()["CapEff"], 16) == 0
        assert running.status()["NSpid"].split()[-1] == "1"
        assert running.healthcheck() == 0
        assert running.stop() == 0
        assert running.healthcheck() == 1


def test_a_second_signal_ends_the_container_at_once(image, tmp_path, database):
    """The kernel does not deliver signals that a first process does not handle."""
    (image.root.path("/var/lib/winner-view") / "events.jsonl").write_bytes(EVENTS[0].data + b"\n")
    with Container(image, tmp_path, "--store", f"sqlite:{database}", "--drain-seconds", "15") as running:
        wait.until(lambda: (answer := running.get("/readyz")) and answer.status == 200, "it serves")
        running.signal(signal.SIGTERM)
        wait.until(lambda: running.get("/readyz").status == 503, "it drains")
        begin = time.monotonic()
        running.signal(signal.SIGTERM)
        assert running.wait() == 128 + signal.SIGTERM and time.monotonic() - begin < 10


def test_a_container_that_waits_for_its_store_is_healthy(image, tmp_path):
    """Otherwise an engine would restart it again and again."""
    nowhere = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_REGION": "eu-west-1"}
    keys = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y"}
    options = ("--source", "none", "--store", "dynamodb:nowhere")
    with Container(image, tmp_path, *options, environment={**nowhere, **keys}) as running:
        wait.until(lambda: running.get("/livez"), "it listens")
        assert running.get("/readyz").status == 503
        assert running.healthcheck() == 0
        assert running.stop() == 0
