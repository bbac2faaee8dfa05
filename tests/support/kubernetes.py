"""The manifests of deploy/kubernetes, read as kustomize reads them."""

import pathlib

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
KUBERNETES = ROOT / "deploy" / "kubernetes"
MANIFESTS = [path for path in sorted(KUBERNETES.glob("*/*.yaml")) if path.name != "kustomization.yaml"]


def load(*path):
    return yaml.safe_load(KUBERNETES.joinpath(*path).read_text())


def the(kind):
    """The object of this kind in the base."""
    names = load("base", "kustomization.yaml")["resources"]
    (found,) = [one for one in (load("base", name) for name in names) if one["kind"] == kind]
    return found


def literals(folder):
    (generator,) = load(folder, "kustomization.yaml")["configMapGenerator"]
    assert generator["name"] == "winner-view"
    return dict(text.split("=", 1) for text in generator["literals"])


def environment(folder):
    """The environment of a container, with the values that Kubernetes fills in."""
    values = literals("base") | literals(folder)
    for one in container()["env"]:
        values[one["name"]] = one.get("value", "the-pod")
    return values


def pod():
    return the("Deployment")["spec"]["template"]["spec"]


def container():
    (only,) = pod()["containers"]
    return only


def ports():
    return {one["name"]: one["containerPort"] for one in container()["ports"]}


def port_of(address):
    return int(address.rpartition(":")[2])
