"""Replies per second by number of replicas, without Slack's rate limits."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from bench.plan import Plan
from bench.replies import Replies
from bench.results import percentile_95
from bench.systems import QUESTION
from bench.testbed import Testbed

_POLL_SECONDS = 0.2
_SETTLING_SECONDS = 60.0
_AT_ONCE_WHILE_WARMING = 16
_SUSTAINED_REPLICAS = 2
# A little above the goal of sixty, so that a rate of sixty can be measured.
_OFFERED_A_SECOND = 62.0
# The default of the app; the other measurements set a shorter delay.
DEFAULT_DELAY = "4"


@dataclass(slots=True)
class Crowd:
    """People who write, and how long they waited for whole answers, in milliseconds."""

    replies: Replies
    people: list[str]
    waits: list[float] = field(default_factory=list)
    lost: int = 0

    async def ask(self, person: str) -> None:
        """Write, and wait for the whole answer."""
        try:
            reply = await self.replies.ask(person, QUESTION, seconds=_SETTLING_SECONDS)
        except TimeoutError:
            self.lost += 1
        else:
            self.waits.append(reply.ready or 0.0)

    async def at_once(self, writers: int, seconds: float) -> float:
        """Let `writers` write, each again after each answer; return the answers per second."""
        end = time.monotonic() + seconds

        async def one(person: str) -> None:
            while time.monotonic() < end:
                await self.ask(person)

        running = asyncio.gather(*map(one, self.people[:writers]))
        rate = await self._rate(seconds)
        await running
        return rate

    async def _rate(self, seconds: float) -> float:
        """Return the answers per second during `seconds`, without the first quarter."""
        counted_seconds = seconds * 3 / 4
        await asyncio.sleep(seconds - counted_seconds)
        before = len(self.waits)
        await asyncio.sleep(counted_seconds)
        return (len(self.waits) - before) / counted_seconds

    async def steadily(self, a_second: float, seconds: float) -> float:
        """Write at a steady rate; return the answers per second while messages are sent."""
        counting = asyncio.create_task(self._rate(seconds))
        began = time.monotonic()
        asking: list[asyncio.Task[None]] = []
        for number in range(round(a_second * seconds)):
            due = began + number / a_second
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            person = self.people[number % len(self.people)]
            asking.append(asyncio.create_task(self.ask(person)))
        await asyncio.gather(*asking)
        return await counting


@asynccontextmanager
async def crowd(testbed: Testbed, people: int) -> AsyncIterator[Crowd]:
    """Add people, each of whom has already had an answer."""
    made = [await testbed.person(f"Crowd{n}") for n in range(people)]
    async with Replies.opened(testbed, poll_seconds=_POLL_SECONDS) as replies:
        gathered = Crowd(replies, made)
        for begin in range(0, people, _AT_ONCE_WHILE_WARMING):
            some = made[begin : begin + _AT_ONCE_WHILE_WARMING]
            await asyncio.gather(*map(gathered.ask, some))
        gathered.waits.clear()
        yield gathered


async def measure(testbed: Testbed, plan: Plan) -> dict[str, float]:
    """Find how many messages each number of replicas can answer; load two of them for a minute.

    In that minute messages come at a steady rate, even if it is more than the replicas can answer.
    """
    found: dict[str, float] = {}
    lost = 0
    for replicas in plan.replicas:
        address = testbed.app_database(f"load_{replicas}")
        async with (
            testbed.app(
                address, replicas=replicas, KIOKU_FORMATION_DELAY=DEFAULT_DELAY
            ) as app,
            crowd(testbed, max(plan.writers)) as people,
        ):
            rates = []
            for writers in plan.writers:
                rates.append(await people.at_once(writers, plan.load_seconds))
                await testbed.formed(address)
            found[f"saturation_msgs_per_s_r{replicas}"] = round(max(rates), 1)
            if replicas == 1:
                found["rss_mb_under_load"] = round(app[0].rss_mb(), 1)
            if replicas == _SUSTAINED_REPLICAS:
                people.waits.clear()
                rate = await people.steadily(_OFFERED_A_SECOND, plan.sustained_seconds)
                found["sustained_msgs_per_s"] = round(rate, 1)
                wait = percentile_95(people.waits or [0.0])
                found["sustained_wait_ms_p95"] = round(wait, 1)
            lost += people.lost
    return found | {"sustained_lost": lost}
