"""A form given back with what is wrong in it, where it cannot be answered any more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.views.blocks import Block, section
from bot.views.views import View

# What an element of a form holds, as Slack sends it, and what it begins with when shown again.
# Source: https://docs.slack.dev/reference/block-kit/block-elements
_INITIAL_VALUES = {
    "value": "initial_value",
    "selected_option": "initial_option",
    "selected_options": "initial_options",
    "selected_date": "initial_date",
    "selected_time": "initial_time",
    "selected_date_time": "initial_date_time",
    "selected_conversation": "initial_conversation",
    "selected_channel": "initial_channel",
    "selected_user": "initial_user",
}
_COPIED = ("type", "callback_id", "title", "submit", "close", "private_metadata", "notify_on_close")


def form_with_errors(view: Mapping[str, Any], errors: Mapping[str, str]) -> View:
    """Return a submitted `view` with what was entered, and each error before its field."""
    values = (view.get("state") or {}).get("values") or {}
    blocks: list[Block] = []
    for block in view["blocks"]:
        if block.get("block_id") in errors:
            blocks.append(section(f":warning: {errors[block['block_id']]}"))
        blocks.append(_filled(block, values.get(block.get("block_id")) or {}))
    return {
        **{name: view[name] for name in _COPIED if view.get(name) is not None},
        "blocks": blocks,
    }


def _filled(block: Block, entered: Mapping[str, Any]) -> Block:
    element = block.get("element")
    if block.get("type") != "input" or not isinstance(element, dict):
        return block
    state = entered.get(str(element.get("action_id"))) or {}
    begun = {name: value for name, value in element.items() if not name.startswith("initial_")}
    for name, initial in _INITIAL_VALUES.items():
        if state.get(name):
            begun[initial] = state[name]
    return {**block, "element": begun}
