"""What a benchmark has measured, in a form that can be compared: ratios and bytes, each with its spread.

A Figure is measured in several alternating rounds; its value is their median. Those of an earlier run of all.py are
in figures.json, and as they were printed in figures.txt.
"""

import dataclasses
import json
import os
import pathlib
import re
import statistics

KEPT, KEPT_TEXT = (pathlib.Path(__file__).with_name(name) for name in ("figures.json", "figures.txt"))
WORSE = 1.5  # a loss of a third


@dataclasses.dataclass
class Figure:
    """`goal`: what it should be at least, or `at_most`. `limit`: what it must be, whatever the noise. `is_kept`: it is
    compared with earlier runs, as neither another machine nor noise moves it much. `notes`: lines that explain it."""

    name: str
    samples: list
    goal: float
    at_most: bool = False
    limit: float = None
    is_kept: bool = True
    notes: list = dataclasses.field(default_factory=list)

    @property
    def value(self):
        return statistics.median(self.samples)

    def meets(self, goal):
        return self.value <= goal if self.at_most else self.value >= goal

    def is_worse_than(self, kept):
        return not self.meets(kept * WORSE if self.at_most else kept / WORSE)

    def is_failure(self):
        return self.limit is not None and not self.meets(self.limit)

    def row(self):
        """As a row of a table: the value, lowest to highest of the rounds, the goal."""
        bound = f"{'at most' if self.at_most else 'at least'} {self.goal:g}"
        spread = f"{number(min(self.samples))} to {number(max(self.samples))}" if len(self.samples) > 1 else ""
        return f"| {self.name} | {number(self.value)} | {spread} | {bound}{'' if self.meets(self.goal) else ', missed'} |"


HEAD = "| what | median | rounds | goal |\n|---|---|---|---|"


def number(value):
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def kept(form):
    """{name: value} of an earlier run in the same form."""
    return json.loads(KEPT.read_text()).get(form, {}) if KEPT.exists() else {}


def keep(form, parts):
    """`parts`: lists of Figures. Those of the other form, and of other parts, stay."""
    every = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    found = {figure.name: float(number(figure.value)) for part in parts for figure in part if figure.is_kept}
    every[form] = {**every.get(form, {}), **found}
    KEPT.write_text(json.dumps(every, indent=4) + "\n")
    if form == "whole":
        KEPT_TEXT.write_text("\n\n".join(map(text, parts)) + "\n")


def warnings(form, figures):
    """A line for each that has become worse by more than a third since it was kept."""
    before = kept(form)
    return [
        f"WARNING: {figure.name}: {number(figure.value)}, was {number(before[figure.name])}"
        for figure in figures
        if figure.name in before and figure.is_worse_than(before[figure.name])
    ]


def machine():
    """Processors and memory; the load that others make."""
    model = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
    kib = int(re.search(r"MemTotal:\s+(\d+)", pathlib.Path("/proc/meminfo").read_text())[1])
    load = os.getloadavg()[1]
    return (
        f"{os.cpu_count()} x {model[1] if model else os.uname().machine}, {kib / (1 << 20):.0f} GiB, "
        f"Linux {os.uname().release}; load {load:.1f}"
    )


def text(figures):
    """A table of them, what explains them, and the machine."""
    notes = [f"  {note}" for figure in figures for note in figure.notes]
    return "\n".join([HEAD, *(figure.row() for figure in figures), *notes, f"  {machine()}"])


def report(figures):
    """Prints what was measured. Whether all is within its limits."""
    print(text(figures), flush=True)
    failures = [figure for figure in figures if figure.is_failure()]
    for figure in failures:
        print(f"FAILED: {figure.name}: {number(figure.value)}, must be {figure.limit:g}", flush=True)
    return not failures
