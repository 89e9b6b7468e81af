"""The private folder of PostgreSQL's socket."""

import hashlib
import os
import re
import stat
import tempfile
from pathlib import Path

from memory.postgres.embedded.errors import EmbeddedPostgresError

PORT = 5432
SOCKET_NAME = f".s.PGSQL.{PORT}"
# sun_path has 104 bytes on macOS and 108 on Linux, including the terminating zero.
_LONGEST = 103
# libpq splits a host at commas; PostgreSQL splits its socket folders at commas and quotes.
_PLAIN = re.compile(r"[A-Za-z0-9/._+-]+")


def socket_folder(data_dir: Path) -> Path:
    """Return the folder of the socket, which is always the same for a data directory.

    It is in the data directory if that path fits into a socket address, else in the temporary
    folder under a name derived from the path's SHA-256.
    """
    digest = hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:20]
    inside = data_dir / "socket"
    outside = Path(tempfile.gettempdir()) / f"kioku-{os.geteuid()}-{digest}"
    for folder in (inside, outside):
        path = str(folder / SOCKET_NAME)
        if len(os.fsencode(path)) <= _LONGEST and _PLAIN.fullmatch(path):
            return folder
    return Path("/tmp") / outside.name  # noqa: S108 (0700, and the owner is checked)


def make_socket_folder(folder: Path, owner: int) -> None:
    """Create the folder with mode 0700 for ``owner`` (a user id), or check an existing one.

    Raises:
        EmbeddedPostgresError: a file or folder of another user has that path.
        OSError: the folder cannot be created.
    """
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid not in (owner, os.geteuid()):
        raise EmbeddedPostgresError(
            f"The folder {folder} for PostgreSQL's socket belongs to another user: remove it, "
            "or set TMPDIR to a folder of your own."
        )
    if found.st_uid != owner:
        os.chown(folder, owner, -1)
    folder.chmod(0o700)
