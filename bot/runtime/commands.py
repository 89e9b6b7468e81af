"""The commands of `kioku`.

Importing the whole application takes about a second, so it is done only after PostgreSQL and the
playground have begun to start.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import Coroutine
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from bot.config import STAND_IN_EMBEDDING_MODEL, STAND_IN_MODEL, Settings
from bot.runtime.checks import check_settings
from bot.runtime.database import database, migrated
from bot.runtime.output import tell
from bot.runtime.playground import Playground, await_port, open_playground
from bot.runtime.problem import NO_EVENTS, NO_MODEL, Problem

if TYPE_CHECKING:
    from bot.runtime.service import Role
    from memory import EmbeddingSpaceMismatch

T = TypeVar("T")

_UP_FORMATION_DELAY = 1.0


async def run(settings: Settings, *, role: Role) -> None:
    """Serve Slack until SIGINT or SIGTERM: by Socket Mode with an app token, else over HTTP.

    Any number of processes share a database; a ``front`` receives and a ``worker`` answers.
    Raises `Problem` with one sentence where a setting or a service is missing, and
    `memory.InvalidSchemas`.
    """
    stop = _stopped_by_signal()
    await check_settings(settings, receives=role != "worker")
    if not settings.has_model:
        raise Problem(NO_MODEL)
    no_events = settings.slack_app_token is None and settings.slack_signing_secret is None
    if no_events and role != "worker":
        raise Problem(NO_EVENTS)
    async with contextlib.AsyncExitStack() as stack:
        addresses = await stack.enter_async_context(database(settings))
        from bot.runtime.service import open_service

        host = settings.listens_on
        service = open_service(settings, addresses.login, role=role, host=host)
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
    set, else the stand-in.
    """
    stop = _stopped_by_signal()
    if settings.slack_client_id is not None:
        raise Problem(
            "SLACK_CLIENT_ID is set, but `kioku up` serves one workspace: start `kioku run`, or"
            " remove SLACK_CLIENT_ID."
        )
    await check_settings(settings)
    in_slack = settings.slack_app_token is not None
    if not in_slack:
        for number in range(2 if settings.port and settings.api_token else 1):
            await await_port(settings.port + number)
    async with contextlib.AsyncExitStack() as stack:
        # The database first: its lock lets one `kioku up` into the data directory.
        addresses = await stack.enter_async_context(database(settings))
        ready = None
        if not in_slack or not settings.has_model:
            ready = await stack.enter_async_context(
                open_playground(settings, with_slack=not in_slack)
            )
        from bot.runtime.service import open_service

        playground = await ready() if ready is not None else None
        adapted = _adapted(settings, playground, in_slack=in_slack)
        await migrated(adapted, addresses)
        host = adapted.listens_on if settings.api_token else None
        service = open_service(adapted, addresses.login, host=host)
        port = await _unless_stopped(stop, stack.enter_async_context(service))
        if port is None:
            return
        place = "in your Slack workspace"
        if playground is not None and not in_slack:
            place = f"at {playground.url}"
        tell(f"Kioku is ready {place}")
        _welcome(adapted, port, in_slack=in_slack)
        await stop.wait()
        tell("\nKioku is finishing what it has begun …")


async def migrate_database(settings: Settings, *, yes: bool) -> None:
    """Bring the database of `settings` up to this version and say what was done.

    If the memories were embedded with another model, it asks whether to embed them again.
    """
    async with database(settings) as addresses:
        again = partial(_embed_again, yes=yes)
        done = await migrated(settings, addresses, embed_again=again)
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


def _welcome(settings: Settings, port: int, *, in_slack: bool) -> None:
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
    if not in_slack:
        tell("  Use it in your Slack: kioku setup")
    tell("  Stop with Ctrl-C; nothing is lost.")
