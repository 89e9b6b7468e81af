"""Commands, clicks, shortcuts, modals, and what the app answers to them."""

import secrets
import time
from typing import Any

from slack_playground import posting
from slack_playground.blocks import block_errors, view_errors, with_ids
from slack_playground.delivery import Delivery
from slack_playground.form_values import element_in, state_of
from slack_playground.guidance import message_advice, view_advice
from slack_playground.objects import slack_object
from slack_playground.records import (
    Channel,
    Json,
    Message,
    ResponseUrl,
    Trigger,
    User,
    View,
    new_id,
)
from slack_playground.rich_text import as_read
from slack_playground.slack import Slack

TRIGGER_SECONDS = 3.0
RESPONSE_URL = "response_url"
"""The name of calls to a response URL."""
_SHOWN = ("text", "blocks", "attachments")


def _trigger(slack: Slack, user: User, view: str = "") -> str:
    number = time.time_ns() // 1000
    trigger_id = f"{number}.{number // 7}.{secrets.token_hex(16)}"
    slack.triggers[trigger_id] = Trigger(user=user.id, view=view)
    return trigger_id


def _response_url(slack: Slack, path: str, target: ResponseUrl) -> str:
    team_id = slack.identity.team_id
    key = f"/{path}/{team_id}/{secrets.token_hex(12)}"
    slack.response_urls[key] = target
    return slack.url + key


def _envelope(slack: Slack, kind: str, user: User, *, in_view: bool = False) -> Json:
    identity = slack.identity
    name = user.handle
    team = {"id": identity.team_id, "domain": identity.team_domain}
    if in_view and user.team != identity.team_id:  # theirs: slackapi/bolt-js#1614
        team = {"id": user.team, "domain": user.team.lower()}
    person = {"id": user.id, "username": name, "name": name, "team_id": user.team}
    return slack_object(
        "interaction", type=kind, team=team, user=person, api_app_id=identity.app_id
    )


async def command(
    slack: Slack, user: User, channel: Channel, command: str, text: str
) -> Delivery:
    """Send a slash command; show the content of its ack to the person, or to all if it says so."""
    identity = slack.identity
    target = ResponseUrl(channel=channel.id, user=user.id)
    body = slack_object(
        "command",
        team_id=identity.team_id,
        team_domain=identity.team_domain,
        channel_id=channel.id,
        channel_name=channel.name_in_payloads,
        user_id=user.id,
        user_name=user.handle,
        command=command,
        text=text,
        api_app_id=identity.app_id,
        response_url=_response_url(slack, "commands", target),
        trigger_id=_trigger(slack, user),
    )
    delivery = await slack.deliveries.send_request("slash_commands", command, body)
    answer = delivery.answer
    errors = block_errors(answer.get("blocks", []))
    if errors:
        _complain(slack, delivery, errors)
    elif any(answer.get(part) for part in _SHOWN):
        slack.violations.add_all(f"ack of {command}", message_advice(answer))
        respond(slack, target, answer)
    return delivery


async def click(
    slack: Slack,
    user: User,
    place: Message | View,
    action_id: str,
    *,
    block_id: str | None,
    value: Any,
    values: Json,
) -> Delivery:
    """Send a click on an element of a message or view; raises ValueError if there is none.

    `values` are the current values of the other elements, as in `submit`.
    """
    blocks: list[Json] = place.body.get("blocks", [])
    block, action = element_in(blocks, action_id, block_id, value)
    state = {"values": state_of(blocks, values)}
    if isinstance(place, Message):
        body = _envelope(slack, "block_actions", user)
        body |= _from_message(slack, user, place)
        body["state"] = state
        body["trigger_id"] = _trigger(slack, user)
    else:
        body = _envelope(slack, "block_actions", user, in_view=True)
        body["container"] = {"type": "view", "view_id": place.id}
        body["view"] = {**place.body, "state": state}
        body["trigger_id"] = _trigger(slack, user, place.id)
    action |= {
        "action_id": action_id,
        "block_id": block["block_id"],
        "action_ts": slack.workspace.next_ts(),
    }
    body["actions"] = [action]
    return await slack.deliveries.send_request("interactive", action_id, body)


def _from_message(slack: Slack, user: User, message: Message) -> Json:
    channel = slack.workspace.channel(message.channel)
    container: Json = {
        "type": "message",
        "message_ts": message.ts,
        "channel_id": channel.id,
        "is_ephemeral": bool(message.only_for),
    }
    if "thread_ts" in message.body:
        container["thread_ts"] = message.thread_ts
    target = ResponseUrl(channel=channel.id, user=user.id, message=message)
    part: Json = {
        "container": container,
        "channel": {"id": channel.id, "name": channel.name_in_payloads},
        "response_url": _response_url(slack, "actions", target),
    }
    if not message.only_for:
        part["message"] = as_read(message.body)
    return part


async def shortcut(
    slack: Slack, user: User, callback_id: str, message: Message
) -> Delivery:
    """Send a shortcut on a message."""
    body = _envelope(slack, "message_action", user)
    body |= _from_message(slack, user, message)
    del body["container"]
    body["callback_id"] = callback_id
    body["trigger_id"] = _trigger(slack, user)
    body["action_ts"] = slack.workspace.next_ts()
    body["message_ts"] = message.ts
    return await slack.deliveries.send_request("interactive", callback_id, body)


async def submit(slack: Slack, user: User, view: View, values: Json) -> Delivery:
    """Submit a modal, and change the stack as the answer says.

    Raises ValueError if a required input is empty or a value does not belong to an input.
    """
    state = {"values": state_of(view.body["blocks"], values, required=True)}
    body = _envelope(slack, "view_submission", user, in_view=True)
    body["view"] = {**view.body, "state": state}
    body["response_urls"] = []
    body["trigger_id"] = _trigger(slack, user, view.id)
    name = view.body.get("callback_id", "")
    delivery = await slack.deliveries.send_request("interactive", name, body)
    if delivery.outcome == "acked":
        _after_submit(slack, view, delivery)
    return delivery


def _after_submit(slack: Slack, view: View, delivery: Delivery) -> None:
    answer = delivery.answer
    action = answer.get("response_action")
    if action in ("update", "push"):
        errors = view_errors(answer.get("view"))
        if errors:
            _complain(slack, delivery, errors)
            return
        advice = view_advice(answer["view"])
        slack.violations.add_all(f"ack of {delivery.name}", advice)
    if action == "errors" and not answer.get("errors"):
        _complain(slack, delivery, ["missing required field: errors"])
    elif action == "clear":
        for one in slack.workspace.open_views(view.user):
            close_view(slack, one)
    elif action == "update":
        replace_view(slack, view, answer["view"])
    elif action == "push":
        open_view(slack, view.user, answer["view"], on=view)
    elif action != "errors":
        close_view(slack, view)


def _complain(slack: Slack, delivery: Delivery, complaints: list[str]) -> None:
    """Mark a delivery whose answer Slack would refuse."""
    delivery.outcome = "failed"
    delivery.attempts[-1] |= {"reason": "invalid_response", "complaints": complaints}
    slack.violations.add_all(f"ack of {delivery.name}", complaints)


async def close(slack: Slack, user: User, view: View) -> Delivery | None:
    """Close a modal; the app is notified if the view requested that."""
    close_view(slack, view)
    if not view.body.get("notify_on_close"):
        return None
    body = _envelope(slack, "view_closed", user, in_view=True)
    body |= {"view": view.body, "is_cleared": False}
    name = view.body.get("callback_id", "")
    return await slack.deliveries.send_request("interactive", name, body)


def open_view(
    slack: Slack, user: str, content: Json, *, on: View | None = None
) -> View:
    """Open a modal, on top of another one if given; or publish a Home tab."""
    view_id = new_id("V")
    body = {"id": view_id, "root_view_id": view_id, "previous_view_id": None}
    if on is not None:
        body["root_view_id"] = on.body["root_view_id"]
        body["previous_view_id"] = on.id
    view = View(id=view_id, user=user, body=body)
    slack.workspace.views[view.id] = view
    replace_view(slack, view, content)
    return view


def replace_view(slack: Slack, view: View, content: Json) -> None:
    """Give a view the content that the app sent; its id and place stay."""
    identity = slack.identity
    blocks = with_ids(content["blocks"])
    seconds = int(time.time())
    body = slack_object("view", **content)
    body |= {
        "id": view.id,
        "root_view_id": view.body["root_view_id"],
        "previous_view_id": view.body["previous_view_id"],
        "team_id": identity.team_id,
        "app_id": identity.app_id,
        "app_installed_team_id": identity.team_id,
        "bot_id": identity.bot_id,
        "blocks": blocks,
        "state": {"values": state_of(blocks, {})},
        "hash": f"{seconds}.{secrets.token_hex(4)}",
    }
    view.body = body
    slack.updates.publish("views", user=view.user)


def close_view(slack: Slack, view: View) -> None:
    """Close a modal."""
    slack.workspace.views.pop(view.id, None)
    slack.updates.publish("views", user=view.user)


def respond(slack: Slack, target: ResponseUrl, content: Json) -> None:
    """Post, replace or delete a message as an ack or a response_url body says.

    An ephemeral message is shown at the channel's root, even if the body names a thread.
    """
    original = target.message
    if content.get("delete_original") and original is not None:
        posting.delete(slack, original)
        return
    shown: Json = {part: content[part] for part in _SHOWN if content.get(part)}
    if "blocks" in shown:
        shown["blocks"] = with_ids(shown["blocks"])
    if content.get("replace_original") and original is not None:
        changes = {"blocks": None, "attachments": None, "text": "", **shown}
        posting.update(slack, original, changes, where=RESPONSE_URL)
        return
    channel = slack.workspace.channel(target.channel)
    if content.get("response_type") == "in_channel":
        thread_ts = content.get("thread_ts")
        if thread_ts is None and original is not None:
            thread_ts = original.body.get("thread_ts")
        metadata = content.get("metadata")
        posting.post_by_app(
            slack, channel, shown, thread_ts=thread_ts, metadata=metadata
        )
    else:
        posting.post_ephemeral(slack, channel, target.user, shown)
