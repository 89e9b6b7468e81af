"""Messages coming to be, changing and going, with the events each step sends."""

import copy
import re
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from slack_playground.events import Events
from slack_playground.message_objects import card, profile, tombstone, write_stream
from slack_playground.records import Channel, Json, Message, Thread, User
from slack_playground.typed_text import TypedText
from slack_playground.updates import Updates
from slack_playground.workspace import Workspace

_CHANNEL_NAME = re.compile(r"(?<!\S)#([\w-]+)")


@dataclass(kw_only=True)
class Posting:
    """Writes messages into the workspace, tells the app and the page."""

    workspace: Workspace
    events: Events
    updates: Updates

    def typed(
        self,
        user: User,
        channel: Channel,
        text: str,
        *,
        thread_ts: str | None = None,
        blocks: list[Json] | None = None,
        attachments: list[Json] | None = None,
        files: list[Json] | None = None,
        client_msg_id: str | None = None,
    ) -> Message:
        """Post a typed message; `text` is raw, as from the keyboard."""
        typed = TypedText(text, self.workspace.users.values(), self.workspace.channels.values())
        ts = self.workspace.next_ts()
        body: Json = {
            "type": "message",
            "user": user.id,
            "ts": ts,
            "client_msg_id": client_msg_id or str(uuid.uuid4()),
            "text": typed.text,
            "team": user.team,
            "blocks": typed.blocks if blocks is None else blocks,
        }
        if user.is_bot:
            body |= {"bot_id": user.bot_id, "app_id": user.app_id, "bot_profile": profile(user)}
            del body["client_msg_id"]
        if not body["blocks"]:
            del body["blocks"]
        if channel.shared and user.team != self.workspace.identity.team_id:
            body |= {"user_team": user.team, "source_team": user.team, "user_profile": card(user)}
        if attachments:
            body["attachments"] = attachments
        if files:
            body |= {"subtype": "file_share", "files": files, "upload": False}
            body["display_as_bot"] = False
        self._in_thread(body, channel, thread_ts)
        message = Message(channel=channel.id, ts=ts, body=body)
        self.add(channel, message)
        bot = self.workspace.identity.bot_user_id
        if bot in typed.mentions and channel.kind != "im" and user.id != bot:
            self.events.app_mention(channel, copy.deepcopy(body))
        return message

    def escaped(self, typed: str) -> str:
        """Return a typed text escaped as for a command with should_escape."""
        users, channels = self.workspace.users.values(), self.workspace.channels.values()
        named = {channel.name: channel.id for channel in channels if channel.kind == "public"}
        linked = _CHANNEL_NAME.sub(
            lambda found: f"<#{named[found[1]]}>" if found[1] in named else found[0], typed
        )
        return TypedText(linked, users, channels).text

    def by_app(
        self, channel: Channel, content: Json, *, thread_ts: str | None, metadata: Json | None
    ) -> Message:
        """A message the app posts; `content` has text, blocks, attachments."""
        ts = self.workspace.next_ts()
        body = {**self._as_app(ts), **content}
        self._in_thread(body, channel, thread_ts)
        message = Message(channel=channel.id, ts=ts, body=body, metadata=metadata)
        self.add(channel, message)
        return message

    def ephemeral(
        self, channel: Channel, user: str, content: Json, *, thread_ts: str | None
    ) -> Message:
        """A message of the app that only one person sees; no event tells of it.

        In a thread without replies nobody sees it.
        """
        ts = self.workspace.next_ts()
        unseen = bool(thread_ts) and not self.workspace.replies(channel.id, str(thread_ts))
        body = {**self._as_app(ts), **content, "is_ephemeral": True}
        self._in_thread(body, channel, thread_ts)
        message = Message(channel=channel.id, ts=ts, body=body, only_for=user, unseen=unseen)
        self.workspace.add_message(message)
        self._published(message)
        return message

    def _as_app(self, ts: str) -> Json:
        identity = self.workspace.identity
        return {
            "type": "message",
            "user": identity.bot_user_id,
            "ts": ts,
            "bot_id": identity.bot_id,
            "app_id": identity.app_id,
            "text": "",
            "team": identity.team_id,
            "bot_profile": profile(self.workspace.user(identity.bot_user_id)),
        }

    def _in_thread(self, body: Json, channel: Channel, thread_ts: str | None) -> None:
        if thread_ts:
            body["thread_ts"] = thread_ts
            parent = self.workspace.messages.get(channel.id, {}).get(thread_ts)
            if parent is not None:
                body["parent_user_id"] = parent.body.get("user", "")

    def add(self, channel: Channel, message: Message) -> None:
        """Store a message and send its event; a reply of the app clears the status line."""
        self.workspace.add_message(message)
        extra = {} if message.metadata is None else {"metadata": message.metadata}
        self.events.message(channel, copy.deepcopy(message.body), **extra)
        thread = self.workspace.threads.get((channel.id, message.thread_ts))
        own = message.body.get("user") == self.workspace.identity.bot_user_id
        if thread is not None and thread.status and own:
            thread.status, thread.loading_messages = "", []
        if own and message.stream != "live":
            self._worked(message)
        self._published(message)

    def _worked(self, message: Message) -> None:
        thread = self.workspace.threads.get((message.channel, message.thread_ts))
        if thread is not None:
            thread.worked = time.time()

    def change(self, message: Message, changes: Json, *, editor: str | None = None) -> None:
        """Change a message's object; with `editor` it is marked as edited. None removes a field."""
        before = copy.deepcopy(message.body)
        message.body.update(changes)
        for key in [key for key, value in changes.items() if value is None]:
            del message.body[key]
        if editor:
            message.body["edited"] = {"user": editor, "ts": f"{int(time.time())}.000000"}
        if not message.only_for:
            channel = self.workspace.channel(message.channel)
            facts = self.workspace.thread_facts(message)
            self.events.message_changed(
                channel, {**copy.deepcopy(message.body), **facts}, {**before, **facts}
            )
        if message.body.get("user") == self.workspace.identity.bot_user_id:
            self._worked(message)
        self._published(message)

    def edit(self, message: Message, typed_text: str) -> None:
        """Change what a person typed."""
        workspace = self.workspace
        typed = TypedText(typed_text, workspace.users.values(), workspace.channels.values())
        changes: dict[str, Any] = {"text": typed.text, "blocks": typed.blocks or None}
        if not typed.blocks and "blocks" not in message.body:
            del changes["blocks"]
        self.change(message, changes, editor=str(message.body["user"]))

    def open_stream(self, channel: Channel, message: Message, *, thread_ts: str) -> None:
        """Begin a streamed message, a reply of the app."""
        message.body = self._as_app(message.ts)
        self._in_thread(message.body, channel, thread_ts)
        write_stream(message, [])
        message.stream_opened = copy.deepcopy(message.body) if message.stream_for else {}
        self.add(channel, message)
        root = self.workspace.messages.get(channel.id, {}).get(thread_ts)
        author = "" if root is None else str(root.body.get("user", ""))
        self.set_session(channel, thread_ts, "processing", initiator=author)

    def extend_stream(self, message: Message, text: str, chunks: list[Json]) -> None:
        """Add to a live stream; no event tells of it."""
        message.stream_text += text
        message.stream_chunks.extend(chunks)
        write_stream(message, [])
        self._published(message)

    def close_stream(
        self,
        message: Message,
        text: str,
        chunks: list[Json],
        blocks: list[Json],
        *,
        session: str,
    ) -> None:
        """End a stream with its last pieces and the blocks below it; set its thread's session."""
        before = copy.deepcopy(message.body)
        message.stream = "stopped"
        message.stream_text += text
        message.stream_chunks.extend(chunks)
        write_stream(message, blocks)
        channel = self.workspace.channel(message.channel)
        self.events.message_changed(channel, copy.deepcopy(message.body), before)
        self.set_session(channel, message.thread_ts, session)
        self._worked(message)
        self._published(message)

    def settle(self, message: Message, stream_seconds: float) -> None:
        """End a live stream that is older than Slack lets it be."""
        if message.stream == "live" and time.time() - message.stream_started > stream_seconds:
            message.stream = "expired"
            self.set_session(self.workspace.channel(message.channel), message.thread_ts, "active")
            self._published(message)

    def stop_stream(self, message: Message) -> None:
        """End a live stream because a person pressed Stop."""
        message.stream = "stopped_by_user"
        self._published(message)

    def set_session(
        self, channel: Channel, thread_ts: str, status: str, *, title: str = "", initiator: str = ""
    ) -> Thread:
        """Set the status of a thread's agent session; a new one gets the title and initiator."""
        thread = self.workspace.thread(channel.id, thread_ts)
        if not thread.session:
            thread.session_title, thread.session_initiator = title, initiator
        thread.session, thread.session_set = status, time.time()
        self.set_thread(thread)
        return thread

    def set_thread(self, thread: Thread) -> None:
        """Save a changed thread and tell the page."""
        self.updates.publish({"changed": "messages", "channel": thread.channel, "ts": thread.ts})

    def delete(self, message: Message) -> None:
        """Delete a message; a parent with replies becomes a tombstone, as in Slack."""
        workspace, body = self.workspace, message.body
        if not message.only_for and workspace.replies(message.channel, message.ts):
            self.change(message, {**dict.fromkeys(body), **tombstone(message.ts)})
            return
        workspace.remove_message(message)
        if not message.only_for:
            self.events.message_deleted(workspace.channel(message.channel), body)
            parent = workspace.messages[message.channel].get(message.thread_ts)
            if parent is not None and parent.body.get("subtype") == "tombstone":
                self.delete(parent)
        self._published(message)

    def _published(self, message: Message) -> None:
        self.updates.publish({"changed": "messages", "channel": message.channel, "ts": message.ts})

    def join(self, channel: Channel, users: Sequence[User]) -> None:
        """Add people to a conversation, with the join message and event for each."""
        for user in users:
            channel.members.append(user.id)
            self.events.member(channel, user, "member_joined_channel")
            if channel.kind in ("public", "private"):
                text = f"<@{user.id}> has joined the channel"
                self.system(channel, "channel_join", user.id, text)

    def system(self, channel: Channel, subtype: str, user: str, text: str) -> None:
        """Post Slack's own message about what a person did with a conversation."""
        ts = self.workspace.next_ts()
        body = {"type": "message", "subtype": subtype, "user": user, "text": text, "ts": ts}
        self.add(channel, Message(channel=channel.id, ts=ts, body=body))
