"""Examples: requests whose answer the person rated as good, with what was good about it."""

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
from bot.users.settings import read_settings
from bot.views.changes import changes_made_payload
from bot.views.examples import example_form, liked_in
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
)

log = logging.getLogger(__name__)

_REQUEST_LIMIT = 240  # characters, which the form shows


@dataclass(frozen=True, slots=True, kw_only=True)
class Examples:
    """Stores the person's own words, nothing of the answer, and only when a form is submitted."""

    pool: Pool
    embedder: Embedder
    audiences: Audiences
    controls: MemoryControls
    schemas: Sequence[type[BaseModel]]

    async def can_be_kept(self, person: Person, turn: str) -> bool:
        """Return whether the request of a turn can become an example."""
        return not isinstance(await self._request(person, "en", turn), str)

    async def form(self, person: Person, language: Language, turn: str) -> SlackView:
        """Return the form of the example that a button offers."""
        request = await self._request(person, language, turn)
        if isinstance(request, str):
            return sentence_view(language, "example_title", request)
        return example_form(language, turn, request["words"])

    async def saved(self, person: Person, language: Language, view: Mapping[str, Any]) -> SlackView:
        """Store the request, and what the person liked, where the request is remembered."""
        turn = metadata_of(view)["turn"]
        request = await self._request(person, language, turn)
        if isinstance(request, str):
            return sentence_view(language, "example_title", request)
        words, channel = request["words"], request["channel"]
        where = await self.audiences.view_of(person, channel, request["ts"], request["audience"])

        async def still_there(connection: AsyncConnection[DictRow], _: object) -> None:
            off = (await read_settings(connection, person)).off_reason(self.controls.consent)
            if off or await self._read(connection, person, turn) != request:
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
        return payload_view(language, "memory_title", changes_made_payload(language, entries))

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
            found = await self._read(connection, person, turn)
        return found or say(language, "example_gone")

    async def _read(
        self, connection: AsyncConnection[DictRow], person: Person, turn: str
    ) -> DictRow | None:
        found = await connection.execute(
            "SELECT left(words, %(limit)s) AS words, channel_id AS channel, question_ts AS ts,"
            " audience"
            " FROM turns t JOIN feedback f ON f.turn_id = t.id AND f.rating = 'good'"
            " WHERE t.id = %(turn)s AND t.team_id = %(team)s AND t.user_id = %(user)s"
            " AND words <> '' AND left_out = '{}' AND NOT off_record AND withheld_at IS NULL"
            " AND NOT EXISTS (SELECT FROM forgotten_sources s WHERE s.team_id = %(team)s"
            " AND s.user_id = %(user)s AND channel = channel_id AND ts = question_ts)",
            {"limit": _REQUEST_LIMIT, "turn": UUID(turn), **person.ids},
        )
        return await found.fetchone()
