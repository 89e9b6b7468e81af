"""What one process holds open: the models, PostgreSQL, Slack."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import openai
from psycopg import OperationalError

from bot.config import Settings
from bot.pipeline.responses.request import ModelRequests
from bot.queue.migrations import migrations
from bot.runtime.oauth import InstallationStore
from bot.runtime.problems import BOT_TOKEN, UNBOUND_LOGIN, ask_slack, token
from bot.slack.client import Installation, Installations, create_session, installation_from, only
from bot.workspaces import purge_due, token_accepted
from memory import EmbeddingSpace, KiokuMemoryError, Pool, create_pool, embedding_space
from memory.postgres import check_access, check_database, transaction

log = logging.getLogger(__name__)

POOL_SIZE = 12  # connections of one process, at most: one serves ten people at the same time
_READY_WAIT_SECONDS = 2.0
_CLOSE_SECONDS = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Connections:
    """Open clients, each made once.

    `installation` is the one of SLACK_BOT_TOKEN; with OAuth they are in `store`.
    """

    settings: Settings
    model: openai.AsyncOpenAI
    reply_models: Sequence[ModelRequests]
    space: EmbeddingSpace
    pool: Pool
    slack: Installations
    installation: Installation | None
    store: InstallationStore | None = None

    async def teams(self) -> list[str]:
        """Return the ids of the workspaces in which the app is installed."""
        if self.installation is not None:
            return [self.installation.team_id]
        return await self.store.teams() if self.store else []

    async def database_problem(self) -> str | None:
        """Return one sentence about what is wrong with the database, if anything is."""
        try:
            await check_database(self.pool, self.space, migrations(), wait=_READY_WAIT_SECONDS)
        except OperationalError:
            return "PostgreSQL cannot be reached."
        except KiokuMemoryError as problem:
            return str(problem)
        return None


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
) -> AsyncIterator[Connections]:
    """Open all of it, checked, and close it afterwards.

    Slack is asked which workspace SLACK_BOT_TOKEN is of, unless `installation` says so. Raises what
    `bot.runtime.problems.explained` explains.
    """
    several = settings.slack_client_id is not None
    if not several and installation is None:
        token(settings, BOT_TOKEN)
    async with AsyncExitStack() as stack:
        model = await stack.enter_async_context(create_openai_client(settings))
        named = [(settings.reply_model, settings.reasoning_effort)]
        if settings.fallback_model is not None:
            named.append((settings.fallback_model, None))
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
        yield Connections(
            settings=settings,
            model=model,
            reply_models=[ModelRequests(model, model=one, effort=much) for one, much in named],
            space=space,
            pool=pool,
            slack=Installations(
                store.find if store else only(installation),
                base_url=settings.slack_api_url,
                session=session,
            ),
            installation=installation,
            store=store,
        )


async def _identify(settings: Settings, pool: Pool) -> Installation:
    # Slack may refuse the token of a workspace that removed the app, and then no job would run.
    await purge_due(pool)
    answer = await ask_slack(settings, BOT_TOKEN, "auth.test")
    installation = installation_from(answer, token(settings, BOT_TOKEN))
    async with transaction(pool) as connection:
        await token_accepted(connection, installation.team_id, installation.bot_user_id)
    return installation
