"""Block Kit's tables: which blocks, elements and views there are, their fields and limits.

Source: docs.slack.dev/reference/block-kit.
"""

from collections.abc import Mapping

from slack_playground.block_checks import (
    Check,
    Errors,
    anything,
    array,
    boolean,
    fields,
    integer,
    one_of,
    plain,
    string,
    text,
    typed,
)

MESSAGE_BLOCKS = 50
VIEW_BLOCKS = 100
MARKDOWN_CHARACTERS = 12_000
# Newer blocks, stored as they are given.
UNCHECKED_BLOCKS = ("alert", "card", "carousel", "container", "file")

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
    "file_input": fields({}, {**_action, "filetypes": array(string(), 100), "max_files": integer}),
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


def _unchecked(block: Mapping[str, object], pointer: str, errors: Errors) -> None:
    """A block whose fields are not looked into, but for its id."""
    if "block_id" in block:
        string(255)(block["block_id"], f"{pointer}/block_id", errors)


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
    **dict.fromkeys(UNCHECKED_BLOCKS, _unchecked),
    "task_card": _block(
        {"task_id": string(256), "title": string(256)},
        {"status": anything, "details": anything, "output": anything, "sources": anything},
    ),
}
_MESSAGE_ONLY = {"markdown", "context_actions", "table", "plan", "task_card"}
MESSAGE_BLOCK = typed(BLOCKS)
_VIEW = typed({kind: check for kind, check in BLOCKS.items() if kind not in _MESSAGE_ONLY})

MODAL = fields(
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
HOME = fields(
    {"blocks": array(_VIEW, VIEW_BLOCKS, least=0)},
    {
        "callback_id": string(255, least=0),
        "private_metadata": string(3000, least=0),
        "external_id": string(255, least=0),
    },
)
