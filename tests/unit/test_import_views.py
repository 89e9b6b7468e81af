"""What an import shows stays within Slack's limits for a view."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bot.locale import LANGUAGES, Language
from bot.views.import_export import ImportInput, import_page, import_preview, shown_instructions
from memory import ImportPlan, PlannedMemory
from memory.store.documents import Imported
from playground.blocks import view_errors
from tests.unit.memories import memory

# Source: Block Kit reference; the playground refuses a larger one.
VIEW_BYTES = 250_000


def update(kind: str, field: str, now: str, then: str) -> PlannedMemory:
    """Return a change of one memory by an import."""
    contents: list[dict[str, Any]] = [{field: now}, {field: then}]
    before, after = (memory(kind=kind, **content) for content in contents)
    planned = Imported(namespace=after.namespace, key=then, value=after.value)
    return PlannedMemory(fate="updated", memory=planned, now=before)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_file_of_long_japanese_texts_fits(language: Language) -> None:
    """Each character is six bytes of JSON, in what is shown and in what it takes the place of."""
    facts = [update("UserFact", "fact", "憶" * 2_000, f"{n:03}" + "記" * 1_997) for n in range(100)]
    wishes = [
        update("UserInstruction", "instruction", "長" * 2_000, f"{n:02}" + "短" * 998)
        for n in range(45)
    ]
    plan = ImportPlan(planned=(*facts, *wishes))
    preview = import_preview(language, plan, ImportInput(file="F1"), "digest")
    for view in (preview, import_page(language, plan, 1, "F1")):
        assert len(json.dumps(view)) < VIEW_BYTES
        assert not view_errors(view)
    assert 15 < len(shown_instructions(plan)) <= 40
