"""Values of interactive elements: what a click carries, what a form holds."""

from typing import Any

from slack_playground.block_kit import HELD
from slack_playground.blocks import elements_of, options_of
from slack_playground.records import Json


def element_in(
    blocks: list[Json], action_id: str, block_id: str | None, value: Any
) -> tuple[Json, Json]:
    """The block and the action of a click; raises ValueError if there is no such element."""
    for block in blocks:
        if block_id not in (None, block.get("block_id")):
            continue
        for element in elements_of(block):
            if element.get("action_id") == action_id:
                return block, {"type": element["type"], **_action(element, value)}
    raise ValueError(f"There is no element {action_id!r} to click there.")


def _action(element: Json, value: Any) -> Json:
    """What an action has besides the type and the id of its element."""
    kind = element["type"]
    if kind in ("button", "icon_button"):
        action: Json = {}
        for field in ("text", "value", "style"):
            if field in element:
                action[field] = element[field]
        if value is not None:
            action["value"] = value
        return action
    if kind == "feedback_buttons":
        for side in ("positive", "negative"):
            button = element[f"{side}_button"]
            if value in (side, button["value"]):
                return {"value": button["value"], "text": button["text"]}
        raise ValueError('Feedback is "positive" or "negative".')
    return _held(element, value)


def _held(element: Json, value: Any) -> Json:
    """The part of an action, or of a form's state, that holds an element's value."""
    name = HELD.get(element["type"])
    if name is None:
        raise ValueError(f"An element of type {element['type']!r} holds no value.")
    if value is None:
        return {name: _initial(element, name)}
    if _holds_several(name):
        values = value if isinstance(value, list) else [value]
        return {name: [_selected(element, name, one) for one in values]}
    if value == "":
        return {name: None}
    if name == "value":
        return {name: str(value)}
    return {name: _selected(element, name, value)}


def _initial(element: Json, name: str) -> Any:
    """What an element holds before it is changed; a list where it holds several values."""
    field = name.removeprefix("selected_")
    initial = element.get(f"initial_{field}")
    if _holds_several(name):
        return initial or []
    return initial


def _holds_several(name: str) -> bool:
    """Whether the value with this name is a list, such as `selected_options`."""
    return name.endswith("s")


def _selected(element: Json, name: str, value: Any) -> Any:
    """What an element holds for one value: an option of a menu, else the value itself."""
    if not name.startswith("selected_option"):
        return value
    for option in options_of(element):
        if option.get("value") == value:
            return dict(option)
    raise ValueError(
        f"{value!r} is not one of the options of {element['action_id']!r}."
    )


def state_of(blocks: list[Json], values: Json, *, required: bool = False) -> Json:
    """The `state.values` of a form.

    `values` is {block_id: {action_id: value}} or {block_id: value}; missing ones keep their initial
    value, and "" is a field that was cleared. With `required`, raises ValueError for an empty input
    that is not optional, and for a value that does not belong to an input.
    """
    state: Json = {}
    used: set[str] = set()
    for block in blocks:
        block_id = block["block_id"]
        must_fill = required and block["type"] == "input" and not block.get("optional")
        for element in elements_of(block):
            kind = element["type"]
            if kind not in HELD or kind == "overflow":
                continue
            action_id = element["action_id"]
            used.add(block_id)
            value = values.get(block_id)
            if isinstance(value, dict):
                value = value.get(action_id)
            held = _held(element, value)
            if must_fill and not any(held.values()):
                raise ValueError(f"Please fill in {block['label']['text']!r}.")
            state.setdefault(block_id, {})[action_id] = {"type": kind, **held}
    unknown = values.keys() - used
    if required and unknown:
        raise ValueError(f"There is no input {min(unknown)!r} in this view.")
    return state
