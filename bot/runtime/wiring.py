"""Opens the models, PostgreSQL and Slack; creates the objects of the application."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlsplit

import openai
from langchain_core.language_models import BaseChatModel
from psycopg import OperationalError

from bot.answer_limits import limit_response
from bot.app import App
from bot.config import ModelServer, Settings
from bot.conversation.inbox import read_progress
from bot.models.model import Model
from bot.models.responses import ResponsesModel
from bot.network import proxy_for
from bot.people import People
from bot.presence import Presence
from bot.queue.queue import Queue, migrations
from bot.runtime.database_addresses import database
from bot.runtime.installing import find_installation
from bot.runtime.problems import UNBOUND_LOGIN, explained
from bot.slack.client import SlackApi, create_session
from bot.slack.members import Members
from bot.slack.messages import Installation
from bot.slack.names import Names
from bot.slack.sessions import Sessions
from memory import (
    Embedder,
    EmbeddingSpace,
    Former,
    KiokuMemoryError,
    Pool,
    create_pool,
    embedding_space,
    load_schemas,
    memory_model,
)
from memory.formation import MODEL_TIMEOUT
from memory.model import OPENAI, provider_and_name, speaks_openai
from memory.postgres import (
    check_access,
    check_database,
    stored_space,
    transaction_timeout,
)

log = logging.getLogger(__name__)

POOL_SIZE = 12  # the most connections of one process; one connection serves ten people at a time
_CLOSE_SECONDS = 2.0
_READY_SECONDS = 2.0
_REASON_SECONDS = 1.0


def create_app(
    settings: Settings,
    clients: ModelClients,
    space: EmbeddingSpace,
    pool: Pool,
    slack: SlackApi,
    installation: Installation,
) -> App:
    """Return the objects of the application. This starts no task and sends no request."""
    schemas = load_schemas(settings.schemas)
    embedder = Embedder(clients.embeddings, space)
    names = Names(slack)
    former = Former(
        pool,
        embedder,
        partial(create_chat_model, settings, clients.memories),
        schemas=schemas,
        sensitive=settings.sensitive,
    )
    return App(
        settings=settings,
        pool=pool,
        queue=Queue(pool),
        slack=slack,
        presence=Presence(pool, slack, installation),
        sessions=Sessions(slack, partial(read_progress, pool)),
        model=create_reply_model(settings, clients.replies),
        embedder=embedder,
        former=former,
        schemas=schemas,
        people=People(pool, names),
        names=names,
        members=Members(slack, names),
    )


def create_reply_model(settings: Settings, client: openai.AsyncOpenAI) -> Model:
    """Return the model that replies. Raises what `memory.memory_model` raises."""
    provider, name = provider_and_name(settings.reply_model)
    if provider == OPENAI:
        return ResponsesModel(
            client,
            model=name,
            effort=settings.reasoning_effort,
            max_output_tokens=settings.max_output_tokens,
            first_event_seconds=settings.model_timeout,
            answer_seconds=settings.answer_seconds,
        )
    from bot.models.langchain import LangChainModel  # few installations need it

    chat = _chat_model(
        settings.reply_model,
        settings.reply_server,
        client,
        effort=settings.reasoning_effort,
        timeout=settings.model_timeout,
    )
    return LangChainModel(
        chat,
        model=name,
        first_event_seconds=settings.model_timeout,
        answer_seconds=settings.answer_seconds,
    )


def create_chat_model(
    settings: Settings, client: openai.AsyncOpenAI | None
) -> BaseChatModel:
    """Return the LangChain chat model that forms memories.

    Raises what `memory.memory_model` raises. A model that speaks OpenAI's API shares the
    connections of `client`.
    """
    return _chat_model(
        settings.memory_model,
        settings.memory_server,
        client,
        effort=settings.memory_reasoning_effort,
    )


def _chat_model(
    model: str,
    server: ModelServer,
    client: openai.AsyncOpenAI | None,
    *,
    effort: str | None,
    timeout: float = MODEL_TIMEOUT,
) -> BaseChatModel:
    """Return a model of LangChain: at its provider, or at a server of OpenAI's API."""
    if not speaks_openai(model):
        return memory_model(model=model, timeout=timeout)
    return memory_model(
        model=model,
        api_key=server.key,
        base_url=server.base_url,
        client=client,
        reasoning_effort=effort,
        timeout=timeout,
    )


@dataclass(frozen=True, slots=True)
class ModelClients:
    """The clients of the models that speak OpenAI's API; no server need make embeddings."""

    replies: openai.AsyncOpenAI
    memories: openai.AsyncOpenAI
    embeddings: openai.AsyncOpenAI | None


@asynccontextmanager
async def open_model_clients(
    settings: Settings, *, seconds: float | None = None
) -> AsyncIterator[ModelClients]:
    """Open a client for each server; models at one server share its connections.

    `seconds`: how long they wait for a byte, KIOKU_MODEL_TIMEOUT by default.
    """
    if seconds is None:
        seconds = settings.model_timeout
    opened: dict[str, openai.AsyncOpenAI] = {}
    async with AsyncExitStack() as stack:

        async def client_of(server: ModelServer) -> openai.AsyncOpenAI:
            if server.base_url not in opened:
                client = create_openai_client(server, seconds=seconds)
                opened[server.base_url] = await stack.enter_async_context(client)
            return opened[server.base_url].with_options(api_key=server.key)

        embeddings = None
        if settings.has_embeddings:
            embeddings = await client_of(settings.embedding_server)
        yield ModelClients(
            replies=await client_of(settings.reply_server),
            memories=await client_of(settings.memory_server),
            embeddings=embeddings,
        )


def create_openai_client(server: ModelServer, *, seconds: float) -> openai.AsyncOpenAI:
    """Return the client of a server, which retries once instead of the SDK's two times."""
    address = server.base_url
    # aiohttp takes a third less processor time for a stream, but no credentials in an address.
    transport = openai.DefaultAioHttpClient
    if urlsplit(address).username is not None:
        transport = openai.DefaultAsyncHttpxClient
    http_client = transport(
        proxy=proxy_for(address),
        # It would read proxies and certificates from the environment by its own rules.
        trust_env=False,
        verify=ssl.create_default_context(),
        headers={"Accept-Encoding": "identity"},
        event_hooks={"response": [limit_response]},
    )
    return openai.AsyncOpenAI(
        api_key=server.key,
        base_url=address,
        max_retries=1,
        timeout=openai.Timeout(seconds, connect=10.0),
        http_client=http_client,
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
async def open_app(
    settings: Settings, conninfo: str, *, installation: Installation | None = None
) -> AsyncIterator[App]:
    """Open and check everything, and close it afterwards; yield the objects of the application.

    Slack is asked which workspace SLACK_BOT_TOKEN belongs to, unless `installation` is given. The
    embedding model is asked for the size of its vectors only if those stored are of another one.
    Raises what `bot.runtime.problems.explained` explains.
    """
    async with AsyncExitStack() as stack:
        clients = await stack.enter_async_context(open_model_clients(settings))
        pool = await stack.enter_async_context(open_pool(conninfo, size=POOL_SIZE))
        space = await stored_space(pool)
        if clients.embeddings is not None and space.model != settings.embedding_model:
            model = settings.embedding_model
            space = await embedding_space(clients.embeddings, model)
        await check_database(pool, space, migrations())
        session = await stack.enter_async_context(create_session())
        if installation is None:
            installation = await find_installation(settings, pool)
        slack = SlackApi(installation, base_url=settings.slack_api_url, session=session)
        app = create_app(settings, clients, space, pool, slack, installation)
        await app.presence.refresh()
        yield app


async def database_problem(app: App) -> str | None:
    """Return one sentence about what is wrong with the database, or None."""
    try:
        with transaction_timeout(_READY_SECONDS):
            await check_database(app.pool, app.embedder.space, migrations())
    except KiokuMemoryError as error:
        return explained(error)
    except OperationalError as error:
        try:
            # The pool does not say why PostgreSQL gives no connection.
            async with asyncio.timeout(_REASON_SECONDS):
                await check_access(str(app.pool.conninfo))
        except (OperationalError, KiokuMemoryError) as reason:
            return explained(reason)
        except TimeoutError:
            pass
        return explained(error)
    return None


@asynccontextmanager
async def operators_pool(settings: Settings) -> AsyncIterator[Pool]:
    """Open a small pool on the database of `settings`, also beside a running `kioku up`."""
    async with (
        database(settings, beside=True) as addresses,
        open_pool(addresses.login) as pool,
    ):
        yield pool
