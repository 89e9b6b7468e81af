"""`kioku feedback`: ratings of replies, as text, JSON lines or CSV."""

from __future__ import annotations

import asyncio
import csv
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Literal, LiteralString, TextIO, TypeAlias

from psycopg import AsyncConnection
from psycopg.rows import dict_row

from bot.config import Settings
from bot.runtime.database import database
from bot.runtime.operators import owner_required, record
from memory import address_of

Format: TypeAlias = Literal["text", "jsonl", "csv"]

_FIELDS = (
    *("given_at", "rating", "reasons", "comment", "model", "latency_ms", "memories"),
    *("team", "user", "turn"),
)
_READ: LiteralString = (
    "SELECT given_at, rating, reasons, comment, model, latency_ms, memories,"
    ' team_id AS team, user_id AS "user", turn_id AS turn FROM feedback'
    " WHERE given_at >= %s ORDER BY given_at, turn_id"
)
# Read all rows or fail; never only those that a policy allows.
_ALL_OR_NOTHING: LiteralString = "SET row_security = off"
# What a spreadsheet would take for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def feedback(settings: Settings, *, since: datetime | None, format: Format) -> None:  # noqa: A002
    """Print all feedback since then: no message and no answer, but the comments people wrote.

    That it was read is noted. Raises `Problem`.
    """
    _WRITERS[format](asyncio.run(_read(settings, since)), sys.stdout)


async def _read(settings: Settings, since: datetime | None) -> list[dict[str, Any]]:
    async with (
        owner_required("feedback"),
        database(settings, beside=True) as addresses,
        await AsyncConnection.connect(address_of(addresses.owner), row_factory=dict_row) as owner,
    ):
        await owner.execute(_ALL_OR_NOTHING)
        earliest = since or datetime.min.replace(tzinfo=UTC)
        rows = await (await owner.execute(_READ, (earliest,))).fetchall()
        await record(owner, "feedback", len(rows))
    return [{name: _plain(row[name]) for name in _FIELDS} for row in rows]


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="seconds")
    return value if isinstance(value, int | str | list) else str(value)


def _as_text(rows: Sequence[dict[str, Any]], out: TextIO) -> None:
    for row in rows:
        head = (
            f"{row['given_at']}  {row['rating']:4}  {row['model']}  {row['latency_ms']} ms  "
            f"{len(row['memories'])} memories  {row['team']} {row['user']}"
        )
        out.write(head + "\n")
        if row["reasons"]:
            out.write(f"    {', '.join(row['reasons'])}\n")
        out.writelines(f"    | {line}\n" for line in row["comment"].splitlines())
    counts = Counter(row["rating"] for row in rows)
    out.write(f"{len(rows)} in all: {counts['good']} good, {counts['bad']} bad.\n")


def _as_jsonl(rows: Iterable[dict[str, Any]], out: TextIO) -> None:
    for row in rows:
        out.write(json.dumps(row, ensure_ascii=False) + "\n")


def _as_csv(rows: Iterable[dict[str, Any]], out: TextIO) -> None:
    table = csv.DictWriter(out, _FIELDS, lineterminator="\n")
    table.writeheader()
    for row in rows:
        table.writerow({name: _cell(value) for name, value in row.items()})


def _cell(value: Any) -> Any:
    text = " ".join(value) if isinstance(value, list) else value
    return f"'{text}" if isinstance(text, str) and text.startswith(_FORMULA) else text


_WRITERS: dict[Format, Callable[[Sequence[dict[str, Any]], TextIO], None]] = {
    "text": _as_text,
    "jsonl": _as_jsonl,
    "csv": _as_csv,
}
