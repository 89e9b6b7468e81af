"""How often people may use Kioku; and requests under way, which an erasing ends."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import LiteralString
from uuid import UUID, uuid4

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from bot.config import Settings
from bot.locale import Reader
from memory import MemoryOff, Person, Pool
from memory.metrics import step
from memory.postgres import load_statements, person_statement, person_transaction

_TOLD = load_statements("bot", "told")
_REQUESTS = load_statements("bot", "requests")


class QuotaExceeded(Exception):
    """The person has used up `limit` messages and requests of this hour."""

    def __init__(self, limit: int) -> None:
        super().__init__("A person's messages of this hour are used up.")
        self.limit = limit
        # Until the next hour of the clock.
        self.seconds = 3600 - time.time() % 3600
        self.minutes = max(1, -(-int(self.seconds) // 60))

    def refusal(self, reader: Reader) -> str:
        """Return the sentence for a request, not a message, that was not carried out."""
        return reader.say("limit_requests", limit=self.limit, count=self.minutes)


# An answered message that is edited is answered again: it counts in the hour of its last edit.
_COUNTED: LiteralString = (
    "SELECT COALESCE(sum(1 + other.revision), 0) FROM messages other WHERE other.event_id IS NOT"
    " NULL AND other.team_id = %(team)s AND other.user_id = %(user)s"
)
_MOMENT: LiteralString = "GREATEST(event.received_at, event.edited_at)"
BEFORE: LiteralString = (
    f"({_COUNTED} AND other.received_at > date_trunc('hour', {_MOMENT}) - interval '1 day'"
    f" AND GREATEST(other.received_at, other.edited_at) >= date_trunc('hour', {_MOMENT})"
    " AND (GREATEST(other.received_at, other.edited_at), other.id)"
    f" <= ({_MOMENT}, event.id)) - 1"
    " + (SELECT COALESCE(sum(requests), 0) FROM person_requests counted"
    " WHERE counted.team_id = event.team_id AND counted.user_id = event.user_id"
    f" AND counted.hour = date_trunc('hour', {_MOMENT}))"
)
"""Number of messages, edits and requests of a person in the hour of the message `event`, before it.

Parameters: `memory.Person.ids` of its person.
"""
_WRITTEN: LiteralString = (
    f"({_COUNTED} AND other.received_at > date_trunc('hour', now()) - interval '1 day'"
    " AND GREATEST(other.received_at, other.edited_at) >= date_trunc('hour', now()))"
)
# Checks and counts in one statement: of two at once, the second waits for the row of the first.
_ADMIT: LiteralString = (
    "INSERT INTO person_requests AS known (team_id, user_id, hour, requests)"
    " SELECT %(team)s, %(user)s, date_trunc('hour', now()), 1"
    f" WHERE {_WRITTEN} < %(limit)s ON CONFLICT (team_id, user_id, hour)"
    " DO UPDATE SET requests = known.requests + 1"
    f" WHERE known.requests + {_WRITTEN} < %(limit)s RETURNING 1"
)


@step("quotas")
async def admit(pool: Pool, settings: Settings, person: Person) -> None:
    """Count a request that makes the app call a model and is no message in the inbox.

    A person's messages, by their rows, and requests of an hour of the clock are counted for all
    replicas together. Call it right before the model is called. Raises `QuotaExceeded`; then the
    request is not counted and must not be carried out.
    """
    if limit := settings.person_messages_per_hour:
        values = {**person.ids, "limit": limit}
        if not await person_statement(pool, person, _ADMIT, values):
            raise QuotaExceeded(limit)


async def claim_refusal(
    pool: Pool, person: Person, message_id: UUID, refusal: str, seconds: float
) -> bool:
    """Return whether to show `refusal` to the person; start its period of `seconds`.

    `refusal` is the key of a quota's sentence (``quota_messages``), ``model_away`` for an interim
    reply, or what the policy refuses with the conversation. Until the period ends only the same
    message gets True again, because an earlier attempt at it may have failed before the sentence
    was sent.
    """
    values = {**person.ids, "kind": refusal, "message": message_id, "seconds": seconds}
    return bool(await person_statement(pool, person, _TOLD["claim"], values))


class AlreadyUnderWay(Exception):
    """The same is being done for the same person at the moment."""


class UnderWay:
    """What clicks of people are doing in this process at the moment, each thing once."""

    def __init__(self) -> None:
        self._names: set[str] = set()

    @contextmanager
    def once(self, name: str) -> Iterator[None]:
        """Do what is called so. Raises `AlreadyUnderWay` at once while somebody else does it."""
        if name in self._names:
            raise AlreadyUnderWay
        self._names.add(name)
        try:
            yield
        finally:
            self._names.discard(name)


class NotRemembered(Exception):
    """No memory may be formed from the message any more; `key` is that of the sentence."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


async def begin_request(pool: Pool, person: Person, *, channel: str = "", ts: str = "") -> str:
    """Store that a request begins, before a model is called; return its id for `check_request`.

    `channel` and `ts` name the message that it is about, if there is one. The request is a row in
    `requests_under_way` for an hour. Erasing the person deletes it; no other row says so, because
    settings are there again as soon as Slack is asked who the person is.
    """
    request = str(uuid4())
    async with person_transaction(pool, person, shared=True) as connection:
        values = {**person.ids, "id": request, "channel": channel, "ts": ts}
        await connection.execute(_REQUESTS["begin"], values)
    return request


async def note_message_changed(
    connection: AsyncConnection[DictRow], person: Person, channel: str, ts: str
) -> None:
    """Record that a message was edited or deleted in the requests about it that are under way.

    Waits for a transaction that has checked such a request: the next statement of the caller's
    transaction sees what that one stored.
    """
    values = {**person.ids, "channel": channel, "ts": ts}
    await connection.execute(_REQUESTS["note_message_changed"], values)


async def check_request(connection: AsyncConnection[DictRow], person: Person, request: str) -> None:
    """Check a request in the transaction that stores what came of it.

    Raises `memory.MemoryOff` if the person was erased since it began, and `NotRemembered` if its
    message was edited or deleted. Until the transaction ends `note_message_changed` waits.
    """
    found = await connection.execute(_REQUESTS["check"], {**person.ids, "id": request})
    row = await found.fetchone()
    if row is None:
        raise MemoryOff("The person was erased meanwhile.")
    if row["changed"]:
        raise NotRemembered("remember_changed")
