"""Checks a PromQL expression against the metric families in the program's sources.

It reads by regular expressions what deploy/ uses: metric names, their matchers, the labels of by (...), and which
functions are applied. promtool checks the syntax.
"""

import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
LAYERS = ("base", "aws", "views", "ingest", "api", "server")
FROM_PROMETHEUS = {"job", "instance"}
RISING = {"rate", "irate", "increase"}  # for counters
MOVING = {"changes", "delta", "deriv", "max_over_time", "min_over_time"}  # for gauges

FAMILY = re.compile(r"^static struct metrics_family \w+ = \{(.*?)\};", re.DOTALL | re.MULTILINE)
COUNTER = re.compile(r'^COUNTER\(\w+, "(\w+)"', re.MULTILINE)  # ingest/kinesis/reader.c: by shard
SELECTOR = re.compile(r"\b(winner_view_\w+)(?:\{([^}]*)\})?")
MATCHER = re.compile(r'(\w+)\s*(=~|!~|!=|=)\s*"((?:[^"\\]|\\.)*)"')
CALL = re.compile(r"\b([a-z_]+)\(\s*(winner_view_\w+)")
GROUPED = re.compile(r"\b(?:by|on|ignoring|without)\s*\(([^)]*)\)")


class Family:
    def __init__(self, name, kind, labels):
        self.name, self.kind, self.labels = name, kind, set(labels)


def source_files():
    for layer in LAYERS:
        yield from sorted((ROOT / layer).rglob("*.c"))


def families():
    """{name: family} from the sources. Fails if a metric's name in them has no family."""
    found, mentioned = {}, set()
    for path in source_files():
        text = path.read_text()
        mentioned |= set(re.findall(r'"(winner_view_\w+)"', text))
        for body in FAMILY.findall(text):
            name = re.search(r'\.name = "(\w+)"', body)
            kind = re.search(r"\.kind = METRICS_(\w+)", body).group(1)
            labels = re.search(r"\.labels = \{([^}]*)\}", body)
            found[name.group(1)] = Family(
                name.group(1), kind, re.findall(r'"(\w+)"', labels[1] if labels else "")
            )
        for name in COUNTER.findall(text):
            found[name] = Family(name, "COUNTER", ["shard"])
    assert found.keys() == mentioned, found.keys() ^ mentioned
    return found


def literals():
    """Every string and number in the sources: the possible values of labels."""
    texts = "\n".join(path.read_text() for path in source_files())
    return set(re.findall(r'"((?:[^"\\\n]|\\.)*)"', texts)) | set(re.findall(r"\b\d+\b", texts))


def family_of(name, known):
    """The family of a series, and its suffix in a histogram."""
    for suffix in ("_bucket", "_sum", "_count"):
        family = known.get(name.removesuffix(suffix))
        if name.endswith(suffix) and family and family.kind == "HISTOGRAM":
            return family, suffix
    return known.get(name), ""


def is_value(value, texts):
    """A value, or the pattern of one ("shard .*"): its fixed part starts a string of the sources."""
    fixed = value.removesuffix(".*").removesuffix(".+")
    return value in texts or (fixed != value and any(text.startswith(fixed) for text in texts))


def mistakes_in_selector(name, matchers, known, texts):
    family, suffix = family_of(name, known)
    if not family:
        return [f"{name} is no metric of the program"]
    wrong = []
    for label, operator, value in MATCHER.findall(matchers or ""):
        if label not in family.labels | FROM_PROMETHEUS | ({"le"} if suffix == "_bucket" else set()):
            wrong.append(f"{name} has no label {label}")
        elif label in family.labels and not value.startswith("$"):
            values = value.split("|") if "~" in operator else [value]
            wrong += [f"{label} of {name} is never {one}" for one in values if not is_value(one, texts)]
    return wrong


def mistakes(expression, known, texts):
    """Metrics, labels and values in the expression that the program does not have."""
    wrong, labels = [], set(FROM_PROMETHEUS)
    selectors = SELECTOR.findall(expression)
    if not selectors:
        wrong.append("it uses no metric of the program")
    for name, matchers in selectors:
        wrong += mistakes_in_selector(name, matchers, known, texts)
        family, suffix = family_of(name, known)
        labels |= (family.labels if family else set()) | ({"le"} if suffix == "_bucket" else set())
    for function, name in CALL.findall(expression):
        family, _ = family_of(name, known)
        if family and function in RISING | MOVING and (function in RISING) != (family.kind != "GAUGE"):
            wrong.append(f"{function} of {name}, which is a {family.kind.lower()}")
    for group in GROUPED.findall(expression):
        wrong += [f"no metric here has {one}" for one in re.findall(r"\w+", group) if one not in labels]
    return wrong
