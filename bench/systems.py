"""The systems that are measured: the app, its peers and the floor, each with the same people."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from bench import mem0_venv
from bench.replies import Replies, Reply
from bench.testbed import FORMATION_DELAY_SECONDS, Running, Testbed, running
from bench.wire import counted

TOPIC = "Rust"
TOLD = f"技術トピックでは{TOPIC}に興味があります。ラーメンが大好きです。"
QUESTION = "おすすめの技術トピックを3つ挙げて簡潔にまとめて！"
PEERS = ("articles", "mem0")
EMBEDDING_FLOOR = "embedding_floor"
"""The floor of a system that embeds the question before it calls the model."""
_AT_ONCE_WHILE_WARMING = 20
_PEER_SECONDS = 300.0
# The answer to mem0's extraction prompt: a message that states an interest or a liking.
_FOR_MEM0 = {
    "endpoint": "chat",
    "times": -1,
    "pattern": r"(?s)## New Messages\n.*?user: ([^\n]*(?:興味|好き)[^\n]*)",
    "output": {
        "text": '{"memory": [{"id": "0", "text": "\\1", "attributed_to": "user"}]}'
    },
}


@dataclass(slots=True)
class Systems:
    """The app, the peers and the floor, on one testbed, by name.

    `traffic` counts what the app and the peers send to PostgreSQL, if `bench.wire` is used.
    """

    testbed: Testbed
    app_address: str
    processes: dict[str, Running]
    replies: Replies
    traffic: dict[str, Counter[str]]
    people: list[str] = field(default_factory=list)

    async def turns(self, system: str, turns: Sequence[tuple[str, str]]) -> list[Reply]:
        """Send these texts, each with its person, to `system` at the same moment.

        Returns the replies, for the app only after its formations have ended, so that they do not
        slow down the next system.
        """
        if system == "app":
            asking = [self.replies.ask(who, text) for who, text in turns]
            found = await asyncio.gather(*asking)
            await self.testbed.formed(self.app_address)
            return found
        answer = await self.processes[system].ask(json.dumps(turns), _PEER_SECONDS)
        return [Reply(**one) for one in json.loads(answer)]

    async def warm(self, people: int) -> None:
        """Add people, send the same message from each to every system, and check its recall.

        Raises `RuntimeError` if a system does not recall it, because its times would mean nothing.
        """
        self.people = [await self.testbed.person(f"Person{n}") for n in range(people)]
        for floor in ("floor", EMBEDDING_FLOOR):
            await self.turns(floor, [(self.people[0], TOLD)])
        for system in ("app", *PEERS):
            # The very first request creates the peers' tables.
            await self.turns(system, [(self.people[0], TOLD)])
            for begin in range(1, people, _AT_ONCE_WHILE_WARMING):
                some = self.people[begin : begin + _AT_ONCE_WHILE_WARMING]
                await self.turns(system, [(one, TOLD) for one in some])
            [reply] = await self.turns(system, [(self.people[0], QUESTION)])
            if TOPIC not in reply.text:
                raise RuntimeError(
                    f"{system} was told of {TOPIC} and answered: {reply.text}"
                )


@asynccontextmanager
async def open_systems(
    testbed: Testbed,
    name: str,
    *,
    counting: bool = False,
    delay: int = FORMATION_DELAY_SECONDS,
) -> AsyncIterator[Systems]:
    """Start all systems, each in its own process on a database of its own.

    With `counting` they are connected to their databases through `bench.wire`. `delay` is the
    app's delay of formation in seconds.
    """
    app_address = testbed.app_database(f"app_{name}")
    addresses = {peer: testbed.database(f"{peer}_{name}") for peer in PEERS}
    addresses["app"] = app_address
    mem0_python = await asyncio.to_thread(mem0_venv.python)
    await testbed.model("script", _FOR_MEM0)
    async with AsyncExitStack() as stack:
        traffic: dict[str, Counter[str]] = {}
        if counting:
            for system, address in list(addresses.items()):
                proxy = counted(address, testbed.folder / system[:2])
                between, sent = await stack.enter_async_context(proxy)
                addresses[system] = between
                traffic[system] = sent

        async def peer(
            module: str,
            *options: str,
            python: str = sys.executable,
            **settings: str,
        ) -> Running:
            opened = running(
                *("-m", f"bench.peers.{module}", *options),
                settings={**testbed.model_settings(), **settings},
                log=testbed.folder / f"{module}.log",
                python=python,
            )
            process = await stack.enter_async_context(opened)
            await process.line()
            return process

        processes = {
            "floor": await peer("floor"),
            EMBEDDING_FLOOR: await peer("floor", "--embedding"),
            "articles": await peer("articles", DATABASE_URL=addresses["articles"]),
            "mem0": await peer(
                "mem0_peer",
                python=mem0_python,
                DATABASE_URL=addresses["mem0"],
                MEM0_TELEMETRY="False",
                MEM0_DIR=str(testbed.folder / f"mem0-{name}"),
            ),
        }
        app = testbed.app(addresses["app"], KIOKU_FORMATION_DELAY=str(delay))
        [processes["app"]] = await stack.enter_async_context(app)
        replies = await stack.enter_async_context(Replies.opened(testbed))
        yield Systems(testbed, app_address, processes, replies, traffic)
