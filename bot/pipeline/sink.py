"""What an answer is written to: a stream in Slack, or a text for the caller of POST /ask."""

from __future__ import annotations

from typing import Protocol, TypeAlias

from bot.app import App
from bot.conversation.turns import Turn
from bot.delivery.collected_reply import CollectedReply
from bot.delivery.reply_stream import ReplyStream
from bot.slack.messages import API_TEAM
from bot.types import Task

ReplySink: TypeAlias = ReplyStream | CollectedReply


def open_sink(app: App, turn: Turn) -> ReplySink:
    """Return what the reply of a turn is written to, as a context manager."""
    if turn.message.team_id == API_TEAM:
        return CollectedReply(turn)
    return ReplyStream(app, turn)


class AnswerSink(Protocol):
    """What an answer is written to while the model writes it: a `ReplySink`, or one of a check.

    The methods may raise `bot.conversation.run.Interrupted`, because the answer must end.
    """

    async def write(self, piece: str) -> None:
        """Take a piece of the answer."""

    async def task(self, task: Task) -> None:
        """Show the state of a tool call, or commentary."""

    def start_over(self) -> None:
        """Discard the text so far: it was no answer, or another attempt at the answer begins."""
