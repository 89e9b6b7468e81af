"""Opens what one process holds open: the models, PostgreSQL, Slack."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from urllib.parse import urlsplit

import openai

from bot.config import Settings
from bot.queue.migrations import migrations
from bot.runtime.oauth import InstallationStore
from bot.runtime.problems import BOT_TOKEN, UNBOUND_LOGIN, ask_slack, token
from bot.runtime.wiring import Application
from bot.slack.client import Installation, Installations, create_session, installation_from, only
from bot.workspaces import purge_due, token_accepted
from memory import EmbeddingSpace, Pool, create_pool, embedding_space
from memory.postgres import check_access, check_database, transaction

log = logging.getLogger(__name__)

POOL_SIZE = 12  # connections of one process, at most: one serves ten people at the same time
_CLOSE_SECONDS = 2.0


def create_openai_client(settings: Settings, *, seconds: float = 120.0) -> openai.AsyncOpenAI:
    """Return the client for replies and embeddings; it tries once more, not twice."""
    # aiohttp takes a third less processor time for a stream, and no credentials in an address.
    plain = urlsplit(settings.openai_base_url or "").username is None
    return openai.AsyncOpenAI(
        api_key=settings.model_key(),
        base_url=settings.openai_base_url,
        max_retries=1,
        timeout=openai.Timeout(seconds, connect=10.0),
        http_client=openai.DefaultAioHttpClient() if plain else None,
    )


@asynccontextmanager
async def open_pool(
    conninfo: str, space: EmbeddingSpace | None = None, *, size: int = 2
) -> AsyncIterator[Pool]:
    """Open a pool on a database that is set up, and whose memories are embedded with `space`.

    Raises a `memory.KiokuMemoryError`, or `psycopg.OperationalError`.
    """
    if not await check_access(conninfo):
        log.warning(UNBOUND_LOGIN)
    pool = create_pool(conninfo, min_size=1, max_size=size)
    try:
        await pool.open()
        await check_database(pool, space, migrations())
        yield pool
    finally:
        await pool.close(_CLOSE_SECONDS)


@asynccontextmanager
async def connected(
    settings: Settings, conninfo: str, *, installation: Installation | None = None
) -> AsyncIterator[Application]:
    """Open all of it, checked, for the objects of the application, and close it afterwards.

    Slack is asked which workspace SLACK_BOT_TOKEN is of, unless `installation` says so. Raises what
    `bot.runtime.problems.explained` explains.
    """
    several = settings.slack_client_id is not None
    if not several and installation is None:
        token(settings, BOT_TOKEN)
    async with AsyncExitStack() as stack:
        model = await stack.enter_async_context(create_openai_client(settings))
        space = await embedding_space(model, settings.embedding_model)
        pool = await stack.enter_async_context(open_pool(conninfo, space, size=POOL_SIZE))
        session = await stack.enter_async_context(create_session())
        store = None
        if several:
            store = InstallationStore(pool, settings)
            for team in await store.teams():
                await store.find(team)
        elif installation is None:
            installation = await _identify(settings, pool)
        find = store.find if store else only(installation)
        slack = Installations(find, base_url=settings.slack_api_url, session=session)
        yield Application(settings, model, space, pool, slack, installation, store)


async def _identify(settings: Settings, pool: Pool) -> Installation:
    # Slack may refuse the token of a workspace that removed the app, and then no job would run.
    await purge_due(pool)
    answer = await ask_slack(settings, BOT_TOKEN, "auth.test")
    installation = installation_from(answer, token(settings, BOT_TOKEN))
    async with transaction(pool) as connection:
        await token_accepted(connection, installation.team_id, installation.bot_user_id)
    return installation
