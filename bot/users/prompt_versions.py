"""Approved texts for the sections of prompts that may change: `prompt_versions`, by workspace."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, LiteralString
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from bot.locale import say
from bot.types import PromptVersion
from bot.views.feedback import REASONS
from bot.views.modal_triggers import GOOD
from memory import (
    FORMATION_SECTION,
    Pool,
    RatedExchange,
    execute_statement,
    transaction,
)

REPLY_STYLE = """\
Answer the person's last message in the language of that message. Be brief and concrete; write \
Markdown. Use what you remember where it is relevant, without reciting it."""
BUILT_IN: Final[Mapping[str, str]] = {"style": REPLY_STYLE, "formation": FORMATION_SECTION}
"""The sections that a version replaces, by the name of their column, as they are without one."""

ACTIVE_STYLE: LiteralString = (
    "(SELECT style FROM prompt_versions WHERE team_id = %(team)s AND status = 'active')"
)
ACTIVE_FORMATION: LiteralString = (
    "(SELECT formation FROM prompt_versions WHERE team_id = %(team)s AND status = 'active')"
)
"""Expressions for statements that a turn and a formation send anyway; NULL: as built in."""

_LONGEST = 3_000  # characters of a question or an answer, as the optimizer is shown it
# The status that one of these takes the place of, and its name in the changelog.
_DECISIONS = {
    "active": ("proposed", "approved"),
    "rejected": ("proposed", "rejected"),
    "refused": ("proposed", "refused"),
    "replaced": ("active", "rolled back"),
}


def _sections(row: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    return {name: row[prefix + name] or text for name, text in BUILT_IN.items()}


def _stored(sections: Mapping[str, str]) -> list[str | None]:
    return [sections[name] if sections[name] != text else None for name, text in BUILT_IN.items()]


async def read_shared(
    pool: Pool, team_id: str, version: UUID | None = None, *, limit: int | None = None
) -> list[tuple[DictRow, RatedExchange]]:
    """Return a workspace's shared exchanges with their rows, newest first.

    With `version` only those that it was made from. The sentences of the reasons take the place of
    their names.
    """
    rows = await execute_statement(
        pool,
        "SELECT * FROM shared_exchanges(%s, %s) ORDER BY given_at DESC, turn_id LIMIT %s",
        (team_id, version, limit),
    )
    return [(row, _exchange(row)) for row in rows]


def _exchange(row: Mapping[str, Any]) -> RatedExchange:
    reasons = [say("en", REASONS[reason]) for reason in row["reasons"] if reason in REASONS]
    return RatedExchange(
        question=row["question"][:_LONGEST],
        reply=row["reply"][:_LONGEST],
        good=row["rating"] == GOOD,
        reasons="\n".join(reasons),
        comment=row["comment"],
    )


async def active_sections(pool: Pool, team_id: str) -> tuple[UUID | None, dict[str, str]]:
    """Return the id of a workspace's active version, and the sections in use."""
    found = await execute_statement(
        pool,
        "SELECT id, style, formation FROM prompt_versions WHERE team_id = %s AND status = 'active'",
        (team_id,),
    )
    return next(((row["id"], _sections(row)) for row in found), (None, dict(BUILT_IN)))


async def propose(
    connection: AsyncConnection[DictRow],
    team_id: str,
    sections: Mapping[str, str],
    *,
    based_on: UUID | None,
    kind: str,
    cases: Sequence[UUID],
    effect: Mapping[str, int] | None,
    by: str,
) -> UUID:
    """Store a proposal; return its id."""
    measured = Jsonb(effect) if effect else None
    added = await connection.execute(
        "INSERT INTO prompt_versions (team_id, based_on, kind, cases, effect, style, formation)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s) RETURNING id",
        (team_id, based_on, kind, list(cases), measured, *_stored(sections)),
    )
    [row] = await added.fetchall()
    await _log(connection, team_id, row["id"], "proposed", by)
    return UUID(str(row["id"]))


async def find_version(pool: Pool, team_id: str, version: str) -> PromptVersion | None:
    """Return a version of a workspace. Raises `ValueError` for what is no id."""
    rows = await execute_statement(
        pool,
        "SELECT v.id, v.team_id, v.status, cardinality(v.cases) AS cases, v.effect, v.style,"
        " v.formation, b.style AS base_style, b.formation AS base_formation"
        " FROM prompt_versions v LEFT JOIN prompt_versions b ON b.id = v.based_on"
        " WHERE v.id = %s AND v.team_id = %s",
        (UUID(version), team_id),
    )
    if not rows:
        return None
    [row] = rows
    own = {name: row[name] for name in ("id", "team_id", "status", "cases", "effect")}
    return PromptVersion(**own, sections=_sections(row), base=_sections(row, "base_"))


async def decide(pool: Pool, team_id: str, version: UUID, status: str, *, by: str) -> bool:
    """Approve (``active``), reject, refuse or roll back (``replaced``) a version.

    False if that is no longer possible: another decision came first, or, for an approval, another
    version is in use than the one it was based on. A roll-back uses that one again. Both count from
    the next message on.
    """
    needed, action = _DECISIONS[status]
    async with transaction(pool) as connection:
        found = await connection.execute(
            "SELECT id, status, based_on FROM prompt_versions WHERE team_id = %s"
            " ORDER BY id FOR UPDATE",
            (team_id,),
        )
        rows = {row["id"]: row for row in await found.fetchall()}
        active = next((name for name, row in rows.items() if row["status"] == "active"), None)
        if version not in rows or rows[version]["status"] != needed:
            return False
        base = rows[version]["based_on"]
        if status == "active" and active != base:
            return False
        if status == "active":
            await _set_status(connection, base, "replaced")
        await _set_status(connection, version, status)
        if status == "replaced":
            await _set_status(connection, base, "active")
        await _log(connection, team_id, version, action, by)
    return True


async def _set_status(
    connection: AsyncConnection[DictRow], version: UUID | None, status: str
) -> None:
    await connection.execute(
        "UPDATE prompt_versions SET status = %s WHERE id = %s", (status, version)
    )


async def edit(
    connection: AsyncConnection[DictRow],
    version: PromptVersion,
    sections: Mapping[str, str],
    *,
    by: str,
) -> UUID | None:
    """Propose other texts in place of a proposal, with unknown effect; None if it is decided."""
    added = await connection.execute(
        "WITH old AS (UPDATE prompt_versions SET status = 'edited' WHERE id = %s"
        " AND status = 'proposed' RETURNING team_id, based_on, kind, cases)"
        " INSERT INTO prompt_versions (team_id, based_on, kind, cases, style, formation)"
        " SELECT team_id, based_on, kind, cases, %s, %s FROM old RETURNING id",
        (version.id, *_stored(sections)),
    )
    row = await added.fetchone()
    if row is None:
        return None
    await _log(connection, version.team_id, version.id, "edited", by)
    await _log(connection, version.team_id, row["id"], "proposed", by)
    return UUID(str(row["id"]))


async def _log(
    connection: AsyncConnection[DictRow], team_id: str, version: UUID, action: str, by: str
) -> None:
    await connection.execute(
        "INSERT INTO prompt_changes (team_id, version, action, changed_by) VALUES (%s, %s, %s, %s)",
        (team_id, version, action, by),
    )
