"""Ratings of replies: the `feedback` table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from bot.locale import Language, say
from bot.slack.text import storable
from bot.views.blocks import Payload, ephemeral_payload
from bot.views.feedback import FeedbackDetails, feedback_form, parse_rating
from bot.views.views import SlackView, metadata_of, sentence_view
from memory import Person, Pool, person_transaction, redact_texts


@dataclass(frozen=True, slots=True)
class Feedback:
    """Ratings of replies by those who asked. Nobody else's counts: they are told so."""

    pool: Pool

    async def clicked(self, person: Person, language: Language, value: str) -> Payload:
        """Store what a click on a button with `value` says; return the thanks for it."""
        stored = await self._rate(person, value)
        return ephemeral_payload(say(language, "feedback_thanks" if stored else "feedback_others"))

    async def asked_why(self, person: Person, language: Language, value: str) -> SlackView:
        """Store a bad rating at once, and return the form that asks for its reasons."""
        given = await self._rate(person, value)
        if given is None:
            return sentence_view(language, "feedback_title", say(language, "feedback_others"))
        return feedback_form(language, parse_rating(value)[1], given)

    async def explained(
        self, person: Person, language: Language, view: Mapping[str, Any]
    ) -> SlackView:
        """Store the reasons and comment of a submitted form; return the thanks."""
        from_form = FeedbackDetails.read(view)
        [comment] = await redact_texts(storable(from_form.comment))
        async with person_transaction(self.pool, person) as connection:
            done = await connection.execute(
                "UPDATE feedback SET rating = 'bad', reasons = %s, comment = %s, changed_at = now()"
                " WHERE turn_id = %s AND team_id = %s AND user_id = %s",
                (
                    list(from_form.reasons),
                    comment.text,
                    UUID(metadata_of(view)["turn"]),
                    person.team_id,
                    person.user_id,
                ),
            )
        # The turn was erased, or grew too old, while the form was open.
        key = "feedback_thanks" if done.rowcount else "feedback_too_late"
        return sentence_view(language, "feedback_title", say(language, key))

    async def _rate(self, person: Person, value: str) -> FeedbackDetails | None:
        """Store a rating; a second one takes the place of the first, reasons of a bad one stay.

        None where the turn is not this person's, or not there any more.
        """
        rating, turn = parse_rating(value)
        async with person_transaction(self.pool, person) as connection:
            found = await connection.execute(
                "INSERT INTO feedback AS f"
                " (turn_id, team_id, user_id, rating, model, latency_ms, memories)"
                " SELECT id, team_id, user_id, %(rating)s, model, COALESCE(latency_ms, 0), recalled"
                " FROM turns WHERE id = %(turn)s AND team_id = %(team)s AND user_id = %(user)s"
                " AND model IS NOT NULL"
                " ON CONFLICT (turn_id) DO UPDATE SET rating = excluded.rating, changed_at = now(),"
                " model = excluded.model, latency_ms = excluded.latency_ms,"
                " memories = excluded.memories,"
                " reasons = CASE excluded.rating WHEN 'bad' THEN f.reasons ELSE '{}' END,"
                " comment = CASE excluded.rating WHEN 'bad' THEN f.comment ELSE '' END"
                " RETURNING reasons, comment",
                {
                    "rating": rating,
                    "turn": UUID(turn),
                    "team": person.team_id,
                    "user": person.user_id,
                },
            )
            row = await found.fetchone()
        return (
            FeedbackDetails(reasons=_known(row["reasons"]), comment=row["comment"]) if row else None
        )


def _known(reasons: Sequence[str]) -> tuple[str, ...]:
    return tuple(str(reason) for reason in reasons)
