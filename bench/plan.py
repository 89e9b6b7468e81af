"""Sizes of the measurements: ``QUICK=1``, the default, and ``FULL=1``."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Counts, and durations in seconds."""

    name: str
    rounds: int
    singles: int  # in a round, one person after the other
    crowd_rounds: int  # of `rounds`, those with a hundred people at once
    people: int
    counted: int  # messages whose calls and statements are counted
    down_seconds: float
    replicas: tuple[int, ...]
    writers: tuple[int, ...]  # people who write at the same time, where it may saturate
    load_seconds: float
    limited_seconds: float
    sustained_seconds: float
    growth_turns: int
    growth_seconds: float
    second_starts: int
    memories: int  # of the person who has many
    questions: int


USUAL = Plan(
    name="usual",
    rounds=5,
    singles=3,
    crowd_rounds=5,
    people=100,
    counted=6,
    down_seconds=8,
    replicas=(1, 2, 4),
    writers=(4, 16, 64),
    load_seconds=5,
    limited_seconds=8,
    sustained_seconds=60,
    growth_turns=10_000,
    growth_seconds=240,
    second_starts=3,
    memories=5_000,
    questions=10,
)
QUICK = Plan(
    name="quick",
    rounds=1,
    singles=2,
    crowd_rounds=0,
    people=20,
    counted=2,
    down_seconds=2,
    replicas=(1,),
    writers=(32,),
    load_seconds=3,
    limited_seconds=3,
    sustained_seconds=4,
    growth_turns=10_000,
    growth_seconds=3,
    second_starts=1,
    memories=500,
    questions=2,
)
FULL = Plan(
    name="full",
    rounds=20,
    singles=20,
    crowd_rounds=20,
    people=100,
    counted=40,
    down_seconds=60,
    replicas=(1, 2, 4),
    writers=(1, 4, 8, 16, 32, 64, 96),
    load_seconds=20,
    limited_seconds=60,
    sustained_seconds=60,
    growth_turns=10_000,
    growth_seconds=3600,
    second_starts=15,
    memories=5_000,
    questions=100,
)


def chosen(environment: Mapping[str, str] = os.environ) -> Plan:
    """Return the plan that `QUICK` or `FULL` asks for."""
    if environment.get("QUICK"):
        return QUICK
    return FULL if environment.get("FULL") else USUAL
