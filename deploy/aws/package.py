"""Build what the functions run: ``python -m deploy.aws.package`` fills ``build/aws``.

The packages of requirements.lock for arm64, checked by their hashes, the code, and the
certificate authorities of Amazon RDS. Nothing is compiled, so any machine with pip will do.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path

from bot.locale.compiling import compiled

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "aws"
# Source: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.SSL.html
AUTHORITIES = "https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem"
LIMIT_MB = 250  # unzipped; https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
FRONT_PACKAGES = ("slack-sdk",)
FRONT_CODE = (
    "bot/__init__.py",
    "bot/locale",
    "bot/runtime/__init__.py",
    "bot/runtime/ask_request.py",
    "bot/slack/__init__.py",
    "bot/slack/signature.py",
    "bot/views/__init__.py",
    "bot/views/blocks.py",
    "bot/views/modal_triggers.py",
    "bot/views/subcommands.py",
    "bot/views/time_forms.py",
    "bot/views/views.py",
    "deploy/__init__.py",
    "deploy/aws/__init__.py",
    "deploy/aws/envelopes.py",
    "deploy/aws/front.py",
)
WORKER_CODE = ("bot", "memory", "deploy")
_PLATFORMS = ("manylinux_2_28_aarch64", "manylinux_2_17_aarch64", "manylinux2014_aarch64")
_PYTHON = "3.13"
_LEFT_OUT = shutil.ignore_patterns("__pycache__")


def main(arguments: Sequence[str] | None = None) -> int:
    """Build both packages and say how large they are; 1 where one is too large."""
    parser = argparse.ArgumentParser(prog="deploy.aws.package", description=__doc__)
    parser.add_argument("--to", type=Path, default=BUILD, help="where to build (build/aws)")
    parser.add_argument(
        "--authorities", type=Path, help="the file global-bundle.pem, if it is here already"
    )
    chosen = parser.parse_args(arguments)
    lock = (ROOT / "requirements.lock").read_text("utf-8")
    authorities = _authorities(chosen.authorities)
    shutil.rmtree(chosen.to, ignore_errors=True)
    sizes = {
        "front": _build(chosen.to / "front", only(lock, FRONT_PACKAGES), FRONT_CODE),
        "worker": _build(chosen.to / "worker", lock, WORKER_CODE),
    }
    (chosen.to / "worker" / "rds.pem").write_bytes(authorities)
    for name, size in sizes.items():
        print(f"{name:8}{size:6.1f} MB of {LIMIT_MB}")  # noqa: T201 - output of a command
    return int(max(sizes.values()) >= LIMIT_MB)


def only(lock: str, names: Sequence[str]) -> str:
    """Return the entries of `names` in a hashed lock; raises `ValueError` for one that lacks."""
    entries = re.findall(r"^(?:[a-z0-9].*\\\n)(?:    --hash=.*\n)+", lock, re.MULTILINE)
    found = [entry for entry in entries if entry.partition("==")[0] in names]
    if len(found) != len(names):
        raise ValueError("requirements.lock lacks a package of the front: write it again.")
    return "".join(found)


def _build(folder: Path, requirements: str, code: Sequence[str]) -> float:
    folder.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as temporary:
        lock = Path(temporary) / "requirements.txt"
        lock.write_text(requirements, "utf-8")
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-compile"]
        command += ["--disable-pip-version-check", "--require-hashes", "--only-binary", ":all:"]
        command += ["--implementation", "cp", "--python-version", _PYTHON]
        command += [word for name in _PLATFORMS for word in ("--platform", name)]
        subprocess.run([*command, "--target", str(folder), "-r", str(lock)], check=True)  # noqa: S603
    copy_code(folder, code)
    return sum(f.stat().st_size for f in folder.rglob("*") if f.is_file()) / 1e6


def copy_code(folder: Path, code: Sequence[str]) -> None:
    """Copy these files and folders of the repository, and compile the catalogues among them."""
    for name in code:
        source, target = ROOT / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=_LEFT_OUT)
        else:
            shutil.copy(source, target)
    for catalogue in folder.glob("bot/locale/*/LC_MESSAGES/*.po"):
        catalogue.with_suffix(".mo").write_bytes(compiled(catalogue.read_bytes()))


def _authorities(file: Path | None) -> bytes:
    if file is not None:
        return file.read_bytes()
    try:
        with urllib.request.urlopen(AUTHORITIES, timeout=30) as answer:
            found: bytes = answer.read()
    except (OSError, urllib.error.URLError):
        raise SystemExit(
            f"The certificate authorities of Amazon RDS could not be fetched: get {AUTHORITIES}"
            " and name the file with --authorities."
        ) from None
    return found


if __name__ == "__main__":
    sys.exit(main())
