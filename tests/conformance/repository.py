"""Files of a public Git repository, read at one commit with the ``git`` command."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

GITHUB = "https://github.com"


class RepositoryError(Exception):
    """A repository could not be read; the message names it."""


class Repository:
    """The newest commit of a local clone, bare or with a work tree.

    `name` is its ``owner/name``. Only what is committed is read. Raises `RepositoryError`.
    """

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self._folder = folder
        self.commit, self.date = self._git("log", "-1", "--format=%H %cs").decode().split()

    def read(self, path: str) -> bytes:
        """Return the content of the file at `path`."""
        return self._git("show", f"{self.commit}:{path}")

    def files(self, folder: str) -> list[str]:
        """Return the path of every file below `folder`, sorted."""
        listed = self._git("ls-tree", "-r", "-z", "--name-only", self.commit, "--", f"{folder}/")
        return sorted(path for path in listed.decode().split("\0") if path)

    def origin(self, *, licence: str, paths: str, content: str) -> dict[str, Any]:
        """Return what a copy says of where it comes from; `content` says what was kept."""
        return {
            "repository": f"{GITHUB}/{self.name}",
            "paths": paths,
            "commit": self.commit,
            "date": self.date,
            "licence": licence,
            "content": content,
        }

    def _git(self, *arguments: str) -> bytes:
        command = ["git", "-C", str(self._folder), *arguments]
        # Not a repository that this folder happens to be inside of.
        environment = {**os.environ, "GIT_CEILING_DIRECTORIES": str(self._folder.parent.resolve())}
        done = subprocess.run(command, capture_output=True, check=False, env=environment)
        if done.returncode:
            reason = done.stderr.decode(errors="replace").strip()
            raise RepositoryError(f"{self.name} in {self._folder} cannot be read: {reason}")
        return done.stdout


def clone(name: str, folder: Path) -> Repository:
    """Clone the newest commit of a repository of GitHub into `folder`."""
    target = folder / name
    command = ["git", "clone", "--quiet", "--bare", "--depth", "1", f"{GITHUB}/{name}", str(target)]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode:
        reason = done.stderr.decode(errors="replace").strip()
        raise RepositoryError(f"{GITHUB}/{name} cannot be cloned: {reason}")
    return Repository(name, target)


def local(name: str, folder: Path) -> Repository:
    """Open the clone of a repository in `folder`: as ``owner/name``, or as ``name`` alone."""
    for found in (folder / name, folder / name.partition("/")[2]):
        if found.is_dir():
            return Repository(name, found)
    raise RepositoryError(f"{folder} holds no clone of {GITHUB}/{name}.")
