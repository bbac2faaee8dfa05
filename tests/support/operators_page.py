"""The commands of deploy/README.md.

Those marked to be run are one script, run against the emulators (test_operator_procedures.py). All others need AWS, a
cluster or a machine to change. They are run too (test_operators_commands.py), in a folder with fake programs that only
record their arguments. Each recorded `aws` command is then given to the real one, with an endpoint that records and
refuses the request: before that, the real one has checked the command against its model of AWS.
"""

import concurrent.futures
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

import program
import proxy

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = ROOT / "deploy" / "README.md"
MARKED = re.compile(r"^<!-- run -->\n```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NO_SHELL = ("scrape_configs:",)  # an indented block with this first line is not shell
NOTED = "aws docker kubectl systemctl journalctl sudo sudoedit cmake cpack apt-get curl sqlite3 winner-view".split()

# Put before a script: it stops at the first failure and leaves no process.
PRELUDE = """\
set -euo pipefail
trap 'status=$?; kill $(jobs -p) 2>/dev/null || :; exit $status' EXIT
"""

NOTE = f"""\
#!{sys.executable}
import json, os, sys
name = os.path.basename(sys.argv[0])
if "--password-stdin" in sys.argv:
    sys.stdin.read()
with open(os.environ["NOTES"], "a") as file:
    file.write(json.dumps([name, *sys.argv[1:]]) + "\\n")
reply = json.dumps({{"asOf": None, "Body": "{{}}", "ReceiptHandle": "r"}})
print(reply if name == "curl" or "receive-message" in sys.argv else "something")
"""

def text():
    return PAGE.read_text()


def script(**changes):
    """The marked commands, with each key of `changes` replaced by its value."""
    commands = "\n".join(MARKED.findall(text()))
    for word, instead in changes.items():
        assert word.lstrip("_") in commands, word
        commands = commands.replace(word.lstrip("_"), instead)
    return PRELUDE + commands


def unmarked_blocks():
    """The indented commands, by block."""
    blocks = []
    for block in re.findall(r"(?:^ {4}.*\n)+", MARKED.sub("", text()), re.MULTILINE):
        lines = [line[4:] for line in block.splitlines()]
        if not lines[0].startswith(NO_SHELL):
            blocks.append("\n".join(lines) + "\n")
    return blocks


def prose_commands(program):
    """The commands in the sentences of the page, such as `aws ecs describe-tasks`."""
    prose = re.sub(r"^ {4}.*$", "", MARKED.sub("", text()), flags=re.MULTILINE)
    return re.findall(rf"`({program} [^`]*)`", prose)


def all_commands():
    """Every line of the page that is a command, marked or not."""
    return [line for block in [*MARKED.findall(text()), *unmarked_blocks()] for line in block.splitlines()]


class RecordingAws:
    """An AWS endpoint that records every request and refuses it. `asked` has (operation, parameters)."""

    def __init__(self):
        self.asked = []
        self.proxy = proxy.Proxy("http://127.0.0.1:1")  # never contacted: every answer is made here
        self.proxy.on_request = self.answer

    def answer(self, request):
        target, content_type = request.header("X-Amz-Target"), request.header("Content-Type") or ""
        if target:
            self.asked.append((target.rpartition(".")[2], request.json()))
        elif "urlencoded" in content_type:
            form = dict(proxy.urllib.parse.parse_qsl(request.body.decode()))
            self.asked.append((form["Action"], form))
            return 400, self.refusal(form["Action"])
        else:
            self.asked.append((f"{request.method} {request.target}", request.body))
        return 400, json.dumps({"__type": "Heard", "message": "Heard"}).encode()

    @staticmethod
    def refusal(action):
        """`cloudformation deploy` continues if there is no stack yet."""
        none = "Heard: Stack with id winner-view does not exist"
        code, message = ("ValidationError", none) if action == "DescribeStacks" else ("Heard", "Heard")
        error = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>"
        return f"<ErrorResponse>{error}<RequestId>r</RequestId></ErrorResponse>".encode()

    def __enter__(self):
        self.proxy.__enter__()
        return self

    def __exit__(self, *exception):
        self.proxy.__exit__(*exception)


class Rehearsal:
    """The unmarked commands, run in `folder`. `done`: the finished shell; `noted`: the calls of fake programs; `asked`: the
    requests of the real `aws`; `refused`: the `aws` commands that made no request."""

    def __init__(self, folder):
        self.folder, self.notes = folder, folder / "notes"
        self.notes.touch()
        self.programs()
        self.done = subprocess.run(
            ["bash", "-x", "-c", PRELUDE + "\n".join(f'cd "$CLONE"\n{block}' for block in unmarked_blocks())],
            cwd=folder, env=self.environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        self.noted = [json.loads(line) for line in self.notes.read_text().splitlines()]
        self.ask()

    def programs(self):
        """Makes the folder like a clone that was built, with the fake programs first in the PATH."""
        for path in ("bin", "tests", "build/release"):
            (self.folder / path).mkdir(parents=True)
        (self.folder / "deploy").symlink_to(ROOT / "deploy")
        (self.folder / "build/release/winner-view_0_amd64.deb").touch()
        for path in [*(f"bin/{name}" for name in NOTED), "tests/emulators"]:
            (self.folder / path).write_text(NOTE)
            (self.folder / path).chmod(0o755)

    def environment(self):
        return {
            **os.environ,
            "PATH": f"{self.folder}/bin:{os.environ['PATH']}",
            "CLONE": str(self.folder),
            "TMPDIR": str(self.folder),
            "NOTES": str(self.notes),
            "AWS_REGION": "eu-west-1",
            "AWS_DEFAULT_REGION": "eu-west-1",
            "AWS_ACCESS_KEY_ID": "x",
            "AWS_SECRET_ACCESS_KEY": "y",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_MAX_ATTEMPTS": "1",
            "AWS_PAGER": "",
        }

    def ask(self):
        """Gives one `aws` command of each kind to the real one. The key of a stack's output makes no difference."""
        kinds = {re.sub(r"OutputKey=='\w+'", "", " ".join(call)): call for call in self.calls("aws")}
        with RecordingAws() as endpoint, concurrent.futures.ThreadPoolExecutor(4) as pool:
            outputs = list(pool.map(lambda call: self.try_aws(endpoint, call), kinds.values()))
            self.asked = list(endpoint.asked)
        self.refused = [one for one in outputs if "Heard" not in one]

    def try_aws(self, endpoint, call):
        argv = [shutil.which("aws"), "--endpoint-url", endpoint.proxy.url, *call]
        done = subprocess.run(
            argv, cwd=self.folder, env=self.environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=120,
        )  # fmt: skip
        return f"aws {' '.join(call)}\n{done.stdout}{done.stderr}"

    def calls(self, program):
        return [arguments for name, *arguments in self.noted if name == program]


def is_configuration_mistake(options):
    """Whether the program finds a mistake in them. `healthcheck` checks all options and needs no running service."""
    return program.run("healthcheck", *options).returncode == 2
