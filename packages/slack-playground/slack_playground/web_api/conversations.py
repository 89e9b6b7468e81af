"""conversations.* and users.conversations."""

import math
from collections.abc import Sequence

from slack_playground.objects import channel_object
from slack_playground.records import SCOPE_PREFIXES, Channel, Json, Message
from slack_playground.web_api.call import Call, need_scope, serves
from slack_playground.web_api.methods import SlackError

_KINDS = {
    "public_channel": "public",
    "private_channel": "private",
    "mpim": "mpim",
    "im": "im",
}
"""The kind of conversation that each of Slack's `types` stands for."""


def _object(call: Call, channel: Channel) -> Json:
    return channel_object(channel, call.workspace.users, call.bot)


@serves("conversations.info")
def _info(call: Call) -> Json:
    channel = call.channel(scope="read", member=False)
    shown = _object(call, channel)
    if channel.kind == "im" and channel.told:
        # A list of direct messages does not contain these.
        shown |= {"is_shared": channel.shared, "is_ext_shared": channel.shared}
    return {"channel": shown}


@serves("users.conversations")
def list_(call: Call) -> Json:
    """users.conversations, of a person or the app."""
    types = call.text("types", "public_channel").split(",")
    kinds: set[str] = set()
    for name in types:
        kind = _KINDS.get(name.strip())
        if kind is None:
            raise SlackError("invalid_types")
        kinds.add(kind)
    for kind in sorted(kinds):
        need_scope(call.slack, f"{SCOPE_PREFIXES[kind]}:read")
    channels = call.workspace.channels.values()
    found = [channel for channel in channels if _is_listed(call, channel, kinds)]
    page, metadata = call.page(found, default=100)
    shown = [_object(call, channel) for channel in page]
    return {"channels": shown, "response_metadata": metadata}


def _is_listed(call: Call, channel: Channel, kinds: set[str]) -> bool:
    """Whether the app may see a conversation, and it is one of those that the call asks for."""
    if channel.kind not in kinds:
        return False
    if channel.is_private and call.bot.id not in channel.members:
        return False
    if channel.archived and call.args.get("exclude_archived"):
        return False
    return call.text("user", call.bot.id) in channel.members


def _between(call: Call, messages: list[Message]) -> list[Message]:
    """The messages between `oldest` and `latest`, as `inclusive` says."""
    oldest = _bound(call, "oldest", 0.0)
    latest = _bound(call, "latest", math.inf)
    with_bounds = bool(call.args.get("inclusive"))
    found: list[Message] = []
    for message in messages:
        ts = float(message.ts)
        is_bound = ts in (oldest, latest)
        if oldest < ts < latest or (is_bound and with_bounds):
            found.append(message)
    return found


def _bound(call: Call, name: str, default: float) -> float:
    try:
        return float(call.args.get(name) or default)
    except ValueError:
        raise SlackError(f"invalid_ts_{name}") from None


def _messages(
    call: Call, found: list[Message], first: Sequence[Message] = (), **limits: int
) -> Json:
    """A page of messages, after those in `first`, which are on every page."""
    page, metadata = call.page(found, **limits)
    with_metadata = bool(call.args.get("include_all_metadata"))
    messages = [*first, *page]
    return {
        "messages": [
            call.shown(message, metadata=with_metadata) for message in messages
        ],
        "has_more": bool(metadata["next_cursor"]),
        "response_metadata": metadata,
    }


@serves("conversations.history")
def history(call: Call) -> Json:
    """conversations.history: top-level messages, newest first."""
    channel = call.channel(scope="history")
    messages = call.workspace.history(channel.id)
    at_the_top = [message for message in messages if not message.is_reply]
    found = _between(call, at_the_top)
    found.reverse()
    page = _messages(call, found, default=100, most=999)
    return {**page, "pin_count": 0}


@serves("conversations.replies")
def replies(call: Call) -> Json:
    """conversations.replies: a thread, its parent first, then oldest first."""
    channel = call.channel(scope="history")
    workspace = call.workspace
    message = workspace.find(channel.id, call.text("ts"))
    thread_ts = call.text("ts") if message is None else message.thread_ts
    answers = workspace.replies(channel.id, thread_ts)
    parent = workspace.find(channel.id, thread_ts)
    if parent is None and not answers:
        raise SlackError("thread_not_found")
    first = [] if parent is None else [parent]
    found = _between(call, answers)
    return _messages(call, found, first, default=1000)
