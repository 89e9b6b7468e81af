"""What is put into the functions' packages."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.aws.package import FRONT_CODE, FRONT_PACKAGES, WORKER_CODE, copy_code, only
from tests.conftest import ROOT

LOCK = (ROOT / "requirements.lock").read_text("utf-8")


def test_the_front_takes_a_few_entries_of_the_lock() -> None:
    """Each with its hashes; a name that the lock lacks is refused."""
    entries = only(LOCK, FRONT_PACKAGES)
    assert re.findall(r"^([a-z-]+)==", entries, re.MULTILINE) == list(FRONT_PACKAGES)
    assert entries.count("--hash=sha256:") >= 1
    with pytest.raises(ValueError, match="lacks a package"):
        only(LOCK, ["no-such-package"])


def test_the_front_needs_no_other_code(tmp_path: Path) -> None:
    """With these files, its packages and what Lambda brings, it can be imported and speak."""
    import boto3
    import slack_sdk

    copy_code(tmp_path, FRONT_CODE)
    for module in (slack_sdk, boto3):
        assert module.__file__
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import deploy.aws.front as front;"
        "assert front.__file__.startswith(sys.argv[1]), front.__file__;"
        "front.say('ja', 'command_failed');"
        "print(sorted({m.partition('.')[0] for m in sys.modules}))"
    )
    told = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "'slack_sdk'" in told
    for heavy in ("memory", "slack_bolt", "aiohttp", "psycopg", "pydantic", "openai", "babel"):
        assert f"'{heavy}'" not in told


def test_the_worker_has_all_our_code() -> None:
    """Every package that its handlers come from is among what is copied."""
    for handler in ("deploy.aws.worker", "deploy.aws.migration"):
        assert handler.partition(".")[0] in WORKER_CODE
    assert {"bot", "memory"} <= set(WORKER_CODE)
