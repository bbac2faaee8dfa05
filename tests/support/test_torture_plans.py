"""The seeds of a quick run of tests/torture."""

import importlib.machinery
import importlib.util
import random

import program
import torture_run
import wrong_file

loader = importlib.machinery.SourceFileLoader("torture", str(program.ROOT / "tests" / "torture"))
torture = importlib.util.module_from_spec(importlib.util.spec_from_loader("torture", loader))
loader.exec_module(torture)


def kinds(plan):
    """Every kind that a plan has."""
    for _, what, number in plan.disturbances + plan.calm:
        yield what
        if what == "wrong file":
            yield wrong_file.draw(random.Random(number))
    for name, value in vars(plan.edges).items():
        if any(value if isinstance(value, list) else [value]):
            yield name
    if plan.packed:
        yield "packed"
    yield "pushed" if plan.push else "polled"


def test_the_quick_seeds_have_every_kind():
    for store in torture_run.STORES:
        of_quick, of_all = (
            {kind for seed in seeds for kind in kinds(torture_run.draw(seed, store))}
            for seeds in (torture.QUICK, range(1, 200))
        )
        assert of_quick == of_all
