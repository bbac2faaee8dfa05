"""The systemd unit, the Dockerfile and the package's files, as far as they can be checked without deploying them.
tests/root deploys them."""

import pathlib
import re
import subprocess

import dockerfile
import program
import pytest

DEPLOY = program.ROOT / "deploy"
UNIT = DEPLOY / "winner-view.service"
EXPOSURE = 20  # in tenths; 100 is "unsafe"
MOST_DRAIN_S = 15


@pytest.fixture(scope="module")
def unit():
    """{name: [value, ...]} over all sections."""
    found = {}
    for name, value in re.findall(r"^([A-Za-z]+)=(.*)$", UNIT.read_text(), re.MULTILINE):
        found.setdefault(name, []).append(value)
    return found


@pytest.fixture(scope="module")
def version():
    return re.search(r"^project\(\S+ VERSION (\S+) ", (program.ROOT / "CMakeLists.txt").read_text(), re.MULTILINE)[1]


def seconds(value):
    return int(re.fullmatch(r"(\d+)s", value)[1])


def test_the_units_sandbox_passes_systemds_security_check():
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", f"--threshold={EXPOSURE}", str(UNIT)],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_systemd_accepts_every_setting_of_the_unit():
    """Except that the program and its man page are not installed here."""
    done = subprocess.run(["systemd-analyze", "verify", str(UNIT)], capture_output=True, text=True, timeout=60)
    warnings = [line for line in done.stderr.splitlines() if "winner-view.service" in line]
    assert [line for line in warnings if "not executable" not in line and "Command 'man" not in line] == []


def test_the_unit_uses_notifications_and_its_timeouts_fit_the_programs(unit):
    assert unit["Type"] == ["notify"] and unit["NotifyAccess"] == ["main"]
    assert seconds(unit["WatchdogSec"][0]) * 1000 >= 3 * program.limit("LIMIT_NOTIFY_MS")
    assert seconds(unit["TimeoutStopSec"][0]) * 1000 > MOST_DRAIN_S * 1000 + program.limit("LIMIT_STOP_STUCK_MS")
    most = program.run("--drain-seconds", str(MOST_DRAIN_S + 1))
    assert most.returncode == 2 and f"to {MOST_DRAIN_S}" in most.stderr


def test_the_unit_does_not_restart_a_wrong_configuration(unit):
    assert unit["RestartPreventExitStatus"] == ["2"]


def test_the_unit_runs_what_the_package_installs(unit):
    text = (DEPLOY / "package.cmake").read_text()
    assert unit["ExecStart"] == ["/usr/bin/winner-view serve"] and "set(CPACK_INSTALL_PREFIX /usr)" in text
    assert unit["EnvironmentFile"] == ["-/etc/default/winner-view"]
    assert (DEPLOY / "debian" / "conffiles").read_text().split() == ["/etc/default/winner-view"]


def test_package_container_and_program_have_one_version(version):
    assert program.run("--version").stdout == f"winner-view {version}\n"
    changelog = (DEPLOY / "debian" / "changelog").read_text()
    assert re.match(r"winner-view \((\S+)\) ", changelog)[1] == version
    labels = [rest for word, rest in dockerfile.instructions() if word == "LABEL"]
    assert f'org.opencontainers.image.version="{version}"' in labels


def test_the_dockerfile_uses_only_instructions_that_the_tests_can_run():
    assert [word for word, _ in dockerfile.instructions() if not hasattr(dockerfile.Build, f"do_{word.lower()}")] == []


def test_the_container_runs_as_a_numeric_user_and_checks_health_with_the_program():
    last = dict(dockerfile.instructions())
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", last["USER"])
    assert dockerfile.exec_form(last["ENTRYPOINT"]) == ["/usr/bin/winner-view"]
    assert last["HEALTHCHECK"].endswith('CMD ["/usr/bin/winner-view", "healthcheck"]')


def packages(name):
    script = f". deploy/packages.sh && packages_for {name}"
    done = subprocess.run(["bash", "-c", script], cwd=program.ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_the_containers_packages_are_those_of_the_programs_libraries():
    wanted = re.findall(
        r"\(NEEDED\).*\[(.*)\]",
        subprocess.run(["readelf", "-d", program.binary()], capture_output=True, text=True, check=True).stdout,
    )
    owners = set()
    for library in wanted:
        done = subprocess.run(["dpkg", "-S", f"*/{library}"], capture_output=True, text=True, check=True)
        owners.update(line.partition(":")[0] for line in done.stdout.splitlines() if line.endswith(f"/{library}"))
    of_the_compiler = ("libc6", "libasan", "libubsan", "libtsan", "libgcc")
    owners = {name for name in owners if not name.startswith(of_the_compiler)}
    assert owners == packages("runtime") - {"ca-certificates"}


@pytest.mark.parametrize("name", ["postinst", "prerm", "postrm"])
def test_the_packages_scripts_are_plain_shell_and_stop_at_the_first_failure(name):
    path = pathlib.Path(DEPLOY, "debian", name)
    assert path.stat().st_mode & 0o111 and "\nset -e\n" in path.read_text()
    assert subprocess.run(["sh", "-n", str(path)]).returncode == 0
