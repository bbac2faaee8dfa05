"""The AWS calls of the program, as recorded by proxies, compared with what a policy allows.

    with iam.Recorder(aws.emulators) as recorder:
        ... a service with recorder.environment ...
    iam.differences(stack.policy("FillPolicy"), recorder.calls()) == []

A call is a service, an action, a resource and, for DynamoDB, the row's partition key: what IAM decides by (Service
Authorization Reference, "Actions, resources, and condition keys" of DynamoDB, Kinesis Data Streams and SQS). The service
is the one that the call was signed for. Calls to other services than DynamoDB, Kinesis and the queue are refused and
recorded.
"""

import collections
import contextlib
import threading

import proxy
import sigv4
import sqs
from cloudformation import ACCOUNT, PARTITION, REGION

Call = collections.namedtuple("Call", "service action resource keys")
KEY_NAMES = ("productId", "userId", "leaseKey")


def arn(service, resource):
    return f"arn:{PARTITION}:{service}:{REGION}:{ACCOUNT}:{resource}"


# What is called.


def service_of(request):
    """The service that a request is signed for."""
    return sigv4.parts(request)[3] if request.header("Authorization") else "unsigned"


def table_arns(content):
    tables = content.get("RequestItems") or [content["TableName"]]
    index = f"/index/{content['IndexName']}" if "IndexName" in content else ""
    return [arn("dynamodb", f"table/{table}{index}") for table in tables]


def partition_keys(content):
    """The partition key of the row that a call names, if it names one."""
    row = content.get("Key") or content.get("Item") or {}
    return frozenset(row[name]["S"] for name in KEY_NAMES if name in row)


class Streams:
    """The stream of a call that has only an iterator or a token of an earlier reply."""

    def __init__(self):
        self.lock = threading.Lock()
        self.given = {}

    def arn(self, content):
        if "ConsumerName" in content:  # what is authorized is what the call names: it has no time of creation
            return f"{content['StreamARN']}/consumer/{content['ConsumerName']}"
        if "ConsumerARN" in content or "StreamARN" in content:
            return content.get("ConsumerARN") or content["StreamARN"]
        if "StreamName" in content:
            return arn("kinesis", f"stream/{content['StreamName']}")
        with self.lock:
            return self.given.get(
                content.get("ShardIterator") or content.get("NextToken"), "an unknown stream"
            )

    def learn(self, content, reply):
        stream = self.arn(content)
        with self.lock:
            for name in ("ShardIterator", "NextShardIterator", "NextToken"):
                if reply.get(name):
                    self.given[reply[name]] = stream


class Calls:
    """A layer of a proxy that records every call before it is forwarded."""

    def __init__(self):
        self.lock = threading.Lock()
        self.streams = Streams()
        self.seen = set()

    def of(self, request):
        service, action, content = service_of(request), request.operation, request.json()
        if service == "dynamodb":
            resources, keys = table_arns(content), partition_keys(content)
        elif service == "kinesis":
            resources, keys = [self.streams.arn(content)], frozenset()
        elif service == "sqs":
            account, name = content["QueueUrl"].rsplit("/", 2)[1:]
            resources, keys = [f"arn:{PARTITION}:sqs:{REGION}:{account}:{name}"], frozenset()
        else:
            raise ValueError(f"a call for {service}")
        return {Call(service, action, resource, keys) for resource in resources}

    def note(self, request):
        try:
            calls = self.of(request)
        except (ValueError, KeyError) as error:  # no policy allows it: the comparison fails
            calls = {Call(service_of(request), request.operation or request.target, str(error), frozenset())}
        with self.lock:
            self.seen |= calls

    def __call__(self, request, proceed):
        self.note(request)
        reply = proceed(request)
        if reply.status == 200 and reply.body and service_of(request) == "kinesis":
            self.streams.learn(request.json(), reply.json())
        return reply


class Recorder:
    """Proxies for everything that a service calls. `layers`: further layers before both emulators."""

    def __init__(self, emulators, layers=()):
        self.layer = Calls()
        self.dynamodb = proxy.Proxy(emulators.dynamodb_url, [self.layer, *layers])
        self.kinesis = proxy.Proxy(emulators.kinesis_url, [self.layer, *layers])
        self.queue = sqs.Queue()
        self.elsewhere = proxy.Proxy("http://127.0.0.1:1")  # never contacted: every answer is made here
        self.elsewhere.on_request = lambda request: (403, b"{}")
        self.stack = contextlib.ExitStack()

    @property
    def environment(self):
        return {
            "AWS_REGION": REGION,
            "AWS_ENDPOINT_URL": self.elsewhere.url,
            "AWS_ENDPOINT_URL_DYNAMODB": self.dynamodb.url,
            "AWS_ENDPOINT_URL_KINESIS": self.kinesis.url,
            **self.queue.environment,
        }

    def calls(self):
        """All calls so far. (The queue and `elsewhere` answer before any layer.)"""
        for request in [*self.queue.requests, *self.elsewhere.requests]:
            self.layer.note(request)
        with self.layer.lock:
            return set(self.layer.seen)

    def __enter__(self):
        for one in (self.dynamodb, self.kinesis, self.queue, self.elsewhere):
            self.stack.enter_context(one)
        return self

    def __exit__(self, *exception):
        return self.stack.__exit__(*exception)


# What is allowed.


def as_list(value):
    return value if isinstance(value, list) else [value]


def rights(statement):
    """Each (service, action, resource) of a statement, which must not have wildcards."""
    assert statement["Effect"] == "Allow" and not statement.keys() & {"NotAction", "NotResource"}, statement
    found = [
        (*action.split(":"), resource)
        for action in as_list(statement["Action"])
        for resource in as_list(statement["Resource"])
    ]
    assert not any("*" in part or "?" in part for right in found for part in right), statement
    return found


def condition_holds(statement, call):
    """The only condition supported: which partition keys a call may name."""
    condition = statement.get("Condition")
    if condition is None:
        return True
    assert condition.keys() == {"ForAllValues:StringEquals"}, condition
    ((key, values),) = condition["ForAllValues:StringEquals"].items()
    assert key == "dynamodb:LeadingKeys", condition
    return bool(call.keys) and call.keys <= set(values)


def allows(statement, right, call):
    return right == call[:3] and condition_holds(statement, call)


def differences(statements, calls):
    """Missing and unused rights, a line each."""
    granted = [(statement, right) for statement in statements for right in rights(statement)]
    missing = {call[:3] for call in calls if not any(allows(*one, call) for one in granted)}
    spare = {right for statement, right in granted if not any(allows(statement, right, c) for c in calls)}
    return [f"missing: {' '.join(right)}" for right in sorted(missing)] + [
        f"unused: {' '.join(right)}" for right in sorted(spare)
    ]
