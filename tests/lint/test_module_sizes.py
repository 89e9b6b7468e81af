"""Decision 44 names each module over 300 lines, with the reason why it is not divided."""

from __future__ import annotations

import re

from tests.conftest import ROOT

PAGE = ROOT / "docs" / "decisions" / "0044-module-sizes.md"
TREES = ("bench", "bot", "deploy", "evals", "examples", "memory", "playground")
LIMIT, MOST = 300, 450


def test_each_long_module_has_a_reason() -> None:
    """A longer module has a row, a row names a longer module, and none is longer than 450 lines."""
    modules = (module for tree in TREES for module in (ROOT / tree).rglob("*.py"))
    lines = {
        module.relative_to(ROOT).as_posix(): len(module.read_text("utf-8").splitlines())
        for module in modules
    }
    long = {module: count for module, count in lines.items() if count > LIMIT}
    rows = re.findall(r"^\| `(.+\.py)` \| \S.*\. \|$", PAGE.read_text("utf-8"), re.M)
    assert rows == sorted(long)
    assert {module: count for module, count in long.items() if count > MOST} == {}
