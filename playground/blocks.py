"""Block Kit's rules: which blocks and elements there are, their fields and their limits.

Errors read as Slack's do: "must be less than 151 characters [json-pointer:/blocks/0/text/text]".
Source: docs.slack.dev/reference/block-kit.
"""

import secrets
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from playground.records import Json

Errors = list[str]
Check = Callable[[Any, str, Errors], None]

MESSAGE_BLOCKS = 50
VIEW_BLOCKS = 100
ALL_CHARACTERS = 13_200
MARKDOWN_CHARACTERS = 12_000


def _fail(errors: Errors, what: str, pointer: str) -> None:
    errors.append(f"{what} [json-pointer:{pointer}]")


def string(most: int | None = None, *, least: int = 1) -> Check:
    """A string of `least` to `most` characters."""

    def check(value: Any, pointer: str, errors: Errors) -> None:
        if not isinstance(value, str):
            _fail(errors, "must be a string", pointer)
        elif len(value) < least:
            _fail(errors, f"must be more than {least - 1} characters", pointer)
        elif most is not None and len(value) > most:
            _fail(errors, f"must be less than {most + 1} characters", pointer)

    return check


def boolean(value: Any, pointer: str, errors: Errors) -> None:
    """true or false."""
    if not isinstance(value, bool):
        _fail(errors, "must be a boolean", pointer)


def integer(value: Any, pointer: str, errors: Errors) -> None:
    """A whole number."""
    if not isinstance(value, int) or isinstance(value, bool):
        _fail(errors, "must be an integer", pointer)


def anything(value: Any, pointer: str, errors: Errors) -> None:
    """Not looked into."""


def one_of(*values: str) -> Check:
    """One of some strings."""

    def check(value: Any, pointer: str, errors: Errors) -> None:
        if value not in values:
            _fail(errors, f"must be one of: {', '.join(values)}", pointer)

    return check


def array(item: Check, most: int, *, least: int = 1) -> Check:
    """A list of `least` to `most` items."""

    def check(value: Any, pointer: str, errors: Errors) -> None:
        if not isinstance(value, list):
            _fail(errors, "must be an array", pointer)
            return
        if len(value) < least:
            _fail(errors, f"no less than {least} items allowed", pointer)
        if len(value) > most:
            _fail(errors, f"no more than {most} items allowed", pointer)
        for index, entry in enumerate(value[:most]):
            item(entry, f"{pointer}/{index}", errors)

    return check


def fields(required: Mapping[str, Check], optional: Mapping[str, Check] | None = None) -> Check:
    """An object with exactly these fields."""
    known = {**(optional or {}), **required}

    def check(value: Any, pointer: str, errors: Errors) -> None:
        if not isinstance(value, dict):
            _fail(errors, "must be an object", pointer)
            return
        for name in required.keys() - value.keys():
            _fail(errors, f"missing required field: {name}", pointer)
        for name, entry in value.items():
            if name in known:
                known[name](entry, f"{pointer}/{name}", errors)
            elif name != "type":
                _fail(errors, f"invalid additional property: {name}", pointer)

    return check


def typed(kinds: Mapping[str, Check]) -> Check:
    """An object whose `type` says which check it must pass."""

    def check(value: Any, pointer: str, errors: Errors) -> None:
        kind = value.get("type") if isinstance(value, dict) else None
        if not isinstance(kind, str):
            _fail(errors, "missing required field: type", pointer)
        elif kind not in kinds:
            _fail(errors, f"unsupported type: {kind}", f"{pointer}/type")
        else:
            kinds[kind](value, pointer, errors)

    return check


def text(most: int, *kinds: str) -> Check:
    """A text object: plain_text or mrkdwn, or only the kinds named."""
    shapes = {
        "plain_text": fields({"text": string(most)}, {"emoji": boolean}),
        "mrkdwn": fields({"text": string(most)}, {"verbatim": boolean}),
    }
    return typed({kind: shapes[kind] for kind in kinds or tuple(shapes)})


def plain(most: int) -> Check:
    """A plain_text object."""
    return text(most, "plain_text")


_confirm = fields(
    {"title": plain(100), "text": text(300), "confirm": plain(30), "deny": plain(30)},
    {"style": one_of("primary", "danger")},
)
_option = fields(
    {"text": text(75), "value": string(150)}, {"description": text(75), "url": string(3000)}
)
_group = fields({"label": plain(75), "options": array(_option, 100)})
_action: dict[str, Check] = {"action_id": string(255)}
_asking: dict[str, Check] = {**_action, "confirm": _confirm, "focus_on_load": boolean}
_placed: dict[str, Check] = {**_asking, "placeholder": plain(150)}
_link = fields({"text": plain(75), "value": string(2000)}, {"accessibility_label": string(75)})
_options: dict[str, Check] = {"options": array(_option, 100), "option_groups": array(_group, 100)}
_response: dict[str, Check] = {"response_url_enabled": boolean}
_several: dict[str, Check] = {**_placed, "max_selected_items": integer}
_lengths: dict[str, Check] = {"min_length": integer, "max_length": integer}
_input: dict[str, Check] = {
    **_placed,
    "initial_value": string(3000, least=0),
    "dispatch_action_config": anything,
}

_image_element = fields(
    {"alt_text": string(2000)}, {"image_url": string(3000), "slack_file": anything}
)
_button = fields(
    {"text": plain(75)},
    {
        **_asking,
        "url": string(3000),
        "value": string(2000),
        "style": one_of("primary", "danger"),
        "accessibility_label": string(75),
    },
)
INTERACTIVE: dict[str, Check] = {
    "button": _button,
    "overflow": fields({"options": array(_option, 5)}, _asking),
    "static_select": fields({}, {**_placed, **_options, "initial_option": _option}),
    "external_select": fields(
        {}, {**_placed, "initial_option": _option, "min_query_length": integer}
    ),
    "users_select": fields({}, {**_placed, "initial_user": string()}),
    "conversations_select": fields(
        {},
        {
            **_placed,
            **_response,
            "initial_conversation": string(),
            "default_to_current_conversation": boolean,
            "filter": anything,
        },
    ),
    "channels_select": fields({}, {**_placed, **_response, "initial_channel": string()}),
    "multi_static_select": fields(
        {}, {**_several, **_options, "initial_options": array(_option, 100)}
    ),
    "multi_users_select": fields({}, {**_several, "initial_users": array(string(), 100)}),
    "multi_conversations_select": fields(
        {}, {**_several, "initial_conversations": array(string(), 100), "filter": anything}
    ),
    "multi_channels_select": fields({}, {**_several, "initial_channels": array(string(), 100)}),
    "checkboxes": fields(
        {"options": array(_option, 10)}, {**_asking, "initial_options": array(_option, 10)}
    ),
    "radio_buttons": fields(
        {"options": array(_option, 10)}, {**_asking, "initial_option": _option}
    ),
    "datepicker": fields({}, {**_placed, "initial_date": string(10)}),
    "timepicker": fields({}, {**_placed, "initial_time": string(5), "timezone": string()}),
    "datetimepicker": fields({}, {**_asking, "initial_date_time": integer}),
}
_INPUTS: dict[str, Check] = {
    **{kind: check for kind, check in INTERACTIVE.items() if kind not in ("button", "overflow")},
    "plain_text_input": fields({}, {**_input, **_lengths, "multiline": boolean}),
    "email_text_input": fields({}, _input),
    "url_text_input": fields({}, _input),
    "number_input": fields(
        {"is_decimal_allowed": boolean}, {**_input, "min_value": anything, "max_value": anything}
    ),
    "rich_text_input": fields({}, {**_placed, "initial_value": anything}),
    "file_input": fields({}, {**_action, "filetypes": anything, "max_files": integer}),
}
_ACCESSORIES: dict[str, Check] = {
    **INTERACTIVE,
    "image": _image_element,
}
_CONTEXT: dict[str, Check] = {
    "image": _image_element,
    "plain_text": fields({"text": string(3000)}, {"emoji": boolean}),
    "mrkdwn": fields({"text": string(3000)}, {"verbatim": boolean}),
}
_FEEDBACK: dict[str, Check] = {
    "feedback_buttons": fields({"positive_button": _link, "negative_button": _link}, _action),
    "icon_button": fields(
        {"icon": one_of("trash"), "text": plain(75)},
        {
            **_asking,
            "value": string(2000),
            "accessibility_label": string(75),
            "visible_to_user_ids": array(string(), 100),
        },
    ),
}
_RICH: dict[str, Check] = {
    kind: fields(
        {"elements": anything}, {"style": anything, "indent": anything, "border": anything}
    )
    for kind in (
        "rich_text_section",
        "rich_text_list",
        "rich_text_preformatted",
        "rich_text_quote",
    )
}


def _block(
    required: Mapping[str, Check] | None = None, optional: Mapping[str, Check] | None = None
) -> Check:
    return fields(required or {}, {"block_id": string(255), **(optional or {})})


BLOCKS: dict[str, Check] = {
    "actions": _block({"elements": array(typed(INTERACTIVE), 25)}),
    "context": _block({"elements": array(typed(_CONTEXT), 10)}),
    "context_actions": _block({"elements": array(typed(_FEEDBACK), 5)}),
    "divider": _block(),
    "header": _block({"text": plain(150)}, {"level": integer}),
    "image": _block(
        {"alt_text": string(2000)},
        {"image_url": string(3000), "slack_file": anything, "title": plain(2000)},
    ),
    "input": _block(
        {"label": plain(2000), "element": typed(_INPUTS)},
        {"hint": plain(2000), "optional": boolean, "dispatch_action": boolean},
    ),
    "markdown": _block({"text": string(MARKDOWN_CHARACTERS)}),
    "rich_text": _block({"elements": array(typed(_RICH), 500, least=0)}),
    "section": _block(
        {},
        {
            "text": text(3000),
            "fields": array(text(2000), 10),
            "accessory": typed(_ACCESSORIES),
            "expand": boolean,
        },
    ),
    "table": _block({"rows": array(anything, 100)}, {"column_settings": anything}),
    "video": _block(
        {
            "alt_text": string(2000),
            "title": plain(199),
            "thumbnail_url": string(3000),
            "video_url": string(3000),
        },
        {
            "author_name": string(49),
            "description": plain(200),
            "provider_icon_url": string(3000),
            "provider_name": string(49),
            "title_url": string(3000),
        },
    ),
    "plan": _block({"title": string(256)}, {"tasks": anything}),
    "task_card": _block(
        {"task_id": string(256), "title": string(256)},
        {"status": anything, "details": anything, "output": anything, "sources": anything},
    ),
}
_MESSAGE_ONLY = {"markdown", "context_actions", "table", "plan", "task_card"}
_MESSAGE = typed(BLOCKS)
_VIEW = typed({kind: check for kind, check in BLOCKS.items() if kind not in _MESSAGE_ONLY})

_MODAL = fields(
    {"title": plain(24), "blocks": array(_VIEW, VIEW_BLOCKS, least=0)},
    {
        "submit": plain(24),
        "close": plain(24),
        "callback_id": string(255, least=0),
        "private_metadata": string(3000, least=0),
        "external_id": string(255, least=0),
        "clear_on_close": boolean,
        "notify_on_close": boolean,
        "submit_disabled": boolean,
    },
)
_HOME = fields(
    {"blocks": array(_VIEW, VIEW_BLOCKS, least=0)},
    {
        "callback_id": string(255, least=0),
        "private_metadata": string(3000, least=0),
        "external_id": string(255, least=0),
    },
)


def block_errors(blocks: Any) -> Errors:
    """What Slack would say against the blocks of a message, as many sentences; [] if nothing."""
    errors: Errors = []
    array(_MESSAGE, MESSAGE_BLOCKS, least=0)(blocks, "/blocks", errors)
    if not errors:
        _check_layout(blocks, "/blocks", errors)
        if sum(len(b["text"]) for b in blocks if b["type"] == "markdown") > MARKDOWN_CHARACTERS:
            _fail(errors, f"must be less than {MARKDOWN_CHARACTERS + 1} characters", "/blocks")
    return errors


def view_errors(view: Any) -> Errors:
    """What Slack would say against a view."""
    errors: Errors = []
    typed({"modal": _MODAL, "home": _HOME})(view, "/view", errors)
    if not errors:
        _check_layout(view["blocks"], "/view/blocks", errors)
        asks = any(block["type"] == "input" for block in view["blocks"])
        if asks and view["type"] == "modal" and "submit" not in view:
            _fail(errors, "missing required field: submit", "/view")
    return errors


def _check_layout(blocks: list[Json], pointer: str, errors: Errors) -> None:
    """Rules between fields: ids are unique, a section says something, a select has options."""
    ids = [block["block_id"] for block in blocks if "block_id" in block]
    if len(ids) != len(set(ids)):
        _fail(errors, "block_id must be unique", pointer)
    for index, block in enumerate(blocks):
        place = f"{pointer}/{index}"
        if block["type"] == "section" and not ("text" in block or "fields" in block):
            _fail(errors, "missing required field: text", place)
        if block["type"] == "image" and not ("image_url" in block or "slack_file" in block):
            _fail(errors, "missing required field: image_url", place)
        elements = block.get("elements", []) if block["type"] != "rich_text" else []
        actions = [element["action_id"] for element in elements if "action_id" in element]
        if len(actions) != len(set(actions)):
            _fail(errors, "action_id must be unique", place)
        for element in [*elements, block.get("accessory", {}), block.get("element", {})]:
            kind = element.get("type", "")
            if kind.endswith("static_select") and not element.keys() & _options.keys():
                _fail(errors, "missing required field: options", place)


def characters(value: Any) -> int:
    """All characters of the texts in blocks."""
    return sum(len(content) for content in _texts(value))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, entry in value.items():
            if key == "text" and isinstance(entry, str):
                yield entry
            else:
                yield from _texts(entry)
    elif isinstance(value, list):
        for entry in value:
            yield from _texts(entry)


def with_ids(blocks: list[Json]) -> list[Json]:
    """The blocks as Slack stores them: a block_id on each, an action_id on each element."""
    stored = []
    for block in blocks:
        kept = {**block, "block_id": block.get("block_id") or _short_id()}
        if kept["type"] in ("actions", "context_actions"):
            kept["elements"] = [_with_action_id(element) for element in kept["elements"]]
        for key in ("accessory", "element"):
            if key in kept and kept[key]["type"] != "image":
                kept[key] = _with_action_id(kept[key])
        stored.append(kept)
    return stored


def _with_action_id(element: Json) -> Json:
    return {**element, "action_id": element.get("action_id") or _short_id()}


def _short_id() -> str:
    return secrets.token_urlsafe(4)
