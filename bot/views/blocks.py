"""Block Kit, in the few shapes that the app uses."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

from bot.locale import Language, say

Block = dict[str, Any]
Payload = dict[str, Any]

LINE_LIMIT = 240
# Source: Block Kit reference; a section's text has 3,000 characters.
_SECTION_LIMIT = 2_900
# Source: https://docs.slack.dev/reference/block-kit/block-elements/button-element
_LABEL_LIMIT = 75
# Source: https://docs.slack.dev/reference/block-kit/composition-objects/option-object
_OPTION_TEXT, OPTION_VALUE = 75, 150


def ephemeral_payload(text: str, blocks: list[Block] | None = None) -> Payload:
    """Return a response only the person sees."""
    return {
        "response_type": "ephemeral",
        "text": text[:3_900],
        "blocks": blocks or [section(text)],
    }


def beside_payload(text: str) -> Payload:
    """Return a response only the person sees, which leaves the clicked message in its place."""
    return {**ephemeral_payload(text), "replace_original": False}


def question_payload(text: str, *buttons: Block) -> Payload:
    """Return a response only the person sees: a text with buttons below it."""
    return ephemeral_payload(text, [section(text), actions(*buttons)])


def section(text: str, accessory: Block | None = None) -> Block:
    """Return a section of mrkdwn; Slack does not turn plain names and addresses in it into links.

    `accessory` is the element beside the text.
    """
    beside = {"accessory": accessory} if accessory else {}
    return {"type": "section", "text": {"type": "mrkdwn", "text": text, "verbatim": True}, **beside}


def header(text: str) -> Block:
    """Return a heading."""
    return {"type": "header", "text": plain_text(text)}


def actions(*elements: Block) -> Block:
    """Return a row of buttons and menus."""
    return {"type": "actions", "elements": list(elements)}


def note(*lines: str, verbatim: bool = False) -> Block:
    """Return small print: one element for each line.

    With `verbatim`, for a person's words, Slack does not turn plain names and addresses into links.
    """
    shown = {"type": "mrkdwn", **({"verbatim": True} if verbatim else {})}
    return {"type": "context", "elements": [{**shown, "text": line} for line in lines]}


def plain_text(text: str) -> Block:
    """Return a plain_text object."""
    return {"type": "plain_text", "text": text, "emoji": False}


def button(
    action: str, text: str, value: str, *, accessibility_label: str = "", **more: Any
) -> Block:
    """Return a button; `more` are its other fields, such as ``style`` or ``confirm``.

    `accessibility_label` is cut to Slack's limit.
    """
    label = accessibility_label[:_LABEL_LIMIT]
    return {
        "type": "button",
        "action_id": action,
        "text": plain_text(text),
        "value": value,
        **({"accessibility_label": label} if label else {}),
        **more,
    }


def page_buttons(language: Language, action: str, page: int, pages: int) -> list[Block]:
    """Return a row with the buttons to the pages before and after `page`; none for a single page.

    The value of each is its page.
    """
    turns = [("memories_previous", page - 1), ("memories_next", page + 1)]
    buttons = [
        button(f"{action}_{number}", say(language, key), str(number))
        for key, number in turns
        if 1 <= number <= pages
    ]
    return [actions(*buttons)] if buttons else []


def option(text: str, value: str) -> Block:
    """Return an option of a menu, of radio buttons or of checkboxes, cut to Slack's limits."""
    return {"text": plain_text(text[:_OPTION_TEXT]), "value": value[:OPTION_VALUE]}


def input_block(
    block_id: str, label: str, element: Block, *, optional: bool = False, hint: str = ""
) -> Block:
    """Return an input of a form; `bot.views.views.entered` reads it."""
    return {
        "type": "input",
        "block_id": block_id,
        "label": plain_text(label),
        "element": {"action_id": "value", **element},
        **({"optional": True} if optional else {}),
        **({"hint": plain_text(hint)} if hint else {}),
    }


def text_input(max_length: int, value: str = "") -> Block:
    """Return the element of an input for several lines of text, with `value` in it."""
    begun = {"initial_value": value} if value else {}
    return {"type": "plain_text_input", "multiline": True, "max_length": max_length, **begun}


def checkboxes(options: Sequence[Block], ticked: Sequence[Block] = (), **more: str) -> Block:
    """Return checkboxes, some of them `ticked`; `more` are other fields, such as ``action_id``."""
    begun = {"initial_options": list(ticked)} if ticked else {}
    return {"type": "checkboxes", **more, "options": list(options), **begun}


def bulleted(lines: Sequence[str]) -> str:
    """Return `lines` as one text, each after a bullet."""
    return "\n".join(f"• {line}" for line in lines)


def joined_lines(lines: Sequence[str]) -> list[str]:
    """Return `lines` as the texts of as few sections as they fit into."""
    texts: list[str] = []
    for line in lines:
        if texts and len(texts[-1]) + len(line) < _SECTION_LIMIT:
            texts[-1] += f"\n{line}"
        else:
            texts.append(line)
    return texts


def shortened(text: str, limit: int) -> str:
    """Return `text`, cut off and ended with “…” if it has more than `limit` characters."""
    return text if len(text) <= limit else f"{text[: limit - 1].rstrip()}…"


def escaped(text: str, limit: int = LINE_LIMIT) -> str:
    """Return a text as mrkdwn, its ``&``, ``<`` and ``>`` no markup; at most `limit` characters.

    An escape is longer than what it stands for, and counts as what it is.
    """
    shown = html.escape(text, quote=False)
    while len(shown) > limit:
        text = text[: len(text) * (limit - 1) // len(shown)]
        shown = html.escape(text, quote=False) + "…"
    return shown
