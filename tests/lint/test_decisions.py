"""The list of decisions names each of them."""

from __future__ import annotations

from pathlib import Path

DECISIONS = Path(__file__).parents[2] / "docs" / "decisions"


def test_every_decision_is_listed_with_its_title() -> None:
    """A row of the list is a decision's number, its title and a link to its page."""
    rows = []
    for page in sorted(DECISIONS.glob("0*.md")):
        heading = page.read_text("utf-8").splitlines()[0].removeprefix("# ")
        number, _, title = heading.partition(" ")
        rows.append(f"| {int(number.strip('.:'))} | [{title}]({page.name}) |")
    listed = (DECISIONS / "README.md").read_text("utf-8").splitlines()
    assert [row for row in listed if row.startswith("| ") and "](" in row] == rows
