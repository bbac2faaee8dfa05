"""deploy/prometheus: the rules are well-formed, use metrics that the program exports, fire in the cases that
expect it, and name a runbook."""

import re
import subprocess

import promql
import pytest
import yaml

RULES = promql.ROOT / "deploy" / "prometheus" / "alerts.yaml"
CASES = sorted((promql.ROOT / "tests" / "static" / "prometheus").glob("*_test.yaml"))
PAGE = promql.ROOT / "deploy" / "README.md"
(GROUP,) = yaml.safe_load(RULES.read_text())["groups"]
ALERTS = {rule["alert"]: rule for rule in GROUP["rules"]}
THRESHOLD = re.compile(r"(?<=[<>] )[\d.]+")


@pytest.fixture(scope="module")
def known():
    return promql.families(), promql.literals()


def promtool(*arguments):
    return subprocess.run(["promtool", *arguments], capture_output=True, text=True, timeout=600)


def test_promtool_finds_the_rules_well_formed():
    done = promtool("check", "rules", str(RULES))
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_alert_fires_exactly_in_the_cases_that_expect_it():
    done = promtool("test", "rules", *map(str, CASES))
    assert done.returncode == 0, done.stdout + done.stderr


def moved(rule, factor):
    """The rule with its thresholds multiplied; a threshold of 0 becomes the factor."""
    return {**rule, "expr": THRESHOLD.sub(lambda found: f"{float(found[0]) * factor or factor:g}", rule["expr"])}


def prolonged(rule, factor):
    minutes = int(rule["for"].removesuffix("m"))
    return {**rule, "for": f"{int(minutes * 60 * factor)}s"}


@pytest.mark.all
@pytest.mark.parametrize(
    "change, factor, concerned",
    [
        (moved, 1.9, ALERTS.keys() - {"WinnerViewGone", "WinnerViewShardStalled"}),
        (moved, 1 / 1.9, [name for name, rule in ALERTS.items() if re.search(r"[<>] [1-9.]", rule["expr"])]),
        (prolonged, 2, [name for name, rule in ALERTS.items() if "for" in rule]),
        (prolonged, 0.5, [name for name, rule in ALERTS.items() if "for" in rule]),
    ],
    ids=["thresholds-up", "thresholds-down", "longer", "shorter"],
)
def test_the_cases_detect_each_moved_threshold(change, factor, concerned, tmp_path):
    """All alerts are changed at once: promtool names those whose cases fail."""
    rules = [change(rule, factor) if name in concerned else rule for name, rule in ALERTS.items()]
    (tmp_path / "alerts.yaml").write_text(yaml.safe_dump({"groups": [{"name": "changed", "rules": rules}]}))
    for path in CASES:
        cases = yaml.safe_load(path.read_text())
        (tmp_path / path.name).write_text(yaml.safe_dump({**cases, "rule_files": ["alerts.yaml"]}))
    done = promtool("test", "rules", *(str(tmp_path / path.name) for path in CASES))
    assert set(re.findall(r"alertname: (\w+)", done.stdout + done.stderr)) == set(concerned)


def test_each_alert_has_a_case_in_which_it_fires_and_one_in_which_it_does_not():
    seen = set()
    for case in [case for path in CASES for case in yaml.safe_load(path.read_text())["tests"]]:
        for check in case["alert_rule_test"]:
            seen.add((check["alertname"], bool(check["exp_alerts"])))
    assert seen == {(alert, fires) for alert in ALERTS for fires in (True, False)}


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_uses_only_metrics_and_labels_that_the_program_exports(alert, known):
    assert promql.mistakes(ALERTS[alert]["expr"], *known) == []


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_has_a_severity_a_summary_and_a_runbook(alert):
    rule = ALERTS[alert]
    assert rule["labels"]["severity"] in ("critical", "warning")
    assert rule["annotations"]["summary"]
    assert rule["annotations"]["runbook"] == f"deploy/README.md#{alert.lower()}"


def test_the_operators_page_has_a_section_for_each_alert_and_for_no_other():
    assert re.findall(r"^### (WinnerView\w+)$", PAGE.read_text(), re.MULTILINE) == list(ALERTS)


@pytest.mark.parametrize(
    "expression, word",
    [
        ("winner_view_shard_total", "no metric"),
        ('winner_view_shards{shard="x"}', "no label shard"),
        ('winner_view_shards{state="idle"}', "never idle"),
        ("rate(winner_view_shards[5m])", "gauge"),
        ("changes(winner_view_events_total[5m])", "counter"),
        ("sum by (shard) (winner_view_shards)", "has shard"),
        ("up", "no metric"),
    ],
)
def test_the_check_of_expressions_finds_unknown_metrics_and_labels_and_wrong_functions(expression, word, known):
    (mistake,) = promql.mistakes(expression, *known)
    assert word in mistake
