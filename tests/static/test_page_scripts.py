"""The page's scripts (api/page/script) are served as one module, so all have one scope."""

import collections
import re

import program

SCRIPTS = program.ROOT / "api" / "page" / "script"
DECLARED = re.compile(r"^(?:async )?(?:function\*?|const|let|class) (\w+)", re.MULTILINE)


def test_no_name_is_declared_in_two_scripts():
    """The browser would refuse all of them."""
    names = collections.Counter(name for file in SCRIPTS.glob("*.js") for name in DECLARED.findall(file.read_text()))
    assert [name for name, times in names.items() if times > 1] == []
