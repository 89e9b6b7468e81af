"""The processes that a measurement needs: PostgreSQL, the playground and the stand-in model."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, LiteralString

import aiohttp
import psutil  # type: ignore[import-untyped] # the embedded PostgreSQL brings it
import psycopg
from psycopg.conninfo import make_conninfo

from bot.queue.queue import migrations
from memory import EmbeddedPostgres, EmbeddingSpace, migrate

ROOT = Path(__file__).resolve().parent.parent
MODEL = "gpt-6-luna"
SPACE = EmbeddingSpace("text-embedding-3-small", 1536)
FIRST_TOKEN_MS = 300
EMBEDDING_MS = 80
PACE = {
    "first_token_ms": FIRST_TOKEN_MS,
    "embedding_ms": EMBEDDING_MS,
    "chunk_chars": 40,
}
FORMATION_DELAY_SECONDS = 1
_READY_SECONDS = 60.0
_KEPT_OUT = ("KIOKU_", "SLACK_", "OPENAI_", "DATABASE_", "MEM0_", "LANG")
_WAITING = (
    "SELECT (SELECT count(*) FROM procrastinate_jobs WHERE status IN ('todo', 'doing')"
    " AND (scheduled_at IS NULL OR scheduled_at < now() + interval '10 seconds'))"
    " + (SELECT count(*) FROM messages WHERE ended_at IS NULL)"
)

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Testbed:
    """One PostgreSQL for all databases, one playground and one stand-in model for all systems."""

    postgres: EmbeddedPostgres
    info: Json
    model_url: str
    http: aiohttp.ClientSession
    folder: Path
    doubles: Mapping[str, Running]

    async def slack(self, path: str, body: Json | None = None) -> Any:
        """Call the playground's control API: GET without a body, else POST."""
        return await self._call(f"{self.info['url']}/_playground/{path}", body)

    async def model(
        self, path: str, body: Json | None = None, *, method: str = ""
    ) -> Any:
        """Call the stand-in model's control API: GET without a body, else POST."""
        return await self._call(f"{self.model_url}/_model/{path}", body, method)

    async def _call(self, url: str, body: Json | None, method: str = "") -> Any:
        if not method:
            method = "GET" if body is None else "POST"
        async with self.http.request(method, url, json=body) as answer:
            answer.raise_for_status()
            return await answer.json()

    async def person(self, name: str) -> str:
        """Add a person to the workspace; return the id."""
        added = await self.slack("users", {"name": name})
        return str(added["id"])

    def database(self, name: str) -> str:
        """Return the owner's address of a database, which is created if it is missing."""
        self.postgres.ensure_database(name)
        return self.postgres.dsn(name)

    def app_database(self, name: str) -> str:
        """Return the owner's address of a database with the app's tables."""
        address = self.database(name)
        login = _served(address)
        migrate(address, SPACE, migrations(), login=login)
        return address

    def app_settings(self, address: str, **more: str) -> dict[str, str]:
        """Return the settings of an app, as an operator would set them."""
        return {
            "DATABASE_URL": _served(address),
            "SLACK_API_URL": self.info["slack_api_url"],
            "SLACK_BOT_TOKEN": self.info["bot_token"],
            "SLACK_APP_TOKEN": self.info["app_token"],
            **self.model_settings(),
            "KIOKU_REPLY_MODEL": MODEL,
            "KIOKU_MEMORY_MODEL": MODEL,
            "KIOKU_EMBEDDING_MODEL": SPACE.model,
            "KIOKU_FORMATION_DELAY": str(FORMATION_DELAY_SECONDS),
            "KIOKU_PERSON_MESSAGES_PER_HOUR": "0",
            "KIOKU_LOG_LEVEL": "warning",
            "PORT": "0",
            **more,
        }

    def model_settings(self) -> dict[str, str]:
        """Return the settings that point an OpenAI client at the stand-in model."""
        return {"OPENAI_API_KEY": "stand-in", "OPENAI_BASE_URL": f"{self.model_url}/v1"}

    @asynccontextmanager
    async def app(
        self,
        address: str,
        *,
        replicas: int = 1,
        command: Sequence[str] = ("-m", "bot", "run"),
        **more: str,
    ) -> AsyncIterator[list[Running]]:
        """Run the app on a database, in `replicas` processes of `command`."""
        settings = self.app_settings(address, **more)
        async with AsyncExitStack() as stack:
            started = []
            for number in range(replicas):
                log = self.folder / f"app-{number}.log"
                process = running(*command, settings=settings, log=log)
                started.append(await stack.enter_async_context(process))
            for one in started:
                await one.line()
            yield started

    async def formed(self, address: str) -> None:
        """Wait until the app's queue is empty, so that all answers and formations have ended."""
        deadline = time.monotonic() + 120
        times_empty = 0
        while times_empty < 2:
            if time.monotonic() > deadline:
                raise TimeoutError("The app still has messages or jobs to process.")
            await asyncio.sleep(0.15)
            waiting = await asyncio.to_thread(value, address, _WAITING)
            times_empty = times_empty + 1 if waiting == 0 else 0


def value(address: str, query: LiteralString, *parameters: str) -> Any:
    """Return the single value of a query, on a connection that `bench.recording` ignores."""
    with psycopg.connect(address, autocommit=True) as connection:
        row = connection.execute(query, parameters).fetchone()
    return row[0] if row else None


def _served(address: str) -> str:
    """Return the address for the serving login of a database, made from its owner's."""
    return make_conninfo(address, user="kioku_login")


@dataclass(frozen=True, slots=True)
class Running:
    """A process that was started, and its standard input and output."""

    process: asyncio.subprocess.Process

    async def ask(self, line: str, seconds: float) -> str:
        """Write a line to it; return the next line it prints, as `line` does."""
        if self.process.stdin is not None:
            self.process.stdin.write(line.encode() + b"\n")
        return await self.line(seconds)

    async def line(self, seconds: float = _READY_SECONDS) -> str:
        """Return the next line it prints; raises `RuntimeError` if there is none.

        Raises `TimeoutError` if it does not come within `seconds`.
        """
        line = b""
        if self.process.stdout is not None:
            line = await asyncio.wait_for(self.process.stdout.readline(), seconds)
        if not line:
            raise RuntimeError("A process of the bench ended early: see its log.")
        return line.decode()

    def rss_mb(self) -> float:
        """Return its resident memory in MB, as the kernel counts it."""
        return float(psutil.Process(self.process.pid).memory_info().rss) / 1e6

    def cpu_seconds(self) -> float:
        """Return the processor time that it has used."""
        user, system, *_ = psutil.Process(self.process.pid).cpu_times()
        return float(user + system)


@asynccontextmanager
async def running(
    *arguments: str,
    settings: Mapping[str, str],
    log: Path,
    python: str = sys.executable,
    cwd: Path = ROOT,
) -> AsyncIterator[Running]:
    """Run a Python process with no settings but these; its errors are written to `log`.

    It ends with the context.
    """
    environment = {
        name: given
        for name, given in os.environ.items()
        if not name.startswith(_KEPT_OUT)
    }
    environment |= {"PYTHONPATH": str(ROOT), **settings}
    with log.open("ab") as errors:
        process = await asyncio.create_subprocess_exec(
            python,
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
            env=environment,
            cwd=cwd,
            limit=2**24,
        )
    try:
        yield Running(process)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.communicate()


@asynccontextmanager
async def open_testbed(folder: Path) -> AsyncIterator[Testbed]:
    """Run PostgreSQL, the playground and the stand-in model, with their data in `folder`."""
    playground = ("-m", "slack_playground", "--manifest", str(ROOT / "manifest.yml"))
    with EmbeddedPostgres(folder / "postgres") as postgres:
        async with (
            running(*playground, settings={}, log=folder / "slack.log") as slack,
            running(
                "-m", "kioku_stand_in", settings={}, log=folder / "model.log"
            ) as model,
            aiohttp.ClientSession() as http,
        ):
            testbed = Testbed(
                postgres=postgres,
                info=json.loads(await slack.line()),
                model_url=json.loads(await model.line())["url"],
                http=http,
                folder=folder,
                doubles={"Slack": slack, "model": model},
            )
            await testbed.model("settings", PACE)
            yield testbed
