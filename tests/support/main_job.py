"""The main job: 10,000 events, one in ten of them odd, become the rows, dead letters and answers of the model."""

import collections

import expected_answers
import model
import wait
from pairs import assert_equal_to_model

# On AWS, boards come from an index that may be late. DynamoDB Local's never is: no allowance is needed.
PROMPT = ("--index-allowance-ms", "0", "--cache-ttl-ms", "100")


def wait_for_fresh_boards(daemon):
    """Waits until cached boards include everything that is applied now."""
    target = model.epoch_ms(daemon.health()["asOf"])
    for role in ("merchant", "photographer"):
        for path in (f"/scores/{role}?limit={limit}" for limit in (1, 10, 100)):
            wait.until(lambda: model.epoch_ms(daemon.get(path).json()["asOf"]) >= target, f"fresh {path}")


def check_main_job(job, start_on):
    """`job`: (pair, its records, the model of them). Also starts a second service that only serves the same store."""
    pair, _, expected = job
    daemon = start_on(pair, *PROMPT)
    daemon.wait_until_applied()
    assert_equal_to_model(pair, expected, daemon.dead_letters())

    counted = {kind: daemon.metric("winner_view_events_total", result=kind) for kind in expected.counts}
    assert counted == dict(expected.counts)
    reasons = collections.Counter(reason for _, _, reason in expected.dead_letters)
    assert {r: daemon.metric("winner_view_dead_letters_total", reason=r) for r in reasons} == reasons

    wait_for_fresh_boards(daemon)
    ids = expected_answers.check_all(daemon, expected, pair)

    # it reads the age of the views from the leases
    reader = start_on(pair, "--source", "none", "--identities", "full", *PROMPT)
    assert expected_answers.check_all(reader, expected, pair, full=True) == ids
