"""What people keep for a conversation: lines of their own words that others there may read.

A line is a memory of its author, of the kind `memory.model.schemas.KeptLine` and with its own key,
so whatever forgets, deletes or exports memories covers it, too. Others read its row of the audience
``kept:CHANNEL``: a row-level security policy compares it with the conversations that the
transaction names.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass
from uuid import uuid4

from psycopg import DataError

from memory.embeddings.embedder import Embedder, literal
from memory.model.errors import (
    ChangedSince,
    EmbeddingsUnavailable,
    logged,
)
from memory.model.namespace import Person, kept_audience, kept_channel
from memory.model.person_message import PersonMessage
from memory.model.schemas import KEPT_KIND
from memory.postgres.database import (
    Pool,
    Query,
    execute_statement,
    person_statement,
)
from memory.postgres.statements import load_statements
from memory.store.changes import Change, add_changes
from memory.store.edits import statement_of
from memory.store.memories import Memory, memory_of
from memory.store.projection import check_capacity
from memory.store.statements import (
    InCommit,
    do_nothing,
    statements_of_message,
    writing,
)

_log = logging.getLogger(__name__)

_SQL = load_statements("memory", "kept")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptMemory:
    """A line that somebody keeps for a conversation, as others there read it."""

    memory: Memory

    @property
    def channel(self) -> str:
        """The conversation that it is kept for."""
        return kept_channel(self.memory.namespace.audience) or ""

    @property
    def author(self) -> Person:
        """Who said it, and keeps it."""
        return self.memory.namespace.person

    @property
    def text(self) -> str:
        """The words, as they were typed."""
        return str(self.memory.content["text"])

    @property
    def is_decision(self) -> bool:
        """Whether it is kept as a decision."""
        return bool(self.memory.content["decision"])


def _settings(reader: Person, channels: Iterable[str]) -> dict[str, str]:
    """Return the settings of a transaction that reads what is kept for these conversations.

    Raises `InvalidNamespace` if one is not a conversation's id.
    """
    checked = [reader.namespace(channel).audience for channel in channels]
    return {**reader.settings, "kioku.kept": ",".join(checked)}


async def read_kept(
    pool: Pool,
    reader: Person,
    channels: Collection[str],
    *,
    most: int,
    public: bool = False,
) -> list[KeptMemory]:
    """Return the newest lines that are kept for these conversations, newest first.

    The caller has verified that `reader` is in each of them. `public`: only what was said in a
    public channel.
    """
    if not channels:
        return []
    values = {
        "team": reader.team_id,
        "channels": list(channels),
        "public": public,
        "most": most,
    }
    scope = _settings(reader, channels)
    rows = await execute_statement(pool, _SQL["newest"], values, scope=scope)
    return [KeptMemory(memory=memory_of(row)) for row in rows]


async def nearest_kept(
    pool: Pool,
    embedder: Embedder,
    reader: Person,
    channels: Collection[str],
    text: str,
    *,
    most: int,
    public: bool,
) -> list[KeptMemory]:
    """Return the lines nearest to a text, by exact distance; otherwise like `read_kept`.

    Returns nothing if the embedding model does not answer.
    """
    try:
        [vector] = await embedder.embed([text])
    except EmbeddingsUnavailable as error:
        _log.warning("what is kept was read without a search: %s", logged(error))
        return []
    values = {
        **asdict(embedder.space),
        "team": reader.team_id,
        "channels": list(channels),
        "vector": literal(vector),
        "public": public,
        "most": most,
    }
    scope = _settings(reader, channels)
    try:
        rows = await execute_statement(pool, _SQL["nearest"], values, scope=scope)
    except DataError:  # the vectors were just replaced by those of another model
        return []
    return [KeptMemory(memory=memory_of(row)) for row in rows]


async def kept_author(pool: Pool, team_id: str, channel: str, ts: str) -> str:
    """Return the id of the person who keeps what a message says; ``""`` if nobody does."""
    values = {"team": team_id, "channel": channel, "ts": ts}
    scope = {"kioku.team": team_id, "kioku.kept": channel}
    rows = await execute_statement(pool, _SQL["author"], values, scope=scope)
    return str(rows[0]["user_id"]) if rows else ""


def channels_with_kept(team_id: str) -> Query:
    """Return the query for the `channel_id` of conversations for which something is kept."""
    return Query(_SQL["channels"], {"team": team_id}, prepare=True)


async def keys_of_kept(pool: Pool, person: Person) -> list[str]:
    """Return the keys of what a person keeps for conversations."""
    rows = await person_statement(pool, person, _SQL["keys_of_person"])
    return [row["key"] for row in rows]


async def keep(
    pool: Pool,
    embedder: Embedder,
    person: Person,
    channel: str,
    words: PersonMessage,
    *,
    decision: bool,
    public: bool,
    in_commit: InCommit[Sequence[Change]] = do_nothing,
) -> Change:
    """Keep words of a person for a conversation.

    The caller has judged them. `in_commit` is awaited in the transaction; an exception from it
    rolls it back. Raises `ChangedSince` (the same words are already kept from this message) and
    `MemoryFull`.
    """
    audience = person.namespace(kept_audience(channel)).audience
    content = {"text": words.text, "decision": decision, "public": public}
    kept = statement_of(
        str(uuid4()), KEPT_KIND, audience, content, words, batch=uuid4()
    )
    async with writing(pool, embedder, person) as transaction:
        said = await statements_of_message(transaction, (channel, words.ts))
        counted = [one for one in said if one.withdrawn_at is None]
        known = [(one.audience, one.sentence) for one in counted]
        if (audience, kept.sentence) in known:
            raise ChangedSince("The message keeps these words already.")
        await check_capacity(transaction, 1)
        [change] = await add_changes(transaction, [kept])
        await in_commit(transaction, [change])
    return change
