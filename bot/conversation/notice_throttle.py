"""Notices that a person gets once in a period: the `notices` table."""

from __future__ import annotations

from typing import Literal, TypeAlias

from bot.conversation.inbox import ClaimedMessage
from memory import Pool, person_transaction

# Or a refusal with the conversation it was said in.
NoticeKind: TypeAlias = Literal["share_messages", "share_tokens"] | str


class NoticeThrottle:
    """Lets one notice of each kind through in a period, for each person."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def claim(self, claimed: ClaimedMessage, kind: NoticeKind, seconds: float) -> bool:
        """Return whether a notice of `kind` may be sent now, and start its period of `seconds`.

        Until the period ends only the same message gets True again, because an earlier attempt at
        it may have failed before the notice was sent.
        """
        person = claimed.message.person
        async with person_transaction(self._pool, person) as connection:
            inserted = await connection.execute(
                "INSERT INTO notices AS known (team_id, user_id, kind, event_id, expires_at)"
                " VALUES (%s, %s, %s, %s, now() + make_interval(secs => %s))"
                " ON CONFLICT (team_id, user_id, kind) DO UPDATE SET event_id = CASE"
                " WHEN known.expires_at < now() THEN excluded.event_id ELSE known.event_id END,"
                " expires_at = GREATEST(known.expires_at, excluded.expires_at)"
                " RETURNING event_id",
                (person.team_id, person.user_id, kind, claimed.id, seconds),
            )
            [row] = await inserted.fetchall()
        return bool(row["event_id"] == claimed.id)
