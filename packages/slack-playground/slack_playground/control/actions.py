"""The part of the control API that acts as a person: writing, commands, clicks, modals, Stop."""

import base64
import binascii
from typing import Any

from slack_playground.blocks import block_errors, with_ids
from slack_playground.delivery import Delivery
from slack_playground.files import FILE_BYTES, add_file, file_object, shared_file
from slack_playground.message_objects import forwarded
from slack_playground.records import Channel, Json, Message, View
from slack_playground.slack import Slack


def _place(slack: Slack, name: str, user: str) -> Channel:
    """The conversation a request names, "dm" being that person's with the app."""
    workspace = slack.workspace
    channel = workspace.open_dm(user) if name == "dm" else workspace.channel(name)
    if user not in channel.members:
        raise ValueError(f"{user} is not in {channel.id}.")
    if channel.archived:
        raise ValueError(f"{channel.id} is archived.")
    return channel


def _message(slack: Slack, name: str, ts: str | None, user: str) -> Message:
    """The message a request names by its ts, an ephemeral one only for its own person."""
    channel = _place(slack, name, user)
    if ts is None:
        raise ValueError("ts is missing.")
    own = slack.workspace.ephemerals.get(channel.id, {}).get(ts)
    if own is not None:
        if own.only_for != user or own.unseen:
            raise PermissionError(f"{user} cannot see that message.")
        return own
    return slack.workspace.message(channel.id, ts)


async def say(
    slack: Slack,
    user: str,
    channel: str,
    text: str = "",
    thread_ts: str | None = None,
    blocks: list[Json] | None = None,
    attachments: list[Json] | None = None,
    files: list[Json] | None = None,
    file_ids: list[str] | None = None,
    client_msg_id: str | None = None,
) -> Json:
    """Post a message as a person; delivery to the app runs in the background."""
    workspace = slack.workspace
    person = workspace.user(user)
    if person.deleted:
        raise ValueError(f"{user} has left the workspace.")
    place = _place(slack, channel, user)
    if thread_ts is not None and workspace.message(place.id, thread_ts).is_reply:
        raise ValueError("thread_ts must be the parent of the thread.")
    text = text.replace("<@BOT>", f"<@{workspace.identity.bot_user_id}>")
    if file_ids:
        sent = [shared_file(slack, user, one) for one in file_ids]
        for file in sent:
            file.channels.append(place.id)
        files = [file_object(slack, file) for file in sent]
    if blocks is not None:
        if errors := block_errors(blocks):
            raise ValueError(f"blocks: {errors[0]}.")
        blocks = with_ids(blocks)
    if not (text or blocks or attachments or files):
        raise ValueError("text is missing: a message says something.")
    message = slack.posting.typed(
        person,
        place,
        text,
        thread_ts=thread_ts,
        client_msg_id=client_msg_id,
        blocks=blocks,
        attachments=attachments,
        files=files,
    )
    return {"channel": place.id, "ts": message.ts}


def _own(slack: Slack, channel: str, ts: str, user: str) -> Message:
    message = _message(slack, channel, ts, slack.workspace.user(user).id)
    if message.body.get("user") != user:
        raise PermissionError(f"{user} did not write that message.")
    return message


async def edit(slack: Slack, user: str, channel: str, ts: str, text: str) -> Json:
    """Edit a person's own message."""
    message = _own(slack, channel, ts, user)
    slack.posting.edit(message, text)
    return {"channel": message.channel, "ts": message.ts}


async def delete(slack: Slack, user: str, channel: str, ts: str) -> Json:
    """Delete a person's own message."""
    message = _own(slack, channel, ts, user)
    slack.posting.delete(message)
    return {"channel": message.channel, "ts": message.ts}


async def forward(slack: Slack, user: str, channel: str, ts: str, to: str, text: str = "") -> Json:
    """Forward a message that a person can see to another conversation, `to`."""
    workspace = slack.workspace
    message = _message(slack, channel, ts, user)
    place = _place(slack, to, user)
    for file in message.body.get("files", []):
        stored = workspace.files[file["id"]]
        stored.channels.append(place.id)
    author = workspace.user(str(message.body["user"]))
    shared = forwarded(message, author, workspace.channel(message.channel))
    posted = slack.posting.typed(workspace.user(user), place, text, attachments=[shared])
    return {"channel": place.id, "ts": posted.ts}


async def command(
    slack: Slack,
    user: str,
    channel: str,
    command: str,
    text: str = "",
    thread_ts: str | None = None,
) -> Json:
    """Run a slash command as a person; return the content of its ack."""
    person = slack.workspace.user(user)
    place = _place(slack, channel, user)
    _installed(slack)
    known = slack.manifest.commands.get(command)
    if known is None:
        raise ValueError(f"{command} is not a command of this app.")
    if thread_ts is not None:
        raise ValueError("Slash commands do not work in threads.")
    text = text.strip()
    if known.should_escape:
        text = slack.posting.escaped(text)
    return _outcome(await slack.interactions.command(person, place, command, text))


async def action(
    slack: Slack,
    user: str,
    action_id: str,
    channel: str = "dm",
    ts: str | None = None,
    message_ts: str | None = None,
    view_id: str | None = None,
    block_id: str | None = None,
    value: Any = None,
    values: Json | None = None,
) -> Json:
    """Click an element of a visible message or of the person's own view."""
    person = slack.workspace.user(user)
    _interactive(slack)
    place: Message | View
    if view_id is not None:
        place = _view(slack, view_id, user)
    else:
        place = _message(slack, channel, message_ts or ts, user)
    delivery = await slack.interactions.click(
        person,
        place,
        action_id,
        block_id=block_id,
        value=value,
        values=values or {},
    )
    return _outcome(delivery)


def _interactive(slack: Slack) -> None:
    _installed(slack)
    if not slack.manifest.interactivity:
        raise ValueError("The app's manifest has interactivity switched off.")


def _installed(slack: Slack) -> None:
    if not slack.installation.installed:
        raise ValueError("The app is not installed in this workspace.")


def _view(slack: Slack, view_id: str, user: str) -> View:
    view = slack.workspace.views.get(view_id)
    if view is None or view.closed:
        raise ValueError("That view is not open.")
    if view.user != user:
        raise PermissionError(f"{user} cannot see that view.")
    return view


async def upload(slack: Slack, user: str, name: str, content: str) -> Json:
    """Upload a person's file (base64) for a message."""
    owner = slack.workspace.user(user).id
    try:
        data = base64.b64decode(content, validate=True)
    except binascii.Error:
        raise ValueError("content must be base64.") from None
    if len(data) > FILE_BYTES:
        raise ValueError(f"A file has {FILE_BYTES // 1024 // 1024} MB at most.")
    if not name:
        raise ValueError("name is missing.")
    file = add_file(slack.workspace, owner=owner, name=name, content=data)
    return {"id": file.id, "name": file.name, "size": file.size}


async def shortcut(
    slack: Slack, user: str, callback_id: str, channel: str = "dm", ts: str | None = None
) -> Json:
    """Use a global shortcut or a message shortcut."""
    person = slack.workspace.user(user)
    _interactive(slack)
    shortcut = slack.manifest.shortcuts.get(callback_id)
    if shortcut is None:
        raise ValueError(f"{callback_id} is not a shortcut of this app.")
    message = _message(slack, channel, ts, user) if shortcut.kind == "message" else None
    return _outcome(await slack.interactions.shortcut(person, callback_id, message))


async def submit(
    slack: Slack, view_id: str, user: str | None = None, values: Json | None = None
) -> Json:
    """Submit a modal, as its owner if no `user` is named."""
    _interactive(slack)
    owner = slack.workspace.views.get(view_id)
    user = user or (owner.user if owner is not None else "")
    view = _view(slack, view_id, user)
    person = slack.workspace.user(user)
    return _outcome(await slack.interactions.submit(person, view, values or {}))


async def close(slack: Slack, user: str, view_id: str) -> Json:
    """Close a modal."""
    person = slack.workspace.user(user)
    delivery = await slack.interactions.close(person, _view(slack, view_id, user))
    return {"ok": True} if delivery is None else _outcome(delivery)


async def stop(slack: Slack, user: str, channel: str, thread_ts: str) -> Json:
    """Press Stop in a thread that the app is working in."""
    place = _place(slack, channel, slack.workspace.user(user).id)
    if "agent_session_stopped" not in slack.manifest.events:
        raise ValueError("There is no Stop button: the app listens to no agent_session_stopped.")
    thread = slack.workspace.thread(place.id, thread_ts)
    live = [
        message
        for message in slack.workspace.replies(place.id, thread_ts)
        if message.stream == "live"
    ]
    if thread.session != "processing":
        raise ValueError("There is no Stop button: the app is not working in that thread.")
    for message in live:
        slack.posting.stop_stream(message)
    stopped = [message.ts for message in live]
    slack.events.emit(
        {
            "type": "agent_session_stopped",
            "channel": place.id,
            "user": user,
            "thread_ts": thread_ts,
            "streaming_message_ts": stopped,
            "event_ts": slack.workspace.next_ts(),
        },
        place,
    )
    return {"streaming_message_ts": stopped}


async def open_home(slack: Slack, user: str, tab: str = "home") -> Json:
    """Open the app's Home or Messages tab."""
    enabled = {"home": slack.manifest.home_tab, "messages": slack.manifest.messages_tab}
    if not enabled.get(tab):
        raise ValueError(f"The app has no {tab} tab.")
    channel = slack.workspace.open_dm(slack.workspace.user(user).id)
    event: Json = {
        "type": "app_home_opened",
        "user": user,
        "channel": channel.id,
        "tab": tab,
        "event_ts": slack.workspace.next_ts(),
    }
    if tab == "home" and (home := slack.workspace.homes.get(user)):
        event["view"] = home.body
    return {"sent": slack.events.emit(event)}


async def look(slack: Slack, user: str, channel: str, ts: str | None = None) -> Json:
    """Open a conversation, or one message of it, with the app in the side panel."""
    seen = _place(slack, channel, user).id
    values: Json = {"channel_id": seen}
    if ts is not None:
        place = {"channel_id": seen, "message_ts": _message(slack, channel, ts, user).ts}
        values = {"message_context": place, **values}
    team, entities = slack.workspace.identity.team_id, []
    for kind, value in values.items():
        entities.append({"type": f"slack#/types/{kind}", "value": value, "team_id": team})
    slack.events.viewed[user] = entities
    event: Json = {
        "type": "app_context_changed",
        "user": user,
        "channel": slack.workspace.open_dm(user).id,
        "context": {"entities": entities},
        "event_ts": slack.workspace.next_ts(),
    }
    return {"sent": slack.events.emit(event)}


def _outcome(delivery: Delivery) -> Json:
    """Return whether a command or click was acked, and the content of the ack."""
    last = delivery.attempts[-1]
    return {
        "ok": delivery.outcome == "acked",
        "ack": last.get("answer"),
        "reason": last.get("reason"),
        "complaints": last.get("complaints", []),
        "ms": last.get("ms"),
        "delivery": delivery.number,
    }


POSTS = {
    "messages": say,
    "messages/edit": edit,
    "messages/delete": delete,
    "messages/forward": forward,
    "commands": command,
    "actions": action,
    "shortcuts": shortcut,
    "files": upload,
    "views/submit": submit,
    "views/close": close,
    "stop": stop,
    "home/open": open_home,
    "context": look,
}
