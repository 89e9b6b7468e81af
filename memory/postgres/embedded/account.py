"""Under which account PostgreSQL runs: it refuses to run as root."""

import os
import pwd
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from memory.postgres.embedded.failure import EmbeddedPostgresError

_FIRST_CHOICE = 1000
_UNPRIVILEGED = "nobody"
# Prints the first folder that the account cannot pass through.
_FIRST_CLOSED = 'for f do test -x "$f" || { printf %s "$f"; exit 1; }; done'


@dataclass(frozen=True)
class Account:
    """How to start a PostgreSQL program: a command in front of it, or another user id."""

    prefix: tuple[str, ...] = ()
    uid: int | None = None
    gid: int | None = None

    @property
    def owner(self) -> int:
        """The user id, seen from this process, that owns what PostgreSQL writes."""
        return os.geteuid() if self.uid is None else self.uid

    def popen(
        self, command: Sequence[str], *, output: IO[bytes], inherited: int
    ) -> "subprocess.Popen[bytes]":
        """Start a PostgreSQL program in its own session (the terminal's Ctrl-C is the app's).

        Args:
            command: the program and its arguments.
            output: where its standard output and standard error go.
            inherited: a file descriptor that it keeps open.
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

    Any user but root: that user. Root: a user namespace that maps root to an ordinary user id,
    so that files stay root's and no mode changes; where the machine refuses that, ``nobody``
    (or whoever owns the cluster already).

    Raises:
        EmbeddedPostgresError: root, and that account cannot reach the files.
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
        # The cluster's own folder stays 0700; this lets its owner walk through to it.
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
    """Return the command that runs a program as an ordinary user in a user namespace, or ()."""
    unshare = shutil.which("unshare")
    if unshare is None:
        return ()
    # initdb wants a user id that has a name.
    named = sorted(entry.pw_uid for entry in pwd.getpwall() if entry.pw_uid != 0)
    uid = _FIRST_CHOICE if _FIRST_CHOICE in named else next(iter(named), _FIRST_CHOICE)
    prefix = (unshare, "--user", f"--map-user={uid}", f"--map-group={uid}")
    probe = subprocess.run([*prefix, "true"], capture_output=True, check=False)  # noqa: S603
    return prefix if probe.returncode == 0 else ()


def _lineage(folder: Path) -> list[Path]:
    return [*reversed(folder.parents), folder]


def _first_closed(folders: Sequence[Path], account: Account) -> str:
    """Return the first folder that the account cannot pass through, or an empty string."""
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
    """Return the environment without what would change PostgreSQL's behaviour."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return {**kept, "LC_ALL": "C", "TZ": "UTC"}
