"""A running service exports the metric families that the sources define. Alerts and dashboard are checked against the
sources."""

import contextlib
import json
import re
import subprocess
import urllib.error
import urllib.parse
import urllib.request

import emulators
import pairs
import promql
import pytest
import wait
import workload
import yaml
from daemon import Daemon
from small_shop import person, product, puts

RULES = promql.ROOT / "deploy" / "prometheus" / "alerts.yaml"
BOARD = json.loads((promql.ROOT / "deploy" / "grafana" / "winner-view.json").read_text())
QUERIES = [(panel["title"], target["expr"]) for panel in BOARD["panels"] for target in panel.get("targets", [])]
ANN, PIA = person("merchant", "Ann"), person("photographer", "Pia")

SERIES = re.compile(r"^(winner_view_\w+?)(?:\{(.*)\})? \S+$", re.MULTILINE)
LABEL = re.compile(r'(\w+)="(?:[^"\\]|\\.)*"')


def test_live_metrics_have_the_names_kinds_and_labels_of_the_sources(pair, start_on):
    known = promql.families()
    pair.put(workload.generate(seed=7, events=300))  # odd ones among them
    daemon = start_on(pair)
    daemon.wait_until_applied()
    daemon.get("/scores/merchant")
    text = daemon.get("/metrics").body.decode()
    kinds = dict(re.findall(r"^# TYPE (\w+) (\w+)$", text, re.MULTILINE))
    assert {name: known[name].kind.lower() for name in kinds} == kinds
    for name, labels in SERIES.findall(text):
        family, suffix = promql.family_of(name, known)
        expected = family.labels | ({"le"} if suffix == "_bucket" else set())
        assert set(LABEL.findall(labels)) == expected, name


def test_a_service_exports_the_metrics_of_the_freshness_alerts(pair, start_on):
    pair.put(puts(product("lamp", person("merchant", "Ann"), None, 1)))
    daemon = start_on(pair)
    daemon.wait_until_applied()
    text = daemon.get("/metrics").body.decode()
    shown = {name for name, _ in SERIES.findall(text)}
    assert {
        "winner_view_http_connections",
        "winner_view_view_as_of_timestamp_seconds",
        "winner_view_shard_as_of_timestamp_seconds",
        "winner_view_shards",
        "winner_view_dead_letters_total",
        "winner_view_cache_requests_total",
    } <= shown
    assert "winner_view_trouble_since_timestamp_seconds" not in shown


# Prometheus itself, on both stores at once.


class Prometheus:
    """A Prometheus that scrapes these ports, one job each, once a second, and evaluates the alerts."""

    def __init__(self, folder, jobs):
        self.port = emulators.free_port()
        scrapes = [{"job_name": job, "static_configs": [{"targets": [f"127.0.0.1:{port}"]}]} for job, port in jobs.items()]
        config = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(RULES)],
            "scrape_configs": scrapes,
        }
        (folder / "prometheus.yaml").write_text(yaml.safe_dump(config))
        self.log = folder / "prometheus.log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [
                    "prometheus",
                    f"--config.file={folder}/prometheus.yaml",
                    f"--storage.tsdb.path={folder}/prometheus",
                    f"--web.listen-address=127.0.0.1:{self.port}",
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=emulators.die_with_parent,
            )

    def ask(self, what, **parameters):
        url = f"http://127.0.0.1:{self.port}/api/v1/{what}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=10) as reply:
                return json.load(reply)
        except urllib.error.HTTPError as refusal:
            return json.load(refusal)

    def query(self, expression):
        """The series of an expression, which must be valid."""
        reply = self.ask("query", query=expression)
        assert reply["status"] == "success" and not reply.get("warnings"), (expression, reply)
        return reply["data"]["result"]

    def rules(self):
        (group,) = self.ask("rules")["data"]["groups"]
        return {rule["name"]: rule for rule in group["rules"]}

    def raised(self):
        """{(alert, job)} of firing and pending alerts."""
        return {
            (one["labels"]["alertname"], one["labels"]["job"]) for rule in self.rules().values() for one in rule["alerts"]
        }

    def has_scraped(self, times, jobs):
        """Whether it has scraped each job at least `times` times."""
        try:
            seen = self.query("count_over_time(winner_view_http_connections[1h])")
        except (OSError, ValueError):  # it does not listen yet, or answers in plain text that it is not ready
            return False
        return {one["metric"]["job"] for one in seen if int(one["value"][1]) >= times} == set(jobs)

    def stop(self):
        self.process.kill()
        self.process.wait()


@pytest.fixture(scope="module")
def stores(request, tmp_path_factory):
    """{job: pair} of both kinds, with one malformed record."""
    found = {}
    for job, kind in ("on-aws", "kinesis+dynamodb"), ("embedded", "file+sqlite"):
        folder = tmp_path_factory.mktemp("watched")
        found[job] = pairs.stocked_pair(kind, request, folder, product("lamp", ANN, PIA, 3))
        found[job].put([workload.to_put({"schema": "none"}, "lamp", "")])
    return found


@pytest.fixture(scope="module")
def watched(stores, tmp_path_factory):
    """(Prometheus, {job: daemon}) with daemons that fill both stores and have answered requests."""
    folder, daemons = tmp_path_factory.mktemp("prometheus"), {}
    with contextlib.ExitStack() as stack:
        for job, pair in stores.items():
            options = [*pair.options, "--dead-letter", f"file:{folder}/letters-{pair.name}", "--drain-seconds", "0"]
            daemons[job] = stack.enter_context(Daemon(options, pair.environment))
        for daemon in daemons.values():
            wait.until(lambda: daemon.get("/healthz").json()["caughtUp"], "caught up")
            for target in ("/scores/merchant", "/contributions/lamp", "/contributions/no", "/no"):
                daemon.get(target)
        prometheus = Prometheus(folder, {job: daemon.port for job, daemon in daemons.items()})
        stack.callback(prometheus.stop)
        wait.until(lambda: prometheus.has_scraped(3, daemons), "three scrapes of each job", 60, seen=prometheus.log.read_text)
        yield prometheus, daemons


def test_prometheus_has_data_for_every_dashboard_query(watched):
    """Every query has data if the service exports its metrics. Some metrics exist only during a trouble."""
    prometheus, daemons = watched
    for job, daemon in daemons.items():
        shown = {name for name, _ in daemon.metrics()}
        missing = {
            title
            for title, query in QUERIES
            if not prometheus.query(query.replace("$__rate_interval", "1m").replace("$job", job))
            and {name for name, _ in promql.SELECTOR.findall(query)} <= shown
        }
        assert missing == set()


def test_prometheus_evaluates_every_alert_and_a_healthy_service_raises_none(watched):
    prometheus, daemons = watched
    wait.until(lambda: all(rule["health"] != "unknown" for rule in prometheus.rules().values()), "evaluated", 60)
    rules = prometheus.rules()
    assert {name: rule.get("lastError", "") for name, rule in rules.items() if rule["health"] != "ok"} == {}
    expected = {("WinnerViewDeadLetters", job) for job in daemons}
    seen = []

    def only_expected_alerts():  # an alert may be pending until Prometheus has enough samples
        seen[:] = [prometheus.raised()]
        return seen == [expected]

    wait.until(only_expected_alerts, "only the expected alerts", 60, seen=lambda: seen)
