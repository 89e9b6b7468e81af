"""docs/examples/bolt_app.py: an app that is not Kioku, in front of the playground."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from slack_playground.testing import Playground
from tests.conftest import ROOT, json_server
from tests.loopback import free_port
from tests.waiting import wait_until

PROGRAM = "bolt_app"
MANIFEST = ROOT / "docs" / "examples" / f"{PROGRAM}.json"


@pytest.mark.parametrize("transport", ["socket", "http"])
def test_any_bolt_app_runs(tmp_path: Path, transport: str) -> None:
    """By Bolt's own client or server: the event, the command and its response URL are Slack's."""
    port, arguments = free_port(), ["--manifest", str(MANIFEST)]
    if transport == "http":
        arguments += ["--request-url", f"http://127.0.0.1:{port}/slack/events"]
    with (
        json_server("slack_playground", *arguments) as server,
        (tmp_path / "app.txt").open("wb") as said,
    ):
        playground = Playground(server.info)
        settings = {
            "SLACK_API_URL": playground.api_url,
            "SLACK_BOT_TOKEN": playground.bot_token,
        }
        if transport == "socket":
            settings["SLACK_APP_TOKEN"] = playground.app_token
        else:
            settings |= {
                "PORT": str(port),
                "SLACK_SIGNING_SECRET": playground.signing_secret,
            }
        program = [sys.executable, "-m", f"docs.examples.{PROGRAM}"]
        environment = {**os.environ, **settings}
        app = subprocess.Popen(
            program, cwd=ROOT, env=environment, stdout=said, stderr=said
        )
        try:
            ben = playground.person("Ben")
            # Slack reports a command at once where no app listens yet: people type it again.
            wait_until(
                lambda: ben.act("commands", command="/backwards", text="stressed")["ok"]
            )
            ben.sees("desserts")
            ben.send("hello")
            ben.sees(f"Hello, <@{ben.id}>!")
        finally:
            app.kill()
            app.wait(60)
        outcomes = {one["outcome"] for one in playground.call("calls")["calls"]}
        assert outcomes == {"ok"}, (tmp_path / "app.txt").read_text("utf-8")


def test_the_manifest_is_one_that_slack_takes() -> None:
    """Slack's schema takes the manifest, which is JSON and names no Home tab and no agent."""
    schema = json.loads(
        (ROOT / "tests/data/manifest.schema.1.0.0.json").read_text("utf-8")
    )
    jsonschema.Draft7Validator(schema).validate(json.loads(MANIFEST.read_text("utf-8")))
