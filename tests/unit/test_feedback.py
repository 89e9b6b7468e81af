"""Feedback on a reply: its buttons, its form, and what an operator is shown of it."""

from __future__ import annotations

import csv
import io
from typing import Any
from uuid import UUID

import pytest

from bot.locale import LANGUAGES, Language
from bot.runtime.feedback_command import _as_csv, _as_text
from bot.views.feedback import (
    COMMENT_LIMIT,
    REASONS,
    FeedbackDetails,
    feedback_errors,
    feedback_form,
    parse_rating,
)
from bot.views.modal_triggers import FEEDBACK_ACTION, opens_modal
from bot.views.reply import feedback_block

TURN = UUID("0b0e5a52-7c2f-4d0e-9a55-1c2d3e4f5a6b")


def submitted(*reasons: str, comment: str | None = None) -> dict[str, Any]:
    """Return a form as Slack sends it."""
    form = feedback_form("en", f"bad {TURN}", FeedbackDetails())
    chosen = [{"value": reason} for reason in reasons]
    values = {
        "reasons": {"value": {"type": "checkboxes", "selected_options": chosen}},
        "comment": {"value": {"type": "plain_text_input", "value": comment}},
    }
    return {**form, "state": {"values": values}}


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


@pytest.mark.parametrize(
    ("view", "fields"),
    [
        (submitted(), ["reasons"]),
        (submitted(comment="   "), ["reasons"]),
        (submitted("wrong"), []),
        (submitted(comment="Too vague."), []),
        (submitted("other", comment="x" * COMMENT_LIMIT), []),
        (submitted("other", comment="x" * (COMMENT_LIMIT + 1)), ["comment"]),
        (submitted("invented"), ["reasons"]),
    ],
)
def test_what_is_wrong_with_a_form_is_said_at_its_field(
    view: dict[str, Any], fields: list[str]
) -> None:
    """A form needs a reason or a few words, and not too many; nothing is looked up for that."""
    assert list(feedback_errors(view)) == fields


def test_what_was_said_before_is_filled_in() -> None:
    """A person who clicks again finds the reasons and words of the first time."""
    given = FeedbackDetails.read(submitted("length", "wrong", comment=" Too long. "))
    assert given == FeedbackDetails(reasons=("wrong", "length"), comment="Too long.")
    reasons, comment, shared, _ = feedback_form("ja", f"bad {TURN}", given)["blocks"]
    assert "initial_options" not in shared["element"]
    assert [one["value"] for one in reasons["element"]["initial_options"]] == ["wrong", "length"]
    assert len(reasons["element"]["options"]) == len(REASONS)
    assert comment["element"]["initial_value"] == "Too long."


ROW: dict[str, Any] = {
    "given_at": "2026-11-20T09:00:00+00:00",
    "rating": "bad",
    "reasons": ["wrong", "length"],
    "comment": "=HYPERLINK(1)\nsecond line",
    "model": "m",
    "latency_ms": 1200,
    "memories": ["dm/1", "dm/2"],
    "team": "T1",
    "user": "U1",
    "turn": str(TURN),
}


def test_a_comment_is_no_formula_in_a_spreadsheet() -> None:
    """What a person wrote is text wherever an operator opens it."""
    out = io.StringIO()
    _as_csv([ROW], out)
    [read] = csv.DictReader(io.StringIO(out.getvalue()))
    assert read["comment"] == "'=HYPERLINK(1)\nsecond line"
    assert read["reasons"] == "wrong length"
    assert read["latency_ms"] == "1200"


def test_a_list_for_reading_ends_with_counts() -> None:
    """Each rating has its line, its reasons and its comment; the last line counts them."""
    out = io.StringIO()
    _as_text([ROW, {**ROW, "rating": "good", "reasons": [], "comment": ""}], out)
    lines = out.getvalue().splitlines()
    assert lines[1:4] == ["    wrong, length", "    | =HYPERLINK(1)", "    | second line"]
    assert lines[-1] == "2 in all: 1 good, 1 bad."
