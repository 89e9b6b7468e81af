"""Where the tests keep temporary files."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

MEMORY = Path("/dev/shm")
_MEMORY_BYTES = 4 << 30


def use_memory() -> None:
    """Let temporary files be in ``/dev/shm`` if it has 4 GB left, which is faster than a disk.

    A `TMPDIR` that is set is left as it is.
    """
    room = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > _MEMORY_BYTES
    if (
        room
        and "TMPDIR" not in os.environ
        and not os.statvfs(MEMORY).f_flag & os.ST_NOEXEC
    ):
        os.environ["TMPDIR"] = str(MEMORY)
        tempfile.tempdir = None
