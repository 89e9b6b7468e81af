"""Export of a person's memories as one document; docs/reference/export.md has the format."""

from __future__ import annotations

from memory.model.namespace import Person
from memory.model.text import Json
from memory.postgres.database import Pool, person_transaction
from memory.postgres.statements import load_statements
from memory.store.hidden import seeing_states

FORMAT = "kioku-export"
VERSION = 1
_SQL = load_statements("memory", "export")


async def export_memories(pool: Pool, person: Person) -> Json:
    """Return the stored data about a person's memories as one document.

    Besides its `format` and `version` it has `memories` (oldest first), `statements` (what was said
    about them, also questions and what was not remembered), and `forgotten`: ids of
    messages whose memories were forgotten.
    """
    document: Json = {"format": FORMAT, "version": VERSION}
    async with (
        person_transaction(pool, person) as transaction,
        seeing_states(transaction),
    ):
        for name in ("memories", "statements", "forgotten"):
            rows = await transaction.fetch(_SQL[name])
            document[name] = [row["row"] for row in rows]
    return document
