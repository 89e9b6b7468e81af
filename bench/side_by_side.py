"""The time until a reply is ready, with the same messages to all systems, in shuffled order."""

from __future__ import annotations

import itertools
import random
from collections import defaultdict
from collections.abc import Iterable, Mapping
from statistics import median

from bench.plan import Plan
from bench.replies import Reply
from bench.results import spread
from bench.systems import PEERS, QUESTION, open_systems
from bench.testbed import Testbed

SYSTEMS = ("floor", "app", *PEERS)
CROWDS = (1, 1, 1, 20, 100)
"""How many people ask at once, in the order of a round."""
_CPU_CROWD = 20


def prefix(system: str) -> str:
    """Return the prefix of a system's metrics, which is empty for the app."""
    return "" if system == "app" else f"{system}_"


def _times(rounds: Mapping[tuple[str, int], list[list[Reply]]]) -> dict[str, float]:
    """Return the metrics of all replies; `rounds` has them by system and people at once."""
    found: dict[str, float] = {}
    for (system, people), some_rounds in rounds.items():
        start = prefix(system)
        end = "" if people == 1 else f"_{people}"
        replies = list(itertools.chain.from_iterable(some_rounds))
        ready = _ready(replies)
        if system == "floor":
            found |= spread(f"floor_ms{end}", ready)
            continue
        found[f"{start}failed_share{end}"] = round(1 - len(ready) / len(replies), 4)
        first = [one.first for one in replies if one.first is not None]
        if first:
            found |= spread(f"{start}first_text_ms{end}", first)
        if not ready:
            continue
        found |= spread(f"{start}reply_ready_ms{end}", ready)
        floors = [median(_ready(some)) for some in rounds["floor", people]]
        overheads: list[float] = []
        for some, floor in zip(some_rounds, floors, strict=True):
            overheads += [one - floor for one in _ready(some)]
        found |= spread(f"{start}turn_overhead_ms{end}", overheads)
        ratio = median(ready) / median(floors)
        found[f"{start}reply_ready_ratio_{people}"] = round(ratio, 3)
    return found


def _ready(replies: Iterable[Reply]) -> list[float]:
    return [one.ready for one in replies if one.ready is not None]


async def measure(testbed: Testbed, plan: Plan) -> dict[str, float]:
    """Let 1, 20 and 100 people ask each system at once; the first question is not counted."""
    rounds = defaultdict[tuple[str, int], list[list[Reply]]](list)
    cpu_ms = defaultdict[str, list[float]](list)
    async with open_systems(testbed, "side") as systems:
        await systems.warm(plan.people)
        shuffled = random.Random(plan.rounds)
        people = itertools.cycle(systems.people)
        crowds = [crowd for crowd in CROWDS * plan.rounds if crowd <= plan.people]
        for number, crowd in enumerate([1, *crowds]):
            asking = [(next(people), QUESTION) for _ in range(crowd)]
            for system in shuffled.sample(SYSTEMS, len(SYSTEMS)):
                before = systems.processes[system].cpu_seconds()
                replies = await systems.turns(system, asking)
                spent = systems.processes[system].cpu_seconds() - before
                if number:
                    rounds[system, crowd].append(replies)
                if crowd == _CPU_CROWD:
                    cpu_ms[system].append(spent * 1000 / crowd)
    found = _times(rounds)
    for system, used in cpu_ms.items():
        found[f"{prefix(system)}cpu_ms_per_message"] = round(median(used), 2)
    return found
