"""deploy/kubernetes: the manifests agree with each other, and with the program's own options, routes and limits."""

import os
import re
import shutil
import subprocess

import program
import pytest
import yaml
from kubernetes import KUBERNETES, MANIFESTS, ROOT, container, environment, literals, load, pod, port_of, ports, the

ELSEWHERE = {"AWS_REGION"}  # not an option of the program


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_manifest_is_one_object_with_a_name_and_some_kustomization_lists_it(path):
    assert {"apiVersion", "kind", "metadata"} <= load(path.parent.name, path.name).keys()
    assert load(path.parent.name, path.name)["metadata"]["name"] == "winner-view"
    assert path.name in load(path.parent.name, "kustomization.yaml")["resources"]


def test_every_file_that_a_kustomization_lists_exists():
    for folder in ("base", "serving"):
        for name in load(folder, "kustomization.yaml")["resources"]:
            assert (KUBERNETES / folder / name).resolve().exists(), name


@pytest.mark.parametrize("folder", ["base", "serving"])
def test_every_name_in_the_environment_is_an_option_of_the_program(folder):
    assert environment(folder).keys() - ELSEWHERE - program.variables() == set()


@pytest.mark.parametrize("folder", ["base", "serving"])
def test_the_program_finds_no_mistake_in_the_environment(folder):
    done = program.run(
        "healthcheck", environment=environment(folder)
    )  # it checks the configuration and needs no running service
    assert done.returncode in (0, 1), done.stderr


def test_the_environment_check_detects_a_mistake():
    done = program.run("healthcheck", environment=environment("base") | {"WINNER_VIEW_STORE": "dynamo:prod"})
    assert done.returncode == 2


def test_the_container_runs_a_command_of_the_program():
    assert container()["args"][0] in program.commands()
    assert container()["args"][1:] == []  # options are in the environment, where an overlay can change them
    assert "command" not in container()  # the image's entry point


def test_the_ports_are_those_that_are_listened_to_on_all_addresses():
    values = environment("base")
    assert ports() == {
        "http": port_of(values["WINNER_VIEW_LISTEN"]),
        "operations": port_of(values["WINNER_VIEW_OPS_LISTEN"]),
    }
    for name in ("WINNER_VIEW_LISTEN", "WINNER_VIEW_OPS_LISTEN"):
        assert values[name].startswith("[::]:")


def test_the_service_exposes_only_the_public_port():
    (only,) = the("Service")["spec"]["ports"]
    assert only["targetPort"] == "http"


@pytest.mark.parametrize(
    "probe, path", [("startup", "/livez"), ("liveness", "/livez"), ("readiness", "/readyz")]
)
def test_a_probe_asks_a_route_of_the_program_on_the_operators_port(probe, path):
    asked = container()[probe + "Probe"]["httpGet"]
    assert (asked["path"], asked["port"]) == (path, "operations")
    assert f'"{path}"' in (ROOT / "api" / "route.c").read_text()


def test_the_prometheus_annotations_name_the_operations_port_and_a_route():
    notes = the("Deployment")["spec"]["template"]["metadata"]["annotations"]
    assert int(notes["prometheus.io/port"]) == ports()["operations"]
    assert f'"{notes["prometheus.io/path"]}"' in (ROOT / "api" / "route.c").read_text()


def test_the_termination_grace_period_is_longer_than_a_stop():
    longest_s = int(environment("base")["WINNER_VIEW_DRAIN_SECONDS"]) + program.limit("LIMIT_STOP_STUCK_MS") / 1000
    assert pod()["terminationGracePeriodSeconds"] > longest_s


def test_a_draining_pod_leaves_its_service_before_the_drain_ends():
    probe = container()["readinessProbe"]
    noticed_s = probe["periodSeconds"] * probe["failureThreshold"] + probe["timeoutSeconds"]
    assert noticed_s < int(environment("base")["WINNER_VIEW_DRAIN_SECONDS"])


def test_the_memory_limit_covers_the_programs_memory_budget():
    held = program.limit("LIMIT_INFLIGHT_BYTES") + program.limit("LIMIT_CONTRIBUTION_CACHE_BYTES")
    held_mib = (held + int(program.default("cache-bytes"))) >> 20
    memory = container()["resources"]["limits"]["memory"]
    assert int(memory.removesuffix("Mi")) >= held_mib + 64


def test_the_root_is_read_only_and_the_user_is_not_root():
    own, all_of_it = container()["securityContext"], pod()["securityContext"]
    assert own["readOnlyRootFilesystem"] and own["allowPrivilegeEscalation"] is False
    assert own["capabilities"]["drop"] == ["ALL"]
    assert all_of_it["runAsNonRoot"] and all_of_it["runAsUser"] > 0
    assert all_of_it["seccompProfile"]["type"] == "RuntimeDefault"
    assert "volumes" not in pod()  # no file can be written: neither store nor dead letters may be files
    for name in ("WINNER_VIEW_STORE", "WINNER_VIEW_SOURCE", "WINNER_VIEW_DEAD_LETTER"):
        assert not environment("base")[name].startswith(("file:", "sqlite:"))


def test_the_service_account_belongs_to_the_pod_and_names_a_role():
    account = the("ServiceAccount")
    assert pod()["serviceAccountName"] == account["metadata"]["name"]
    role = account["metadata"]["annotations"]["eks.amazonaws.com/role-arn"]
    assert re.fullmatch(r"arn:aws:iam::\d{12}:role/[\w+=,.@-]+", role)


def test_a_restarted_container_keeps_its_worker_id():
    (own,) = [one for one in container()["env"] if one["name"] == "WINNER_VIEW_WORKER_ID"]
    assert own["valueFrom"]["fieldRef"]["fieldPath"] == "metadata.name"


def test_serving_pods_read_no_stream_and_have_labels_of_their_own():
    assert environment("serving")["WINNER_VIEW_SOURCE"] == "none"
    labels = [load(folder, "kustomization.yaml")["labels"][0] for folder in ("base", "serving")]
    assert all(
        one["includeSelectors"] for one in labels
    )  # else two Deployments and two budgets select the same pods
    key = "app.kubernetes.io/component"
    assert labels[0]["pairs"][key] != labels[1]["pairs"][key]
    assert load("serving", "kustomization.yaml")["nameSuffix"]


def test_eviction_and_rollout_leave_pods_running():
    deployment = the("Deployment")["spec"]
    assert deployment["replicas"] > the("PodDisruptionBudget")["spec"]["maxUnavailable"]
    assert deployment["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    scaler = load("serving", "autoscaler.yaml")["spec"]
    assert scaler["minReplicas"] > 1 and scaler["scaleTargetRef"]["name"] == "winner-view"


def builder():
    """kustomize or kubectl. Debian's kubectl is too old: its kustomize does not support `labels`."""
    if shutil.which("kustomize"):
        return ["kustomize", "build"]
    if shutil.which("kubectl"):
        version = subprocess.run(["kubectl", "version", "--client"], capture_output=True, text=True, timeout=60).stdout
        if re.search(r"Kustomize Version: v([5-9]|\d\d)", version):
            return ["kubectl", "kustomize"]
    return None


BUILDER = builder()


@pytest.mark.skipif(not BUILDER, reason="neither kustomize nor a kubectl that has one of version 5 is installed")
@pytest.mark.parametrize("folder, component", [("base", "worker"), ("serving", "serving")])
def test_kustomize_builds_each_folder_and_selectors_match_only_its_pods(folder, component):
    built = subprocess.run(
        [*BUILDER, os.fspath(KUBERNETES / folder)], capture_output=True, text=True, timeout=60
    )
    assert built.returncode == 0, built.stderr
    objects = {one["kind"]: one for one in yaml.safe_load_all(built.stdout)}
    spec = objects["Deployment"]["spec"]
    labels = spec["template"]["metadata"]["labels"]
    assert labels["app.kubernetes.io/component"] == component
    for selector in (
        spec["selector"]["matchLabels"],
        objects["Service"]["spec"]["selector"],
        objects["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"],
    ):
        assert selector["app.kubernetes.io/component"] == component and selector.items() <= labels.items()
    (source,) = spec["template"]["spec"]["containers"][0]["envFrom"]
    assert source["configMapRef"]["name"] == objects["ConfigMap"]["metadata"]["name"]
    assert objects["ConfigMap"]["data"].items() >= (literals("base") | literals(folder)).items()
