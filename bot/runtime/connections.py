"""The connections of every role: the models, PostgreSQL, Slack."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

import aiohttp
import openai
from psycopg import OperationalError
from slack_sdk.oauth.token_rotation.async_rotator import AsyncTokenRotator
from slack_sdk.web.async_client import AsyncWebClient

from bot.config import Settings
from bot.logs import fault
from bot.pipeline.responses.request import ModelRequests
from bot.queue.migrations import may_use_queue, migrations
from bot.runtime.problem import (
    BOT_TOKEN,
    UNBOUND_LOGIN,
    Problem,
    TokenRefused,
    cannot_connect,
    slack_problem,
    well_formed,
)
from bot.slack.client import (
    SLACK_FAULTS,
    Installation,
    Installations,
    create_client,
    create_session,
    installation_from,
    only,
    retry_after,
)
from bot.users.installations import InstallationStore, UnreadableToken
from bot.workspaces import purge_due, token_accepted
from memory import (
    EmbeddingSpace,
    KiokuMemoryError,
    Pool,
    check_access,
    check_database,
    create_pool,
    embedding_space,
    transaction,
)

T = TypeVar("T")

log = logging.getLogger(__name__)

POOL_SIZE = 12
"""Connections of one process, at most: one serves ten people at the same time."""
_RETRY_SECONDS = 60.0
_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 8.0
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


@asynccontextmanager
async def connected(
    settings: Settings,
    conninfo: str,
    *,
    min_connections: int = 1,
    installation: Installation | None = None,
) -> AsyncIterator[Connections]:
    """Open all of it, checked, and close it afterwards.

    Slack is asked which workspace SLACK_BOT_TOKEN is of, unless `installation` says so.

    Raises `Problem`, or a `memory.KiokuMemoryError`, whose message is for the operator.
    """
    async with AsyncExitStack() as stack:
        model = create_openai_client(settings)
        stack.push_async_callback(model.close)
        reply_models = [
            ModelRequests(model, model=settings.reply_model, effort=settings.reasoning_effort)
        ]
        if settings.fallback_model is not None:
            reply_models.append(ModelRequests(model, model=settings.fallback_model))
        space = await embedding_space(model, settings.embedding_model)
        pool = await _open_pool(conninfo, space, stack, min_connections)
        session = await stack.enter_async_context(create_session())
        store = None
        if settings.slack_client_id is not None:
            store = await _open_store(settings, pool, session)
        elif installation is None:
            token = well_formed(settings, BOT_TOKEN)
            client = create_client(token, settings.slack_api_url, session)
            installation = await _identify(client, pool)
        yield Connections(
            settings=settings,
            model=model,
            reply_models=reply_models,
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


async def _open_store(
    settings: Settings, pool: Pool, session: aiohttp.ClientSession
) -> InstallationStore:
    """Return the store of installations, every token of which can be read."""
    secret = settings.slack_client_secret
    rotator = AsyncTokenRotator(
        client_id=str(settings.slack_client_id),
        client_secret=secret.get_secret_value() if secret else "",
        client=create_client(None, settings.slack_api_url, session),
    )
    store = InstallationStore(pool, settings.secret_keys(), rotator)
    try:
        for team in await store.teams():
            await store.find(team)
    except UnreadableToken as unreadable:
        raise Problem(str(unreadable)) from None
    return store


def create_openai_client(settings: Settings, *, seconds: float = 120.0) -> openai.AsyncOpenAI:
    """Return the client for replies and embeddings; it tries once more, not twice."""
    return openai.AsyncOpenAI(
        api_key=settings.model_key(),
        base_url=settings.openai_base_url,
        max_retries=1,
        timeout=openai.Timeout(seconds, connect=10.0),
    )


async def _open_pool(
    conninfo: str,
    space: EmbeddingSpace,
    stack: AsyncExitStack,
    min_connections: int,
) -> Pool:
    pool = create_pool(conninfo, min_size=min_connections, max_size=POOL_SIZE)
    try:
        bound = await check_access(conninfo)
        stack.push_async_callback(pool.close, _CLOSE_SECONDS)
        await pool.open()
        await check_database(pool, space, migrations())
        if not await may_use_queue(pool):
            raise Problem(
                "The user of DATABASE_URL may not use the queue: run `kioku migrate`, with the"
                " address of the database's owner in DATABASE_OWNER_URL."
            )
    except OperationalError as error:
        raise cannot_connect(error) from None
    if not bound:
        log.warning(UNBOUND_LOGIN)
    return pool


async def _identify(client: AsyncWebClient, pool: Pool) -> Installation:
    await purge_due(pool)
    answer = await retry_until_connected(BOT_TOKEN, client.base_url, client.auth_test)
    installation = installation_from(answer, str(client.token))
    async with transaction(pool) as connection:
        await token_accepted(connection, installation.team_id, installation.bot_user_id)
    return installation


async def retry_until_connected(setting: str, url: str, call: Callable[[], Awaitable[T]]) -> T:
    """Call Slack at `url` with the token of `setting`; for a minute, again while it is unavailable.

    Raises `TokenRefused` at once if Slack refuses the token, else `Problem`.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + _RETRY_SECONDS
    pause = _FIRST_PAUSE_SECONDS
    while True:
        try:
            return await call()
        except SLACK_FAULTS as error:
            wait = max(pause, retry_after(error))
            problem = slack_problem(url, setting, error)
            if isinstance(problem, TokenRefused) or loop.time() + wait > end:
                raise problem from None
            log.warning("Slack did not answer at the start, and is asked again: %s", fault(error))
        await asyncio.sleep(wait)
        pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
