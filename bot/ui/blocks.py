"""Block Kit, in the few shapes that the app uses."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from typing import Any

Block = dict[str, Any]
Payload = dict[str, Any]
SlackView = dict[str, Any]

LINE_LIMIT = 240
# Source: https://docs.slack.dev/reference/block-kit/block-elements/button-element
_LABEL_LIMIT, VALUE_LIMIT = 75, 2_000
# Source: https://docs.slack.dev/reference/block-kit/composition-objects/option-object
_OPTION_TEXT, OPTION_VALUE = 75, 150
_TEXT_LIMIT, _SECTION_LIMIT = 3_900, 2_900
# Source: https://docs.slack.dev/reference/block-kit/blocks
BLOCK_ID_LIMIT = 255
# A mention, link or date of mrkdwn: what it is, and the words that are shown for it.
_MARKUP = re.compile(r"<(?:[^<>|]*\|)?([^<>|]*)>")


def payload(text: str, *buttons: Block) -> Payload:
    """Return a message: one text, and at most a few buttons below it."""
    blocks = [section(text), *([actions(*buttons)] if buttons else [])]
    return {"text": fitted(text, _TEXT_LIMIT), "blocks": blocks}


def section(text: str, accessory: Block | None = None, block_id: str = "") -> Block:
    """Return a section of mrkdwn; Slack does not turn plain names and addresses in it into links.

    Of a long text the first lines are shown. `accessory` is the element beside it.
    """
    return {
        "type": "section",
        "text": {"type": "mrkdwn", "text": fitted(text, _SECTION_LIMIT), "verbatim": True},
        **({"accessory": accessory} if accessory else {}),
        **({"block_id": block_id} if block_id else {}),
    }


def header(text: str) -> Block:
    """Return a heading."""
    return {"type": "header", "text": plain_text(text)}


def actions(*elements: Block, block_id: str = "") -> Block:
    """Return a row of buttons and menus."""
    named = {"block_id": block_id} if block_id else {}
    return {"type": "actions", "elements": list(elements), **named}


def note(*lines: str) -> Block:
    """Return small print: one element for each line."""
    shown = {"type": "mrkdwn", "verbatim": True}
    return {"type": "context", "elements": [{**shown, "text": line} for line in lines]}


def plain_text(text: str) -> Block:
    """Return a plain_text object."""
    return {"type": "plain_text", "text": text, "emoji": False}


def button(action: str, text: str, value: str, *, label: str = "", **more: Any) -> Block:
    """Return a button; `more` are its other fields, such as ``style`` or ``confirm``.

    `label` is its text for screen readers, mrkdwn, made plain and cut to Slack's limit.
    """
    return {
        "type": "button",
        "action_id": action,
        "text": plain_text(text),
        "value": value,
        **({"accessibility_label": shortened(spoken(label), _LABEL_LIMIT)} if label else {}),
        **more,
    }


def option(text: str, value: str) -> Block:
    """Return an option of a menu, cut to Slack's limits."""
    return {"text": plain_text(text[:_OPTION_TEXT]), "value": value[:OPTION_VALUE]}


def select(options: Sequence[Block], chosen: str = "", **more: Any) -> Block:
    """Return a menu of one choice; `chosen` is the value of the option it begins with."""
    first = next((one for one in options if one["value"] == chosen), None)
    begun = {"initial_option": first} if first else {}
    return {"type": "static_select", "options": list(options), **begun, **more}


def input_block(
    block_id: str, label: str, element: Block, *, optional: bool = False, hint: str = ""
) -> Block:
    """Return an input of a form."""
    return {
        "type": "input",
        "block_id": block_id,
        "label": plain_text(label),
        "element": {"action_id": "value", **element},
        **({"optional": True} if optional else {}),
        **({"hint": plain_text(hint)} if hint else {}),
    }


def text_input(max_length: int, value: str = "", *, multiline: bool = True) -> Block:
    """Return the element of an input for text, with `value` in it."""
    begun = {"initial_value": value} if value else {}
    return {"type": "plain_text_input", "multiline": multiline, "max_length": max_length, **begun}


def bulleted(lines: Sequence[str]) -> str:
    """Return `lines` as one text, each after a bullet."""
    return "\n".join(f"• {line}" for line in lines)


def shortened(text: str, limit: int) -> str:
    """Return `text`, cut off and ended with “…” if it has more than `limit` characters."""
    return text if len(text) <= limit else f"{text[: limit - 1].rstrip()}…"


def fitted(text: str, limit: int) -> str:
    """Return the whole lines of `text` that fit, and “…” below them if others do not."""
    if len(text) <= limit:
        return text
    end = text.rfind("\n", 0, limit - 1)
    return f"{text[:end]}\n…" if end > 0 else shortened(text, limit)


def spoken(text: str) -> str:
    """Return mrkdwn as a screen reader is to say it: one line, without markup."""
    return " ".join(html.unescape(_MARKUP.sub(r"\1", text)).split())


def escaped(text: str, limit: int = LINE_LIMIT) -> str:
    """Return a text as mrkdwn, its ``&``, ``<`` and ``>`` no markup; at most `limit` characters.

    An escape is longer than what it stands for, and counts as what it is.
    """
    shown = html.escape(text, quote=False)
    while len(shown) > limit:
        text = text[: len(text) * (limit - 1) // len(shown)]
        shown = html.escape(text, quote=False) + "…"
    return shown
