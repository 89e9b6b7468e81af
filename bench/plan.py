"""The sizes of the measurements: by default, and with ``QUICK=1``."""

from __future__ import annotations

import os
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Counts, and durations in seconds."""

    name: str = "usual"
    rounds: int = 5
    # The largest number of people at once.
    people: int = 100
    # Questions for each number of memories.
    known_questions: int = 30
    # Messages whose calls and statements are counted.
    counted: int = 6
    replicas: tuple[int, ...] = (1, 2, 4)
    # People who write at the same time, to saturation.
    writers: tuple[int, ...] = (4, 16, 64)
    load_seconds: float = 5
    sustained_seconds: float = 60
    second_starts: int = 3
    # Sizes of the table that is searched.
    memories: tuple[int, ...] = (10_000, 100_000, 1_000_000)
    questions: int = 10


QUICK = Plan(
    name="quick",
    rounds=1,
    people=20,
    known_questions=4,
    counted=2,
    replicas=(1, 2),
    writers=(32,),
    load_seconds=3,
    sustained_seconds=4,
    second_starts=1,
    memories=(10_000,),
    questions=3,
)


def chosen() -> Plan:
    """Return the plan that the environment selects."""
    return QUICK if os.environ.get("QUICK") else Plan()
