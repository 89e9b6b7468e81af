"""PostgreSQL and a scripted model for what is tested against both."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import openai
import pytest

from memory.database import EmbeddingSpace, Pool, create_pool, migrate
from memory.embedded import EmbeddedPostgres
from memory.embeddings import Embedder
from memory.formation import Former, memory_model
from tests.integration.scripted_model import DIMENSIONS, ScriptedModel, scripted_model

SPACE = EmbeddingSpace("kioku-stand-in-embedding", DIMENSIONS)
_numbers = itertools.count()


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedPostgres]:
    """One PostgreSQL for the session."""
    with tempfile.TemporaryDirectory() as folder, EmbeddedPostgres(Path(folder)) as server:
        yield server


@pytest.fixture
def database(postgres: EmbeddedPostgres) -> str:
    """A fresh migrated database; its connection string, as the owner."""
    name = f"formation{next(_numbers)}"
    postgres.ensure_database(name)
    migrate(postgres.dsn(name), SPACE)
    return postgres.dsn(name)


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    """An open pool of the application's role."""
    async with create_pool(database) as opened:
        yield opened


@pytest.fixture
async def model() -> AsyncIterator[ScriptedModel]:
    """A model that answers what the test says."""
    async with scripted_model() as served:
        yield served


@pytest.fixture
async def embedder(model: ScriptedModel) -> AsyncIterator[Embedder]:
    """An embedder that asks the scripted model."""
    async with openai.AsyncOpenAI(api_key="none", base_url=model.base_url, max_retries=0) as client:
        yield Embedder(client, SPACE)


@pytest.fixture
def former(pool: Pool, embedder: Embedder, model: ScriptedModel) -> Former:
    """What is tested: LangMem over HTTP, and PostgreSQL."""
    return Former(
        pool,
        embedder,
        lambda: memory_model(model="scripted", api_key="none", base_url=model.base_url),
    )
