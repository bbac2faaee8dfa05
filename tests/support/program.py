"""The executable under test, and its options, commands and limits as --help and the sources give them.

The binary is $WINNER_VIEW_BINARY, else build/release/winner-view. Each run also checks that no sanitizer reported an
error.
"""

import functools
import os
import pathlib
import re
import subprocess
import typing

ROOT = pathlib.Path(__file__).resolve().parents[2]
SANITIZER = re.compile(
    r"(ERROR|WARNING|SUMMARY): (Address|Leak|Thread|UndefinedBehavior|Memory)Sanitizer|runtime error:"
)


def binary():
    return os.environ.get("WINNER_VIEW_BINARY") or str(ROOT / "build" / "release" / "winner-view")


def is_sanitized():
    """True under a sanitizer, which makes everything several times slower."""
    return bool(re.search(r"/(asan|tsan)/", binary()))


def sanitizer_environment():
    return {
        "ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0:exitcode=86",
        "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=0",
        "TSAN_OPTIONS": "exitcode=86:second_deadlock_stack=1",
    }


def check_sanitizers(text):
    found = SANITIZER.search(text)
    assert not found, text[max(0, found.start() - 200) :][:20000]


# On a busy machine DynamoDB Local takes minutes for the indexes of tables that are there.
CREATION_S = 300


def run(*arguments, environment=None, timeout_s=None):
    """A command of the program that ends by itself. Returns the finished process."""
    timeout_s = timeout_s or (CREATION_S if "create-tables" in arguments else 60)
    full = {**os.environ, **sanitizer_environment(), **(environment or {})}
    done = subprocess.run([binary(), *arguments], env=full, capture_output=True, text=True, timeout=timeout_s)
    check_sanitizers(done.stderr)
    return done


def create_tables(store, environment, *options):
    done = run("create-tables", "--store", store, *options, environment=environment)
    assert done.returncode == 0, done.stderr


# Options, commands and limits, for tests of manifests, templates and pages that must agree with the program.


@functools.cache
def help_text(command=None):
    """Of the program, or of one command."""
    done = run("help", command) if command else run("--help")
    assert done.returncode == 0, done.stderr
    return done.stdout


class Option(typing.NamedTuple):
    name: str
    argument: str
    default: str  # "": none
    help: str

    @property
    def variable(self):
        return "WINNER_VIEW_" + self.name.upper().replace("-", "_")


@functools.cache
def options(command=None):
    """Those of a command, or all: serve's, then audit's own."""
    text = help_text(command) if command else help_text("serve") + help_text("audit")
    found = re.findall(r"(?m)^  --([a-z-]+) (\S+)\n      (.*?)(?: \(default: ([^()]*)\))?$", text)
    assert len(found) > 20 or command
    return list(dict.fromkeys(Option(name, argument, default, text) for name, argument, text, default in found))


def variables():
    return {option.variable for option in options()}


def commands():
    """{command: what it does}"""
    text = help_text().partition("commands:\n")[2].partition("\n\n")[0]
    return dict(re.findall(r"(?m)^  ([a-z][a-z-]+) +(.*)$", text))


def default(name):
    return next(option.default for option in options() if option.name == name)


def limit(name):
    """A number of base/limits.h."""
    text = (ROOT / "base" / "limits.h").read_text().replace("\\\n", " ")
    number, shift = re.search(rf"(?m)^#define {name}\s+\(?(\d+)(?: << (\d+)\))?", text).groups()
    return int(number) << int(shift or 0)
