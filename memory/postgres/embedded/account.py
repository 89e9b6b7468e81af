"""The operating-system account that PostgreSQL runs under, because it refuses to run as root."""

import os
import pwd
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from memory.postgres.embedded.errors import EmbeddedPostgresError

_FIRST_CHOICE = 1000
_UNPRIVILEGED = "nobody"
# Prints the first folder that the account cannot enter.
_FIRST_CLOSED = 'for f do test -x "$f" || { printf %s "$f"; exit 1; }; done'


@dataclass(frozen=True)
class Account:
    """An account for PostgreSQL's programs: a command prefix, or a user and group id."""

    prefix: tuple[str, ...] = ()
    uid: int | None = None
    gid: int | None = None

    @property
    def owner(self) -> int:
        """The user id, as seen by this process, that owns the files PostgreSQL writes."""
        return os.geteuid() if self.uid is None else self.uid

    def popen(
        self, command: Sequence[str], *, output: IO[bytes], inherited: int
    ) -> "subprocess.Popen[bytes]":
        """Start a PostgreSQL program in its own session, so that Ctrl-C reaches the app only.

        Args:
            command: the program and its arguments.
            output: the file for its standard output and standard error.
            inherited: a file descriptor that it inherits.
        """
        return subprocess.Popen(  # noqa: S603 (PostgreSQL's own programs, without a shell)
            [*self.prefix, *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd="/",
            env=_environment(),
            start_new_session=True,
            pass_fds=(inherited,),
            user=self.uid,
            group=self.gid,
            extra_groups=None if self.uid is None else [],
        )


def choose_account(data_dir: Path, cluster: Path, binaries: Path) -> Account:
    """Choose the account for the PostgreSQL of one data directory.

    A user other than root runs it directly. Root uses a user namespace that maps root to an
    ordinary user id, so that files stay owned by root and modes do not change. If the machine
    refuses user namespaces, the account is ``nobody``, or the owner of an existing cluster.

    Raises:
        EmbeddedPostgresError: this process is root, and that account cannot access the files.
    """
    if os.geteuid() != 0:
        return Account()
    owner = cluster.stat().st_uid if cluster.exists() else None
    if owner in (None, 0):
        prefix = _user_namespace()
        if prefix:
            return Account(prefix=prefix)
    if owner == 0:
        raise EmbeddedPostgresError(
            "PostgreSQL refuses to run as root, this machine refuses user namespaces, and "
            f"{cluster} belongs to root: run Kioku as an ordinary user who owns it, or set "
            "DATABASE_URL."
        )
    if owner is None:
        # The cluster's own folder stays 0700; its owner needs the execute bit on the parents.
        data_dir.chmod(data_dir.stat().st_mode | 0o001)
        nobody = pwd.getpwnam(_UNPRIVILEGED)
        account = Account(uid=nobody.pw_uid, gid=nobody.pw_gid)
    else:
        account = Account(uid=owner, gid=cluster.stat().st_gid)
    closed = _first_closed([*_lineage(data_dir), *_lineage(binaries)], account)
    if closed:
        raise EmbeddedPostgresError(
            "PostgreSQL refuses to run as root, this machine refuses user namespaces, and user id "
            f"{account.uid} cannot enter {closed}: run Kioku as an ordinary user, open that folder "
            "(chmod a+x), or set DATABASE_URL."
        )
    return account


def _user_namespace() -> tuple[str, ...]:
    """Return the command prefix for an ordinary user in a user namespace; () if unavailable."""
    unshare = shutil.which("unshare")
    if unshare is None:
        return ()
    # initdb requires a user id that has a name.
    named = sorted(entry.pw_uid for entry in pwd.getpwall() if entry.pw_uid != 0)
    uid = _FIRST_CHOICE if _FIRST_CHOICE in named else next(iter(named), _FIRST_CHOICE)
    prefix = (unshare, "--user", f"--map-user={uid}", f"--map-group={uid}")
    probe = subprocess.run([*prefix, "true"], capture_output=True, check=False)  # noqa: S603
    return prefix if probe.returncode == 0 else ()


def _lineage(folder: Path) -> list[Path]:
    return [*reversed(folder.parents), folder]


def _first_closed(folders: Sequence[Path], account: Account) -> str:
    """Return the first folder that the account cannot enter, or an empty string."""
    probe = subprocess.run(  # noqa: S603
        ["/bin/sh", "-c", _FIRST_CLOSED, "sh", *folders],
        capture_output=True,
        check=False,
        cwd="/",
        user=account.uid,
        group=account.gid,
        extra_groups=[],
    )
    return os.fsdecode(probe.stdout)


def _environment() -> dict[str, str]:
    """Return the environment without variables that change PostgreSQL's behaviour."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return {**kept, "LC_ALL": "C", "TZ": "UTC"}
