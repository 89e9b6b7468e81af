"""The fixture of pytest, people who act in its playground, and the program of the README."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from slack_sdk import WebClient

from slack_playground.testing import Playground

README = Path(__file__).parents[1] / "README.md"


def test_program_of_the_readme_passes(tmp_path: Path) -> None:
    """The first block of the README is a test, and passes as it is."""
    [program, *_] = re.findall(
        r"^```python\n(.+?)^```", README.read_text("utf-8"), re.M | re.S
    )
    (tmp_path / "test_hello.py").write_text(program, "utf-8")
    options = (
        "-q",
        "-W",
        "error",
        "-p",
        "slack_playground.pytest_plugin",
        "-p",
        "no:asyncio",
    )
    command = [sys.executable, "-m", "pytest", *options, "test_hello.py"]
    ran = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_click_without_an_app_is_not_acknowledged(slack_playground: Playground) -> None:
    """A person sees a message with a button, and the click says that no app took it."""
    button = {
        "type": "button",
        "action_id": "go",
        "text": {"type": "plain_text", "text": "Go"},
    }
    blocks = [{"type": "actions", "elements": [button]}]
    ben = slack_playground.person("Ben")
    client = WebClient(slack_playground.bot_token, base_url=slack_playground.api_url)
    client.chat_postMessage(channel=ben.id, text="Shall I?", blocks=blocks)
    assert ben.click(ben.sees("Shall I?"), "go")["ok"] is False
    with pytest.raises(AssertionError, match="without a message with 'Yes'"):
        ben.sees("Yes", seconds=0)
