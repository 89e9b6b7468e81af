"""`kioku migrate`: brings a database up to this version, and makes new vectors."""

from __future__ import annotations

import asyncio
import logging
import sys

from psycopg import OperationalError

from bot.config import STAND_IN_EMBEDDING_MODEL, Settings
from bot.queue.queue import migrations
from bot.runtime.database_addresses import Addresses, database
from bot.runtime.problems import Problem, explained
from bot.runtime.wiring import open_model_clients, open_pool
from memory import (
    Embedder,
    EmbeddingSpace,
    EmbeddingSpaceMismatch,
    embedding_space,
    load_schemas,
)
from memory import migrate as apply
from memory.model import DatabaseNotReady
from memory.store import reembed

log = logging.getLogger(__name__)

_TWO_DATABASES = (
    "DATABASE_URL and DATABASE_OWNER_URL name different databases: write the address of one"
    " database into both, each with its own user, and run `kioku migrate` again."
)


async def migrate(settings: Settings, *, yes: bool) -> None:
    """Bring the database of `settings` up to this version and say what was done.

    `yes`: memories that were embedded with another model are embedded again. Raises `Problem` if
    DATABASE_URL names another database than DATABASE_OWNER_URL, and what `bring_up_to_date` raises.
    """
    async with database(settings) as addresses:
        done = await bring_up_to_date(settings, addresses, embed_again=yes)
        if settings.database_owner_url is not None:
            try:
                async with open_pool(addresses.login):
                    pass
            except OperationalError as away:
                # One that cannot be reached from here may be reached where Kioku is to run.
                log.warning(
                    "whether DATABASE_URL names this database is not known: %s",
                    explained(away),
                )
            except DatabaseNotReady:
                raise Problem(_TWO_DATABASES) from None
    print(f"The database is up to date ({len(done)} step(s) applied).")


async def bring_up_to_date(
    settings: Settings, addresses: Addresses, *, embed_again: bool = False
) -> list[str]:
    """Bring the database and its serving user up to date; return the steps just applied.

    Memories that were embedded with the stand-in are embedded again. For those of another model
    that takes `embed_again`; otherwise `EmbeddingSpaceMismatch` is raised. Also raises
    `psycopg.Error`.
    """
    load_schemas(settings.schemas)
    async with open_model_clients(settings) as clients:
        client = clients.embeddings
        space = await embedding_space(client, settings.embedding_model)

        def step(space: EmbeddingSpace) -> list[str]:
            owner = addresses.owner
            return apply(owner, space, migrations(), login=addresses.login)

        embedder = Embedder(client, space)
        try:
            done = await asyncio.to_thread(step, space)
        except EmbeddingSpaceMismatch as mismatch:
            if client is None:  # what is stored stays
                return await asyncio.to_thread(step, mismatch.stored)
            # The stand-in's vectors are of no use to a model, and its memories are few.
            stand_in = mismatch.stored.model == STAND_IN_EMBEDDING_MODEL
            if not (mismatch.empty or stand_in or embed_again):
                raise
            await reembed(addresses.owner, embedder, progress=_print_progress)
            done = await asyncio.to_thread(step, space)
        if client is not None:  # what an interrupted run left
            await reembed(addresses.owner, embedder, progress=_print_progress)
        return done


def _print_progress(done: int, total: int) -> None:
    """Print how many memories have a new vector."""
    print(f"{done} of {total} memories", file=sys.stderr, flush=True)
