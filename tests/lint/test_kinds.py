"""The built-in kinds of memory: what is written of each apart from its schema."""

from __future__ import annotations

import re

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
    assert set(KIND_TITLES) == set(BUILT_IN_KINDS)
    assert set(FIELD_LABELS) == {name for schema in SCHEMAS for name in schema.model_fields}


def test_the_page_on_own_kinds_lists_the_built_in_ones() -> None:
    """What an operator copies to keep the built-in kinds names all of them."""
    page = (ROOT / "docs" / "how-to" / "own-schemas.md").read_text("utf-8")
    [listed] = re.findall(r"To keep the built-in kinds, name them too: `([\w,]+)`", page)
    assert sorted(listed.split(",")) == sorted(BUILT_IN_KINDS)
