"""`python -m tests.live` against the playground: what was seen is printed, and nothing stays."""

from __future__ import annotations

import re
from typing import Any

import pytest

from bot.config import load_settings
from tests.conftest import WITHOUT_MODEL, open_playground
from tests.live import try_live


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
