"""docs/explanation/slack-guidance.md: each point of Slack's guidance, where it is met, its test."""

from __future__ import annotations

from tests.lint.tables import ROOT, names_a_test, rows

PAGE = (ROOT / "docs" / "explanation" / "slack-guidance.md").read_text("utf-8")
ROWS = rows(PAGE, r"\w+ asks?")


def _is_whole(row: list[str]) -> bool:
    return (
        len(row) == 4
        and all(len(cell) > 5 for cell in row)
        and row[2][0] == row[2][-1] == "`"
        and (ROOT / row[2][1:-1]).exists()
        and names_a_test(row[3])
    )


def test_each_point_says_what_kioku_does_where_and_by_which_test() -> None:
    """Four tables of points: no cell is empty, and the file and the test that a row names exist."""
    assert PAGE.count("\n## ") == 4
    assert len(ROWS) >= 50
    assert [row for row in ROWS if not _is_whole(row)] == []
