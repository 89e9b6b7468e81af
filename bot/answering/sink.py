"""What an answer is written to: a stream in Slack, or a text for the caller of POST /ask."""

from __future__ import annotations

from typing import TypeAlias

from bot.app import App
from bot.conversation.turns import Turn
from bot.delivery.collected_reply import CollectedReply
from bot.delivery.reply_stream import ReplyStream
from bot.slack.messages import API_TEAM

ReplySink: TypeAlias = ReplyStream | CollectedReply


def open_sink(app: App, turn: Turn) -> ReplySink:
    """Return what the reply of a turn is written to, as a context manager."""
    if turn.message.team_id == API_TEAM:
        return CollectedReply(turn.message.text)
    return ReplyStream(app, turn)
