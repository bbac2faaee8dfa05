"""The check of every response in the integration tests against openapi.yaml: its status, headers, content type and body
must be described for its request."""

import functools
import json
import pathlib
import re
import urllib.parse

import jsonschema
import yaml

import model

PATH = pathlib.Path(__file__).resolve().parents[2] / "openapi.yaml"
PROBLEM = "application/problem+json"

# Headers that openapi.yaml describes once for all answers: HTTP's own, and CORS.
ANYWHERE = {
    "connection",
    "content-length",
    "content-type",
    "date",
    "server",
    "transfer-encoding",
    "access-control-allow-origin",
    "access-control-expose-headers",
}
EXPOSED = {"etag", "view-as-of", "date", "age", "cache-status", "retry-after", "x-request-id"}

# The answers to a request whose route is not known yet.
ON_ANY_PATH = {
    400: "BadRequest",
    404: "NotFound",
    413: "ContentTooLarge",
    414: "UriTooLong",
    431: "HeadersTooLarge",
    503: "Overloaded",
}

formats = jsonschema.FormatChecker(formats=())


@formats.checks("date-time")
def is_date_time(value):
    return not isinstance(value, str) or model.epoch_ms(value) is not None


def path_of(target):
    """The raw path of an origin-form or absolute-form target."""
    path = target.partition("?")[0]
    match = re.match(r"https?://[^/]*", path, re.IGNORECASE)
    return path[match.end() if match else 0 :] or "/"


def decoded(segment):
    return urllib.parse.unquote_to_bytes(segment).decode("utf-8", "replace")


def instance_of(text, schema):
    """A header's text as the schema's type."""
    kinds = schema.get("type")
    return int(text) if kinds == "integer" and re.fullmatch(r"-?\d+", text) else text


class Contract:
    def __init__(self):
        self.document = yaml.safe_load(PATH.read_text())
        self.resolver = jsonschema.RefResolver.from_schema(self.document)
        literal_first = sorted(self.document["paths"], key=lambda path: ("{" in path, path.count("{")))
        self.templates = [(path.split("/")[1:], path) for path in literal_first]
        self.validator = functools.lru_cache(maxsize=None)(self.make_validator)

    def resolve(self, node):
        while "$ref" in node:
            _, node = self.resolver.resolve(node["$ref"])
        return node

    def component(self, kind, name):
        return self.resolve(self.document["components"][kind][name])

    def template(self, target):
        """The path of openapi.yaml that a request's target belongs to, literal ones first; None if there is
        none."""
        path = path_of(target)
        if not path.startswith("/"):
            return None
        segments = [decoded(segment) for segment in path.split("/")[1:]]

        def matches(parts):
            return len(parts) == len(segments) and all(
                segment if part.startswith("{") else segment == part for part, segment in zip(parts, segments)
            )

        return next((path for parts, path in self.templates if matches(parts)), None)

    def operation(self, template, method):
        """The description of this method; HEAD has that of GET."""
        return self.document["paths"][template].get("get" if method == "HEAD" else method.lower())

    def parameters(self, template, kind):
        """Those of a path, and of its GET, that are in "path" or "query"."""
        item = self.document["paths"][template]
        described = map(self.resolve, item.get("parameters", []) + item["get"].get("parameters", []))
        return [parameter for parameter in described if parameter["in"] == kind]

    def responses(self, method, target):
        """{status: its description} for this request."""
        template = self.template(target)
        operation = template and self.operation(template, method)
        if operation and method in ("GET", "HEAD", "OPTIONS"):
            found = {int(status): self.resolve(node) for status, node in operation["responses"].items()}
            found.pop(405, None)  # described with GET, but meant for other methods
            return found
        found = {status: self.component("responses", name) for status, name in ON_ANY_PATH.items()}
        if template:
            found[405] = self.component("responses", "MethodNotAllowed")
        elif (method, path_of(target)) == ("OPTIONS", "*"):
            found[204] = self.component("responses", "Preflight")
        return found

    def make_validator(self, schema):
        return jsonschema.Draft202012Validator(
            json.loads(schema), resolver=self.resolver, format_checker=formats
        )

    def validate(self, instance, schema, what):
        errors = [
            f"{'/'.join(map(str, error.absolute_path))}: {error.message}"
            for error in self.validator(json.dumps(schema)).iter_errors(instance)
        ]
        assert not errors, f"{what}: {errors[:5]}"

    def is_probe_or_metrics(self, target):
        template = self.template(target)
        return template and template != "/" + PATH.name and self.operation(template, "GET")["tags"] == ["operations"]

    def check_cross_origin(self, response, described, what):
        headers = response.headers
        if self.is_probe_or_metrics(response.target):
            found = [name for name in headers if name.startswith("access-control-")]
            is_before_routing = response.content_type == PROBLEM and response.status != 405
            assert is_before_routing or not found, f"{what}: has {found}"
            return
        assert headers.get("access-control-allow-origin") == "*", f"{what}: not for every origin"
        if "access-control-allow-methods" not in described:
            exposed = {name.strip().lower() for name in headers["access-control-expose-headers"].split(",")}
            assert exposed == EXPOSED, f"{what}: exposes {exposed}"

    def check_headers(self, response, described, what):
        described = {name.lower(): self.resolve(node) for name, node in described.items()}
        names = [name for name, _ in response.header_lines]
        assert len(names) == len(set(names)), f"{what}: a header comes twice: {names}"
        unknown = set(names) - set(described) - ANYWHERE
        assert not unknown, f"{what}: headers {unknown} are not in openapi.yaml"
        missing = {name for name, node in described.items() if node.get("required")} - set(names)
        assert not missing, f"{what}: headers {missing} are missing"
        for name, text in response.header_lines:
            if name in described:
                schema = self.resolve(described[name]["schema"])
                self.validate(instance_of(text, schema), schema, f"{what}: {name}")
        self.check_cross_origin(response, described, what)

    def check_body(self, response, content, what):
        if response.method == "HEAD" or response.status in (204, 304):
            assert not response.body, f"{what}: has a body"
            return
        kind = response.content_type
        assert kind in content, f"{what}: content type {kind!r}, not {list(content)}"
        if kind.endswith("json"):
            self.validate(response.json(), content[kind]["schema"], what)
        if kind == PROBLEM:
            self.check_problem(response.json(), response.status, what)

    def check_problem(self, problem, status, what):
        """Its `type` resolves to the description of its `code`, which agrees with it."""
        path, _, pointer = problem["type"].partition("#")
        assert path == "/" + PATH.name, f"{what}: the type is in {path!r}"
        _, described = self.resolver.resolve("#" + pointer)
        assert described is self.document["components"]["x-problems"][problem["code"]], f"{what}: {problem['type']}"
        assert (problem["title"], problem["status"], status) == (described["title"], status, described["status"]), what

    def check(self, response):
        """Fails unless openapi.yaml describes this response to this request. Returns it."""
        what = f"{response.method} {response.target[:200]} -> {response.status}"
        responses = self.responses(response.method, response.target)
        assert response.status in responses, f"{what}: openapi.yaml has {sorted(responses)}"
        described = responses[response.status]
        self.check_headers(response, described.get("headers", {}), what)
        self.check_body(response, described.get("content", {}), what)
        return response
