"""The commands in the READMEs have the documented effect. Those of README.md run in their order, as a reader types them, and
their output has the form that is printed there. (deploy/README.md has a test of its own: test_operator_procedures.py.)"""

import json
import os
import re
import signal
import subprocess

import cloud
import documents
import emulators
import http_client
import program
import pytest
import wait

# Commands that cannot run here, and why.
NOT_HERE = {
    "./tests/run.sh": "it runs this test; tests/fresh.sh runs it on a bare Debian",
}
STARTS_A_SERVICE = re.compile(r"\./deploy/quickstart\.sh$|build/release/winner-view (?!create-tables)")
FOLDER_READMES = [name for name in documents.all_paths() if name.partition("/")[0] in ("api", "aws", "ingest", "views")]

pytestmark = pytest.mark.skipif(
    program.binary() != str(program.ROOT / "build" / "release" / "winner-view"), reason="the READMEs run the release preset"
)


class Terminals:
    """Runs commands in a tree like this one, but with only the release preset in build/. A command that serves replaces the
    one before."""

    def __init__(self, folder, environment):
        self.folder, self.port, self.service = folder, emulators.free_port(), None
        self.environment = {**os.environ, **environment, "WINNER_VIEW_LISTEN": f"127.0.0.1:{self.port}"}
        for path in program.ROOT.iterdir():
            if path.name not in (".git", "build"):
                (folder / path.name).symlink_to(path)
        (folder / "build").mkdir()
        (folder / "build" / "release").symlink_to(program.ROOT / "build" / "release")
        self.output = folder / "output"
        self.words = {":8080": f":{self.port}"}

    def type(self, command):
        """Runs a command and returns its output; of one that serves, the output until it is ready."""
        if command.startswith("export "):
            name, value = re.match(r"export (\w+)=(\S+)", command).groups()
            self.environment[name] = value
            return ""
        if STARTS_A_SERVICE.match(command):
            return self.serve(command)
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", self.adapt(command)],
            cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert done.returncode == 0, f"{command}\n{done.stderr}"
        return done.stdout

    def adapt(self, command):
        for word, instead in self.words.items():
            command = command.replace(word, instead)
        return command + f" --port {self.port}" if command == "./deploy/quickstart.sh" else command

    def serve(self, command):
        self.stop()
        with open(self.output, "w") as output:
            self.service = subprocess.Popen(
                ["bash", "-c", "exec " + self.adapt(command)], cwd=self.folder, env=self.environment,
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, preexec_fn=emulators.die_with_parent,
            )  # fmt: skip
        wait.until(self.is_up, f"that {command} serves", 300)  # it builds what has changed
        return self.output.read_text()

    def is_up(self):
        """The quick start is up when it has printed its last line; the program when it has reached its stream, or
        listens if its source is a file, which may not exist yet."""
        assert self.service.poll() is None, self.output.read_text()
        if "quickstart" in self.service.args[-1]:
            return "Ctrl-C" in self.output.read_text()
        path = "/readyz" if "kinesis:" in self.service.args[-1] else "/livez"
        try:
            return http_client.request(self.port, path).status == 200
        except OSError:
            return False

    def stop(self):
        if self.service:
            self.service.send_signal(signal.SIGTERM)
            assert self.service.wait(60) == 0, self.output.read_text()
            self.service = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def form(value):
    """The structure of a JSON value. A text is only 'str', because the READMEs cut long texts; so is null, which may be a
    text at another time: an hour before the next month a listing ends, and after it there is a next page."""
    if isinstance(value, dict):
        return {name: form(one) for name, one in value.items()}
    if isinstance(value, list):
        return [form(one) for one in value]
    return "str" if value is None else type(value).__name__


def has_form(printed, expected, port):
    """Whether the output is JSON of the same structure, or begins with the same lines."""
    try:
        return form(json.loads(printed)) == form(json.loads(expected))
    except json.JSONDecodeError:
        lines = [line.replace(f":{port}", ":8080").rstrip() for line in printed.splitlines()]
        return lines[: len(expected.splitlines())] == expected.splitlines()


def try_commands(terminals, commands):
    """A curl command is repeated until its output is as printed: a person types slower than the service works."""
    for command, expected in commands:
        if command.partition(" ")[0] in NOT_HERE:
            continue
        command = re.sub(r"\s+# .*", "", command)
        printed = [terminals.type(command)]

        def prints_as_documented():
            if command.startswith("curl"):
                printed[0] = terminals.type(command)
            return expected is None or has_form(printed[0], expected, terminals.port)

        wait.until(prints_as_documented, f"{command} prints {expected}", seen=lambda: printed[0], timeout_s=20 if expected else 0)


def test_the_commands_of_the_readme_print_the_output_that_it_shows(aws, tmp_path):
    commands = documents.block_commands("README.md")
    assert len(commands) > 8
    (region,) = [match[1] for command, _ in commands if (match := re.match(r"export AWS_REGION=(\S+)", command))]
    kinesis = cloud.client("kinesis", {**aws.environment, "AWS_REGION": region})
    stream = cloud.create_stream(kinesis, f"readme-{os.getpid()}")
    with Terminals(tmp_path, aws.environment) as terminals:
        terminals.words["kinesis:retail-stream"] = f"kinesis:{stream}"
        try_commands(terminals, commands)


@pytest.mark.parametrize("name", FOLDER_READMES)
def test_the_commands_of_a_folders_readme_run(name, tmp_path):
    with Terminals(tmp_path, {}) as terminals:
        try_commands(terminals, documents.block_commands(name))


def test_each_command_that_is_not_run_here_is_in_a_readme():
    typed = {command.partition(" ")[0] for name in ["README.md", *FOLDER_READMES] for command, _ in documents.block_commands(name)}
    assert NOT_HERE.keys() - typed == set()


@pytest.mark.parametrize(
    "printed, expected",
    [
        ('{"a": 1}', '{"a": "1"}'),
        ('{"a": 1, "b": 2}', '{"a": 1}'),
        ("[]", "[1]"),
        ("serving\n    http://127.0.0.1:9/", "serving\n    http://127.0.0.1:8080/board"),
    ],
)
def test_output_of_another_form_is_detected(printed, expected):
    assert not has_form(printed, expected, 9)
