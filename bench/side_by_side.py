"""The same work for every system, in shuffled order: how long until the reply is there."""

from __future__ import annotations

import itertools
import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

from bench.ground import Ground
from bench.plan import Plan
from bench.replies import Reply
from bench.results import spread
from bench.systems import PEERS, QUESTION, Systems, open_systems

SYSTEMS = ("floor", "app", *PEERS)
CROWDS = (1, 20, 100)
_CPU_CROWD = 20


def prefix(system: str) -> str:
    """Return what the metrics of a system begin with; the app's own have none."""
    return "" if system == "app" else f"{system}_"


@dataclass(slots=True)
class Measured:
    """All times by system and number of people at once, round by round."""

    rounds: dict[tuple[str, int], list[list[Reply]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    failed: dict[tuple[str, int], int] = field(default_factory=lambda: defaultdict(int))
    cpu_ms: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def take(self, system: str, people: int, replies: Sequence[Reply]) -> None:
        """Add a round."""
        self.failed[system, people] += sum(one.ready is None for one in replies)
        self.rounds[system, people].append([one for one in replies if one.ready is not None])

    def metrics(self) -> dict[str, float]:
        """Return everything that follows from these."""
        found: dict[str, float] = {}
        for (system, people), rounds in self.rounds.items():
            start, end = prefix(system), "" if people == 1 else f"_{people}"
            times = [one for some in rounds for one in some]
            if system == "floor":
                found |= spread(f"floor_ms{end}", _ready(times))
                continue
            found |= spread(f"{start}reply_ready_ms{end}", _ready(times)) if times else {}
            if first := [one.first for one in times if one.first is not None]:
                found |= spread(f"{start}first_text_ms{end}", first)
            failed = self.failed[system, people]
            found[f"{start}failed_share{end}"] = round(failed / (failed + len(times)), 4)
            floors = [median(_ready(some)) for some in self.rounds["floor", people]]
            over = [
                ready - floor
                for some, floor in zip(rounds, floors, strict=True)
                for ready in _ready(some)
            ]
            if times:
                found |= spread(f"{start}turn_overhead_ms{end}", over)
                ratio = median(_ready(times)) / median(floors)
                found[f"{start}reply_ready_ratio_{people}"] = round(ratio, 3)
        for system, spent in self.cpu_ms.items():
            found[f"{prefix(system)}cpu_ms_per_message"] = round(median(spent), 2)
        return found


def _ready(replies: Sequence[Reply]) -> list[float]:
    return [one.ready for one in replies if one.ready is not None]


async def measure(ground: Ground, plan: Plan) -> dict[str, float]:
    """Measure one, twenty and a hundred people at once; the first round warms up."""
    async with open_systems(ground, "side") as systems:
        await systems.warm(plan.people)
        measured = Measured()
        shuffled = random.Random(plan.rounds)
        people = itertools.cycle(systems.people)
        await _round(systems, Measured(), shuffled, people, 1, singles=1)
        for _ in range(plan.rounds):
            for crowd in CROWDS:
                if crowd <= plan.people:
                    singles = plan.singles if crowd == 1 else 1
                    await _round(systems, measured, shuffled, people, crowd, singles=singles)
    return measured.metrics()


async def _round(
    systems: Systems,
    measured: Measured,
    shuffled: random.Random,
    people: itertools.cycle[str],
    crowd: int,
    *,
    singles: int,
) -> None:
    """Let each system answer the same people; `singles` times where they come one by one."""
    asking = [[next(people) for _ in range(crowd)] for _ in range(singles)]
    order = list(SYSTEMS)
    shuffled.shuffle(order)
    for system in order:
        replies: list[Reply] = []
        before = systems.cpu_seconds(system)
        for some in asking:
            replies += await systems.turns(system, [(one, QUESTION) for one in some])
        measured.take(system, crowd, replies)
        if crowd == _CPU_CROWD:
            measured.cpu_ms[system].append((systems.cpu_seconds(system) - before) * 1000 / crowd)
