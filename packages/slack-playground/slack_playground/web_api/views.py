"""views.*: modals and the Home tab."""

import json
import time
from typing import Any

from slack_playground.blocks import block_errors, view_errors
from slack_playground.interactions import (
    TRIGGER_SECONDS,
    close_view,
    open_view,
    replace_view,
)
from slack_playground.records import Json, Trigger, View
from slack_playground.web_api.call import Call, serves
from slack_playground.web_api.methods import SlackError

STACK = 3
_VIEW_BYTES = 250_000


def _read_view(call: Call, kind: str, same: View | None = None) -> Json:
    """The checked `view` argument, of type "modal" or "home", which replaces `same` if given."""
    view: Any = call.args["view"]
    errors = view_errors(view)
    if errors:
        raise SlackError("invalid_arguments", *errors)
    if view["type"] != kind:
        raise SlackError(
            "invalid_arguments", f"must be {kind} [json-pointer:/view/type]"
        )
    if len(json.dumps(view)) > _VIEW_BYTES:
        raise SlackError("view_too_large")
    if same is not None and call.args.get("hash") not in (None, same.body["hash"]):
        raise SlackError("hash_conflict")
    return dict(view)


def _trigger(call: Call) -> Trigger:
    """The trigger of the call."""
    trigger = call.slack.triggers.get(call.text("trigger_id"))
    if trigger is None:
        raise SlackError("invalid_trigger_id")
    if time.monotonic() - trigger.born > TRIGGER_SECONDS:
        raise SlackError("expired_trigger_id")
    if trigger.used:
        raise SlackError("exchanged_trigger_id")
    return trigger


@serves("blocks.validate")
def validate(call: Call) -> Json:
    """blocks.validate: a wrong payload is refused, with each error and its place."""
    if "view" in call.args:
        error, found = "invalid_view", view_errors(call.args["view"])
    else:
        error, found = "invalid_blocks", block_errors(call.args.get("blocks"))
    errors = []
    for one in found:
        message, _, pointer = one.removesuffix("]").partition(" [json-pointer:")
        errors.append(
            {"code": "failed_constraint", "message": message, "pointer": pointer}
        )
    if errors:
        raise SlackError(error, errors=errors)
    return {}


@serves("views.open", "views.push")
def open_(call: Call) -> Json:
    """views.open: a new stack, which replaces the open one; views.push: a view on top of it."""
    trigger = _trigger(call)
    view = _read_view(call, "modal")
    stack = call.workspace.open_views(trigger.user)
    on = None
    if call.method.name == "views.push":
        if all(view.id != trigger.view for view in stack):
            raise SlackError("not_found")
        if len(stack) >= STACK:
            raise SlackError("push_limit_reached")
        on = stack[-1]
    else:
        for one in stack:
            close_view(call.slack, one)
    trigger.used = True
    opened = open_view(call.slack, trigger.user, view, on=on)
    return {"view": opened.body}


@serves("views.update")
def update(call: Call) -> Json:
    """views.update, by view_id."""
    if "view_id" not in call.args:
        raise SlackError("invalid_arguments", "missing required field: view_id")
    view = call.workspace.views.get(call.text("view_id"))
    if view is None:
        raise SlackError("not_found")
    content = _read_view(call, view.body["type"], view)
    replace_view(call.slack, view, content)
    return {"view": view.body}


@serves("views.publish")
def publish(call: Call) -> Json:
    """views.publish: a person's Home tab."""
    slack = call.slack
    if not slack.manifest.home_tab:
        raise SlackError("not_enabled")
    user = slack.workspace.user(call.text("user_id")).id
    home = slack.workspace.home(user)
    view = _read_view(call, "home", home)
    if home is None:
        home = open_view(slack, user, view)
    else:
        replace_view(slack, home, view)
    return {"view": home.body}
