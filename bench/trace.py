"""``python -m bench.trace``: the files, functions and SQL statements that a message runs through.

Runs the whole app in this process, beside embedded PostgreSQL, a playground and the stand-in model.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from bench.ground import Ground, open_ground
from bench.recording import Statement, Trace, traced
from bot.config import load_settings
from bot.runtime.service import open_service

REST_SECONDS = 10.0
_PATIENCE_SECONDS = 60.0
_CALM_SECONDS = 0.5
_SHOWN_CHARACTERS = 110


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

    async def play(self) -> Traced:
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
        await asyncio.sleep(REST_SECONDS)
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
        """Return the trace of a message until its turn ends; its formation is still to come."""
        said = await self._say(user, "dm", text, settle=False)
        answered = "SELECT EXISTS (SELECT FROM messages WHERE ts = %s AND ended_at IS NOT NULL)"
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
    async with open_service(settings, conninfo):
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
