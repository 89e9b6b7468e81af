"""Installs model servers that others wrote: ``python -m tests.real_servers.setup``.

llama.cpp's server, LiteLLM's proxy and a small model get an environment of their own, because
LiteLLM pins packages that Kioku uses, too. It says what it took, or in one sentence what is
missing; its exit code is 1 then.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import time
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
FOLDER = ROOT / ".venv-servers"
PYTHON = FOLDER / "bin" / "python"
_LOCK = ROOT / "tests" / "real_servers" / "requirements.lock"
_INSTALLED = FOLDER / ".installed"
MISSING = (
    "The real model servers are not installed: run `python -m tests.real_servers.setup`. Their"
    " wheels are for Linux with glibc, and for macOS."
)


def is_installed() -> bool:
    """Return whether the environment is there, as the lock has it."""
    return _INSTALLED.is_file() and _INSTALLED.read_text("utf-8") == _lock_hash()


def _lock_hash() -> str:
    return hashlib.sha256(_LOCK.read_bytes()).hexdigest()


def _install() -> int:
    """Make the environment; return pip's exit code.

    The lock names every package that is wanted, and not each that these would bring: hence
    ``--no-deps``.
    """
    venv.create(FOLDER, clear=True, with_pip=True)
    pip = [
        str(PYTHON),
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
    ]
    options = ["--require-hashes", "--only-binary", ":all:", "--no-deps"]
    return subprocess.run([*pip, *options, "-r", str(_LOCK)], check=False).returncode


def _megabytes() -> int:
    files = [
        path for path in FOLDER.rglob("*") if path.is_file() and not path.is_symlink()
    ]
    return sum(path.stat().st_size for path in files) // 1_000_000


def main() -> int:
    """Install what is not installed."""
    if is_installed():
        return 0
    began = time.monotonic()
    if code := _install():
        print(f"The tests of real model servers will fail. {MISSING}", file=sys.stderr)  # noqa: T201
        return code
    _INSTALLED.write_text(_lock_hash(), "utf-8")
    seconds = time.monotonic() - began
    print(  # noqa: T201
        f"Real model servers: {_megabytes()} MB in {FOLDER.name}, in {seconds:.0f} s."
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
