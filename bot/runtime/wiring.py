"""Opens the models, PostgreSQL and Slack; creates the objects of the application."""

from __future__ import annotations

import logging
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from urllib.parse import urlsplit

import openai
from psycopg import OperationalError

from bot.app import App
from bot.config import ModelServer, Settings
from bot.conversation.inbox import Inbox
from bot.conversation.turns import Turns
from bot.delivery.sessions import Sessions
from bot.network import proxy_for
from bot.notices import repeat_notice
from bot.people import People
from bot.pipeline.attachments import Attachments
from bot.pipeline.model import ModelRequests
from bot.pipeline.reply import Replier
from bot.pipeline.turn import TurnDependencies
from bot.queue.queue import Queue, migrations
from bot.runtime.memory_models import create_former
from bot.runtime.oauth import InstallationStore
from bot.runtime.problems import BOT_TOKEN, UNBOUND_LOGIN, ask_slack, explained, token
from bot.slack.audiences import Audiences
from bot.slack.client import Installations, create_session
from bot.slack.members import Members
from bot.slack.messages import Installation
from bot.slack.names import Names, find_names
from bot.workspaces import Workspaces, installation_from, only, purge_due, token_accepted
from memory import (
    Embedder,
    EmbeddingSpace,
    KiokuMemoryError,
    Pool,
    create_pool,
    embedding_space,
    load_schemas,
)
from memory.postgres import check_access, check_database, transaction

log = logging.getLogger(__name__)

POOL_SIZE = 12  # connections of one process, at most: one serves ten people at the same time
_CLOSE_SECONDS = 2.0
_READY_WAIT_SECONDS = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Wiring:
    """What a process serves with.

    `installation` is the one of SLACK_BOT_TOKEN; with OAuth they are in `store`.
    """

    turn_dependencies: TurnDependencies
    installation: Installation | None
    store: InstallationStore | None


def create_turn_dependencies(
    settings: Settings,
    clients: ModelClients,
    space: EmbeddingSpace,
    pool: Pool,
    slack: Installations,
) -> TurnDependencies:
    """Return the objects of the application. Creating them starts no task and no request."""
    schemas = load_schemas(settings.schemas)
    embedder = Embedder(clients.embeddings, space)
    queue = Queue(pool)
    names = Names(slack)
    former = create_former(settings, pool, embedder, clients.memories, schemas=schemas)
    app = App(
        settings=settings,
        pool=pool,
        queue=queue,
        inbox=Inbox(pool, queue, settings),
        slack=slack,
        workspaces=Workspaces(pool, slack, grace_hours=settings.uninstall_grace_hours),
        sessions=Sessions(slack),
        embedder=embedder,
        former=replace(former, find_references=partial(find_names, names)),
        schemas=schemas,
        people=People(pool, slack),
        names=names,
        audiences=Audiences(pool, slack),
        members=Members(slack),
    )
    turns = Turns(
        pool, app.audiences.view, queue=queue, settings=settings, repeat_notice=repeat_notice
    )
    replier = create_replier(settings, clients.replies)
    attachments = Attachments(slack)
    return TurnDependencies(app=app, turns=turns, replier=replier, attachments=attachments)


def create_replier(settings: Settings, client: openai.AsyncOpenAI) -> Replier:
    """Return what asks the reply model, and the fallback model if there is one."""
    named = {settings.reply_model: settings.reasoning_effort}
    if settings.fallback_model is not None:
        named.setdefault(settings.fallback_model, None)
    models = [
        ModelRequests(
            client,
            model=name,
            effort=effort,
            api=settings.reply_api,
            max_output_tokens=settings.max_output_tokens,
            first_event_seconds=settings.model_timeout,
        )
        for name, effort in named.items()
    ]
    # Only the Responses API has a web search.
    may_search = settings.web_search and settings.reply_api == "responses"
    return Replier(models, may_search=may_search)


@dataclass(frozen=True, slots=True)
class ModelClients:
    """The clients of the models that speak OpenAI's API."""

    replies: openai.AsyncOpenAI
    memories: openai.AsyncOpenAI
    embeddings: openai.AsyncOpenAI


@asynccontextmanager
async def open_model_clients(
    settings: Settings, *, seconds: float | None = None
) -> AsyncIterator[ModelClients]:
    """Open a client for each server; models at one server share its connections.

    `seconds`: how long they wait for a byte, KIOKU_MODEL_TIMEOUT by default.
    """
    wait = settings.model_timeout if seconds is None else seconds
    servers = (settings.reply_server, settings.memory_server, settings.embedding_server)
    async with AsyncExitStack() as stack:
        opened: dict[str, openai.AsyncOpenAI] = {}
        for server in servers:
            if server.base_url not in opened:
                client = create_openai_client(server, seconds=wait)
                opened[server.base_url] = await stack.enter_async_context(client)
        replies, memories, embeddings = (
            opened[server.base_url].with_options(api_key=server.key) for server in servers
        )
        yield ModelClients(replies, memories, embeddings)


def create_openai_client(server: ModelServer, *, seconds: float) -> openai.AsyncOpenAI:
    """Return the client of a server; it tries once more, not twice."""
    address = server.base_url
    # aiohttp takes a third less processor time for a stream, and no credentials in an address.
    is_plain = urlsplit(address).username is None
    transport = openai.DefaultAioHttpClient if is_plain else openai.DefaultAsyncHttpxClient
    http_client = transport(
        proxy=proxy_for(address),
        # It would read proxies and certificates from the environment by rules of its own.
        trust_env=False,
        verify=ssl.create_default_context(),
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
async def connected(
    settings: Settings, conninfo: str, *, installation: Installation | None = None
) -> AsyncIterator[Wiring]:
    """Open and check all of it, and close it afterwards; create the objects of the application.

    First it deletes what is due of workspaces that removed the app. Slack is asked which workspace
    SLACK_BOT_TOKEN is of, unless `installation` says so. Raises what
    `bot.runtime.problems.explained` explains.
    """
    several = settings.slack_client_id is not None
    if not several and installation is None:
        token(settings, BOT_TOKEN)
    async with AsyncExitStack() as stack:
        clients = await stack.enter_async_context(open_model_clients(settings))
        space = await embedding_space(clients.embeddings, settings.embedding_model)
        pool = await stack.enter_async_context(open_pool(conninfo, space, size=POOL_SIZE))
        # Slack may refuse the token of a workspace that removed the app, and then no job would run.
        await purge_due(pool)
        session = await stack.enter_async_context(create_session())
        answer = None
        store = None
        if several:
            store = InstallationStore(pool, settings)
            for team in await store.teams():
                await store.find(team)
        elif installation is None:
            answer = await ask_slack(settings, BOT_TOKEN, "auth.test")
            installation = installation_from(answer, token(settings, BOT_TOKEN))
            async with transaction(pool) as connection:
                await token_accepted(connection, installation.team_id, installation.bot_user_id)
        find = store.find if store else only(installation)
        slack = Installations(find, base_url=settings.slack_api_url, session=session)
        if answer is not None:
            slack.note_clock(answer)
        dependencies = create_turn_dependencies(settings, clients, space, pool, slack)
        yield Wiring(turn_dependencies=dependencies, installation=installation, store=store)


async def database_problem(app: App) -> str | None:
    """Return one sentence about what is wrong with the database, if anything is."""
    space = app.embedder.space
    wait = _READY_WAIT_SECONDS
    try:
        await check_database(app.pool, space, migrations(), wait=wait)
    except (OperationalError, KiokuMemoryError) as error:
        return explained(error)
    return None
