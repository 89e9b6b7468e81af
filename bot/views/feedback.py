"""Feedback on a reply: the value of its buttons, and the form that asks for a comment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, cast

from bot.locale import Language, say
from bot.views.blocks import input_block, note, text_input
from bot.views.modal_triggers import BAD, GOOD
from bot.views.views import SlackView, entered, form_view

FEEDBACK_FORM = "feedback_form"
COMMENT_LIMIT = 1_000
_COMMENT = "comment"


def parse_rating(value: str) -> tuple[Literal["good", "bad"], str]:
    """Return the rating and the turn that a button's value names.

    Raises `ValueError` for one that is no button's of ours.
    """
    rating, _, turn = value.partition(" ")
    if rating not in (GOOD, BAD):
        raise ValueError("This button rates nothing.")
    return cast('Literal["good", "bad"]', rating), turn


def feedback_form(language: Language, turn: str, comment: str) -> SlackView:
    """Return the form that asks what was wrong, with the earlier comment filled in."""
    field = text_input(COMMENT_LIMIT, comment)
    return form_view(
        language,
        "feedback_title",
        [
            input_block(_COMMENT, say(language, "feedback_comment"), field),
            note(say(language, "feedback_who_reads")),
        ],
        callback=FEEDBACK_FORM,
        submit="feedback_send",
        metadata={"turn": turn},
    )


def read_comment(view: Mapping[str, Any]) -> str:
    """Return the comment of a submitted form."""
    return str(entered(view, _COMMENT).get("value") or "").strip()[:COMMENT_LIMIT]
