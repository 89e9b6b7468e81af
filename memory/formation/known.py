"""The memories that the memory model is shown: all within a budget, or else the nearest ones."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence

from memory.embeddings.embedder import Embedder
from memory.formation.evidence import TypedMessage
from memory.model.namespace import MemoryView
from memory.model.schemas import Content, fields_with_value
from memory.model.text import estimated_tokens
from memory.postgres.database import Pool
from memory.recall.search import nearest_memories
from memory.store.memories import Memory, newest

KNOWN_TOKENS = 3_000
"""The token budget for the lines of the memories in a request."""

NEIGHBOURS = 60
"""The number of memories shown from a larger set: the nearest to each sentence, in turn."""

MOST_KNOWN = KNOWN_TOKENS // 10
_NUMBER_TOKENS = 2
_SENTENCES = 24  # typed sentences that are looked up individually


def known_line(content: Content) -> str:
    """Return a memory for the memory model, which patches fields by their names.

    An example is ``{"fact":"Lives in Osaka"}``. The field names show its kind, its old quote adds
    nothing, and fields without a value are left out.
    """
    said = fields_with_value(content)
    said.pop("evidence", None)
    return json.dumps(said, ensure_ascii=False, default=str, separators=(",", ":"))


async def known_memories(
    pool: Pool,
    embedder: Embedder,
    view: MemoryView,
    messages: Sequence[TypedMessage],
    kinds: Collection[str],
) -> dict[str, Memory]:
    """Return the memories of `kinds`, by key: all, or the nearest to what was typed.

    What matters most comes last: the newest, or the nearest. Makes at most one embedding call, with
    no connection held; without an embedding model the newest are returned. Raises
    `EmbeddingsUnavailable`, also if the stored vectors are now of another model.
    """
    shown = await newest(pool, view, MOST_KNOWN + 1)
    tokens = 0
    for memory in shown:
        # The others, such as those of a kind that the operator has removed, are not shown.
        if memory.kind in kinds:
            tokens += estimated_tokens(known_line(memory.content)) + _NUMBER_TOKENS
    if embedder.client is None:
        shown = shown[:NEIGHBOURS]
    elif len(shown) > MOST_KNOWN or tokens > KNOWN_TOKENS:
        sentences: dict[str, None] = {}
        for message in messages:
            for start, end in message.sentences:
                sentences[message.text[start:end].strip()] = None
        texts = list(sentences)[:_SENTENCES]
        shown = await nearest_memories(pool, embedder, view, texts, NEIGHBOURS)
    return {row.key: row for row in reversed(shown) if row.kind in kinds}
