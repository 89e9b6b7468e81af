"""The state of a workspace: people, messages, and open views."""

import re
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from slack_playground.records import (
    Channel,
    File,
    Identity,
    Json,
    Kind,
    Message,
    Thread,
    User,
    View,
    new_id,
)

PROCESSING_SECONDS = 3_600.0


class NotFoundError(Exception):
    """There is no such user, channel or message; `error` is Slack's error name."""

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(f"There is no {kind} {name!r}.")
        self.error = f"{kind}_not_found"


@dataclass(kw_only=True)
class Workspace:
    """Everything in one workspace that is kept across a restart.

    `messages` and `threads` are by channel and ts, the rest by id; `messages` includes ephemeral
    messages.
    """

    identity: Identity = field(default_factory=Identity)
    users: dict[str, User] = field(default_factory=dict)
    channels: dict[str, Channel] = field(default_factory=dict)
    messages: dict[str, dict[str, Message]] = field(default_factory=dict)
    threads: dict[str, dict[str, Thread]] = field(default_factory=dict)
    views: dict[str, View] = field(default_factory=dict)
    files: dict[str, File] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Index the messages."""
        self._replies: dict[tuple[str, str], list[str]] = {}
        self._last_ts = 0
        for stored in self.messages.values():
            for message in stored.values():
                self.add_message(message)

    def add_sample(self, bot_name: str) -> None:
        """Add the app, three people and their conversations."""
        own = self.identity
        bot = self.add_user(
            bot_name,
            id=own.bot_user_id,
            is_bot=True,
            bot_id=own.bot_id,
            app_id=own.app_id,
        )
        people = [
            self.add_user("Aya", locale="ja-JP", tz="Asia/Tokyo"),
            self.add_user("Ben", locale="en-US", tz="America/New_York"),
            self.add_user("Chika", locale="ja-JP", tz="Asia/Tokyo"),
        ]
        ids = [person.id for person in people]
        self.add_channel("general", "public", [*ids, bot.id])
        self.add_channel("tea-room", "private", [*ids[:2], bot.id])
        self.add_channel("aya-ben-chika", "mpim", [*ids, bot.id])
        for person in people:
            self.open_dm(person.id)

    def add_user(self, name: str, **fields: Any) -> User:
        """Add a person or a bot; `fields` are fields of `User`."""
        fields.setdefault("team", self.identity.team_id)
        if fields.get("is_bot"):
            fields.setdefault("bot_id", new_id("B"))
            fields.setdefault("app_id", new_id("A"))
        user = User(name=name, handle=self._free_handle(name), **fields)
        self.users[user.id] = user
        return user

    def _free_handle(self, name: str) -> str:
        """A handle that nobody has, in the characters that Slack allows."""
        wanted = re.sub(r"[^a-z0-9._-]+", ".", name.lower()).strip(".")[:18] or "user"
        taken = {user.handle for user in self.users.values()}
        handle = wanted
        number = 1
        while handle in taken:
            number += 1
            handle = f"{wanted}{number}"
        return handle

    def add_channel(
        self, name: str, kind: Kind, members: Iterable[str], *, shared: bool = False
    ) -> Channel:
        """Add a conversation, created by the first of its members."""
        inside = list(dict.fromkeys(members))
        prefix = "D" if kind == "im" else "C"
        channel = Channel(
            id=new_id(prefix),
            name=name,
            kind=kind,
            members=inside,
            shared=shared,
            creator=inside[0],
        )
        self.channels[channel.id] = channel
        return channel

    def open_dm(self, user: str) -> Channel:
        """The direct message between a person and the app, created if it does not exist."""
        pair = {user, self.identity.bot_user_id}
        for channel in self.channels.values():
            if channel.kind == "im" and set(channel.members) == pair:
                return channel
        return self.add_channel(
            "directmessage", "im", [user, self.identity.bot_user_id]
        )

    @property
    def bot(self) -> User:
        """The app's bot user."""
        return self.users[self.identity.bot_user_id]

    def user(self, user_id: str) -> User:
        """A user by id; raises NotFoundError."""
        if user_id not in self.users:
            raise NotFoundError("user", user_id)
        return self.users[user_id]

    def channel(self, channel_id: str) -> Channel:
        """A conversation by id; raises NotFoundError."""
        if channel_id not in self.channels:
            raise NotFoundError("channel", channel_id)
        return self.channels[channel_id]

    def channel_of(self, user: str, channel_id: str) -> Channel:
        """A conversation by id, where "dm" is the direct message of a person and the app.

        Raises NotFoundError.
        """
        if channel_id == "dm":
            return self.open_dm(user)
        return self.channel(channel_id)

    def next_ts(self) -> str:
        """A message timestamp, later than every one before: "seconds.microseconds"."""
        now = int(time.time() * 1_000_000)
        self._last_ts = max(now, self._last_ts + 1)
        seconds, microseconds = divmod(self._last_ts, 1_000_000)
        return f"{seconds}.{microseconds:06d}"

    def add_message(self, message: Message) -> None:
        """Store a message, ephemeral or not."""
        microseconds = int(message.ts.replace(".", ""))
        self._last_ts = max(self._last_ts, microseconds)
        self.messages.setdefault(message.channel, {})[message.ts] = message
        if message.is_reply and not message.only_for:
            thread = (message.channel, message.thread_ts)
            self._replies.setdefault(thread, []).append(message.ts)

    def remove_message(self, message: Message) -> None:
        """Delete a message for good."""
        del self.messages[message.channel][message.ts]
        if message.is_reply and not message.only_for:
            thread = (message.channel, message.thread_ts)
            self._replies[thread].remove(message.ts)

    def find(self, channel_id: str, ts: str) -> Message | None:
        """A message that everybody in the conversation sees."""
        message = self.messages.get(channel_id, {}).get(ts)
        if message is None or message.only_for:
            return None
        return message

    def message(self, channel_id: str, ts: str) -> Message:
        """A message that everybody in the conversation sees; raises NotFoundError."""
        message = self.find(channel_id, ts)
        if message is None:
            raise NotFoundError("message", ts)
        return message

    def history(self, channel_id: str, user: str = "") -> list[Message]:
        """All messages of a conversation as `user` sees them, replies too, oldest first."""
        stored = self.messages.get(channel_id, {}).values()
        return [message for message in stored if message.only_for in ("", user)]

    def replies(self, channel_id: str, thread_ts: str) -> list[Message]:
        """The replies of a thread, oldest first, without the parent."""
        stored = self.messages.get(channel_id, {})
        replies = self._replies.get((channel_id, thread_ts), [])
        return [stored[ts] for ts in replies]

    def thread(self, channel_id: str, ts: str) -> Thread:
        """The app's settings of a thread, without an expired `processing`."""
        threads = self.threads.setdefault(channel_id, {})
        thread = threads.setdefault(ts, Thread(channel=channel_id, ts=ts))
        seconds = time.time() - thread.session_set
        if thread.session == "processing" and seconds > PROCESSING_SECONDS:
            thread.session = "active"
        return thread

    def threads_in(self, channel_id: str) -> list[Thread]:
        """Everything the app set on threads of a conversation."""
        stored = self.threads.get(channel_id, {})
        return [self.thread(channel_id, ts) for ts in stored]

    def home(self, user: str) -> View | None:
        """A person's Home tab, None if none was published."""
        homes = self._views(user, "home")
        return homes[0] if homes else None

    def open_views(self, user: str) -> list[View]:
        """A person's stack of modals, the top one last."""
        return self._views(user, "modal")

    def _views(self, user: str, kind: str) -> list[View]:
        mine = [view for view in self.views.values() if view.user == user]
        return [view for view in mine if view.body["type"] == kind]

    def thread_facts(self, message: Message) -> Json:
        """The reply fields Slack adds to the parent of a thread, or {}."""
        replies = self.replies(message.channel, message.ts)
        if not replies:
            return {}
        every_author = [reply.body.get("user", "") for reply in replies]
        authors = list(dict.fromkeys(every_author))
        return {
            "thread_ts": message.ts,
            "reply_count": len(replies),
            "reply_users_count": len(authors),
            "latest_reply": replies[-1].ts,
            "reply_users": authors[:5],
            "is_locked": False,
            "subscribed": False,
        }
