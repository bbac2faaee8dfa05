"""Options are documented in the manual page and the environment file, which are made from the help, and in the README. A
unit test states each default."""

import os
import re
import subprocess

import program
import pytest


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """{template: what the package has}, as deploy/package.cmake makes it."""
    help_file = tmp_path_factory.mktemp("help") / "help"
    help_file.write_text(program.help_text() + program.help_text("serve") + program.help_text("audit"))
    deploy = program.ROOT / "deploy"
    return {
        name: subprocess.run(
            ["awk", "-f", deploy / "options.awk", help_file, deploy / f"{name}.in"],
            capture_output=True, text=True, check=True, timeout=60,
        ).stdout
        for name in ("winner-view.1", "winner-view.default")
    }  # fmt: skip


@pytest.fixture
def man_section(filled):
    text = filled["winner-view.1"].replace("\\-", "-")
    return lambda name: re.search(rf"^\.SH {name}\n(.*?)(?=^\.SH |\Z)", text, re.MULTILINE | re.DOTALL)[1]


def with_default(option):
    return option.help + (f" (default: {option.default})" if option.default else "")


def test_the_man_page_has_each_option_as_help_has_it(man_section):
    entries = re.findall(r'^\.TP\n\.BI --([a-z-]+) " ([^"]*)"\n(.*)$', man_section("OPTIONS"), re.MULTILINE)
    assert entries == [(one.name, one.argument, with_default(one)) for one in program.options()]


def test_the_man_page_has_each_command_as_help_has_it(man_section):
    entries = re.findall(r"^\.TP\n\.B ([a-z-]+)\n(.*)$", man_section("COMMANDS"), re.MULTILINE)
    assert dict(entries) == program.commands()
    synopsis = set(re.findall(r"^\.B winner-view ([a-z][a-z-]+)$|\.RB \[ ([a-z]+) \]", man_section("SYNOPSIS"), re.MULTILINE))
    missing = program.commands().keys() - {one or other for one, other in synopsis}
    assert not missing, f"deploy/winner-view.1.in, SYNOPSIS, lacks: {missing}"


def test_the_man_page_has_each_exit_status(man_section):
    line = re.search(r"^Exit status: (.*)\.$", program.help_text(), re.MULTILINE)[1]
    statuses = dict(one.split(" ", 1) for one in line.split(", "))
    entries = dict(re.findall(r"^\.TP\n\.B (\d)\n(.*)$", man_section("EXIT STATUS"), re.MULTILINE))
    assert entries.keys() == statuses.keys(), "deploy/winner-view.1.in, EXIT STATUS"
    for status, text in statuses.items():
        assert entries[status].startswith(text), f"deploy/winner-view.1.in, EXIT STATUS, {status}"


def test_the_man_page_is_well_formed(filled, tmp_path):
    page = tmp_path / "winner-view.1"
    page.write_text(filled["winner-view.1"])
    done = subprocess.run(
        ["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", str(page)],
        env={**os.environ, "MANPAGER": "cat", "LC_ALL": "C.UTF-8"}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0 and not done.stderr, done.stderr
    assert "winner-view" in done.stdout


def test_the_environment_file_has_each_option_of_the_service_at_its_default(filled):
    entries = re.findall(r"^# (.*)\n#   (\S+)\n#(WINNER_VIEW_[A-Z_]+)=(.*)$", filled["winner-view.default"], re.MULTILINE)
    assert [(text, argument, name, value.strip('"')) for text, argument, name, value in entries] == [
        (one.help, one.argument, one.variable, one.default)
        for one in program.options()
        if one.name != "format"  # an option of audit
    ]


def test_the_installed_environment_file_sets_nothing(filled):
    assert [line for line in filled["winner-view.default"].splitlines() if line and not line.startswith("#")] == []


def test_the_options_of_the_readme_are_as_help_has_them():
    text = (program.ROOT / "README.md").read_text()
    rows = re.findall(r"^\| `--([a-z-]+) (\S+)` \| (.*?) \| (.*) \|$", text, re.MULTILINE)
    found = [(name, argument.replace("\\|", "|"), default.strip("`"), text) for name, argument, default, text in rows]
    named = {name for name, *_ in found}
    assert len(found) == 10
    assert found == [tuple(one) for one in program.options() if one.name in named]


def test_a_unit_test_states_the_default_of_each_option():
    """For --cache-ttl-ms it names c.cache_ttl_ms or c.api.cache.ttl_ms."""
    path = "tests/unit/server/test_options.c"
    text = (program.ROOT / path).read_text()
    for option in program.options():
        name = option.name.replace("-", "_")
        assert re.search(rf"\bc\.(\w+\.)*?{name.replace('_', '[_.]')}\b", text), (
            f"{path}: add to an_option_that_is_not_given_has_its_default: assert_...(c.{name}, {option.default!r});"
        )


def refused(done, names):
    assert done.returncode == 2
    return {name for name in names if f"{name}: '\t' is not allowed" in done.stderr}


def test_each_option_is_read_from_its_variable():
    """Most options refuse a tab. The message has the name of the variable, or that of the option."""
    options = program.options()
    flags = [word for one in options for word in (f"--{one.name}", "\t")]
    by_flag = refused(program.run("serve", *flags), [f"--{one.name}" for one in options])
    environment = {one.variable: "\t" for one in options}
    by_variable = refused(program.run("serve", environment=environment), environment)
    assert by_variable == {one.variable for one in options if f"--{one.name}" in by_flag}
    assert len(by_variable) > len(options) - 3
