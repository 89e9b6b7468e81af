"""Validation of blocks and views, and the form in which Slack stores them."""

import secrets
from typing import Any

from slack_playground.block_kit import (
    LIMITS,
    UNCHECKED_BLOCKS,
    Errors,
    check,
    fail,
)
from slack_playground.records import Json
from slack_playground.rich_text import translated

MESSAGE_BLOCKS = LIMITS["message_blocks"]
MARKDOWN_CHARACTERS = LIMITS["message_markdown"]


def block_errors(blocks: Any) -> Errors:
    """Return Slack's error messages for the blocks of a message; [] if they are valid."""
    errors: Errors = []
    check(f"list0:{MESSAGE_BLOCKS}:@message_blocks", blocks, "/blocks", errors)
    if not errors:
        _check_layout(blocks, "/blocks", errors)
        texts = [block["text"] for block in blocks if block["type"] == "markdown"]
        if sum(map(len, texts)) > MARKDOWN_CHARACTERS:
            fail(errors, f"must be less than {MARKDOWN_CHARACTERS + 1} characters", "/blocks")
        if len(blocks) - len(texts) + sum(map(translated, texts)) > MESSAGE_BLOCKS:
            fail(errors, f"no more than {MESSAGE_BLOCKS} items allowed", "/blocks")
    return errors


def view_errors(view: Any) -> Errors:
    """Return Slack's error messages for a view."""
    errors: Errors = []
    check("@views", view, "/view", errors)
    if not errors:
        _check_layout(view["blocks"], "/view/blocks", errors)
        elements = [element for block in view["blocks"] for element in elements_of(block)]
        if sum(bool(element.get("focus_on_load")) for element in elements) > 1:
            fail(errors, "only one element can have focus_on_load", "/view/blocks")
        asks = any(block["type"] == "input" for block in view["blocks"])
        if asks and view["type"] == "modal" and "submit" not in view:
            fail(errors, "missing required field: submit", "/view")
    return errors


def _check_layout(blocks: list[Json], pointer: str, errors: Errors) -> None:
    """Check rules between fields: unique ids, initial options among the options."""
    ids = [block["block_id"] for block in blocks if "block_id" in block]
    if len(ids) != len(set(ids)):
        fail(errors, "block_id must be unique", pointer)
    for index, block in enumerate(blocks):
        place = f"{pointer}/{index}"
        elements = elements_of(block)
        actions = [element["action_id"] for element in elements if "action_id" in element]
        if len(actions) != len(set(actions)):
            fail(errors, "action_id must be unique", place)
        for element in elements:
            options = options_of(element)
            initial = list(element.get("initial_options", []))
            if "initial_option" in element:
                initial.append(element["initial_option"])
            if options and any(one not in options for one in initial):
                fail(errors, "initial options must be among the options", place)


def elements_of(block: Json) -> list[Json]:
    """The elements of a block, except those of rich text and of unchecked blocks."""
    if block["type"] in UNCHECKED_BLOCKS:
        return []
    found: list[Json] = []
    if block["type"] != "rich_text":
        found += block.get("elements", [])
    for key in ("accessory", "element"):
        if key in block:
            found.append(block[key])
    return found


def options_of(element: Json) -> list[Json]:
    """The options of a menu, including those in its groups."""
    options: list[Json] = list(element.get("options", []))
    for group in element.get("option_groups", []):
        options += group["options"]
    return options


def characters(value: Any) -> int:
    """The number of characters of all texts in blocks."""
    if isinstance(value, list):
        return sum(map(characters, value))
    if not isinstance(value, dict):
        return 0
    text = value.get("text")
    own = len(text) if isinstance(text, str) else 0
    return own + sum(map(characters, value.values()))


def with_ids(blocks: list[Json]) -> list[Json]:
    """The blocks as Slack stores them: a block_id on each, an action_id on each element."""
    stored = []
    for block in blocks:
        kept = {**block, "block_id": block.get("block_id") or secrets.token_urlsafe(4)}
        stored.append(kept)
        if kept["type"] in ("actions", "context_actions"):
            kept["elements"] = [_with_action_id(element) for element in kept["elements"]]
        for key in ("accessory", "element"):
            if key in kept and kept["type"] not in UNCHECKED_BLOCKS:
                kept[key] = _with_action_id(kept[key])
    return stored


def _with_action_id(element: Json) -> Json:
    if element["type"] == "image":
        return element
    return {**element, "action_id": element.get("action_id") or secrets.token_urlsafe(4)}
