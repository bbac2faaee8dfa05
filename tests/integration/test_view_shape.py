"""What a view has besides all time is decided by the first process that fills it, and compared by each later one."""

import pytest
import wait
from small_shop import person, product, puts

GIVEN = ("--periods", "week,hour", "--best-sellers", "on")


def record(pair):
    """What the store says about its view."""
    found = pair.source_record()
    return found["periods"], found["bestSellers"], found["boardPartitions"]


@pytest.fixture
def shop(pair):
    """The source has something in it: a file must have a first line."""
    pair.put(puts(product("lamp", person("merchant", "Ann"), None, 1)))
    return pair


@pytest.fixture
def made(shop, start_on):
    start_on(shop, *GIVEN).terminate()
    return shop


def test_options_that_are_not_given_mean_what_the_view_has(made, start_on):
    start_on(made)
    assert record(made) == ("hour,week", "on", 1)


@pytest.mark.parametrize("source", ["its own", "none"])
def test_an_option_that_differs_is_refused_with_both_sides_and_the_way_out(made, make_on, source):
    """Also by a process that only serves."""
    options = [] if source == "its own" else ["--source", "none"]
    for option, kept, given in (("--periods", "hour,week", "day"), ("--best-sellers", "on", "off")):
        daemon = make_on(made, option, given, *options).start(ready=False)
        assert daemon.process.wait(20) == 2
        log = daemon.log()
        assert f"{option} {kept}, not {given}" in log and "another" in log and "deploy/README.md" in log
    assert record(made) == ("hour,week", "on", 1)


def test_a_process_that_only_serves_makes_no_view(pair, make_on):
    daemon = make_on(pair, *GIVEN, "--source", "none").start(ready=False)
    wait.until(lambda: "the start waits" in daemon.log(), "it waits for a view", seen=daemon.log)
    assert not hasattr(pair, "database") or not pair.database.exists()


def test_what_is_not_given_at_the_first_use_has_its_default(shop, kind, start_on):
    start_on(shop)
    assert record(shop) == ("day,week,month" if kind == "file+sqlite" else "none", "off", 1)
