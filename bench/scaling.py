"""The worked tables of the pages on scaling and capacity, from what was measured."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.ground import ROOT
from bench.markdown import number, replaced, table
from bench.metrics import Metrics
from bot.pipeline.responses.request import MAX_OUTPUT_TOKENS
from bot.runtime.connections import POOL_SIZE

PAGE = ROOT / "docs" / "scaling.md"
CAPACITY = ROOT / "docs" / "how-to" / "capacity.md"
MARKS = ("<!-- worked table -->", "<!-- end -->")
PEOPLE = (1_000, 100_000, 10_000_000)
CAPACITY_PEOPLE = (100, 1_000, 10_000)
MESSAGES_A_DAY = 10
BUSY_HOUR = 0.2
MEMORIES_EACH = 200
ANSWER_TOKENS = 300
# For capacity.md: a peak is this many times the busiest hour's average; one replica may be down.
PEAK = 3
REPLICAS = 2
LISTENING = 2
SPARE_CONNECTIONS = 10
_HOUR = 3_600
_GIGA = 1e9


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line of the table: what it says, the metrics behind it, and how it follows from them."""

    says: str
    behind: tuple[str, ...]
    value: Callable[[Metrics, float], float]
    """From the metrics and the number of people."""


def busiest(people: float) -> float:
    """Return the messages a second in the busiest hour."""
    return people * MESSAGES_A_DAY * BUSY_HOUR / _HOUR


LINES = (
    Line(says="Messages a second, busiest hour", behind=(), value=lambda _, n: busiest(n)),
    Line(says="Memories", behind=(), value=lambda _, n: n * MEMORIES_EACH),
    Line(
        says="Memories in PostgreSQL, with indexes (GB)",
        behind=("db_bytes_per_memory",),
        value=lambda m, n: n * MEMORIES_EACH * m["db_bytes_per_memory"] / _GIGA,
    ),
    Line(
        says="Machines of two cores like the measured one, for the messages",
        behind=("sustained_msgs_per_s",),
        value=lambda m, n: max(1.0, busiest(n) / m["sustained_msgs_per_s"]),
    ),
    Line(
        says="SQL statements a second",
        behind=("sql_statements_per_message",),
        value=lambda m, n: busiest(n) * m["sql_statements_per_message"],
    ),
    Line(
        says="Model tokens a minute, in and out (millions)",
        behind=("prompt_tokens_per_message",),
        value=lambda m, n: 60 * busiest(n) * (m["prompt_tokens_per_message"] + ANSWER_TOKENS) / 1e6,
    ),
    Line(
        says="Hours to load all memories again by COPY",
        behind=("load_rows_per_s_1m",),
        value=lambda m, n: n * MEMORIES_EACH / m["load_rows_per_s_1m"] / _HOUR,
    ),
    Line(
        says="Search time for a person with 5,000 memories, 95th percentile (ms)",
        behind=("search_ms_p95_1m_5000",),
        value=lambda m, _: m["search_ms_p95_1m_5000"],
    ),
)


def replicas(metrics: Metrics, people: float) -> float:
    """Return how many replicas answer a peak: two at least."""
    each = metrics["sustained_msgs_per_s"] / metrics["sustained_replicas"]
    return max(REPLICAS, math.ceil(PEAK * busiest(people) / each))


def tokens_a_day(metrics: Metrics, people: float) -> float:
    """Return the millions of tokens of a working day, in and out."""
    return people * MESSAGES_A_DAY * (metrics["prompt_tokens_per_message"] + ANSWER_TOKENS) / 1e6


CAPACITY_LINES = (
    Line(
        says="Messages a second at a peak (3 × the busiest hour)",
        behind=(),
        value=lambda _, n: PEAK * busiest(n),
    ),
    Line(
        says="Replicas of `kioku run` (two at least)",
        behind=("sustained_msgs_per_s", "sustained_replicas"),
        value=replicas,
    ),
    Line(
        says="Memory of all replicas (MB)",
        behind=("rss_mb_under_load",),
        value=lambda m, n: replicas(m, n) * m["rss_mb_under_load"],
    ),
    Line(
        says="`max_connections` of PostgreSQL: replicas × (12 + 2) × 2 versions + 10",
        behind=("sustained_msgs_per_s", "sustained_replicas"),
        value=lambda m, n: replicas(m, n) * (POOL_SIZE + LISTENING) * 2 + SPARE_CONNECTIONS,
    ),
    Line(
        says="Memories in PostgreSQL, with indexes (GB)",
        behind=("db_bytes_per_memory",),
        value=lambda m, n: n * MEMORIES_EACH * m["db_bytes_per_memory"] / _GIGA,
    ),
    Line(
        says="SQL statements a second at a peak",
        behind=("sql_statements_per_message",),
        value=lambda m, n: PEAK * busiest(n) * m["sql_statements_per_message"],
    ),
    Line(
        says="Model tokens a day, in and out (millions)",
        behind=("prompt_tokens_per_message",),
        value=tokens_a_day,
    ),
    Line(
        says="Model tokens a minute at a peak (millions)",
        behind=("prompt_tokens_per_message",),
        value=lambda m, n: (
            60 * PEAK * busiest(n) * (m["prompt_tokens_per_message"] + ANSWER_TOKENS) / 1e6
        ),
    ),
    Line(
        says="Tokens a minute to ask the provider for: each answer at its limit (millions)",
        behind=("prompt_tokens_per_message",),
        value=lambda m, n: (
            60 * PEAK * busiest(n) * (m["prompt_tokens_per_message"] + MAX_OUTPUT_TOKENS) / 1e6
        ),
    ),
)


def worked(metrics: Metrics, lines: Sequence[Line] = LINES, people: Sequence[int] = PEOPLE) -> str:
    """Return a table: a row for each line, a column for each number of people."""
    rows = []
    for line in lines:
        measured = all(name in metrics for name in line.behind)
        shown = [
            number(line.value(metrics, count)) if measured else "not measured" for count in people
        ]
        behind = ", ".join(
            f"`{name}` {number(metrics[name])}" if name in metrics else f"`{name}`"
            for name in line.behind
        )
        rows.append((line.says, *shown, behind or "the assumptions"))
    return table(("", *(f"{count:,} people" for count in people), "Figure behind it"), rows)


def pages(metrics: Metrics) -> dict[Path, str]:
    """Return each page with its table made from `metrics`."""
    tables = {
        PAGE: worked(metrics),
        CAPACITY: worked(metrics, CAPACITY_LINES, CAPACITY_PEOPLE),
    }
    return {path: replaced(path, MARKS, written) for path, written in tables.items()}
