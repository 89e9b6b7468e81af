"""The playground is made for no app in particular."""

from __future__ import annotations

import re

from tests.playground.conftest import ROOT


def test_nothing_but_the_stand_in_knows_kioku() -> None:
    """No text of the playground or its page is made for one app; the stand-in's answers are."""
    own = [
        path
        for path in (ROOT / "playground").rglob("*")
        if path.suffix in (".py", ".js", ".html", ".css", ".toml")
        and not {"vendor", "model"} & {*path.parts}
    ]
    assert len(own) > 80
    texts = {path: path.read_text("utf-8").lower() for path in own}
    assert [path for path, text in texts.items() if re.search("kioku|記憶|/memories", text)] == []
