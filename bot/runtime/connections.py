"""The connections of every role: the models, PostgreSQL, Slack."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import aiohttp
import openai
from psycopg import OperationalError
from slack_sdk.web.async_client import AsyncWebClient

from bot.config import Settings
from bot.logs import fault
from bot.pipeline.responses.request import ModelRequests
from bot.queue.migrations import may_use_queue, migrations
from bot.runtime.memory_models import missing_extra
from bot.runtime.startup import (
    StartError,
    TokenRefused,
    cannot_connect,
    oauth_problem,
    where_to_copy,
)
from bot.slack.client import (
    SLACK_FAULTS,
    Installation,
    Installations,
    create_client,
    create_session,
    error_code,
    installation_from,
    only,
    retry_after,
)
from bot.users.installation_store import InstallationStore, TokenCipher, UnreadableToken
from bot.users.offboarding import purge_due
from bot.users.workspaces import token_accepted
from memory import (
    Conninfo,
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

UNBOUND_LOGIN = (
    "the user of DATABASE_URL owns the tables, is a superuser or has BYPASSRLS: write its address"
    " into DATABASE_OWNER_URL and another user's into DATABASE_URL, then run `kioku migrate`, which"
    " creates that user"
)
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
    conninfo: Conninfo,
    *,
    min_connections: int = 1,
    installation: Installation | None = None,
) -> AsyncIterator[Connections]:
    """Open all of it, checked, and close it afterwards.

    Slack is asked which workspace SLACK_BOT_TOKEN is of, unless `installation` says so.

    Raises `StartError`, or a `memory.KiokuMemoryError`, whose message is for the operator.
    """
    async with AsyncExitStack() as stack:
        model = create_openai_client(settings)
        stack.push_async_callback(model.close)
        reply_models = [
            ModelRequests(model, model=settings.reply_model, effort=settings.reasoning_effort)
        ]
        if (fallback := settings.with_fallback_model()) is not None:
            second = create_openai_client(fallback)
            stack.push_async_callback(second.close)
            reply_models.append(ModelRequests(second, model=fallback.reply_model))
        space = await embedding_space(model, settings.embedding_model)
        pool = await _open_pool(settings, conninfo, space, stack, min_connections)
        if problem := oauth_problem(settings) or _missing_extra(settings):
            raise StartError(problem)
        token = settings.slack_bot_token
        session = await stack.enter_async_context(create_session())
        store = None
        if settings.slack_client_id is not None:
            store = await _open_store(settings, pool, session)
            stack.push_async_callback(store.close)
        elif installation is None:
            if token is None:
                raise StartError(
                    "SLACK_BOT_TOKEN is not set: copy the Bot User OAuth Token (xoxb-…)."
                )
            client = create_client(token.get_secret_value(), settings.slack_api_url, session)
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


def _missing_extra(settings: Settings) -> str | None:
    """Return what is missing to form memories and check them with the chosen models."""
    if settings.formation == "off" or not settings.has_model:
        return None
    models = (settings.memory_model, settings.verdict_model)
    return next((found for model in models if model and (found := missing_extra(model))), None)


async def _open_store(
    settings: Settings, pool: Pool, session: aiohttp.ClientSession
) -> InstallationStore:
    """Return the store of installations, its tokens encrypted with the first key."""
    client = create_client(None, settings.slack_api_url, session)
    secret = settings.slack_client_secret
    refresh = partial(
        client.oauth_v2_access,
        client_id=str(settings.slack_client_id),
        client_secret=secret.get_secret_value() if secret else "",
        grant_type="refresh_token",
    )
    store = InstallationStore(
        pool,
        TokenCipher(settings.secret_keys()),
        lambda refresh_token: refresh(refresh_token=refresh_token),
    )
    try:
        await store.encrypt_again()
    except UnreadableToken as unreadable:
        raise StartError(str(unreadable)) from None
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
    settings: Settings,
    conninfo: Conninfo,
    space: EmbeddingSpace,
    stack: AsyncExitStack,
    min_connections: int,
) -> Pool:
    pool = create_pool(conninfo, min_size=min_connections, max_size=settings.pool_size)
    try:
        bound = await check_access(conninfo)
        stack.push_async_callback(pool.close, _CLOSE_SECONDS)
        await pool.open()
        await check_database(pool, space, migrations())
        if not await may_use_queue(pool):
            raise StartError(
                "The user of DATABASE_URL may not use the queue: run `kioku migrate`, with the"
                " address of the database's owner in DATABASE_OWNER_URL."
            )
    except OperationalError as error:
        raise cannot_connect(error) from None
    if not bound:
        log.warning(UNBOUND_LOGIN)
    return pool


async def _identify(client: AsyncWebClient, pool: Pool) -> Installation:
    try:
        answer = await retry_until_connected("SLACK_BOT_TOKEN", client.auth_test)
    except TokenRefused:
        # The workspace may have removed the app: no other process would run its purge.
        await purge_due(pool)
        raise
    installation = installation_from(answer, str(client.token))
    async with transaction(pool) as connection:
        await token_accepted(connection, installation.team_id, installation.bot_user_id)
    return installation


async def retry_until_connected(setting: str, call: Callable[[], Awaitable[T]]) -> T:
    """Call Slack with the token of `setting`, and again for a minute while Slack is unavailable.

    Raises `TokenRefused` at once if Slack refuses the token, else `StartError`.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + _RETRY_SECONDS
    pause = _FIRST_PAUSE_SECONDS
    while True:
        try:
            return await call()
        except SLACK_FAULTS as error:
            code = error_code(error)
            if code not in ("", "ratelimited"):
                raise TokenRefused(
                    f"Slack refused {setting} ({code}): copy it again from your app's"
                    f" {where_to_copy(setting, 'en')}."
                ) from None
            wait = max(pause, retry_after(error))
            if loop.time() + wait > end:
                raise StartError(
                    f"Slack could not be reached ({fault(error)}): check the network and"
                    " SLACK_API_URL."
                ) from None
            log.warning("Slack did not answer at the start, and is asked again: %s", fault(error))
        await asyncio.sleep(wait)
        pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
