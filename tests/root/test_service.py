"""The installed service under a running systemd: sandbox, notifications, restarts, stop, upgrade and removal."""

import contextlib
import pathlib
import subprocess

import booted_root
import emulators
import http_client
import pytest
import wait
from small_shop import person, product, puts

UNIT = "winner-view.service"
EVENTS = puts(product("lamp", person("merchant", "Ann"), None, 3))
ENVIRONMENT = "/etc/default/winner-view"
STATE = "/var/lib/private/winner-view"
OURS = f"/etc/systemd/system/{UNIT}.d"


class Machine(booted_root.Booted):
    """A machine with the package, whose service uses a free port."""

    def __init__(self, root, package):
        super().__init__(root)
        self.port = emulators.free_port()
        self.package = package
        root.path("/usr/sbin/policy-rc.d").unlink()  # here, services start
        root.path("/var/winner-view.deb").write_bytes(package.read_bytes())
        self.configure()

    def configure(self, *lines):
        path = self.root.path(ENVIRONMENT)
        path.write_text("\n".join([f"WINNER_VIEW_LISTEN=127.0.0.1:{self.port}", *lines, ""]))

    def settings(self, *lines):
        """Overrides settings of the unit."""
        self.root.path(OURS).mkdir(parents=True, exist_ok=True)
        self.root.path(f"{OURS}/test.conf").write_text("\n".join(["[Service]", *lines, ""]))
        self.run("systemctl", "daemon-reload")

    def install(self):
        kept = "--option=DPkg::Options::=--force-confold"
        self.run("apt-get", "install", "-y", "-qq", "--no-install-recommends", "--reinstall", kept, "/var/winner-view.deb")

    def main_pid(self):
        """The pid of the main process; 0 if there is none."""
        return int(self.show(UNIT)["MainPID"])

    def answer(self, target):
        with contextlib.suppress(OSError):
            return http_client.request(self.port, target)

    def has_events(self):
        answer = self.answer("/contributions/lamp")
        return answer and answer.json().get("purchases") == 3


@pytest.fixture(scope="module")
def machine(system, package):
    root = system.copy(system.folder.parent / "booted")
    with Machine(root, package) as found:
        found.install()
        yield found


@pytest.fixture
def running(machine):
    """The machine with the service running, and its events in the view."""
    machine.configure()
    machine.settings("RestartSec=100ms")
    machine.run("systemctl", "restart", UNIT)
    machine.root.path(f"{STATE}/events.jsonl").write_bytes(b"".join(put.data + b"\n" for put in EVENTS))
    wait.until(machine.has_events, f"the events are in the view; {machine.journal(UNIT)}")
    return machine


def test_the_installed_service_runs_and_waits_for_its_events(machine):
    assert machine.show(UNIT)["ActiveState"] == "active"
    status = machine.show(UNIT)["StatusText"]
    assert status.startswith("starting, lag unknown, in trouble: start: file 'events.jsonl' is not there yet")


def test_the_service_works_in_its_sandbox_and_reports_its_lag(running):
    wait.until(lambda: "serving, lag " in running.show(UNIT)["StatusText"], "the lag in the status")
    assert (running.root.path(STATE) / "winner-view.db").exists()
    assert running.run("systemctl", "is-failed", UNIT, check=False).stdout.strip() == "active"


def test_the_service_runs_as_an_unprivileged_user(running):
    group = running.show(UNIT)["ControlGroup"].lstrip("/")
    (pid,) = (running.group / group / "cgroup.procs").read_text().split()
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    fields = dict(line.split(":\t", 1) for line in status.splitlines())
    assert int(fields["Uid"].split()[0]) >= 61184  # systemd.exec(5): DynamicUser= takes one of 61184..65519
    assert int(fields["CapEff"], 16) == int(fields["CapBnd"], 16) == 0
    assert fields["NoNewPrivs"] == "1" and fields["Seccomp"] == "2"


def test_a_frozen_service_is_restarted(running):
    running.settings("WatchdogSec=3s", "RestartSec=100ms")
    running.run("systemctl", "restart", UNIT)
    frozen = running.main_pid()
    running.run("systemctl", "kill", "--signal=STOP", "--kill-whom=main", UNIT)
    wait.until(lambda: running.main_pid() not in (0, frozen), "another was started")
    wait.until(running.has_events, "it serves again")
    assert "Failed with result 'watchdog'" in running.journal(UNIT)


def test_a_crashed_service_is_restarted(running):
    crashed = running.main_pid()
    running.run("systemctl", "kill", "--signal=KILL", "--kill-whom=main", UNIT)
    wait.until(lambda: running.main_pid() not in (0, crashed), "another was started")
    wait.until(running.has_events, "it serves again")


def test_a_stopped_service_ends_with_success_and_stays_stopped(running):
    running.run("systemctl", "stop", UNIT)
    shown = running.show(UNIT)
    assert (shown["ActiveState"], shown["Result"], shown["ExecMainStatus"]) == ("inactive", "success", "0")


def test_a_wrong_configuration_fails_the_start_without_a_restart(running):
    running.configure("WINNER_VIEW_BATCH_SIZE=none")
    assert running.run("systemctl", "restart", UNIT, check=False).returncode != 0
    shown = running.show(UNIT)
    assert (shown["ActiveState"], shown["ExecMainStatus"]) == ("failed", "2")
    assert "WINNER_VIEW_BATCH_SIZE: 'none'" in running.journal(UNIT)


def test_a_missing_store_does_not_fail_the_start(running):
    running.configure(
        "WINNER_VIEW_SOURCE=none", "WINNER_VIEW_STORE=dynamodb:nowhere", "AWS_ENDPOINT_URL=http://127.0.0.1:9",
        "AWS_REGION=eu-west-1", "AWS_ACCESS_KEY_ID=x", "AWS_SECRET_ACCESS_KEY=y",
    )  # fmt: skip
    running.run("systemctl", "restart", UNIT)
    shown = running.show(UNIT)
    assert shown["ActiveState"] == "active" and "127.0.0.1 port 9" in shown["StatusText"]


def test_an_upgrade_restarts_the_service_and_keeps_the_view(running):
    before = running.main_pid()
    running.install()
    wait.until(lambda: running.main_pid() not in (0, before), "the new one runs")
    wait.until(running.has_events, "it serves")


def test_removal_stops_the_service_and_purge_deletes_its_files(running):
    running.run("dpkg", "--remove", "winner-view")
    assert running.answer("/livez") is None
    assert running.root.has(f"{STATE}/winner-view.db") and running.root.has(ENVIRONMENT)
    subprocess.run(["rm", "-r", running.root.path(OURS)], check=True)
    running.run("dpkg", "--purge", "winner-view")
    assert not running.root.has(STATE) and not running.root.has(ENVIRONMENT)
    assert running.show(UNIT)["LoadState"] == "not-found"
