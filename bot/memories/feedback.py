"""Ratings of replies: the `feedback` table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from bot.locale import Language, say
from bot.views.blocks import Payload, ephemeral_payload
from bot.views.feedback import feedback_form, parse_rating, read_comment
from bot.views.views import SlackView, metadata_of, sentence_view
from memory import Person, Pool, person_transaction, redact_texts


@dataclass(frozen=True, slots=True)
class Feedback:
    """Ratings of replies by the people who asked; others are told that theirs do not count."""

    pool: Pool

    async def clicked(self, person: Person, language: Language, value: str) -> Payload | None:
        """Store what a click on a button with `value` says; it is answered to other people only."""
        if await self._rate(person, value) is None:
            return ephemeral_payload(say(language, "feedback_others"))
        return None

    async def form(self, person: Person, language: Language, value: str) -> SlackView:
        """Store a rating at once, and return the form that asks for a comment."""
        comment = await self._rate(person, value)
        if comment is None:
            return sentence_view(language, "feedback_title", say(language, "feedback_others"))
        _, turn = parse_rating(value)
        return feedback_form(language, turn, comment)

    async def explained(
        self, person: Person, language: Language, view: Mapping[str, Any]
    ) -> SlackView:
        """Store the comment of a submitted form; return the thanks."""
        [comment] = await redact_texts(read_comment(view))
        async with person_transaction(self.pool, person) as connection:
            done = await connection.execute(
                "UPDATE feedback SET rating = 'bad', comment = %s, changed_at = now()"
                " WHERE turn_id = %s AND team_id = %s AND user_id = %s",
                (comment.text, UUID(metadata_of(view)["turn"]), person.team_id, person.user_id),
            )
        # The turn was erased, or grew too old, while the form was open.
        key = "feedback_thanks" if done.rowcount else "feedback_too_late"
        return sentence_view(language, "feedback_title", say(language, key))

    async def _rate(self, person: Person, value: str) -> str | None:
        """Store a rating; a second one takes the place of the first. Return the comment so far.

        None where the turn is not this person's, or not there any more.
        """
        rating, turn = parse_rating(value)
        async with person_transaction(self.pool, person) as connection:
            found = await connection.execute(
                "INSERT INTO feedback AS f (turn_id, team_id, user_id, rating)"
                " SELECT id, team_id, user_id, %(rating)s"
                " FROM turns WHERE id = %(turn)s AND team_id = %(team)s AND user_id = %(user)s"
                " AND model IS NOT NULL"
                " ON CONFLICT (turn_id) DO UPDATE SET rating = excluded.rating, changed_at = now(),"
                " comment = CASE excluded.rating WHEN 'bad' THEN f.comment ELSE '' END"
                " RETURNING comment",
                {**person.ids, "rating": rating, "turn": UUID(turn)},
            )
            row = await found.fetchone()
        return None if row is None else str(row["comment"])
