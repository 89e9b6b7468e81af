"""Limits how often people use Kioku, and tracks requests under way, which an erasure ends."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

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
    person_statement,
    transaction,
)

_SQL = load_statements("bot", "access")
_TOLD = load_statements("bot", "told")
_REQUESTS = load_statements("bot", "requests")

MODEL_AWAY = "model_away"
"""The name of an interim reply, for `claim_telling`."""
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


async def claim_telling(
    pool: Pool, person: Person, message_id: UUID, what: str, seconds: float
) -> bool:
    """Return whether to tell the person a sentence now; start its period of `seconds`.

    `what` names the sentence: its key, `MODEL_AWAY` for an interim reply, or the policy's refusal
    followed by the conversation. Until the period ends only the same message gets True again,
    because an earlier attempt at it may have failed before the sentence was sent.
    """
    values = {"kind": what, "message": message_id, "seconds": seconds}
    return bool(await person_statement(pool, person, _TOLD["claim"], values))


async def end_interim_period(
    transaction: PersonTransaction, *, below: UUID | None = None
) -> None:
    """End the period of the person's interim reply, in the caller's transaction.

    With `below` it ends only if that reply is below this message, with which it was deleted.
    """
    values = {"kind": MODEL_AWAY, "message": below}
    await transaction.execute(_TOLD["end"], values)


class AlreadyUnderWay(Exception):
    """The same thing is already being done for the same person."""


class UnderWay:
    """What people's clicks are doing in this process now, so that each thing is done only once."""

    def __init__(self) -> None:
        self._names: set[str] = set()

    @contextmanager
    def once(self, name: str) -> Iterator[None]:
        """Hold `name` during the block. Raises `AlreadyUnderWay` if it is held already."""
        if name in self._names:
            raise AlreadyUnderWay
        self._names.add(name)
        try:
            yield
        finally:
            self._names.discard(name)


class Overtaken(Exception):
    """Since a request began, its person was erased, or its message was edited or deleted."""


async def begin_request(
    pool: Pool, person: Person, *, channel: str = "", ts: str = ""
) -> str:
    """Store that a request begins, before a model is called; return its id for `check_request`.

    `channel` and `ts` name the message that it is about, if there is one. The request is a row in
    `requests_under_way` for an hour. Erasing the person deletes it. No other row shows an erasure,
    because settings are stored again as soon as Slack is asked who the person is.
    """
    request = str(uuid4())
    async with transaction(
        pool, person.settings, lock=person.prefix, shared=True
    ) as connection:
        values = {**person.ids, "id": request, "channel": channel, "ts": ts}
        await connection.execute(_REQUESTS["begin"], values)
    return request


async def note_message_changed(
    transaction: PersonTransaction, channel: str, ts: str
) -> None:
    """Record in the requests about a message that are under way that it was edited or deleted.

    It waits for a transaction that has checked such a request, so the next statement of the
    caller's transaction sees what that one stored.
    """
    values = {"channel": channel, "ts": ts}
    await transaction.execute(_REQUESTS["note_message_changed"], values)


async def check_request(transaction: PersonTransaction, request: str) -> None:
    """Check a request in the transaction that stores its result.

    Raises `Overtaken`. Until the transaction ends `note_message_changed` waits.
    """
    found = await transaction.fetch(_REQUESTS["check"], {"id": request})
    if not found or found[0]["changed"]:
        raise Overtaken
