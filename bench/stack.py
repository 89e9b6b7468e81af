"""The measured app, started as an operator starts it: processes on loopback."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import aiohttp

from bot.queue.migrations import QUEUE_ROLE, migrations
from memory import EmbeddedPostgres, EmbeddingSpace, Login, migrate

ROOT = Path(__file__).resolve().parent.parent
SPACE = EmbeddingSpace("kioku-stand-in-embedding", 256)


@dataclass(frozen=True, slots=True)
class Stack:
    """A running app with its Slack and its model."""

    playground: str
    openai_base_url: str
    http: aiohttp.ClientSession
    app_pid: int = 0

    async def control(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """Call a control API: GET without a body, else POST."""
        url = f"{self.playground}{path}"
        request = self.http.get(url) if body is None else self.http.post(url, json=body)
        async with request as answer:
            answer.raise_for_status()
            return await answer.json()


@asynccontextmanager
async def _process(
    *arguments: str, **environment: str
) -> AsyncIterator[tuple[asyncio.StreamReader, int]]:
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("KIOKU_", "SLACK_", "OPENAI_", "DATABASE_"))
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        env=inherited | environment,
        cwd=ROOT,
    )
    try:
        if process.stdout is None:
            raise RuntimeError("The process has no output to read.")
        yield process.stdout, process.pid
    finally:
        process.terminate()
        await process.wait()


@asynccontextmanager
async def running_app(
    folder: Path, *, first_token_ms: int, run: Sequence[str] = ("-m", "bot", "run")
) -> AsyncIterator[Stack]:
    """Run PostgreSQL, the playground with its model, and the app, all below `folder`.

    The model takes `first_token_ms` milliseconds to its first token and none after it. `run` are
    the interpreter's arguments that start the app.
    """
    with EmbeddedPostgres(folder / "postgres") as postgres:
        postgres.ensure_database("bench")
        login = postgres.login_dsn("bench")
        migrate(postgres.dsn("bench"), SPACE, migrations(), login=Login(login, (QUEUE_ROLE,)))
        playground = _process(
            *("-m", "playground", "--port", "0", "--manifest", str(ROOT / "manifest.yml"))
        )
        async with playground as (output, _), aiohttp.ClientSession() as http:
            told = json.loads(await output.readline())
            stack = Stack(told["url"], told["openai_base_url"], http)
            await stack.control("/_model/settings", {"first_token_ms": first_token_ms})
            app = _process(
                *run,
                DATABASE_URL=login,
                SLACK_API_URL=told["slack_api_url"],
                SLACK_BOT_TOKEN=told["bot_token"],
                SLACK_APP_TOKEN=told["app_token"],
                OPENAI_BASE_URL=told["openai_base_url"],
                OPENAI_API_KEY="stand-in",
                KIOKU_REPLY_MODEL="kioku-stand-in",
                KIOKU_MEMORY_MODEL="kioku-stand-in",
                KIOKU_EMBEDDING_MODEL=SPACE.model,
                KIOKU_LOG_LEVEL="warning",
                PORT="0",
            )
            async with app as (said, pid):
                await said.readline()
                yield replace(stack, app_pid=pid)
