"""The running application: what is opened at the start and closed at the end."""

from __future__ import annotations

import asyncio
import logging
import os
from contextlib import AsyncExitStack
from typing import Self

import openai
from aiohttp import web
from psycopg import OperationalError
from pydantic import SecretStr
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.answering import Answering
from bot.app import create_app
from bot.ask import Asks, ask_handler
from bot.audience import Audiences
from bot.changes import Changes
from bot.config import Settings
from bot.inbox import ANSWER, Inbox, Waiting
from bot.learning import FORM, Learning
from bot.logs import fault
from bot.own_memories import OwnMemories
from bot.people import People
from bot.queue import LEARNING, REPLIES, Queue, migrations
from bot.reply import Replier
from bot.slack import SLACK_FAULTS, create_client, error_code, patiently
from bot.slack_outlet import SlackOutlet
from bot.start import StartError, cannot_open
from bot.turn import Parts, create_turn
from bot.turns import Intent, Turns
from bot.web import Handler, create_web_app
from memory import (
    Embedder,
    EmbeddingSpace,
    Former,
    KiokuMemoryError,
    Pool,
    View,
    check_access,
    check_database,
    create_pool,
    embedding_space,
    memory_model,
    warm_up,
)

log = logging.getLogger(__name__)

REPLIES_AT_ONCE = 64
FORMATIONS_AT_ONCE = 4
_POOL_SIZE = 12
_DRAIN_SECONDS = 25.0
_READY_WAIT_SECONDS = 2.0
_CONNECT_SECONDS = 30.0
_WARM_UP_SECONDS = 0.2
_FORMATION_ATTEMPTS = 8
_FORMATION_WAIT_BASE = 4


def create_openai_client(settings: Settings) -> openai.AsyncOpenAI:
    """Return the client for replies and embeddings; it tries once more, not twice."""
    return openai.AsyncOpenAI(
        api_key=settings.model_key(),
        base_url=settings.openai_base_url,
        max_retries=1,
        timeout=openai.Timeout(120.0, connect=10.0),
    )


class Service:
    """Slack on one side, PostgreSQL and the models on the other.

    Enter it to start; leaving it drains what runs and closes everything. Raises `StartError`, or
    a `memory.KiokuMemoryError`, whose message is for the operator.
    """

    def __init__(self, settings: Settings, conninfo: str, *, serve_http: bool) -> None:
        self._settings = settings
        self._conninfo = conninfo
        self._serve_http = serve_http
        self._stack = AsyncExitStack()
        self._socket: AsyncSocketModeHandler | None = None
        self.port = settings.port

    async def __aenter__(self) -> Self:
        # What people say must not go to a tracing service because a variable is set.
        os.environ.update(LANGSMITH_TRACING="false", LANGCHAIN_TRACING_V2="false")
        try:
            await self._start()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def _start(self) -> None:
        settings = self._settings
        model = create_openai_client(settings)
        self._stack.push_async_callback(model.close)
        space = await embedding_space(model, settings.embedding_model)
        pool = await self._open_pool(space)

        token = settings.slack_bot_token
        if token is None:
            raise StartError("SLACK_BOT_TOKEN is not set: copy the Bot User OAuth Token (xoxb-…).")
        client = create_client(token.get_secret_value(), settings.slack_api_url)
        identity = await _identify(client)

        queue = Queue(pool)
        await queue.open()
        embedder = Embedder(model, space)
        audiences = Audiences(pool, client)
        people = People(client)
        learning = Learning(
            pool=pool,
            queue=queue,
            former=Former(
                pool,
                embedder,
                lambda: memory_model(
                    model=settings.memory_model,
                    api_key=settings.model_key(),
                    base_url=settings.openai_base_url,
                ),
            ),
            audiences=audiences,
            mode=settings.formation,
            quiet_seconds=settings.formation_delay,
        )
        inbox = Inbox(pool, queue)
        own = OwnMemories(pool, embedder, stand_in=settings.stand_in)
        turns = Turns(pool, learning.schedule)
        parts = Parts(
            pool=pool,
            client=client,
            bot_user_id=str(identity.bot_user_id),
            turns=turns,
            audiences=audiences,
            embedder=embedder,
            replier=Replier(model, model=settings.reply_model, web_search=settings.web_search),
        )

        def open_outlet(waiting: Waiting, view: View, intent: Intent) -> SlackOutlet:
            return SlackOutlet(
                client,
                waiting,
                view,
                intent,
                inbox=inbox,
                turns=turns,
                people=people,
                own=own,
                stand_in=settings.stand_in,
            )

        answering = Answering(inbox, create_turn(parts, open_outlet), parts, open_outlet)
        queue.register(ANSWER, REPLIES, answering.drain, attempts=6, wait=2)
        queue.register(
            FORM,
            LEARNING,
            learning.form,
            attempts=_FORMATION_ATTEMPTS,
            wait=_FORMATION_WAIT_BASE,
        )
        app = create_app(
            client=client,
            identity=identity,
            inbox=inbox,
            changes=Changes(
                inbox=inbox,
                turns=turns,
                audiences=audiences,
                people=people,
                bot_user_id=str(identity.bot_user_id),
            ),
            people=people,
            own=own,
        )
        queue.start(
            replies=REPLIES_AT_ONCE,
            learning=FORMATIONS_AT_ONCE,
            poll_seconds=min(max(settings.formation_delay / 4, 0.2), 1.0),
            patience=_DRAIN_SECONDS,
        )
        self._stack.push_async_callback(queue.stop)
        if settings.slack_app_token is not None:
            await self._connect(app, client, settings.slack_app_token.get_secret_value())
        if self._serve_http:
            await self._listen(app, pool, space, _ask(parts, settings.api_token))
        # A second of imports: once people can write, so that the first memory need not wait.
        loop = asyncio.get_running_loop()
        loop.call_later(_WARM_UP_SECONDS, loop.run_in_executor, None, warm_up)

    async def _open_pool(self, space: EmbeddingSpace) -> Pool:
        pool = create_pool(self._conninfo, max_size=_POOL_SIZE)
        try:
            await check_access(self._conninfo)
            self._stack.push_async_callback(pool.close)
            await pool.open()
            await check_database(pool, space, migrations())
        except OperationalError:
            raise StartError(
                "PostgreSQL could not be reached: check DATABASE_URL and that the server runs."
            ) from None
        return pool

    async def _connect(self, app: AsyncApp, client: AsyncWebClient, app_token: str) -> None:
        handler = AsyncSocketModeHandler(app, app_token, web_client=client)
        self._stack.push_async_callback(handler.close_async)
        try:
            # The SDK would ask for an address for ever, whatever Slack says of the token.
            opened = await patiently(lambda: client.apps_connections_open(app_token=app_token))
            handler.client.wss_uri = str(opened["url"])
            connecting = handler.client.connect()  # type: ignore[no-untyped-call]
            await asyncio.wait_for(connecting, _CONNECT_SECONDS)
        except SLACK_FAULTS as error:
            raise StartError(_refused("SLACK_APP_TOKEN", error)) from None
        self._socket = handler

    async def _listen(
        self, app: AsyncApp, pool: Pool, space: EmbeddingSpace, ask: Handler | None
    ) -> None:
        async def ready() -> str | None:
            if self._socket is not None and not await self._socket.client.is_connected():
                return "Slack's Socket Mode is not connected."
            try:
                await check_database(pool, space, migrations(), wait=_READY_WAIT_SECONDS)
            except OperationalError:
                return "PostgreSQL cannot be reached."
            except KiokuMemoryError as problem:
                return str(problem)
            return None

        secret = self._settings.slack_signing_secret
        runner = web.AppRunner(
            create_web_app(
                ready=ready,
                app=app if self._socket is None else None,
                signing_secret=secret.get_secret_value() if secret else None,
                ask=ask,
            ),
            access_log=None,
        )
        await runner.setup()
        self._stack.push_async_callback(runner.cleanup)
        site = web.TCPSite(runner, "0.0.0.0", self._settings.port)  # noqa: S104 - a server's door
        try:
            await site.start()
        except OSError as error:
            raise cannot_open(self._settings.port, error) from None
        self.port = runner.addresses[0][1]


def _ask(parts: Parts, token: SecretStr | None) -> Handler | None:
    if token is None:
        return None
    asks = Asks()
    return ask_handler(asks, create_turn(parts, asks.open_outlet), token.get_secret_value())


async def _identify(client: AsyncWebClient) -> AuthorizeResult:
    try:
        answer = await client.auth_test()
    except SLACK_FAULTS as error:
        raise StartError(_refused("SLACK_BOT_TOKEN", error)) from None
    return AuthorizeResult.from_auth_test_response(
        auth_test_response=answer, bot_token=client.token
    )


def _refused(name: str, error: BaseException) -> str:
    if isinstance(error, SlackApiError) and (code := error_code(error)):
        where = {
            "SLACK_BOT_TOKEN": "OAuth & Permissions (xoxb-…)",
            "SLACK_APP_TOKEN": "Basic Information, App-Level Tokens (xapp-…, connections:write)",
        }[name]
        return f"Slack refused {name} ({code}): copy it again from your app's {where}."
    return f"Slack could not be reached ({fault(error)}): check the network and SLACK_API_URL."
