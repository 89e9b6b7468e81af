"""Feedback on a reply: the value of its buttons, and the form that asks what was wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self, cast

from bot.locale import Language, say
from bot.views.blocks import Block, checkboxes, input_block, note, option, text_input
from bot.views.modal_triggers import BAD, GOOD
from bot.views.views import SlackView, entered, form_view, language_of_view, metadata_of

FEEDBACK_FORM = "feedback_form"
COMMENT_LIMIT = 1_000
REASONS = {
    "wrong": "feedback_wrong",
    "forgot": "feedback_forgot",
    "memory": "feedback_memory",
    "asked": "feedback_asked",
    "length": "feedback_length",
    "other": "feedback_other",
}
"""The reasons for a bad rating, as stored, each with the key of its sentence."""
_REASONS, _COMMENT, _SHARED = "reasons", "comment", "shared"


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedbackDetails:
    """Why a reply was found bad: names of `REASONS`, and words.

    `shared`: the person shares the exchange with the admins.
    """

    reasons: tuple[str, ...] = ()
    comment: str = ""
    shared: bool = False

    @classmethod
    def read(cls, view: Mapping[str, Any]) -> Self:
        """Read a submitted form; looks nothing up."""
        chosen = entered(view, _REASONS).get("selected_options") or []
        said = entered(view, _COMMENT).get("value") or ""
        names = {str(one["value"]) for one in chosen}
        return cls(
            reasons=tuple(reason for reason in REASONS if reason in names),
            comment=str(said).strip(),
            shared=bool(entered(view, _SHARED).get("selected_options")),
        )


def parse_rating(value: str) -> tuple[Literal["good", "bad"], str]:
    """Return the rating and the turn that a button's value names.

    Raises `ValueError` for one that is no button's of ours.
    """
    rating, _, turn = value.partition(" ")
    if rating not in (GOOD, BAD):
        raise ValueError("This button rates nothing.")
    return cast('Literal["good", "bad"]', rating), turn


def feedback_form(language: Language, value: str, details: FeedbackDetails) -> SlackView:
    """Return the form for a rating, a button's value, with what was said before filled in.

    It asks whether the exchange is shared with the admins, and what was wrong with a bad reply.
    """
    options = {reason: option(say(language, key), reason) for reason, key in REASONS.items()}
    before = [options[reason] for reason in details.reasons if reason in options]
    reasons = checkboxes([*options.values()], before)
    comment = text_input(COMMENT_LIMIT, details.comment)
    box = option(say(language, "feedback_share"), _SHARED)
    share = checkboxes([box], [box] if details.shared else [])
    label, hint = say(language, "feedback_share_label"), say(language, "feedback_share_hint")
    blocks: list[Block] = [input_block(_SHARED, label, share, optional=True, hint=hint)]
    rating, _ = parse_rating(value)
    if rating == BAD:
        blocks = [
            input_block(_REASONS, say(language, "feedback_why"), reasons, optional=True),
            input_block(_COMMENT, say(language, "feedback_comment"), comment, optional=True),
            *blocks,
            note(say(language, "feedback_who_reads")),
        ]
    return form_view(
        language,
        "feedback_title",
        blocks,
        callback=FEEDBACK_FORM,
        submit="feedback_send",
        metadata={"rating": value},
    )


def feedback_errors(view: Mapping[str, Any]) -> dict[str, str]:
    """Return what is wrong with a submitted form, by block; the form itself says all there is."""
    given, language = FeedbackDetails.read(view), language_of_view(view)
    if len(given.comment) > COMMENT_LIMIT:
        return {_COMMENT: say(language, "form_too_long", count=COMMENT_LIMIT)}
    rating, _ = parse_rating(metadata_of(view)["rating"])
    if rating == BAD and not (given.reasons or given.comment):
        return {_REASONS: say(language, "feedback_empty")}
    return {}
