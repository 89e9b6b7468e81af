"""`python -m tests.live` against the playground: what was seen is printed, and nothing stays."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from bot.config import load_settings
from tests.conftest import WITHOUT_MODEL, open_playground
from tests.live import try_blocks, try_live
from tests.payloads import BLOCKS_FILE


async def test_everything_is_tried_and_taken_away(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Each behaviour is a row for docs/reality.md, and the conversations are as before."""
    with open_playground(module=WITHOUT_MODEL) as slack:
        user = slack.call("/_playground/users", {"name": "Installer"})["id"]
        made = {"kind": "public", "members": [user]}
        channel = slack.call("/_playground/channels", made)["id"]

        def kept(where: str) -> list[dict[str, Any]]:
            seen = slack.call(f"/_playground/channels/{where}/messages?user={user}")[
                "messages"
            ]
            return [one for one in seen if one.get("bot_id")]

        before = kept("dm"), kept(channel)
        settings = load_settings(slack.slack_settings, dotenv=None)
        assert await try_live(settings, user, channel) == 0
        assert (kept("dm"), kept(channel)) == before
    _, _, *rows = capsys.readouterr().out.splitlines()
    seen = [re.split(r" ?\| ?", row)[2] for row in rows]
    assert [one.partition(";")[0] for one in seen[:4]] == ["yes"] * 4
    assert len(seen) == 5


@pytest.mark.failed_calls(
    "blocks.validate: invalid_blocks", because="A header without a text is sent."
)
async def test_what_tests_have_sent_is_validated(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each payload once, however often it was sent; what is wrong is told with its place."""
    file = tmp_path / "blocks.jsonl"
    monkeypatch.setenv(BLOCKS_FILE, str(file))
    with open_playground(module=WITHOUT_MODEL) as slack:
        user = slack.call("/_playground/users", {"name": "Installer"})["id"]
        slack.call(f"/_playground/channels/dm/messages?user={user}")  # opens it
        settings = load_settings(slack.slack_settings, dotenv=None)
        assert await try_live(settings, user) == 0
    sent = file.read_text("utf-8").splitlines()
    with open_playground(module=WITHOUT_MODEL) as slack:
        settings = load_settings(slack.slack_settings, dotenv=None)
        assert await try_blocks(settings, [*sent, *sent]) == 0
        told = capsys.readouterr().out.splitlines()[-1]
        assert told == f"{len(sent)} payloads, 0 of them refused"
        wrong = json.dumps({"blocks": [{"type": "header"}]})
        assert await try_blocks(settings, [*sent, wrong]) == 1
    assert "/blocks/0" in capsys.readouterr().out
    assert len(sent) > 2
