"""The list of decisions; decision 31 and import-linter; decision 44 and the long modules."""

from __future__ import annotations

import re
import tomllib

from tests.conftest import ROOT

DECISIONS = ROOT / "docs" / "decisions"
TREES = ("bench", "bot", "deploy", "evals", "examples", "memory", "playground")
LIMIT, MOST = 300, 450


def test_every_decision_is_listed_with_its_title() -> None:
    """A row of the list is a decision's number, its title and a link to its page."""
    rows = []
    for page in sorted(DECISIONS.glob("0*.md")):
        heading = page.read_text("utf-8").splitlines()[0].removeprefix("# ")
        number, _, title = heading.partition(" ")
        rows.append(f"| {int(number.strip('.:'))} | [{title}]({page.name}) |")
    listed = (DECISIONS / "README.md").read_text("utf-8").splitlines()
    assert [row for row in listed if row.startswith("| ") and "](" in row] == rows


def test_the_layers_are_written_as_they_are_checked() -> None:
    """Decision 31 and the table in CONTRIBUTING.md name every layer of `bot`."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    contracts = project["tool"]["importlinter"]["contracts"]
    [layers] = [one["layers"] for one in contracts if one["name"] == "the layers of bot"]
    layers.remove("__main__")
    decision = (DECISIONS / "0031-packages-of-bot.md").read_text("utf-8")
    assert f"`{' → '.join(layers)}`" in " ".join(decision.split())
    table = re.findall(r"`bot/(\w+)(?:\.py)?`", (ROOT / "CONTRIBUTING.md").read_text("utf-8"))
    assert set(table) >= set(re.findall(r"\w+", " ".join(layers)))


def test_each_long_module_has_a_reason() -> None:
    """A longer module has a row, a row names a longer module, and none is longer than 450 lines."""
    modules = (module for tree in TREES for module in (ROOT / tree).rglob("*.py"))
    lines = {
        module.relative_to(ROOT).as_posix(): len(module.read_text("utf-8").splitlines())
        for module in modules
    }
    long = {module: count for module, count in lines.items() if count > LIMIT}
    page = DECISIONS / "0044-module-sizes.md"
    rows = re.findall(r"^\| `(.+\.py)` \| \S.*\. \|$", page.read_text("utf-8"), re.M)
    assert rows == sorted(long)
    assert {module: count for module, count in long.items() if count > MOST} == {}
