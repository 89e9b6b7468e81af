"""Block Kit, in the few shapes that the app uses."""

from __future__ import annotations

import html
from typing import Any

Block = dict[str, Any]
Payload = dict[str, Any]

# Ten lines with number and date fit into a section's 3,000 characters.
LINE_LIMIT = 240


def ephemeral_payload(text: str, blocks: list[Block] | None = None) -> Payload:
    """Return a response only the person sees."""
    return {
        "response_type": "ephemeral",
        "text": text[:3_900],
        "blocks": blocks or [section(text)],
    }


def section(text: str) -> Block:
    """Return a section of mrkdwn in which Slack makes nothing of bare names and links."""
    return {"type": "section", "text": {"type": "mrkdwn", "text": text, "verbatim": True}}


def note(*lines: str) -> Block:
    """Return small print: one element for each line."""
    return {"type": "context", "elements": [{"type": "mrkdwn", "text": line} for line in lines]}


def plain_text(text: str) -> Block:
    """Return a plain_text object."""
    return {"type": "plain_text", "text": text, "emoji": False}


def button(action: str, text: str, value: str, **more: Any) -> Block:
    """Return a button; `more` are its other fields, such as ``style`` or ``confirm``."""
    return {
        "type": "button",
        "action_id": action,
        "text": plain_text(text),
        "value": value,
        **more,
    }


def escaped(text: str) -> str:
    """Return a person's text as mrkdwn without markup of its own, one line at the most long.

    An escape is longer than what it stands for, and counts as what it is.
    """
    shown = html.escape(text, quote=False)
    while len(shown) > LINE_LIMIT:
        text = text[: len(text) * (LINE_LIMIT - 1) // len(shown)]
        shown = html.escape(text, quote=False) + "…"
    return shown
