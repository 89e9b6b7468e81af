"""Values of interactive elements: what a click carries, what a form holds."""

from typing import Any

from slack_playground.blocks import elements_of
from slack_playground.records import Json

_SELECTS = {
    "static_select": "option",
    "external_select": "option",
    "overflow": "option",
    "radio_buttons": "option",
    "users_select": "user",
    "conversations_select": "conversation",
    "channels_select": "channel",
    "datepicker": "date",
    "timepicker": "time",
    "datetimepicker": "date_time",
}
_MULTI = {
    "checkboxes": "options",
    "multi_static_select": "options",
    "multi_external_select": "options",
    "multi_users_select": "users",
    "multi_conversations_select": "conversations",
    "multi_channels_select": "channels",
}
_TEXTS = {"plain_text_input", "email_text_input", "url_text_input", "number_input"}
_HOLDING = {*_TEXTS, *_SELECTS, *_MULTI, "rich_text_input", "file_input"} - {"overflow"}


def element_in(
    blocks: list[Json], action_id: str, block_id: str | None, value: Any
) -> tuple[Json, Json]:
    """The block and the action of a click; raises ValueError when there is no such element."""
    for block in blocks:
        if block_id not in (None, block.get("block_id")):
            continue
        for element in elements_of(block):
            if element.get("action_id") == action_id:
                return block, _action(element, value)
    raise ValueError(f"There is no element {action_id!r} to click there.")


def _action(element: Json, value: Any) -> Json:
    kind = element["type"]
    action: Json = {"type": kind}
    if kind == "button":
        action["text"] = element["text"]
        if "value" in element or value is not None:
            action["value"] = element.get("value") if value is None else value
        if "style" in element:
            action["style"] = element["style"]
        return action
    if kind == "feedback_buttons":
        for side in ("positive_button", "negative_button"):
            if value in (side.split("_", maxsplit=1)[0], element[side]["value"]):
                return action | {"value": element[side]["value"], "text": element[side]["text"]}
        raise ValueError('Feedback is "positive" or "negative".')
    if kind == "icon_button":
        return action | {"value": element.get("value"), "text": element["text"]}
    return action | _held(element, value)


def _held(element: Json, value: Any) -> Json:
    """The part of an action, or of a form's state, that holds an element's value."""
    kind = element["type"]
    if kind in _TEXTS:
        return {"value": element.get("initial_value") if value is None else str(value) or None}
    if kind in _SELECTS:
        what = _SELECTS[kind]
        if value is None:
            return {f"selected_{what}": element.get(f"initial_{what}")}
        return {f"selected_{what}": _option(element, value) if what == "option" else value}
    if kind in _MULTI:
        what = _MULTI[kind]
        if value is None:
            return {f"selected_{what}": element.get(f"initial_{what}", [])}
        values = value if isinstance(value, list) else [value]
        if what == "options":
            values = [_option(element, item) for item in values]
        return {f"selected_{what}": values}
    if kind == "file_input":
        return {"files": []}
    if kind == "rich_text_input":
        return {"rich_text_value": value}
    raise ValueError(f"An element of type {kind!r} holds no value.")


def _option(element: Json, value: Any) -> Json:
    options = list(element.get("options", []))
    for group in element.get("option_groups", []):
        options += group["options"]
    for option in options:
        if option.get("value") == value:
            return dict(option)
    raise ValueError(f"{value!r} is not one of the options of {element['action_id']!r}.")


def state_of(blocks: list[Json], values: Json, *, required: bool = False) -> Json:
    """The `state.values` of a form.

    `values` is {block_id: {action_id: value}}, {block_id: value} or {action_id: value}; what is
    missing keeps its initial value. With `required`, raises ValueError for an empty input that is
    not optional, and for a value that belongs to no input.
    """
    state: Json = {}
    used: set[str] = set()
    for block in blocks:
        elements = elements_of(block)
        action_ids = {element.get("action_id") for element in elements}
        for element in (one for one in elements if one["type"] in _HOLDING):
            kind, action_id = element["type"], element["action_id"]
            block_id = block["block_id"]
            value = values.get(block_id, values.get(action_id))
            used |= {block_id, action_id} & values.keys()
            if isinstance(value, dict) and value.keys() <= action_ids:
                value = value.get(action_id)
            held = _held(element, value)
            empty = not any(held.values())
            if required and empty and block["type"] == "input" and not block.get("optional"):
                raise ValueError(f"Please fill in {block['label']['text']!r}.")
            state.setdefault(block_id, {})[action_id] = {"type": kind, **held}
    if required and (unknown := values.keys() - used):
        raise ValueError(f"There is no input {sorted(unknown)[0]!r} in this view.")
    return state
