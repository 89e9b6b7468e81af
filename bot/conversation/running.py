"""The threads whose messages this process answers, and what the processes tell each other of them.

`messages.worker` names the process that answers a message. Each process is a row of
`procrastinate_workers`. Every two seconds it runs `beat` of bot/schema.sql: that records that it
lives, gives back what a process that died was answering, and says whether a message waits.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from contextvars import Context, copy_context
from typing import Any

from bot.cancellation import cancel_until_done
from bot.logs import fault
from memory import Pool
from memory.postgres import execute_statement

log = logging.getLogger(__name__)

PERSON_AT_ONCE = 4
"""Messages of one person that are answered at a time, in all processes together."""
MAX_CRASHES = 5
"""Crashes of a process with this message in progress after which it is given up."""
STALLED_SECONDS = 6.0
"""Seconds without a beat after which `beat` takes a process for dead."""
_BEAT_SECONDS = 2.0
_HAND_BACK_SECONDS = 3.0


class RunningThreads:
    """The threads that this process answers: begun where a message is stored, or found waiting.

    Until `start` it answers none, and `place` yields no number.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._process: int | None = None
        self._at_once = 0
        self._patience = 0.0
        self._answer: Callable[[str], Coroutine[Any, Any, None]] | None = None
        self._context = Context()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        # Threads for which a message is being stored: `beat` must not give them back.
        self._storing: list[str] = []
        self._stopping = False
        # `look` was called since the last beat: messages are looked for when a thread ends.
        self._waits = False
        self._look = asyncio.Event()
        self._loops: list[asyncio.Task[None]] = []

    async def start(
        self,
        answer: Callable[[str], Coroutine[Any, Any, None]],
        *,
        at_once: int,
        patience: float = 25.0,
    ) -> None:
        """Answer at most `at_once` threads at a time by `answer`, beginning with those that wait.

        When this is stopped, the running ones get `patience` seconds to end.
        """
        statement = "INSERT INTO procrastinate_workers DEFAULT VALUES RETURNING id"
        [row] = await execute_statement(self._pool, statement)
        self._process, self._answer = row["id"], answer
        self._at_once, self._patience = at_once, patience
        # Not that of the request which stores a message, and whose limits would be its turn's.
        self._context = copy_context()
        self._look.set()
        self._loops = [
            asyncio.create_task(self._beat(), name="beat"),
            asyncio.create_task(self._begin_waiting(), name="waiting messages"),
        ]

    def begin_to_stop(self) -> None:
        """Begin no more threads."""
        self._stopping = True

    async def stop(self) -> None:
        """Begin no more threads; let running ones end, and give back what does not end in time.

        Where PostgreSQL is unavailable nothing can be given back: another process notices.
        """
        self.begin_to_stop()
        if self._process is None:
            return
        beat, waiting = self._loops
        await cancel_until_done(waiting)
        if self._tasks:
            await asyncio.wait(self._tasks.values(), timeout=self._patience)
        for task in self._tasks.values():
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks.values(), timeout=_HAND_BACK_SECONDS)
        # Until now: without beats another process would take what still runs.
        await cancel_until_done(beat)
        process, self._process = self._process, None
        try:
            await self._send_beat(process, None, trusted=False)
            statement = "DELETE FROM procrastinate_workers WHERE id = %s"
            await execute_statement(self._pool, statement, (process,), wait=_HAND_BACK_SECONDS)
        except Exception as error:  # noqa: BLE001 - the database may be unavailable
            log.warning("messages in progress could not be given back: %s", fault(error))

    @contextmanager
    def place(self, thread: str) -> Iterator[int | None]:
        """Keep a place for `thread`; yields this process's number, None if it has none for it.

        The caller stores that number in `messages.worker`, and calls `run` within this context.
        """
        self._storing.append(thread)
        used = len(self._tasks) + len(self._storing)
        free = used <= self._at_once and thread not in self._tasks and not self._stopping
        try:
            yield self._process if free else None
        finally:
            self._storing.remove(thread)

    @property
    def process(self) -> int | None:
        """The number of this process; None where it answers no threads."""
        return self._process

    def run(self, thread: str) -> bool:
        """Answer the messages of `thread`, of which one is stored as answered by this process.

        Returns False, and does nothing, while it answers the thread already: `beat` gives back what
        that does not answer.
        """
        if self._answer is None or thread in self._tasks:
            return False
        context = self._context.copy()
        task = asyncio.create_task(self._answer(thread), context=context)
        self._tasks[thread] = task
        task.add_done_callback(lambda _: self._ended(thread))
        return True

    def _ended(self, thread: str) -> None:
        task = self._tasks.pop(thread)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a thread could not be answered: %s", fault(error))
        if self._waits:
            self._look.set()

    def look(self, delay: float = 0.0) -> None:
        """Begin messages that wait, in `delay` seconds and as soon as they may begin then."""
        if delay:
            asyncio.get_running_loop().call_later(delay, self.look)
        else:
            self._waits = True
            self._look.set()

    async def _begin_waiting(self) -> None:
        while True:
            await self._look.wait()
            self._look.clear()
            try:
                await self._fill()
            except Exception as error:  # noqa: BLE001 - the database may be unavailable
                log.warning("waiting messages could not be begun: %s", fault(error))

    async def _fill(self) -> None:
        """Begin the messages that wait longest, until none may begin or this process is full."""
        while not self._stopping and len(self._tasks) + len(self._storing) < self._at_once:
            statement = "SELECT * FROM claim_thread(%s, %s)"
            values = (self._process, PERSON_AT_ONCE)
            rows = await execute_statement(self._pool, statement, values)
            if not rows:
                return
            self.run(rows[0]["thread"])

    async def _beat(self) -> None:
        loop = asyncio.get_running_loop()
        seen, trusted = loop.time(), 0.0
        while self._process is not None:
            try:
                running = [*self._tasks, *self._storing]
                # While PostgreSQL was unavailable no process could beat: they get time for it.
                if loop.time() - seen > STALLED_SECONDS:
                    trusted = loop.time() + STALLED_SECONDS
                may_free = loop.time() >= trusted
                self._waits = False
                if await self._send_beat(self._process, running, trusted=may_free):
                    self.look()
                seen = loop.time()
            except Exception as error:  # noqa: BLE001 - the database may be unavailable
                log.warning("the processes could not be looked after: %s", fault(error))
            await asyncio.sleep(_BEAT_SECONDS)

    async def _send_beat(self, process: int, running: list[str] | None, *, trusted: bool) -> bool:
        statement = "SELECT beat(%s, %s, %s, %s) AS waits"
        values = (process, running, trusted, STALLED_SECONDS)
        [row] = await execute_statement(self._pool, statement, values, wait=_HAND_BACK_SECONDS)
        return bool(row["waits"])
