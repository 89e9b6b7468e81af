"""The built-in kinds of memory: what is written of each apart from its schema."""

from __future__ import annotations

import re

import pytest

from bot.views.labels import FIELD_LABELS, KIND_TITLES
from memory import BUILT_IN_KINDS, SCHEMAS
from memory.formation.former import instructions_for
from tests.conftest import ROOT


def test_the_memory_model_is_told_the_purpose_of_each_kind() -> None:
    """The instructions say in English what each built-in kind records."""
    lacking = [name for name in BUILT_IN_KINDS if f"{name}:" in instructions_for(SCHEMAS)]
    assert lacking == [], "add what they record to _PURPOSES"


def test_each_kind_and_each_field_has_a_label() -> None:
    """No label of a built-in kind is missing, and none is left of a kind that is gone."""
    titles, labels = "compare KIND_TITLES in bot/views/labels.py", "compare FIELD_LABELS there"
    assert set(KIND_TITLES) ^ set(BUILT_IN_KINDS) == set(), titles
    fields = {name for schema in SCHEMAS for name in schema.model_fields}
    assert set(FIELD_LABELS) ^ fields == set(), labels


@pytest.mark.parametrize(
    ("page", "before"),
    [
        ("docs/how-to/own-schemas.md", "To keep the built-in kinds, name them too: `"),
        ("docs/tutorials/own-kind.md", "\nKIOKU_SCHEMAS="),
    ],
)
def test_the_pages_on_own_kinds_list_the_built_in_ones(page: str, before: str) -> None:
    """What an operator copies to keep the built-in kinds names all of them."""
    [listed] = re.findall(rf"{before}([\w,]+,\w+)\b(?!:)", (ROOT / page).read_text("utf-8"))
    assert sorted(listed.split(",")) == sorted(BUILT_IN_KINDS), f"write them into {page}"
