"""Refusals that a person sees once in a period: the `notices` table."""

from __future__ import annotations

from bot.conversation.claimed_message import ClaimedMessage
from memory import Pool, person_transaction


async def claim_refusal(pool: Pool, claimed: ClaimedMessage, refusal: str, seconds: float) -> bool:
    """Return whether to show `refusal` to the person; start its period of `seconds`.

    `refusal` is the key of a quota's sentence (``quota_messages``), or what the policy refuses
    with the conversation. Until the period ends only the same message gets True again, because
    an earlier attempt at it may have failed before the sentence was sent.
    """
    person = claimed.message.person
    async with person_transaction(pool, person) as connection:
        inserted = await connection.execute(
            "INSERT INTO notices AS known (team_id, user_id, kind, event_id, expires_at)"
            " VALUES (%s, %s, %s, %s, now() + make_interval(secs => %s))"
            " ON CONFLICT (team_id, user_id, kind) DO UPDATE SET event_id = CASE"
            " WHEN known.expires_at < now() THEN excluded.event_id ELSE known.event_id END,"
            " expires_at = GREATEST(known.expires_at, excluded.expires_at)"
            " RETURNING event_id",
            (person.team_id, person.user_id, refusal, claimed.id, seconds),
        )
        [row] = await inserted.fetchall()
    return bool(row["event_id"] == claimed.id)
