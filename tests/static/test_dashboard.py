"""deploy/grafana: every query is well-formed and uses metrics that the program exports, and every metric is shown."""

import json
import re
import subprocess

import promql
import pytest
import yaml

BOARD = json.loads((promql.ROOT / "deploy" / "grafana" / "winner-view.json").read_text())
PANELS = [panel for panel in BOARD["panels"] if panel["type"] != "row"]
QUERIES = [(panel["title"], target["expr"]) for panel in PANELS for target in panel["targets"]]
VARIABLES = {one["name"]: one for one in BOARD["templating"]["list"]}


@pytest.fixture(scope="module")
def known():
    return promql.families(), promql.literals()


@pytest.mark.parametrize("title, query", QUERIES, ids=lambda text: text[:50])
def test_a_query_uses_only_metrics_and_labels_that_the_program_exports(title, query, known):
    assert promql.mistakes(query, *known) == []


def test_promtool_finds_the_queries_well_formed(tmp_path):
    rules = [
        {"record": f"query:{n}", "expr": query.replace("$__rate_interval", "5m").replace("$job", "prod")}
        for n, (_, query) in enumerate(QUERIES)
    ]
    path = tmp_path / "queries.yaml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}))
    done = subprocess.run(["promtool", "check", "rules", path], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_metric_of_the_program_is_shown(known):
    families, _ = known
    shown = {
        promql.family_of(name, families)[0].name
        for _, query in QUERIES
        for name in re.findall(r"winner_view_\w+", query)
    }
    assert families.keys() - shown == set()


def test_every_selector_is_restricted_to_the_chosen_job():
    for title, query in QUERIES:
        for name, matchers in promql.SELECTOR.findall(query):
            assert 'job=~"$job"' in matchers, (title, name)


def test_a_legend_names_labels_that_its_query_keeps():
    for panel in PANELS:
        for target in panel["targets"]:
            kept = set(re.findall(r"\w+", " ".join(promql.GROUPED.findall(target["expr"]))))
            assert set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])) <= kept, panel["title"]


def test_the_dashboards_variables_exist(known):
    used = set(re.findall(r"\$\{?(\w+)", json.dumps(BOARD))) - {"__rate_interval"}
    assert used == VARIABLES.keys()
    name, label = re.fullmatch(r"label_values\((\w+), (\w+)\)", VARIABLES["job"]["definition"]).groups()
    assert name in known[0] and label == "job"


def test_panels_have_titles_and_places_of_their_own():
    assert len({panel["id"] for panel in BOARD["panels"]}) == len(BOARD["panels"])
    assert len({panel["title"] for panel in PANELS}) == len(PANELS)
    taken = set()
    for panel in BOARD["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken and at["x"] + at["w"] <= 24, panel["title"]
        taken |= cells
