"""How soon a purchase is visible after it was put."""

import time

import http_client
import program
import pytest
import wait
from pairs import KinesisDynamodb
from small_shop import person, product, puts

REGISTERED, PURCHASE = puts(product("lamp", person("merchant", "Ann"), None, 1))
VISIBLE_S = 1.0

pytestmark = pytest.mark.skipif(program.is_sanitized(), reason="a sanitizer's build is not measured")


def board(daemon):
    items = http_client.request(daemon.port, "/scores/merchant").json()["items"]
    return items[0]["score"] if items else 0


def contribution(daemon):
    return http_client.request(daemon.port, "/contributions/lamp").json()["purchases"]


def seconds_until_visible(pair, daemon, purchases):
    """For each place the seconds until each purchase was visible there, sorted. A purchase is put when the previous one
    is visible everywhere."""
    seconds = {board: [], contribution: []}
    for score in range(1, purchases + 1):
        pair.put([PURCHASE])
        begin, missing = time.monotonic(), set(seconds)

        def note_those_that_show():
            for place in [place for place in missing if place(daemon) >= score]:
                seconds[place].append(time.monotonic() - begin)
                missing.remove(place)
            return not missing

        wait.until(note_those_that_show, f"score {score} to be seen", timeout_s=10, every_s=0.002)
    return {place.__name__: sorted(values) for place, values in seconds.items()}


def percentile_ms(values, percent):
    return values[max(0, len(values) * percent // 100 - 1)] * 1000


def stocked_daemon(pair, start_on):
    pair.put([REGISTERED])
    daemon = start_on(pair)
    daemon.wait_until_applied()
    return daemon


def report(capsys, what, seconds):
    with capsys.disabled():
        for place, values in seconds.items():
            print(
                f"\n{what} to visible ({place}), {len(values)} purchases: p50 {percentile_ms(values, 50):.0f} ms, "
                f"p99 {percentile_ms(values, 99):.0f} ms, longest {values[-1] * 1000:.0f} ms",
                end="",
            )
        print()


@pytest.mark.alone
def test_a_purchase_is_visible_within_a_second(aws, tables, stream, start_on, capsys):
    pair = KinesisDynamodb(aws, tables, stream)
    seconds = seconds_until_visible(pair, stocked_daemon(pair, start_on), purchases=100)
    report(capsys, "put", seconds)
    assert all(values[-1] < VISIBLE_S for values in seconds.values())


@pytest.mark.alone
def test_an_event_appended_to_a_file_becomes_visible(embedded, start_on, capsys):
    """The times are printed and not checked, as the machine may be busy. The goal is a p99 of 100 ms."""
    report(capsys, "append", seconds_until_visible(embedded, stocked_daemon(embedded, start_on), purchases=200))
