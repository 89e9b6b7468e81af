"""The database that a command uses: its addresses, migrations and new vectors."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from bot.config import STAND_IN_EMBEDDING_MODEL, Settings
from bot.runtime.output import ProgressBar
from bot.runtime.problem import Problem, cannot_connect
from memory import EmbeddedPostgres

if TYPE_CHECKING:
    from memory import EmbeddingSpaceMismatch


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """The addresses of the database: for the serving user (`login`), and for its owner."""

    login: str
    owner: str


@asynccontextmanager
async def database(settings: Settings, *, beside: bool = False) -> AsyncIterator[Addresses]:
    """Yield the addresses of the database of `settings`; an embedded server runs meanwhile.

    With `beside` the embedded server of another process, such as ``kioku up``, is used if it runs.
    Without an owner's address `DATABASE_URL` is used for both. Raises `Problem`.
    """
    if (url := settings.database_url) is not None:
        owner = settings.database_owner_url or url
        yield Addresses(login=url.get_secret_value(), owner=owner.get_secret_value())
        return
    if settings.database_owner_url is not None:
        raise Problem(
            "DATABASE_OWNER_URL is set without DATABASE_URL: write the address of the user that"
            " serves into DATABASE_URL."
        )
    server = EmbeddedPostgres(settings.data_dir.resolve())
    addresses = Addresses(login=server.login_dsn("kioku"), owner=server.dsn("kioku"))
    if beside and await asyncio.to_thread(server.is_running):
        yield addresses
        return
    await asyncio.to_thread(server.start)
    try:
        await asyncio.to_thread(server.ensure_database, "kioku")
        yield addresses
    finally:
        await asyncio.to_thread(server.stop)


async def migrated(
    settings: Settings,
    addresses: Addresses,
    *,
    embed_again: Callable[[EmbeddingSpaceMismatch], bool] = lambda _: False,
) -> list[str]:
    """Bring the database up to date, with the user that serves; return the steps just applied.

    Memories that were embedded with the stand-in are embedded again; others if `embed_again`
    returns true.
    Raises `Problem`, and `EmbeddingSpaceMismatch` if it does not.
    """
    import psycopg

    from bot.queue.migrations import QUEUE_ROLE, migrations
    from bot.runtime.connections import create_openai_client
    from memory import Embedder, EmbeddingSpaceMismatch, embedding_space, migrate, reembed

    owner, login = addresses.owner, addresses.login
    client = create_openai_client(settings)

    async def apply() -> list[str]:
        space = await embedding_space(client, settings.embedding_model)
        step = partial(migrate, owner, space, migrations(), login=login, roles=[QUEUE_ROLE])
        bar = ProgressBar("memories")
        embed = partial(reembed, owner, Embedder(client, space), progress=bar.show)
        try:
            done = await asyncio.to_thread(step)
        except EmbeddingSpaceMismatch as mismatch:
            # The stand-in's vectors are of no use to a model, and its memories are few.
            stand_in = mismatch.stored.model == STAND_IN_EMBEDDING_MODEL
            if not (mismatch.empty or stand_in or embed_again(mismatch)):
                raise
            await embed()
            done = await asyncio.to_thread(step)
        await embed()  # what an interrupted run has left
        bar.end()
        return done

    try:
        return await apply()
    except psycopg.errors.InsufficientPrivilege:
        raise Problem(
            "This database user may not create tables, roles or pgvector's extension: as a"
            " superuser, run `CREATE EXTENSION vector` in the database and give its owner"
            " CREATEROLE. Then write the owner's address into DATABASE_OWNER_URL and run `kioku"
            " migrate`."
        ) from None
    except psycopg.errors.FeatureNotSupported:
        raise Problem(
            "This PostgreSQL lacks the extension pgvector: install it, or use a PostgreSQL that"
            " brings it."
        ) from None
    except psycopg.OperationalError as error:
        raise cannot_connect(error) from None
    finally:
        await client.close()
