"""The commands of `kioku`.

Importing the whole application takes about a second, so it is done only after PostgreSQL and the
playground have begun to start.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from bot.config import STAND_IN_EMBEDDING_MODEL, STAND_IN_MODEL, Settings
from bot.runtime.database import database, migrated
from bot.runtime.operators import record_as_owner
from bot.runtime.output import tell
from bot.runtime.playground import Playground, await_port, open_playground
from bot.runtime.setup.connect import SetupPage
from bot.runtime.startup import StartError, require_tokens
from memory import address_of, load_schemas

if TYPE_CHECKING:
    from bot.runtime.service import Role
    from memory import EmbeddingSpaceMismatch

T = TypeVar("T")

_UP_FORMATION_DELAY = 1.0


async def run(settings: Settings, *, role: Role) -> None:
    """Serve Slack until SIGINT or SIGTERM: by Socket Mode with an app token, else over HTTP.

    Any number of processes share a database; a ``front`` receives and a ``worker`` answers.
    Raises `StartError` with one sentence where a setting or a service is missing, and
    `memory.InvalidSchemas`.
    """
    stop = _stopped_by_signal()
    load_schemas(settings.schemas)
    if not settings.has_model:
        raise StartError(
            "No model is set: write OPENAI_API_KEY, or OPENAI_BASE_URL for a server that speaks"
            " the Responses API. (`kioku up` runs with a stand-in model.)"
        )
    no_events = settings.slack_app_token is None and settings.slack_signing_secret is None
    if no_events and role != "worker":
        raise StartError(
            "Slack is not set up: write SLACK_APP_TOKEN for Socket Mode, or SLACK_SIGNING_SECRET"
            " for HTTP, besides SLACK_BOT_TOKEN."
        )
    async with contextlib.AsyncExitStack() as stack:
        addresses = await stack.enter_async_context(database(settings))
        from bot.runtime.service import open_service

        service = open_service(settings, addresses.login, role=role, host="0.0.0.0")  # noqa: S104
        port = await _unless_stopped(stop, stack.enter_async_context(service))
        if port is None:
            return
        tell(f"Kioku is ready on port {port}.")
        await stop.wait()
        tell("Kioku is finishing what it has begun …")


def _stopped_by_signal() -> asyncio.Event:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


async def _unless_stopped(stop: asyncio.Event, start: Coroutine[Any, Any, T]) -> T | None:
    """Let `start` end, and return its result; where `stop` comes first, break it off: None."""
    starting, stopped = asyncio.create_task(start), asyncio.create_task(stop.wait())
    await asyncio.wait({starting, stopped}, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if not starting.done():
        starting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await starting
        return None
    return await starting


async def up(settings: Settings) -> None:
    """Run everything on this machine until SIGINT or SIGTERM.

    Real Slack by Socket Mode if its tokens are set, else the playground; a real model if one is
    set, else the stand-in. Beside the playground there is the setup page: once it is complete,
    everything is closed and starts again in that Slack.
    """
    stop = _stopped_by_signal()
    require_tokens(settings)
    load_schemas(settings.schemas)
    if settings.slack_app_token is not None:
        await _up(settings, stop)
        return
    for number in range(2 if settings.port and settings.api_token else 1):
        await await_port(settings.port + number)
    async with contextlib.AsyncExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        page = SetupPage(settings, listener)
        await _up(settings, stop, page, partial(_serve_setup, page, stack))
        if page.connected.is_set() and not stop.is_set():
            tell("Kioku starts again, in your Slack workspace …")
            await _up(page.setup.settings, stop, page)


async def _serve_setup(page: SetupPage, stack: contextlib.AsyncExitStack) -> None:
    # Only now, while the playground starts: this imports aiohttp.
    from bot.runtime.setup.server import serving

    await stack.enter_async_context(serving(page))


async def _up(
    settings: Settings,
    stop: asyncio.Event,
    page: SetupPage | None = None,
    serve_setup: Callable[[], Awaitable[None]] | None = None,
) -> None:
    """Run everything until `stop`; with `serve_setup` also until the page is complete."""
    in_slack = settings.slack_app_token is not None
    async with contextlib.AsyncExitStack() as stack:
        # The database first: its lock lets one `kioku up` into the data directory.
        addresses = await stack.enter_async_context(database(settings))
        ready = None
        if not in_slack or not settings.has_model:
            ready = await stack.enter_async_context(
                open_playground(
                    settings, with_slack=not in_slack, setup_url=page.url if page else None
                )
            )
        if serve_setup is not None:
            await serve_setup()
        from bot.runtime.service import open_service

        playground = await ready() if ready is not None else None
        adapted = _adapted(settings, playground, in_slack=in_slack)
        await migrated(adapted, addresses)
        host = "127.0.0.1" if settings.api_token else None
        service = open_service(adapted, addresses.login, host=host)
        port = await _unless_stopped(stop, stack.enter_async_context(service))
        if port is None:
            return
        place = "in your Slack workspace"
        if playground is not None and not in_slack:
            place = f"at {playground.url}"
        tell(f"Kioku is ready {place}")
        _welcome(adapted, port, page)
        if page is not None:
            page.ready = in_slack
        if page is not None and not in_slack:
            await _unless_stopped(stop, page.connected.wait())
        else:
            await stop.wait()
        tell("\nKioku is finishing what it has begun …")


async def migrate_database(settings: Settings, *, yes: bool) -> None:
    """Bring the database of `settings` up to this version and say what was done.

    If the memories were embedded with another model, it asks whether to embed them again.
    """
    async with database(settings) as addresses:
        again = partial(_embed_again, yes=yes)
        done = await migrated(settings, addresses, embed_again=again)
        if done:
            await record_as_owner(address_of(addresses.owner), "migrate", len(done))
    tell(f"Applied {len(done)} step(s)." if done else "The database is up to date.")


def _embed_again(mismatch: EmbeddingSpaceMismatch, *, yes: bool) -> bool:
    if yes or not sys.stdin.isatty():
        return yes
    stored, prompt = mismatch.stored, "Embed all memories again with the configured model?"
    return input(f"They were embedded with {stored.model}. {prompt} [y/N] ").lower() == "y"


def _adapted(settings: Settings, playground: Playground | None, *, in_slack: bool) -> Settings:
    changes: dict[str, object] = {}
    given = settings.model_fields_set
    if "formation_delay" not in given:
        changes["formation_delay"] = _UP_FORMATION_DELAY
    if playground is not None and not in_slack:
        changes |= playground.slack_settings()
        # The playground has PORT itself.
        changes["port"] = settings.port and settings.port + 1
    if playground is not None and not settings.has_model:
        changes |= playground.model_settings()
        stand_in = {
            "reply_model": STAND_IN_MODEL,
            "memory_model": STAND_IN_MODEL,
            "embedding_model": STAND_IN_EMBEDDING_MODEL,
        }
        changes |= {name: model for name, model in stand_in.items() if name not in given}
    return settings.model_copy(update=changes)


def _welcome(settings: Settings, port: int, page: SetupPage | None) -> None:
    if settings.stand_in:
        tell(
            "  Answers come from the stand-in model: scripted replies for trying the flow, not a"
            " language model. Set OPENAI_API_KEY for a real one."
        )
    else:
        address = settings.openai_base_url or "https://api.openai.com/v1"
        tell(f"  Answers come from {settings.reply_model} at {address}.")
    if settings.api_token is not None:
        tell(f"  POST /ask is at http://127.0.0.1:{port}/ask")
    if page is not None and not page.connected.is_set():
        tell(f"  Use it in your Slack: {page.url_with_code}")
    tell("  Stop with Ctrl-C; nothing is lost.")
