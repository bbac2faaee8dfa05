"""The start. The service listens before it reaches its store, so that probes see that it waits. It notifies the service
manager (sd_notify(3))."""

import os
import signal
import socket
import time

import cloud
import pairs
import pytest
import wait
from small_shop import person, product, puts

ANN = person("merchant", "Ann")
LAMPS = puts(product("lamp", ANN, None, 3))
VIEW_ROUTES = [
    "/scores/merchant",
    "/scores",
    "/scores?role=creator",
    "/scores/x",
    "/scores/merchant/x",
    "/contributions",
    "/contributions/lamp",
    "/live",
]
NO_ANSWER = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}  # nothing listens on that port
KEYS = {"AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y"}


@pytest.fixture
def waiting(make_on, tmp_path):
    """waiting(environment): a service that listens and whose store does not answer."""

    class Nowhere:
        name, environment = "nowhere", {**KEYS, **NO_ANSWER}
        options = ["--source", "none", "--store", "dynamodb:nowhere"]

    def start(environment=None):
        daemon = make_on(Nowhere, environment=environment).start(ready=False)
        daemon.wait_until_listening()
        return daemon

    return start


def test_a_service_that_waits_for_its_store_is_live_and_not_ready(waiting):
    daemon = waiting()
    readiness = daemon.get("/readyz")
    assert readiness.status == 503 and readiness.json()["status"] == "starting"
    trouble = wait.until(lambda: daemon.get("/readyz").json()["troubles"], "/readyz names the store that the service waits for")
    assert "127.0.0.1" in trouble[0]["reason"]
    assert daemon.get("/metrics").status == 200 and daemon.get("/openapi.yaml").status == 200


@pytest.mark.parametrize("target", VIEW_ROUTES)
def test_a_service_that_waits_for_its_store_answers_503_on_routes_of_the_view(waiting, target):
    daemon = waiting()
    for method in ("GET", "HEAD"):
        answer = daemon.get(target, method=method)
        assert answer.status == 503 and int(answer.headers["retry-after"]) >= 1
    assert daemon.get(target).json()["code"] == "view-not-ready"


def test_sigterm_ends_a_service_that_waits_for_its_store(waiting):
    status, seconds = waiting().terminate()
    assert status == 0 and seconds < 20


def test_a_service_becomes_ready_when_its_store_answers(aws, tables, stream, make_daemon, proxies):
    cloud.put(aws.kinesis, stream, LAMPS)
    daemon = make_daemon(tables, stream, environment=proxies.environment)
    with proxies.dynamodb.refusing():
        daemon.start(ready=False)
        daemon.wait_until_listening()
        assert daemon.get("/contributions/lamp").json()["code"] == "view-not-ready"
    daemon.wait_until_ready()
    daemon.wait_until_applied()
    assert daemon.get("/contributions/lamp").json()["purchases"] == 3


# The service manager.


def test_the_service_manager_is_notified_of_start_lag_and_stop(embedded, make_on, manager):
    embedded.put(LAMPS)
    daemon = make_on(embedded, environment=manager.environment(watchdog_s=1)).start()
    manager.wait_for(lambda message: message.get("READY") == "1")
    serving = manager.wait_for(lambda message: "lag " in message["STATUS"] and " ms" in message["STATUS"])
    assert serving["STATUS"].startswith("serving, ") and serving["WATCHDOG"] == "1"
    status, _ = daemon.terminate()
    assert status == 0
    received = manager.rest()
    assert received[-1]["STOPPING"] == "1"
    assert not any("STOPPING" in one for one in received[: received.index(serving) + 1])


def test_a_service_that_waits_for_its_store_notifies_ready_and_the_reason(waiting, manager):
    waiting(manager.environment(watchdog_s=1))
    ready = manager.wait_for(lambda message: message.get("READY") == "1")
    assert "127.0.0.1" in ready["STATUS"] and ready["STATUS"].startswith("starting")
    for _ in range(3):
        assert manager.next()["WATCHDOG"] == "1"


def test_a_store_that_never_answers_does_not_delay_the_ready_notification(make_on, manager):
    """The notification arrives long before the start timeout of the service manager, 90 s."""
    with socket.create_server(("127.0.0.1", 0)) as silent:

        class Silent:
            name, environment = "silent", {**KEYS, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{silent.getsockname()[1]}"}
            options = ["--source", "kinesis:nowhere", "--store", "dynamodb:nowhere"]

        begin = time.monotonic()
        make_on(Silent, environment=manager.environment(watchdog_s=30)).start(ready=False)
        ready = manager.wait_for(lambda message: message.get("READY") == "1")
        assert time.monotonic() - begin < 45
        assert ready["STATUS"].startswith("starting") and "start: " in ready["STATUS"]


def test_a_service_whose_store_belongs_to_another_source_never_notifies_ready(embedded, make_on, manager, tmp_path):
    other = pairs.FileSqlite(tmp_path, tmp_path / "other.jsonl")  # the same database
    embedded.put(LAMPS)
    with make_on(embedded) as daemon:
        daemon.wait_until_applied()
    other.put(LAMPS[1:])
    swapped = make_on(other, environment=manager.environment())
    swapped.start(ready=False)
    assert swapped.process.wait(20) == 2, swapped.log()
    assert not any("READY" in message for message in manager.rest())


def test_a_frozen_process_sends_no_watchdog_message_until_it_is_thawed(embedded, make_on, manager):
    embedded.put(LAMPS)
    daemon = make_on(embedded, environment=manager.environment(watchdog_s=1)).start()
    manager.wait_for(lambda message: message.get("READY") == "1")
    daemon.freeze()
    manager.rest()
    manager.socket.settimeout(1)
    with pytest.raises(TimeoutError):
        manager.socket.recv(8192)
    daemon.thaw()
    manager.wait_for(lambda message: message.get("WATCHDOG") == "1")


def test_child_processes_do_not_inherit_the_notify_socket(embedded, make_on, manager, tmp_path):
    """Otherwise a credential_process could send notifications as if it were the service."""
    seen = tmp_path / "seen"
    process = tmp_path / "process"
    process.write_text(
        f"#!/bin/sh\necho \"[$NOTIFY_SOCKET][$WATCHDOG_USEC]\" >{seen}\n"
        'echo \'{"Version":1,"AccessKeyId":"a","SecretAccessKey":"b"}\'\n'
    )
    process.chmod(0o755)
    config = tmp_path / "config"
    config.write_text(f"[default]\nregion = eu-west-1\ncredential_process = {process}\n")
    environment = {"AWS_CONFIG_FILE": str(config), "AWS_SHARED_CREDENTIALS_FILE": os.devnull, **NO_ANSWER}

    class Nowhere:
        name, options = "nowhere", ["--source", "none", "--store", "dynamodb:nowhere"]

    Nowhere.environment = environment
    daemon = make_on(Nowhere, environment=manager.environment(watchdog_s=5))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        daemon.environment.pop(name, None)
    daemon.start(ready=False)
    wait.until(lambda: seen.exists() and seen.read_text(), "the process was asked")
    assert seen.read_text().strip() == "[][]"
    daemon.process.send_signal(signal.SIGTERM)
    assert daemon.process.wait(20) == 0
