"""Connecting one's own Slack: `kioku setup`, and what `kioku up` refuses."""

from __future__ import annotations

import json
import re
import socket
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml
from dotenv import dotenv_values

from bot.runtime.manifest import create_app_url
from tests.conftest import ROOT, Server, json_server
from tests.kioku_process import PYTHON_M_BOT, ended, environment, on_terminal
from tests.waiting import wait_until

pytestmark = pytest.mark.slow

BOT, APP, KEY = "SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "OPENAI_API_KEY"


@pytest.fixture(scope="module")
def slack() -> Iterator[Server]:
    """A playground in real Slack's place."""
    with json_server(
        "kioku_stand_in.playground", "--manifest", "manifest.yml"
    ) as server:
        yield server


def elsewhere(slack: Server) -> dict[str, str]:
    """Return the settings that put the playground in the place of Slack and OpenAI."""
    return {
        "SLACK_API_URL": str(slack.info["slack_api_url"]),
        "OPENAI_BASE_URL": slack.openai_base_url,
        "KIOKU_EMBEDDING_MODEL": "text-embedding-3-small",
    }


def values(slack: Server) -> dict[str, str]:
    """Return what a person copies from Slack's and OpenAI's pages, as it is asked for."""
    return {APP: slack.info["app_token"], BOT: slack.info["bot_token"], KEY: "sk-1"}


def test_the_link_fills_in_slacks_form() -> None:
    """The form of Slack's gets the whole manifest, as JSON in the address."""
    url = urlsplit(create_app_url())
    assert url.netloc + url.path == "api.slack.com/apps"
    query = parse_qs(url.query, strict_parsing=True)
    assert query.keys() == {"new_app", "manifest_json"}
    manifest = yaml.safe_load((ROOT / "manifest.yml").read_text("utf-8"))
    assert json.loads(query["manifest_json"][0]) == manifest
    assert len(url.geturl()) < 8_000


def test_setup_asks_in_a_terminal_until_it_works(tmp_path: Path, slack: Server) -> None:
    """What is typed is not shown; a wrong token is asked for again; the end is a written file."""
    (tmp_path / ".env").write_text("KIOKU_LOG_LEVEL=debug", "utf-8")
    typed = [
        slack.info["bot_token"],
        slack.info["app_token"],
        slack.info["bot_token"],
        "",
    ]
    code, shown = on_terminal(
        tmp_path, ": ", typed, "setup", "--no-browser", **elsewhere(slack)
    )
    assert code == 0, shown
    assert "✗ SLACK_APP_TOKEN must begin with xapp-: copy it" in shown
    assert "SLACK_APP_TOKEN (hidden as you type): " in shown
    assert (
        "✓ Connected to Playground as @kioku: https://slack.com/app_redirect?app="
        in shown
    )
    assert create_app_url() in shown.replace("\r\n", "\n")
    assert f"kept in\r\n{tmp_path / '.env'}." in shown
    assert "-playground" not in shown
    assert stat.S_IMODE((tmp_path / ".env").stat().st_mode) == 0o600
    tokens = {name: value for name, value in values(slack).items() if name != KEY}
    assert dotenv_values(tmp_path / ".env") == {"KIOKU_LOG_LEVEL": "debug", **tokens}


def test_setup_opens_slacks_form_and_keeps_what_it_got(
    tmp_path: Path, slack: Server
) -> None:
    """Ctrl-C in the middle loses nothing, and the next time Enter keeps it."""
    opened = tmp_path / "opened"
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {opened}\n', "utf-8")
    browser.chmod(0o700)
    seen = {"DISPLAY": ":0", "CI": "", "SSH_CONNECTION": "", "BROWSER": f"{browser} %s"}
    given = {**elsewhere(slack), "OPENAI_BASE_URL": ""}
    typed = [slack.info["app_token"], "\x03"]
    code, shown = on_terminal(tmp_path, "): ", typed, "setup", **given, **seen)
    assert code == 130
    assert "Slack's form for a new app opens in your browser" in shown
    assert create_app_url() not in shown
    wait_until(opened.exists)
    wait_until(lambda: opened.read_text("utf-8") == f"{create_app_url()}\n")
    assert dotenv_values(tmp_path / ".env") == {APP: slack.info["app_token"]}
    typed = ["", slack.info["bot_token"], ""]
    code, shown = on_terminal(tmp_path, "): ", typed, "setup", **given, **seen)
    assert code == 0, shown
    assert "so the app is made: open it at" in shown, "no second app"
    assert "SLACK_APP_TOKEN (hidden as you type, Enter: as it is): " in shown
    [model] = re.findall(r"✓ (None is set: .*)\r", shown)
    assert f"✓ Model: {model}\n" in ended(tmp_path, "doctor", **given).out, (
        "the same sentence"
    )


@pytest.mark.failed_calls(
    "apps.connections.open: invalid_auth", because="The token is wrong."
)
def test_setup_reads_a_pipe(tmp_path: Path, slack: Server) -> None:
    """Each line is one value; a wrong one and a missing one end it, and what worked is written."""

    def piped(*lines: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*PYTHON_M_BOT, "setup"],
            cwd=tmp_path,
            # As in a locale that has no check mark.
            env=environment({**elsewhere(slack), "PYTHONIOENCODING": "latin-1"}),
            input="".join(f"{line}\n" for line in lines),
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    wrong = piped("xapp-no", "xoxb-no")
    assert wrong.returncode == 1
    assert (
        wrong.stderr == "kioku: SLACK_APP_TOKEN does not work, and was not written.\n"
    )
    assert "Slack refuses SLACK_APP_TOKEN (invalid_auth)" in wrong.stdout
    assert not (tmp_path / ".env").exists()
    short = piped(slack.info["app_token"])
    assert short.stderr == (
        "kioku: The input has ended before SLACK_BOT_TOKEN: run `kioku setup` again to go on with"
        " it.\n"
    )
    assert dotenv_values(tmp_path / ".env") == {APP: slack.info["app_token"]}
    assert piped(*values(slack).values()).returncode == 0
    assert dotenv_values(tmp_path / ".env") == values(slack)
    again = piped("", "", "")
    assert (again.returncode, again.stdout.count("✓ ")) == (0, 3), (
        "what is set is checked again"
    )


def test_up_names_a_taken_port_before_anything_starts(tmp_path: Path) -> None:
    """No database is made for it."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        done = ended(tmp_path, "up", PORT=port)
    assert done.err == (
        f"kioku: Port {port} cannot be opened (Address already in use): set PORT to a free one.\n"
    )
    assert not list(tmp_path.iterdir())
