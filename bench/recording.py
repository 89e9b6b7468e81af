"""Records which functions of `bot` and `memory` a process calls, and its SQL statements.

A statement is one message to PostgreSQL: a query, or the BEGIN or COMMIT around several.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import CodeType, FrameType
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus

from bench.testbed import ROOT

_OURS = tuple(f"{ROOT / package}{os.sep}" for package in ("bot", "memory"))
# Coroutines of the app and of procrastinate that run at intervals rather than for a message.
_BY_THE_CLOCK = frozenset(
    {
        "_beat_until_ended",
        "_periodic_deferrer",
        "_poll_jobs_to_abort",
        "recover",
        "mark",
        "listen_notify",
    }
)
# A check by the tests, and a statement that shares a message with the next one.
_NOT_COUNTED = ("SELECT current_user = session_user", "SELECT set_config(name,")


@dataclass(frozen=True, slots=True)
class Statement:
    """One message to PostgreSQL, its connection, and the function of the app that sent it."""

    text: str
    connection: int
    caller: str


@dataclass(slots=True)
class Trace:
    """Statements, and functions as (file, name), that ran between two moments, in order."""

    statements: list[Statement] = field(default_factory=list)
    calls: list[tuple[str, str]] = field(default_factory=list)

    @property
    def files(self) -> dict[str, list[str]]:
        """The functions of each file, both in the order in which they were first called."""
        found: dict[str, list[str]] = {}
        for file, name in self.calls:
            names = found.setdefault(file, [])
            if name not in names:
                names.append(name)
        return found


@contextmanager
def traced(
    *, calls: bool = True, carried_out: Callable[[Statement], object] = lambda _: None
) -> Iterator[Callable[[], Trace]]:
    """Record what this process does.

    The yielded function returns the trace so far and begins a new one. `carried_out` is called
    after each statement; without `calls` no functions are recorded.
    """
    recorder = _Recorder()
    cursor: Any = psycopg.AsyncCursor
    connection: Any = psycopg.AsyncConnection
    execute = cursor.execute
    commit = connection.commit
    rollback = connection.rollback

    async def executed(self: Any, query: Any, *arguments: Any, **options: Any) -> Any:
        statement = recorder.statement(self.connection, query)
        done = await execute(self, query, *arguments, **options)
        if statement is not None:
            carried_out(statement)
        return done

    async def committed(self: Any) -> None:
        is_open = self.pgconn.transaction_status != TransactionStatus.IDLE
        statement = recorder.statement(self, "COMMIT") if is_open else None
        await commit(self)
        if statement is not None:
            carried_out(statement)

    async def rolled_back(self: Any) -> None:
        if self.pgconn.transaction_status != TransactionStatus.IDLE:
            recorder.statement(self, "ROLLBACK")
        await rollback(self)

    cursor.execute = executed
    connection.commit = committed
    connection.rollback = rolled_back
    if calls:
        sys.setprofile(recorder.called)
    try:
        yield recorder.take
    finally:
        sys.setprofile(None)
        cursor.execute = execute
        connection.commit = commit
        connection.rollback = rollback


class _Recorder:
    def __init__(self) -> None:
        self._trace = Trace()
        self._begun: dict[int, FrameType] = {}
        self._names: dict[CodeType, tuple[str, str] | None] = {}

    def take(self) -> Trace:
        taken = self._trace
        self._trace = Trace()
        return taken

    def statement(self, connection: Any, query: Any) -> Statement | None:
        text = query.decode() if isinstance(query, bytes) else str(query)
        frames = list(_frames(sys._getframe(2)))
        if text.startswith(_NOT_COUNTED) or _by_the_clock(frames):
            return None
        plain = " ".join(text.split())
        sent = Statement(plain, id(connection), self._sender(frames))
        self._trace.statements.append(sent)
        return sent

    def _sender(self, frames: Iterable[FrameType]) -> str:
        for frame in frames:
            known = self._known(frame.f_code)
            if known is not None:
                return " ".join(known)
        return ""

    def called(self, frame: FrameType, event: str, _: object) -> None:
        known = self._known(frame.f_code)
        if known is None:
            return
        # A coroutine is entered again after each wait, which is not another call.
        if event == "call" and self._begun.get(id(frame)) is not frame:
            self._begun[id(frame)] = frame
            if not _by_the_clock(_frames(frame)):
                self._trace.calls.append(known)

    def _known(self, code: CodeType) -> tuple[str, str] | None:
        if code not in self._names:
            known: tuple[str, str] | None = None
            is_function = not code.co_name.startswith("<")
            if is_function and code.co_filename.startswith(_OURS):
                file = os.path.relpath(code.co_filename, ROOT)
                known = (file, code.co_qualname)
            self._names[code] = known
        return self._names[code]


def _by_the_clock(frames: Iterable[FrameType]) -> bool:
    return any(one.f_code.co_name in _BY_THE_CLOCK for one in frames)


def _frames(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back
