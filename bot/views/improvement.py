"""A version of Kioku's prompts, as admins see it: differences, effect, and what they can do."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from bot.locale import Language, say
from bot.types import PromptVersion
from bot.views.blocks import (
    Block,
    Payload,
    actions,
    button,
    escaped,
    input_block,
    note,
    section,
    text_input,
)
from bot.views.modal_triggers import EDIT_PROMPT_ACTION, PROMPT_CASES_ACTION
from bot.views.views import SlackView, entered, form_view, information_view
from memory import MAX_PROMPT, PromptRefusal, RatedExchange

PROMPT_ACTION = "prompt_version"
PROMPT_FORM = "prompt_form"
_TITLES = {"style": "prompt_style", "formation": "prompt_formation"}
_STATUSES = {
    "proposed": "prompt_proposed",
    "active": "prompt_active",
    "replaced": "prompt_replaced",
    "rejected": "prompt_rejected",
    "refused": "prompt_refused",
    "edited": "prompt_edited",
}
REFUSALS: Mapping[PromptRefusal, str] = {
    "empty": "prompt_empty",
    "placeholder": "prompt_placeholder",
    "too_long": "prompt_too_long",
    "person": "prompt_person",
    "quote": "prompt_quote",
}
"""The keys of the sentences that say why a text is refused."""
_SENTENCE = re.compile(r"(?<=[.!?])\s+|(?<=[。！？])\s*|\n+")
_CASES_SHOWN = 30


def difference(old: str, new: str) -> str:
    """Return the sentences of both texts, a line each: ``+`` added, ``-`` removed."""
    lines = difflib.ndiff(_SENTENCE.split(old.strip()), _SENTENCE.split(new.strip()))
    return "\n".join(line for line in lines if not line.startswith("?"))


def prompt_version_payload(
    language: Language, version: PromptVersion, *, late: bool = False
) -> Payload:
    """Return the message that shows a version, with the buttons of its status.

    `late`: what an admin has just clicked was no longer possible.
    """
    text = say(language, _STATUSES[version.status], count=version.cases)
    blocks: list[Block] = [section(text)]
    if version.status == "refused":  # because its texts are not to be read
        return {"text": text, "blocks": blocks}
    for name, title in _TITLES.items():
        if version.sections[name] != version.base[name]:
            shown = difference(version.base[name], version.sections[name])
            lines = {
                "type": "rich_text_preformatted",
                "elements": [{"type": "text", "text": shown}],
            }
            blocks.append(section(f"*{say(language, title)}*"))
            blocks.append({"type": "rich_text", "elements": [lines]})
    effect = version.effect or {}
    measured = "prompt_effect" if effect else "prompt_not_measured"
    blocks.append(note(say(language, measured, count=sum(effect.values()), **effect)))
    if late:
        blocks.append(section(say(language, "prompt_late")))
    if buttons := _buttons(language, str(version.id), version.status):
        blocks.append(actions(*buttons))
    return {"text": text, "blocks": blocks}


def _buttons(language: Language, version: str, status: str) -> list[Block]:
    cases = button(PROMPT_CASES_ACTION, say(language, "prompt_cases_button"), version)
    if status == "active":
        roll_back = say(language, "prompt_roll_back_button")
        return [button(PROMPT_ACTION, roll_back, f"replaced {version}"), cases]
    if status != "proposed":
        return []
    yes, no = say(language, "prompt_approve_button"), say(language, "prompt_reject_button")
    return [
        button(f"{PROMPT_ACTION}_yes", yes, f"active {version}", style="primary"),
        button(EDIT_PROMPT_ACTION, say(language, "prompt_edit_button"), version),
        button(f"{PROMPT_ACTION}_no", no, f"rejected {version}", style="danger"),
        cases,
    ]


def prompt_form(language: Language, version: PromptVersion) -> SlackView:
    """Return the form with the texts of a proposal."""
    blocks = [
        input_block(name, say(language, title), text_input(MAX_PROMPT, version.sections[name]))
        for name, title in _TITLES.items()
    ]
    return form_view(
        language,
        "prompt_title",
        blocks,
        callback=PROMPT_FORM,
        submit="form_save",
        metadata={"version": str(version.id)},
    )


def read_prompt_form(view: Mapping[str, Any]) -> dict[str, str]:
    """Return the texts of a submitted form, by section."""
    texts = {name: str(entered(view, name).get("value") or "") for name in _TITLES}
    return {name: text.strip() for name, text in texts.items()}


def prompt_cases_view(language: Language, cases: Sequence[RatedExchange]) -> SlackView:
    """Return the exchanges behind a version, without their authors."""
    blocks: list[Block] = []
    for one in cases[:_CASES_SHOWN]:
        rating = say(language, "feedback_good" if one.good else "feedback_bad")
        blocks.append(section(f"*{escaped(one.question)}*\n{escaped(one.reply)}"))
        blocks.append(note(f"{rating}: {escaped(one.feedback)}" if one.feedback else rating))
    if not blocks:
        blocks.append(section(say(language, "prompt_no_cases")))
    return information_view(language, "prompt_title", blocks)
