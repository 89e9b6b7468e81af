"""Embedded PostgreSQL: every way a run can begin or end has one clear outcome."""

import errno
import fcntl
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import IO

import psutil  # type: ignore[import-untyped]
import psycopg
import pytest

from memory.postgres.embedded import (
    EmbeddedPostgres,
    EmbeddedPostgresError,
    account,
    processes,
    programs,
    server,
    sockets,
)

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
AS_ROOT = os.geteuid() == 0

# A run of the app: it starts PostgreSQL, says so, and does what its last argument says.
RUN = """
import os, signal, sys
from pathlib import Path
from memory.postgres.embedded import EmbeddedPostgres
postgres = EmbeddedPostgres(Path(sys.argv[1]))
interrupts = []
signal.signal(signal.SIGINT, lambda *_: interrupts.append(1))
print("starting", flush=True)
postgres.start()
print(postgres.pid, flush=True)
"""


@contextmanager
def run(data_dir: Path, then: str = "sys.stdin.read()") -> "Iterator[subprocess.Popen[str]]":
    """Run the app in another process, in its own process group; kill it at the end."""
    process = subprocess.Popen(
        [sys.executable, "-c", RUN + then, str(data_dir)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        process_group=0,
    )
    with process:
        try:
            assert said(process.stdout) == "starting"
            yield process
        finally:
            process.kill()


def said(stream: IO[str] | None) -> str:
    """Return the next line that the run prints."""
    assert stream is not None
    return stream.readline().strip()


def wait_for(condition: Callable[[], object], seconds: float = 20.0) -> None:
    """Return as soon as the condition holds; fail after so many seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        threading.Event().wait(0.002)


def alive(pid: int) -> bool:
    """Whether the process exists and is no zombie."""
    try:
        # The process that adopted a dead orphan may never collect it.
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def process_id(postgres: EmbeddedPostgres) -> int:
    """Return the id of the running server."""
    assert postgres.pid
    return postgres.pid


def dead(pid: int) -> bool:
    """Whether the process is gone."""
    return not alive(pid)


def killed_run(data_dir: Path) -> int:
    """Start PostgreSQL in another process, kill -9 that one, and return PostgreSQL's id."""
    with run(data_dir) as process:
        pid = int(said(process.stdout))
        process.kill()
        process.wait()
    assert alive(pid)
    return pid


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


def end_and_collect(process: "subprocess.Popen[bytes]") -> bool:
    """Kill the process and collect it; True."""
    process.kill()
    process.wait()
    return True


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
    shutil.copytree(made_once / "pg", new_dir / "pg")
    return new_dir


@pytest.fixture
def ended_pids() -> Iterator[list[int]]:
    """End, after the test, the PostgreSQL processes whose ids it put here."""
    pids: list[int] = []
    yield pids
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
            os.kill(pid, signal.SIGQUIT)
        wait_for(partial(dead, pid))


# The ordinary life


def test_a_first_start_gives_a_private_postgresql_18_with_pgvector(new_dir: Path) -> None:
    """The first start makes a UTF-8 cluster that only its owner can reach, with pgvector."""
    with EmbeddedPostgres(new_dir) as postgres:
        assert postgres.pid is not None
        postgres.ensure_database("ki'o \"ku")
        postgres.ensure_database("ki'o \"ku")
        with psycopg.connect(postgres.dsn("ki'o \"ku"), autocommit=True) as connection:
            connection.execute("CREATE EXTENSION vector")
            row = connection.execute("SELECT '[3,4]'::vector <-> '[0,0]'::vector").fetchone()
            assert row == (5.0,)
        settings = {
            name: ask(postgres, f"SHOW {name}")
            for name in ("server_encoding", "listen_addresses", "fsync", "synchronous_commit")
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
        assert mode(folder / sockets.SOCKET_NAME) == 0o700
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
    wait_for(lambda: postgres.pid is None)
    postgres.start()
    assert kept(postgres) == "a b c"
    postgres.stop()
    assert postgres.pid is None
    with EmbeddedPostgres(data_dir) as second:
        assert kept(second) == "a b c"
        assert second.dsn("any") == dsn


def test_a_second_start_takes_far_less_than_two_seconds(data_dir: Path) -> None:
    """With the cluster there, PostgreSQL answers at once."""
    begin = time.monotonic()
    with EmbeddedPostgres(data_dir):
        took = time.monotonic() - begin
    assert took < 2.0


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


def test_a_start_empties_a_large_log(new_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A start empties the log once it is longer than the limit."""
    with EmbeddedPostgres(new_dir):
        pass
    log = new_dir / "postgres.log"
    assert "initialized" in log.read_text()
    monkeypatch.setattr(server, "LOG_LIMIT", 10)
    with EmbeddedPostgres(new_dir):
        assert "initialized" not in log.read_text()


@pytest.mark.parametrize(
    "name",
    [
        'it\'s a "quoted" folder, with $HOME and 記憶',
        "line\nbreak",
        os.fsdecode(b"not utf-8 \xff"),
        "long/" + "/".join(["a-folder-of-thirty-characters-"] * 8),
    ],
    ids=["quotes", "newline", "bytes", "long"],
)
def test_odd_and_long_paths_work(tmp_path: Path, name: str) -> None:
    """Where a socket address cannot hold the path, a private folder elsewhere holds the socket."""
    data_dir = tmp_path / name
    with EmbeddedPostgres(data_dir) as postgres:
        keep(postgres, "a")
        folder = socket_of(postgres)
        assert not folder.is_relative_to(tmp_path)
        assert (mode(folder), folder.stat().st_uid) == (0o700, os.geteuid())
    folder.chmod(0o755)
    with EmbeddedPostgres(data_dir) as again:
        assert again.dsn() == postgres.dsn()
        assert mode(folder) == 0o700
        assert kept(again) == "a"


def test_a_temporary_folder_with_an_unusable_name_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With TMPDIR as odd as the data directory, the socket goes below /tmp."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "o,d,d"))
    assert sockets.socket_folder(tmp_path / "o,d,d").parent == Path("/tmp")


def test_a_socket_folder_of_somebody_else_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A link waiting where the socket folder should be made is not followed."""
    trap = tmp_path / "trap"
    trap.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(sockets, "_LONGEST", len(str(tmp_path)) + 60)
    postgres = EmbeddedPostgres(tmp_path / ("x" * 60))
    socket_of(postgres).symlink_to(trap)
    with pytest.raises(EmbeddedPostgresError, match="belongs to another user: remove it"):
        postgres.start()
    assert list(trap.iterdir()) == []


# Two at once, and who may stop it


def test_a_second_run_on_the_same_directory_is_told_which_process_has_it(data_dir: Path) -> None:
    """While one process runs the directory, another is refused and disturbs nothing."""
    with run(data_dir, "sys.stdin.read(); postgres.stop()") as first:
        pid = int(said(first.stdout))
        second = EmbeddedPostgres(data_dir)
        sentence = rf"^Kioku is already running on this directory \(process {first.pid}\): stop it"
        with pytest.raises(EmbeddedPostgresError, match=sentence):
            second.start()
        second.stop()
        assert ask(second, "SELECT 1") == 1
        first.communicate(timeout=20)
    assert not alive(pid)
    with second:
        assert second.pid != pid


def test_a_fork_does_not_stop_it(data_dir: Path) -> None:
    """Only the process that started (or took over) PostgreSQL stops it."""
    pid = killed_run(data_dir)
    forked = """
child = os.fork()
if child == 0:
    postgres.stop()
    os._exit(0)
os.waitpid(child, 0)
print(postgres.pid, flush=True)
sys.stdin.read()
postgres.stop()
"""
    with run(data_dir, forked) as process:
        assert [said(process.stdout), said(process.stdout)] == [str(pid)] * 2
        assert ask(EmbeddedPostgres(data_dir), "SELECT 1") == 1
        process.communicate(timeout=20)
    assert not alive(pid)


def test_ctrl_c_reaches_the_app_and_not_postgresql(data_dir: Path) -> None:
    """An interrupt of the whole foreground group leaves PostgreSQL up until the app stops it."""
    drain = """
while not interrupts:
    signal.pause()
print("interrupted", flush=True)
sys.stdin.read()
postgres.stop()
"""
    with run(data_dir, drain) as process:
        pid = int(said(process.stdout))
        os.killpg(process.pid, signal.SIGINT)
        assert said(process.stdout) == "interrupted"
        assert ask(EmbeddedPostgres(data_dir), "SELECT pg_is_in_recovery()") is False
        process.communicate(timeout=20)
    assert process.returncode == 0
    assert not alive(pid)


def test_a_server_that_ignores_a_stop_is_killed(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stop ends with the server gone, however deaf it is, and the data stays."""
    postgres = EmbeddedPostgres(data_dir)
    postgres.start()
    keep(postgres, "a")
    pid = process_id(postgres)
    monkeypatch.setattr(server, "STOP_LIMIT", 0.1)
    os.kill(pid, signal.SIGSTOP)
    postgres.stop()
    wait_for(partial(dead, pid))
    monkeypatch.undo()
    with postgres:
        assert kept(postgres) == "a"


# What a killed run leaves behind


def test_the_server_of_a_killed_run_is_taken_over_and_stopped(data_dir: Path) -> None:
    """PostgreSQL that outlived its app is reused by the next run, and ends with that one."""
    pid = killed_run(data_dir)
    postgres = EmbeddedPostgres(data_dir)
    postgres.start()
    assert postgres.pid == pid
    assert ask(postgres, "SELECT 1") == 1
    postgres.stop()
    assert not alive(pid)


def test_a_stale_pid_that_now_belongs_to_another_process_does_not_matter(data_dir: Path) -> None:
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
            (folder / f"{sockets.SOCKET_NAME}.lock").write_text(stale)
            (folder / sockets.SOCKET_NAME).touch()
            with postgres:
                assert kept(postgres) == "a"
            assert stranger.poll() is None
        finally:
            stranger.kill()


def test_a_kill_during_the_first_start_ruins_nothing(new_dir: Path) -> None:
    """A first start killed while the cluster is being made is simply made again."""
    with run(new_dir) as process:
        wait_for((new_dir / "pg.new" / "postgresql.conf").exists)
        process.kill()
        process.wait()
    assert not (new_dir / "pg").exists()
    with EmbeddedPostgres(new_dir) as postgres:
        keep(postgres, "a")
        assert kept(postgres) == "a"
    assert not (new_dir / "pg.new").exists()


def test_killing_the_app_and_postgresql_together_loses_nothing(data_dir: Path) -> None:
    """After a kill -9 of both, the next start waits for what is left and recovers."""
    with run(data_dir) as process:
        pid = int(said(process.stdout))
        keep(EmbeddedPostgres(data_dir), "a")
        process.kill()
        os.kill(pid, signal.SIGKILL)
        process.wait()
    with EmbeddedPostgres(data_dir) as postgres:
        assert postgres.pid != pid
        assert kept(postgres) == "a"


@pytest.mark.parametrize("moved", [False, True], ids=["without its socket", "moved"])
def test_a_leftover_server_that_cannot_be_reached_is_stopped_first(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moved: bool
) -> None:
    """A server without its socket, or that believes in an old path, is stopped: never two."""
    monkeypatch.setattr(server, "LEFTOVER_PATIENCE", 0.05)
    pid = killed_run(data_dir)
    keep(EmbeddedPostgres(data_dir), "a")
    if moved:
        data_dir = data_dir.rename(tmp_path / "moved")
    else:
        (socket_of(EmbeddedPostgres(data_dir)) / sockets.SOCKET_NAME).unlink()
        (data_dir / "pg" / "postmaster.pid").unlink()
    with EmbeddedPostgres(data_dir) as postgres:
        assert postgres.pid != pid
        assert not alive(pid)
        assert kept(postgres) == "a"


def test_a_leftover_server_that_never_ends_is_named(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch, ended_pids: list[int]
) -> None:
    """Where the old server neither answers nor ends, the start gives up and names it."""
    monkeypatch.setattr(server, "LEFTOVER_PATIENCE", 0.0)
    monkeypatch.setattr(server, "LEFTOVER_LIMIT", 0.1)
    pid = killed_run(data_dir)
    ended_pids.append(pid)
    (socket_of(EmbeddedPostgres(data_dir)) / sockets.SOCKET_NAME).unlink()
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(EmbeddedPostgresError, match=rf"\(process .*{pid}.*does not answer: stop"):
        EmbeddedPostgres(data_dir).start()
    assert alive(pid)


def test_a_deleted_directory_starts_afresh(new_dir: Path, ended_pids: list[int]) -> None:
    """The server of a deleted directory is not mistaken for the new directory's."""
    pid = killed_run(new_dir)
    ended_pids.append(pid)
    shutil.rmtree(new_dir)
    with EmbeddedPostgres(new_dir) as postgres:
        assert postgres.pid != pid
        assert ask(postgres, "SELECT 1") == 1


def test_a_copy_in_the_place_of_a_living_servers_directory_gets_its_own(
    tmp_path: Path, ended_pids: list[int]
) -> None:
    """A server that answers at the right address, but works in another folder, is not reused."""
    data_dir = tmp_path / ("x" * 100)
    pid = killed_run(data_dir)
    ended_pids.append(pid)
    keep(EmbeddedPostgres(data_dir), "a")
    data_dir.rename(tmp_path / "moved")
    shutil.copytree(tmp_path / "moved", data_dir)
    with EmbeddedPostgres(data_dir) as postgres:
        assert postgres.pid != pid
        assert kept(postgres) == "a"


def test_handles_tell_when_a_process_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that vanishes between two looks, or that nobody collects, has ended."""
    here = Path.cwd()
    with subprocess.Popen(["sleep", "60"]) as first, subprocess.Popen(["sleep", "60"]) as second:
        try:
            vanishing, zombie = (
                processes.attach(first.pid, here),
                processes.attach(second.pid, here),
            )
            assert vanishing is not None
            assert zombie is not None
            assert (processes.ended(vanishing), processes.ended(zombie)) == (False, False)
            monkeypatch.setattr(vanishing, "is_running", lambda: end_and_collect(first))
            assert processes.ended(vanishing) is True
            assert processes.attach(first.pid, here) is None
            second.kill()
            wait_for(lambda: processes.ended(zombie))
        finally:
            first.kill()
            second.kill()


# Why it may not start, in one sentence


@pytest.mark.parametrize("package", ["no_such_package", "email"], ids=["missing", "other"])
def test_without_the_package_the_operator_learns_what_to_set(
    new_dir: Path, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    """Without PostgreSQL's programs, the message names DATABASE_URL and the extra."""
    monkeypatch.setattr(programs, "PACKAGE", package)
    with pytest.raises(EmbeddedPostgresError, match=r"set DATABASE_URL .* '\.\[embedded\]'` in"):
        EmbeddedPostgres(new_dir).start()
    assert not new_dir.exists()


def test_the_package_is_found_but_never_run() -> None:
    """Starting imports psutil at most, and nothing of the package with the programs."""
    script = (
        "import sys, memory.postgres.embedded.programs as b; b.find_binaries();"
        "sys.exit(any(m.split('.')[0] in {b.PACKAGE, 'psutil'} for m in sys.modules))"
    )
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True)


def test_a_data_directory_that_cannot_be_is_named(tmp_path: Path) -> None:
    """A file in the place of the data directory gives one sentence with its path."""
    (tmp_path / "file").touch()
    with pytest.raises(EmbeddedPostgresError, match=r"cannot use .*/file .*KIOKU_DATA_DIR"):
        EmbeddedPostgres(tmp_path / "file").start()


def test_a_drive_without_locks_is_named(new_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where files cannot be locked, nothing starts, because nothing would keep a second run out."""

    def refuse(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(EmbeddedPostgresError, match=r"cannot use .*/data \(No locks available\)"):
        EmbeddedPostgres(new_dir).start()
    assert not (new_dir / "pg").exists()


def test_a_cluster_of_another_version_is_left_alone(new_dir: Path) -> None:
    """A cluster of another PostgreSQL is named and not touched."""
    (new_dir / "pg").mkdir(parents=True)
    (new_dir / "pg" / "PG_VERSION").write_text("16\n")
    with pytest.raises(
        EmbeddedPostgresError, match="created by PostgreSQL 16 and Kioku contains 18"
    ):
        EmbeddedPostgres(new_dir).start()
    assert [path.name for path in (new_dir / "pg").iterdir()] == ["PG_VERSION"]


def test_postgresqls_own_complaint_is_passed_on(data_dir: Path) -> None:
    """A failed start says what PostgreSQL said, and once that is mended, the next one works."""
    extra = data_dir / "pg" / "postgresql.auto.conf"
    before = extra.read_text()
    extra.write_text("no_such_setting = 1\n")
    postgres = EmbeddedPostgres(data_dir)
    with pytest.raises(EmbeddedPostgresError, match=r"did not start \(.*auto\.conf.*errors\)"):
        postgres.start()
    extra.write_text(before)
    with postgres:
        assert ask(postgres, "SELECT 1") == 1


def test_a_start_that_takes_too_long_leaves_nothing_behind(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the limit the half-started server is ended and the directory is free again."""
    with EmbeddedPostgres(data_dir) as postgres:
        keep(postgres, "a")
    monkeypatch.setattr(server, "START_LIMIT", -1.0)
    with pytest.raises(EmbeddedPostgresError, match=r"did not start \(it did not say why\)"):
        postgres.start()
    monkeypatch.undo()
    with postgres:
        assert kept(postgres) == "a"


def test_initdbs_own_complaint_is_passed_on(
    new_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cluster that cannot be made gives initdb's reason in one sentence."""
    initdb = tmp_path / "initdb"
    initdb.write_text("#!/bin/sh\necho 'initdb: error: no space left' >&2\nexit 1\n")
    initdb.chmod(0o755)
    monkeypatch.setattr(server, "find_binaries", lambda: tmp_path)
    with pytest.raises(EmbeddedPostgresError, match=r"not create its files \(no space left\): see"):
        EmbeddedPostgres(new_dir).start()
    assert not (new_dir / "pg").exists()


# Root


def refuse_user_namespaces(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put an `unshare` first that fails as it does in a container without the right."""
    folder.mkdir()
    unshare = folder / "unshare"
    unshare.write_text("#!/bin/sh\necho 'unshare failed: Operation not permitted' >&2\nexit 1\n")
    unshare.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")


def test_an_ordinary_user_needs_no_other_account(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A user who is not root runs PostgreSQL as themselves."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    chosen = account.choose_account(tmp_path, tmp_path / "pg", tmp_path)
    assert (chosen, chosen.owner) == (account.Account(), 1000)


def test_without_unshare_there_is_no_user_namespace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root, a cluster of root's and no way to run as somebody else: one sentence says so."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(Path, "stat", lambda path, **_: os.stat_result([0] * 10))
    with pytest.raises(EmbeddedPostgresError, match="belongs to root: run Kioku as an ordinary"):
        account.choose_account(tmp_path, tmp_path, tmp_path)


if AS_ROOT:  # what follows takes real root: in CI's container it is there

    def test_root_keeps_its_files_and_modes(tmp_path: Path) -> None:
        """Root's PostgreSQL below a 0700 parent writes root's files and opens no folder."""
        parent = tmp_path / "private"
        parent.mkdir(mode=0o700)
        with EmbeddedPostgres(parent / "data") as postgres:
            assert ask(postgres, "SELECT 1") == 1
            assert (parent / "data" / "pg" / "postmaster.pid").stat().st_uid == 0
        assert [mode(parent), mode(parent / "data")] == [0o700, 0o700]

    def test_root_without_user_namespaces_uses_an_unprivileged_account(
        temporary_folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Where user namespaces are refused, PostgreSQL runs as nobody, and stays with it."""
        nobody = pwd.getpwnam("nobody").pw_uid
        with monkeypatch.context() as patch:
            refuse_user_namespaces(temporary_folder / "bin", patch)
            with EmbeddedPostgres(temporary_folder / "data") as postgres:
                keep(postgres, "a")
                assert Path(f"/proc/{postgres.pid}").stat().st_uid == nobody
                folder = socket_of(postgres)
                assert (folder.stat().st_uid, mode(folder)) == (nobody, 0o700)
                cluster = temporary_folder / "data" / "pg"
                assert (cluster.stat().st_uid, mode(cluster)) == (nobody, 0o700)
        with EmbeddedPostgres(temporary_folder / "data") as postgres:
            assert Path(f"/proc/{postgres.pid}").stat().st_uid == nobody
            assert kept(postgres) == "a"

    def test_root_is_told_which_folder_the_account_cannot_enter(
        temporary_folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A 0700 parent stays as it is: the message names it and what to do."""
        refuse_user_namespaces(temporary_folder / "bin", monkeypatch)
        parent = temporary_folder / "private"
        parent.mkdir(mode=0o700)
        sentence = rf"cannot enter {parent}: run Kioku as an ordinary user, open that folder"
        with pytest.raises(EmbeddedPostgresError, match=sentence):
            EmbeddedPostgres(parent / "data").start()
        assert mode(parent) == 0o700
