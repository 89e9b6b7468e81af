"""The virtual environment of mem0, made from packages pinned by hash."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import venv

from bench.testbed import ROOT

LOCK = ROOT / "bench" / "mem0-requirements.lock"
FOLDER = ROOT / "build" / "bench" / "mem0"


def python() -> str:
    """Return the interpreter of mem0's environment, which is rebuilt when the lock file changes.

    Raises `subprocess.CalledProcessError` if pip cannot reach a package index.
    """
    made = FOLDER / "made-from"
    interpreter = FOLDER / "bin" / "python"
    digest = hashlib.sha256(LOCK.read_bytes()).hexdigest() + sys.version
    if made.exists() and made.read_text("utf-8") == digest:
        return str(interpreter)
    venv.create(FOLDER, clear=True, with_pip=True)
    install = [str(interpreter), "-m", "pip", "install", "-qq"]
    options = ["--disable-pip-version-check", "--require-hashes"]
    options += ["--only-binary", ":all:", "-r", str(LOCK)]
    subprocess.run([*install, *options], check=True, stdout=sys.stderr)
    made.write_text(digest, "utf-8")
    return str(interpreter)
