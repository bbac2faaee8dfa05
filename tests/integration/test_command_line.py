"""The command line: checked as a whole at start, one line for each mistake, exit status 2."""

import socket

import program
import pytest

COMMANDS = ("serve", "create-tables", "audit", "credentials", "healthcheck", "deregister")
GOOD = ["--source", "none", "--store", "dynamodb:x", "--listen", "127.0.0.1:0"]
# option, wrong value, a word of the allowed values that the line must have
MISTAKES = [
    ("--batch-size", "0", "1000000"),
    ("--batch-size", "1000001", "1000000"),
    ("--batch-size", "many", "1000000"),
    ("--batch-size", "5x", "1000000"),
    ("--batch-size", "", "1000000"),
    ("--batch-size", "99999999999999999999", "1000000"),
    ("--listen", "nowhere", "PORT"),
    ("--listen", "127.0.0.1:70000", "PORT"),
    ("--source", "stdin", "kinesis:"),
    ("--source", "kinesis:", "kinesis:"),
    ("--store", "mysql:x", "dynamodb:"),
    ("--store", "dynamodb:", "dynamodb:"),
    ("--start", "yesterday", "trim-horizon"),
    ("--start", "at:2026-13-01T00:00:00Z", "at:"),
    ("--identities", "some", "masked"),
    ("--dead-letter", "pigeon:x", "file:"),
    ("--log-level", "loud", "info"),
    ("--log-format", "xml", "json"),
    ("--access-log", "some", "errors"),
    ("--drain-seconds", "-1", "0"),
    ("--cache-bytes", "lots", ""),
    ("--cache-ttl-ms", "-5", ""),
    ("--failover-ms", "0", ""),
    ("--connections", "0", ""),
]


@pytest.mark.parametrize("option, given, allowed", MISTAKES)
def test_a_wrong_value_is_one_line_with_the_option_the_value_and_the_allowed_ones(option, given, allowed):
    done = program.run(*GOOD, option, given)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert option in line and given in line and allowed in line


def test_several_mistakes_are_several_lines():
    done = program.run(*GOOD, "--batch-size", "0", "--identities", "some", "--log-level", "loud")
    assert done.returncode == 2
    lines = done.stderr.splitlines()
    assert len(lines) == 3
    for option in ("--batch-size", "--identities", "--log-level"):
        assert sum(option in line for line in lines) == 1


@pytest.mark.parametrize("words", [["--colour", "red"], ["dance"], ["--batch-size"], ["serve", "dance"]])
def test_an_unknown_option_or_command_is_a_mistake(words):
    done = program.run(*GOOD, *words) if words != ["dance"] else program.run("dance", *GOOD)
    assert done.returncode == 2 and words[-1] in done.stderr or words[0] in done.stderr
    assert len(done.stderr.splitlines()) >= 1


def test_a_mistake_in_the_environment_names_the_variable():
    done = program.run(*GOOD, environment={"WINNER_VIEW_BATCH_SIZE": "none"})
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "WINNER_VIEW_BATCH_SIZE" in line and "none" in line and "10000" in line


def test_help_goes_to_stdout_and_names_every_command_on_one_screen():
    done = program.run("--help")
    assert done.returncode == 0 and not done.stderr
    assert set(program.commands()) >= {*COMMANDS, "help"}
    lines = done.stdout.splitlines()
    assert len(lines) <= 24 and max(map(len, lines)) <= 80
    assert "--version" in done.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_a_help_of_its_own_options(command):
    shown = program.run("help", command)
    assert shown.returncode == 0 and shown.stdout.startswith(f"usage: winner-view {command} ")
    assert program.run(command, "--help").stdout == program.run(command, "-h").stdout == shown.stdout
    assert ("--batch-size" in shown.stdout) == (command == "serve")
    assert ("--format" in shown.stdout) == (command == "audit")


@pytest.mark.parametrize(
    "words, meant", [(["--sorce", "none"], "--source"), (["adit"], "audit"), (["-v"], "-V"), (["help", "serv"], "serve")]
)
def test_a_mistyped_option_or_command_gets_the_nearest_in_one_line(words, meant):
    done = program.run(*words)
    assert done.returncode == 2 and not done.stdout
    (line,) = done.stderr.splitlines()
    assert line.endswith(f"did you mean {meant}?")


def test_each_option_of_the_help_is_one_that_the_program_reads():
    """No option allows an empty value."""
    flags = [f"--{option.name}" for option in program.options()]
    done = program.run(*(word for flag in flags for word in (flag, "")))
    assert done.returncode == 2
    assert [line.split(":")[0] for line in done.stderr.splitlines()] == flags


@pytest.mark.parametrize("flag", ["--version", "-V"])
def test_version_is_one_line(flag):
    done = program.run(flag)
    assert done.returncode == 0 and len(done.stdout.splitlines()) == 1 and "winner-view" in done.stdout


def test_an_address_that_is_taken_is_exit_status_1_and_named(aws, tables):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = program.run(
            "--listen",
            address,
            "--source",
            "none",
            "--store",
            f"dynamodb:{tables}",
            environment=aws.environment,
        )
        assert done.returncode == 1 and address in done.stderr


def test_an_option_can_come_from_the_environment_and_the_command_line_wins(tables, stream, make_daemon):
    daemon = make_daemon(
        tables,
        stream,
        "--cache-ttl-ms",
        "1000",
        environment={"WINNER_VIEW_CACHE_TTL_MS": "2000", "WINNER_VIEW_IDENTITIES": "full"},
    )
    with daemon:
        assert daemon.get("/scores/merchant").status == 200
