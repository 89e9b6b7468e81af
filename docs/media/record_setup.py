"""Records what `kioku setup` prints: ``python docs/media/record_setup.py``.

Runs the command in a terminal of its own, before a playground in the place of Slack and the
stand-in in that of OpenAI, types what a newcomer types, with one mistake, and writes what it
printed between two comments of docs/how-to/connect-slack.md.
"""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.conftest import Server

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "how-to" / "connect-slack.md"
_PLACE = re.compile(r"(<!-- setup -->\n).*?(<!-- /setup -->\n)", re.S)
_FORM = re.compile(r"(https://api\.slack\.com/apps\?new_app=1&manifest_json=)\S+")
_APP = re.compile(r"(app_redirect\?app=)\w+(&team=)\w+")
_HOME = "/home/you/kioku"


def transcript(slack: Server) -> str:
    """Run the command; return what it printed, without what differs from one run to the next."""
    from tests.kioku_process import on_terminal

    app_token = str(slack.info["app_token"])
    bot_token = str(slack.info["bot_token"])
    settings = {
        "SLACK_API_URL": str(slack.info["slack_api_url"]),
        "OPENAI_BASE_URL": slack.openai_base_url,
        "KIOKU_EMBEDDING_MODEL": "text-embedding-3-small",
    }
    # First the bot token, where the app-level token is asked for.
    typed = [bot_token, app_token, bot_token, "sk-1"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        code, shown = on_terminal(
            folder, ": ", typed, "setup", "--no-browser", **settings
        )
    if code:
        raise SystemExit(f"kioku setup ended with {code}:\n{shown}")
    shown = shown.replace(str(folder), _HOME).replace(str(ROOT), _HOME)
    shown = shown.replace(slack.openai_base_url, "https://api.openai.com/v1")
    shown = _APP.sub(r"\1A…\2T…", _FORM.sub(r"\1…", shown))
    lines = [line.rstrip() for line in shown.strip().splitlines()]
    return "\n".join(["$ kioku setup --no-browser", *lines])


def page_with(shown: str) -> str:
    """Return the page with a transcript in its place."""
    block = f"```text\n{shown}\n```\n"
    page = PAGE.read_text("utf-8")
    return _PLACE.sub(lambda found: f"{found[1]}{block}{found[2]}", page)


def main() -> None:
    """Record the command and write the page."""
    sys.path.insert(0, str(ROOT))
    from tests.conftest import json_server

    with json_server(
        "kioku_stand_in.playground", "--manifest", "manifest.yml"
    ) as slack:
        page = page_with(transcript(slack))
    PAGE.write_text(page, "utf-8")


if __name__ == "__main__":
    main()
