"""Verdicts: on proposals, whose sentence must match a form; on memories that may say the same."""

from __future__ import annotations

import json
import re
from datetime import date
from typing import Any, Final

from playground.model.formation import level_of, mentions
from playground.model.lexicon import normalise, singular
from playground.model.prompt import Prompt
from playground.model.sentences import Said, read, statements
from playground.model.tool_use import day_in

_EMPTY: Final = frozenset(
    ["a", "an", "am", "is", "are", "i", "i'm", "my", "the", "really", "very", "so"]
)
_POLITE: Final = re.compile(r"とても|すごく|本当に|(?:です|ます|だ)?[。！!]*$")


def verdicts_for(prompt: Prompt) -> dict[str, Any]:
    """Return the arguments of MemoryVerdicts: one verdict for each proposal of the request."""
    now, typed, proposals = (_framed(prompt, name) for name in ("now", "typed", "proposals"))
    today = date.fromisoformat(now[0]["date"]) if now else date.today()  # noqa: DTZ011
    return {"verdicts": [_verdict(one, "\n".join(typed), today) for one in proposals]}


def duplicates_for(prompt: Prompt) -> dict[str, Any]:
    """Return the arguments of DuplicateVerdicts: memories with the same words, on the same side.

    Words without meaning of their own, such as "I", "really" and 「です」, do not count.
    """
    return {
        "verdicts": [
            {"index": group["index"], "same": _same(group["memories"])}
            for group in _framed(prompt, "groups")
        ]
    }


def _same(memories: list[dict[str, Any]]) -> list[list[int]]:
    lists: dict[tuple[frozenset[str], bool], list[int]] = {}
    for one in memories:
        values = one["values"]
        texts = [values["fact"]] if "fact" in values else [v for v in values.values() if v]
        words = _words(" ".join(text for text in texts if isinstance(text, str)))
        lists.setdefault((words, level_of(values) >= 50), []).append(one["number"])
    return [numbers for numbers in lists.values() if len(numbers) > 1]


def _words(text: str) -> frozenset[str]:
    plain = _POLITE.sub("", normalise(text))
    return frozenset(singular(word) for word in re.findall(r"\w[\w+#.'-]*\w|\w", plain)) - _EMPTY


def _framed(prompt: Prompt, name: str) -> list[Any]:
    part = prompt.last_user_text.partition(f"<{name}>")[2].partition(f"</{name}>")[0]
    return [json.loads(line) for line in re.findall(r"^[{\"].*$", part, re.M)]


def _verdict(proposal: dict[str, Any], typed: str, today: date) -> dict[str, Any]:
    removes, old = proposal["change"] == "remove", proposal["old"] or {}
    sentence = proposal["sentence"] or ""
    said = read(f"{typed}\n{sentence}") if removes else statements(sentence)
    content = old if removes else {**old, **proposal["values"]}
    first = next((one for one in said if _fits(one, content, removes=removes)), None)
    gaps = first.gaps if first else {}
    # If the sentence does not mention moving, the old home may still be valid.
    changed = "unclear" if first and first.name == "home" and "moved" not in gaps else "replaces"
    return {
        "index": proposal["index"],
        "supported": first is not None,
        "about": "speaker",
        "modality": "request" if proposal["kind"] == "UserInstruction" else "asserted",
        "valid_until": day_in(gaps["day"], today).isoformat() if "day" in gaps else None,
        "conflict": changed if first and (old or "moved" in gaps) else "none",
        "sensitive": "health" if first and first.name == "health" else "none",
    }


def _fits(one: Said, content: dict[str, Any], *, removes: bool) -> bool:
    """Return whether a clause says what is to be stored, or takes back what is to be removed."""
    dislikes = one.name in {"dislike", "gone", "lost", "forget"}
    if removes:
        return dislikes and one.name != "dislike" and any(mentions(content, t) for t in one.things)
    text = json.dumps(content, ensure_ascii=False).casefold()
    named = any(thing.casefold() in text for thing in (*one.things, one.subject))
    told = named and ("fact" in content or dislikes == (level_of(content) < 50))
    return told or one.name in {"instruct", "episode"}
