"""Feedback on a reply: its buttons and its form."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from bot.ui.feedback import feedback_form, parse_rating, read_comment
from bot.ui.modal_triggers import FEEDBACK_ACTION, opens_modal

from bot.locale import LANGUAGES, Language
from bot.ui.reply import feedback_block

TURN = UUID("0b0e5a52-7c2f-4d0e-9a55-1c2d3e4f5a6b")


@pytest.mark.parametrize("language", LANGUAGES)
def test_both_buttons_name_rating_and_turn_and_are_labelled(language: Language) -> None:
    """Each button says in words what it does, and its value what to store."""
    [buttons] = feedback_block(language, TURN)["elements"]
    good, bad = buttons["positive_button"], buttons["negative_button"]
    assert parse_rating(good["value"]) == ("good", str(TURN))
    assert parse_rating(bad["value"]) == ("bad", str(TURN))
    for side in (good, bad):
        assert 0 < len(side["text"]["text"]) <= 75
        assert len(side["text"]["text"]) < len(side["accessibility_label"]) <= 75


def test_only_a_bad_rating_opens_a_form() -> None:
    """A front without a database opens the form for one button, and nothing for the other."""
    [buttons] = feedback_block("en", TURN)["elements"]

    def click(side: str) -> dict[str, Any]:
        action = {"action_id": FEEDBACK_ACTION, "value": buttons[side]["value"]}
        return {"type": "block_actions", "actions": [action]}

    assert opens_modal(click("negative_button")) == "views.open"
    assert opens_modal(click("positive_button")) is None


def test_a_value_of_no_button_is_refused() -> None:
    """What rates nothing is not stored as something."""
    with pytest.raises(ValueError, match="rates nothing"):
        parse_rating(f"great {TURN}")


def test_form_asks_for_a_comment_and_shows_the_earlier_one() -> None:
    """The form has one required field, with the comment of an earlier click in it."""
    form = feedback_form("ja", str(TURN), "Too long.")
    field, _ = form["blocks"]
    assert field["element"]["initial_value"] == "Too long."
    assert not field.get("optional")
    values = {"comment": {"value": {"type": "plain_text_input", "value": " Too vague. "}}}
    assert read_comment({**form, "state": {"values": values}}) == "Too vague."
