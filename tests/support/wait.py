"""The one polling loop of the tests."""

import time

WAIT_S = 60  # many tests share the machine


def until(condition, what, timeout_s=WAIT_S, every_s=0.02, seen=None):
    """Calls `condition` until it returns something true, and returns that. Fails after `timeout_s` with what was awaited
    and what was last seen: what `seen()` returns then, else the last value of the condition."""
    deadline = time.monotonic() + timeout_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout_s} s: {what}; last seen: {seen() if seen else value!r}")
        time.sleep(every_s)
