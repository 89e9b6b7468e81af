"""Deletion of what is due: statements and questions that have ended, and what was forgotten."""

from __future__ import annotations

import logging

from memory.model.namespace import Person
from memory.postgres.database import Pool, execute_statement, person_transaction
from memory.postgres.pool import is_unavailable
from memory.postgres.statements import load_statements
from memory.store.forgetting import EndTexts, no_texts, purge
from memory.store.questions import delete_expired
from memory.store.statements import delete_ended

_log = logging.getLogger(__name__)

_SQL = load_statements("memory", "expiry")
_PEOPLE_AT_ONCE = 500


async def expire_due(pool: Pool, *, end_texts: EndTexts = no_texts) -> None:
    """Delete what is due, for up to `_PEOPLE_AT_ONCE` people.

    A memory with other statements goes back to what those say. What was forgotten more than ten
    minutes ago is deleted with every earlier text. Any number of processes may run this. A
    failure for one person is logged and does not stop the others.
    """
    values = {"most": _PEOPLE_AT_ONCE}
    people = await execute_statement(pool, _SQL["people_with_due"], values)
    for row in people:
        try:
            person = Person(row["team_id"], row["user_id"])
            async with person_transaction(pool, person, locked=True) as transaction:
                await delete_ended(transaction)
                await delete_expired(transaction)
                await purge(transaction, end_texts)
        except Exception as error:
            if is_unavailable(error):
                raise
            # The others must not wait for one person's rows.
            _log.warning("nothing of a person was expired: %s", type(error).__name__)
