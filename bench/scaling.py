"""The worked table of docs/scaling.md, from what was measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from bench.ground import ROOT
from bench.markdown import number, table

Metrics: TypeAlias = Mapping[str, float]

PAGE = ROOT / "docs" / "scaling.md"
START, END = "<!-- worked table -->", "<!-- end -->"
PEOPLE = (1_000, 100_000, 10_000_000)
MESSAGES_A_DAY = 10
BUSY_HOUR = 0.2
MEMORIES_EACH = 200
ANSWER_TOKENS = 300
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
        says="Milliseconds of a search for somebody with 5,000 memories, 95 in 100",
        behind=("search_ms_p95_1m_5000",),
        value=lambda m, _: m["search_ms_p95_1m_5000"],
    ),
)


def worked(metrics: Metrics) -> str:
    """Return the table."""
    rows = []
    for line in LINES:
        measured = all(name in metrics for name in line.behind)
        shown = [
            number(line.value(metrics, people)) if measured else "not measured" for people in PEOPLE
        ]
        behind = ", ".join(
            f"`{name}` {number(metrics[name])}" if name in metrics else f"`{name}`"
            for name in line.behind
        )
        rows.append((line.says, *shown, behind or "the assumptions"))
    return table(("", *(f"{people:,} people" for people in PEOPLE), "Figure behind it"), rows)


def page(text: str, metrics: Metrics) -> str:
    """Return the page with its table replaced."""
    before, _, rest = text.partition(START)
    _, _, after = rest.partition(END)
    return f"{before}{START}\n{worked(metrics)}\n{END}{after}"


def write(metrics: Metrics) -> None:
    """Write the table into the page."""
    PAGE.write_text(page(PAGE.read_text("utf-8"), metrics), "utf-8")
