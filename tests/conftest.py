"""Real servers for every test: PostgreSQL, the playground's Slack, the stand-in model."""

from __future__ import annotations

import asyncio
import json
import os
import select
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO, Any
from uuid import uuid4

import httpcore2
import hypothesis
import openai
import psycopg
import pytest
import yaml
from aiohttp.web_app import _cached_build_middleware
from psycopg import AsyncCursor, sql
from psycopg.pq import ExecStatus, TransactionStatus
from psycopg.rows import Row, dict_row, tuple_row
from psycopg_pool import AsyncConnectionPool

from bot.queue.migrations import QUEUE_ROLE, migrations
from memory import (
    EmbeddedPostgres,
    Embedder,
    EmbeddingSpace,
    Pool,
    create_pool,
    migrate,
)
from tests import fork_server
from tests.conformance import plugin
from tests.conformance.traffic import TRAFFIC
from tests.fork_server import Process
from tests.loopback import call
from tests.payloads import PAYLOADS
from tests.run import SLOW_FOLDERS
from tests.temporary import MEMORY, use_memory

ROOT = Path(__file__).resolve().parent.parent
os.environ["PYTHONPATH"] = fork_server.SOURCES
PLAYGROUND = "kioku_stand_in.playground"
"""The module that runs a playground with the stand-in model."""
SPACE = EmbeddingSpace("kioku-stand-in-embedding", 256)
HOSTILE = "HOSTILE_MODEL"
"""The variable of the environment that makes every model of a test attack: see `tests.hostile`."""
_TEMPLATE = "kioku_template"
_READY_SECONDS = 30


def _read_certificates_once() -> None:
    """Let all HTTP clients share a TLS context: each took 20 ms to read the authorities."""
    httpcore2.default_ssl_context = cache(httpcore2.default_ssl_context)


def remove_settings() -> None:
    """Remove the settings of the shell from the environment."""
    prefixes = ("KIOKU_", "SLACK_", "OPENAI_", "LANGSMITH_", "LANGCHAIN_", "PG")
    for name in list(os.environ):
        if name.startswith(prefixes) or name in ("DATABASE_URL", "PORT"):
            del os.environ[name]


def pytest_configure(config: pytest.Config) -> None:
    """Check the traffic of models, and keep the settings of the shell out of the tests."""
    use_memory()
    _read_certificates_once()
    config.pluginmanager.register(plugin)
    # No test depends on an idle machine.
    slow = [hypothesis.HealthCheck.too_slow]
    hypothesis.settings.register_profile("kioku", deadline=None, suppress_health_check=slow)
    hypothesis.settings.load_profile("kioku")
    remove_settings()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of the slow folders as slow."""
    folders = {ROOT / folder for folder in SLOW_FOLDERS}
    for item in items:
        if folders.intersection(item.path.parents):
            item.add_marker(pytest.mark.slow)


def pytest_terminal_summary(terminalreporter: Any, exitstatus: int) -> None:
    """Print the image's size, and let a skipped test fail the run in CI: a skip hides a part."""
    del exitstatus
    for report in terminalreporter.getreports("passed"):
        for name, value in report.user_properties:
            if name == "image":
                terminalreporter.write_line(f"image: {value}")
    if os.environ.get("CI") and terminalreporter.stats.get("skipped"):
        terminalreporter.write_line("A test was skipped; in CI that is a failure.", red=True)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Turn a run with skips into a failed one in CI."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") and exitstatus == 0 and reporter and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_unconfigure() -> None:
    """End what starts the processes of the tests."""
    fork_server.close()


@dataclass(frozen=True)
class Server:
    """A server process of a test and what it said when it was ready."""

    process: Process
    info: dict[str, Any]

    @property
    def url(self) -> str:
        """Where its control API is, without a slash at the end."""
        return str(self.info["url"]).rstrip("/")

    @property
    def openai_base_url(self) -> str:
        """Where its OpenAI-compatible API is."""
        return str(self.info["openai_base_url"])

    @property
    def slack_settings(self) -> dict[str, str]:
        """The settings that lead the app to this playground, without a way to receive events."""
        return {
            "SLACK_API_URL": str(self.info["slack_api_url"]),
            "SLACK_BOT_TOKEN": str(self.info["bot_token"]),
        }

    @property
    def socket_settings(self) -> dict[str, str]:
        """The settings that connect the app to this playground by Socket Mode."""
        return {**self.slack_settings, "SLACK_APP_TOKEN": str(self.info["app_token"])}

    @property
    def model_settings(self) -> dict[str, str]:
        """The settings that lead the app to the stand-in model here."""
        return {
            "OPENAI_BASE_URL": self.openai_base_url,
            "OPENAI_API_KEY": "stand-in",
            "KIOKU_REPLY_MODEL": "gpt-6-luna",
            "KIOKU_MEMORY_MODEL": "kioku-stand-in",
            "KIOKU_EMBEDDING_MODEL": SPACE.model,
        }

    def call(self, path: str, body: Any = None, method: str | None = None) -> Any:
        """Make a control call and return its JSON; raises `urllib.error.HTTPError`."""
        return call(f"{self.url}{path}", body, method)


def read_line(output: IO[str] | None, seconds: float = _READY_SECONDS) -> str:
    """Return the next line of a process's output; fails when none comes in time."""
    assert output is not None
    ready, _, _ = select.select([output], [], [], seconds)
    assert ready, "The process said nothing in time."
    return output.readline()


@contextmanager
def oauth_playground(folder: Path, **settings: bool) -> Iterator[Server]:
    """Run a playground without a model whose manifest has events over HTTP and `settings`."""
    content = yaml.safe_load((ROOT / "manifest.yml").read_text("utf-8"))
    content["settings"] |= {**settings, "socket_mode_enabled": False}
    manifest = folder / "manifest.yml"
    manifest.write_text(yaml.safe_dump(content, allow_unicode=True), "utf-8")
    with json_server(PLAYGROUND, "--manifest", str(manifest), "--no-model") as one:
        yield one


def open_playground(*options: str) -> AbstractContextManager[Server]:
    """Run a playground with the app's manifest."""
    return json_server(PLAYGROUND, "--manifest", str(ROOT / "manifest.yml"), *options)


@contextmanager
def json_server(*arguments: str) -> Iterator[Server]:
    """Run ``python -m …`` that tells where it is in one line of JSON."""
    process = fork_server.start(*arguments, cwd=ROOT, env=os.environ)
    try:
        line = read_line(process.stdout)
        assert line, f"{arguments[0]} did not start."
        server = Server(process, json.loads(line))
        with ExitStack() as watching:
            if arguments[0] == PLAYGROUND:
                alive = PAYLOADS.watched(server.url, lambda: process.poll() is None)
                watching.enter_context(alive)
            if server.info.get("openai_base_url"):
                watching.enter_context(TRAFFIC.watched(server.url, lambda: process.poll() is None))
            yield server
    finally:
        process.terminate()
        process.wait(20)
        process.close()


@pytest.fixture(autouse=True)
def payloads() -> Iterator[None]:
    """Nothing a test lets the app send breaks Slack's rules or lacks what its guidance asks for.

    The playground keeps what was wrong, also where the app went on as if nothing had happened.
    """
    yield
    assert PAYLOADS.violations() == []


# Slack's answer to a `hash` when a click published the Home first: what the argument is for.
_LOST_RACE = "views.publish: hash_conflict"


@pytest.fixture(autouse=True)
def failed_calls(request: pytest.FixtureRequest) -> Iterator[None]:
    """Every call of Slack succeeds, or the test says which ones fail and why.

    A call also fails the test where the app recovered. What a fault or Slack's limits let fail was
    asked for; the rest is named by ``@pytest.mark.failed_calls("METHOD: ERROR", because=…)``.
    """
    yield
    expected = {_LOST_RACE}
    for mark in request.node.iter_markers("failed_calls"):
        assert mark.kwargs.keys() == {"because"}, "A mark of failed calls says why they fail."
        expected.update(mark.args)
    assert PAYLOADS.failures(expected) == []


@pytest.fixture(autouse=True)
def freed_applications() -> Iterator[None]:
    """Let what a test served be freed: aiohttp keeps 1,024 handlers, each with its application."""
    yield
    _cached_build_middleware.cache_clear()


_CONTEXT = (
    "SELECT current_user = session_user, COALESCE(current_setting('kioku.person', true), ''),"
    " COALESCE(current_setting('kioku.thread', true), '')"
)
_NOTICED: list[object] = []


async def _inspect(connection: psycopg.AsyncConnection[Any]) -> None:
    if connection.closed or connection.pgconn.transaction_status != TransactionStatus.IDLE:
        return
    try:
        async with asyncio.timeout(5):
            cursor = AsyncCursor(connection, row_factory=tuple_row)
            row = await (await cursor.execute(_CONTEXT)).fetchone()
    except (psycopg.Error, TimeoutError):
        return
    if row != (True, "", ""):
        _NOTICED.append(row)


@pytest.fixture(scope="session", autouse=True)
def inspected_pools() -> Iterator[None]:
    """Check every connection that a transaction of any test gives back: see `returned`.

    Those that procrastinate gives back are not checked: a worker that takes longer misses
    notifications.
    """
    give_back = AsyncConnectionPool.putconn

    async def inspect_first(pool: Any, connection: Any) -> None:
        try:
            if sys._getframe(2).f_code.co_name != "connection":
                await _inspect(connection)
        finally:
            await give_back(pool, connection)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(AsyncConnectionPool, "putconn", inspect_first)
        yield


@pytest.fixture(autouse=True)
def returned() -> Iterator[None]:
    """No connection comes back with the application's role, a person or a thread still set."""
    yield
    noticed = [*_NOTICED]
    _NOTICED.clear()
    assert noticed == []


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """A PostgreSQL of this test process, with a migrated template database."""
    with EmbeddedPostgres(tmp_path_factory.mktemp("postgres")) as server:
        with psycopg.connect(server.dsn(), autocommit=True) as connection:
            # What is asked of these tests is to outlive PostgreSQL's crashes, not the machine's.
            for setting in ("fsync", "full_page_writes"):
                connection.execute(f"ALTER SYSTEM SET {setting} = off")
            connection.execute("SELECT pg_reload_conf()")
        server.ensure_database(_TEMPLATE)
        login = server.login_dsn(_TEMPLATE)
        owner = server.dsn(_TEMPLATE)
        migrate(owner, SPACE, migrations(), login=login, roles=[QUEUE_ROLE])
        yield server


def _strategy() -> sql.SQL:
    """Return how a database is copied: by files where they are in memory, else through the log."""
    return sql.SQL("FILE_COPY" if tempfile.gettempdir() == str(MEMORY) else "WAL_LOG")


@contextmanager
def fresh_database(server: EmbeddedPostgres, template: str = _TEMPLATE) -> Iterator[str]:
    """Make an empty, migrated database; it goes afterwards."""
    name = f"test_{uuid4().hex[:12]}"
    with psycopg.connect(server.dsn(), autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY {}").format(
                sql.Identifier(name), sql.Identifier(template), _strategy()
            )
        )
        # A copy has PostgreSQL's usual rights on the database, whatever its template has.
        if template == _TEMPLATE:
            connection.execute(
                sql.SQL("REVOKE TEMPORARY ON DATABASE {} FROM PUBLIC").format(sql.Identifier(name))
            )
    try:
        yield server.dsn(name)
    finally:
        with psycopg.connect(server.dsn(), autocommit=True) as connection:
            dropped = sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name))
            connection.execute(dropped)


def login_of(conninfo: str) -> str:
    """Return the conninfo of the user that serves a database of these tests."""
    return psycopg.conninfo.make_conninfo(conninfo, user="kioku_login")


def rows_of(done: psycopg.Cursor[Row]) -> list[Row]:
    """Return the rows of a statement; none if it returns none.

    A query must name a column: psycopg describes one without as a statement without rows.
    """
    if done.description:
        return done.fetchall()
    assert done.pgresult is None or done.pgresult.status != ExecStatus.TUPLES_OK, (
        "The query selects no column."
    )
    return []


def owner_rows(
    conninfo: str, statement: str | sql.Composed, *parameters: object
) -> list[dict[str, Any]]:
    """Execute a statement as the owner of a database, committed at once; return its rows."""
    given = statement.encode() if isinstance(statement, str) else statement
    with psycopg.connect(conninfo, row_factory=dict_row, autocommit=True) as owner:
        return rows_of(owner.execute(given, parameters or None))


def printed(database: str, *tables: str, vector_dates: bool = True) -> dict[str, list[str]]:
    """Return the rows of tables as PostgreSQL prints them, with or without a vector's own dates."""
    found = {}
    for table in tables:
        whole = vector_dates or table != "store_vectors"
        row = "t" if whole else "(prefix, key, field_name, embedding)"
        rows = owner_rows(database, f"SELECT {row}::text AS row FROM {table} t ORDER BY 1")
        found[table] = [one["row"] for one in rows]
    return found


@pytest.fixture(scope="module")
def module_database(postgres: EmbeddedPostgres) -> Iterator[str]:
    """A migrated database that the tests of a module share."""
    with fresh_database(postgres) as conninfo:
        yield conninfo


@pytest.fixture
def database(request: pytest.FixtureRequest, postgres: EmbeddedPostgres) -> Iterator[str]:
    """The owner's conninfo of a migrated database: empty, or the module's ``one_database``."""
    if request.node.get_closest_marker("one_database") is None:
        with fresh_database(postgres) as conninfo:
            yield conninfo
        return
    yield str(request.getfixturevalue("module_database"))


@pytest.fixture
def empty_database(postgres: EmbeddedPostgres) -> Iterator[str]:
    """The conninfo of a database that was never migrated."""
    with fresh_database(postgres, "template1") as conninfo:
        yield conninfo


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    """The application's pool on `database`."""
    opened = create_pool(login_of(database), min_size=1, max_size=6, timeout=10)
    await opened.open()
    yield opened
    await opened.close()


@pytest.fixture(scope="session")
def stand_in_process() -> Iterator[Server]:
    """The stand-in model as a process of its own."""
    with json_server("kioku_stand_in") as server:
        yield server


@pytest.fixture
def stand_in(stand_in_process: Server) -> Server:
    """The stand-in model, with nothing scripted and an empty journal."""
    stand_in_process.call("/_model/settings", {"reasoning": False})
    for path in ("/_model/faults", "/_model/script", "/_model/journal"):
        stand_in_process.call(path, method="DELETE")
    return stand_in_process


@pytest.fixture
async def model_client(stand_in: Server) -> AsyncIterator[openai.AsyncOpenAI]:
    """The real OpenAI client, pointed at the stand-in."""
    async with openai.AsyncOpenAI(
        api_key="stand-in", base_url=stand_in.openai_base_url, max_retries=0
    ) as client:
        yield client


@pytest.fixture
def embedder(model_client: openai.AsyncOpenAI) -> Embedder:
    """An embedder of the test databases' space."""
    return Embedder(model_client, SPACE)
