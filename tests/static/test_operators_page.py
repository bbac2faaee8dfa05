"""The options, files, metrics and alerts that deploy/README.md names exist."""

import re
import shutil
import subprocess

import operators_page
import program
import promql
import pytest

TEXT = operators_page.text()


def test_the_marked_commands_are_a_script():
    done = subprocess.run(
        ["bash", "-n"], input=operators_page.script(), capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(not shutil.which("shellcheck"), reason="shellcheck is not installed")
def test_shellcheck_finds_nothing_in_the_marked_commands():
    argv = ["shellcheck", "--shell=bash", "--exclude=SC2086,SC2154", "-"]
    done = subprocess.run(argv, input=operators_page.script(), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout


def test_every_option_on_the_page_is_one_of_the_program():
    known = {f"--{one.name}" for one in program.options()} | {"--help", "--version"}
    used = set()
    for command in operators_page.all_commands():
        if re.match(r"(sudo )?winner-view", command):
            used |= set(re.findall(r"--[a-z][a-z-]+", command))
    for prose in re.findall(r"`(--[a-z][a-z-]+)[^`]*`", TEXT):
        if prose != "--endpoint-url":  # an option of aws
            used.add(prose)
    assert len(used) > 8 and used - known == set()


def test_every_name_in_the_environment_on_the_page_is_an_option():
    assert set(re.findall(r"WINNER_VIEW_\w+", TEXT)) - program.variables() == set()


def test_every_metric_and_alert_on_the_page_exists():
    assert set(re.findall(r"winner_view_\w+", TEXT)) - promql.families().keys() == set()
    alerts = set(
        re.findall(r"- alert: (\w+)", (operators_page.ROOT / "deploy/prometheus/alerts.yaml").read_text())
    )
    assert set(re.findall(r"\bWinnerView\w+", TEXT)) == alerts


def test_every_trouble_that_the_page_names_is_one_of_the_program():
    section = TEXT.partition("### WinnerViewDegraded\n")[2].partition("\n###")[0]
    named = re.findall(r"`([a-z ]+?)(?: …)?`", section)
    texts = promql.literals()
    assert len(named) > 6 and [name for name in named if not any(text.startswith(name) for text in texts)] == []


def test_every_file_of_deploy_that_the_page_names_exists():
    for name in re.findall(r"(?:^| |`)deploy/([\w./-]+)", TEXT):
        assert (operators_page.PAGE.parent / name).exists(), name


def test_the_ports_of_the_page_are_those_of_the_manifests():
    manifest = (operators_page.ROOT / "deploy/kubernetes/base/kustomization.yaml").read_text()
    (port,) = re.findall(r"OPS_LISTEN=\S+:(\d+)", manifest)
    assert f"({port} below" in TEXT and set(re.findall(r'"10\.[\d.]+:(\d+)"', TEXT)) == {port}
