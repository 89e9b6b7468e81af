"""An answer that grows while it is read: one streamed message after the other."""

from __future__ import annotations

import logging

from bot.delivery.messages import NoStreamNow, Part, PostedMessages
from bot.delivery.splitting import break_point, closing_fence, open_fence, open_table
from bot.logs import fault
from bot.slack.client import SLACK_FAULTS, error_code
from bot.views.blocks import Block
from bot.views.reply import PART_LIMIT
from bot.views.tasks import Chunk, finished_chunk

log = logging.getLogger(__name__)

_WIDER = 1.5
_WIDEST_SECONDS = 10.0
_MOST_REPEATED = 2_000


class StreamLost(Exception):
    """The answer cannot be streamed on: its whole is to be set some other way."""


class Stream:
    """The words and tasks that are not shown yet, and the messages they are shown in.

    `interval` is how many seconds there are to be between two calls, at least `least`; it widens
    while Slack's limits are short, and the words are held.
    """

    def __init__(self, shown: PostedMessages, *, least: float) -> None:
        self._shown = shown
        self._least = least
        self.interval = least
        self.pending = ""
        self._tasks: dict[str, Chunk] = {}
        self._shown_tasks: dict[str, Chunk] = {}

    @property
    def waits(self) -> bool:
        """Whether there is something to show."""
        return bool(self.pending.strip() or self._tasks)

    def task(self, chunk: Chunk) -> None:
        """Show a task, or that it goes on otherwise, with what is shown next."""
        self._tasks[str(chunk["id"])] = chunk

    def complete(self, taken: str, text: str) -> bool:
        """Make pending what `text` has beyond the words `taken` so far; False if it differs.

        White space at the end of `taken` is not compared, and is dropped where it is not shown yet:
        the text of a whole answer has none there.
        """
        if not text.startswith(taken):
            taken = taken.rstrip()
            if not text.startswith(taken):
                return False
            self.pending = self.pending.rstrip()
        self.pending += text[len(taken) :]
        return True

    def start_over(self) -> None:
        """Drop what is not shown yet."""
        self.pending = ""
        self._tasks.clear()

    async def show(self) -> None:
        """Show what is pending, or hold it for now. Raises `StreamLost`."""
        try:
            await self._flush()
        except (*SLACK_FAULTS, NoStreamNow) as error:
            raise _lost(error) from error

    async def end(self, below: list[Block]) -> None:
        """Show all that is pending, and end the answer and its tasks. Raises `StreamLost`."""
        for chunk in [*(self._shown_tasks | self._tasks).values()]:
            if chunk["status"] == "in_progress":
                self.task(finished_chunk(chunk, "complete"))
        try:
            if not await self._flush(last=below):
                raise StreamLost
        except (*SLACK_FAULTS, NoStreamNow) as error:
            raise _lost(error) from error

    async def _flush(self, *, last: list[Block] | None = None) -> bool:
        """Call Slack until nothing is pending; False where words have to wait."""
        while self.pending or self._tasks or last is not None:
            part = self._shown.live
            if part is None:
                if not ((self.pending or self._tasks) and await self._open()):
                    return False
            elif part.is_full and self.pending:
                await self._close(part, "")
            else:
                text = self._cut(part.room)
                if self.pending:
                    await self._close(part, text)
                elif last is not None:
                    await self._shown.stop(part, text, last, [*self._tasks.values()])
                    self._noted()
                    return True
                elif not await self._append(part, text):
                    return False
        return True

    async def _open(self) -> bool:
        text = self._cut(PART_LIMIT)
        opened = await self._shown.start(text, [*self._tasks.values()])
        if opened is None:
            self.pending = text + self.pending
        else:
            self._noted()
        return opened is not None

    def _noted(self) -> None:
        self._shown_tasks |= self._tasks
        self._tasks.clear()

    async def _append(self, part: Part, text: str) -> bool:
        if await self._shown.append(part, text, [*self._tasks.values()]):
            self._noted()
            self.interval = max(self._least, self.interval / _WIDER)
            return True
        self.pending = text + self.pending
        self.interval = min(self.interval * _WIDER, _WIDEST_SECONDS)
        return False

    async def _close(self, part: Part, text: str) -> None:
        # A code block that a full part leaves open is closed in it, and goes on in the next one, as
        # a table does with its head.
        if fence := open_fence(part.text + text):
            text += f"\n{closing_fence(fence)}"
            self.pending = f"{fence}\n{self.pending}"
        elif (head := open_table(part.text + text, self.pending)) and len(head) < _MOST_REPEATED:
            self.pending = f"{head}\n{self.pending}"
        await self._shown.stop(part, text, last=False)

    def _cut(self, room: int) -> str:
        at = break_point(self.pending, room)
        text, self.pending = self.pending[:at], self.pending[at:]
        return text


def _lost(error: BaseException) -> StreamLost:
    if not isinstance(error, NoStreamNow):
        log.info("streaming was given up: %s", error_code(error) or fault(error))
    return StreamLost()
