"""Sizes of the measurements: ``QUICK=1``, and the default."""

from __future__ import annotations

import os
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Counts, and durations in seconds."""

    name: str
    rounds: int
    singles: int  # in a round, one person after the other
    people: int  # the largest number at once
    counted: int  # messages whose calls and statements are counted
    replicas: tuple[int, ...]
    writers: tuple[int, ...]  # people who write at the same time, where it may saturate
    load_seconds: float
    sustained_seconds: float
    second_starts: int
    memories: tuple[int, ...]  # sizes of the table that is searched
    questions: int


USUAL = Plan(
    name="usual",
    rounds=5,
    singles=3,
    people=100,
    counted=6,
    replicas=(1, 2, 4),
    writers=(4, 16, 64),
    load_seconds=5,
    sustained_seconds=60,
    second_starts=3,
    memories=(10_000, 100_000, 1_000_000),
    questions=10,
)
QUICK = Plan(
    name="quick",
    rounds=1,
    singles=2,
    people=20,
    counted=2,
    replicas=(1,),
    writers=(32,),
    load_seconds=3,
    sustained_seconds=4,
    second_starts=1,
    memories=(10_000,),
    questions=3,
)


def chosen() -> Plan:
    """Return the plan that the environment asks for."""
    return QUICK if os.environ.get("QUICK") else USUAL
