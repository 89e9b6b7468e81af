"""Another embedding model: every memory gets a vector of it, beside the running application."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import openai
import pytest

from memory import (
    DM,
    Embedder,
    EmbeddingSpace,
    EmbeddingsUnavailable,
    FormationUnavailable,
    Former,
    Person,
    PersonMessage,
    Pool,
    Selection,
    forget,
    list_memories,
    memory_view,
    recall_memories,
    undo_forgetting,
)
from memory.formation.known import MOST_KNOWN
from memory.postgres import check_database
from memory.recall.search import nearest_memories
from memory.store import embed_missing, memory_page, reembed
from tests.databases import SPACE, owner_rows
from tests.integration.scripted_model import ScriptedModel
from tests.kioku_process import ended
from tests.memories import add_memory, no_model, put_memory

pytestmark = pytest.mark.slow

ANN, BOB = Person("T1", "U1"), Person("T1", "U2")
OTHER = EmbeddingSpace("other-embedding", 64)
SAME_SIZE = EmbeddingSpace("other-embedding", SPACE.dimensions)
to_another_model = pytest.mark.parametrize(
    "space", [OTHER, SAME_SIZE], ids=["other_size", "same_size"]
)
TABLE = (
    "SELECT reloptions, policyname, roles, cmd, qual, with_check FROM pg_class JOIN pg_policies"
    " ON tablename = relname WHERE pg_class.oid = 'store_vectors'::regclass"
)
COUNT = 70
LITTLE = 200  # tokens, less than those of what Ann says


@pytest.fixture
async def remembered(pool: Pool, embedder: Embedder) -> Pool:
    """Two people and many memories."""
    for number in range(COUNT):
        person = BOB if number % 7 == 0 else ANN
        content = {"fact": f"I own book number {number}"}
        await add_memory(
            pool,
            embedder,
            person.namespace(DM),
            "UserFact",
            content,
            PersonMessage(actor="command"),
        )
    return pool


class Small(Embedder):
    """The other model: what it makes is short, and it can be asked to do something meanwhile."""

    def __init__(
        self, client: openai.AsyncOpenAI, space: EmbeddingSpace = OTHER
    ) -> None:
        super().__init__(client, space)
        self.meanwhile: list[Any] = []
        self.made = 0

    async def embed(self, texts: Any) -> list[list[float]]:
        if len(texts) > 1:
            for work in self.meanwhile:
                await work()
            self.meanwhile = []
        self.made += len(texts)
        return [
            [float(len(text) % 7 + 1), *[0.5] * (self.space.dimensions - 1)]
            for text in texts
        ]


def silent(done: int, total: int) -> None:
    """Show no bar."""
    assert 0 < done <= total


async def test_every_memory_gets_a_vector_of_the_other_model(
    remembered: Pool, database: str, model_client: openai.AsyncOpenAI
) -> None:
    """Afterwards the database is of that model, recall is whole, and each sees their own only."""
    small = Small(model_client)
    before = owner_rows(database, TABLE)
    assert await reembed(database, small, progress=silent) == COUNT
    await check_database(remembered, OTHER)
    [found] = owner_rows(
        database,
        "SELECT count(*) AS n, min(vector_dims(embedding)) AS d FROM store_vectors",
    )
    assert (found["n"], found["d"]) == (COUNT, OTHER.dimensions)
    recalled = await recall_memories(
        remembered, small, memory_view(ANN.namespace(DM)), "books", budget=LITTLE
    )
    assert recalled.nearest
    assert not recalled.newest_only
    assert {memory.namespace.person for memory in recalled.memories} == {ANN}
    assert await reembed(database, small, progress=silent) == 0
    assert [row["policyname"] for row in before] == ["own_vectors"]
    assert before[0]["reloptions"] == ["toast_tuple_target=8160"]
    assert owner_rows(database, TABLE) == before


async def test_a_model_that_does_not_answer_leaves_the_vectors(
    remembered: Pool, database: str, model_client: openai.AsyncOpenAI
) -> None:
    """With another model's name or key mistyped, the application recalls as before."""
    unknown = Embedder(model_client, EmbeddingSpace("mistyped-embedding", 64))
    with pytest.raises(EmbeddingsUnavailable):
        await reembed(database, unknown, progress=silent)
    await check_database(remembered, SPACE)
    assert owner_rows(database, "SELECT count(*) AS n FROM store_vectors") == [
        {"n": COUNT}
    ]


async def test_what_happens_meanwhile_counts(
    remembered: Pool, database: str, model_client: openai.AsyncOpenAI
) -> None:
    """What is forgotten during it stays forgotten, and what changes gets its vector."""
    small = Small(model_client)
    kept, *_, doomed = await list_memories(remembered, ANN)

    async def live() -> None:
        await forget(remembered, ANN, Selection(keys=[doomed.key]))
        owner_rows(
            database, "UPDATE store SET updated_at = now() WHERE key = %s", kept.key
        )

    small.meanwhile = [live]
    await reembed(database, small, progress=silent)
    stored = owner_rows(
        database,
        "SELECT s.key, v.key AS vector FROM store s FULL JOIN store_vectors v"
        " ON v.prefix = s.prefix AND v.key = s.key",
    )
    assert len(stored) == COUNT - 1
    assert all(row["key"] == row["vector"] for row in stored)
    assert doomed.key not in {row["key"] for row in stored}


async def test_restored_memories_get_vectors_by_a_job(
    remembered: Pool,
    database: str,
    embedder: Embedder,
    model_client: openai.AsyncOpenAI,
) -> None:
    """Between an Undo and that, they are listed and found by words, and the newest are recalled.

    What is forgotten meanwhile gets none, and other people's memories are left to their own job.
    """
    view, prefix = memory_view(ANN.namespace(DM)), ANN.namespace(DM).prefix
    for number in range(1, 301):
        value = {"kind": "UserFact", "content": {"fact": f"number {number}"}}
        put_memory(database, ANN.namespace(DM), value, key=f"k{number}")
    forgotten = await forget(remembered, ANN, Selection(everything=True))
    assert forgotten.id is not None
    assert len(await undo_forgetting(remembered, embedder, ANN, forgotten.id)) == 360
    owner_rows(database, "DELETE FROM store_vectors RETURNING 1")
    assert (
        await memory_page(remembered, ANN, size=9, words="book number 69")
    ).total == 1
    assert (
        await recall_memories(remembered, embedder, view, "books", budget=LITTLE)
    ).newest_only
    await embed_missing(remembered, Small(model_client), ANN)
    assert owner_rows(database, "SELECT key FROM store_vectors") == []
    right = Small(model_client, SPACE)
    right.meanwhile = [lambda: forget(remembered, ANN, Selection(keys=["k1", "k300"]))]
    await embed_missing(remembered, right, ANN)
    found = owner_rows(database, "SELECT prefix, key FROM store_vectors")
    assert len(found) == 358
    assert {row["prefix"] for row in found} == {prefix}
    assert {"k1", "k300"}.isdisjoint(row["key"] for row in found)
    assert not (
        await recall_memories(remembered, embedder, view, "books", budget=LITTLE)
    ).newest_only


@to_another_model
async def test_the_running_app_shows_the_newest_until_it_is_restarted(
    remembered: Pool,
    database: str,
    embedder: Embedder,
    model_client: openai.AsyncOpenAI,
    space: EmbeddingSpace,
) -> None:
    """The old model's vectors cannot be compared any more: the newest memories are shown.

    None of the old model is stored; what was forgotten before, and what is new, gets a new one.
    """
    newest = (await list_memories(remembered, ANN))[0]
    forgotten = await forget(remembered, ANN, Selection(keys=[newest.key]))
    assert forgotten.id is not None
    for number in range(
        MOST_KNOWN
    ):  # more than the memory model is shown without a search
        value = {"kind": "UserFact", "content": {"fact": f"number {number}"}}
        put_memory(database, ANN.namespace(DM), value, key=f"k{number}")
    await reembed(database, Small(model_client, space), progress=silent)
    view = memory_view(ANN.namespace(DM))
    with pytest.raises(EmbeddingsUnavailable):
        await nearest_memories(remembered, embedder, view, ["a"], 9)
    fact = {"fact": "I moved"}
    await add_memory(
        remembered,
        embedder,
        ANN.namespace(DM),
        "UserFact",
        fact,
        PersonMessage(actor="modal"),
    )
    said = PersonMessage(text="I own a boat", channel="D1", ts="1700000000.000100")
    with pytest.raises(FormationUnavailable):
        await Former(remembered, embedder, no_model).form(view, [said])
    assert len(await undo_forgetting(remembered, embedder, ANN, forgotten.id)) == 1
    assert await reembed(database, Small(model_client, space), progress=silent) == 2
    recalled = await recall_memories(
        remembered, embedder, memory_view(ANN.namespace(DM)), "books", budget=LITTLE
    )
    assert recalled.newest_only
    assert recalled.nearest


async def test_the_command(
    remembered: Pool, database: str, model: ScriptedModel, tmp_path: Path
) -> None:
    """`kioku migrate` embeds again only if it is told to, and shows how far it is."""
    settings = {
        "DATABASE_URL": database,
        "OPENAI_BASE_URL": model.base_url,
        "KIOKU_EMBEDDING_MODEL": "scripted-embedding",
    }
    owner_rows(database, "UPDATE kioku_embedding_space SET model = 'ours'")
    refused = await asyncio.to_thread(ended, tmp_path, "migrate", **settings)
    assert (refused.code, refused.out) == (1, "")
    assert "embed all memories again with `kioku migrate --yes`" in refused.err
    done = await asyncio.to_thread(ended, tmp_path, "migrate", "--yes", **settings)
    assert done.code == 0, done.err
    assert f"{COUNT} of {COUNT} memories" in done.err
    again = await asyncio.to_thread(ended, tmp_path, "migrate", **settings)
    assert (again.out, again.err) == (
        "The database is up to date (0 step(s) applied).\n",
        "",
    )
