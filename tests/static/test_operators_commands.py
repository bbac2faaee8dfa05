"""The commands on deploy/README.md that no test can really run: the AWS command line accepts them, and what they name
exists."""

import re
import shutil
import subprocess

import cloudformation
import operators_page
import program
import pytest
import yaml

KUBERNETES = operators_page.ROOT / "deploy" / "kubernetes"
TEMPLATE = cloudformation.load(operators_page.ROOT / "deploy" / "cloudformation.yaml")
UNIT = (operators_page.ROOT / "deploy" / "winner-view.service").read_text()
MISSING = [name for name in ("aws", "jq") if not shutil.which(name)]

pytestmark = [pytest.mark.all, pytest.mark.skipif(MISSING, reason=f"not installed: {', '.join(MISSING)}")]


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    return operators_page.Rehearsal(tmp_path_factory.mktemp("operators-page"))


def test_the_unmarked_commands_run_to_their_end(page):
    assert page.done.returncode == 0, page.done.stderr[-3000:]


def is_too_new(refused):
    """Whether the installed `aws` is older than the command: `eks create-pod-identity-association` is in 2.15, and Debian
    12 has 2.9."""
    version = subprocess.run(["aws", "--version"], capture_output=True, text=True, check=True).stdout
    found = tuple(map(int, re.match(r"aws-cli/(\d+)\.(\d+)", version).groups()))
    return found[0] == 2 and found < (2, 15) and refused.startswith("aws eks create-pod-identity-association ")


def test_the_aws_command_line_accepts_every_command(page):
    assert [one for one in page.refused if not is_too_new(one)] == []
    requested = {operation for operation, _ in page.asked}
    assert {"CreateChangeSet", "RestoreTableToPointInTime", "RunTask", "ReceiveMessage", "DeleteMessage"} <= requested


def test_the_tables_are_restored_leases_first_and_scores_last(page):
    restored = [call for call in page.calls("aws") if "restore-table-to-point-in-time" in call]
    tables, moments = ([call[call.index(name) + 1] for call in restored] for name in ("--source-table-name", "--restore-date-time"))
    assert [table.rpartition("-")[2] for table in tables] == ["Leases", "Contributions", "Scores"]
    assert moments == sorted(set(moments))


def test_the_deploy_command_gives_every_required_parameter_and_no_unknown_one(page):
    (requested,) = [requested for operation, requested in page.asked if operation == "CreateChangeSet"]
    given = {
        requested[name]: requested.get(name.replace("Key", "Value"))
        for name in requested
        if re.fullmatch(r"Parameters\.member\.\d+\.ParameterKey", name) and name.replace("Key", "Value") in requested
    }
    needed = {name for name, parameter in TEMPLATE.parameters.items() if "Default" not in parameter}
    assert needed <= given.keys() <= TEMPLATE.parameters.keys()
    # a stack that fails during its creation must be able to delete its tables
    assert given["DeletionProtection"] == "false" and "`DeletionProtection=true`" in operators_page.text()
    # the repository that the tasks may pull from is the one that is pushed to
    repository = given["ImageRepositoryArn"].rpartition("/")[2]
    assert given["Image"].startswith("111122223333.dkr.ecr.") and given["Image"].rpartition(":")[0].endswith(repository)
    assert ["push", given["Image"]] in page.calls("docker")
    assert ["build", "-t", given["Image"], "."] in page.calls("docker")


def test_every_stack_output_that_the_page_uses_exists():
    requested = set(re.findall(r"\$\(output (\w+)\)", operators_page.text()))
    assert requested and requested <= TEMPLATE.content["Outputs"].keys()


def test_the_alarms_of_the_stack_are_explained():
    alarms = {name for name, one in TEMPLATE.resources.items() if one["Type"] == "AWS::CloudWatch::Alarm"}
    assert set(re.findall(r"`(\w+Alarm)`", operators_page.text())) == alarms


@pytest.mark.parametrize("command", sorted(set(operators_page.prose_commands("aws [a-z0-9]+"))))
def test_every_aws_command_named_in_prose_exists(command):
    done = subprocess.run(
        [*command.split(), "--generate-cli-skeleton", "input"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr


def test_the_program_accepts_every_winner_view_command(page):
    commands = program.commands()
    calls = page.calls("winner-view") + [one.split()[1:] for one in operators_page.prose_commands("winner-view")]
    assert len(calls) > 3
    for command, *options in calls:
        if command in ("--help", "--version"):
            continue
        assert command in commands and not operators_page.is_configuration_mistake(options), (command, options)


def test_kubectl_commands_name_existing_objects(page):
    deployment = yaml.safe_load((KUBERNETES / "base" / "deployment.yaml").read_text())
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    ports = {f"{one['containerPort']}:{one['containerPort']}" for one in container["ports"]}
    calls = page.calls("kubectl")
    assert {call[0] for call in calls} == {"kustomize", "apply", "rollout", "port-forward"}
    for command, *rest in calls:
        for word in rest:
            if word.startswith("deploy/"):
                assert (operators_page.ROOT / word / "kustomization.yaml").exists(), word
            elif word.startswith("deployment/"):
                assert word == f"deployment/{deployment['metadata']['name']}"
            elif ":" in word:
                assert word in ports
            else:
                assert word in ("-k", "status"), word


def test_systemctl_commands_name_the_packages_unit_and_environment(page):
    for program in ("systemctl", "journalctl"):
        called = page.calls(program) + [rest for first, *rest in page.calls("sudo") if first == program]
        assert called and all("winner-view" in arguments for arguments in called)
    assert re.search(r"^EnvironmentFile=-(.*)$", UNIT, re.MULTILINE)[1] in page.calls("sudoedit")[0]
    assert ["apt-get", "install", "./build/release/winner-view_0_amd64.deb"] in page.calls("sudo")


def test_every_url_of_the_page_is_a_route():
    routes = "".join((operators_page.ROOT / "api" / name).read_text() for name in ("route.c", "handlers.h"))
    requested = re.findall(r"(?:localhost:\d+|output Url\)\")/?([\w/]+)", operators_page.text())
    assert len(set(requested)) > 3
    for path in set(requested):
        assert f'"/{path.split("/")[0]}' in routes, path
