"""An answer on its way into Slack: streamed; else updated; else posted. Whole, and once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any, Self
from uuid import UUID

from bot.conversation.interruptions import Edited, Stopped, Superseded, Withdrawn
from bot.delivery.calls import Calls, Workspace
from bot.delivery.messages import DeliveryFailed, PostedMessages
from bot.delivery.outbox import Outbox
from bot.delivery.sessions import Sessions
from bot.delivery.splitting import split_markdown
from bot.delivery.stream import Stream, StreamLost
from bot.locale import Language
from bot.slack.messages import Message
from bot.slack.text import has_unlinked
from bot.types import MemoryState, Task
from bot.views.blocks import Block
from bot.views.reply import PART_LIMIT, footer
from bot.views.tasks import task_chunk

FLUSH_SECONDS = 1.0
_JUST_NOW_SECONDS = 0.1
# A worker that is silent for six seconds is taken for dead, and its message for another's.
_SURE_SECONDS = 5.0
_AWAY_SECONDS = 60.0

__all__ = ["Delivery", "DeliveryFailed", "Unsure"]


class Unsure(Exception):
    """The database was away too long to say whether this worker may still answer."""


class Delivery:
    """One answer in one thread; leaving it ends whatever of it still runs.

    `language` is the person's, as it becomes known. `check` raises `Interrupted` where
    the answer is not to go on, as all methods then do; it returns False while nobody can know.
    `unchanged`: that was looked up just now.
    """

    def __init__(
        self,
        workspace: Workspace,
        sessions: Sessions,
        message: Message,
        posts: Outbox,
        *,
        language: Coroutine[Any, Any, Language],
        stand_in: bool,
        memory_state: MemoryState | None = None,
        unchanged: bool = False,
        check: Callable[[], Awaitable[bool]],
    ) -> None:
        self._client = workspace.client
        self._message = message
        self._turn_id = posts.turn_id
        self._language = asyncio.create_task(language)
        self._stand_in = stand_in
        self._standing = memory_state
        self._drew_on: UUID | None = None
        self._rates: UUID | None = None
        self._unlinked = False
        self._check = check
        calls = Calls(workspace, message, confirm=self._confirm)
        self._shown = PostedMessages(calls, posts, workspace.bot_user_id)
        self._stream = Stream(self._shown, least=FLUSH_SECONDS)
        self._may_stream = not (posts.times or posts.unknown)
        self._sessions = sessions
        self._session = sessions.begin(
            message, self.language, posts=self._may_stream, again=posts.again
        )
        self._taken = ""
        self._sure_at = time.monotonic()
        self._looked_at = self._sure_at if unchanged else float("-inf")
        self._checked_at = self._shown_at = float("-inf")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: object = None, *_: object) -> None:
        # Nothing of this delivery goes on when it is left, whatever happened.
        if isinstance(kind, type) and issubclass(kind, Superseded):
            self._sessions.leave(self._session)
        else:
            await self._sessions.end(self._session, replied=kind is None)
        replaced = isinstance(kind, type) and issubclass(kind, Edited | Withdrawn)
        await self._shown.leave(replaced=replaced)
        self._language.cancel()
        await asyncio.gather(self._language, return_exceptions=True)

    async def language(self) -> Language:
        """Return the language the person reads."""
        return await asyncio.shield(self._language)

    @property
    def taken(self) -> str:
        """The text of the answer so far, shown or not."""
        return self._taken

    async def check(self) -> None:
        """Raise where the answer is not to go on; that is looked up once a second."""
        now = time.monotonic()
        if now - self._looked_at < _JUST_NOW_SECONDS:
            self._checked_at = self._looked_at
        if now - self._checked_at < FLUSH_SECONDS:
            return
        known = True
        try:
            known = await self._check()
        except Stopped:
            # Slack has ended the stream, and refuses more text for it: `stopped_by_user`.
            self._may_stream = False
            raise
        finally:
            self._checked_at = time.monotonic()
            if known:
                self._sure_at = self._checked_at

    async def write(self, piece: str) -> None:
        """Take a piece of the answer; show what has gathered once a second.

        Raises as `check` does, with the piece taken.
        """
        self._taken += piece
        self._stream.pending += piece
        await self.check()
        await self._show()

    async def task(self, task: Task) -> None:
        """Tell what the model does: at once where that takes long, else with the next words."""
        if not self._may_stream:
            return
        self._stream.task(task_chunk(await self.language(), task))
        if task.takes_long:
            await self._show()

    async def _show(self) -> None:
        waits = time.monotonic() - self._shown_at < self._stream.interval
        if waits or not (self._may_stream and self._stream.waits and self._is_sure):
            return
        await self._session.settle()
        try:
            await self._stream.show()
        except StreamLost:
            self._may_stream = False
        self._session.begun |= bool(self._shown.parts)
        self._shown_at = time.monotonic()

    def expect(self) -> None:
        """Make ready to show an answer: its first piece is about to come."""
        if self._may_stream:
            self._shown.prepare()

    def start_over(self) -> None:
        """Begin the answer again: the shown text will be replaced by the whole."""
        self._may_stream = False
        self._taken = ""
        self._stream.start_over()

    async def finish(self, text: str, *, drew_on: bool = False, rates: bool = False) -> None:
        """Deliver the whole answer; with `drew_on` it can be asked which memories were in view.

        With `rates` it can be rated.

        Raises `DeliveryFailed` when Slack refuses it in every way, what the Slack client raises
        when Slack is away for too long, and `Interrupted`, but not for Stop: its sentence is final.
        """
        self._drew_on = self._turn_id if drew_on else None
        self._rates = self._turn_id if rates else None
        self._unlinked = has_unlinked(text)
        await self._confirm()
        if self._may_stream and self._shown.parts and self._stream.complete(self._taken, text):
            with suppress(StreamLost):
                was_set = self._session.is_set
                await self._stream.end(await self._below())
                self._session.active = was_set
                return
        await self._replace(split_markdown(text, PART_LIMIT))

    @property
    def _is_sure(self) -> bool:
        return time.monotonic() - self._sure_at < _SURE_SECONDS

    async def _confirm(self) -> None:
        """Make sure, before something is put in the thread, that no other worker does."""
        end = time.monotonic() + _AWAY_SECONDS
        while True:
            with suppress(Stopped):
                await self.check()
            if self._is_sure:
                return
            if time.monotonic() > end:
                raise Unsure("The database is away: nobody knows who answers this message.")
            await asyncio.sleep(FLUSH_SECONDS)

    async def _below(self) -> list[Block]:
        return footer(
            await self.language(),
            stand_in=self._stand_in,
            memory_state=self._standing,
            recalled_turn=self._drew_on,
            rated_turn=self._rates,
            links_removed=self._unlinked,
        )

    async def _replace(self, texts: Sequence[str]) -> None:
        """Make the thread show exactly `texts`: update existing messages, post the rest."""
        await self._session.settle()
        await self._shown.look()
        shown = list(self._shown.parts)
        kept = 0
        for index, text in enumerate(texts):
            below = await self._below() if index == len(texts) - 1 else []
            if kept == index < len(shown) and await self._shown.update(shown[index], text, below):
                kept += 1
            else:
                await self._shown.post(text, below)
        for part in shown[kept:]:
            await self._shown.remove(part)
