"""mem0's JSON prompt, as mem0ai 2.2.1 sends it."""

from __future__ import annotations

import json
from typing import Any

import openai

REQUEST = """\
## Summary


## Last k Messages


## Recently Extracted Memories
[]

## Existing Memories
{existing}

## New Messages
system: You are a helpful AI.
user: {said}
assistant: I love sushi. I am interested in COBOL.


## Observation Date
2026-11-20

## Current Date
2026-11-20

# Output:"""


async def _asked(client: openai.AsyncOpenAI, said: str, existing: str = "[]") -> list[Any]:
    answer = await client.chat.completions.create(
        model="gpt-6-luna",
        messages=[
            {"role": "system", "content": "# ROLE\n\nYou are a Memory Extractor."},
            {"role": "user", "content": REQUEST.format(said=said, existing=existing)},
        ],
        response_format={"type": "json_object"},
    )
    found: list[Any] = json.loads(answer.choices[0].message.content or "")["memory"]
    return found


async def test_what_the_person_says_is_extracted(client: openai.AsyncOpenAI) -> None:
    """Each statement of the person is a memory of its own; the assistant's words are none."""
    found = await _asked(client, "I love ramen. I'm interested in Rust.")
    assert [one["id"] for one in found] == ["0", "1"]
    assert "ramen" in found[0]["text"]
    assert "Rust" in found[1]["text"]
    assert {one["attributed_to"] for one in found} == {"user"}


async def test_japanese_is_extracted(client: openai.AsyncOpenAI) -> None:
    """The same in Japanese."""
    found = await _asked(client, "ラーメンが大好きです。AIエージェントに興味があります。")
    assert ["ラーメン" in found[0]["text"], "AIエージェント" in found[1]["text"]] == [True, True]


async def test_what_is_known_is_not_extracted_again(client: openai.AsyncOpenAI) -> None:
    """An existing memory is left out, and where nothing is left the list is empty."""
    known = json.dumps([{"id": "0", "text": "I love ramen"}])
    assert await _asked(client, "I love ramen.", known) == []
    assert await _asked(client, "ok thanks") == []
