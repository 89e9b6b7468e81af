"""Block Kit's limits, at and beyond the edge."""

from __future__ import annotations

from typing import Any

import pytest

from slack_playground.block_kit import LIMITS, limit
from slack_playground.blocks import block_errors, view_errors, with_ids
from slack_playground.form_values import state_of

from .driver import Json


def plain(length: int) -> Json:
    """A plain text object of this length."""
    return {"type": "plain_text", "text": "x" * length}


def button(**more: Any) -> Json:
    """A button."""
    return {"type": "button", "action_id": "a", "text": plain(1), **more}


def actions(*elements: Json) -> Json:
    """An actions block."""
    return {"type": "actions", "elements": list(elements)}


def confirm(text: int) -> Json:
    """A confirmation dialog with a text of this length."""
    return {
        "title": plain(1),
        "text": plain(text),
        "confirm": plain(1),
        "deny": plain(1),
    }


def select(value: int = 1) -> Json:
    """A select menu with one option."""
    option = {"text": plain(1), "value": "x" * value}
    return {"type": "static_select", "action_id": "s", "options": [option]}


def modal(**more: Any) -> Json:
    """A modal."""
    return {"type": "modal", "title": plain(1), "blocks": [], **more}


INPUT: Json = {
    "type": "input",
    "label": plain(1),
    "element": {"type": "plain_text_input", "action_id": "t"},
}
DIVIDER: Json = {"type": "divider"}

EDGES: list[tuple[Json, Json]] = [
    ({"type": "header", "text": plain(150)}, {"type": "header", "text": plain(151)}),
    ({"type": "section", "text": plain(1)}, {"type": "section"}),
    ({"type": "section", "text": plain(1)}, {"type": "section", "text": plain(0)}),
    (
        {"type": "section", "fields": [plain(2000)] * 10},
        {"type": "section", "fields": [plain(1)] * 11},
    ),
    (actions(button(action_id="b"), button()), actions(button(), button())),
    (actions(button(style="danger")), actions(button(style="green"))),
    (
        actions(button(confirm=confirm(text=300))),
        actions(button(confirm=confirm(text=301))),
    ),
    (actions(select(value=150)), actions(select(value=151))),
    (actions(select()), actions({"type": "static_select", "action_id": "s"})),
    ({**DIVIDER, "block_id": "x" * 255}, {**DIVIDER, "block_id": "x" * 256}),
    (DIVIDER, {"type": "marquee"}),
    (DIVIDER, {"text": "no type"}),
    (DIVIDER, {**DIVIDER, "colour": "red"}),
    ({"type": "card", "any": 1}, {"type": "card", "block_id": ""}),
    (
        {"type": "section", "text": plain(1), "accessory": button()},
        {**INPUT, "element": button()},
    ),
]


@pytest.mark.parametrize(("good", "bad"), EDGES)
def test_a_limit_holds_at_its_edge(good: Json, bad: Json) -> None:
    """What just fits is taken, one more is not."""
    assert block_errors([good]) == []
    assert len(block_errors([bad])) == 1


def test_limits_of_all_blocks_together() -> None:
    """Fifty blocks, unique block_ids and 12,000 characters of markdown are the most."""
    assert block_errors([DIVIDER] * 50) == []
    assert block_errors([DIVIDER] * 51) == [
        "no more than 50 items allowed [json-pointer:/blocks]"
    ]
    assert block_errors([{**DIVIDER, "block_id": "a"}] * 2) != []
    assert block_errors([{"type": "markdown", "text": "x" * 6_001}] * 2) != []
    assert block_errors("blocks") != []


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        (modal(title=plain(24)), modal(title=plain(25))),
        (modal(submit=plain(24)), modal(submit=plain(25))),
        (modal(private_metadata="x" * 3000), modal(private_metadata="x" * 3001)),
        (modal(blocks=[DIVIDER] * 100), modal(blocks=[DIVIDER] * 101)),
        (modal(blocks=[INPUT], submit=plain(1)), modal(blocks=[INPUT])),
        (modal(), {"type": "modal", "blocks": []}),
        (
            {"type": "home", "blocks": [INPUT]},
            {"type": "home", "blocks": [], "title": plain(1)},
        ),
        (modal(), modal(blocks=[{"type": "markdown", "text": "x"}])),
        (modal(), {"type": "popup", "blocks": []}),
    ],
)
def test_a_view_has_limits_too(good: Json, bad: Json) -> None:
    """Modals and Home tabs have their own fields and limits."""
    assert view_errors(good) == []
    assert len(view_errors(bad)) == 1


def test_missing_ids_are_given() -> None:
    """Blocks and elements without an id get one, as in Slack."""
    element = {"type": "button", "text": plain(1)}
    kept, named = with_ids([actions(element), {**DIVIDER, "block_id": "mine"}])
    assert kept["block_id"]
    assert kept["elements"][0]["action_id"]
    assert named["block_id"] == "mine"


def test_what_elements_of_one_block_hold() -> None:
    """Each element of a block holds its own value, and what was not touched its initial one."""
    boxes: Json = {**select(), "type": "checkboxes", "action_id": "boxes"}
    [block] = with_ids([{**actions(select(), boxes), "block_id": "both"}])
    held = state_of([block], {"both": {"boxes": ["x"]}})["both"]
    assert held["s"]["selected_option"] is None
    assert held["boxes"]["selected_options"] == [boxes["options"][0]]


@pytest.mark.parametrize(
    ("kind", "initial", "held"),
    [
        ("datepicker", {"initial_date": "2026-11-20"}, "selected_date"),
        ("timepicker", {"initial_time": "10:00"}, "selected_time"),
        ("plain_text_input", {"initial_value": "ramen"}, "value"),
    ],
)
def test_a_cleared_field_holds_nothing(kind: str, initial: Json, held: str) -> None:
    """A field that was not touched holds its initial value, and a cleared one none."""
    [block] = with_ids(
        [{**INPUT, "element": {"type": kind, "action_id": "t", **initial}}]
    )
    [value] = initial.values()
    block_id = block["block_id"]
    assert state_of([block], {})[block_id]["t"] == {"type": kind, held: value}
    cleared = state_of([block], {block_id: ""})[block_id]["t"]
    assert cleared == {"type": kind, held: None}


@pytest.mark.parametrize(
    ("section", "name", "field", "most"),
    [
        ("interactive", "button", "value", 2_000),
        ("interactive", "button", "action_id", 255),
        ("blocks", "section", "fields", 10),
        ("blocks", "header", "text", 150),
    ],
)
def test_limit_of_a_field_is_read_from_the_table(
    section: str, name: str, field: str, most: int
) -> None:
    """The limit of a text and of a list, also of a field that another object has."""
    assert limit(section, name, field) == most


def test_field_without_a_limit_has_none() -> None:
    """A field that is not a text or list with a limit is refused, and so is an unknown field."""
    assert LIMITS["message_blocks"] == 50
    with pytest.raises(ValueError, match="invalid literal"):
        limit("typed", "plain_text_input", "multiline")
    with pytest.raises(KeyError):
        limit("interactive", "button", "colour")
