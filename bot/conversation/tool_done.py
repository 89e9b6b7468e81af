"""Changes that tools made while a message was answered: `turns.tool_done`.

It is written in the transaction of each change, and deleted once the person has been shown it. So
another attempt at the answer, after an edit or a crash, shows the Undo of the earlier one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, LiteralString
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from memory import Person, Pool, person_statement

_IN_NOTICE: LiteralString = "tool_done - 'changes' - 'questions'"
AFTER_TURN: LiteralString = (
    "NULLIF(CASE WHEN %s THEN '{}' ELSE tool_done - 'changes' - 'questions' END"
    " || jsonb_strip_nulls(jsonb_build_object("
    "'changes', NULLIF((tool_done->'changes') - %s::text[], '[]'),"
    " 'questions', NULLIF((tool_done->'questions') - %s::text[], '[]'))), '{}')"
)
"""The column after a turn has ended: what the person has not been shown, null for nothing.

The parameters are whether they were shown the settings, and the ids of changes and of questions in
the turn's notice. Others are there if Stop came while a tool's transaction was being committed.
"""


async def store_settings(
    connection: AsyncConnection[DictRow], turn: UUID, settings: Mapping[str, Any]
) -> None:
    """Store how tools have changed settings: the fields of a `ToolChanges`."""
    await connection.execute(
        "UPDATE turns SET tool_done = COALESCE(tool_done, '{}') || %s WHERE id = %s",
        (Jsonb(dict(settings)), turn),
    )


async def store_ids(
    connection: AsyncConnection[DictRow],
    turn: UUID,
    changes: Sequence[UUID],
    questions: Sequence[UUID],
) -> None:
    """Store the ids of changes that tools made to memories, and of the questions they left open."""
    added: LiteralString = "COALESCE(tool_done->%s, '[]') || %s"
    await connection.execute(
        "UPDATE turns SET tool_done = COALESCE(tool_done, '{}')"
        f" || jsonb_build_object('changes', {added}, 'questions', {added}) WHERE id = %s",
        (
            *("changes", Jsonb([str(one) for one in changes])),
            *("questions", Jsonb([str(one) for one in questions])),
            turn,
        ),
    )


async def note_in_notice(connection: AsyncConnection[DictRow], person: Person, turn: UUID) -> None:
    """Delete the ids of changes and questions of a turn: a notice was added that shows them."""
    await connection.execute(
        f"UPDATE turns SET tool_done = {_IN_NOTICE}"
        " WHERE id = %s AND team_id = %s AND user_id = %s",
        (turn, person.team_id, person.user_id),
    )


async def note_shown(pool: Pool, person: Person, turn: UUID, shown: Mapping[str, Any]) -> None:
    """Delete what tools have changed in a turn, unless its settings differ from those `shown`."""
    await person_statement(
        pool,
        person,
        "UPDATE turns SET tool_done = NULL WHERE id = %s AND team_id = %s AND user_id = %s"
        f" AND {_IN_NOTICE} = %s::jsonb - 'changes' - 'questions'",
        (turn, person.team_id, person.user_id, Jsonb(dict(shown))),
    )


def ids_of(tool_done: Mapping[str, Any], name: str) -> list[UUID]:
    """Return the ids of ``changes`` or ``questions`` that `store_ids` has stored."""
    return [UUID(one) for one in tool_done.get(name) or []]
