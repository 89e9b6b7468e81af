"""What a model proposes is read as a memory of a known kind, or refused."""

from __future__ import annotations

from typing import Any

import pytest

from memory import SCHEMAS, PersonMessage
from memory.formation.evidence import TypedMessage
from memory.formation.proposal import Write, read_writes

SAID = "I love soba"


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("UserFoodPreference", {"food_name": "soba", "preference": 1_000}),
        ("UserFoodPreference", {"food_name": "  "}),
        ("UserFoodPreference", {"preference": 80}),
        ("UserSecret", {"text": "soba"}),
    ],
)
def test_content_that_does_not_fit_its_kind_is_refused(
    kind: str, content: dict[str, Any]
) -> None:
    """Fields that do not fit, a thing without a name, and kinds there are not."""
    said = [TypedMessage(PersonMessage(text=SAID, channel="D1", ts="1.0"))]
    write = Write("new", {"kind": kind, "content": {**content, "evidence": SAID}})
    schemas = {schema.__name__: schema for schema in SCHEMAS}
    proposals, refused = read_writes([write], {}, said, schemas)
    assert proposals == []
    assert [one.reason for one in refused] == ["unusable"]
