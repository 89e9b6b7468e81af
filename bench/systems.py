"""The systems of one run, side by side: warmed, with the same people in each."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from bench import mem0_venv
from bench.ground import FORMATION_DELAY_SECONDS, Ground, Running
from bench.peer import Outcome, Peer, open_peer
from bench.replies import Replies, Reply

TOPIC = "Rust"
TOLD = f"技術トピックでは{TOPIC}に興味があります。ラーメンが大好きです。"
QUESTION = "おすすめの技術トピックを3つ挙げて簡潔にまとめて！"
PEERS = ("articles", "mem0")
_AT_ONCE_WHILE_WARMING = 20


class NotRecalled(Exception):
    """A system did not recall what it was told, so its times would mean nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """One turn: milliseconds to the first text, the existing text, the whole reply."""

    ready: float
    made: float | None = None
    first: float | None = None


@dataclass(slots=True)
class Systems:
    """The app, the peers and the floor, on one ground."""

    ground: Ground
    app: list[Running]
    app_address: str
    addresses: dict[str, str]
    peers: dict[str, Peer]
    replies: Replies
    people: list[str] = field(default_factory=list)

    async def turns(self, system: str, turns: Sequence[tuple[str, str]]) -> list[Times | None]:
        """Let `system` take these turns at the same moment; None for one that failed.

        Returns when the app has nothing more to do, so that it disturbs nobody after it.
        """
        if system == "app":
            found = await self._in_slack(turns)
            await self.ground.formed(self.app_address)
            return [
                None if one.ready is None else Times(ready=one.ready, first=one.first)
                for one in found
            ]
        return [
            None if one.error else Times(ready=one.ready, made=one.made)
            for one in await self.peers[system].turns(turns)
        ]

    def cpu_seconds(self, system: str) -> float:
        """Return the processor time that a system's own process has used."""
        process = self.app[0] if system == "app" else self.peers[system].running
        return process.cpu_seconds()

    async def _in_slack(self, turns: Sequence[tuple[str, str]]) -> list[Reply]:
        asked = await asyncio.gather(*(self.replies.ask(who, text) for who, text in turns))
        return await self.replies.of(asked)

    async def warm(self, people: int) -> None:
        """Add people, let each tell every system the same, and see that all of them recall it.

        Raises `NotRecalled`.
        """
        self.people = [await self.ground.person(f"Person{n}") for n in range(people)]
        await self.turns("floor", [(self.people[0], TOLD)])
        for system in ("app", *PEERS):
            for begin in range(0, people, _AT_ONCE_WHILE_WARMING):
                some = self.people[begin : begin + _AT_ONCE_WHILE_WARMING]
                # The first request of all sets the peers' tables up.
                for part in (some[:1], some[1:]) if begin == 0 else (some,):
                    await self.turns(system, [(one, TOLD) for one in part])
        await self._check()

    async def _check(self) -> None:
        asked = [(self.people[0], QUESTION)]
        texts = {"app": [one.text for one in await self._in_slack(asked)]}
        await self.ground.formed(self.app_address)
        for name in PEERS:
            outcomes: list[Outcome] = await self.peers[name].turns(asked)
            texts[name] = [one.reply or one.error for one in outcomes]
        found = {"person": self.people[0], "text": QUESTION}
        texts["mem0"] += await self.peers["mem0"].call("recalled", found)
        for name, said in texts.items():
            if not all(TOPIC in one for one in said[:1]) or not any(TOPIC in t for t in said):
                raise NotRecalled(f"{name} was told of {TOPIC} and answered: {said}")


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
        for peer in (floor, articles, mem0):
            await peer.ready()
        yield Systems(
            ground=ground,
            app=app,
            app_address=direct["app"],
            addresses=direct,
            peers={"floor": floor, "articles": articles, "mem0": mem0},
            replies=await Replies.from_now(ground),
        )
