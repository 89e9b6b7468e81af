"""PostgreSQL's own backup programs, ``pg_dump`` and ``pg_restore``, in the custom format."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from memory.model.errors import KiokuMemoryError
from memory.postgres.embedded import EmbeddedPostgresError
from memory.postgres.embedded.programs import find_binaries

Progress: TypeAlias = Callable[[str], None]

_TABLE = re.compile(r'(?:dumping contents of|processing data for) table "public\.(\w+)"')
_GRANT = re.compile(r"(?:GRANT|REVOKE) .* (?:TO|FROM) (?:PUBLIC|kioku_app|kioku_queue);")


class BackupError(KiokuMemoryError):
    """A backup cannot be written or restored; the message says why."""


@contextmanager
def replacing(file: Path) -> Iterator[Path]:
    """Yield a new file with mode 600 that takes the place of `file` once it is complete."""
    try:
        created, name = tempfile.mkstemp(".part", f".{file.name}.", file.parent)
        os.close(created)
        part = Path(name)
        try:
            yield part
            part.replace(file)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        why = os.strerror(error.errno or 0)
        raise BackupError(f"{file} cannot be written ({why}).") from None


@dataclass(frozen=True, slots=True)
class Archive:
    """A file in the custom format, and a database on a server of this major version."""

    file: Path
    conninfo: str
    server: int

    def dump(self, without: Sequence[str], progress: Progress) -> None:
        """Write the database as of one moment; of the tables `without`, the definition only."""
        excluded = [f"--exclude-table-data=public.{table}" for table in without]
        self._run("pg_dump", "--format=custom", f"--file={self.file}", *excluded, progress=progress)

    def rows(self, table: str) -> list[list[str]]:
        """Return a small table's rows as text; none if the archive has no such table."""
        script = self._run("pg_restore", "--data-only", f"--table={table}", "--file=-", self.file)
        _, _, copied = script.partition(f"COPY public.{table} ")
        return [line.split("\t") for line in copied.partition("\n\\.")[0].splitlines()[1:]]

    def load(self, progress: Progress) -> None:
        """Create and fill the tables in one transaction, for their owner alone."""
        # An extension that is there already may have another owner, who alone may comment on it.
        options = ("--single-transaction", "--no-owner", "--no-privileges", "--no-comments")
        self._run("pg_restore", *options, self.file, progress=progress)

    def grants(self) -> list[str]:
        """Return the statements that give Kioku's roles their rights."""
        script = self._run("pg_restore", "--schema-only", "--file=-", self.file)
        return [line for line in script.splitlines() if _GRANT.fullmatch(line)]

    def _run(self, name: str, *options: str | Path, progress: Progress | None = None) -> str:
        command = [_program(name, self.server), *options]
        environment = {**os.environ, "LC_ALL": "C"}
        if progress is not None:
            # Other users of the machine can read a command line, but not an environment.
            address = conninfo_to_dict(self.conninfo)
            if password := address.pop("password", None):
                environment["PGPASSWORD"] = str(password)
            command += ["--verbose", f"--dbname={make_conninfo('', **address)}"]
        pipe, error = subprocess.PIPE, ""
        with (
            tempfile.TemporaryFile("w+", encoding="utf-8") as output,
            subprocess.Popen(  # noqa: S603 (PostgreSQL's own programs, without a shell)
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=pipe,
                env=environment,
                text=True,
            ) as process,
        ):
            for line in process.stderr or ():
                if progress is not None and (found := _TABLE.search(line)):
                    progress(found[1])
                error = error or line.partition("error: ")[2].strip()
            if process.wait() != 0:
                raise BackupError(f"{name} failed: {error or f'exit code {process.returncode}'}.")
            output.seek(0)
            return output.read()


def _program(name: str, server: int) -> str:
    """Return the oldest installed program that is as new as the server."""
    paths = [shutil.which(name)]
    with suppress(EmbeddedPostgresError):
        paths.append(str(find_binaries() / name))
    installed = {}
    for path in filter(None, paths):
        said = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)  # noqa: S603
        number = re.search(r"\d+", said.stdout)
        installed[int(number[0]) if number else 0] = path
    if fitting := [version for version in installed if version >= server]:
        return installed[min(fitting)]
    found = f"{name} is of PostgreSQL {max(installed)}" if installed else f"{name} is not installed"
    raise BackupError(
        f"The server is PostgreSQL {server} and {found}: install the client programs of that"
        " version."
    )
