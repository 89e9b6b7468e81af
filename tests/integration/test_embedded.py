"""Embedded PostgreSQL: every way a run can begin or end has one clear outcome."""

import importlib.util
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import psycopg
import pytest
from psycopg import AsyncConnection
from pydantic import SecretStr

from bot.config import Settings
from bot.runtime.database_addresses import NoDatabase, database
from memory.postgres.embedded import EmbeddedPostgres, EmbeddedPostgresError
from tests.kioku_process import child_named
from tests.waiting import wait_until

pytestmark = pytest.mark.slow

SOCKET = ".s.PGSQL.5432"
ROOT = Path(__file__).resolve().parents[2]


def process_id(postgres: EmbeddedPostgres) -> int:
    """Return the id of the running server."""
    assert postgres.pid
    return postgres.pid


def ask(postgres: EmbeddedPostgres, query: str, database: str = "postgres") -> object:
    """Return the one value that the query gives."""
    with psycopg.connect(postgres.dsn(database)) as connection:
        row = connection.execute(query.encode()).fetchone()
    assert row is not None
    value: object = row[0]
    return value


def keep(postgres: EmbeddedPostgres, word: str) -> None:
    """Commit one row that later starts must still have."""
    with psycopg.connect(postgres.dsn()) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept (word text)")
        connection.execute("INSERT INTO kept VALUES (%s)", [word])


def kept(postgres: EmbeddedPostgres) -> object:
    """Return the rows committed so far."""
    return ask(postgres, "SELECT string_agg(word, ' ' ORDER BY word) FROM kept")


def socket_of(postgres: EmbeddedPostgres) -> Path:
    """Return the folder of the socket that the connection string names."""
    return Path(str(psycopg.conninfo.conninfo_to_dict(postgres.dsn())["host"]))


def mode(path: Path) -> int:
    """Return the permission bits of the path itself."""
    return stat.S_IMODE(path.lstat().st_mode)


@pytest.fixture(autouse=True)
def temporary_folder(tmp_path: Path) -> Iterator[Path]:
    """Give the runs of one test a temporary folder (short, unlike pytest's) that ends with it."""
    with pytest.MonkeyPatch.context() as patch:
        folder = Path(tempfile.mkdtemp(prefix="k", dir="/tmp"))
        folder.chmod(0o755)
        patch.setenv("TMPDIR", str(folder))
        patch.setattr(tempfile, "tempdir", str(folder))
        yield folder
        shutil.rmtree(folder)


@pytest.fixture
def new_dir(tmp_path: Path) -> Path:
    """Return the path of a data directory that does not exist yet."""
    return tmp_path / "data"


@pytest.fixture(scope="module")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a data directory that has been started and stopped."""
    path = tmp_path_factory.mktemp("made") / "data"
    with EmbeddedPostgres(path) as postgres:
        folder = socket_of(postgres)
    shutil.rmtree(folder)
    return path


@pytest.fixture
def data_dir(new_dir: Path, made_once: Path) -> Path:
    """Return a data directory that has been started and stopped before."""
    new_dir.mkdir(mode=0o700)
    subprocess.run(
        ["cp", "-a", made_once / "pg", new_dir / "pg"], check=True
    )  # with its owner
    return new_dir


# The ordinary life


def test_a_first_start_gives_a_private_postgresql_18_with_pgvector(
    new_dir: Path,
) -> None:
    """The first start makes a UTF-8 cluster that only its owner can reach, with pgvector."""
    with EmbeddedPostgres(new_dir) as postgres:
        assert postgres.pid is not None
        postgres.ensure_database("ki'o \"ku")
        postgres.ensure_database("ki'o \"ku")
        with psycopg.connect(postgres.dsn("ki'o \"ku"), autocommit=True) as connection:
            connection.execute("CREATE EXTENSION vector")
            row = connection.execute(
                "SELECT '[3,4]'::vector <-> '[0,0]'::vector"
            ).fetchone()
            assert row == (5.0,)
        settings = {
            name: ask(postgres, f"SHOW {name}")
            for name in (
                "server_encoding",
                "listen_addresses",
                "fsync",
                "synchronous_commit",
            )
        }
        assert settings == {
            "server_encoding": "UTF8",
            "listen_addresses": "",
            "fsync": "on",
            "synchronous_commit": "on",
        }
        assert str(ask(postgres, "SHOW server_version")).startswith("18.")
        assert ask(postgres, "SELECT current_user::text") == "kioku"
        locale = "SELECT datlocprovider::text || datlocale FROM pg_database LIMIT 1"
        assert ask(postgres, locale) == "bC.UTF-8"
        folder = socket_of(postgres)
        assert [mode(new_dir), mode(new_dir / "pg"), mode(folder)] == [0o700] * 3
        assert mode(new_dir / "postgres.log") == 0o600


def test_data_and_connection_strings_outlive_every_kind_of_end(data_dir: Path) -> None:
    """A restart, a crash, an immediate stop and a clean stop lose no row and change no dsn."""
    postgres = EmbeddedPostgres(data_dir)
    dsn = postgres.dsn("any")
    postgres.stop()
    postgres.start()
    first = postgres.pid
    postgres.start()
    assert postgres.pid == first
    keep(postgres, "a")
    postgres.stop()
    postgres.start()
    keep(postgres, "b")
    postgres.stop(immediate=True)
    postgres.start()
    keep(postgres, "c")
    os.kill(process_id(postgres), signal.SIGKILL)
    wait_until(lambda: postgres.pid is None)
    postgres.start()
    assert kept(postgres) == "a b c"
    postgres.stop()
    assert postgres.pid is None
    with EmbeddedPostgres(data_dir) as second:
        assert kept(second) == "a b c"
        assert second.dsn("any") == dsn


def test_nobodys_words_reach_the_log(data_dir: Path) -> None:
    """Failing statements, their values and constraint details leave no trace in the log."""
    secret = "the-words-of-a-person"
    with (
        EmbeddedPostgres(data_dir) as postgres,
        psycopg.connect(postgres.dsn(), autocommit=True) as connection,
    ):
        connection.execute("CREATE TABLE unique_words (word text PRIMARY KEY)")
        connection.execute("INSERT INTO unique_words VALUES (%s)", [secret])
        for statement, values in (
            ("INSERT INTO unique_words VALUES (%s)", [secret]),
            ("SELECT %s::text::int", [secret]),
            (f"SELECT '{secret}'::int", []),
            (f"SELEKT '{secret}'", []),
        ):
            with pytest.raises(psycopg.Error):
                connection.execute(statement.encode(), values)
    assert secret not in (data_dir / "postgres.log").read_text()


# What a killed run leaves behind


def test_a_stale_pid_that_now_belongs_to_another_process_does_not_matter(
    data_dir: Path,
) -> None:
    """Stale pid and lock files that name a living stranger stop nothing and harm nobody."""
    with EmbeddedPostgres(data_dir) as postgres:
        keep(postgres, "a")
        pid_file = data_dir / "pg" / "postmaster.pid"
        lines = pid_file.read_text().split("\n")
    with subprocess.Popen(["sleep", "60"]) as stranger:
        try:
            stale = "\n".join([str(stranger.pid), *lines[1:]])
            pid_file.write_text(stale)
            folder = socket_of(postgres)
            (folder / f"{SOCKET}.lock").write_text(stale)
            (folder / SOCKET).touch()
            with postgres:
                assert kept(postgres) == "a"
            assert stranger.poll() is None
        finally:
            stranger.kill()


def test_a_start_waits_for_the_last_processes_of_a_server_that_was_killed(
    data_dir: Path,
) -> None:
    """PostgreSQL refuses to start while one of them has the shared memory."""
    postgres = EmbeddedPostgres(data_dir)
    postgres.start()
    keep(postgres, "a")
    server = psutil.Process(process_id(postgres))
    # It takes its name when it first runs.
    checkpointer = wait_until(lambda: child_named(server, "checkpointer"))
    checkpointer.suspend()
    server.kill()
    wait_until(lambda: postgres.pid is None)
    log = data_dir / "postgres.log"
    with ThreadPoolExecutor() as threads:
        try:
            start = threads.submit(postgres.start)
            wait_until(lambda: "pre-existing shared memory" in log.read_text())
        finally:
            checkpointer.resume()
        start.result()
    assert kept(postgres) == "a"
    postgres.stop()


def test_a_kill_during_the_first_start_ruins_nothing(new_dir: Path) -> None:
    """A first start killed while the cluster is being made is simply made again."""
    code = (
        "import sys; from pathlib import Path; from memory.postgres.embedded import *"
    )
    code += "; EmbeddedPostgres(Path(sys.argv[1])).start()"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(new_dir)], cwd=ROOT
    ) as process:
        wait_until(lambda: any(new_dir.glob("new-*/postgresql.conf")))
        process.kill()
    assert not (new_dir / "pg").exists()
    with EmbeddedPostgres(new_dir) as postgres:
        keep(postgres, "a")
        assert kept(postgres) == "a"


# Why it may not start, in one sentence


def test_without_the_package_the_operator_learns_what_to_set(
    new_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without PostgreSQL's programs, the message names DATABASE_URL and the extra."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(
        EmbeddedPostgresError, match=r"set DATABASE_URL .* '\.\[embedded\]'` in"
    ):
        EmbeddedPostgres(new_dir).start()
    assert not new_dir.exists()


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        # OpenShift, for example, runs containers as users without a name.
        (
            ["initdb: could not look up effective user ID 1000650000"],
            "could not look up effective user ID 1000650000",
        ),
        # On a full disk the lines after the first are consequences.
        (
            [
                "FATAL:  could not extend file: No space left on device",
                "PANIC:  cannot abort transaction 1, it was already committed",
                "child process exited with exit code 134",
            ],
            r"\(could not extend file: No sp",
        ),
    ],
)
def test_the_first_reason_of_initdb_is_told(
    new_dir: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    lines: list[str],
    reason: str,
) -> None:
    """Whatever it is, in the words of PostgreSQL."""
    initdb = tmp_path / "initdb"
    echoes = "".join(f"echo '{line}'\n" for line in lines)
    initdb.write_text(f"#!/bin/sh\n{echoes}exit 1\n", "utf-8")
    initdb.chmod(0o755)
    monkeypatch.setattr("memory.postgres.embedded.find_binaries", lambda: tmp_path)
    with pytest.raises(EmbeddedPostgresError, match=reason):
        EmbeddedPostgres(new_dir).start()


def test_a_server_that_refuses_connections_is_not_waited_for(data_dir: Path) -> None:
    """Its reason is told at once, as of a folder that another program has made."""
    with EmbeddedPostgres(data_dir) as postgres:
        with psycopg.connect(postgres.dsn(), autocommit=True) as owner:
            owner.execute("CREATE ROLE other SUPERUSER LOGIN")
        other = postgres.dsn(user="other")
        with psycopg.connect(other, autocommit=True) as connection:
            connection.execute("ALTER ROLE kioku RENAME TO someone")
    with pytest.raises(EmbeddedPostgresError, match='role "kioku" does not exist'):
        EmbeddedPostgres(data_dir).start()


# Root


def test_roots_postgresql_runs_as_another_user(tmp_path: Path) -> None:
    """PostgreSQL refuses to be root; below a 0700 parent of root's it works nevertheless."""
    parent = tmp_path / "private"
    parent.mkdir(mode=0o700)
    for word in ("a", "b"):
        with EmbeddedPostgres(parent / "data") as postgres:
            keep(postgres, word)
            user = psutil.Process(process_id(postgres)).uids().effective
            assert user == (
                pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else os.geteuid()
            )
            found = [
                mode(path)
                for path in (parent, socket_of(postgres), parent / "data" / "pg")
            ]
            assert found == [0o700] * 3
            assert kept(postgres) == "a b"[: 1 if word == "a" else 3]


async def test_the_playground_and_slack_have_databases_of_their_own(
    tmp_path: Path,
) -> None:
    """In one folder, by turns; a command that makes none says that there is none yet."""
    playground = Settings(data_dir=tmp_path)
    workspace = playground.model_copy(update={"slack_bot_token": SecretStr("xoxb-1")})
    async with database(playground) as at:
        with psycopg.connect(at.owner) as owner:
            owner.execute("CREATE TABLE kept (word text)")
        async with database(playground, beside=True) as beside:
            assert beside == at
        with pytest.raises(NoDatabase):
            await database(workspace, beside=True).__aenter__()
    async with (
        database(workspace) as at,
        await AsyncConnection.connect(at.owner) as new,
    ):
        assert await (await new.execute("SELECT to_regclass('kept')")).fetchone() == (
            None,
        )
