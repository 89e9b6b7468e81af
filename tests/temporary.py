"""Where the tests keep temporary files."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

MEMORY = Path("/dev/shm")
_MEMORY_BYTES = 4 << 30


def use_memory() -> None:
    """Keep temporary files in memory where there is room for them, which is faster.

    `TMPDIR` says otherwise where it is set.
    """
    room = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > _MEMORY_BYTES
    if room and "TMPDIR" not in os.environ and not os.statvfs(MEMORY).f_flag & os.ST_NOEXEC:
        os.environ["TMPDIR"] = str(MEMORY)
        tempfile.tempdir = None
