"""``python -m bench.trace``: the files, functions and SQL statements that handle a message.

It runs the whole app in this process, with PostgreSQL, playground and stand-in model beside it.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

from bench.recording import Trace, traced
from bench.testbed import Testbed, open_testbed, value
from bot.config import load_settings
from bot.runtime.service import open_service

_PATIENCE_SECONDS = 60.0
_CALM_SECONDS = 0.5
_SHOWN_CHARACTERS = 110
_ANSWERED = (
    "SELECT EXISTS (SELECT FROM messages WHERE ts = %s AND ended_at IS NOT NULL)"
)


async def played(
    testbed: Testbed, address: str, take: Callable[[], Trace]
) -> AsyncIterator[tuple[str, Trace]]:
    """Send messages, and yield a title and the trace of what the app did for each.

    `address` is the owner's address of the database; `take` returns the trace so far and begins a
    new one.
    """
    user = await testbed.person("Aoi")
    other = await testbed.person("Ren")

    async def say(who: str, channel: str, text: str, **more: str) -> str:
        body = {"user": who, "channel": channel, "text": text, **more}
        sent = await testbed.slack("messages", body)
        return str(sent["ts"])

    async def settled() -> Trace:
        await asyncio.sleep(_CALM_SECONDS)
        await testbed.formed(address)
        await asyncio.sleep(_CALM_SECONDS)
        return take()

    for known in ("I like sushi", "I am learning Rust", "I live in Osaka"):
        await say(user, "dm", known)
    public = {"kind": "public", "members": [user, other]}
    added = await testbed.slack("channels", public)
    channel = added["id"]
    root = await say(user, channel, "Lunch at noon?")
    await settled()
    plain = await say(user, "dm", "What is the capital of France?")
    await _answered(address, plain)
    yield "A plain message, to the end of its answer", take()
    yield "Its formation, which finds nothing to remember", await settled()
    await say(user, "dm", "I like ramen")
    yield "A message that teaches, its formation and its notice", await settled()
    await say(other, channel, "Fine with me", thread_ts=root)
    yield "A reply in a thread that the app is not in", await settled()


async def _answered(address: str, ts: str) -> None:
    async with asyncio.timeout(_PATIENCE_SECONDS):
        while not await asyncio.to_thread(value, address, _ANSWERED, ts):  # noqa: ASYNC110 - it is in PostgreSQL
            await asyncio.sleep(0.1)


def report(title: str, trace: Trace) -> Iterator[str]:
    """Yield the lines of the report of one message."""
    functions = sum(len(names) for names in trace.files.values())
    # A worker also looks for jobs twice a second, mostly in vain.
    statements = [
        one for one in trace.statements if "procrastinate_fetch_job" not in one.text
    ]
    yield f"\n== {title}"
    yield f"{len(trace.files)} files, {functions} functions; {len(statements)} statements"
    for file, names in trace.files.items():
        yield f"  {file}: {', '.join(names)}"
    for one in statements:
        yield f"  {one.connection % 9973:4d} {one.caller}\n       {one.text[:_SHOWN_CHARACTERS]}"


async def main() -> None:
    """Print the report."""
    with tempfile.TemporaryDirectory() as folder:
        async with open_testbed(Path(folder)) as testbed:
            address = testbed.app_database("trace")
            environment = testbed.app_settings(address, KIOKU_FORMATION_DELAY="2")
            settings = load_settings(environment, dotenv=None)
            with traced() as take:
                async with open_service(settings, environment["DATABASE_URL"]):
                    async for title, trace in played(testbed, address, take):
                        print("\n".join(report(title, trace)), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
