"""openapi.yaml as the judge of every response that the integration tests get."""

import pathlib
import re

import jsonschema
import yaml

import model

PATH = pathlib.Path(__file__).resolve().parents[2] / "openapi.yaml"
METHODS = {"get", "head", "options", "post", "put", "delete", "patch", "trace"}

formats = jsonschema.FormatChecker(formats=())


@formats.checks("date-time")
def is_date_time(value):
    return not isinstance(value, str) or model.epoch_ms(value) is not None


class Contract:
    def __init__(self):
        self.document = yaml.safe_load(PATH.read_text())
        self.resolver = jsonschema.RefResolver.from_schema(self.document)
        self.templates = [
            (self.pattern(path), path) for path in sorted(self.document["paths"], key=lambda p: "{" in p)
        ]

    @staticmethod
    def pattern(path):
        parts = re.split(r"\{[^}]*\}", path)
        return re.compile("[^/]+".join(re.escape(part) for part in parts))

    def resolve(self, node):
        while "$ref" in node:
            _, node = self.resolver.resolve(node["$ref"])
        return node

    def template(self, target):
        """The path of openapi.yaml that a request's target belongs to, literal ones first; None if there is
        none."""
        path = target.partition("?")[0]
        return next((template for pattern, template in self.templates if pattern.fullmatch(path)), None)

    def operation(self, template, method):
        """What openapi.yaml says of this method; HEAD is GET's unless it says more."""
        item = self.document["paths"][template]
        return item.get(method.lower()) or (item.get("get") if method == "HEAD" else None)

    def response(self, method, target, status):
        template = self.template(target)
        operation = template and self.operation(template, method)
        if not operation and template and method == "OPTIONS":
            return {}  # CORS: the same for all, said once in openapi.yaml's description
        if not operation:
            assert status in (
                (404,) if not template else (405,)
            ), f"{method} {target}: {status}, not in openapi.yaml"
            return {
                "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
            }
        found = operation["responses"].get(str(status)) or operation["responses"].get("default")
        assert found, f"{method} {target}: status {status} is not in openapi.yaml ({template})"
        return self.resolve(found)

    def validate(self, instance, schema, what):
        validator = jsonschema.Draft202012Validator(schema, resolver=self.resolver, format_checker=formats)
        errors = [
            f"{'/'.join(map(str, error.absolute_path))}: {error.message}"
            for error in validator.iter_errors(instance)
        ]
        assert not errors, f"{what}: {errors[:5]}"

    def check(self, response):
        """Fails unless openapi.yaml describes this response: route, method, status, content type, body."""
        what = f"{response.method} {response.target} -> {response.status}"
        described = self.response(response.method, response.target, response.status)
        content = described.get("content", {})
        if response.method == "HEAD" or response.status in (204, 304):
            assert not response.body, f"{what}: has a body"
            return response
        if not content:
            assert not response.body, f"{what}: a body, and openapi.yaml has none"
            return response
        assert (
            response.content_type in content
        ), f"{what}: content type {response.content_type!r}, not {list(content)}"
        schema = content[response.content_type].get("schema")
        if schema and response.content_type.endswith("json"):
            self.validate(response.json(), schema, what)
        if response.content_type == "application/problem+json":
            assert response.json()["status"] == response.status, f"{what}: the problem says another status"
        return response
