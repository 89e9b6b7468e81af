"""The interface by which a turn writes its answer: to Slack, or to the caller of POST /ask."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, Self, TypeAlias

from bot.conversation.turns import Turn
from bot.locale import Reader
from bot.types import Task
from bot.ui.messages import PayloadMaker


class AnswerSink(Protocol):
    """What an answer is written to while the model gives it: a stream in Slack, or a buffer.

    Each method may raise `bot.conversation.inbox.Interrupted`: the answer must end.
    """

    async def check(self) -> None:
        """Do nothing but raise `Interrupted` if the answer must end."""

    async def write(self, piece: str) -> None:
        """Take a piece of the answer."""

    async def task(self, task: Task) -> None:
        """Show the state of a tool call, or commentary."""

    def start_over(self) -> None:
        """Discard the text so far: it was no answer, or another attempt at the answer begins."""


class ReplySink(AnswerSink, Protocol):
    """The destination of an answer: `bot.delivery.reply_stream` or `bot.runtime.ask`."""

    interactive: bool
    """Whether the person can be shown lists and buttons there, and be answered later."""

    async def __aenter__(self) -> Self: ...
    async def __aexit__(self, *_: object) -> None: ...

    @property
    def received_text(self) -> str:
        """The text of the answer so far."""

    async def reader(self) -> Reader:
        """Return who reads the reply."""

    async def finish(
        self,
        text: str,
        *,
        is_shaped: bool = False,
        can_be_rated: bool = False,
        says_off: bool = True,
    ) -> None:
        """Deliver the whole answer; `is_shaped`: words of memories are in it.

        `says_off`: where memory was off for the message, a line below the answer says so.
        """

    async def tell(self, make_payload: PayloadMaker) -> str:
        """Deliver a message of the app's own as the whole answer; return its text."""

    async def stop(self) -> str:
        """End the answer where it is, because the person pressed Stop.

        Return the text of it that the person sees.
        """

    async def show(self, makers: Sequence[PayloadMaker]) -> None:
        """Send the messages that these functions return to the person only."""


OpenReplySink: TypeAlias = Callable[[Turn], ReplySink]
