"""What the program says of itself, for whatever must agree with it: manifests, templates, pages."""

import functools
import re

import service


@functools.cache
def help_text():
    done = service.run("--help")
    assert done.returncode == 0, done.stderr
    return done.stdout


def variables():
    """Its options by their names in the environment."""
    names = re.findall(r"(?m)^  --([a-z-]+) \S", help_text())
    assert len(names) > 20
    return {"WINNER_VIEW_" + name.upper().replace("-", "_") for name in names}


def commands():
    """What each of them does, by name."""
    text = help_text().partition("commands:\n")[2].partition("\n\n")[0]
    return dict(re.findall(r"(?m)^  ([a-z][a-z-]+) +(.*)$", text))


def default(option):
    return re.search(rf"(?m)^  --{option} \S+\n.*\(default: (.*)\)$", help_text())[1]


def limit(name):
    """A number of base/limits.h."""
    text = (service.ROOT / "base" / "limits.h").read_text().replace("\\\n", " ")
    number, shift = re.search(rf"(?m)^#define {name}\s+\(?(\d+)(?: << (\d+)\))?", text).groups()
    return int(number) << int(shift or 0)
