"""The part of the control API that acts as a person: writing, commands, clicks, modals, Stop."""

import base64
import binascii
from typing import Any

from slack_playground import events, interactions, posting
from slack_playground.blocks import block_errors, with_ids
from slack_playground.delivery import Delivery
from slack_playground.files import FILE_BYTES, receive
from slack_playground.objects import file_object, forwarded, slack_object
from slack_playground.records import Channel, File, Json, Message, User, View
from slack_playground.slack import Slack
from slack_playground.workspace import NotFoundError


def _message(slack: Slack, channel: Channel, ts: str, user: User) -> Message:
    """The message that a request names by its ts; an ephemeral one only for its recipient."""
    message = slack.workspace.messages.get(channel.id, {}).get(ts)
    if message is None:
        raise NotFoundError("message", ts)
    if message.only_for not in ("", user.id):
        raise PermissionError(f"{user.id} cannot see that message.")
    return message


def messages(
    slack: Slack,
    user: User,
    channel: Channel,
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
    if user.deleted:
        raise ValueError(f"{user.id} has left the workspace.")
    if thread_ts is not None and workspace.message(channel.id, thread_ts).is_reply:
        raise ValueError("thread_ts must be the parent of the thread.")
    errors = block_errors(blocks or [])
    if errors:
        raise ValueError(f"blocks: {errors[0]}.")
    content: Json = {}
    if blocks:
        content["blocks"] = with_ids(blocks)
    if attachments:
        content["attachments"] = attachments
    if file_ids:
        files = _send_files(slack, user, channel, file_ids)
    if files:
        content |= slack_object("file_share", files=files)
    if not (text or content):
        raise ValueError("text is missing: a message says something.")
    app_mention = f"<@{workspace.identity.bot_user_id}>"
    message = posting.post_typed(
        slack,
        user,
        channel,
        text.replace("<@BOT>", app_mention),
        thread_ts=thread_ts,
        client_msg_id=client_msg_id,
        **content,
    )
    return {"channel": channel.id, "ts": message.ts}


def _send_files(
    slack: Slack, user: User, channel: Channel, file_ids: list[str]
) -> list[Json]:
    """Share files that the person uploaded; return their objects for the message."""
    files = [_unsent(slack, user, file_id) for file_id in file_ids]
    for file in files:
        file.channels.append(channel.id)
    team_id = slack.identity.team_id
    return [file_object(file, slack.url, team_id) for file in files]


def _unsent(slack: Slack, user: User, file_id: str) -> File:
    """A file that the person uploaded and that is not in a message yet."""
    file = slack.workspace.files.get(file_id)
    if file is None or file.owner != user.id or file.channels:
        raise NotFoundError("file", file_id)
    return file


def messages_edit(
    slack: Slack, user: User, channel: Channel, ts: str, text: str
) -> None:
    """Edit a person's own message."""
    message = _own(slack, channel, ts, user)
    posting.edit(slack, message, text)


def messages_delete(slack: Slack, user: User, channel: Channel, ts: str) -> None:
    """Delete a person's own message."""
    message = _own(slack, channel, ts, user)
    posting.delete(slack, message)


def _own(slack: Slack, channel: Channel, ts: str, user: User) -> Message:
    message = _message(slack, channel, ts, user)
    if message.body.get("user") != user.id:
        raise PermissionError(f"{user.id} did not write that message.")
    return message


def messages_forward(
    slack: Slack, user: User, channel: Channel, ts: str, text: str = ""
) -> Json:
    """Forward a message that a person can see to their direct messages with the app."""
    workspace = slack.workspace
    message = _message(slack, channel, ts, user)
    place = workspace.open_dm(user.id)
    for file in message.body.get("files", []):
        workspace.files[file["id"]].channels.append(place.id)
    author = workspace.user(str(message.body["user"]))
    shared = forwarded(message, author, channel)
    posted = posting.post_typed(slack, user, place, text, attachments=[shared])
    return {"channel": place.id, "ts": posted.ts}


async def commands(
    slack: Slack,
    user: User,
    channel: Channel,
    command: str,
    text: str = "",
    thread_ts: str | None = None,
) -> Json:
    """Run a slash command as a person; return the content of its ack."""
    _installed(slack)
    known = slack.manifest.commands.get(command)
    if known is None:
        raise ValueError(f"{command} is not a command of this app.")
    if thread_ts is not None:
        raise ValueError("Slash commands do not work in threads.")
    text = text.strip()
    if known.should_escape:
        text = posting.as_typed(slack, text).text
    delivery = await interactions.command(slack, user, channel, command, text)
    return _outcome(delivery)


async def actions(
    slack: Slack,
    user: User,
    channel: Channel,
    action_id: str,
    ts: str = "",
    view_id: str | None = None,
    block_id: str | None = None,
    value: Any = None,
    values: Json | None = None,
) -> Json:
    """Click an element of a visible message or of the person's own view."""
    _interactive(slack)
    place: Message | View
    if view_id is not None:
        place = _view(slack, view_id, user)
    else:
        place = _message(slack, channel, ts, user)
    delivery = await interactions.click(
        slack,
        user,
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


def _view(slack: Slack, view_id: str, user: User) -> View:
    view = slack.workspace.views.get(view_id)
    if view is None:
        raise ValueError("That view is not open.")
    if view.user != user.id:
        raise PermissionError(f"{user.id} cannot see that view.")
    return view


def files(slack: Slack, user: User, name: str, content: str) -> Json:
    """Upload a person's file (base64) for a message."""
    try:
        data = base64.b64decode(content, validate=True)
    except binascii.Error:
        raise ValueError("content must be base64.") from None
    if len(data) > FILE_BYTES:
        raise ValueError(f"A file has {FILE_BYTES // 1024 // 1024} MB at most.")
    if not name:
        raise ValueError("name is missing.")
    file = File(owner=user.id, name=name)
    receive(file, data)
    slack.workspace.files[file.id] = file
    return {"id": file.id, "name": file.name, "size": file.size}


async def shortcuts(
    slack: Slack, user: User, channel: Channel, callback_id: str, ts: str
) -> Json:
    """Use a shortcut on a message."""
    _interactive(slack)
    shortcut = slack.manifest.shortcuts.get(callback_id)
    if shortcut is None or shortcut.kind != "message":
        raise ValueError(f"{callback_id} is not a message shortcut of this app.")
    message = _message(slack, channel, ts, user)
    delivery = await interactions.shortcut(slack, user, callback_id, message)
    return _outcome(delivery)


async def views_submit(
    slack: Slack, user: User, view_id: str, values: Json | None = None
) -> Json:
    """Submit a modal."""
    _interactive(slack)
    view = _view(slack, view_id, user)
    delivery = await interactions.submit(slack, user, view, values or {})
    return _outcome(delivery)


async def views_close(slack: Slack, user: User, view_id: str) -> Json:
    """Close a modal."""
    view = _view(slack, view_id, user)
    delivery = await interactions.close(slack, user, view)
    if delivery is None:
        return {"ok": True}
    return _outcome(delivery)


def stop(slack: Slack, user: User, channel: Channel, thread_ts: str) -> Json:
    """Press Stop in a thread that the app is working in."""
    if "agent_session_stopped" not in slack.manifest.events:
        raise ValueError(
            "There is no Stop button: the app listens to no agent_session_stopped."
        )
    if slack.workspace.thread(channel.id, thread_ts).session != "processing":
        raise ValueError(
            "There is no Stop button: the app is not working in that thread."
        )
    stopped = []
    for message in slack.workspace.replies(channel.id, thread_ts):
        if message.stream == "live":
            message.stream = "stopped_by_user"
            stopped.append(message.ts)
            posting.notify_page(slack, message)
    events.emit(
        slack,
        "agent_session_stopped",
        channel,
        user=user.id,
        thread_ts=thread_ts,
        streaming_message_ts=stopped,
    )
    return {"streaming_message_ts": stopped}


def home_open(slack: Slack, user: User, tab: str = "home") -> None:
    """Open the app's Home or Messages tab."""
    enabled = {"home": slack.manifest.home_tab, "messages": slack.manifest.messages_tab}
    if not enabled.get(tab):
        raise ValueError(f"The app has no {tab} tab.")
    event: Json = {"user": user.id, "tab": tab}
    home = slack.workspace.home(user.id)
    if tab == "home" and home is not None:
        event["view"] = home.body
    channel = slack.workspace.open_dm(user.id)
    events.emit(slack, "app_home_opened", channel, **event)


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
