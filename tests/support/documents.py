"""The documents of the tree (*.md), taken apart: words, sentences, links, sections, commands."""

import functools
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
    """Every document that git has, or would take."""
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
    """The sentences of a document's prose. Code, tables, headings, pictures and comments are none."""
    text = re.sub(r"<!--.*?-->", "", without_code(text), flags=re.DOTALL)
    text = re.sub(r"^(?:#|\||!\[).*$", "", text, flags=re.MULTILINE)
    text = LINK.sub(r"\1", text)
    paragraphs = re.split(r"\n\s*\n|\n(?=\s*(?:[*-]|\d+\.) )", text)
    found = [one for paragraph in paragraphs for one in re.split(r"(?<=[.!?])[*`\")]*\s+", " ".join(paragraph.split()))]
    return [one for one in found if re.search(r"\w", one)]


def median_sentence(text):
    """In words."""
    return statistics.median(count_words(one.lstrip("*- ")) for one in sentences(text))


def anchor(heading):
    """As GitHub makes them."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def anchors(name):
    headings = re.findall(r"^#+ (.*)$", FENCE.sub("", read(name)), re.MULTILINE)
    return {anchor(heading) for heading in headings}


def broken_links(name):
    """Those that lead to no file of the tree or to no section of a document. Addresses elsewhere are not looked up."""
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
