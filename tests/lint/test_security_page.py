"""docs/security.md: every threat with its defence and its test; both privacy pages alike."""

from __future__ import annotations

import re

from tests.lint.tables import ROOT, names_a_test, rows

PAGE = (ROOT / "docs" / "security.md").read_text("utf-8")
ROWS = rows(PAGE, "threat")


def test_each_threat_has_a_defence_and_a_test_that_exists() -> None:
    """No cell of the tables is empty, and the test that a row names exists."""
    assert len(ROWS) >= 35
    assert [row for row in ROWS if len(row) != 3 or not all(row) or not names_a_test(row[2])] == []


def test_the_categories_of_owasp_are_named() -> None:
    """Each category of threats that the page covers is in its table of contents and its text."""
    for category in ("LLM01", "LLM02", "LLM05", "LLM08", "ASI06"):
        assert PAGE.count(category) >= 2, category


def test_both_privacy_pages_have_the_same_parts() -> None:
    """The Japanese page has as many sections and table rows as the English one."""
    pages = [(ROOT / "docs" / name).read_text("utf-8") for name in ("privacy.md", "privacy.ja.md")]
    headings, rows_ = (
        [len(re.findall(pattern, page, re.M)) for page in pages] for pattern in (r"^## ", r"^\| ")
    )
    assert headings[0] == headings[1] > 5
    assert rows_[0] == rows_[1] > 20
