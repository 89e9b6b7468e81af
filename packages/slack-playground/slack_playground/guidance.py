"""Checks of Slack's guidance beyond validation: text fallbacks, labels, few inputs.

Sources: docs.slack.dev, "Accessibility" of Block Kit, "Designing with Block Kit", and the reference
of chat.postMessage on `text`.
"""

import re
import unicodedata
from collections.abc import Iterator

from slack_playground.block_kit import LIMITS, error_at
from slack_playground.blocks import elements_of
from slack_playground.records import Json

MOST_INPUTS = LIMITS["modal_inputs"]


def message_advice(content: Json) -> list[str]:
    """Return what a message with blocks lacks, such as a text for notifications."""
    blocks = content.get("blocks") or []
    advice = block_advice(blocks, "/blocks")
    if blocks and not str(content.get("text") or "").strip():
        advice.append(
            error_at("/text", "a message with blocks needs a text for notifications")
        )
    return advice


def view_advice(view: Json) -> list[str]:
    """Return what a view lacks."""
    advice = block_advice(view["blocks"], "/view/blocks")
    inputs = [block for block in view["blocks"] if block["type"] == "input"]
    if view["type"] == "modal" and len(inputs) > MOST_INPUTS:
        advice.append(
            error_at("/view/blocks", f"no more than {MOST_INPUTS} inputs in a modal")
        )
    return advice


def block_advice(blocks: list[Json], pointer: str) -> list[str]:
    """Return what blocks lack for users of a screen reader."""
    advice: list[str] = []
    for index, block in enumerate(blocks):
        place = f"{pointer}/{index}"
        for element in (block, *elements_of(block)):
            advice += [error_at(place, what) for what in _lacks(element, block)]
    return advice


def _lacks(element: Json, block: Json) -> Iterator[str]:
    kind = element["type"]
    for button in _buttons(element):
        if not _speaks(button):
            yield "a button without words needs an accessibility_label"
    if (
        kind.endswith("_select")
        and block["type"] != "input"
        and "placeholder" not in element
    ):
        yield "a menu outside an input block needs a placeholder"
    if kind in ("image", "video") and not str(element.get("alt_text", "")).strip():
        yield "alt_text must say what the image shows"


def _buttons(element: Json) -> list[Json]:
    if element["type"] in ("button", "icon_button"):
        return [element]
    names = ("positive_button", "negative_button")
    return [element[name] for name in names if name in element]


def _speaks(button: Json) -> bool:
    """Whether a screen reader has words for it: letters or numbers besides emoji codes."""
    said = button.get("accessibility_label") or button["text"]["text"]
    without_codes = re.sub(r":[^\s:]+:", "", said)
    return any(unicodedata.category(letter)[0] in "LN" for letter in without_codes)
