"""Build what the functions run: ``python -m deploy.aws.package`` fills ``build/aws``.

The packages of requirements.lock for arm64, checked by their hashes, the code, and the
certificate authorities of Amazon RDS. Nothing is compiled, so any machine with pip will do.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "aws"
# Source: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.SSL.html
AUTHORITIES = "https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem"
LIMIT_MB = 250  # unzipped; https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
CODE = ("bot", "memory", "deploy")
_OPTIONS = (
    "--quiet",
    "--no-deps",
    "--no-compile",
    "--disable-pip-version-check",
    "--require-hashes",
    "--only-binary=:all:",
    "--implementation=cp",
    "--python-version=3.13",
)
_PLATFORMS = (
    "manylinux_2_28_aarch64",
    "manylinux_2_17_aarch64",
    "manylinux2014_aarch64",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Build the package and say how large it is; 1 where it is too large."""
    parser = argparse.ArgumentParser(prog="deploy.aws.package", description=__doc__)
    parser.add_argument(
        "--to", type=Path, default=BUILD, help="where to build (build/aws)"
    )
    parser.add_argument(
        "--authorities",
        type=Path,
        help="the file global-bundle.pem, if it is here already",
    )
    chosen = parser.parse_args(arguments)
    authorities = _authorities(chosen.authorities)
    shutil.rmtree(chosen.to, ignore_errors=True)
    chosen.to.mkdir(parents=True)
    command = [sys.executable, "-m", "pip", "install", *_OPTIONS]
    for platform in _PLATFORMS:
        command += ["--platform", platform]
    command += ["--target", str(chosen.to), "-r", str(ROOT / "requirements.lock")]
    subprocess.run(command, check=True)  # noqa: S603
    copy_code(chosen.to)
    (chosen.to / "rds.pem").write_bytes(authorities)
    files = [one for one in chosen.to.rglob("*") if one.is_file()]
    size = sum(one.stat().st_size for one in files) / 1e6
    print(f"{size:.1f} MB of {LIMIT_MB}")  # noqa: T201 - output of a command
    return int(size >= LIMIT_MB)


def copy_code(folder: Path) -> None:
    """Copy the packages of the repository."""
    for name in CODE:
        shutil.copytree(
            ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__")
        )


def _authorities(file: Path | None) -> bytes:
    if file is not None:
        return file.read_bytes()
    try:
        with urllib.request.urlopen(AUTHORITIES, timeout=30) as answer:
            found: bytes = answer.read()
    except OSError:  # a `URLError` is one
        raise SystemExit(
            f"The certificate authorities of Amazon RDS could not be fetched: get {AUTHORITIES}"
            " and name the file with --authorities."
        ) from None
    return found


if __name__ == "__main__":
    sys.exit(main())
