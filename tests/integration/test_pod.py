"""A pod of deploy/kubernetes without Kubernetes: the program as its container runs it, with the environment of the
manifests and their probes."""

import contextlib
import time

import cloud
import emulators
import http_client
import program
import pytest
import wait
from daemon import Daemon
from kubernetes import container, environment, port_of
from small_shop import person, product, puts

ANN, PIA = person("merchant", "Ann"), person("photographer", "Pia")
AT_ONCE = {"WINNER_VIEW_DRAIN_SECONDS": "0"}  # for tests that do not test the stop


class Pod(Daemon):
    """It has its own ports, because it has no address of its own."""

    def __init__(self, folder, yours):
        values = environment(folder) | yours
        values["WINNER_VIEW_LISTEN"] = f"127.0.0.1:{emulators.free_port()}"
        values["WINNER_VIEW_OPS_LISTEN"] = f"127.0.0.1:{emulators.free_port()}"
        super().__init__([], values, port=port_of(values["WINNER_VIEW_LISTEN"]))
        self.argv = [program.binary(), *container()["args"]]
        self.operations = port_of(values["WINNER_VIEW_OPS_LISTEN"])

    def probe(self, kind):
        """The status that kubelet sees; None: nothing listens."""
        probe = container()[kind + "Probe"]
        with contextlib.suppress(OSError):
            return http_client.request(
                self.operations, probe["httpGet"]["path"], timeout_s=max(5, probe.get("timeoutSeconds", 1))
            ).status

    def probes(self):
        return {kind: self.probe(kind) for kind in ("startup", "liveness", "readiness")}


@pytest.fixture
def make_pod(aws, tables, stream):
    with contextlib.ExitStack() as stack:

        def make(folder, environment):
            yours = {**aws.environment, "WINNER_VIEW_STORE": f"dynamodb:{tables}", **environment}
            if folder == "base":
                yours["WINNER_VIEW_SOURCE"] = f"kinesis:{stream}"
            pod = Pod(folder, yours)
            stack.callback(pod.__exit__, None)
            return pod

        yield make


def test_a_pod_without_its_store_is_live_and_not_ready_until_the_store_is_back(aws, stream, make_pod, proxies):
    cloud.put(aws.kinesis, stream, puts(product("lamp", ANN, PIA, 3)))
    pod = make_pod("base", {**AT_ONCE, **proxies.environment})
    with proxies.dynamodb.refusing():
        pod.start(ready=False)
        wait.until(lambda: pod.probe("startup") == 200, "the startup probe is 200", seen=pod.log_tail)
        assert pod.probes() == {"startup": 200, "liveness": 200, "readiness": 503}
    wait.until(lambda: pod.probe("readiness") == 200, "its store is back", timeout_s=60)
    wait.until(lambda: pod.get("/contributions/lamp").json().get("purchases") == 3, "the pod serves the purchases", timeout_s=60)


def test_a_pod_that_drains_is_not_ready_while_it_still_answers(make_pod):
    pod = make_pod("base", {}).start(ready=False)
    wait.until(lambda: pod.probe("readiness") == 200, "ready", seen=pod.log_tail)
    pod.process.terminate()
    begin = time.monotonic()
    wait.until(lambda: pod.probe("readiness") == 503, "no readers any more")
    assert pod.get("/scores/merchant").status == 200 and pod.probe("liveness") == 200
    assert pod.process.wait(Daemon.STOP_TIMEOUT_S) == 0
    # after kubelet has seen it not ready, and before the grace period ends
    probe = container()["readinessProbe"]
    assert time.monotonic() - begin > probe["periodSeconds"] * probe["failureThreshold"]


def test_a_pod_that_only_serves_becomes_ready_beside_one_that_fills(aws, stream, make_pod):
    cloud.put(aws.kinesis, stream, puts(product("lamp", ANN, PIA, 3)))
    make_pod("base", AT_ONCE).start(ready=False)
    serving = make_pod("serving", AT_ONCE).start(ready=False)
    wait.until(lambda: serving.probe("readiness") == 200, "ready", seen=serving.log_tail)
    wait.until(lambda: serving.get("/contributions/lamp").json().get("purchases") == 3, "the pod serves the purchases", timeout_s=60)
