"""The list of decisions names each of them; decision 31 says what import-linter checks."""

from __future__ import annotations

import re
import tomllib

from tests.conftest import ROOT

DECISIONS = ROOT / "docs" / "decisions"


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
