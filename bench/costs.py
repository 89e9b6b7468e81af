"""The cost of a message: model calls, embeddings, prompt tokens, SQL statements."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass

from bench.ground import Ground
from bench.plan import Plan
from bench.side_by_side import Progress, prefix
from bench.systems import PEERS, QUESTION, Systems, open_systems
from bench.wire import Said, counted

SYSTEMS = ("app", *PEERS)
TOPICS = ("Go", "Kubernetes", "Terraform", "PostgreSQL", "Kotlin", "Elixir", "GraphQL", "Redis")
# Else the answers of a burst may come further apart than this, and it is formed in parts.
_DELAY_SECONDS = 3
BURST = 10
# The app's maintenance job begins with each minute: it has ended by the first of these seconds of a
# minute, and the next one begins after the last. It runs once in the minute from the first on.
_BETWEEN_JOBS = (10.0, 55.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The model's requests in a period."""

    model_calls: int
    embedding_calls: int
    characters: int


async def asked(ground: Ground) -> Asked:
    """Return what the model was asked since this was last called."""
    entries = (await ground.model("journal"))["entries"]
    await ground.model("journal", method="DELETE")
    calls = [entry for entry in entries if entry["endpoint"] in ("responses", "chat")]
    return Asked(
        model_calls=len(calls),
        embedding_calls=sum(entry["endpoint"] == "embeddings" for entry in entries),
        characters=sum(len(json.dumps(call["body"], ensure_ascii=False)) for call in calls),
    )


def work(count: int) -> list[str]:
    """Return messages: something to remember and a question, by turns."""
    told = (
        f"{TOPICS[n % len(TOPICS)]}に興味があります。技術トピックの{n}番目です。"
        for n in range(count)
    )
    return [text if n % 2 == 0 else QUESTION for n, text in enumerate(told)]


async def measure(ground: Ground, plan: Plan, progress: Progress) -> dict[str, float]:
    """Count for every system: a message, a burst, and thanks."""
    async with AsyncExitStack() as stack:
        said: dict[str, Said] = {}
        addresses: dict[str, str] = {}
        for name in SYSTEMS:
            direct = ground.app_database("app_costs") if name == "app" else ""
            direct = direct or ground.database(f"{name}_costs")
            counting = counted(direct, ground.folder / name[:2])
            addresses[name], said[name] = await stack.enter_async_context(counting)
        opened = open_systems(ground, "costs", addresses=addresses, delay=_DELAY_SECONDS)
        systems = await stack.enter_async_context(opened)
        await systems.warm(1)
        found: dict[str, float] = {}
        rest = await _at_rest(said)
        for done, name in enumerate(SYSTEMS):
            counts = _Counting(systems, name, said[name], rest[name])
            found |= await counts.by_message(plan.counted)
            found |= await counts.first_messages()
            found |= await counts.burst()
            found |= await counts.thanks()
            progress(done + 1, len(SYSTEMS))
    return found


@dataclass(frozen=True, slots=True)
class _Rest:
    """Messages and statements that a system sends to PostgreSQL with nothing to do."""

    in_a_minute: Said
    messages_a_second: float  # without the job of each minute


async def _at_rest(said: Mapping[str, Said]) -> dict[str, _Rest]:
    first, last = _BETWEEN_JOBS
    await asyncio.sleep((first - time.time()) % 60)
    before = {name: one.copy() for name, one in said.items()}
    await asyncio.sleep(last - first)
    between = {name: one.since(before[name]).round_trips for name, one in said.items()}
    await asyncio.sleep(60 - (last - first))
    return {
        name: _Rest(one.since(before[name]), between[name] / (last - first))
        for name, one in said.items()
    }


class _Counting:
    def __init__(self, systems: Systems, name: str, said: Said, rest: _Rest) -> None:
        self._systems = systems
        self._ground = systems.ground
        self._name = name
        self._said = said
        self._rest = rest
        self._person = systems.people[0]
        self._prefix = prefix(name)

    async def by_message(self, count: int) -> dict[str, float]:
        """Count for messages that come one by one, with the formation of each before the next."""
        began, before = time.monotonic(), self._said.copy()
        await asked(self._ground)
        for text in work(count):
            await self._say(text)
        seconds, used = time.monotonic() - began, self._said.since(before)
        model = await asked(self._ground)

        def each(total: float, in_a_minute: float = 0.0) -> float:
            return round(max(0.0, total - in_a_minute / 60 * seconds) / count, 2)

        idle = self._rest.in_a_minute
        return self._named(
            model_calls_per_message=each(model.model_calls),
            embedding_calls_per_message=each(model.embedding_calls),
            sql_statements_per_message=each(used.statements, idle.statements),
            sql_round_trips_per_message=each(used.round_trips, idle.round_trips),
            sql_connections_per_message=each(used.connections, idle.connections),
            sql_statements_per_second_idle=round(idle.statements / 60, 2),
            sql_messages_per_second_idle=round(self._rest.messages_a_second, 2),
        )

    async def first_messages(self) -> dict[str, float]:
        """Count what two first messages of a new person send: one that teaches, one that does not.

        All requests to models count, replies and memories, each with its tools, as characters
        divided by four.
        """
        person = await self._ground.person(f"New{self._prefix}")
        found: dict[str, float] = {}
        for name, text in (("teaching", f"{TOPICS[0]}に興味があります"), ("plain", QUESTION)):
            await asked(self._ground)
            if None in await self._systems.turns(self._name, [(person, text)]):
                raise RuntimeError(f"A turn of {self._name} failed: see its log.")
            found[f"sent_tokens_{name}"] = (await asked(self._ground)).characters // 4
        return self._named(**found)

    async def burst(self) -> dict[str, float]:
        """Count for ten messages of one person in quick succession."""
        await asked(self._ground)
        texts = work(BURST)
        if self._name == "app":
            await self._systems.turns("app", [(self._person, text) for text in texts])
        else:
            for text in texts:
                await self._say(text)
        return self._named(model_calls_burst_10=(await asked(self._ground)).model_calls)

    async def thanks(self) -> dict[str, float]:
        """Count for a message that says nothing, from somebody with memories."""
        await asked(self._ground)
        await self._say("ok thanks")
        return self._named(model_calls_thanks=(await asked(self._ground)).model_calls)

    async def _say(self, text: str) -> None:
        if None in await self._systems.turns(self._name, [(self._person, text)]):
            raise RuntimeError(f"A turn of {self._name} failed: see its log.")

    def _named(self, **metrics: float) -> dict[str, float]:
        return {f"{self._prefix}{name}": value for name, value in metrics.items()}
