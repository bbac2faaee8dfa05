"""The documents of the tree (*.md), taken apart: words, sentences, links, sections, commands.

Commands are in a block that is indented or fenced as ```sh, or in a block fenced as ```console: there a line that begins
with "$ " is a command, and its output follows. Other blocks have no commands. Short commands are also `in a sentence`.
"""

import functools
import os
import pathlib
import re
import statistics
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INDENTED = re.compile(r"(?:(?<=\n\n)|\A)(?: {4}.*\n|\n(?= {4}))+")
LINK = re.compile(r"!?\[([^\]]*)\]\(([^)\s]+)\)")


@functools.cache
def all_paths():
    """Every document that git tracks or would add."""
    argv = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"]
    names = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    return [name for name in sorted(set(names)) if (ROOT / name).exists()]


def read(name):
    return (ROOT / name).read_text()


def count_words(text):
    """As `wc -w` counts them."""
    return len(text.split())


def without_code(text):
    return INDENTED.sub("\n", FENCE.sub("", text))


def sentences(text):
    """The sentences of a document's prose. Code, tables, headings, pictures and comments do not count."""
    text = re.sub(r"<!--.*?-->", "", without_code(text), flags=re.DOTALL)
    text = re.sub(r"^(?:#|\||!\[).*$", "", text, flags=re.MULTILINE)
    text = LINK.sub(r"\1", text)
    text = re.sub(r"`[^`]*`", lambda span: re.sub(r"[.!?](?=\s)", "", span[0]), text)
    paragraphs = re.split(r"\n\s*\n|^\s*(?:[*-]|\d+\.) ", text, flags=re.MULTILINE)
    found = [one for paragraph in paragraphs for one in re.split(r"(?<=[.!?])[*`\")]*\s+", " ".join(paragraph.split()))]
    return [one for one in found if re.search(r"\w", one)]


def median_sentence(text):
    """The length of the median sentence, in words."""
    return statistics.median(count_words(one) for one in sentences(text))


def anchor(heading):
    """The anchor that GitHub makes of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def anchors(name):
    headings = re.findall(r"^#+ (.*)$", FENCE.sub("", read(name)), re.MULTILINE)
    return {anchor(heading) for heading in headings}


def broken_links(name):
    """The links to a missing file or section. Addresses outside the tree are not checked."""
    broken = []
    for _, target in LINK.findall(without_code(read(name))):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, section = target.partition("#")
        file = (ROOT / name).parent / path if path else ROOT / name
        if not file.exists():
            broken.append(target)
        elif section and section not in anchors(file.resolve().relative_to(ROOT).as_posix()):
            broken.append(target)
    return broken


def is_whole(command):
    """Whether a shell would run it. Otherwise the command continues on the next line."""
    done = subprocess.run(["bash", "-n"], input=command, capture_output=True, text=True, timeout=60)
    return done.returncode == 0 and not done.stderr


def split_commands(text):
    """The commands of a block, each with all of its lines."""
    commands, lines = [], []
    for line in text.splitlines():
        if not lines and (not line.strip() or line.startswith("#")):
            continue
        lines.append(line)
        if is_whole("\n".join(lines)):
            commands.append("\n".join(lines))
            lines = []
    assert not lines, f"no whole command: {lines}"
    return commands


def block_commands(name):
    """[(command, its output or None)] of a document's blocks, in their order."""
    found = []
    for match in re.finditer(f"{FENCE.pattern}|(?P<indented>{INDENTED.pattern})", read(name), re.MULTILINE | re.DOTALL):
        if match["indented"]:
            text = re.sub(r"^ {4}", "", match["indented"], flags=re.MULTILINE)
            found += [(command, None) for command in split_commands(text)]
        elif match[1] == "sh":
            found += [(command, None) for command in split_commands(match[2])]
        elif match[1] == "console":
            found += [tuple(one.split("\n", 1)) for one in re.split(r"^\$ ", match[2], flags=re.MULTILINE)[1:]]
    return found


def sentence_commands(name):
    """The commands in sentences and tables: a program of the tree, or one of PROGRAMS with an argument."""
    spans = [one.replace("\\|", "|") for one in re.findall(r"`([^`\n]+)`", FENCE.sub("", read(name)))]
    return [one for one in spans if is_command(one)]


PROGRAMS = {"cmake", "ctest", "cpack", "(cd", "winner-view", "/usr/bin/python3"}


def is_command(span):
    first, _, rest = span.partition(" ")
    while re.fullmatch(r"[A-Z_]+=\S*", first):
        first, _, rest = rest.partition(" ")
    if first in PROGRAMS or first.startswith("build/"):
        return bool(rest)
    path = ROOT / first
    return "/" in first and path.is_file() and os.access(path, os.X_OK)
