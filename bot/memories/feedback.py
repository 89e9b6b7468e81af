"""Ratings of replies: the `feedback` table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from bot.locale import Language, say
from bot.memories.examples import Examples
from bot.slack.messages import storable
from bot.views.blocks import Payload, button, ephemeral_payload, question_payload
from bot.views.examples import example_button
from bot.views.feedback import FeedbackDetails, feedback_form, parse_rating
from bot.views.modal_triggers import SHARE_ACTION
from bot.views.views import SlackView, metadata_of, sentence_view
from memory import Person, Pool, person_transaction, redact_texts


@dataclass(frozen=True, slots=True)
class Feedback:
    """Ratings of replies by the people who asked; others are told that theirs do not count."""

    pool: Pool
    examples: Examples

    async def clicked(self, person: Person, language: Language, value: str) -> Payload:
        """Store what a click on a button with `value` says; return the thanks for it."""
        if await self._rate(person, value) is None:
            return ephemeral_payload(say(language, "feedback_others"))
        offered = [button(SHARE_ACTION, say(language, "feedback_share_button"), value)]
        _, turn = parse_rating(value)
        if await self.examples.can_be_kept(person, turn):
            offered.insert(0, example_button(language, turn))
        return question_payload(say(language, "feedback_thanks"), *offered)

    async def form(self, person: Person, language: Language, value: str) -> SlackView:
        """Store a rating at once, and return the form that asks for more."""
        given = await self._rate(person, value)
        if given is None:
            return sentence_view(language, "feedback_title", say(language, "feedback_others"))
        return feedback_form(language, value, given)

    async def explained(
        self, person: Person, language: Language, view: Mapping[str, Any]
    ) -> SlackView:
        """Store what a submitted form says; return the thanks."""
        rating, turn = parse_rating(metadata_of(view)["rating"])
        from_form = FeedbackDetails.read(view)
        [comment] = await redact_texts(storable(from_form.comment))
        async with person_transaction(self.pool, person) as connection:
            done = await connection.execute(
                "UPDATE feedback SET rating = %s, reasons = %s, comment = %s, shared = %s,"
                " changed_at = now()"
                " WHERE turn_id = %s AND team_id = %s AND user_id = %s",
                (
                    rating,
                    list(from_form.reasons),
                    comment.text,
                    from_form.shared,
                    UUID(turn),
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
                " RETURNING reasons, comment, shared",
                {**person.ids, "rating": rating, "turn": UUID(turn)},
            )
            row = await found.fetchone()
        if row is None:
            return None
        return FeedbackDetails(**{**row, "reasons": tuple(row["reasons"])})
