"""The database that a command uses: its addresses, migrations and new vectors."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from bot.config import STAND_IN_EMBEDDING_MODEL, Settings
from memory import EmbeddedPostgres

if TYPE_CHECKING:
    from memory import Pool


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """The addresses of the database: for the serving user (`login`), and for its owner."""

    login: str
    owner: str


@asynccontextmanager
async def database(settings: Settings, *, beside: bool = False) -> AsyncIterator[Addresses]:
    """Yield the addresses of the database of `settings`; an embedded server runs meanwhile.

    With `beside` the embedded server of another process, such as ``kioku up``, is used if it runs.
    Without an owner's address `DATABASE_URL` is used for both.
    """
    if (url := settings.database_url) is not None:
        owner = settings.database_owner_url or url
        yield Addresses(login=url.get_secret_value(), owner=owner.get_secret_value())
        return
    server = EmbeddedPostgres(settings.data_dir.resolve())
    addresses = Addresses(login=server.login_dsn("kioku"), owner=server.dsn("kioku"))
    if beside and await asyncio.to_thread(server.is_running):
        yield addresses
        return
    starting = asyncio.ensure_future(asyncio.to_thread(server.start))
    try:
        await asyncio.shield(starting)
        await asyncio.to_thread(server.ensure_database, "kioku")
        yield addresses
    finally:
        await asyncio.wait({starting})  # a thread goes on though its caller is cancelled
        await asyncio.to_thread(server.stop)


@asynccontextmanager
async def operators_pool(settings: Settings) -> AsyncIterator[Pool]:
    """Open a small pool on the database of `settings`, also beside a running `kioku up`."""
    from bot.runtime.wiring import open_pool

    async with database(settings, beside=True) as addresses, open_pool(addresses.login) as pool:
        yield pool


async def migrate(settings: Settings, *, yes: bool) -> None:
    """Bring the database of `settings` up to this version and say what was done.

    `yes`: memories that were embedded with another model are embedded again.
    """
    async with database(settings) as addresses:
        done = await migrated(settings, addresses, embed_again=yes)
    print(f"Applied {len(done)} step(s)." if done else "The database is up to date.")


async def migrated(
    settings: Settings, addresses: Addresses, *, embed_again: bool = False
) -> list[str]:
    """Bring the database up to date, with the user that serves; return the steps just applied.

    Memories that were embedded with the stand-in are embedded again; others with `embed_again`,
    without it `EmbeddingSpaceMismatch` is raised. Raises `psycopg.Error`, too.
    """
    from bot.queue.queue import migrations
    from bot.runtime.wiring import open_model_clients
    from memory import Embedder, EmbeddingSpaceMismatch, embedding_space
    from memory import migrate as apply
    from memory.store import reembed

    async with open_model_clients(settings) as clients:
        client = clients.embeddings
        space = await embedding_space(client, settings.embedding_model)
        step = partial(apply, addresses.owner, space, migrations(), login=addresses.login)
        embedder = Embedder(client, space)
        shown = progress("memories")
        try:
            done = await asyncio.to_thread(step)
        except EmbeddingSpaceMismatch as mismatch:
            # The stand-in's vectors are of no use to a model, and its memories are few.
            stand_in = mismatch.stored.model == STAND_IN_EMBEDDING_MODEL
            if not (mismatch.empty or stand_in or embed_again):
                raise
            await reembed(addresses.owner, embedder, progress=shown)
            done = await asyncio.to_thread(step)
        await reembed(addresses.owner, embedder, progress=shown)  # what an interrupted run left
        return done


def progress(what: str) -> Callable[[int, int], None]:
    """Return a function that tells how many are done of how many, once for each tenth."""
    told = 0

    def show(done: int, total: int) -> None:
        nonlocal told
        if (tenths := done * 10 // max(total, 1)) > told:
            told = tenths
            print(f"{done} of {total} {what}", file=sys.stderr, flush=True)

    return show
