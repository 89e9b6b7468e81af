"""One Web API call in progress: its arguments, and what a handler may ask about it."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from slack_playground import posting
from slack_playground.block_kit import check
from slack_playground.records import SCOPE_PREFIXES, Channel, Json, Message, User
from slack_playground.rich_text import as_read
from slack_playground.slack import Slack
from slack_playground.web_api.methods import Method, SlackError
from slack_playground.workspace import Workspace

Handler = Callable[["Call"], Json]
HANDLERS: dict[str, Handler] = {}
"""The function that carries out each method."""


def serves(*methods: str) -> Callable[[Handler], Handler]:
    """Register a function as the handler of some methods."""

    def register(handler: Handler) -> Handler:
        HANDLERS.update(dict.fromkeys(methods, handler))
        return handler

    return register


def need_scope(slack: Slack, scope: str) -> None:
    """Raise SlackError("missing_scope") unless this scope was granted."""
    granted = slack.installation.granted
    if scope not in granted:
        raise SlackError(
            "missing_scope", needed=scope, provided=",".join(sorted(granted))
        )


@dataclass(kw_only=True)
class Call:
    """A checked call: every argument is known, present if required, and of its type.

    `path` is the path of a response URL.
    """

    slack: Slack
    path: str
    method: Method
    args: Json

    @property
    def workspace(self) -> Workspace:
        """The people, conversations and messages of the workspace."""
        return self.slack.workspace

    @property
    def bot(self) -> User:
        """The app's bot user."""
        return self.workspace.bot

    def text(self, name: str, default: str = "") -> str:
        """A string argument."""
        return str(self.args.get(name, default))

    def check(self, name: str, spec: str, error: str = "invalid_arguments") -> None:
        """Refuse an argument that is given but does not fit `spec`, in Block Kit's notation."""
        if name not in self.args:
            return
        errors = list(check(spec, self.args[name], f"/{name}"))
        if errors:
            raise SlackError(error, *errors)

    def channel(
        self, name: str = "channel", *, scope: str = "", member: bool = True
    ) -> Channel:
        """The conversation that an argument names.

        `scope` is "read" or "history": the call needs that scope for the kind of conversation. With
        `member`, the app must be in it. A private conversation without the app does not exist.
        """
        channel = self.workspace.channel(self.text(name))
        inside = self.bot.id in channel.members
        if channel.is_private and not inside:
            raise SlackError("channel_not_found")
        if scope:
            prefix = SCOPE_PREFIXES[channel.kind]
            need_scope(self.slack, f"{prefix}:{scope}")
        if member and not inside:
            raise SlackError("not_in_channel")
        return channel

    def open_channel(self, name: str = "channel") -> Channel:
        """The conversation to write to; not an archived one, or a DM without a Messages tab."""
        channel = self.channel(name)
        if channel.archived:
            raise SlackError("is_archived")
        if channel.kind == "im" and not self.slack.manifest.messages_tab:
            raise SlackError("messages_tab_disabled")
        return channel

    def own_message(self, channel: Channel, error: str) -> Message:
        """The app's message that `ts` names; `error` is raised for anybody else's message."""
        message = self.workspace.message(channel.id, self.text("ts"))
        if message.body.get("user") != self.bot.id:
            raise SlackError(error)
        posting.expire_stream(self.slack, message)
        return message

    def thread(
        self, channel: Channel, *, missing: str = "thread_not_found"
    ) -> str | None:
        """The thread_ts argument, or None; it must name a message without a parent.

        `missing` is the error if the channel has no message with that timestamp.
        """
        if "thread_ts" not in self.args:
            return None
        thread_ts = self.text("thread_ts")
        if not re.fullmatch(r"\d+\.\d+", thread_ts, re.ASCII):
            raise SlackError("invalid_thread_ts")
        message = self.workspace.find(channel.id, thread_ts)
        if message is None and not self.workspace.replies(channel.id, thread_ts):
            raise SlackError(missing)
        if message is not None and message.is_reply:
            if missing == "invalid_thread_ts":
                raise SlackError(missing)
            raise SlackError("cannot_reply_to_message")
        return thread_ts

    def shown(self, message: Message, *, metadata: bool = True) -> Json:
        """A message object as Slack returns it."""
        facts = self.workspace.thread_facts(message)
        body = {**as_read(message.body), **facts}
        if message.metadata is not None and metadata:
            body["metadata"] = message.metadata
        return body

    def page(
        self, items: list[Any], *, default: int, most: int = 1000
    ) -> tuple[list[Any], Json]:
        """The slice of `items` that limit and cursor select, and its response_metadata."""
        limit = int(self.args.get("limit", default))
        if not 0 < limit <= most:
            is_known = "invalid_limit" in self.method.errors
            error = "invalid_limit" if is_known else "invalid_arguments"
            raise SlackError(error, "invalid limit")
        start = 0
        if self.args.get("cursor"):
            cursor = re.fullmatch(r"c(\d+)", self.text("cursor"), re.ASCII)
            if cursor is None:
                raise SlackError("invalid_cursor")
            start = int(cursor[1])
        end = start + limit
        following = ""
        if end < len(items):
            following = f"c{end}"
        return items[start:end], {"next_cursor": following}
