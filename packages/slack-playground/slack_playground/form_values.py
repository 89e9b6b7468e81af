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
    kind = element["type"]
    if kind in ("button", "icon_button"):
        action: Json = {key: element[key] for key in ("text", "value", "style") if key in element}
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
    is_list = name.endswith("s")
    if name == "files" or value is None:
        initial = element.get(f"initial_{name.removeprefix('selected_')}")
        return {name: initial or [] if is_list else initial}
    if name == "value":
        return {name: str(value) or None}
    if not is_list:
        return {name: _selected(element, name, value)}
    values = value if isinstance(value, list) else [value]
    return {name: [_selected(element, name, one) for one in values]}


def _selected(element: Json, name: str, value: Any) -> Any:
    """What an element holds for one value: an option of a menu, else the value itself."""
    return _option(element, value) if name.startswith("selected_option") else value


def _option(element: Json, value: Any) -> Json:
    for option in options_of(element):
        if option.get("value") == value:
            return dict(option)
    raise ValueError(f"{value!r} is not one of the options of {element['action_id']!r}.")


def state_of(blocks: list[Json], values: Json, *, required: bool = False) -> Json:
    """The `state.values` of a form.

    `values` is {block_id: {action_id: value}}, {block_id: value} or {action_id: value}; missing
    ones keep their initial value. With `required`, raises ValueError for an empty input that is not
    optional, and for a value that does not belong to an input.
    """
    state: Json = {}
    used: set[str] = set()
    for block in blocks:
        block_id = block["block_id"]
        elements = elements_of(block)
        action_ids = {element.get("action_id") for element in elements}
        for element in elements:
            kind = element["type"]
            if kind not in HELD or kind == "overflow":
                continue
            action_id = element["action_id"]
            value = values.get(block_id, values.get(action_id))
            used |= {block_id, action_id} & values.keys()
            if isinstance(value, dict) and value.keys() <= action_ids:
                value = value.get(action_id)
            held = _held(element, value)
            must_fill = required and block["type"] == "input" and not block.get("optional")
            if must_fill and not any(held.values()):
                raise ValueError(f"Please fill in {block['label']['text']!r}.")
            state.setdefault(block_id, {})[action_id] = {"type": kind, **held}
    unknown = values.keys() - used
    if required and unknown:
        raise ValueError(f"There is no input {sorted(unknown)[0]!r} in this view.")
    return state
