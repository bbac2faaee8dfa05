"""deploy/cloudformation.yaml as tests deploy it: its stack for a stage and a stream, and what it passes to the
program."""

import cloudformation
import program
from iam import arn

TEMPLATE = cloudformation.load(program.ROOT / "deploy" / "cloudformation.yaml")
PARAMETERS = {
    "Image": "image",
    "VpcId": "vpc-1",
    "TaskSubnets": "subnet-1,subnet-2",
    "LoadBalancerSubnets": "subnet-1,subnet-2",
}
# The addresses are the test's own.
NOT_OF_THE_TEMPLATE = {"listen", "ops-listen"}


def stack_of(stage, stream, queue=None, consumer=None, **parameters):
    """The stream is named by its ARN, as on AWS. `consumer`: the ARN of the one that the stack has made."""
    physical = {"DeadLetterQueue": queue.url} if queue else {}
    physical.update({"Consumer": consumer} if consumer else {})
    given = {**PARAMETERS, "Stage": stage, "StreamArn": arn("kinesis", f"stream/{stream}"), **parameters}
    return TEMPLATE.stack(given, physical)


def options_of(stack, task_definition, without=()):
    """The environment of a task's container as command line options. Where an option stands twice, the later one
    counts."""
    found = []
    for name, value in stack.environment(task_definition).items():
        option = name.removeprefix("WINNER_VIEW_").lower().replace("_", "-")
        if name.startswith("WINNER_VIEW_") and option not in {*NOT_OF_THE_TEMPLATE, *without}:
            found += [f"--{option}", value]
    return found
