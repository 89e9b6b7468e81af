"""File locks that the kernel releases when the last process holding them ends."""

import fcntl
import os
from pathlib import Path


class FileLock:
    """An exclusive ``flock`` on a file that contains the process id of its holder."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = -1

    @property
    def descriptor(self) -> int:
        """The open descriptor, or -1 without the lock; a child that inherits it holds the lock."""
        return self._descriptor

    def acquire(self) -> bool:
        """Take the lock without waiting; return whether this object holds it.

        Raises:
            OSError: the file cannot be opened or locked (some network file systems have no locks).
        """
        if self._descriptor != -1:
            return True
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            if isinstance(error, BlockingIOError):
                return False
            raise
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        self._descriptor = descriptor
        return True

    def holder(self) -> str:
        """Return the process id that the last holder wrote, or a question mark."""
        return self._path.read_text(encoding="ascii").strip() or "?"

    def release(self) -> None:
        """Close this process's descriptor; children that inherited it still hold the lock."""
        if self._descriptor != -1:
            os.close(self._descriptor)
            self._descriptor = -1
