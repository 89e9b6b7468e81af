"""The systems of one run, side by side: warmed, with the same people in each."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from bench import mem0_venv
from bench.ground import FORMATION_DELAY_SECONDS, Ground, Running
from bench.peer import Peer, open_peer
from bench.replies import Replies, Reply

TOPIC = "Rust"
TOLD = f"技術トピックでは{TOPIC}に興味があります。ラーメンが大好きです。"
QUESTION = "おすすめの技術トピックを3つ挙げて簡潔にまとめて！"
PEERS = ("articles", "mem0")
_AT_ONCE_WHILE_WARMING = 20
# What mem0 asks of its model for its memory: here what the person said, if it teaches.
_FOR_MEM0 = {
    "endpoint": "chat",
    "times": -1,
    "pattern": r"(?s)## New Messages\n.*?user: ([^\n]*(?:興味|好き)[^\n]*)",
    "output": {"text": '{"memory": [{"id": "0", "text": "\\1", "attributed_to": "user"}]}'},
}


@dataclass(slots=True)
class Systems:
    """The app, the peers and the floor, on one ground."""

    ground: Ground
    app: list[Running]
    app_address: str
    peers: dict[str, Peer]
    replies: Replies
    people: list[str] = field(default_factory=list)

    async def turns(self, system: str, turns: Sequence[tuple[str, str]]) -> list[Reply]:
        """Let `system` take these turns at the same moment.

        Returns when the app has nothing more to do, so that it disturbs nobody after it.
        """
        if system != "app":
            return await self.peers[system].turns(turns)
        found = await asyncio.gather(*(self.replies.ask(who, text) for who, text in turns))
        await self.ground.formed(self.app_address)
        return found

    def cpu_seconds(self, system: str) -> float:
        """Return the processor time that a system's own process has used."""
        process = self.app[0] if system == "app" else self.peers[system].running
        return process.cpu_seconds()

    async def warm(self, people: int) -> None:
        """Add people, let each tell every system the same, and see that all of them recall it.

        Raises `RuntimeError` if one does not: its times would mean nothing.
        """
        self.people = [await self.ground.person(f"Person{n}") for n in range(people)]
        await self.turns("floor", [(self.people[0], TOLD)])
        for system in ("app", *PEERS):
            for begin in range(0, people, _AT_ONCE_WHILE_WARMING):
                some = self.people[begin : begin + _AT_ONCE_WHILE_WARMING]
                # The first request of all sets the peers' tables up.
                for part in (some[:1], some[1:]) if begin == 0 else (some,):
                    await self.turns(system, [(one, TOLD) for one in part])
            [reply] = await self.turns(system, [(self.people[0], QUESTION)])
            if TOPIC not in reply.text:
                raise RuntimeError(f"{system} was told of {TOPIC} and answered: {reply.text}")


@asynccontextmanager
async def open_systems(
    ground: Ground,
    name: str,
    *,
    addresses: dict[str, str] | None = None,
    delay: int = FORMATION_DELAY_SECONDS,
) -> AsyncIterator[Systems]:
    """Start all systems, each in its own process on a database of its own.

    `addresses` lead to those databases by another way than directly; `delay` is the
    app's, of formation, in seconds.
    """
    direct = {
        "app": ground.app_database(f"app_{name}"),
        **{peer: ground.database(f"{peer}_{name}") for peer in PEERS},
    }
    given = addresses or direct
    mem0_python = await asyncio.to_thread(mem0_venv.python)
    await ground.model("script", _FOR_MEM0)
    async with AsyncExitStack() as stack:
        floor = await stack.enter_async_context(open_peer(ground, "floor"))
        articles = await stack.enter_async_context(
            open_peer(ground, "articles", DATABASE_URL=given["articles"])
        )
        alone = {"MEM0_TELEMETRY": "False", "MEM0_DIR": str(ground.folder / f"mem0-{name}")}
        opened = open_peer(
            ground, "mem0_peer", python=mem0_python, DATABASE_URL=given["mem0"], **alone
        )
        mem0 = await stack.enter_async_context(opened)
        app = await stack.enter_async_context(
            ground.app(given["app"], KIOKU_FORMATION_DELAY=str(delay))
        )
        yield Systems(
            ground=ground,
            app=app,
            app_address=direct["app"],
            peers={"floor": floor, "articles": articles, "mem0": mem0},
            replies=await stack.enter_async_context(Replies.opened(ground)),
        )
