"""The documents of the tree are short, their links resolve, and they agree on the licence."""

import re

import dockerfile
import documents
import promql
import pytest
import yaml

ROOT = documents.ROOT
MOST_WORDS = {
    "README.md": 900,
    "HACKING.md": 1000,
    "deploy/README.md": 3000,
    "views/README.md": 1800,  # the protocol, and why each rule
    "api/README.md": 1350,  # with an example of each route
    "ingest/README.md": 1350,  # with the reference of a dead letter
}
MOST_WORDS_OF_A_FOLDER = 1000
# The file that runs each program that HACKING.md or a sentence names. The commands in the blocks of the READMEs are run by
# tests/integration/test_readme.py and test_operator_procedures.py, or checked by test_operators_commands.py.
RUN_BY = {
    "deploy/quickstart.sh": "tests/integration/test_quickstart.py",
    "tests/run.sh": "tests/fresh.sh",
    "tests/emulators": "tests/run.sh",
    "tests/protocol/check": "tests/run.sh",
    "tests/fuzz/run": "tests/run.sh",
    "tests/torture": "tests/run.sh",
    "tests/bench/all.py": "tests/run.sh",
    "tests/bench/write_units.py": "tests/bench/all.py",
    "tests/bench/scale.py": "tests/bench/all.py",
    "deploy/packages.sh": "tests/run.sh",
    "cmake": "tests/run.sh",
    "/usr/bin/python3 -m pytest": "tests/run.sh",
    "winner-view": "tests/integration/test_documented_options.py",
}
# Commands that no test runs, and why.
NOT_RUN = {
    "tests/fresh.sh": "it bootstraps a Debian and runs tests/run.sh there: half an hour, as root",
    "tests/bench/shard_cost.py": "a measurement, of minutes; tests/integration/test_capacity.py tests what follows from it",
    "tests/bench/push_cost.py": "a measurement, of minutes",
    "tests/bench/write_units.py --all": "it measures eleven more streams: ten minutes",
    "tests/bench/write_units.py --kept": "it measures twelve more streams: ten minutes",
    "tests/soak": "hours; its parts are the ordeals in tests/ordeal",
    "tests/mutate.py": "it builds a program for each guard and tortures it: a quarter of an hour",
    "tests/format.sh": "the tests do not install clang-format",
    "tests/lint.sh": "the tests do not install clang-tidy",
    "tests/emulators -- gdb": "a debugger is for a person",
}
MOST_WORDS_OF_A_SENTENCE = 15  # of the one in the middle


@pytest.mark.parametrize("name", documents.all_paths())
def test_every_link_leads_to_a_file_or_a_section(name):
    assert documents.broken_links(name) == []


@pytest.mark.parametrize("link", ["[x](nowhere.md)", "[x](README.md#nowhere)", "[x](#nowhere)"])
def test_a_link_that_leads_nowhere_is_found(link, tmp_path, monkeypatch):
    monkeypatch.setattr(documents, "ROOT", tmp_path)
    (tmp_path / "README.md").write_text(f"# Here\n\n[y](README.md#here) {link}\n")
    assert len(documents.broken_links("README.md")) == 1


@pytest.mark.parametrize("name", documents.all_paths())
def test_a_document_is_short(name):
    assert documents.count_words(documents.read(name)) <= MOST_WORDS.get(name, MOST_WORDS_OF_A_FOLDER)


@pytest.mark.parametrize("name", documents.all_paths())
def test_the_sentences_of_a_document_are_short(name):
    assert documents.median_sentence(documents.read(name)) <= MOST_WORDS_OF_A_SENTENCE


def test_a_sentence_ends_at_its_full_stop_and_an_item_of_a_list_is_one():
    text = "# Head\n\nOne two\nthree. Four `x. y` five!\n\n* six: seven\n* eight\n\n    code. code.\n\n```sh\ncode. code.\n```\n| a. b. |\n"
    assert [documents.count_words(one) for one in documents.sentences(text)] == [3, 4, 2, 1]


def test_the_readme_uses_no_program_that_the_quick_start_does_not_install():
    typed = "\n".join(command for command, _ in documents.block_commands("README.md"))
    assert not re.search(r"\b(jq|sqlite3|aws|docker|git|sudo)\b", typed)


def named_commands():
    """The commands of HACKING.md, and those in a sentence of any document except the operator's page."""
    found = {command for command, _ in documents.block_commands("HACKING.md")}
    for name in documents.all_paths():
        if name != "deploy/README.md":
            found |= set(documents.sentence_commands(name))
    return {re.sub(r"^(\./|[A-Z_]+=\S+ )", "", command) for command in found}


def test_each_command_in_a_document_is_run_by_a_test_or_has_a_reason_why_not():
    known = sorted({**RUN_BY, **NOT_RUN}, key=len, reverse=True)
    used = {command: next((one for one in known if command.startswith(one)), None) for command in named_commands()}
    assert [command for command, one in used.items() if not one] == []
    assert {*RUN_BY, *NOT_RUN} - set(used.values()) == set()


@pytest.mark.parametrize("program", RUN_BY)
def test_the_file_that_runs_a_program_mentions_the_program(program):
    word = re.findall(r"[\w.-]+", program)[-1]
    assert re.search(rf"(?<![\w-]){re.escape(word)}\b", (ROOT / RUN_BY[program]).read_text())


FOLDERS = ("api", "aws", "base", "deploy", "ingest", "server", "tests", "views")


@pytest.mark.parametrize("name", documents.all_paths())
def test_every_file_that_a_document_names_is_there(name):
    here = (ROOT / name).parent
    named = re.findall(r"`\.?/?((?:%s)/[\w./-]*)`" % "|".join(FOLDERS), documents.read(name))
    assert [path for path in named if not (ROOT / path).exists() and not (here / path).exists()] == []


@pytest.mark.parametrize("name", documents.all_paths())
def test_every_metric_that_a_document_names_is_exported(name):
    assert set(re.findall(r"winner_view_\w+", documents.read(name))) - promql.families().keys() == set()


def plain(text):
    """Debian's papers indent a licence, with a dot for an empty line."""
    return " ".join(re.sub(r"^ \.?", "", text, flags=re.MULTILINE).split())


def test_the_licence_is_the_same_in_the_tree_the_package_the_contract_and_the_image():
    title, notice, terms = (ROOT / "LICENSE").read_text().split("\n\n", 2)
    assert (title, notice) == ("MIT License", "Copyright (c) 2026 the winner-view authors")
    package = (ROOT / "deploy" / "debian" / "copyright").read_text()
    holder, short_name, text = re.search(r"^Copyright: (.*)\nLicense: (.*)\n((?: .*\n)+)", package, re.MULTILINE).groups()
    assert notice == f"Copyright (c) {holder}"
    assert short_name == "Expat"  # Debian's name of the MIT licence
    assert plain(text) == plain(terms)
    contract = yaml.safe_load((ROOT / "openapi.yaml").read_text())["info"]["license"]
    assert contract == {"name": "MIT", "identifier": "MIT"}
    labels = [rest for word, rest in dockerfile.instructions((ROOT / "Dockerfile").read_text()) if word == "LABEL"]
    assert 'org.opencontainers.image.licenses="MIT"' in labels
