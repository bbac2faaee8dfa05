"""Includes point one way: server/base <- aws <- views <- ingest and api (never each other) <- the rest of server."""

import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parent.parent
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.MULTILINE)
BELOW = {
    "server/base": {"server/base"},
    "aws": {"server/base", "aws"},
    "views": {"server/base", "aws", "views"},
    "ingest": {"server/base", "aws", "views", "ingest"},
    "api": {"server/base", "aws", "views", "api"},
    "server": {"server/base", "aws", "views", "ingest", "api", "server"},
}


def layer(path):
    return "server/base" if path.startswith("server/base/") else path.split("/")[0]


def sources():
    for name in BELOW:
        yield from (p.relative_to(ROOT).as_posix() for p in (ROOT / name).glob("*.[ch]"))


def includes(path):
    return INCLUDE.findall((ROOT / path).read_text())


def test_includes_point_one_way():
    wrong = [
        f"{path} includes {name}"
        for path in sources()
        for name in includes(path)
        if layer(name) not in BELOW[layer(path)]
    ]
    assert wrong == []


def test_every_include_is_written_from_the_root():
    wrong = [
        f"{path} includes {name}"
        for path in sources()
        for name in includes(path)
        if not (ROOT / name).is_file()
    ]
    assert wrong == []


def test_the_fold_knows_no_json_no_http_no_clock_and_no_store():
    allowed = {
        "views/fold.h", "views/event.h", "views/event_id.h", "views/contribution.h", "views/position.h",
        "server/base/mem.h", "server/base/limits.h",
    }  # fmt: skip
    seen, todo = set(), ["views/fold.c", "views/fold.h"]
    while todo:
        todo += [name for name in includes(todo.pop()) if name not in seen and not seen.add(name)]
    assert seen - allowed == set()
    for name in seen | {"views/fold.c"}:
        assert not re.search(
            r"#\s*include\s+<(jansson|microhttpd|curl|time)", (ROOT / name).read_text()
        ), name


def test_every_layer_has_files():
    assert {layer(path) for path in sources()} == BELOW.keys()
