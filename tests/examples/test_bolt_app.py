"""docs/examples/bolt_app.py: an app that is not Kioku, in front of the playground."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import jsonschema

from tests.conftest import ROOT, Server, json_server
from tests.kioku_process import until
from tests.loopback import free_port

PLAYGROUND, PROGRAM = "slack_playground", "bolt_app"
MANIFEST = ROOT / "docs" / "examples" / f"{PROGRAM}.json"


@contextmanager
def app_process(folder: Path, **settings: str) -> Iterator[None]:
    """Run the app as its own process; what it says is in `folder`."""
    with (folder / "app.txt").open("wb") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", f"docs.examples.{PROGRAM}"],
            cwd=ROOT,
            env={**os.environ, **settings},
            stdout=said,
            stderr=said,
        )
    try:
        yield
    finally:
        process.kill()
        process.wait(20)


def started(transport: Literal["socket", "http"]) -> tuple[list[str], dict[str, str]]:
    """Return what the playground is started with, and the environment of the app."""
    slack, app = free_port(), free_port()
    arguments = ["slack_playground", "--port", str(slack), "--manifest", str(MANIFEST)]
    settings = {
        "SLACK_API_URL": f"http://127.0.0.1:{slack}/api/",
        "SLACK_BOT_TOKEN": "xoxb-playground",
        "PORT": str(app),
    }
    if transport == "socket":
        return arguments, {**settings, "SLACK_APP_TOKEN": "xapp-playground"}
    arguments += ["--request-url", f"http://127.0.0.1:{app}/slack/events"]
    return arguments, {**settings, "SLACK_SIGNING_SECRET": "playground-signing-secret"}


def exchanged(slack: Server, folder: Path) -> None:
    """Fail unless a person's message and slash command are answered."""
    state = slack.call("/_playground/state")
    assert state["app_name"] == "Backwards"
    ben = next(one["id"] for one in state["users"] if one["name"] == "Ben")

    def texts() -> list[str]:
        found = slack.call(f"/_playground/channels/dm/messages?as={ben}")["messages"]
        return [str(one.get("text")) for one in found]

    def acked() -> bool:
        act = {"user": ben, "channel": "dm", "command": "/backwards", "text": "stressed"}
        answer: dict[str, Any] = slack.call("/_playground/commands", act)
        return bool(answer["ok"])

    # Slack reports a command at once where no app listens yet: people type it again.
    until(acked)
    until(lambda: "desserts" in texts())
    slack.call("/_playground/messages", {"user": ben, "channel": "dm", "text": "hello"})
    until(lambda: f"Hello, <@{ben}>!" in texts())
    outcomes = {one["outcome"] for one in slack.call("/_playground/calls")["calls"]}
    assert outcomes == {"ok"}, (folder / "app.txt").read_text("utf-8")


def test_any_bolt_app_runs_over_socket_mode(tmp_path: Path) -> None:
    """Bolt's own client connects; the event, the command and its response URL are Slack's."""
    arguments, settings = started("socket")
    with json_server(*arguments) as slack, app_process(tmp_path, **settings):
        exchanged(slack, tmp_path)


def test_any_bolt_app_runs_over_http(tmp_path: Path) -> None:
    """With --request-url, Bolt's own server gets signed requests and verifies them."""
    arguments, settings = started("http")
    with json_server(*arguments) as slack, app_process(tmp_path, **settings):
        exchanged(slack, tmp_path)


def test_the_manifest_is_one_that_slack_takes() -> None:
    """Slack's schema takes the manifest, which is JSON and names no Home tab and no agent."""
    schema = json.loads((ROOT / "tests/data/manifest.schema.1.0.0.json").read_text("utf-8"))
    jsonschema.Draft7Validator(schema).validate(json.loads(MANIFEST.read_text("utf-8")))
