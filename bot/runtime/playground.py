"""The playground as a process of its own, beside the app."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO

from pydantic import SecretStr

from bot.config import Settings
from bot.runtime.manifest import create_app_url, manifest_path
from bot.runtime.problem import Problem, cannot_open

_READY_SECONDS = 20.0
_PORT_SECONDS = 3.0
_POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Playground:
    """The addresses of the running playground, and what the app needs to use it."""

    url: str
    slack_api_url: str
    openai_base_url: str | None
    bot_token: str
    app_token: str

    def slack_settings(self) -> dict[str, object]:
        """Return the settings that put the playground in Slack's place."""
        return {
            "slack_api_url": self.slack_api_url,
            "slack_bot_token": SecretStr(self.bot_token),
            "slack_app_token": SecretStr(self.app_token),
        }

    def model_settings(self) -> dict[str, object]:
        """Return the settings that put the stand-in in the model's place."""
        return {
            "openai_base_url": self.openai_base_url,
            "openai_api_key": SecretStr("stand-in"),
        }


@asynccontextmanager
async def open_playground(
    settings: Settings, *, with_slack: bool
) -> AsyncIterator[Callable[[], Awaitable[Playground]]]:
    """Start the playground on `PORT` (without Slack: on any port, for its model only).

    Yields what waits until it is ready and says where it is. It runs in a session of its own, so
    that Ctrl-C reaches the app first. Raises `Problem`, and so does the wait.
    """
    port = settings.port if with_slack else 0
    command = [
        *(sys.executable, "-m", "playground", "--port", str(port), "--exit-with-parent"),
        *("--manifest", str(manifest_path()), "--native-name", "記憶"),
        *("--data-dir", str(settings.data_dir.resolve() / "playground")),
        "--no-model" if settings.has_model else "--paced",
        *("--create-app-url", create_app_url(), "--setup-command", "kioku setup"),
    ]
    log = settings.data_dir.resolve() / "playground.log"
    with _opened(log) as errors:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
            start_new_session=True,
        )
    try:
        yield partial(_ready, process, log)
    finally:
        if process.returncode is None:
            # terminate() may collect the process behind the event loop's back.
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGTERM)
        await process.communicate()


def _opened(log: Path) -> IO[bytes]:
    try:
        log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return log.open("wb")
    except OSError as error:
        raise Problem(
            f"{error.filename} cannot be used ({error.strerror}): set KIOKU_DATA_DIR to another"
            " folder."
        ) from None


async def await_port(port: int) -> None:
    """Return when `port` of this machine is free; raise `Problem` if it stays taken."""
    # The playground of a killed run may be about to leave it.
    patience = _PORT_SECONDS
    while problem := _port_problem(port):
        if patience <= 0:
            raise cannot_open(port, problem)
        await asyncio.sleep(_POLL_SECONDS)
        patience -= _POLL_SECONDS


def _port_problem(port: int) -> OSError | None:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError as error:
        return error
    return None


async def _ready(process: asyncio.subprocess.Process, log: Path) -> Playground:
    line = b""
    if process.stdout is not None:
        with contextlib.suppress(TimeoutError):
            line = await asyncio.wait_for(process.stdout.readline(), _READY_SECONDS)
    if not line:
        raise Problem(
            f"The playground did not start: see {log} and fix the cause, or set"
            " KIOKU_DATA_DIR to another folder."
        )
    printed = json.loads(line)
    return Playground(**{name: printed[name] for name in Playground.__dataclass_fields__})
