"""The structure of the program: a layer includes only lower layers, files include only the public header of another
folder, and no files call each other in a circle.

    base <- aws <- views <- ingest and api (never each other) <- server
"""

import collections
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.MULTILINE)
COMMENT_OR_TEXT = re.compile(r'/\*.*?\*/|"(?:\\.|[^"\\\n])*"', re.DOTALL)
DEFINITION = re.compile(r"^(?!static\b|typedef\b|extern\b)[a-z][\w \t*]*?\**(\w+)\((?:[^;{]|\n)*?\) \{$", re.MULTILINE)
LAYERS = {
    "base": {"base"},
    "aws": {"base", "aws"},
    "views": {"base", "aws", "views"},
    "ingest": {"base", "aws", "views", "ingest"},
    "api": {"base", "aws", "views", "api"},
    "server": {"base", "aws", "views", "ingest", "api", "server"},
}
# The public header of each folder inside a layer: files of other folders include no other.
PUBLIC_HEADERS = {
    "aws/credentials": {"chain.h"},
    "views/cache": {"cache.h"},
    "views/dynamodb": {"store.h"},
    "views/sqlite": {"store.h"},
    "ingest/file": {"source.h"},
    "ingest/kinesis": {"source.h"},
    "ingest/leases": {"coordinator.h"},
    "ingest/deadletter": {"deadletter.h"},
    "api/live": {"live.h"},
    "server/http": {"http.h"},
    "server/commands": {"commands.h"},
}


def read_tree():
    """{path: text} of every C file of the program."""
    return {
        path.relative_to(ROOT).as_posix(): path.read_text()
        for layer in LAYERS
        for path in sorted((ROOT / layer).rglob("*.[ch]"))
    }


def layer_of(path):
    return path.split("/")[0]


def folder_of(path):
    return path.rpartition("/")[0]


def unit_of(path):
    """A header and its source are one unit."""
    return path.rpartition(".")[0]


def upward_includes(tree):
    return [
        f"{path} includes {name}"
        for path, text in tree.items()
        for name in INCLUDE.findall(text)
        if layer_of(name) not in LAYERS[layer_of(path)]
    ]


def includes_of_private_headers(tree):
    """Includes of a header that is not the public one of its folder, by files of other folders."""
    return [
        f"{path} includes {name}"
        for path, text in tree.items()
        for name in INCLUDE.findall(text)
        if folder_of(name) not in LAYERS
        and folder_of(path) != folder_of(name)
        and name.rpartition("/")[2] not in PUBLIC_HEADERS[folder_of(name)]
    ]


def reach(tree, path, seen):
    """The headers that a file includes, directly or through others."""
    for name in INCLUDE.findall(tree.get(path, "")):
        if name not in seen:
            seen.add(name)
            reach(tree, name, seen)
    return seen


def calls(tree):
    """{unit: units whose functions it uses}. A function is used where its name stands and a header that declares it is
    included: two folders may each have a static function of one name."""
    code = {path: COMMENT_OR_TEXT.sub("", text) for path, text in tree.items()}
    defined = {
        name: unit_of(path)
        for path, text in code.items()
        if path.endswith(".c")
        for name in DEFINITION.findall(text)
    }
    declared = collections.defaultdict(set)
    for path, text in code.items():
        if path.endswith(".h"):
            for name in set(re.findall(r"\b\w+(?=\()|(?<=\) )\w+(?=;)", text)) & defined.keys():
                declared[name].add(path)
    found = collections.defaultdict(set)
    for path in code:
        if path.endswith(".c"):
            headers = reach(tree, path, set())
            words = set(re.findall(r"(?<![.>])\b\w+", code[path])) & defined.keys()
            found[unit_of(path)] |= {defined[word] for word in words if declared[word] & headers} - {unit_of(path)}
    return found


def circles(tree):
    """The strongly connected groups of two or more units (Tarjan's algorithm)."""
    graph, number, low, stack, found = calls(tree), {}, {}, [], []

    def visit(unit):
        number[unit] = low[unit] = len(number)
        stack.append(unit)
        for other in sorted(graph.get(unit, ())):
            if other not in number:
                visit(other)
            if other in stack:
                low[unit] = min(low[unit], low[other])
        if low[unit] == number[unit]:
            at = stack.index(unit)
            if len(stack) - at > 1:
                found.append(sorted(stack[at:]))
            del stack[at:]

    for unit in sorted(graph):
        if unit not in number:
            visit(unit)
    return found


def test_includes_point_downward():
    assert upward_includes(read_tree()) == []


def test_files_of_other_folders_include_only_the_public_header_of_a_folder():
    assert includes_of_private_headers(read_tree()) == []


def test_no_files_call_each_other_in_a_circle():
    assert circles(read_tree()) == []


def test_an_include_upward_and_a_circle_of_calls_are_found():
    tree = read_tree()
    tree["base/text.c"] = '#include "aws/client.h"\n'
    assert upward_includes(tree) == ["base/text.c includes aws/client.h"]

    tree = read_tree()
    tree["base/pair.h"] = "int one_get(void);\nint two_get(void);\n"
    tree["base/one.c"] = '#include "base/pair.h"\n\nint one_get(void) {\n    return two_get();\n}\n'
    tree["base/two.c"] = '#include "base/pair.h"\n\nint two_get(void) {\n    return one_get();\n}\n'
    assert ["base/one", "base/two"] in circles(tree)


def test_every_include_is_written_from_the_root():
    tree = read_tree()
    wrong = [
        f"{path} includes {name}"
        for path, text in tree.items()
        for name in INCLUDE.findall(text)
        if name not in tree and not name.endswith(".pb-c.h")
    ]
    assert wrong == []


def test_the_fold_includes_no_json_http_clock_or_store():
    allowed = {
        "views/fold.h", "views/event_id.h", "views/contribution.h", "views/position.h",
        "views/board.h", "views/period.h",
        "base/mem.h", "base/limits.h",
    }  # fmt: skip
    tree = read_tree()
    seen, todo = set(), ["views/fold.c", "views/fold.h"]
    while todo:
        todo += [name for name in INCLUDE.findall(tree[todo.pop()]) if name not in seen and not seen.add(name)]
    assert seen - allowed == set()
    for name in seen | {"views/fold.c"}:
        assert not re.search(r"#\s*include\s+<(jansson|microhttpd|curl|time)", tree[name]), name


def test_a_prefix_that_five_files_share_is_a_folder():
    """`ls` of a folder reads as its table of contents."""
    crowds = collections.Counter(
        (folder_of(unit), unit.rpartition("/")[2].split("_")[0])
        for unit in {unit_of(path) for path in read_tree()}
        if "_" in unit.rpartition("/")[2]
    )
    assert [crowd for crowd, n in crowds.items() if n >= 5] == []


def test_every_layer_has_files():
    assert {layer_of(path) for path in read_tree()} == LAYERS.keys()


def test_no_two_test_files_have_one_name():
    """pytest imports them by their base names."""
    names = collections.Counter(path.name for path in (ROOT / "tests").rglob("test_*.py"))
    assert [name for name, n in names.items() if n > 1] == []
