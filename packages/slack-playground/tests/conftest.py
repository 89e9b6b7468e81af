"""A playground on a loopback port, real Slack clients, and a real Bolt app on Socket Mode."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import aiohttp
import pytest
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from slack_playground.manifest import Manifest, read_manifest
from slack_playground.server import serve
from slack_playground.slack import APP_TOKEN, BOT_TOKEN, Slack

from .driver import Driver, Json
from .published import unpublished

MANIFEST = Path(__file__).with_name("manifest.yml")
Connect = Callable[[AsyncApp], Awaitable[AsyncSocketModeHandler]]


@pytest.fixture
def manifest(request: pytest.FixtureRequest) -> Manifest:
    """The manifest of the tests, with the changes that the marker `manifest` names."""
    own = read_manifest(MANIFEST)
    marker = request.node.get_closest_marker("manifest")
    changes = dict(marker.kwargs) if marker else {}
    for name, value in changes.items():
        if isinstance(value, set):
            changes[name] = getattr(own, name) | value
    return own.model_copy(update=changes)


@pytest.fixture
async def slack(manifest: Manifest) -> AsyncIterator[Slack]:
    """A playground that grants exactly what the manifest asks for.

    All it sends has the fields and types that Slack publishes.
    """
    async with serve(manifest, retry_delays=(0.0, 0.05, 0.1)) as running:
        yield running
        assert unpublished(running) == []


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """Plain HTTP."""
    async with aiohttp.ClientSession() as one:
        yield one


@pytest.fixture
def driver(slack: Slack, session: aiohttp.ClientSession) -> Driver:
    """The people of the playground."""
    return Driver(slack.url, session)


def web_client(slack: Slack, token: str = BOT_TOKEN) -> AsyncWebClient:
    """The real Web API client, without retries."""
    return AsyncWebClient(token=token, base_url=f"{slack.url}/api/", retry_handlers=[])


@pytest.fixture
def client(slack: Slack) -> AsyncWebClient:
    """The app's Web API client."""
    return web_client(slack)


@pytest.fixture
def app(slack: Slack) -> AsyncApp:
    """A real Bolt app that talks to the playground."""
    return AsyncApp(client=web_client(slack), process_before_response=True)


def keeping(bodies: list[Json]) -> Callable[..., Awaitable[None]]:
    """A listener that acknowledges, and keeps the bodies it gets."""

    async def keep(ack: AsyncAck, body: Json) -> None:
        await ack()
        bodies.append(body)

    return keep


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    """Connects an app by Socket Mode; every connection is closed at the end."""
    handlers: list[AsyncSocketModeHandler] = []

    async def open_connection(app: AsyncApp) -> AsyncSocketModeHandler:
        handler = AsyncSocketModeHandler(
            app, APP_TOKEN, web_client=app.client, ping_interval=1.0
        )
        hello = asyncio.Event()

        async def received(message: aiohttp.WSMessage) -> None:
            if '"hello"' in message.data:
                hello.set()

        handler.client.on_message_listeners.append(received)
        await handler.connect_async()  # type: ignore[no-untyped-call]
        handlers.append(handler)
        async with asyncio.timeout(30):
            await hello.wait()
        return handler

    yield open_connection
    for handler in handlers:
        await handler.close_async()  # type: ignore[no-untyped-call]
