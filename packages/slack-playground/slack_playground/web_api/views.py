"""views.*: modals and the Home tab."""

import json
import time
from typing import Any

from slack_playground.blocks import view_errors
from slack_playground.interactions import TRIGGER_SECONDS, Trigger
from slack_playground.records import Json, View
from slack_playground.views import STACK
from slack_playground.web_api.call import Call, SlackError, serves

_VIEW_BYTES = 250_000


def read_view(call: Call, kind: str) -> Json:
    """The checked `view` argument, of type "modal" or "home"."""
    view: Any = call.args["view"]
    if errors := view_errors(view):
        raise SlackError("invalid_arguments", *errors)
    if view["type"] != kind:
        raise SlackError("invalid_arguments", f"must be {kind} [json-pointer:/view/type]")
    if len(json.dumps(view)) > _VIEW_BYTES:
        raise SlackError("view_too_large")
    external = view.get("external_id")
    others = call.slack.workspace.views.values()
    same = call.args.get("view_id")
    if external and any(
        v.body.get("external_id") == external and v.id != same and not v.closed for v in others
    ):
        raise SlackError("duplicate_external_id")
    return dict(view)


def _trigger(call: Call) -> Trigger:
    """The trigger of the call, used up by it."""
    trigger = call.slack.interactions.triggers.get(call.text("trigger_id"))
    if trigger is None:
        raise SlackError("invalid_trigger_id")
    if time.monotonic() - trigger.born > TRIGGER_SECONDS:
        raise SlackError("expired_trigger_id")
    if trigger.used:
        raise SlackError("exchanged_trigger_id")
    return trigger


@serves("views.open")
def open_(call: Call) -> Json:
    """views.open: a new stack, in place of the one that is open."""
    trigger = _trigger(call)
    view = read_view(call, "modal")
    trigger.used = True
    call.slack.views.close_all(trigger.user)
    return {"view": call.slack.views.open(trigger.user, view).body}


@serves("views.push")
def push(call: Call) -> Json:
    """views.push."""
    trigger = _trigger(call)
    view = read_view(call, "modal")
    stack = call.slack.workspace.open_views(trigger.user)
    if not stack or trigger.view not in {open_view.id for open_view in stack}:
        raise SlackError("not_found")
    if len(stack) >= STACK:
        raise SlackError("push_limit_reached")
    trigger.used = True
    return {"view": call.slack.views.open(trigger.user, view, on=stack[-1]).body}


@serves("views.update")
def update(call: Call) -> Json:
    """views.update, by view_id or external_id."""
    found = _find(call)
    if found is None or found.closed:
        raise SlackError("not_found")
    call.args.setdefault("view_id", found.id)
    view = read_view(call, found.body["type"])
    _check_hash(call, found)
    call.slack.views.replace(found, view)
    return {"view": found.body}


def _find(call: Call) -> View | None:
    views = call.slack.workspace.views
    if "view_id" in call.args:
        return views.get(call.text("view_id"))
    external = call.args.get("external_id")
    if external is None:
        raise SlackError("invalid_arguments", "missing required field: view_id")
    return next((v for v in views.values() if v.body.get("external_id") == external), None)


def _check_hash(call: Call, view: View) -> None:
    if call.args.get("hash") not in (None, view.body["hash"]):
        raise SlackError("hash_conflict")


@serves("views.publish")
def publish(call: Call) -> Json:
    """views.publish: a person's Home tab."""
    if not call.slack.manifest.home_tab:
        raise SlackError("not_enabled")
    user = call.text("user_id")
    if user not in call.slack.workspace.users:
        raise SlackError("user_not_found")
    home = call.slack.workspace.homes.get(user)
    if home is None:
        view = read_view(call, "home")
        return {"view": call.slack.views.open(user, view).body}
    call.args["view_id"] = home.id
    view = read_view(call, "home")
    _check_hash(call, home)
    call.slack.views.replace(home, view)
    return {"view": home.body}
