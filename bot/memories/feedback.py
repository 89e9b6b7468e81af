"""Ratings of replies, the `feedback` table, and examples: requests whose answer was rated good."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import DictRow
from pydantic import BaseModel

from bot.locale import Language, say
from bot.memories.controls import MemoryControls
from bot.slack.audiences import Audiences
from bot.slack.messages import storable
from bot.users.settings import read_settings
from bot.views.blocks import Payload, button, ephemeral_payload, question_payload
from bot.views.changes import changes_made_payload
from bot.views.examples import example_button, example_form, liked_in
from bot.views.feedback import FeedbackDetails, feedback_form, parse_rating
from bot.views.modal_triggers import SHARE_ACTION
from bot.views.views import SlackView, metadata_of, payload_view, sentence_view
from memory import (
    EPISODE_KIND,
    EXAMPLE_SOURCE,
    ChangeGone,
    Embedder,
    EmbeddingsUnavailable,
    Episode,
    InvalidContent,
    Person,
    Pool,
    add_memory,
    changes_named,
    person_transaction,
    redact_texts,
)

log = logging.getLogger(__name__)

_REQUEST_LIMIT = 240  # characters, which the form of an example shows


@dataclass(frozen=True, slots=True, kw_only=True)
class Feedback:
    """Ratings of replies by the people who asked; others are told that theirs do not count."""

    pool: Pool
    embedder: Embedder
    audiences: Audiences
    controls: MemoryControls
    schemas: Sequence[type[BaseModel]]

    async def clicked(self, person: Person, language: Language, value: str) -> Payload:
        """Store what a click on a button with `value` says; return the thanks for it."""
        if await self._rate(person, value) is None:
            return ephemeral_payload(say(language, "feedback_others"))
        offered = [button(SHARE_ACTION, say(language, "feedback_share_button"), value)]
        _, turn = parse_rating(value)
        if not isinstance(await self._request(person, language, turn), str):
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

    async def example_form(self, person: Person, language: Language, turn: str) -> SlackView:
        """Return the form of the example that a button offers."""
        request = await self._request(person, language, turn)
        if isinstance(request, str):
            return sentence_view(language, "example_title", request)
        return example_form(language, turn, request["words"])

    async def example_saved(
        self, person: Person, language: Language, view: Mapping[str, Any]
    ) -> SlackView:
        """Store the request, and what the person liked, where the request is remembered.

        These are the person's own words; nothing of the answer is stored.
        """
        turn = metadata_of(view)["turn"]
        request = await self._request(person, language, turn)
        if isinstance(request, str):
            return sentence_view(language, "example_title", request)
        words, channel = request["words"], request["channel"]
        where = await self.audiences.view_of(person, channel, request["ts"], request["audience"])

        async def still_there(connection: AsyncConnection[DictRow], _: object) -> None:
            off = (await read_settings(connection, person)).off_reason(self.controls.consent)
            if off or await self._rated_well(connection, person, turn) != request:
                raise ChangeGone("The request was forgotten, or memory switched off, meanwhile.")

        try:
            change = await add_memory(
                self.pool,
                self.embedder,
                where.own,
                EPISODE_KIND,
                {"observation": words, "result": liked_in(view)},
                {
                    "kind": EXAMPLE_SOURCE,
                    "channel": channel,
                    "ts": request["ts"],
                    "evidence": words,
                },
                schemas=self.schemas,
                in_commit=still_there,
            )
        except ChangeGone:
            return sentence_view(language, "example_title", say(language, "example_gone"))
        except (EmbeddingsUnavailable, InvalidContent):
            return sentence_view(language, "example_title", say(language, "command_failed"))
        log.info("a person kept an example")
        entries = await changes_named(self.pool, person, [change.id])
        zone = await self.controls.people.zone(person)
        payload = changes_made_payload(language, entries, zone)
        return payload_view(language, "memory_title", payload)

    async def _request(self, person: Person, language: Language, turn: str) -> DictRow | str:
        """Return the words, channel, ts and audience of a request whose answer was rated as good.

        Else the sentence that says why not: memory is off, or the request was forgotten, is not to
        be remembered, or had a credential in it.
        """
        if off := await self.controls.why_off(person, language):
            return off
        if Episode not in self.schemas:
            return say(language, "example_gone")
        async with person_transaction(self.pool, person) as connection:
            found = await self._rated_well(connection, person, turn)
        return found or say(language, "example_gone")

    async def _rated_well(
        self, connection: AsyncConnection[DictRow], person: Person, turn: str
    ) -> DictRow | None:
        found = await connection.execute(
            "SELECT left(words, %(limit)s) AS words, channel_id AS channel, question_ts AS ts,"
            " audience"
            " FROM turns t JOIN feedback f ON f.turn_id = t.id AND f.rating = 'good'"
            " WHERE t.id = %(turn)s AND t.team_id = %(team)s AND t.user_id = %(user)s"
            " AND words <> '' AND left_out = '{}' AND NOT off_record"
            " AND NOT EXISTS (SELECT FROM forgotten_sources s WHERE s.team_id = %(team)s"
            " AND s.user_id = %(user)s AND channel = channel_id AND ts = question_ts)",
            {"limit": _REQUEST_LIMIT, "turn": UUID(turn), **person.ids},
        )
        return await found.fetchone()


async def end_sharing(connection: AsyncConnection[DictRow], person: Person, turn: UUID) -> None:
    """Share an exchange no longer: its words have changed."""
    await connection.execute(
        "UPDATE feedback SET shared = false WHERE turn_id = %s AND team_id = %s AND user_id = %s",
        (turn, person.team_id, person.user_id),
    )
