"""``python -m bench.trace``: the files, functions and SQL statements that a message runs through.

Runs the whole app in this process, beside embedded PostgreSQL, a playground and the stand-in model.
A statement is one message to PostgreSQL: a query, or the BEGIN or COMMIT around several.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus

from bench.ground import Ground, open_ground
from bot.config import load_settings
from bot.runtime.service import Service

ROOT = Path(__file__).resolve().parent.parent
REST_SECONDS = 10.0
_PATIENCE_SECONDS = 60.0
_CALM_SECONDS = 0.5
_OURS = tuple(f"{ROOT / package}{os.sep}" for package in ("bot", "memory"))
# What runs by the clock, for no message: these coroutines of the queue and of its workers, and the
# row of the workspace, which is trusted for ten seconds.
_BY_THE_CLOCK = frozenset(
    {
        *("_sweep", "_update_heartbeat", "_periodic_deferrer", "mark", "keep_up", "listen_notify"),
        "departures",
    }
)
_EACH_MINUTE = frozenset({"_periodic_deferrer", "keep_up"})
_NOT_OURS = "SELECT current_user = session_user"
_SHOWN_CHARACTERS = 110


@dataclass(frozen=True, slots=True)
class Statement:
    """One message to PostgreSQL, on which connection, and the function of ours that sent it."""

    text: str
    connection: int
    caller: str
    by_the_clock: bool
    each_minute: bool = False


@dataclass(slots=True)
class Trace:
    """Statements, and functions as (file, name), that ran between two moments, in order."""

    statements: list[Statement] = field(default_factory=list)
    calls: list[tuple[str, str]] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def own(self) -> list[Statement]:
        """The statements that were sent for a message, not by the clock."""
        return [one for one in self.statements if not one.by_the_clock]

    @property
    def rate(self) -> float:
        """Statements a second, without the job that runs once a minute."""
        return sum(not one.each_minute for one in self.statements) / self.seconds

    @property
    def minutely(self) -> int:
        """Statements of the job that runs once a minute: none if it did not run meanwhile."""
        return sum(one.each_minute for one in self.statements)

    @property
    def transactions(self) -> int:
        """The number of transactions of `own`; a statement outside BEGIN and COMMIT is one."""
        inside, count = set[int](), 0
        for one in self.own:
            if one.text.startswith(("COMMIT", "ROLLBACK")):
                inside.discard(one.connection)
            elif one.connection not in inside:
                count += 1
                if one.text.startswith("BEGIN"):
                    inside.add(one.connection)
        return count

    @property
    def files(self) -> dict[str, list[str]]:
        """The functions of each file, both in the order in which they were first called."""
        found: dict[str, list[str]] = {}
        for file, name in self.calls:
            names = found.setdefault(file, [])
            if name not in names:
                names.append(name)
        return found

    @property
    def switches(self) -> int:
        """The number of calls that are in another file than the call before."""
        return sum(one[0] != two[0] for one, two in zip(self.calls, self.calls[1:], strict=False))


@contextmanager
def traced(*, calls: bool = True) -> Iterator[Callable[[], Trace]]:
    """Record what this process does; the function returns, and ends, the trace so far."""
    recorder = _Recorder()
    cursor: Any = psycopg.AsyncCursor
    connection: Any = psycopg.AsyncConnection
    execute, commit, rollback = cursor.execute, connection.commit, connection.rollback

    async def executed(self: Any, query: Any, *arguments: Any, **options: Any) -> Any:
        recorder.statement(self.connection, query)
        return await execute(self, query, *arguments, **options)

    async def committed(self: Any) -> None:
        if self.pgconn.transaction_status != TransactionStatus.IDLE:
            recorder.statement(self, "COMMIT")
        await commit(self)

    async def rolled_back(self: Any) -> None:
        if self.pgconn.transaction_status != TransactionStatus.IDLE:
            recorder.statement(self, "ROLLBACK")
        await rollback(self)

    cursor.execute, connection.commit, connection.rollback = executed, committed, rolled_back
    if calls:
        sys.setprofile(recorder.called)
    try:
        yield recorder.take
    finally:
        sys.setprofile(None)
        cursor.execute, connection.commit, connection.rollback = execute, commit, rollback


class _Recorder:
    def __init__(self) -> None:
        self._trace, self._began = Trace(), time.monotonic()
        self._begun: dict[int, FrameType] = {}
        self._names: dict[CodeType, tuple[str, str] | None] = {}

    def take(self) -> Trace:
        taken, now = self._trace, time.monotonic()
        taken.seconds = now - self._began
        self._trace, self._began = Trace(), now
        return taken

    def statement(self, connection: Any, query: Any) -> None:
        text = query.decode() if isinstance(query, bytes) else str(query)
        if text.startswith(_NOT_OURS):
            return
        frames = list(_frames(sys._getframe(2)))
        sender = next((known for one in frames if (known := self._known(one.f_code))), ("", ""))
        by_the_clock = any(one.f_code.co_name in _BY_THE_CLOCK for one in frames)
        each_minute = any(one.f_code.co_name in _EACH_MINUTE for one in frames)
        caller = f"{sender[0]} {sender[1]}"
        shown = " ".join(text.split())
        self._trace.statements.append(
            Statement(shown, id(connection), caller, by_the_clock, each_minute)
        )

    def called(self, frame: FrameType, event: str, _: object) -> None:
        known = self._known(frame.f_code)
        if known is None:
            return
        if event == "return":
            return
        # A coroutine is entered again after each wait: that is no further call.
        if event == "call" and self._begun.get(id(frame)) is not frame:
            self._begun[id(frame)] = frame
            if not any(one.f_code.co_name in _BY_THE_CLOCK for one in _frames(frame)):
                self._trace.calls.append(known)

    def _known(self, code: CodeType) -> tuple[str, str] | None:
        if code not in self._names:
            ours = code.co_filename.startswith(_OURS) and not code.co_name.startswith("<")
            file = os.path.relpath(code.co_filename, ROOT) if ours else ""
            self._names[code] = (file, code.co_qualname) if ours else None
        return self._names[code]


def _frames(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


@dataclass(frozen=True, slots=True, kw_only=True)
class Traced:
    """The four cases, in order; a message that teaches includes its formation and its notice."""

    plain: Trace
    plain_formation: Trace
    teaching: Trace
    unrelated: Trace
    rest: Trace


class Cases:
    """Plays the four cases against an app that runs in this process.

    `control` is a POST to the playground's control API, `database` the owner's address.
    """

    def __init__(
        self,
        control: Callable[[str, dict[str, Any]], Any],
        database: str,
        take: Callable[[], Trace],
    ) -> None:
        self._control = control
        self._database = database
        self._take = take

    async def play(self, *, rest_seconds: float = REST_SECONDS) -> Traced:
        """Let somebody write each message, and return what the app did for it."""
        user = (await self._control("users", {"name": "Aoi"}))["id"]
        for known in ("I like sushi", "I am learning Rust", "I live in Osaka"):
            await self._say(user, "dm", known)
        other = (await self._control("users", {"name": "Ren"}))["id"]
        channel = await self._control("channels", {"kind": "public", "members": [user, other]})
        root = await self._say(user, channel["id"], "Lunch at noon?")
        self._take()
        plain = await self._answer(user, "What is the capital of France?")
        formation = await self._settled()
        await self._say(user, "dm", "I like ramen", settle=False)
        teaching = await self._settled()
        await self._say(other, channel["id"], "Fine with me", thread=root["ts"], settle=False)
        unrelated = await self._settled()
        await asyncio.sleep(rest_seconds)
        return Traced(
            plain=plain,
            plain_formation=formation,
            teaching=teaching,
            unrelated=unrelated,
            rest=self._take(),
        )

    async def _say(
        self, user: str, channel: str, text: str, *, thread: str = "", settle: bool = True
    ) -> dict[str, Any]:
        body = {"user": user, "channel": channel, "text": text}
        said = await self._control("messages", {**body, "thread_ts": thread} if thread else body)
        if settle:
            await self._settled()
        return dict(said)

    async def _answer(self, user: str, text: str) -> Trace:
        """Return the trace of a message until its job has ended; its formation is still to come."""
        said = await self._say(user, "dm", text, settle=False)
        answered = (
            "SELECT EXISTS (SELECT FROM turns WHERE question_ts = %s AND ended_at IS NOT NULL)"
            " AND NOT EXISTS (SELECT FROM procrastinate_jobs WHERE status = 'doing')"
        )
        await self._until(answered, said["ts"])
        return self._take()

    async def _settled(self) -> Trace:
        """Return the trace until no job waits or runs and nothing was sent for half a second."""
        await asyncio.sleep(_CALM_SECONDS)
        await self._until(
            "SELECT NOT EXISTS (SELECT FROM procrastinate_jobs WHERE status IN ('todo', 'doing')"
            " AND task_name <> 'keep_up')"
        )
        await asyncio.sleep(_CALM_SECONDS)
        return self._take()

    async def _until(self, condition: str, *values: object) -> None:
        end = time.monotonic() + _PATIENCE_SECONDS
        while not await asyncio.to_thread(self._holds, condition, values):
            if time.monotonic() > end:
                raise TimeoutError("The app did not finish what it had begun.")
            await asyncio.sleep(0.1)

    def _holds(self, condition: str, values: tuple[object, ...]) -> bool:
        with psycopg.connect(self._database, autocommit=True) as owner:
            row = owner.execute(condition.encode(), values).fetchone()
        return bool(row and row[0])


@asynccontextmanager
async def _app(ground: Ground, address: str) -> AsyncIterator[None]:
    environment = ground.app_settings(address, KIOKU_FORMATION_DELAY="2")
    conninfo = environment["DATABASE_URL"]
    settings = load_settings(environment, dotenv=None)
    async with Service(settings, conninfo):
        yield


def report(cases: Traced) -> Iterator[str]:
    """Yield the lines of the report."""
    for title, trace in (
        ("A plain message, to the end of its answer", cases.plain),
        ("Its formation, which finds nothing to remember", cases.plain_formation),
        ("A message that teaches, its formation and its notice", cases.teaching),
        ("A reply in a thread that the app is not in", cases.unrelated),
    ):
        functions = sum(len(names) for names in trace.files.values())
        yield f"\n== {title}"
        yield (
            f"{len(trace.files)} files, {functions} functions, {trace.switches} switches of file;"
            f" {len(trace.own)} statements in {trace.transactions} transactions"
        )
        for file, names in trace.files.items():
            yield f"  {file}: {', '.join(names)}"
        yield from _sql(trace.own)
    rate, seconds = cases.rest.rate, cases.rest.seconds
    once = f", and {cases.rest.minutely} of the minutely job" if cases.rest.minutely else ""
    yield f"\n== At rest: {rate:.1f} statements a second ({seconds:.0f} seconds){once}"
    yield from _sql(cases.rest.statements)


def _sql(statements: list[Statement]) -> Iterator[str]:
    for one in statements:
        yield f"  {one.connection % 9973:4d} {one.caller}\n       {one.text[:_SHOWN_CHARACTERS]}"


async def main() -> None:
    """Print the report."""
    with tempfile.TemporaryDirectory() as folder:
        async with open_ground(Path(folder)) as ground:
            address = ground.app_database("trace")
            with traced() as take:
                async with _app(ground, address):
                    cases = Cases(lambda path, body: ground.slack(path, body), address, take)
                    played = await cases.play()
    print("\n".join(report(played)))


if __name__ == "__main__":
    asyncio.run(main())
