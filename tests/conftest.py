"""Real servers for every test: PostgreSQL, the playground's Slack, the stand-in model."""

from __future__ import annotations

import asyncio
import json
import os
import select
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO, Any

import httpcore2
import hypothesis
import openai
import psycopg
import pytest
from aiohttp.web_app import _cached_build_middleware
from psycopg import AsyncCursor
from psycopg.pq import TransactionStatus
from psycopg.rows import tuple_row
from psycopg_pool import AsyncConnectionPool

from memory import (
    EmbeddedPostgres,
    Embedder,
    Pool,
    create_pool,
)
from openai_double.conformance import TRAFFIC, verify
from openai_double.control import Settings
from tests import conformance, fork_server
from tests.databases import (
    SPACE,
    EmptiedDatabase,
    close_owners,
    fresh_database,
    login_of,
    make_template,
)
from tests.fork_server import Process
from tests.loopback import call, close_idle
from tests.payloads import PAYLOADS
from tests.run import SLOW_FOLDERS
from tests.temporary import use_memory

ROOT = Path(__file__).resolve().parent.parent
os.environ["PYTHONPATH"] = fork_server.SOURCES
PLAYGROUND = "kioku_stand_in.playground"
"""The module that runs a playground with the stand-in model."""
WITHOUT_MODEL = "slack_playground"
"""The module that runs a playground without a model."""
_READY_SECONDS = 90
# In the order in which they begin, so that none is left when the other workers have ended.
_LONGEST = (
    *("test_image.py", "test_distribution.py", "test_examples.py", "test_local_run.py"),
    *(
        "test_database_faults.py",
        "test_each_step.py",
        "test_soak.py",
        "test_linear_time.py",
    ),
    *("test_memory_machine.py", "test_conversations.py", "test_acts.py"),
)


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
    """Count the traffic of models, and keep the settings of the shell out of the tests."""
    use_memory()
    _read_certificates_once()
    config.pluginmanager.register(conformance)
    # No test depends on an idle machine.
    slow = [hypothesis.HealthCheck.too_slow]
    hypothesis.settings.register_profile(
        "kioku", max_examples=40, deadline=None, suppress_health_check=slow
    )
    hypothesis.settings.load_profile("kioku")
    remove_settings()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of the slow folders as slow; run the longest modules first."""
    begins = {name: number for number, name in enumerate(_LONGEST)}
    items.sort(key=lambda item: begins.get(item.path.name, len(begins)))
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
        terminalreporter.write_line(
            "A test was skipped; in CI that is a failure.", red=True
        )


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Turn a run with skips into a failed one in CI."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if (
        os.environ.get("CI")
        and exitstatus == 0
        and reporter
        and reporter.stats.get("skipped")
    ):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_unconfigure() -> None:
    """End what the tests of this process have started."""
    close_owners()
    close_idle()
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


def open_playground(
    *options: str, module: str = PLAYGROUND
) -> AbstractContextManager[Server]:
    """Run a playground with the app's manifest."""
    return json_server(module, "--manifest", str(ROOT / "manifest.yml"), *options)


@contextmanager
def json_server(*arguments: str) -> Iterator[Server]:
    """Run ``python -m …`` that tells where it is in one line of JSON."""
    process = fork_server.start(*arguments, cwd=ROOT, env=os.environ)
    try:
        line = read_line(process.stdout)
        assert line, f"{arguments[0]} did not start."
        server = Server(process, json.loads(line))
        with ExitStack() as watching:
            if arguments[0] in (PLAYGROUND, WITHOUT_MODEL):
                alive = PAYLOADS.watched(server.url, lambda: process.poll() is None)
                watching.enter_context(alive)
            if server.info.get("openai_base_url"):
                watching.enter_context(
                    TRAFFIC.watched(server.url, lambda: process.poll() is None)
                )
            yield server
    finally:
        process.terminate()
        process.wait(60)
        process.close()


# No fixture of these leads to a server: a test that has no other is not followed by questions.
_ALONE = {
    *(
        "request",
        "tmp_path",
        "tmp_path_factory",
        "monkeypatch",
        "capsys",
        "caplog",
        "subtests",
    ),
    *("postgres", "emptied_database", "database", "empty_database", "pool"),
    *("inspected_pools", "returned", "freed_applications", "model_traffic", "payloads"),
    *("calls_servers", "failed_calls", "event_loop_policy", "_function_scoped_runner"),
}


@pytest.fixture
def calls_servers(request: pytest.FixtureRequest) -> bool:
    """Whether a test can have called a server that runs on after it."""
    parameters = (
        request.node.callspec.params if hasattr(request.node, "callspec") else {}
    )
    return not _ALONE.issuperset({*request.fixturenames} - parameters.keys())


@pytest.fixture(autouse=True)
def payloads(calls_servers: bool) -> Iterator[None]:
    """Nothing a test lets the app send breaks Slack's rules or lacks what its guidance asks for.

    The playground keeps what was wrong, also where the app went on as if nothing had happened.
    """
    yield
    assert PAYLOADS.violations(ask=calls_servers) == []


@pytest.fixture(autouse=True)
def model_traffic(
    request: pytest.FixtureRequest, calls_servers: bool
) -> Iterator[None]:
    """Every request, event and object of a test conforms to OpenAI's schemas.

    A test marked ``nonconforming`` sends something else on purpose, and fails if it does not.
    """
    yield
    nonconforming = request.node.get_closest_marker("nonconforming") is not None
    verify(TRAFFIC, nonconforming=nonconforming, ask=calls_servers)


# Slack's answer to a `hash` when a click published the Home first: what the argument is for.
_LOST_RACE = "views.publish: hash_conflict"


@pytest.fixture(autouse=True)
def failed_calls(request: pytest.FixtureRequest, calls_servers: bool) -> Iterator[None]:
    """Every call of Slack succeeds, or the test says which ones fail and why.

    A call also fails the test where the app recovered. What a fault or Slack's limits let fail was
    asked for; the rest is named by ``@pytest.mark.failed_calls("METHOD: ERROR", because=…)``.
    """
    yield
    expected = {_LOST_RACE}
    for mark in request.node.iter_markers("failed_calls"):
        assert mark.kwargs.keys() == {"because"}, (
            "A mark of failed calls says why they fail."
        )
        expected.update(mark.args)
    failed = PAYLOADS.failures(expected, ask=calls_servers)
    assert failed == [], (
        "Expected? @pytest.mark.failed_calls('METHOD: ERROR', because=…) says so."
    )


@pytest.fixture(autouse=True)
def freed_applications() -> Iterator[None]:
    """Let what a test served be freed: aiohttp keeps 1,024 handlers, each with its application."""
    yield
    _cached_build_middleware.cache_clear()


_CONTEXT = (
    "SELECT current_user = session_user, COALESCE(current_setting('kioku.user', true), ''),"
    " COALESCE(current_setting('kioku.thread', true), '')"
)
_NOTICED: list[object] = []


async def _inspect(connection: psycopg.AsyncConnection[Any]) -> None:
    if (
        connection.closed
        or connection.pgconn.transaction_status != TransactionStatus.IDLE
    ):
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
        make_template(server)
        yield server


@pytest.fixture(scope="session")
def emptied_database(postgres: EmbeddedPostgres) -> Iterator[EmptiedDatabase]:
    """The database of all tests of this process that need a migrated one."""
    with closing(EmptiedDatabase(postgres)) as kept:
        yield kept


@pytest.fixture
def database(emptied_database: EmptiedDatabase) -> Iterator[str]:
    """The owner's conninfo of a migrated database without rows."""
    with emptied_database.lent() as conninfo:
        yield conninfo


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
    """The stand-in model with its usual settings, nothing scripted and an empty journal."""
    stand_in_process.call(
        "/_model/settings", Settings().model_dump(exclude={"record_traffic"})
    )
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
