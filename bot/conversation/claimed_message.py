"""A message that a worker answers, what ends its answer early, and who is refused one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import LiteralString
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from bot.slack.messages import Message
from memory import Pool
from memory.postgres import person_transaction

OPEN: LiteralString = "status IN ('waiting', 'answering')"
"""Condition: a message is still to be answered, by this or another worker."""
STILL_OURS: LiteralString = "id = %s AND attempts = %s"
"""Condition: no other worker answers the message; its parameters: `ClaimedMessage.ownership`."""
FLAGS: LiteralString = "SELECT attempts, status, revision, interrupted FROM messages WHERE id = %s"


class Interrupted(Exception):
    """The running answer must end."""


class Stopped(Interrupted):
    """The person pressed Stop; the text written so far is kept."""


class Withdrawn(Interrupted):
    """The person deleted the message; its answer is deleted, too."""


class Edited(Interrupted):
    """The person edited the message; the answer is written again for the new text."""


class Superseded(Interrupted):
    """Another worker took the message over; this one must write nothing more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedMessage:
    """A stored message that is to be answered, with the counts of its earlier attempts.

    Of the `earlier_attempts`, `failures` ended in an error; in `crashes` the process died.
    `revision` numbers the edits of the text. `begun`: an earlier attempt began its turn; `replied`:
    it posted something. `unserved`: the workspace has removed the app since. `waited`: seconds
    since it was stored, or edited last, when this attempt began.

    `more`: its thread held other messages to handle when this attempt began.
    """

    id: UUID
    message: Message
    earlier_attempts: int = 0
    failures: int = 0
    crashes: int = 0
    revision: int = 0
    begun: bool = False
    replied: bool = False
    more: bool = True
    unserved: bool = False
    waited: float = 0.0

    @property
    def attempt_number(self) -> int:
        """The number of this attempt, which the row's `attempts` equals while this worker owns it.

        A worker that finds another number there was superseded, and must write nothing more.
        """
        return self.earlier_attempts + 1

    @property
    def ownership(self) -> tuple[UUID, int]:
        """The parameters of `STILL_OURS`."""
        return self.id, self.attempt_number


async def check_ownership(connection: AsyncConnection[DictRow], claimed: ClaimedMessage) -> None:
    """Read the message again; raise `Interrupted` if its state ends the answer."""
    found = await connection.execute(FLAGS, (claimed.id,))
    raise_if_changed(await found.fetchone(), claimed)


def superseded() -> Superseded:
    """Return the exception that ends this attempt because another worker answers the message."""
    return Superseded("Another worker answers the message now.")


def raise_if_changed(row: DictRow | None, claimed: ClaimedMessage) -> None:
    """Raise `Interrupted` if `row`, the current state of the message, ends the answer."""
    # No row: it was erased meanwhile, and no other worker has it.
    if row is None:
        return
    if row["attempts"] != claimed.attempt_number:
        raise superseded()
    if row["status"] == "gone":
        raise Withdrawn("The person deleted the message.")
    if row["status"] not in ("waiting", "answering"):
        return
    if row["revision"] != claimed.revision:
        raise Edited("The person edited the message.")
    if row["interrupted"]:
        raise Stopped("The person pressed Stop.")


async def claim_refusal(pool: Pool, claimed: ClaimedMessage, refusal: str, seconds: float) -> bool:
    """Return whether to show `refusal` to the person; start its period of `seconds`.

    `refusal` is the key of a quota's sentence (``quota_messages``), ``model_away`` for an interim
    reply, or what the policy refuses with the conversation. Until the period ends only the same
    message gets True again, because an earlier attempt at it may have failed before the sentence
    was sent.
    """
    person = claimed.message.person
    async with person_transaction(pool, person) as connection:
        inserted = await connection.execute(
            "INSERT INTO notices AS known (team_id, user_id, kind, message_id, expires_at)"
            " VALUES (%s, %s, %s, %s, now() + make_interval(secs => %s))"
            " ON CONFLICT (team_id, user_id, kind) DO UPDATE SET message_id = excluded.message_id,"
            " expires_at = GREATEST(known.expires_at, excluded.expires_at)"
            " WHERE known.expires_at < now() OR known.message_id = excluded.message_id RETURNING 1",
            (person.team_id, person.user_id, refusal, str(claimed.id), seconds),
        )
        return await inserted.fetchone() is not None
