"""`kioku up`: everything on one machine."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from shlex import quote
from shutil import which
from urllib.parse import urlsplit

from pydantic import SecretStr

from bot.cancellation import stopped_by_signal
from bot.config import STAND_IN_EMBEDDING_MODEL, STAND_IN_MODEL, Settings
from bot.network import proxy_for
from bot.runtime.browser import open_browser
from bot.runtime.database_addresses import database
from bot.runtime.manifest import create_app_url, manifest_path
from bot.runtime.problems import Problem, cannot_open, place_of
from bot.runtime.settings_check import check_settings
from memory import EmbeddingSpaceMismatch
from memory.model import speaks_openai

# Settings of single models: without a key or an address for all, the stand-in is each of them.
_OF_SINGLE_MODELS = (
    "memory_base_url",
    "memory_api_key",
    "embedding_base_url",
    "embedding_api_key",
)
_NO_KEY = (
    "The stored memories were embedded with {}, and no model is set: write OPENAI_API_KEY (or"
    " OPENAI_BASE_URL) again, or set KIOKU_DATA_DIR to another folder for the stand-in."
)
_NO_SOCKET = (
    "SLACK_BOT_TOKEN is set without SLACK_APP_TOKEN, but `kioku up` gets events by Socket Mode"
    " only: set SLACK_APP_TOKEN, start `kioku run`, or remove SLACK_BOT_TOKEN for the playground."
)
_FORMATION_DELAY = 1.0
_READY_SECONDS = 20.0
_SERVER_SECONDS = 5.0


async def up(settings: Settings, *, browser: bool = True) -> None:
    """Run everything on this machine until SIGINT or SIGTERM.

    It uses real Slack by Socket Mode if its tokens are set, else the playground, which is opened if
    `browser`; and a real model if one is set, else the stand-in.
    """
    stop = stopped_by_signal()
    await check_settings(settings)
    in_slack = settings.slack_app_token is not None
    if not in_slack:
        if settings.slack_bot_token is not None:
            raise Problem(_NO_SOCKET)
        try:
            socket.create_server(("127.0.0.1", settings.port)).close()
        except OSError as error:
            raise cannot_open("127.0.0.1", settings.port, error) from None
    async with AsyncExitStack() as stack:
        # The database first: its lock admits only one `kioku up` to the data directory.
        addresses = await stack.enter_async_context(database(settings))
        started = None
        if not in_slack or not settings.has_model:
            started = await stack.enter_async_context(
                _playground(settings, in_slack=in_slack)
            )
        # These imports take a second, in which the playground starts.
        from bot.runtime.migration import bring_up_to_date
        from bot.runtime.service import open_service

        told = {}
        if started is not None:
            told = await _wait_for_playground(settings, started)
        adapted = _adapted(settings, told, in_slack=in_slack)
        try:
            await bring_up_to_date(adapted, addresses)
        except EmbeddingSpaceMismatch as mismatch:
            if settings.has_model:
                raise
            raise Problem(_NO_KEY.format(mismatch.stored.model)) from None
        host = None
        if settings.api_token is not None:
            host = adapted.listens_on
        port = await stack.enter_async_context(
            open_service(adapted, addresses.login, host=host)
        )
        playground = None
        if not in_slack:
            playground = told["url"]
            if browser:
                open_browser(playground)
        _welcome(adapted, port, playground)
        if not await _server_answers(adapted):
            print("  It does not answer now: `kioku doctor` says what to look at.")
        try:
            await stop.wait()
        finally:
            print("\nKioku is finishing what it has begun …")


@asynccontextmanager
async def _playground(settings: Settings, *, in_slack: bool) -> AsyncIterator[Process]:
    """Start the playground on `PORT` (in Slack: on any port, for its model only).

    It runs in a session of its own, so that Ctrl-C reaches the app first. Raises `Problem`.
    """
    if find_spec("kioku_stand_in") is None:
        raise Problem(
            "The playground is not installed: install Kioku with its extra `playground`, or set"
            " Slack's tokens and OPENAI_API_KEY."
        )
    folder = settings.data_dir.resolve()
    port = 0 if in_slack else settings.port
    command = [sys.executable, "-m"]
    if settings.has_model:
        command.append("slack_playground")
    else:
        command += ["kioku_stand_in.playground", "--paced"]
    command.append("--exit-with-parent")
    command += ["--manifest", str(manifest_path())]
    command += ["--data-dir", str(folder / "playground")]
    command += ["--create-app-url", create_app_url()]
    command += ["--setup-command", _setup_command()]
    command += ["--native-name", "記憶"]
    command += ["--port", str(port)]
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        log = _log(settings).open("wb")
    except OSError as error:
        raise Problem(
            f"{error.filename} cannot be used ({error.strerror}): set KIOKU_DATA_DIR to another"
            " folder."
        ) from None
    with log:
        process = await asyncio.create_subprocess_exec(
            *command, stdin=PIPE, stdout=PIPE, stderr=log, start_new_session=True
        )
    try:
        yield process
    finally:
        if process.returncode is None:
            # terminate() may reap the process behind the event loop's back.
            with suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGTERM)
        await process.communicate()


def _log(settings: Settings) -> Path:
    return settings.data_dir.resolve() / "playground.log"


async def _wait_for_playground(
    settings: Settings, playground: Process
) -> dict[str, str]:
    """Wait until the playground is ready; return its addresses and tokens. Raises `Problem`."""
    line = b""
    if playground.stdout is not None:
        with suppress(TimeoutError):
            line = await asyncio.wait_for(playground.stdout.readline(), _READY_SECONDS)
    if not line:
        raise Problem(
            f"The playground did not start: see {_log(settings)} and fix the cause, or set"
            " KIOKU_DATA_DIR to another folder."
        )
    return dict(json.loads(line))


def _adapted(settings: Settings, told: dict[str, str], *, in_slack: bool) -> Settings:
    """Return the settings with the playground in place of Slack, and its models if none is set."""
    changes: dict[str, object] = {}
    if "formation_delay" not in settings.model_fields_set:
        changes["formation_delay"] = _FORMATION_DELAY
    if not in_slack:
        changes["slack_api_url"] = told["slack_api_url"]
        changes["slack_bot_token"] = SecretStr(told["bot_token"])
        changes["slack_app_token"] = SecretStr(told["app_token"])
        if settings.port:
            changes["port"] = settings.port + 1  # the playground has PORT itself
    if not settings.has_model:
        changes["openai_base_url"] = told["openai_base_url"]
        changes["openai_api_key"] = SecretStr("stand-in")
        # A copy of .env.example names models, which nobody serves without a key.
        changes["reply_model"] = STAND_IN_MODEL
        changes["memory_model"] = STAND_IN_MODEL
        changes["embedding_model"] = STAND_IN_EMBEDDING_MODEL
        changes |= dict.fromkeys(_OF_SINGLE_MODELS)
    return settings.model_copy(update=changes)


async def _server_answers(settings: Settings) -> bool:
    """Return whether the reply model's server, or the proxy before it, takes a connection."""
    if not speaks_openai(settings.reply_model):
        return True
    address = settings.reply_server.base_url
    parts = urlsplit(proxy_for(address) or address)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        async with asyncio.timeout(_SERVER_SECONDS):
            _, writer = await asyncio.open_connection(parts.hostname, port)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True


def _welcome(settings: Settings, port: int, playground: str | None) -> None:
    """Print where Kioku is."""
    if playground is None:
        print("Kioku is ready in your Slack workspace")
    else:
        print(f"Kioku is ready at {playground}")
    if settings.stand_in:
        print(
            "  Answers come from the stand-in model, which quotes what you told it. Set"
            " OPENAI_API_KEY for a language model."
        )
    else:
        where = place_of(settings.reply_model, settings.reply_server)
        print(f"  Answers come from {settings.reply_model} at {where}.")
    if settings.api_token is not None:
        print(f"  POST /ask is at http://127.0.0.1:{port}/ask")
    if playground is not None:
        print(f"  Use it in your Slack: {_setup_command()}")
    print("  Stop with Ctrl-C; nothing is lost.")


def _setup_command() -> str:
    """Return how to run `kioku setup` in the way that this command was run."""
    program = sys.argv[0]
    command = Path(program).name
    if command == "__main__.py":
        return f"{quote(sys.orig_argv[0])} -m bot setup"
    if which(command) == program:
        return f"{command} setup"
    return f"{quote(program)} setup"
