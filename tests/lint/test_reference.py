"""What is generated of the reference is what the code says now."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

import pytest
from pydantic import BaseModel, Field

from docs.reference import generate
from docs.reference.slack_reasons import EVENTS, SCOPES
from tests.lint.tables import ROOT

PAGES = {str(path.relative_to(ROOT)): text for path, text in generate.pages().items()}


@pytest.mark.parametrize("name", PAGES)
def test_the_page_is_what_the_code_says(name: str) -> None:
    """After a change of the code run ``make docs-reference``."""
    assert (ROOT / name).read_text("utf-8") == PAGES[name], "run make docs-reference"


def test_every_part_is_on_one_page() -> None:
    """No part is left out, and none is written twice."""
    parts = [part for text in PAGES.values() for part in generate.names(text)]
    assert sorted(parts) == sorted(generate.PARTS)


class _Coat(StrEnum):
    LONG = "long"
    SHORT = "short"


class _Pet(BaseModel):
    """What a kind's fields may be."""

    name: str
    tame: bool
    coat: _Coat | None = None
    diet: Literal["hay", "meat"]
    born: int | None = None
    legs: int = Field(4, ge=0)
    fondness: int | None = Field(None, ge=0, le=100)


def test_the_type_of_a_field_names_its_bounds_and_choices() -> None:
    """A number may have none, one or two; choices are listed, also those of an enum."""
    schema = _Pet.model_json_schema()
    described = schema["properties"]
    assert {name: generate._type(rules, schema["$defs"]) for name, rules in described.items()} == {
        "name": "text",
        "tame": "yes or no",
        "coat": "one of long, short",
        "diet": "one of hay, meat",
        "born": "whole number",
        "legs": "whole number, at least 0",
        "fondness": "whole number, at least 0, at most 100",
    }


def test_no_reason_is_left_of_a_scope_or_event_that_is_gone() -> None:
    """Each reason is of something that the manifest asks for."""
    manifest = (ROOT / "manifest.yml").read_text("utf-8")
    asked = {line.strip().removeprefix("- ") for line in manifest.splitlines()}
    assert {*SCOPES, *EVENTS} - asked == set()
