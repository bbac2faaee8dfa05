"""openapi.yaml is well-formed, passes a linter, and agrees with the route table and the problem types."""

import json
import os
import re
import subprocess

import contract
import jsonschema
import npm
import pytest

API = contract.PATH.parent / "api"


def constants():
    headers = "\n".join(path.read_text() for path in sorted(API.glob("*.h")))
    return dict(re.findall(r'#define (\w+) "(/[^"]*)"', headers))


def route_table():
    """{template: the names of its parameters}, from api/route.c. Routes of the view also have `maxLag`."""
    text = (API / "route.c").read_text()
    text = text[text.index("route_table[] = {") : text.index("route_count")]
    rows = [row for row in re.split(r"(?=\.template = )", text) if row.startswith(".template")]
    table = {}
    for row in rows:
        literal, name = re.match(r'\.template = (?:"([^"]+)"|(\w+))', row).groups()
        parameters = re.search(r"\.parameters = \{([^}]*)\}", row)
        names = set(re.findall(r'"(\w+)"', parameters[1] if parameters else ""))
        table[literal or constants()[name]] = names | ({"maxLag"} if "ROUTE_LOADED" in row else set())
    assert len(table) == len(rows) > 10
    return table


def shape(path):
    return re.sub(r"\{[^}]*\}", "{}", path)


def names(parameters):
    return {parameter["name"] for parameter in parameters}


def test_every_route_is_in_openapi_and_every_path_of_openapi_is_a_route(openapi):
    assert {shape(path) for path in route_table()} == {shape(path) for path in openapi.document["paths"]}


def test_every_path_has_the_parameters_of_its_route(openapi):
    table = {shape(path): names for path, names in route_table().items()}
    for path in openapi.document["paths"]:
        assert names(openapi.parameters(path, "query")) == table[shape(path)], path
        assert names(openapi.parameters(path, "path")) == set(re.findall(r"\{(\w+)\}", path)), path


def test_every_path_describes_get_options_and_405(openapi):
    for path, item in openapi.document["paths"].items():
        assert set(item) - {"parameters"} == {"get", "options"}, path
        assert {"200", "400", "404", "405", "413", "414", "431"} <= set(item["get"]["responses"]), path
        assert {"204", "400", "404", "413", "414", "431"} <= set(item["options"]["responses"]), path


def references(node):
    if isinstance(node, dict):
        if "$ref" in node:
            yield node["$ref"]
        node = list(node.values())
    for inner in node if isinstance(node, list) else []:
        yield from references(inner)


def test_every_reference_resolves_and_every_schema_is_valid(openapi):
    for reference in references(openapi.document):
        openapi.resolver.resolve(reference)
    for schema in openapi.document["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)


def contents(openapi):
    """(where, media type, its description) of every response."""
    for path, item in openapi.document["paths"].items():
        for method in ("get", "options"):
            for status, response in item[method]["responses"].items():
                for kind, media in openapi.resolve(response).get("content", {}).items():
                    yield f"{method} {path} {status}", kind, media


def test_every_json_answer_has_a_valid_example(openapi):
    for where, kind, media in contents(openapi):
        if kind.endswith("json"):
            examples = [media[key] for key in ("example",) if key in media]
            examples += [example["value"] for example in media.get("examples", {}).values()]
            assert examples, f"{where}: no example"
            for example in examples:
                openapi.validate(example, media["schema"], where)


def test_each_type_of_problem_of_the_api_resolves_in_openapi_and_the_other_way_round(openapi):
    source = (API / "problem.c").read_text()
    found = re.findall(r'\[PROBLEM_\w+\] = \{"([a-z-]+)", "([^"]+)",\s*(\d+)', source)
    described = openapi.document["components"]["x-problems"]
    assert [(code, each["title"], str(each["status"])) for code, each in described.items()] == found
    assert all(each["description"] for each in described.values())
    problem = openapi.component("schemas", "Problem")["properties"]
    assert problem["code"]["enum"] == list(described)
    assert set(problem["status"]["enum"]) == {each["status"] for each in described.values()}
    for where, kind, media in contents(openapi):
        if kind == contract.PROBLEM:
            openapi.check_problem(media["example"], int(where.split()[-1]), where)


@pytest.mark.all
def test_the_openapi_linter_finds_no_error_and_no_warning():
    program = npm.folder("redocly") / "node_modules/@redocly/cli/bin/cli.js"
    quiet = {"REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true", "NODE_OPTIONS": ""}
    done = subprocess.run(
        ["node", program, "lint", "--extends=recommended", "--format=json", contract.PATH.name],
        cwd=contract.PATH.parent,
        env={**os.environ, **quiet},
        capture_output=True,
        text=True,
        timeout=120,
    )
    found = json.loads(done.stdout)
    assert done.returncode == 0 and found["totals"] == {"errors": 0, "warnings": 0, "ignored": 0}, done.stdout


class Answer:
    """A response that openapi.yaml describes; `changes` replace its attributes."""

    method, target, status = "GET", "/livez", 200
    body, content_type = b'{"status":"ok"}', "application/json"

    def __init__(self, **changes):
        self.header_lines = [
            ("cache-control", "no-store"),
            ("content-type", self.content_type),
        ]
        for name, value in changes.items():
            setattr(self, name, value)

    @property
    def headers(self):
        return dict(self.header_lines)

    def json(self):
        return json.loads(self.body)


PROBE = Answer().header_lines
PRIVATE_FILE = [*PROBE[:1], ("etag", 'W/"a"'), ("vary", "Accept-Encoding")]
FILE = [
    *PRIVATE_FILE,
    ("access-control-allow-origin", "*"),
    ("access-control-expose-headers", ", ".join(contract.EXPOSED)),
]


def unchanged(lines):
    return {"target": "/board.js", "status": 304, "body": b"", "header_lines": lines}


def test_the_check_accepts_an_answer_that_openapi_describes(openapi):
    openapi.check(Answer())
    openapi.check(Answer(method="HEAD", body=b""))
    openapi.check(Answer(**unchanged(FILE)))


@pytest.mark.parametrize(
    "changes",
    [
        {"status": 299},
        {"status": 304, "body": b""},
        {"method": "POST"},
        {"target": "/nothing"},
        {"method": "HEAD"},
        {"body": b"{}"},
        {"body": b'{"status":"fine"}'},
        {"body": b'{"status":"ok","more":1}'},
        {"content_type": "text/html"},
        {"header_lines": PROBE[1:]},
        {"header_lines": [("cache-control", "public"), *PROBE[1:]]},
        {"header_lines": [*PROBE, ("x-powered-by", "c")]},
        {"header_lines": [*PROBE, ("cache-control", "no-store")]},
        {"header_lines": [*PROBE, ("access-control-allow-origin", "*")]},
        unchanged(PRIVATE_FILE),
        unchanged(FILE[:-1]),
        unchanged([*FILE, ("access-control-allow-credentials", "true")]),
    ],
)
def test_the_check_refuses_an_answer_that_openapi_does_not_describe(openapi, changes):
    with pytest.raises((AssertionError, KeyError)):
        openapi.check(Answer(**changes))


def test_a_target_matches_the_path_that_the_service_routes_it_to(openapi):
    for target, path in {
        "/": "/",
        "/scores/merchant?limit=1": "/scores/merchant",
        "/scores/%6derchant": "/scores/merchant",
        "/scores/ann": "/scores/{id}",
        "/scores/a%2Fb": "/scores/{id}",
        "/scores/merchant/a": "/scores/{role}/{id}",
        "/scores/": None,
        "//scores": None,
        "*": None,
        "http://host:80/livez?": "/livez",
        "HTTPS://host": "/",
        "?limit=1": "/",
    }.items():
        assert openapi.template(target) == path, target
