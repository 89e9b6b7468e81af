"""What every payload of Slack's passes before anything reads it."""

from __future__ import annotations

import json
from typing import Any

from bot.slack.messages import MAX_CHARACTERS, MAX_DEPTH, sanitize_payload


def test_nothing_remains_that_postgresql_refuses() -> None:
    """NULs and lone surrogates are gone from every text and every key; whole characters stay."""
    sent = {
        "text": "a\x00b\ud83d 🍜",
        "files": [{"name\x00": "\ud800", "n": [1, None, True]}],
    }
    found = sanitize_payload(sent)
    assert found == {"text": "ab? 🍜", "files": [{"name": "?", "n": [1, None, True]}]}
    json.dumps(found, ensure_ascii=False).encode()


def test_no_text_is_longer_than_a_message_of_slacks() -> None:
    """What reads a text later reads so many characters at the most."""
    assert sanitize_payload([{"text": "x" * (MAX_CHARACTERS + 1)}]) == [
        {"text": "x" * MAX_CHARACTERS}
    ]


def test_deep_nesting_is_dropped() -> None:
    """What is nested more deeply than anything of Slack's is left out, without recursion."""
    deep: Any = "x"
    for _ in range(100_000):
        deep = [deep]
    found, levels = sanitize_payload({"a": 1, "deep": deep}), 0
    assert found["a"] == 1
    part = found["deep"]
    while part:
        [part] = part
        levels += 1
    assert levels == MAX_DEPTH
