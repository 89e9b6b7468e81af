"""Installs what builds and runs the image, and a pooler: ``python -m tests.deploy.setup``.

Debian's and Ubuntu's packages, with apt-get and as root. It says in one sentence what is missing
then; its exit code is 1.
"""

from __future__ import annotations

import os
import shutil
import sys

from tests.apt import install

PROGRAMS = ("buildah", "mmdebstrap", "pgbouncer")


def missing() -> list[str]:
    """Return what the tests of the image and of the pooler lack."""
    found = [name for name in (*PROGRAMS, "unshare") if shutil.which(name) is None]
    return found if os.geteuid() == 0 else [*found, "the rights of root"]


def main() -> int:
    """Install what is missing where that can be done."""
    if missing():
        install(*PROGRAMS)
    if lacking := missing():
        named = ", ".join(lacking)
        sentence = (
            f"The tests of the image or of the pooler will fail: missing are {named}.\n"
        )
        sys.stderr.write(sentence)
    return int(bool(lacking))


if __name__ == "__main__":
    sys.exit(main())
