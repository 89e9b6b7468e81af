"""What OpenAI's prompt cache finds of the requests of a conversation, by its published rules."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.answering.prompt import Prompt
from bot.conversation.turns import Exchange
from bot.models.responses import conservative, with_breakpoints
from memory import SCHEMAS, Memory, memory_tools
from memory.model import estimated_tokens
from memory.recall import Recalled
from tests.unit.memories import memory

BEGAN = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
TOOLS = json.dumps(memory_tools(tuple(SCHEMAS)))
LEAST_TOKENS = 1_024
QUESTION = "And what would you suggest for the team lunch on Thursday, then?"
REPLY = (
    "Since you are vegan and like ramen, the place by the station has a good one. " * 2
)


def remembered(number: int, at: datetime) -> Memory:
    """Return a memory of a plain sentence, as it was at a time."""
    fact = f"Has a meeting with the team of project number {number} on Mondays"
    return replace(memory(number, fact=fact), created_at=at, updated_at=at)


class Cache:
    """A cache in which a prefix is found where a breakpoint of an earlier request ended."""

    def __init__(self) -> None:
        self._written: set[str] = set()

    @property
    def is_empty(self) -> bool:
        """Whether nothing was long enough to be written yet."""
        return not self._written

    def found_share(self, prompt: Prompt) -> float:
        """Return which share of a request is found; then write the prefixes that it marks."""
        items = [dict(item) for item in prompt.input]
        whole = TOOLS
        found = 0
        marked: set[str] = set()
        for item in conservative(with_breakpoints(items, prompt.prefixes)):
            for part in parts_of(item):
                whole += item["role"] + part["text"]
                is_long = estimated_tokens(whole) >= LEAST_TOKENS
                if "prompt_cache_breakpoint" in part and is_long:
                    marked.add(whole)
                    if whole in self._written:
                        found = estimated_tokens(whole)
        self._written |= marked
        assert len(marked) <= 4
        return found / estimated_tokens(whole)


def parts_of(item: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the parts of a message."""
    content = item["content"]
    return content if isinstance(content, list) else [{"text": content}]


@pytest.mark.parametrize("learns", [False, True])
@pytest.mark.parametrize("memories", [5, 50, 200])
def test_most_of_a_running_conversation_is_found(
    memories: int, *, learns: bool
) -> None:
    """At least 90 % from the second turn on that the cache takes, also after something was learnt.

    With five memories the first requests are too short for it.
    """
    cache = Cache()
    before = BEGAN - timedelta(days=1)
    known = [remembered(number, before) for number in range(memories)]
    exchanges: list[Exchange] = []
    for turn in range(4):
        now = BEGAN + timedelta(minutes=2 * turn)
        asked = Prompt(
            question=f"{QUESTION} ({turn})",
            user_id="U1",
            recalled=Recalled(always=tuple(known)),
            exchanges=tuple(exchanges),
            now=now,
        )
        had_nothing = cache.is_empty
        share = cache.found_share(asked)
        assert share >= 0.9 or had_nothing, (turn, share)
        ts = f"{now.timestamp():.6f}"
        exchanges.append(
            Exchange(ts=ts, user_id="U1", question=asked.question, reply=REPLY)
        )
        if learns and turn == 0:
            known.append(remembered(memories + turn, now + timedelta(seconds=30)))
    assert not cache.is_empty
