"""Tests import their helpers from tests/support, and the model from tests/model.

With `-n WORKERS --dist loadgroup` (pytest-xdist) tests run side by side: the emulators are started once, for all workers, and
tests that share a fixture of their module stay together.
"""

import os
import pathlib
import random
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE / "support"), str(HERE / "model")]

import emulators  # noqa: E402

MARKERS = (
    "all: tests/run.sh leaves it out, tests/run.sh --all runs it",
    "alone: measures time, so nothing runs beside it; tests/run.sh --all runs it",
    "own_emulators: stops an emulator, so it gets two of its own where others are shared",
    "new_emulators: adds indexes to tables that are there, so it gets two that are new (integration/conftest.py)",
)
SHARED = pytest.StashKey()


def pytest_configure(config):
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)
    is_worker = hasattr(config, "workerinput")
    if is_worker or not getattr(config.option, "numprocesses", None):
        return
    # All workers use the same seed, because all must collect the same tests.
    os.environ.setdefault("WINNER_VIEW_FUZZ_SEED", str(random.SystemRandom().randrange(10**6)))
    config.stash[SHARED] = emulators.Emulators().start()
    os.environ.update(config.stash[SHARED].addresses.exported())


def pytest_unconfigure(config):
    if SHARED in config.stash:
        config.stash[SHARED].stop()


def group_of(item):
    """The group of a test: tests of one group run in one worker. None: the test may run in any worker."""
    if item.get_closest_marker("own_emulators"):
        return "own-emulators"
    fixtures = item._fixtureinfo.name2fixturedefs
    of_module = [name for name, found in fixtures.items() if found[-1].scope == "module"]
    if not of_module:
        return None
    indices = item.callspec.indices if hasattr(item, "callspec") else {}
    return "-".join([item.path.stem, *(str(indices[name]) for name in sorted(of_module) if name in indices)])


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups
def pytest_collection_modifyitems(items):
    """Tests that run only with --all take long, so they begin first."""
    for item in items:
        group = group_of(item)
        if group:
            item.add_marker(pytest.mark.xdist_group(group))
        if item.get_closest_marker("alone"):
            item.add_marker("all")
    items.sort(key=lambda item: not item.get_closest_marker("all"))
