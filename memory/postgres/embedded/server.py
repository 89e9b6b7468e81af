"""Start, reuse and stop the PostgreSQL of one data directory."""

import os
import re
import shutil
import signal
import time
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from memory.postgres.embedded.account import Account, choose_account
from memory.postgres.embedded.errors import EmbeddedPostgresError
from memory.postgres.embedded.locks import FileLock
from memory.postgres.embedded.processes import POLL, attach, end, ended, orphaned_processes
from memory.postgres.embedded.programs import (
    LOGIN,
    MAJOR_VERSION,
    SUPERUSER,
    find_binaries,
    initdb_options,
    server_options,
)
from memory.postgres.embedded.sockets import PORT, SOCKET_NAME, make_socket_folder, socket_folder

if TYPE_CHECKING:
    from memory.postgres.embedded.processes import Server

START_LIMIT = 300.0  # seconds; recovery after a power failure may read a lot of WAL
LEFTOVER_PATIENCE = 3.0  # seconds until an unresponsive server of an earlier run is stopped
LEFTOVER_LIMIT = 60.0
STOP_LIMIT = 60.0
LOG_LIMIT = 5_000_000  # bytes; a larger log is truncated at start

_ERROR_LINE = re.compile(r"(?:FATAL|PANIC|error): +(.+)")


class EmbeddedPostgres:
    """PostgreSQL 18 with pgvector below one data directory, run by this process.

    The cluster is ``<data_dir>/pg``, its log ``<data_dir>/postgres.log``. It listens on a
    socket in a private folder only. A file lock ensures that one process at a time runs it.
    """

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = Path(data_dir).expanduser().resolve()
        self._cluster = self._data_dir / "pg"
        self._log = self._data_dir / "postgres.log"
        self._socket = socket_folder(self._data_dir)
        self._run_lock = FileLock(self._data_dir / "kioku.lock")
        # Inherited by initdb and PostgreSQL: it is held while any of their processes runs.
        self._children_lock = FileLock(self._data_dir / "postgres.lock")
        self._starter: int | None = None
        self._server: Server | None = None
        self._log_start = 0

    @property
    def pid(self) -> int | None:
        """The process id of the running server, or None."""
        return None if self._server is None or ended(self._server) else self._server.pid

    def is_running(self) -> bool:
        """Return whether the server answers, in whatever process it was started."""
        return self._answering() is not None

    def dsn(self, database: str = "postgres") -> str:
        """Return the libpq connection string of the database's owner; it is stable across runs."""
        return make_conninfo(host=str(self._socket), port=PORT, user=SUPERUSER, dbname=database)

    def login_dsn(self, database: str = "postgres") -> str:
        """Return the connection string of the serving login, which owns nothing."""
        return make_conninfo(self.dsn(database), user=LOGIN)

    def start(self) -> None:
        """Start the server and wait until it answers; the first start creates the cluster.

        A server that an earlier, killed run left running is reused.

        Raises:
            EmbeddedPostgresError: the server cannot start; the message says why and what to do.
        """
        if self.pid is not None:
            return
        binaries = find_binaries()
        try:
            self._take_run_lock()
            self._start(binaries)
        except OSError as error:
            self.stop(immediate=True)
            raise EmbeddedPostgresError(
                f"Embedded PostgreSQL cannot use {error.filename or self._data_dir} "
                f"({error.strerror or error}): set KIOKU_DATA_DIR to another folder, or "
                "DATABASE_URL."
            ) from error
        except BaseException:
            self.stop(immediate=True)
            raise

    def stop(self, *, immediate: bool = False) -> None:
        """Stop the server, wait until it has ended, and release the lock.

        Args:
            immediate: stop without a checkpoint; the next start recovers from the WAL.

        Does nothing in a process that did not start it, such as a fork.
        """
        if self._starter == os.getpid():
            if self._server is not None:
                first = () if immediate else ((signal.SIGINT, STOP_LIMIT),)
                last = ((signal.SIGQUIT, STOP_LIMIT), (signal.SIGKILL, STOP_LIMIT))
                end(self._server, *first, *last)
                self._server = None
            self._starter = None
            self._children_lock.release()
            self._run_lock.release()

    def ensure_database(self, name: str) -> None:
        """Create the database if it is missing."""
        with psycopg.connect(self.dsn(), autocommit=True) as connection:
            found = connection.execute("SELECT FROM pg_database WHERE datname = %s", [name])
            if found.rowcount == 0:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))

    def ensure_login(self) -> None:
        """Create the serving login if it is missing; `memory.migrate` grants its rights."""
        with psycopg.connect(self.dsn(), autocommit=True) as connection:
            found = connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [LOGIN])
            if found.rowcount == 0:
                connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(LOGIN)))

    def __enter__(self) -> "EmbeddedPostgres":
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _take_run_lock(self) -> None:
        self._data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not self._run_lock.acquire():
            raise EmbeddedPostgresError(
                f"Kioku is already running on this directory (process {self._run_lock.holder()}): "
                f"stop it, or set KIOKU_DATA_DIR to another folder than {self._data_dir}."
            )
        self._starter = os.getpid()

    def _start(self, binaries: Path) -> None:
        self._server = self._take_over()
        if self._server is not None:
            return
        account = choose_account(self._data_dir, self._cluster, binaries)
        if not self._cluster.exists():
            self._make_cluster(binaries, account)
        self._check_version()
        make_socket_folder(self._socket, account.owner)
        # No process is left: files of a killed run would mislead PostgreSQL.
        for stale in (
            self._cluster / "postmaster.pid",
            self._socket / SOCKET_NAME,
            self._socket / f"{SOCKET_NAME}.lock",
        ):
            stale.unlink(missing_ok=True)
        self._launch(binaries, account)

    def _check_version(self) -> None:
        version = (self._cluster / "PG_VERSION").read_text(encoding="ascii").strip()
        if version != MAJOR_VERSION:
            raise EmbeddedPostgresError(
                f"{self._cluster} was created by PostgreSQL {version} and Kioku contains "
                f"{MAJOR_VERSION}: move that folder away, or set DATABASE_URL."
            )

    def _take_over(self) -> "Server | None":
        """Return the responding server of an earlier run, or None after its processes have ended.

        In the second case this process holds the children lock.
        """
        begin = time.monotonic()
        told_to_end = False
        pid_file = self._cluster / "postmaster.pid"
        while True:
            pid = self._answering()
            server = attach(pid, self._cluster) if pid else None
            if server is not None:
                return server
            free = self._children_lock.acquire()
            leftover = orphaned_processes(self._cluster) if pid_file.exists() or not free else []
            if free and not leftover:
                return None
            waited = time.monotonic() - begin
            if leftover and not told_to_end and waited > LEFTOVER_PATIENCE:
                for process in leftover:
                    end(process, (signal.SIGINT, 0.0))
                told_to_end = True
            if waited > LEFTOVER_LIMIT:
                process_ids = ", ".join(str(process.pid) for process in leftover) or "unknown"
                raise EmbeddedPostgresError(
                    f"PostgreSQL of an earlier run (process {process_ids}) still works in "
                    f"{self._data_dir} and does not answer: stop it, then try again."
                )
            time.sleep(POLL)

    def _answering(self) -> int | None:
        """Return the process id of this cluster's server if it responds, else None."""
        try:
            ours = (self._cluster / "postmaster.pid").read_bytes()
            if b"\nready" not in ours:
                return None
            with psycopg.connect(self.dsn(), connect_timeout=5) as connection:
                row = connection.execute(
                    "SELECT pg_read_binary_file('postmaster.pid')", binary=True
                ).fetchone()
        except (psycopg.Error, OSError):
            return None
        # The file has the process id, start time and data directory, so the server that answered
        # is the one of this file and this path.
        pid, folder = ours.split(b"\n", 1)
        same = row == (ours,) and folder.startswith(os.fsencode(self._cluster) + b"\n")
        return int(pid) if same else None

    def _make_cluster(self, binaries: Path, account: Account) -> None:
        new = self._data_dir / "pg.new"
        if new.exists():
            shutil.rmtree(new)  # of a first start that was killed
        new.mkdir(mode=0o700)
        if account.uid is not None and account.gid is not None:
            os.chown(new, account.uid, account.gid)
        command = [str(binaries / "initdb"), *initdb_options(new)]
        with self._open_log() as log:
            code = account.popen(
                command, output=log, inherited=self._children_lock.descriptor
            ).wait()
        if code != 0:
            raise EmbeddedPostgresError(
                f"PostgreSQL could not create its files ({self._last_error()}): see {self._log}, "
                "fix the cause, or set DATABASE_URL."
            )
        new.rename(self._cluster)
        parent = os.open(self._data_dir, os.O_RDONLY)
        os.fsync(parent)  # makes the rename durable
        os.close(parent)

    def _launch(self, binaries: Path, account: Account) -> None:
        command = [str(binaries / "postgres"), *server_options(self._cluster, self._socket)]
        with self._open_log() as log:
            server = self._server = account.popen(
                command, output=log, inherited=self._children_lock.descriptor
            )
        self._children_lock.release()  # from here on only PostgreSQL's processes hold it
        deadline = time.monotonic() + START_LIMIT
        while self._answering() is None:
            if ended(server) or time.monotonic() > deadline:
                raise EmbeddedPostgresError(
                    f"PostgreSQL did not start ({self._last_error()}): see {self._log}, fix "
                    "the cause, or set DATABASE_URL."
                )
            time.sleep(POLL)

    def _open_log(self) -> IO[bytes]:
        too_long = self._log.exists() and self._log.stat().st_size > LOG_LIMIT
        log = self._log.open("wb" if too_long else "ab")
        self._log.chmod(0o600)
        self._log_start = log.tell()
        return log

    def _last_error(self) -> str:
        """Return the last error line of the program that was started last."""
        said = self._log.read_bytes()[self._log_start :].decode(errors="replace")
        complaint = _ERROR_LINE.search(said)
        return complaint[1] if complaint else "it did not say why"
