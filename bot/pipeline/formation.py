"""Formation jobs: one for each person and audience, debounced, after the reply."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from itertools import accumulate
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from bot.app import App
from bot.conversation.turns import final_question, form_after
from bot.logs import log_fields
from bot.notices import add_notice, add_unread
from bot.people import SETTINGS, SETTINGS_JOIN, PersonSettings, settings_of
from memory import (
    DM,
    FormationResult,
    FormationUnavailable,
    MemoryModelRefused,
    MemoryView,
    Namespace,
    Person,
    PersonMessage,
    Pool,
    memory_view,
)
from memory.metrics import count, step
from memory.postgres import person_statement, person_transaction
from memory.store import embed_missing

log = logging.getLogger(__name__)

MODEL_REFUSED_RETRY_SECONDS = 3_600.0
"""Seconds until the next attempt, unless the person writes, where the model refuses requests."""
MAX_CHARACTERS = 12_000  # of the words that are formed at once
_TURNS_AT_ONCE = 20


class _Overtaken(Exception):
    """The words changed or were formed, or memory was switched off, while the model was asked."""


async def form_memories(app: App, team: str, user: str, audience: str) -> None:
    """Form memories from the words of the person that are not formed yet.

    Nothing happens while the person has memory switched off. Of somebody who wants to be
    remembered only when they ask for it, nothing is formed. Words that the model cannot read, while
    it answers others, are passed over, and the person is told. If the model refuses every request,
    which only the operator can change, they stay until the next attempt, in an hour. Raises
    `memory.FormationUnavailable` or `memory.EmbeddingsUnavailable` while a model is unavailable:
    the words, or memories without vectors, stay, and the job is tried again.
    """
    namespace = Person(team, user).namespace(audience)
    view = memory_view(namespace, shared=await app.audiences.is_shared(namespace))
    while await _form_oldest(app, view):
        pass
    # What an outage, or a crash after the commit, left without a vector.
    await embed_missing(app.pool, app.embedder, view.person)


async def _form_oldest(app: App, view: MemoryView) -> bool:
    """Form memories from the oldest words; return whether there may be more to do now."""
    person = view.own.person
    settings, ids, words = await read_unformed(app.pool, view.own, _TURNS_AT_ONCE)
    if settings.off(app.settings.consent) or not ids:
        return False
    if settings.eagerness == "asked":
        async with person_transaction(app.pool, person) as connection:
            await mark_formed(connection, person, ids, words)
        return len(ids) == _TURNS_AT_ONCE

    async def in_commit(connection: AsyncConnection[DictRow], formed: FormationResult) -> None:
        now = await mark_formed(connection, person, ids, words)
        if now is None or now.off(app.settings.consent):
            raise _Overtaken
        await add_notice(app, connection, person, ids[-1], formed)
        unread = _unread(formed, ids, words)
        if unread:
            await add_unread(app, connection, person, unread)

    with log_fields(team=person.team_id, turn=str(ids[-1])), step("formation"):
        try:
            formed = await app.former.form(
                view,
                words,
                batch=ids[-1],
                in_commit=in_commit,
                eager=settings.eagerness == "lot",
            )
        except _Overtaken:
            return True
        except MemoryModelRefused:
            count("formations", outcome="model_refused")
            # Logged where it happened. Nothing but another setup ends it, or the person's next
            # message, which brings the next attempt forward.
            async with person_transaction(app.pool, person) as connection:
                await form_after(connection, app.queue, view.own, MODEL_REFUSED_RETRY_SECONDS)
            return False
        except FormationUnavailable:
            count("formations", outcome="unavailable")
            raise
        _report(formed, len(words))
    # What was said since has a job of its own.
    characters = sum(len(one.text) for one in words)
    return len(ids) == _TURNS_AT_ONCE or characters >= MAX_CHARACTERS


def _unread(
    formed: FormationResult, ids: Sequence[UUID], words: Sequence[PersonMessage]
) -> list[UUID]:
    """Return the turns with words that the memory model could not read."""
    refused = [one.evidence for one in formed.refused if one.reason == "unreadable"]
    unread = {(one.original.channel, one.original.ts) for one in refused if one is not None}
    return [
        turn for turn, said in zip(ids, words, strict=True) if (said.channel, said.ts) in unread
    ]


async def read_unformed(
    pool: Pool, namespace: Namespace, limit: int
) -> tuple[PersonSettings, list[UUID], list[PersonMessage]]:
    """Return a person's settings, and the ids and words of their oldest unformed turns.

    Only ended turns of the namespace's audience; at most `limit` of them, in order, and none after
    the one whose words reach `MAX_CHARACTERS`: a model's context is limited.
    """
    [row] = await person_statement(
        pool,
        namespace.person,
        f"SELECT {SETTINGS}, (SELECT json_agg(found) FROM ("
        "SELECT id, channel_id, ts, words, removal_proposed,"
        # What we had said before: in a direct message, in whichever of its threads.
        " (SELECT reply FROM messages earlier WHERE earlier.team_id = %(team)s"
        " AND earlier.user_id = %(user)s AND earlier.channel_id = messages.channel_id"
        " AND (earlier.thread = messages.thread OR messages.audience = %(dm)s)"
        " AND earlier.ts < messages.ts AND earlier.begun_at IS NOT NULL"
        " AND earlier.ended_at > messages.begun_at - interval '1 day'"
        " ORDER BY earlier.ts DESC LIMIT 1) AS before FROM messages"
        " WHERE team_id = %(team)s AND user_id = %(user)s AND audience = %(audience)s"
        " AND formed_at IS NULL"
        " AND ended_at IS NOT NULL AND words <> ''"
        " ORDER BY ts LIMIT %(limit)s) found) AS unformed"
        f" FROM (SELECT) always {SETTINGS_JOIN}",
        {**namespace.person.ids, "dm": DM, "audience": namespace.audience, "limit": limit},
    )
    settings, turns = settings_of(row), row["unformed"] or []
    ends = accumulate(len(turn["words"]) for turn in turns)
    turns = turns[: 1 + sum(end < MAX_CHARACTERS for end in ends)]
    words = [
        PersonMessage(
            text=turn["words"],
            channel=turn["channel_id"],
            ts=turn["ts"],
            removal_proposed=turn["removal_proposed"],
            reply_to=final_question(turn["before"] or ""),
            # "Until Friday" is said where they are.
            zone=settings.zone,
        )
        for turn in turns
    ]
    return settings, [UUID(turn["id"]) for turn in turns], words


async def mark_formed(
    connection: AsyncConnection[DictRow],
    person: Person,
    ids: Sequence[UUID],
    words: Sequence[PersonMessage],
) -> PersonSettings | None:
    """Record that memories were formed from these turns; return the person's current settings.

    None if the words of one have changed, because it was edited, deleted or forgotten, or if
    memories were formed from it meanwhile.
    """
    marked = await connection.execute(
        "WITH marked AS (UPDATE messages SET formed_at = now()"
        " FROM unnest(%(ids)s::uuid[], %(words)s::text[]) AS taken (id, words)"
        " WHERE messages.id = taken.id AND messages.team_id = %(team)s"
        " AND messages.user_id = %(user)s AND messages.words = taken.words"
        " AND messages.formed_at IS NULL"
        f" RETURNING 1) SELECT (SELECT count(*) FROM marked) AS marked, {SETTINGS}"
        f" FROM (SELECT) always {SETTINGS_JOIN}",
        {**person.ids, "ids": list(ids), "words": [one.text for one in words]},
    )
    [row] = await marked.fetchall()
    return settings_of(row) if row["marked"] == len(ids) else None


def _report(formed: FormationResult, messages: int) -> None:
    """Count and log what came of a formation."""
    count("formations", outcome="changed" if formed.changes else "unchanged")
    for change in formed.changes:
        count("proposals", outcome=change.action)
    for refusal in formed.refused:
        count("proposals", outcome=refusal.reason)
    count("proposals", len(formed.questions), outcome="asked")
    numbers = messages, len(formed.changes), len(formed.refused)
    log.info("formed memories from %d message(s): %d change(s), %d refused", *numbers)
