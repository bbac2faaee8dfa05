"""tests/mutate.py can break each guard: the text that it replaces is in the sources, once."""

import importlib.util

import program
import pytest

spec = importlib.util.spec_from_file_location("mutate", program.ROOT / "tests" / "mutate.py")
mutate = importlib.util.module_from_spec(spec)
spec.loader.exec_module(mutate)


@pytest.mark.parametrize("guard", mutate.GUARDS)
def test_the_text_of_a_guard_is_in_its_source_file(guard):
    _, changes = mutate.GUARDS[guard]
    for file, old, _ in changes:
        assert (program.ROOT / file).read_text().count(old) == 1, f"{file}: {old!r}"
