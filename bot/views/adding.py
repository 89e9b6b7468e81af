"""The form that adds memories, one a line, and the lines that were not stored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.locale import Language, say
from bot.views.blocks import Payload, escaped, input_block, joined_lines, section
from bot.views.views import SlackView, entered, form_view, language_of_view
from memory import redact

ADD_FORM = "add_memories"
LINES_LIMIT = 50
_LINES = "add.lines"
# Source: https://docs.slack.dev/reference/block-kit/block-elements/plain-text-input-element
_TEXT_LIMIT = 3_000
# Markers of lists, with which pasted lines begin.
_BULLETS = "-–*•·▪◦ \t"


def lines_of(text: str) -> list[str]:
    """Return the lines of a text that are not empty, without bullets, each once."""
    lines = (line.strip().lstrip(_BULLETS).strip() for line in text.splitlines())
    return list(dict.fromkeys(line for line in lines if line))


def add_form(language: Language) -> SlackView:
    """Return the form: one field, whose lines are formed like messages."""
    element = {"type": "plain_text_input", "multiline": True, "max_length": _TEXT_LIMIT}
    hint = say(language, "add_lines_hint", limit=LINES_LIMIT)
    field = input_block(_LINES, say(language, "field_fact"), element, hint=hint)
    return form_view(language, "form_add_title", [field], callback=ADD_FORM, submit="form_save")


def entered_lines(view: Mapping[str, Any]) -> str:
    """Return the text of a submitted form."""
    return str(entered(view, _LINES).get("value") or "")


def add_errors(view: Mapping[str, Any]) -> dict[str, str]:
    """Return why a submitted form cannot be taken, by block; empty if it can."""
    lines = lines_of(entered_lines(view))
    if lines and len(lines) <= LINES_LIMIT:
        return {}
    language = language_of_view(view)
    if lines:
        return {_LINES: say(language, "add_too_many", limit=LINES_LIMIT)}
    return {_LINES: say(language, "form_missing")}


def with_left_out(language: Language, payload: Payload, left: Mapping[str, str]) -> Payload:
    """Return a payload that also says which lines were not stored, each with the reason."""
    title = say(language, "add_left_out", count=len(left))
    lines = [f"*{title}*"]
    for line, reason in left.items():
        shown = escaped(redact(line).text)
        lines.append(f"• {reason}" if shown in reason else f"• “{shown}”: {reason}")
    texts = joined_lines(lines)
    return {
        **payload,
        "text": "\n".join([payload["text"], *texts])[:3_900],
        "blocks": [*payload["blocks"], *map(section, texts)],
    }
