"""Checks of Slack's guidance beyond validation: text fallbacks, labels, few inputs.

Sources: docs.slack.dev, "Accessibility" of Block Kit, "Designing with Block Kit", the reference of
chat.postMessage on `text`.
"""

import re
import unicodedata
from collections.abc import Iterator
from typing import Any

from slack_playground.block_kit import Errors, fail
from slack_playground.blocks import elements_of
from slack_playground.records import Json

MOST_INPUTS = 6
_SPEAKING = ("L", "N")


def message_advice(content: Json) -> Errors:
    """Return what a message with blocks lacks, such as a text for notifications."""
    blocks = content.get("blocks") or []
    errors = block_advice(blocks, "/blocks")
    if blocks and not str(content.get("text") or "").strip():
        fail(errors, "a message with blocks needs a text for notifications", "/text")
    return errors


def view_advice(view: Json) -> Errors:
    """Return what a view lacks."""
    errors = block_advice(view["blocks"], "/view/blocks")
    inputs = sum(block["type"] == "input" for block in view["blocks"])
    if view["type"] == "modal" and inputs > MOST_INPUTS:
        fail(errors, f"no more than {MOST_INPUTS} inputs in a modal", "/view/blocks")
    return errors


def block_advice(blocks: list[Json], pointer: str) -> Errors:
    """Return what blocks lack for users of a screen reader."""
    errors: Errors = []
    for index, block in enumerate(blocks):
        place = f"{pointer}/{index}"
        for element in elements_of(block):
            _check_element(element, block, place, errors)
        for image in _images(block):
            if not str(image.get("alt_text", "")).strip():
                fail(errors, "alt_text must say what the image shows", place)
    return errors


def _check_element(element: Json, block: Json, place: str, errors: Errors) -> None:
    kind = element["type"]
    if kind in ("button", "icon_button") and not _speaks(element):
        fail(errors, "a button without words needs an accessibility_label", place)
    if kind.endswith("_select") and block["type"] != "input" and "placeholder" not in element:
        fail(errors, "a menu outside an input block needs a placeholder", place)
    if kind == "feedback_buttons":
        for side in ("positive_button", "negative_button"):
            if not _speaks(element[side]):
                fail(errors, "a button without words needs an accessibility_label", place)


def _speaks(button: Json) -> bool:
    """Whether a screen reader has words to say for it."""
    said = button.get("accessibility_label") or button["text"]["text"]
    without_codes = re.sub(r":[^\s:]+:", "", said)
    return any(unicodedata.category(letter)[0] in _SPEAKING for letter in without_codes)


def _images(block: Json) -> Iterator[Any]:
    if block["type"] in ("image", "video"):
        yield block
    yield from (element for element in elements_of(block) if element["type"] == "image")
