"""Creates, changes and deletes messages, with the events that each step sends."""

import copy
import time
import uuid
from collections.abc import Sequence
from typing import Any

from slack_playground import events
from slack_playground.blocks import with_ids
from slack_playground.journal import STREAMED
from slack_playground.objects import bot_profile, slack_object, with_update_below
from slack_playground.records import Channel, Json, Message, Thread, User
from slack_playground.slack import Slack
from slack_playground.typed_text import TypedText


def as_typed(slack: Slack, text: str) -> TypedText:
    """What a person typed, with the names of this workspace resolved."""
    workspace = slack.workspace
    return TypedText(text, workspace.users.values(), workspace.channels.values())


def post_typed(
    slack: Slack,
    user: User,
    channel: Channel,
    text: str,
    *,
    thread_ts: str | None = None,
    client_msg_id: str | None = None,
    **content: Any,
) -> Message:
    """Post a typed message; `text` is raw, as from the keyboard.

    `content` is the rest of the message object; its `blocks` replace those of the text.
    """
    own = slack.identity
    said = as_typed(slack, text)
    body: Json = {"user": user.id, "text": said.text, "team": user.team}
    if user.is_bot:
        body |= {
            "bot_id": user.bot_id,
            "app_id": user.app_id,
            "bot_profile": bot_profile(user),
        }
    else:
        body["client_msg_id"] = client_msg_id or str(uuid.uuid4())
    if said.blocks:
        body["blocks"] = said.blocks
    is_shared = channel.shared or channel.org_shared
    if is_shared and user.team != own.team_id:
        body["user_team"] = user.team
        body["source_team"] = user.team
    message = _new(slack, channel, body | content, thread_ts)
    add(slack, channel, message)
    if user.id != own.bot_user_id:
        _mention(slack, message, said)
    return message


def _mention(slack: Slack, message: Message, said: TypedText) -> None:
    """Send the event of a mention of the app, if there is one outside direct messages."""
    channel = slack.workspace.channel(message.channel)
    if slack.identity.bot_user_id in said.mentions and channel.kind != "im":
        events.emit_app_mention(slack, channel, copy.deepcopy(message.body))


def _new(
    slack: Slack,
    channel: Channel,
    body: Json,
    thread_ts: str | None = None,
    **more: Any,
) -> Message:
    """Return a message with a new ts, not stored yet; a reply if `thread_ts` is given."""
    body = {"type": "message", "ts": slack.workspace.next_ts(), **body}
    if thread_ts:
        body["thread_ts"] = thread_ts
        parent = slack.workspace.find(channel.id, thread_ts)
        if parent is not None:
            body["parent_user_id"] = parent.body.get("user", "")
    return Message(channel=channel.id, ts=body["ts"], body=body, **more)


def new_of_app(
    slack: Slack, channel: Channel, content: Json, thread_ts: str | None, **more: Any
) -> Message:
    """Return a new message of the app, not stored; `content` has text, blocks, attachments."""
    identity = slack.identity
    body = {
        "user": identity.bot_user_id,
        "bot_id": identity.bot_id,
        "app_id": identity.app_id,
        "text": "",
        "team": identity.team_id,
        "bot_profile": bot_profile(slack.workspace.bot),
    }
    return _new(slack, channel, body | content, thread_ts, **more)


def post_by_app(
    slack: Slack,
    channel: Channel,
    content: Json,
    *,
    thread_ts: str | None,
    metadata: Json | None = None,
) -> Message:
    """Post a message of the app; `content` has text, blocks, attachments."""
    message = new_of_app(slack, channel, content, thread_ts, metadata=metadata)
    add(slack, channel, message)
    return message


def post_ephemeral(
    slack: Slack,
    channel: Channel,
    user: str,
    content: Json,
    *,
    thread_ts: str | None = None,
) -> Message | None:
    """Post a message of the app that only one person sees; it has no event.

    In a thread without replies Slack shows it to nobody: it is not stored, and None is returned.
    """
    if thread_ts and not slack.workspace.replies(channel.id, thread_ts):
        return None
    content = {**content, "is_ephemeral": True}
    message = new_of_app(slack, channel, content, thread_ts, only_for=user)
    slack.workspace.add_message(message)
    notify_page(slack, message)
    return message


def add(slack: Slack, channel: Channel, message: Message) -> None:
    """Store a message and send its event."""
    slack.workspace.add_message(message)
    posted = copy.deepcopy(message.body)
    events.emit_message(slack, channel, posted, message.metadata)
    thread = _thread_of_app(slack, message)
    if thread is not None and message.stream != "live":
        thread.worked = time.time()
    notify_page(slack, message)


def _thread_of_app(slack: Slack, message: Message) -> Thread | None:
    """What the app has set on the thread of its own message; None for anybody else's message."""
    if message.body.get("user") != slack.identity.bot_user_id:
        return None
    threads = slack.workspace.threads.get(message.channel, {})
    return threads.get(message.thread_ts)


def change(
    slack: Slack, message: Message, changes: Json, *, editor: str | None = None
) -> None:
    """Change a message's object; with `editor` it is marked as edited. None removes a field."""
    before = copy.deepcopy(message.body)
    for key, value in changes.items():
        if value is None:
            message.body.pop(key, None)
        else:
            message.body[key] = value
    if editor:
        seconds = int(time.time())
        ts = f"{seconds}.000000"
        message.body["edited"] = {"user": editor, "ts": ts}
    announce_change(slack, message, before)


def update(
    slack: Slack,
    message: Message,
    changes: Json,
    *,
    where: str,
    editor: str | None = None,
) -> None:
    """Change a message as the app says in the call or answer `where`.

    A streamed message keeps what it shows, and the changes are added to it.
    """
    if message.stream:
        slack.violations.add_all(where, [STREAMED])
        changes = with_update_below(message, changes)
    change(slack, message, changes, editor=editor)


def announce_change(slack: Slack, message: Message, before: Json) -> None:
    """Send the event of a message that a person or the app changed, and notify the page."""
    workspace = slack.workspace
    if not message.only_for:
        channel = workspace.channel(message.channel)
        facts = workspace.thread_facts(message)
        now = {**copy.deepcopy(message.body), **facts}
        events.emit_message_changed(slack, channel, {**before, **facts}, now)
    thread = _thread_of_app(slack, message)
    if thread is not None:
        thread.worked = time.time()
    notify_page(slack, message)


def edit(slack: Slack, message: Message, text: str) -> None:
    """Change what a person typed; a mention of the app is sent again, too."""
    content = as_typed(slack, text)
    changes = {"text": content.text, "blocks": content.blocks or None}
    change(slack, message, changes, editor=str(message.body["user"]))
    _mention(slack, message, content)


def delete(slack: Slack, message: Message) -> None:
    """Delete a message; a parent with replies becomes a tombstone, as in Slack."""
    workspace = slack.workspace
    body = message.body
    if not message.only_for and workspace.replies(message.channel, message.ts):
        removed = dict.fromkeys(body)
        tombstone = slack_object("tombstone", ts=message.ts, thread_ts=message.ts)
        change(slack, message, {**removed, **tombstone})
        return
    workspace.remove_message(message)
    if not message.only_for:
        channel = workspace.channel(message.channel)
        events.emit_message_changed(slack, channel, body, None)
        parent = workspace.find(message.channel, message.thread_ts)
        if parent is not None and parent.body.get("subtype") == "tombstone":
            delete(slack, parent)
    notify_page(slack, message)


def notify_page(slack: Slack, message: Message | Thread) -> None:
    """Notify the page that a message or a thread has changed."""
    slack.updates.publish("messages", channel=message.channel, ts=message.ts)


def join(slack: Slack, channel: Channel, user: User) -> None:
    """Add a user to a conversation, with the event and the message, unless they are in it."""
    if user.id in channel.members:
        return
    channel.members.append(user.id)
    events.emit_member(slack, channel, user, "member_joined_channel")
    if channel.kind in ("public", "private"):
        post_system_message(
            slack,
            channel,
            "channel_join",
            user.id,
            f"<@{user.id}> has joined the channel",
        )


def post_system_message(
    slack: Slack, channel: Channel, subtype: str, user: str, text: str
) -> None:
    """Post Slack's own message about what a person did with a conversation."""
    body = {"subtype": subtype, "user": user, "text": text}
    add(slack, channel, _new(slack, channel, body))


def extend_stream(
    slack: Slack,
    message: Message,
    text: str,
    chunks: list[Json],
    last: Sequence[Json] = (),
) -> None:
    """Add pieces to the text and blocks of a streamed message; `last` are blocks at its end."""
    message.stream_chunks.extend(chunks)
    message.body["text"] += text
    blocks: list[Json] = []
    if message.body["text"]:
        blocks.append({"type": "markdown", "text": message.body["text"]})
    for chunk in message.stream_chunks:
        if chunk["type"] == "blocks":
            blocks += chunk["blocks"]
    message.body.pop("blocks", None)
    if blocks or last:
        message.body["blocks"] = [*with_ids(blocks), *last]
    notify_page(slack, message)


def end_stream(
    slack: Slack, message: Message, state: str, session: str = "active"
) -> None:
    """End a live stream in this state, and set the session of its thread."""
    message.stream = state
    set_session(slack, message.channel, message.thread_ts, session)
    notify_page(slack, message)


def expire_stream(slack: Slack, message: Message) -> None:
    """End a live stream that has exceeded Slack's time limit."""
    age = time.time() - float(message.ts)
    if message.stream == "live" and age > slack.settings.stream_seconds:
        end_stream(slack, message, "expired")


def set_session(
    slack: Slack, channel: str, thread_ts: str, status: str, title: str = ""
) -> Thread:
    """Set the status of a thread's agent session; a new one gets the title."""
    thread = slack.workspace.thread(channel, thread_ts)
    if not thread.session:
        thread.session_title = title
    thread.session = status
    thread.session_set = time.time()
    notify_page(slack, thread)
    return thread
