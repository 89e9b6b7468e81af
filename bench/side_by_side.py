"""The same work for every system, in shuffled order: how long until the reply is there."""

from __future__ import annotations

import itertools
import random
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from bench.ground import Ground
from bench.plan import Plan
from bench.results import interval, quantile, spread, spread_of_rounds
from bench.systems import PEERS, QUESTION, Systems, Times, open_systems

SYSTEMS = ("floor", "app", *PEERS)
CROWDS = (1, 20, 100)
_CPU_CROWD = 20

Progress = Callable[[int, int], None]


def prefix(system: str) -> str:
    """Return what the metrics of a system begin with; the app's own have none."""
    return "" if system == "app" else f"{system}_"


def suffix(people: int) -> str:
    """Return what the metrics of so many people at once carry; those of one have none."""
    return "" if people == 1 else f"_{people}"


@dataclass(slots=True)
class Measured:
    """All times by system and number of people at once, round by round."""

    rounds: dict[tuple[str, int], list[list[Times]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    failed: dict[tuple[str, int], int] = field(default_factory=lambda: defaultdict(int))
    cpu_ms: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def take(self, system: str, people: int, times: Sequence[Times | None]) -> None:
        """Add a round."""
        self.failed[system, people] += sum(one is None for one in times)
        if kept := [one for one in times if one is not None]:
            self.rounds[system, people].append(kept)

    def metrics(self) -> dict[str, float]:
        """Return everything that follows from these."""
        found: dict[str, float] = {}
        for (system, people), rounds in self.rounds.items():
            start, end = prefix(system), suffix(people)
            for name, read in _PARTS.items():
                parts = [[v for one in times if (v := read(one)) is not None] for times in rounds]
                if system != "floor" and any(parts):
                    found |= spread_of_rounds(f"{start}{name}{end}", [p for p in parts if p])
            ready = [[one.ready for one in times] for times in rounds]
            if system == "floor":
                found |= spread_of_rounds(f"floor_ms{end}", ready)
                continue
            failed = self.failed[system, people]
            done = sum(map(len, rounds))
            found[f"{start}failed_share{end}"] = round(failed / (failed + done), 4)
            found |= self._over_floor(system, people, ready)
        for system, spent in self.cpu_ms.items():
            found[f"{prefix(system)}cpu_ms_per_message"] = round(quantile(spent, 0.5), 2)
        return found

    def _over_floor(
        self, system: str, people: int, ready: Sequence[Sequence[float]]
    ) -> dict[str, float]:
        start, end = prefix(system), suffix(people)
        floors = [[one.ready for one in times] for times in self.rounds["floor", people]]
        floor = quantile([value for one in floors for value in one], 0.5)
        over = [
            [value - quantile(below, 0.5) for value in one]
            for one, below in zip(ready, floors, strict=False)
        ]
        ratios = [[value / floor for value in one] for one in ready]
        low, high = interval(ratios)
        return {
            **(
                spread_of_rounds(f"{start}turn_overhead_ms", over)
                if people == 1
                else spread(f"{start}turn_overhead_ms{end}", [v for one in over for v in one])
            ),
            f"{start}reply_ready_ratio_{people}": round(
                quantile([v for one in ratios for v in one], 0.5), 3
            ),
            f"{start}reply_ready_ratio_{people}_low": round(low, 3),
            f"{start}reply_ready_ratio_{people}_high": round(high, 3),
        }


_PARTS: dict[str, Callable[[Times], float | None]] = {
    "reply_ready_ms": lambda one: one.ready,
    "reply_made_ms": lambda one: one.made,
    "first_text_ms": lambda one: one.first,
    "first_sign_ms": lambda one: one.sign,
}


async def measure(ground: Ground, plan: Plan, progress: Progress) -> dict[str, float]:
    """Measure one, twenty and a hundred people at once."""
    async with open_systems(ground, "side") as systems:
        await systems.warm(plan.people)
        measured = Measured()
        shuffled = random.Random(plan.rounds)
        people = itertools.cycle(systems.people)
        await _round(systems, Measured(), shuffled, people, 1, singles=1)
        for number in range(plan.rounds):
            for crowd in CROWDS:
                if crowd <= plan.people and (crowd < 100 or number < plan.crowd_rounds):
                    singles = plan.singles if crowd == 1 else 1
                    await _round(systems, measured, shuffled, people, crowd, singles=singles)
            progress(number + 1, plan.rounds)
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
        times: list[Times | None] = []
        before = systems.cpu_seconds(system)
        for some in asking:
            times += await systems.turns(system, [(one, QUESTION) for one in some])
        measured.take(system, crowd, times)
        if crowd == _CPU_CROWD:
            measured.cpu_ms[system].append((systems.cpu_seconds(system) - before) * 1000 / crowd)
