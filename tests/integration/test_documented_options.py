"""Options are told in five places, by hand and by the program's own table (--help): none may say anything else
than the table does."""

import os
import re
import subprocess

import program
import pytest

DEPLOY = program.ROOT / "deploy"
NOT_OF_THE_SERVICE = {"format"}  # an option of audit


class Option:
    def __init__(self, name, argument, text):
        match = re.fullmatch(r"(.*) \(default: ([^()]*)\)", text)
        self.name, self.argument = name, argument
        self.help, self.default = (match[1], match[2]) if match else (text, "")

    @property
    def has_fixed_default(self):
        return " " not in self.default  # else it is told in words

    def __eq__(self, other):
        return vars(self) == vars(other)

    def __repr__(self):
        return str(vars(self))


@pytest.fixture(scope="module")
def help_text():
    return program.help_text()


@pytest.fixture(scope="module")
def options(help_text):
    found = [Option(*match) for match in re.findall(r"^  --([a-z-]+) (\S+)\n      (.*)$", help_text, re.MULTILINE)]
    assert len(found) == len(re.findall(r"^  --[a-z-]+ \S+$", help_text, re.MULTILINE)) > 20
    return found


@pytest.fixture(scope="module")
def commands():
    return program.commands()


def plain(roff):
    return roff.replace("\\-", "-")


def man_section(name):
    text = plain((DEPLOY / "winner-view.1").read_text())
    return re.search(rf"^\.SH {name}\n(.*?)(?=^\.SH |\Z)", text, re.MULTILINE | re.DOTALL)[1]


def test_the_man_page_has_each_option_as_help_has_it(options):
    entries = re.findall(
        r'^\.TP\n\.BI --([a-z-]+) " ([^"]*)"\n(.*?)(?=^\.TP|\Z)', man_section("OPTIONS"), re.MULTILINE | re.DOTALL
    )
    assert [Option(name, argument, " ".join(text.split())) for name, argument, text in entries] == options


def test_the_man_page_has_each_command_as_help_has_it(commands):
    entries = re.findall(r"^\.TP\n\.B ([a-z-]+)\n(.*)$", man_section("COMMANDS"), re.MULTILINE)
    assert dict(entries) == commands
    synopsis = set(re.findall(r"^\.B winner-view ([a-z][a-z-]+)$|\.RB \[ ([a-z]+) \]", man_section("SYNOPSIS"), re.MULTILINE))
    assert {one or other for one, other in synopsis} == commands.keys()


def test_the_man_page_has_each_exit_status(help_text):
    line = re.search(r"^Exit status: (.*)\.$", help_text, re.MULTILINE)[1]
    told = dict(one.split(" ", 1) for one in line.split(", "))
    section = man_section("EXIT STATUS")
    entries = dict(re.findall(r"^\.TP\n\.B (\d)\n(.*)$", section, re.MULTILINE))
    assert entries.keys() == told.keys()
    for status, text in told.items():
        assert entries[status].startswith(text), status


def test_the_man_page_is_well_formed():
    done = subprocess.run(
        ["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", str(DEPLOY / "winner-view.1")],
        env={**os.environ, "MANPAGER": "cat", "LC_ALL": "C.UTF-8"}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0 and not done.stderr, done.stderr
    assert "winner-view" in done.stdout


def test_the_environment_file_has_each_option_of_the_service_at_its_default(options):
    text = (DEPLOY / "winner-view.default").read_text()
    entries = re.findall(r"^# (.*)\n#   (\S+)\n#(WINNER_VIEW_[A-Z_]+)=(.*)$", text, re.MULTILINE)
    expected = [
        (one.help, one.argument, variable(one), one.default if one.has_fixed_default else "")
        for one in options
        if one.name not in NOT_OF_THE_SERVICE
    ]
    assert entries == expected


def test_the_environment_file_sets_nothing_as_it_comes():
    lines = (DEPLOY / "winner-view.default").read_text().splitlines()
    assert [line for line in lines if line and not line.startswith("#")] == []


def test_the_ten_options_of_the_readme_are_as_help_has_them(options):
    text = (program.ROOT / "README.md").read_text()
    rows = re.findall(r"^\| `--([a-z-]+) (\S+)` \| (.*?) \| (.*) \|$", text, re.MULTILINE)
    found = [
        (name, argument.replace("\\|", "|"), default.strip("`"), text) for name, argument, default, text in rows
    ]
    named = {name for name, *_ in found}
    assert len(found) == 10
    assert found == [(one.name, one.argument, one.default, one.help) for one in options if one.name in named]


def variable(option):
    return "WINNER_VIEW_" + option.name.upper().replace("-", "_")


def test_each_variable_of_the_environment_file_is_one_that_the_program_reads(options):
    """What no option allows is a mistake of that variable, so the program knows it."""
    for option in options:
        if option.argument in ("NAME", "ID"):
            continue  # almost anything is allowed
        done = program.run("serve", environment={variable(option): "\t"})
        assert done.returncode == 2 and variable(option) in done.stderr, option.name


# --- bash completion. -------------------------------------------------------------------------------------


def completed(*words):
    """What bash would offer for the last of these words; its ':' is a word of its own, as bash has it."""
    script = (
        f'. {DEPLOY}/winner-view.bash-completion; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); '
        '_winner_view; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(
        ["bash", "-c", script, "bash", program.binary(), *words], capture_output=True, text=True, timeout=60
    )
    assert not done.stderr, done.stderr
    return set(done.stdout.split())


def test_completion_offers_each_command_and_each_option(options, commands):
    assert completed("") == commands.keys()
    assert completed("cr") == {"create-tables", "credentials"}
    assert completed("serve", "--") == {f"--{one.name}" for one in options} | {"--help", "--version"}
    assert completed("serve", "--cache-s") == {"--cache-stale-ms", "--cache-stale-if-error-ms"}


@pytest.mark.parametrize(
    "option, typed, offered",
    [
        ("--source", "", {"kinesis:", "file:", "none"}),
        ("--store", "s", {"sqlite:"}),
        ("--listen", "", {"none"}),
        ("--start", "", {"trim-horizon", "latest", "at:"}),
        ("--log-level", "", {"error", "warn", "info", "debug"}),
        ("--access-log", "n", {"none"}),
        ("--batch-size", "", set()),
        ("--worker-id", "", set()),
    ],
)
def test_completion_offers_what_an_option_allows(option, typed, offered):
    assert completed("serve", option, typed) == offered


def test_completion_leaves_what_comes_after_a_colon_to_file_names():
    assert completed("serve", "--source", "file", ":", "ev") == set()
