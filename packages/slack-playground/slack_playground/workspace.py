"""The state of the workspace: who is in it, what was said, what is open."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TypeVar

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
    new_identity,
)

_Record = TypeVar("_Record", User, Channel, Message, View, Thread, File)
STATUS_SECONDS = 120.0
PROCESSING_SECONDS = 3_600.0


class NotFoundError(Exception):
    """There is no such user, channel, message or view."""


class Workspace:
    """Everything of one workspace."""

    def __init__(
        self,
        *,
        bot_name: str,
        identity: Identity | None = None,
        like: "Workspace | None" = None,
        kept: Json | None = None,
    ) -> None:
        """Begin with what was `kept`, with the people and channels of `like`, or with the sample.

        Those of `like` have the same ids, as may happen between two workspaces of Slack. `identity`
        is that of a new workspace, by default one with new ids.
        """
        self.users: dict[str, User] = {}
        self.channels: dict[str, Channel] = {}
        self.messages: dict[str, dict[str, Message]] = {}
        self.ephemerals: dict[str, dict[str, Message]] = {}
        self.views: dict[str, View] = {}
        self.homes: dict[str, View] = {}
        self.threads: dict[tuple[str, str], Thread] = {}
        self.files: dict[str, File] = {}
        self._replies: dict[tuple[str, str], list[str]] = {}
        self._last_ts = 0
        self.identity = Identity(**kept["identity"]) if kept else identity or new_identity()
        if kept:
            self._restore(kept)
        elif like is None:
            self._add_sample(bot_name)
        else:
            self._add_copy(bot_name, like)

    def content(self) -> Json:
        """Everything; as JSON it is what `kept` is made of."""
        stored = (*self.messages.values(), *self.ephemerals.values())
        return {
            "identity": self.identity,
            "messages": [message for channel in stored for message in channel.values()],
            **{
                name: list(getattr(self, name).values())
                for name in ("users", "channels", "views", "threads", "files")
            },
        }

    def _restore(self, kept: Json) -> None:
        self.users = {user.id: user for user in _records(User, kept["users"])}
        self.channels = {channel.id: channel for channel in _records(Channel, kept["channels"])}
        self.views = {view.id: view for view in _records(View, kept["views"])}
        self.homes = {v.user: v for v in self.views.values() if v.body["type"] == "home"}
        threads = _records(Thread, kept["threads"])
        self.threads = {(thread.channel, thread.ts): thread for thread in threads}
        self.files = {file.id: file for file in _records(File, kept["files"])}
        for message in _records(Message, kept["messages"]):
            self.add_message(message)

    def _add_app(self, name: str) -> User:
        return self.add_user(
            name,
            user_id=self.identity.bot_user_id,
            is_bot=True,
            bot_id=self.identity.bot_id,
            app_id=self.identity.app_id,
        )

    def _add_copy(self, bot_name: str, like: "Workspace") -> None:
        bots = {like.identity.bot_user_id: self._add_app(bot_name).id}
        for user in like.users.values():
            if user.id not in bots and user.team == like.identity.team_id:
                self.users[user.id] = replace(user, team=self.identity.team_id)
        for channel in like.channels.values():
            members = [bots.get(member, member) for member in channel.members]
            known = [member for member in members if member in self.users]
            self.channels[channel.id] = replace(channel, members=known, shared=False)

    def _add_sample(self, bot_name: str) -> None:
        bot = self._add_app(bot_name)
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

    def add_user(
        self,
        name: str,
        *,
        user_id: str | None = None,
        locale: str = "en-US",
        tz: str = "America/Los_Angeles",
        team: str | None = None,
        is_bot: bool = False,
        bot_id: str = "",
        app_id: str = "",
    ) -> User:
        """Add a person or a bot."""
        user = User(
            id=user_id or new_id("U"),
            name=name,
            team=team or self.identity.team_id,
            locale=locale,
            tz=tz,
            is_bot=is_bot,
            bot_id=bot_id or (new_id("B") if is_bot else ""),
            app_id=app_id or (new_id("A") if is_bot else ""),
            updated=int(time.time()),
        )
        self.users[user.id] = user
        return user

    def add_channel(
        self, name: str, kind: Kind, members: Iterable[str], *, shared: bool = False
    ) -> Channel:
        """Add a conversation."""
        members = list(dict.fromkeys(members))
        channel = Channel(
            id=new_id("D" if kind == "im" else "C"),
            name=name,
            kind=kind,
            created=int(time.time()),
            members=members,
            shared=shared,
            creator=members[0] if members else "",
        )
        self.channels[channel.id] = channel
        return channel

    def open_dm(self, user: str) -> Channel:
        """The direct message between a person and the app, made when it is new."""
        pair = [user, self.identity.bot_user_id]
        for channel in self.channels.values():
            if channel.kind == "im" and sorted(channel.members) == sorted(pair):
                return channel
        return self.add_channel("directmessage", "im", pair)

    def user(self, user_id: str) -> User:
        """A user by id; raises NotFoundError."""
        if user_id not in self.users:
            raise NotFoundError(f"There is no user {user_id!r}.")
        return self.users[user_id]

    def channel(self, channel_id: str) -> Channel:
        """A conversation by id; raises NotFoundError."""
        if channel_id not in self.channels:
            raise NotFoundError(f"There is no channel {channel_id!r}.")
        return self.channels[channel_id]

    def next_ts(self) -> str:
        """A message timestamp, later than every one before: "seconds.microseconds"."""
        self._last_ts = max(int(time.time() * 1_000_000), self._last_ts + 1)
        return f"{self._last_ts // 1_000_000}.{self._last_ts % 1_000_000:06d}"

    def add_message(self, message: Message) -> None:
        """Store a message, ephemeral or not."""
        self._last_ts = max(self._last_ts, int(message.ts.replace(".", "")))
        if message.only_for:
            self.ephemerals.setdefault(message.channel, {})[message.ts] = message
            return
        self.messages.setdefault(message.channel, {})[message.ts] = message
        if message.is_reply:
            self._replies.setdefault((message.channel, message.thread_ts), []).append(message.ts)

    def remove_message(self, message: Message) -> None:
        """Delete a message for good."""
        if message.only_for:
            self.ephemerals[message.channel].pop(message.ts, None)
        else:
            self.messages[message.channel].pop(message.ts, None)
            if message.is_reply:
                self._replies[message.channel, message.thread_ts].remove(message.ts)

    def message(self, channel_id: str, ts: str) -> Message:
        """A message everybody in the conversation sees; raises NotFoundError."""
        message = self.messages.get(channel_id, {}).get(ts)
        if message is None:
            raise NotFoundError(f"There is no message {ts!r} in {channel_id}.")
        return message

    def history(self, channel_id: str) -> list[Message]:
        """All messages of a conversation, replies too, oldest first."""
        return list(self.messages.get(channel_id, {}).values())

    def latest(self, channel_id: str) -> Message | None:
        """The newest message of a conversation that everybody in it sees."""
        stored = self.messages.get(channel_id, {})
        return stored[next(reversed(stored))] if stored else None

    def replies(self, channel_id: str, thread_ts: str) -> list[Message]:
        """The replies of a thread, oldest first, without the parent."""
        stored = self.messages.get(channel_id, {})
        return [stored[ts] for ts in self._replies.get((channel_id, thread_ts), [])]

    def thread(self, channel_id: str, ts: str) -> Thread:
        """The app's settings of a thread, without an expired status line or `processing`."""
        new = Thread(channel=channel_id, ts=ts)
        thread = self.threads.setdefault((channel_id, ts), new)
        if thread.status and time.time() - thread.status_set > STATUS_SECONDS:
            thread.status, thread.loading_messages = "", []
        if thread.session == "processing" and time.time() - thread.session_set > PROCESSING_SECONDS:
            thread.session = "active"
        return thread

    def threads_in(self, channel_id: str) -> Iterator[Thread]:
        """Everything the app set on threads of a conversation."""
        for channel, ts in list(self.threads):
            if channel == channel_id:
                yield self.thread(channel, ts)

    def add_view(self, view: View) -> None:
        """Keep a modal or a Home tab."""
        self.views[view.id] = view
        if view.body["type"] == "home":
            self.homes[view.user] = view

    def open_views(self, user: str) -> list[View]:
        """A person's stack of modals, the one on top last."""
        return [
            view
            for view in self.views.values()
            if view.user == user and view.body["type"] == "modal" and not view.closed
        ]

    def thread_facts(self, message: Message) -> Json:
        """The reply fields Slack adds to the parent of a thread, or {}."""
        replies = self.replies(message.channel, message.ts)
        if not replies:
            return {}
        authors = list(dict.fromkeys(reply.body.get("user", "") for reply in replies))
        return {
            "thread_ts": message.ts,
            "reply_count": len(replies),
            "reply_users_count": len(authors),
            "latest_reply": replies[-1].ts,
            "reply_users": authors[:5],
            "is_locked": False,
            "subscribed": False,
        }


def _records(kind: type[_Record], stored: list[Json]) -> list[_Record]:
    """Make records of stored objects, without the fields that a record no longer has."""
    names = kind.__dataclass_fields__
    return [kind(**{name: one[name] for name in names.keys() & one.keys()}) for one in stored]
