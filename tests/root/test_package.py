"""The Debian package of cpack, installed, run, removed and purged in a bootstrapped Debian."""

import contextlib
import re
import shutil
import subprocess

import emulators
import http_client
import program
import pytest
import debian_roots
import wait
from small_shop import person, product, puts

EVENTS = puts(product("lamp", person("merchant", "Ann"), None, 3))
UNIT = "/lib/systemd/system/winner-view.service"
ENVIRONMENT = "/etc/default/winner-view"
STATE = "/var/lib/private/winner-view"
# Paths that other packages leave: caches, logs, the package manager's state.
NOT_OURS = re.compile(r"var/(cache|log|lib/(dpkg|apt|systemd/deb-systemd-helper-(en|mas)ked$|pam|ucf))|run|tmp|proc|dev|etc/ld\.so\.cache")


@pytest.fixture
def installed(system, package):
    subprocess.run(["cp", package, system.path("/tmp/winner-view.deb")], check=True)
    debian_roots.install(system, "/tmp/winner-view.deb")
    yield system
    system.run(["dpkg", "--purge", "winner-view"])


def ours(root):
    return {path for path in root.files() if not NOT_OURS.match(path)}


def test_lintian_has_no_error_and_no_warning(system, package):
    subprocess.run(["cp", package, system.path("/tmp/" + package.name)], check=True)
    done = system.run(
        ["lintian", "--allow-root", "--tag-display-limit=0", "--fail-on=error,warning", f"/tmp/{package.name}"],
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_package_contains_the_service_its_environment_file_and_documents(installed):
    for path in (
        "/usr/bin/winner-view",
        UNIT,
        ENVIRONMENT,
        "/usr/share/man/man1/winner-view.1.gz",
        "/usr/share/bash-completion/completions/winner-view",
        "/usr/share/zsh/vendor-completions/_winner-view",
        "/usr/share/fish/vendor_completions.d/winner-view.fish",
        "/usr/share/winner-view/openapi.yaml",
    ):
        assert installed.has(path), path
    for name in ("grafana", "prometheus"):
        if (program.ROOT / "deploy" / name).is_dir():
            assert any(installed.path(f"/usr/share/winner-view/{name}").iterdir()), name
    assert installed.run(["winner-view", "--version"]).stdout.startswith("winner-view ")
    assert "winner-view" in installed.run(["man", "winner-view"], environment={"MANPAGER": "cat"}).stdout


def test_the_unit_is_enabled_and_systemd_finds_nothing_wrong_with_it(installed):
    assert installed.has("/etc/systemd/system/multi-user.target.wants/winner-view.service")
    done = installed.run(["systemd-analyze", "verify", UNIT])
    assert "winner-view" not in done.stdout + done.stderr, done.stderr
    installed.run(["systemd-analyze", "security", "--offline=yes", "--threshold=20", UNIT])


def unit_setting(root, name):
    return re.search(rf"^{name}=(.*)$", root.path(UNIT).read_text(), re.MULTILINE)[1]


def test_the_installed_program_runs_as_in_the_unit(installed, tmp_path):
    """With the unit's command in a directory of an unprivileged user, and the environment file unchanged except for the
    port."""
    port = emulators.free_port()
    folder = installed.path("/var/lib/winner-view-test")
    folder.mkdir()
    folder.chmod(0o777)
    (folder / "events.jsonl").write_bytes(b"".join(put.data + b"\n" for put in EVENTS))
    argv = installed.command(
        unit_setting(installed, "ExecStart").split(), user="65534:65534", directory="/var/lib/winner-view-test",
        environment={"WINNER_VIEW_LISTEN": f"127.0.0.1:{port}"},
    )  # fmt: skip
    with debian_roots.Running(argv, tmp_path / "log") as running:
        wait.until(lambda: purchases(port) == 3, "the events are in the view")
        assert running.stop() == 0, running.log()
    shutil.rmtree(folder)


def purchases(port):
    with contextlib.suppress(OSError):
        answer = http_client.request(port, "/contributions/lamp")
        return answer.json().get("purchases")


def test_an_upgrade_keeps_the_administrators_settings(installed):
    with open(installed.path(ENVIRONMENT), "a") as file:
        file.write("WINNER_VIEW_IDENTITIES=full\n")
    installed.run(["dpkg", "--install", "--force-confold", "/tmp/winner-view.deb"])
    assert installed.path(ENVIRONMENT).read_text().endswith("WINNER_VIEW_IDENTITIES=full\n")


def test_removal_keeps_configuration_and_data_and_purge_leaves_nothing(system, package):
    before = ours(system)
    subprocess.run(["cp", package, system.path("/tmp/winner-view.deb")], check=True)
    debian_roots.install(system, "/tmp/winner-view.deb")
    system.path(STATE).mkdir(parents=True)
    (system.path(STATE) / "winner-view.db").write_bytes(b"x")
    system.path("/var/lib/winner-view").symlink_to("private/winner-view")

    system.run(["dpkg", "--remove", "winner-view"])
    assert system.has(ENVIRONMENT) and system.has(f"{STATE}/winner-view.db")
    assert not system.has("/usr/bin/winner-view") and not system.has(UNIT)

    system.run(["dpkg", "--purge", "winner-view"])
    dependencies = {path for path in ours(system) - before if "winner-view" in path}
    assert dependencies == set()
    assert not system.has(STATE) and not system.has("/var/lib/winner-view") and not system.has(ENVIRONMENT)
