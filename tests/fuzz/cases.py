"""The case files of the unit tests (tests/data), for the seeds."""

import json
import pathlib

DATA = pathlib.Path(__file__).resolve().parents[1] / "data"


def read(name):
    return json.loads((DATA / name).read_text())


def members(name):
    """The strings that this member of an envelope has in the cases of envelopes.json."""
    values = {str(case["data"].get(name)) for case in read("envelopes.json") if isinstance(case.get("data"), dict)}
    return sorted(values)
