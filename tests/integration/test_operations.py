"""Probes, the health check, metrics and the access log."""

import concurrent.futures
import json
import os
import signal
import socket
import subprocess
import sys
import time

import emulators
import http_client
import model
import program
import pytest
import wait
from small_shop import person, product, puts

ANN, PIA = person("merchant", "Ann"), person("photographer", "Pia")
LAMPS = puts(product("lamp", ANN, PIA, 3))
PROBES = ("/livez", "/readyz", "/healthz")
IN_TIME_S = 5
WITHOUT_IPV6 = (sys.executable, str(program.ROOT / "tests" / "support" / "no_ipv6.py"))


def answers(port):
    try:
        return http_client.request(port, "/livez").status == 200
    except OSError:
        return False


@pytest.fixture
def operate(pair, make_on):
    """operate(option...): (a caught-up service of each kind in turn, the port of its operations address)"""

    def start(*options):
        pair.put(LAMPS)
        port = emulators.free_port()
        daemon = make_on(pair, "--ops-listen", f"127.0.0.1:{port}", *options).start(ready=False)
        wait.until(lambda: answers(port) and is_caught_up(port), "caught up")
        return daemon, port

    return start


@pytest.fixture
def operated(operate):
    return operate()


def is_caught_up(port):
    health = http_client.request(port, "/healthz").json()
    return health["status"] == "ready" and health["caughtUp"]


# Probes.


def test_the_operations_address_has_probes_and_metrics_and_nothing_else(operated):
    daemon, port = operated
    for route in (*PROBES, "/metrics"):
        assert http_client.request(port, route).status == 200
        assert daemon.get(route).status == 404
    for route in ("/scores/merchant", "/contributions/lamp", "/", "/openapi.yaml"):
        assert daemon.get(route).status == 200
        assert http_client.request(port, route).status == 404


def test_health_has_the_current_lag_of_each_shard(operated, pair):
    _, port = operated
    for route in ("/readyz", "/healthz"):
        before_ms = int(time.time() * 1000)
        health = http_client.request(port, route).json()
        after_ms = int(time.time() * 1000)
        assert health["status"] == "ready" and health["caughtUp"] is True
        assert [shard["shard"] for shard in health["shards"]] == pair.shards
        for shard in health["shards"]:
            now_ms = model.epoch_ms(shard["asOf"]) + shard["lagMs"]
            # Both are rounded down to a millisecond; and a service's Date has whole seconds.
            assert before_ms - 1 <= now_ms <= after_ms + 1100
        assert model.epoch_ms(health["asOf"]) == min(model.epoch_ms(one["asOf"]) for one in health["shards"])


def test_while_draining_readiness_is_503_and_everything_else_is_served(operate):
    daemon, port = operate("--drain-seconds", "10")
    daemon.process.send_signal(signal.SIGTERM)
    wait.until(lambda: http_client.request(port, "/readyz").status == 503, "readiness turns 503")
    for route in ("/readyz", "/healthz"):
        drained = http_client.request(port, route)
        assert (drained.status, drained.json()["status"]) == (503, "draining")
    assert http_client.request(port, "/livez").status == http_client.request(port, "/metrics").status == 200
    assert daemon.get("/scores/merchant").json()["items"][0]["score"] == 3
    assert check_health("--ops-listen", f"127.0.0.1:{port}").returncode == 0  # it is alive
    assert daemon.process.wait(25) == 0
    program.check_sanitizers(daemon.log())


# winner-view healthcheck.


def check_health(*options, environment=None):
    done = program.run("healthcheck", *options, environment=environment)
    assert not done.stdout
    assert len(done.stderr.splitlines()) == (1 if done.returncode else 0), done.stderr
    return done


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0.0.0.0", "[::]"])
def test_the_health_check_of_a_running_server_is_silent_and_0(embedded, make_on, host):
    daemon = make_on(embedded, "--source", "none")
    daemon.argv[daemon.argv.index("--listen") + 1] = f"{host}:{daemon.port}"
    if host == "[::]" and not os.path.exists("/proc/net/if_inet6"):
        pytest.skip("this machine has no IPv6")
    daemon.start(ready=False)
    daemon.wait_until_listening()
    assert check_health("--listen", f"{host}:{daemon.port}").returncode == 0
    proxy = {"http_proxy": "http://127.0.0.1:9", "WINNER_VIEW_LISTEN": f"{host}:{daemon.port}"}
    assert check_health(environment=proxy).returncode == 0


def test_without_ipv6_a_server_on_all_addresses_serves_those_of_ipv4(embedded, make_on):
    daemon = make_on(embedded, "--source", "none")
    daemon.argv[daemon.argv.index("--listen") + 1] = f"[::]:{daemon.port}"
    daemon.argv = [*WITHOUT_IPV6, *daemon.argv]
    daemon.start(ready=False)
    daemon.wait_until_listening()
    argv = [*WITHOUT_IPV6, program.binary(), "healthcheck", "--listen", f"[::]:{daemon.port}"]
    assert subprocess.run(argv, timeout=60).returncode == 0
    assert daemon.log().count("no IPv6 on this host") == 1


def test_the_health_check_passes_while_the_server_waits_for_its_source(embedded, make_on):
    daemon = make_on(embedded).start(ready=False)  # the file is not there
    daemon.wait_until_listening()
    assert daemon.get("/readyz").json()["status"] == "starting"
    assert check_health("--listen", f"127.0.0.1:{daemon.port}").returncode == 0


def test_the_health_check_prints_why_a_server_is_not_healthy():
    port = emulators.free_port()
    done = check_health("--listen", f"127.0.0.1:{port}")
    assert done.returncode == 1 and f"http://127.0.0.1:{port}/livez" in done.stderr
    with socket.create_server(("127.0.0.1", 0)) as silent:
        begin = time.monotonic()
        done = check_health("--listen", f"127.0.0.1:{silent.getsockname()[1]}")
        assert done.returncode == 1 and 1.5 < time.monotonic() - begin < 2 + IN_TIME_S


def test_the_health_check_fails_on_an_answer_that_is_not_200(operated):
    daemon, _ = operated
    done = check_health("--listen", f"127.0.0.1:{daemon.port}")  # its probes are on the operations address
    assert done.returncode == 1 and "404" in done.stderr


@pytest.mark.parametrize(
    "options, word",
    [
        (["--listen", "127.0.0.1:0"], "port"),
        (["--ops-listen", "[::1]:0"], "--ops-listen"),
        (["--listen", "none"], "none"),
        (["--listen", "nowhere"], "HOST:PORT"),
    ],
)
def test_the_health_check_refuses_an_address_that_cannot_be_connected_to(options, word):
    done = check_health(*options)
    assert done.returncode == 2 and word in done.stderr


# Metrics.


def test_promtool_finds_no_mistake_in_the_metrics_of_a_used_service(operated, pair):
    daemon, port = operated
    pair.put([LAMPS[0]._replace(data=b"no event")] + LAMPS[-1:])
    wait.until(lambda: daemon.get("/contributions/lamp").json()["purchases"] == 4, "a purchase")
    for route in ("/", "/scores", "/scores/nobody", "/nothing", "/scores/merchant?limit=0"):
        for method in ("GET", "HEAD", "OPTIONS", "POST", "BREW"):
            daemon.get(route, method=method)
    text = http_client.request(port, "/metrics").content()
    for name in (b"winner_view_http_requests_total{", b"_bucket{", b"winner_view_dead_letters_total{"):
        assert name in text
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


# The access log.


def logged(daemon):
    """{request id: its lines}, of a service that has stopped; every line of the log is JSON."""
    lines = {}
    for line in map(json.loads, daemon.log().splitlines()):
        if line["msg"] == "request":
            lines.setdefault(line["requestId"], []).append(line)
    return lines


def test_each_request_is_one_line_of_json(pair, start_on):
    pair.put(LAMPS)
    daemon = start_on(pair, "--access-log", "all", "--log-format", "json")
    daemon.wait_until_applied()
    asked = {}

    def ask(n, target, method="GET", **headers):
        asked[f"id-{n}"] = daemon.get(target, method=method, headers={"X-Request-Id": f"id-{n}", **headers})

    targets = [
        "/scores/merchant",
        "/contributions/lamp",
        "/nothing",
        "/scores?limit=x",
        "/",
        "/contributions/%ff",
    ]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: ask(n, targets[n % len(targets)]), range(120)))
    ask(200, "/scores/merchant", "HEAD")
    ask(201, "/scores/merchant", "PATCH")
    ask(202, "/contributions/" + "x" * 8300)
    ask(203, "/openapi.yaml", **{"Accept-Encoding": "gzip"})
    ask(204, "/openapi.yaml", **{"If-None-Match": "*"})
    daemon.terminate()

    lines = logged(daemon)
    for name, response in asked.items():
        (line,) = lines[name]
        assert (line["method"], line["status"]) == (response.method, response.status)
        assert line["target"] == response.target[: len(line["target"])] and len(line["target"]) > 0
        assert line["bytes"] == len(response.body), name
        assert 0 <= line["ms"] < 60_000 and line["level"] == "info"
        assert ("cache" in line) == ("cache-status" in response.headers)
        if "cache" in line:
            assert line["cache"] in ("hit", "stale", "miss", "coalesced")
    assert asked["id-203"].headers["content-encoding"] == "gzip" and asked["id-204"].status == 304


def test_the_access_log_errors_has_only_5xx_and_none_is_empty(embedded, make_on):
    for choice in ("errors", "none"):
        options = ("--source", "none", "--access-log", choice, "--log-format", "json")
        daemon = make_on(embedded, *options).start(ready=False)
        daemon.wait_until_listening()
        headers = {"X-Request-Id": "not-ready"}
        assert daemon.get("/contributions/lamp", headers=headers).status == 503
        assert daemon.get("/nothing", headers={"X-Request-Id": "not-there"}).status == 404
        daemon.terminate()
        lines = logged(daemon)
        if choice == "errors":
            assert {name: len(own) for name, own in lines.items()} == {"not-ready": 1}
        else:
            assert lines == {}
