"""Validation of blocks and views, and the form in which Slack stores them."""

import secrets
from collections.abc import Iterator
from typing import Any

from slack_playground.block_kit import LIMITS, UNCHECKED_BLOCKS, check, error_at
from slack_playground.records import Json
from slack_playground.rich_text import count_translated_blocks

MESSAGE_BLOCKS = LIMITS["message_blocks"]
MARKDOWN_CHARACTERS = LIMITS["message_markdown"]


def block_errors(blocks: Any) -> list[str]:
    """Return Slack's error messages for the blocks of a message; [] if they are valid."""
    errors = list(check(f"list0:{MESSAGE_BLOCKS}:@message_blocks", blocks, "/blocks"))
    if not errors:
        errors += _layout_errors(blocks, "/blocks")
        errors += _markdown_errors(blocks)
    return errors


def _markdown_errors(blocks: list[Json]) -> Iterator[str]:
    length = 0
    number = 0
    for block in blocks:
        if block["type"] == "markdown":
            length += len(block["text"])
            number += count_translated_blocks(block["text"])
        else:
            number += 1
    if length > MARKDOWN_CHARACTERS:
        yield error_at(
            "/blocks", f"must be less than {MARKDOWN_CHARACTERS + 1} characters"
        )
    if number > MESSAGE_BLOCKS:
        yield error_at("/blocks", f"no more than {MESSAGE_BLOCKS} items allowed")


def view_errors(view: Any) -> list[str]:
    """Return Slack's error messages for a view."""
    errors = list(check("@views", view, "/view"))
    if not errors:
        errors += _layout_errors(view["blocks"], "/view/blocks")
        errors += _input_errors(view)
    return errors


def _input_errors(view: Json) -> Iterator[str]:
    asks = False
    focused = 0
    for block in view["blocks"]:
        asks = asks or block["type"] == "input"
        for element in elements_of(block):
            if element.get("focus_on_load"):
                focused += 1
    if focused > 1:
        yield error_at("/view/blocks", "only one element can have focus_on_load")
    if asks and view["type"] == "modal" and "submit" not in view:
        yield error_at("/view", "missing required field: submit")


def _layout_errors(blocks: list[Json], pointer: str) -> Iterator[str]:
    """Yield what breaks rules between fields: unique ids, initial options among the options."""
    if _repeats(blocks, "block_id"):
        yield error_at(pointer, "block_id must be unique")
    for index, block in enumerate(blocks):
        place = f"{pointer}/{index}"
        elements = elements_of(block)
        if _repeats(elements, "action_id"):
            yield error_at(place, "action_id must be unique")
        for element in elements:
            options = options_of(element)
            initial = list(element.get("initial_options", []))
            if "initial_option" in element:
                initial.append(element["initial_option"])
            if options and any(one not in options for one in initial):
                yield error_at(place, "initial options must be among the options")


def _repeats(objects: list[Json], name: str) -> bool:
    """Whether two objects have the same id in the field `name`."""
    ids = [one[name] for one in objects if name in one]
    return len(ids) != len(set(ids))


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
    count = sum(map(characters, value.values()))
    if isinstance(value.get("text"), str):
        count += len(value["text"])
    return count


def with_ids(blocks: list[Json]) -> list[Json]:
    """The blocks as Slack stores them: a block_id on each, an action_id on each element."""
    return [_with_ids(block) for block in blocks]


def _with_ids(block: Json) -> Json:
    stored = _with_id(block, "block_id")
    kind = stored["type"]
    if kind in UNCHECKED_BLOCKS:
        return stored
    if kind in ("actions", "context_actions"):
        stored["elements"] = [
            _with_action_id(element) for element in stored["elements"]
        ]
    for name in ("accessory", "element"):
        if name in stored:
            stored[name] = _with_action_id(stored[name])
    return stored


def _with_action_id(element: Json) -> Json:
    if element["type"] == "image":
        return element
    return _with_id(element, "action_id")


def _with_id(value: Json, name: str) -> Json:
    """A copy of a block or an element that has an id in the field `name`."""
    return {**value, name: value.get(name) or secrets.token_urlsafe(4)}
