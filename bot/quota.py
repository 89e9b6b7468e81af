"""How many messages and requests of a person are answered in an hour."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from uuid import UUID

from psycopg.rows import DictRow

from bot.config import Settings
from bot.locale import Localizer
from memory import Person, Pool
from memory.metrics import step
from memory.postgres import (
    Connection,
    PersonTransaction,
    Query,
    fetch_rows,
    load_statements,
    transaction,
)

_SQL = load_statements("bot", "quota")

QUESTIONS_AN_HOUR = 20
"""How many questions about colleagues a person may ask."""


class QuotaExceeded(Exception):
    """The person has used up the `limit` messages and requests of an hour; retry in `seconds`."""

    def __init__(self, limit: int, seconds: float) -> None:
        super().__init__("A person's messages of an hour are used up.")
        self.limit = limit
        self.seconds = seconds

    def refusal(self, localizer: Localizer) -> str:
        """Return the sentence for a request that was not carried out."""
        return localizer.say(
            "limit_reached",
            limit=self.limit,
            until=self.until(localizer),
        )

    def until(self, localizer: Localizer) -> str:
        """Return when the person may ask again, on their clock.

        Seconds are not shown, so this is the minute after the one in which they may.
        """
        moment = datetime.now(UTC) + timedelta(seconds=self.seconds + 60)
        return localizer.minute(moment)


@step("quotas")
async def admit(pool: Pool, settings: Settings, person: Person) -> None:
    """Count a request that makes the app call a model and is not a message in the inbox.

    The person's messages, edits and requests of the last hour count, for all replicas together.
    Call this right before the model is called. Raises `QuotaExceeded`; then the request is not
    counted and must not be carried out.
    """
    limit = settings.person_messages_per_hour
    if not limit:
        return
    async with _counting(pool, person) as connection:
        values = {**person.ids, "limit": limit}
        rows = await fetch_rows(connection, _SQL["seconds_to_wait"], values)
        _raise_if_used_up(rows, limit)
        await connection.execute(_SQL["count_request"], {**person.ids, "ts": None})


async def admit_question(pool: Pool, person: Person) -> bool:
    """Count a question about a colleague; False if those of the hour are used up."""
    values = {**person.ids, "most": QUESTIONS_AN_HOUR}
    async with _counting(pool, person) as connection:
        counted = await connection.execute(_SQL["count_question"], values)
    return counted.rowcount > 0


def quota_queries(settings: Settings, person: Person, message_id: UUID) -> list[Query]:
    """Return the query for what `check_quota` reads for a message; none without a limit."""
    limit = settings.person_messages_per_hour
    if not limit:
        return []
    values = {**person.ids, "id": message_id, "limit": limit}
    return [Query(_SQL["seconds_to_wait_with_message"], values)]


def check_quota(settings: Settings, found: Iterable[Sequence[DictRow]]) -> None:
    """Raise `QuotaExceeded` if the hour before a message, or its last edit, was used up.

    `found` has the rows of `quota_queries`. There is none for a request to POST /ask, which `admit`
    counts and which is not stored yet.
    """
    for rows in found:
        _raise_if_used_up(rows, settings.person_messages_per_hour)


async def note_edit(transaction: PersonTransaction, changed_ts: str) -> None:
    """Count an edit that makes a message be answered anew, by the ts of its event."""
    await transaction.execute(_SQL["count_request"], {"ts": changed_ts})


def _counting(pool: Pool, person: Person) -> AbstractAsyncContextManager[Connection]:
    """Open a transaction of the person; a second one waits for the first, and counts it."""
    return transaction(pool, person.settings, lock=f"requests of {person.prefix}")


def _raise_if_used_up(rows: Iterable[DictRow], limit: int) -> None:
    """Raise `QuotaExceeded` if a row has seconds to wait."""
    for row in rows:
        if row["seconds"] is not None:
            raise QuotaExceeded(limit, row["seconds"])
