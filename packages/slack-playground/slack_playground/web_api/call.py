"""One Web API call on its way through: its arguments, and what a handler may ask."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from slack_playground.records import SCOPE_PREFIXES, Channel, Json, Message, User
from slack_playground.slack import Slack
from slack_playground.web_api.methods import Method
from slack_playground.workspace import NotFoundError


class SlackError(Exception):
    """The call is refused with Slack's name of the error."""

    def __init__(self, error: str, *messages: str, **extra: Any) -> None:
        super().__init__(error)
        self.error = error
        self.messages = list(messages)
        self.extra = extra

    def body(self) -> Json:
        """The answer: ok false, the error, and what it says about it."""
        body: Json = {"ok": False, "error": self.error, **self.extra}
        if self.messages:
            body["response_metadata"] = {"messages": [f"[ERROR] {m}" for m in self.messages]}
        if self.error == "invalid_blocks":
            body["errors"] = self.messages
        return body


Handler = Callable[["Call"], Json]
HANDLERS: dict[str, Handler] = {}
"""The function that carries out each method."""


def serves(method: str) -> Callable[[Handler], Handler]:
    """Register a function as that of a method."""

    def register(handler: Handler) -> Handler:
        HANDLERS[method] = handler
        return handler

    return register


def need_scope(slack: Slack, scope: str) -> None:
    """Raise SlackError("missing_scope") unless this scope was granted."""
    if scope not in slack.granted:
        provided = ",".join(sorted(slack.granted))
        raise SlackError("missing_scope", needed=scope, provided=provided)


@dataclass(kw_only=True)
class Call:
    """A checked call: every argument is known, present if required, and of its type.

    `slack` is the workspace that the `token` belongs to.
    """

    slack: Slack
    token: str
    method: Method
    args: dict[str, Any]

    @property
    def bot(self) -> User:
        """The app's bot user."""
        workspace = self.slack.workspace
        return workspace.user(workspace.identity.bot_user_id)

    def text(self, name: str, default: str = "") -> str:
        """A string argument."""
        return str(self.args.get(name, default))

    def channel(self, name: str = "channel", *, scope: str = "", member: bool = True) -> Channel:
        """The conversation an argument names.

        `scope` is "read" or "history": the scope of that kind of conversation is needed. With
        `member` the app must be in it. A private conversation the app is not in does not exist.
        """
        channel = self.slack.workspace.channels.get(self.text(name))
        if channel is None:
            raise SlackError("channel_not_found")
        inside = self.bot.id in channel.members
        if not inside and channel.is_private:
            raise SlackError("channel_not_found")
        if scope:
            need_scope(self.slack, f"{SCOPE_PREFIXES[channel.kind]}:{scope}")
        if member and not inside:
            raise SlackError("not_in_channel")
        return channel

    def message(self, channel: Channel, name: str = "ts") -> Message:
        """The message an argument names."""
        try:
            return self.slack.workspace.message(channel.id, self.text(name))
        except NotFoundError:
            raise SlackError("message_not_found") from None

    def own_message(self, channel: Channel, error: str) -> Message:
        """The message of the app that `ts` names; `error` is that of anybody else's."""
        message = self.message(channel)
        if message.body.get("user") != self.bot.id:
            raise SlackError(error)
        self.slack.posting.settle(message, self.slack.settings.stream_seconds)
        return message

    def thread(self, channel: Channel, *, missing: str) -> str | None:
        """The thread_ts argument: None without one; it must be a message with no parent.

        `missing` is the error for a timestamp that is no message of the channel.
        """
        thread_ts = self.args.get("thread_ts")
        if thread_ts is None:
            return None
        seconds, _, fraction = thread_ts.partition(".")
        if not (seconds.isdigit() and fraction.isdigit()):
            raise SlackError("invalid_thread_ts")
        message = self.slack.workspace.messages.get(channel.id, {}).get(thread_ts)
        if message is None:
            if self.slack.workspace.replies(channel.id, thread_ts):
                return str(thread_ts)
            raise SlackError(missing)
        if message.is_reply:
            raise SlackError(
                missing if missing == "invalid_thread_ts" else "cannot_reply_to_message"
            )
        return str(thread_ts)

    def page(self, items: list[Any], *, default: int, most: int = 1000) -> tuple[list[Any], Json]:
        """The slice of `items` that limit and cursor ask for, and its response_metadata."""
        limit = int(self.args.get("limit", default))
        if not 0 < limit <= most:
            known = "invalid_limit" in self.method.errors
            raise SlackError("invalid_limit" if known else "invalid_arguments", "invalid limit")
        cursor = self.text("cursor") or "c0"
        if not (cursor.startswith("c") and cursor[1:].isdigit()):
            raise SlackError("invalid_cursor")
        start = int(cursor[1:])
        end = start + limit
        following = f"c{end}" if end < len(items) else ""
        return items[start:end], {"next_cursor": following}
