"""A message that a worker answers: how its turn begins and ends in its row, and what ends it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, LiteralString
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from bot.slack.messages import Message
from memory.postgres import NO_FORGETTING

OPEN: LiteralString = "status IN ('waiting', 'answering')"
"""Condition: a message is still to be answered, by this or another worker."""
STILL_OURS: LiteralString = "id = %s AND attempts = %s"
"""Condition: no other worker answers the message; its parameters: `ClaimedMessage.ownership`."""
THREAD_SETTING = "kioku.thread"
FLAGS: LiteralString = "SELECT attempts, status, revision, interrupted FROM messages WHERE id = %s"


# A fixed sentence that replaces an earlier answer stores no texts, and deletes none.
_KEPT: LiteralString = "ended_at IS NOT NULL AND %(kept)s AND %(question)s = '' AND %(words)s = ''"
_BEGIN: LiteralString = (
    "WITH earlier AS (SELECT begun_at AS begun, extract(epoch FROM now() - posting_since)::float8"
    "  AS asked FROM messages WHERE id = %(id)s)"
    " UPDATE messages SET status = 'answering', audience = %(audience)s,"
    " begun_at = COALESCE(begun_at, now()), posting_since = now(), model = NULL,"
    f" question = CASE WHEN {_KEPT} THEN question ELSE %(question)s END,"
    f" words = CASE WHEN {_KEPT} THEN words ELSE %(words)s END FROM earlier"
    f" WHERE id = %(id)s AND attempts = %(attempt)s AND {OPEN}"
    " RETURNING reply_ts, begun IS NOT NULL AS again, asked,"
    " interrupted OR revision <> %(revision)s AS changed"
)
_BEGIN_ASKED: LiteralString = (
    "INSERT INTO messages (id, attempts, team_id, user_id, channel_id, thread, audience, ts,"
    " question, words, status, begun_at) VALUES (%(id)s, %(attempt)s, %(team)s, %(user)s,"
    " %(channel)s, %(thread)s, %(audience)s, %(ts)s, %(question)s, %(words)s, 'answering', now())"
    " RETURNING reply_ts, false AS again, NULL::float8 AS asked, false AS changed"
)


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


def raise_if_changed(row: DictRow | None, claimed: ClaimedMessage) -> None:
    """Raise `Interrupted` if `row`, the current state of the message, ends the answer."""
    # No row: it was erased meanwhile, and no other worker has it.
    if row is None:
        return
    if row["attempts"] != claimed.attempt_number:
        raise Superseded
    if row["status"] == "gone":
        raise Withdrawn("The person deleted the message.")
    if row["status"] not in ("waiting", "answering"):
        return
    if row["revision"] != claimed.revision:
        raise Edited("The person edited the message.")
    if row["interrupted"]:
        raise Stopped("The person pressed Stop.")


def key_of(message: Message) -> dict[str, Any]:
    """Return what names a message in statements: the ids of its event, author, place and thread."""
    return {
        "team": message.team_id,
        "event": message.event_id,
        "user": message.user_id,
        "channel": message.channel_id,
        "ts": message.ts,
        "thread": message.thread,
    }


async def begin(
    connection: AsyncConnection[DictRow],
    claimed: ClaimedMessage,
    audience: str,
    question: str,
    words: str,
    *,
    kept: bool,
) -> DictRow:
    """Store that the turn begins, or begins again: without the rating of its earlier answer.

    Texts that are not to be `kept` are not stored. A message without an event, of POST /ask, is
    stored here. Raises `Interrupted` if the message was deleted or erased, or if another worker
    answers it.
    """
    message = claimed.message
    stored = await connection.execute(
        _BEGIN_ASKED if not message.event_id else _BEGIN,
        {
            **key_of(message),
            "id": claimed.id,
            "attempt": claimed.attempt_number,
            "revision": claimed.revision,
            "audience": audience,
            "question": question if kept else "",
            "words": words if kept else "",
            "kept": kept,
        },
        prepare=True,
    )
    row = await stored.fetchone()
    if row is None:
        await check_ownership(connection, claimed)
        raise Superseded
    if row["again"]:
        await connection.execute("DELETE FROM feedback WHERE turn_id = %s", (claimed.id,))
    return row


async def finish(
    connection: AsyncConnection[DictRow],
    claimed: ClaimedMessage,
    status: Literal["answered", "failed", "stopped", "skipped"],
) -> None:
    """Mark a message as handled and blank its body, in the transaction that ends its turn.

    Waits for a running write of its author's memories: the next statement sees its result.
    Raises `Interrupted` where it was withdrawn or edited meanwhile, or taken over by another
    worker: the turn must not end so.
    """
    finished = await connection.execute(
        "UPDATE messages SET status = %s, message = NULL, worker = NULL, ended_at = now(),"
        " formed_at = CASE WHEN words = '' THEN now() ELSE formed_at END"
        f" WHERE {STILL_OURS} AND revision = %s AND {OPEN} AND {NO_FORGETTING}",
        (status, *claimed.ownership, claimed.revision, claimed.message.person.prefix),
        prepare=True,
    )
    if not finished.rowcount:
        await check_ownership(connection, claimed)
