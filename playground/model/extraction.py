"""Memory formation as mem0 asks for it: a JSON list of sentences, no tool calls.

mem0 shows what is new below ``## New Messages`` as ``role: text`` lines, what it has below
``## Existing Memories``, and wants ``{"memory": [{"id", "text", "attributed_to"}]}`` (read from
mem0ai 2.2.1).
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

from playground.model import facts
from playground.model.lexicon import normalise
from playground.model.prompt import Prompt
from playground.model.statements import read_statements

_SECTION: Final = r"^## {name}\n(?P<body>.*?)(?=^## |^# Output:|\Z)"
_SPEAKER: Final = re.compile(r"^(user|assistant|system): ", re.M)


def memories_for(prompt: Prompt) -> list[dict[str, Any]]:
    """What to add: every statement that LangMem would be told of, as the person said it."""
    known = {normalise(text) for text in _existing(prompt.last_user_text)}
    found: list[dict[str, Any]] = []
    for statement in read_statements(spoken(prompt.last_user_text)):
        text = facts.text_of(statement)
        if normalise(text) in known:
            continue
        known.add(normalise(text))
        found.append({"id": str(len(found)), "text": text, "attributed_to": "user"})
    return found


def spoken(text: str) -> str:
    """The person's own words in mem0's request."""
    parts = _SPEAKER.split(_section(text, "New Messages"))
    speakers = zip(parts[1::2], parts[2::2], strict=True)
    return "\n".join(words.strip() for who, words in speakers if who == "user")


def _existing(text: str) -> list[str]:
    try:
        listed = json.loads(_section(text, "Existing Memories") or "[]")
    except ValueError:
        return []
    return [str(one.get("text", "")) for one in listed if isinstance(one, dict)]


def _section(text: str, name: str) -> str:
    found = re.search(_SECTION.format(name=name), text, re.S | re.M)
    return found["body"].strip() if found else ""
