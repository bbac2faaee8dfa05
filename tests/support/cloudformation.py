"""A CloudFormation template evaluated to a stack: conditions decided, references resolved.

    template = cloudformation.load("deploy/cloudformation.yaml")
    stack = template.stack({"Stage": "prod", ...}, physical={"Stream": "events"})
    stack.resources["ScoresTable"]                  # its properties, plain Python
    stack.statements("TaskRole")                    # what it allows, of all its policies
    stack.environment("TaskDefinition")             # of its container

It supports the part of the language that our template uses (CloudFormation's template reference: intrinsic functions,
pseudo parameters). What CloudFormation refuses is an error here too: YAML aliases, a reference to nothing or to a
resource whose condition is false, a value that its parameter does not allow. So is a duplicate key.

`physical`: the names of resources that exist, where the name made up here is wrong: a stream's or table's name, a queue's
URL.
"""

import itertools
import re

import yaml

PARTITION, REGION, ACCOUNT = "aws", "us-east-1", "000000000000"
NO_VALUE = object()
VARIABLE = re.compile(r"\$\{(!?)([^}]*)\}")


class TemplateError(Exception):
    pass


# Reading.


class Loader(yaml.SafeLoader):
    def compose_node(self, parent, index):
        if self.check_event(yaml.AliasEvent):
            raise TemplateError(f"a YAML alias, line {self.peek_event().start_mark.line + 1}")
        return super().compose_node(parent, index)

    def construct_mapping(self, node, deep=False):
        keys = [key.value for key, _ in node.value]
        twice = {key for key in keys if keys.count(key) > 1}
        if twice:
            raise TemplateError(f"{twice} twice, line {node.start_mark.line + 1}")
        return super().construct_mapping(node, deep)


def construct_function(loader, suffix, node):
    """`!GetAtt A.B` and the like in their long form."""
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
        value = value.split(".", 1) if suffix == "GetAtt" else value
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


Loader.add_multi_constructor("!", construct_function)


def load(path):
    with open(path, encoding="utf-8") as file:
        return Template(yaml.load(file, Loader))


class Template:
    def __init__(self, content):
        self.content = content

    @property
    def parameters(self):
        return self.content["Parameters"]

    @property
    def resources(self):
        return self.content["Resources"]

    def stack(self, parameters, physical=None):
        return Stack(self, parameters, physical or {})

    def stacks(self, parameters, alternatives):
        """One for each combination of `alternatives`, {parameter: values}."""
        for values in itertools.product(*alternatives.values()):
            yield self.stack({**parameters, **dict(zip(alternatives, values))})


# Deciding.


def is_allowed(declaration, value):
    number = float(value) if declaration["Type"] == "Number" else None
    return (
        ("AllowedValues" not in declaration or value in map(str, declaration["AllowedValues"]))
        and re.fullmatch(declaration.get("AllowedPattern", ".*"), value) is not None
        and (number is None or number >= declaration.get("MinValue", number))
        and (number is None or number <= declaration.get("MaxValue", number))
    )


# Functions of their resolved arguments.
PLAIN_FUNCTIONS = {
    "Fn::Equals": lambda one, other: one == other,
    "Fn::Not": lambda one: not one,
    "Fn::And": lambda *conditions: all(conditions),
    "Fn::Or": lambda *conditions: any(conditions),
    "Fn::Select": lambda index, values: values[int(index)],
    "Fn::Split": lambda delimiter, text: text.split(delimiter),
    "Fn::Join": lambda delimiter, values: delimiter.join(values),
}


def function_of(value):
    """The name of the function that a dict stands for, else None."""
    (name,) = value if len(value) == 1 else (None,)
    return name if name in ("Ref", "Condition") or str(name).startswith("Fn::") else None


class Stack:
    def __init__(self, template, parameters, physical):
        self.template, self.physical = template, physical
        self.pseudo = {
            "AWS::Partition": PARTITION,
            "AWS::Region": REGION,
            "AWS::AccountId": ACCOUNT,
            "AWS::URLSuffix": "amazonaws.com",
            "AWS::StackName": "stack",
            "AWS::NoValue": NO_VALUE,
        }
        self.parameters = self.values(parameters)
        self.resources = {
            name: self.resolve(resource.get("Properties", {}))
            for name, resource in template.resources.items()
            if self.has(name)
        }
        self.outputs = {
            name: self.resolve(output["Value"])
            for name, output in template.content.get("Outputs", {}).items()
            if self.holds(output.get("Condition"))
        }

    def values(self, given):
        unknown = given.keys() - self.template.parameters.keys()
        if unknown:
            raise TemplateError(f"no such parameters: {unknown}")
        values = {}
        for name, declaration in self.template.parameters.items():
            value = given.get(name, declaration.get("Default"))
            if value is None:
                raise TemplateError(f"parameter {name} has no value")
            if not is_allowed(declaration, str(value)):
                raise TemplateError(f"parameter {name} must not be '{value}'")
            is_list = declaration["Type"].startswith("List<")
            values[name] = str(value).split(",") if is_list else str(value)
        return values

    def holds(self, condition):
        return condition is None or self.resolve(self.template.content["Conditions"][condition])

    def has(self, name):
        return self.holds(self.template.resources[name].get("Condition"))

    def resource(self, name):
        if name not in self.template.resources:
            raise TemplateError(f"there is no '{name}'")
        if not self.has(name):
            raise TemplateError(f"'{name}' is not made under this condition")
        return self.template.resources[name]

    # Intrinsic functions.

    def resolve(self, value):
        if isinstance(value, list):
            resolved = [self.resolve(one) for one in value]
            return [one for one in resolved if one is not NO_VALUE]
        if not isinstance(value, dict):
            return value
        function = function_of(value)
        if function:
            return self.call(function, value[function])
        resolved = {name: self.resolve(one) for name, one in value.items()}
        return {name: one for name, one in resolved.items() if one is not NO_VALUE}

    def call(self, function, argument):
        if function == "Ref":
            return self.ref(argument)
        if function == "Condition":
            return self.holds(argument)
        if function == "Fn::GetAtt":
            return self.attribute(*argument)
        if function == "Fn::If":  # the branch that is not taken may name missing resources
            condition, then, otherwise = argument
            return self.resolve(then if self.holds(condition) else otherwise)
        if function == "Fn::Sub":
            return self.substitute(*(argument if isinstance(argument, list) else [argument, {}]))
        if function not in PLAIN_FUNCTIONS:
            raise TemplateError(f"{function} is not known here")
        return PLAIN_FUNCTIONS[function](*self.resolve(argument))

    def substitute(self, text, variables):
        def value(match):
            is_literal, name = match.groups()
            if is_literal:
                return "${" + name + "}"
            if name in variables:
                return self.resolve(variables[name])
            return self.attribute(*name.split(".", 1)) if "." in name else self.ref(name)

        return VARIABLE.sub(value, text)

    def ref(self, name):
        if name in self.pseudo:
            return self.pseudo[name]
        if name in self.parameters:
            return self.parameters[name]
        return self.physical.get(name) or self.made_up_name(name, self.resource(name))

    def made_up_name(self, name, resource):
        properties = resource.get("Properties", {})
        if resource["Type"] == "AWS::SQS::Queue":
            return f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{name}"
        if resource["Type"] == "AWS::DynamoDB::Table":
            return self.resolve(properties["TableName"])
        return name

    def attribute(self, name, attribute):
        kind = self.resource(name)["Type"]
        own = self.ref(name).rsplit("/", 1)[-1]
        known = {
            ("AWS::DynamoDB::Table", "Arn"): f"dynamodb:{REGION}:{ACCOUNT}:table/{own}",
            ("AWS::Kinesis::Stream", "Arn"): f"kinesis:{REGION}:{ACCOUNT}:stream/{own}",
            ("AWS::SQS::Queue", "Arn"): f"sqs:{REGION}:{ACCOUNT}:{own}",
            ("AWS::Logs::LogGroup", "Arn"): f"logs:{REGION}:{ACCOUNT}:log-group:{own}:*",
        }.get((kind, attribute))
        return f"arn:{PARTITION}:{known}" if known else f"{own}.{attribute}"

    # What tests ask of our template.

    def of_type(self, kind):
        """{name: properties}"""
        return {
            name: properties
            for name, properties in self.resources.items()
            if self.template.resources[name]["Type"] == kind
        }

    def policy(self, name):
        """A managed policy's statements."""
        return self.resources[name]["PolicyDocument"]["Statement"]

    def statements(self, role):
        """The statements of all policies of a role. (The Ref of a managed policy is its name here.)"""
        properties = self.resources[role]
        managed = [one for name in properties.get("ManagedPolicyArns", []) for one in self.policy(name)]
        own = [
            one for policy in properties.get("Policies", []) for one in policy["PolicyDocument"]["Statement"]
        ]
        return managed + own

    def container(self, task_definition):
        (container,) = self.resources[task_definition]["ContainerDefinitions"]
        return container

    def environment(self, task_definition):
        return {one["Name"]: one["Value"] for one in self.container(task_definition)["Environment"]}
