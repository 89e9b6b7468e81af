"""The playground is made for no app in particular."""

from __future__ import annotations

import re

from tests.playground.conftest import ROOT


def test_playground_names_no_app() -> None:
    """No text of the playground or its page is made for one app."""
    own = [
        path
        for path in (ROOT / "packages/slack-playground/slack_playground").rglob("*")
        if path.suffix in (".py", ".js", ".html", ".css", ".toml") and "vendor" not in path.parts
    ]
    assert len(own) > 60
    texts = {path: path.read_text("utf-8").lower() for path in own}
    assert [path for path, text in texts.items() if re.search("kioku|記憶|/memories", text)] == []
