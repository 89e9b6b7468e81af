"""Builds the Block Kit shapes that the app uses."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from typing import Any, Literal, TypedDict

from bot.acts.kinds import (
    ACT,
    ButtonAct,
    FormAct,
)
from bot.locale import Localizer
from memory.model import Json

Block = dict[str, Any]
SlackView = dict[str, Any]
Chunk = dict[str, Any]


class Payload(TypedDict):
    """What a message says. Slack refuses an empty message; `text` is for notifications."""

    text: str
    blocks: list[Block]


LINE_LIMIT = 240
# Slack's limits, to which texts are cut. `tests/unit/test_block_limits.py` compares them with the
# playground's table, block_kit.toml, which names their source.
LABEL_LIMIT = 75
VALUE_LIMIT = 2_000
OPTION_TEXT_LIMIT = 75
OPTION_VALUE_LIMIT = 150
INPUT_LIMIT = 3_000
VIEW_BLOCKS_LIMIT = 100
MESSAGE_BLOCKS_LIMIT = 50
MESSAGE_TEXT_LIMIT = 40_000
# These limits are lower than Slack's.
SECTION_LIMIT = 2_900
PART_LIMIT = 11_500
FALLBACK_LIMIT = 3_900
# A person, channel or group by its id, which means nothing when it is read aloud.
_ID = re.compile(r"<(?:@|#|!subteam\^)[A-Z0-9]+>")
# A mention or link of mrkdwn: what it is, and the words that are shown for it.
_MARKUP = re.compile(r"<(?:[^<>|]*\|)?([^<>|]*)>")


def payload(text: str, *buttons: Block) -> Payload:
    """Return a message: one text, and at most a few buttons below it."""
    blocks = [section(text)]
    if buttons:
        blocks.append(actions(*buttons))
    return {"text": fitted(text, FALLBACK_LIMIT), "blocks": blocks}


def modal(
    localizer: Localizer,
    title: str,
    blocks: Sequence[Block],
    act: ButtonAct | FormAct | None = None,
) -> SlackView:
    """Return a modal; `act` is what Slack returns with each click in it."""
    view: SlackView = {
        "type": "modal",
        "title": plain_text(localizer.say(title)),
        "close": plain_text(localizer.say("modal_close")),
        "blocks": list(blocks),
    }
    if act is not None:
        view["private_metadata"] = act.value
    return view


def section(text: str, accessory: Block | None = None, block_id: str = "") -> Block:
    """Return a section of mrkdwn; Slack does not turn plain names and addresses in it into links.

    Only the first lines of a long text are shown. `accessory` is the element beside it.
    """
    shown = {"type": "mrkdwn", "text": fitted(text, SECTION_LIMIT), "verbatim": True}
    block: Block = {"type": "section", "text": shown}
    if accessory is not None:
        block["accessory"] = accessory
    if block_id:
        block["block_id"] = block_id
    return block


def header(text: str) -> Block:
    """Return a heading."""
    return {"type": "header", "text": plain_text(text)}


def actions(*elements: Block, block_id: str = "") -> Block:
    """Return a row of buttons; Slack requires a different action id for each of them."""
    numbered = [
        {**element, "action_id": f"{ACT}_{number}"}
        for number, element in enumerate(elements)
    ]
    block: Block = {"type": "actions", "elements": numbered}
    if block_id:
        block["block_id"] = block_id
    return block


def note(*lines: str) -> Block:
    """Return small print: one element for each line."""
    elements = [{"type": "mrkdwn", "text": line, "verbatim": True} for line in lines]
    return {"type": "context", "elements": elements}


def plain_text(text: str) -> Block:
    """Return a plain_text object."""
    return {"type": "plain_text", "text": text, "emoji": False}


def button(
    text: str,
    act: ButtonAct,
    *,
    label: str = "",
    style: Literal["", "primary", "danger"] = "",
    confirm: Block | None = None,
) -> Block:
    """Return a button; Slack shows `confirm`, if given, before the click counts.

    `label` is its text for screen readers: mrkdwn, which is made plain and cut to Slack's limit.
    """
    block: Block = {
        "type": "button",
        "action_id": ACT,
        "text": plain_text(text),
        "value": act.value,
    }
    if label:
        block["accessibility_label"] = truncate(spoken(label), LABEL_LIMIT)
    if style:
        block["style"] = style
    if confirm is not None:
        block["confirm"] = confirm
    return block


def explained_button(
    localizer: Localizer, key: str, act: ButtonAct, what: str
) -> Block:
    """Return a button with the text `key`; for screen readers it also says what it is about."""
    text = localizer.say(key)
    label = localizer.say("explained", what=text, more=what)
    return button(text, act, label=label)


def option(text: str, value: str) -> Block:
    """Return an option of a menu, cut to Slack's limits."""
    shown = plain_text(text[:OPTION_TEXT_LIMIT])
    return {"text": shown, "value": value[:OPTION_VALUE_LIMIT]}


def select(options: Sequence[Block], chosen: str) -> Block:
    """Return a menu for a single choice; `chosen` is the value of the initial option."""
    menu: Block = {"type": "static_select", "options": list(options)}
    for one in options:
        if one["value"] == chosen:
            menu["initial_option"] = one
    return menu


def input_block(
    block_id: str, label: str, element: Block, *, optional: bool = False, hint: str = ""
) -> Block:
    """Return an input of a form."""
    block: Block = {
        "type": "input",
        "block_id": block_id,
        "label": plain_text(label),
        "element": {"action_id": "value", **element},
    }
    if optional:
        block["optional"] = True
    if hint:
        block["hint"] = plain_text(hint)
    return block


def text_input(max_length: int, value: str = "", *, multiline: bool = True) -> Block:
    """Return the element of an input for text, with `value` in it."""
    element: Block = {
        "type": "plain_text_input",
        "multiline": multiline,
        "max_length": max_length,
    }
    if value:
        element["initial_value"] = value
    return element


def bulleted(lines: Sequence[str]) -> str:
    """Return `lines` as one text, each after a bullet."""
    return "\n".join(f"• {line}" for line in lines)


def truncate(text: str, limit: int) -> str:
    """Return `text`, cut off and ended with “…” if it has more than `limit` characters."""
    if len(text) <= limit:
        return text
    return f"{text[: limit - 1].rstrip()}…"


def one_line(text: str) -> str:
    """Return a text without line breaks, cut to the length of a line."""
    return truncate(" ".join(text.split()), LINE_LIMIT)


def fitted(text: str, limit: int) -> str:
    """Return the whole lines of `text` that fit, and “…” below them if others do not."""
    if len(text) <= limit:
        return text
    end = text.rfind("\n", 0, limit - 1)
    if end <= 0:
        return truncate(text, limit)
    return f"{text[:end]}\n…"


def spoken(text: str) -> str:
    """Return mrkdwn as a screen reader should say it: one line, without markup."""
    without_ids = _ID.sub("…", text)
    words = html.unescape(_MARKUP.sub(r"\1", without_ids))
    return " ".join(words.split())


def escaped(text: str, limit: int = LINE_LIMIT) -> str:
    """Return a text as mrkdwn with ``&``, ``<`` and ``>`` escaped; at most `limit` characters.

    Escapes count with all their characters.
    """
    shown = html.escape(text, quote=False)
    while len(shown) > limit:
        fitting = len(text) * (limit - 1) // len(shown)
        text = text[:fitting]
        shown = html.escape(text, quote=False) + "…"
    return shown


def source_link(localizer: Localizer, url: str) -> str:
    """Return a link to the message that something was said in, as mrkdwn."""
    return f"<{url}|{localizer.say('row_source')}>"


def entered(view: Json, block_id: str) -> str:
    """Return what was entered or chosen; also empty if the form has no such input."""
    elements = view["state"]["values"].get(block_id) or {}
    for state in elements.values():
        if chosen := state.get("selected_option"):
            return str(chosen["value"])
        picked = state.get("selected_date") or state.get("selected_time")
        return str(picked or state.get("value") or "").strip()
    return ""
