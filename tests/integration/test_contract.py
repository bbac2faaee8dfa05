"""openapi.yaml and the route table say the same, and openapi.yaml is itself well-formed."""

import re

import jsonschema
import pytest
import yaml

import contract

API = contract.PATH.parent / "api"


def route_table():
    """The templates of api/route.c's table; constants are looked up in api's headers."""
    headers = "\n".join(path.read_text() for path in sorted(API.glob("*.h")))
    constants = dict(re.findall(r'#define (\w+) "(/[^"]*)"', headers))
    given = re.findall(r'\.template = (?:"([^"]+)"|(\w+))', (API / "route.c").read_text())
    return [literal or constants[name] for literal, name in given]


def shape(path):
    return re.sub(r"\{[^}]*\}", "{}", path)


def test_every_route_is_in_openapi_and_every_path_of_openapi_is_a_route(openapi):
    routes, paths = [shape(path) for path in route_table()], [
        shape(path) for path in openapi.document["paths"]
    ]
    assert len(routes) > 10 and len(set(routes)) == len(routes) and len(set(paths)) == len(paths)
    assert set(routes) == set(paths)


def test_every_path_has_get_and_every_parameter_in_it_is_described(openapi):
    for path, item in openapi.document["paths"].items():
        assert "get" in item, path
        described = item.get("parameters", []) + item["get"].get("parameters", [])
        names = {p["name"] for p in map(openapi.resolve, described) if p["in"] == "path"}
        assert names == set(re.findall(r"\{(\w+)\}", path)), path


def test_every_reference_leads_somewhere_and_every_schema_is_one(openapi):
    def references(node):
        if isinstance(node, dict):
            if "$ref" in node:
                yield node["$ref"]
            node = list(node.values())
        for inner in node if isinstance(node, list) else []:
            yield from references(inner)

    for reference in references(openapi.document):
        openapi.resolver.resolve(reference)
    for schema in openapi.document["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)


def test_every_problem_type_of_the_api_is_in_openapi_and_none_else(openapi):
    source = (API / "problem.c").read_text()
    types = set(re.findall(r'\[PROBLEM_\w+\] = \{"([a-z-]+)"', source))
    text = yaml.safe_dump(openapi.document["components"]["schemas"]["Problem"])
    assert types and types == {name for name in types if name in text}
    listed = openapi.resolve(openapi.document["components"]["schemas"]["Problem"]["properties"]["type"]).get(
        "enum"
    )
    assert listed and {name.rstrip("/").rpartition("/")[2].rpartition(":")[2] for name in listed} == types


def test_the_check_refuses_what_openapi_does_not_say(openapi):
    class Wrong:
        method, target, status, headers, body, content_type = (
            "GET",
            "/scores/merchant",
            200,
            {},
            b"{}",
            "application/json",
        )

        @staticmethod
        def json():
            return {}

    with pytest.raises(AssertionError):
        openapi.check(Wrong)
    Wrong.status = 299
    with pytest.raises(AssertionError):
        openapi.check(Wrong)
