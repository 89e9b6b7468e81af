"""Requests under way: nothing is stored once their person was erased or their message changed."""

from __future__ import annotations

from uuid import uuid4

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from memory import NO_FORGETTING, MemoryOff, Person, Pool, person_transaction

_LONGEST = "1 hour"


class MessageChanged(Exception):
    """The message of a request was edited or deleted since the request began."""


async def begin_request(pool: Pool, person: Person, *, channel: str = "", ts: str = "") -> str:
    """Store that a request begins, before a model is called; return its id for `check_request`.

    `channel` and `ts` name the message that it is about, if there is one. The request is a row in
    `notices` for an hour. Erasing the person deletes it; no other row says so, because settings are
    there again as soon as Slack is asked who the person is.
    """
    request = f"{_about(channel, ts)}{uuid4()}"
    async with person_transaction(pool, person) as connection:
        await connection.execute(
            "INSERT INTO notices (team_id, user_id, kind, event_id, expires_at)"
            f" SELECT %s, %s, %s, 0, now() + interval '{_LONGEST}' WHERE {NO_FORGETTING}",
            (person.team_id, person.user_id, request, person.prefix),
        )
    return request


async def note_message_changed(
    connection: AsyncConnection[DictRow], person: Person, channel: str, ts: str
) -> None:
    """Record that a message was edited or deleted in the requests about it that are under way.

    Waits for a transaction that has checked such a request: the next statement of the caller's
    transaction sees what that one stored.
    """
    await connection.execute(
        "UPDATE notices SET event_id = 1 WHERE team_id = %s AND user_id = %s"
        " AND starts_with(kind, %s)",
        (person.team_id, person.user_id, _about(channel, ts)),
    )


async def check_request(connection: AsyncConnection[DictRow], person: Person, request: str) -> None:
    """Check a request in the transaction that stores what came of it.

    Raises `memory.MemoryOff` if the person was erased since it began, and `MessageChanged` if its
    message was edited or deleted. Until the transaction ends `note_message_changed` waits.
    """
    found = await connection.execute(
        "SELECT event_id FROM notices WHERE team_id = %s AND user_id = %s AND kind = %s FOR UPDATE",
        (person.team_id, person.user_id, request),
    )
    row = await found.fetchone()
    if row is None:
        raise MemoryOff("The person was erased meanwhile.")
    if row["event_id"]:
        raise MessageChanged


def _about(channel: str, ts: str) -> str:
    return f"request {channel} {ts} " if ts else "request "
