"""Verdicts on proposals, whose sentence must match a form."""

from __future__ import annotations

import json
import re
from datetime import date
from typing import Any

from kioku_stand_in.formation import level_of, mentions
from kioku_stand_in.sentences import Said, read, statements
from kioku_stand_in.tool_use import day_in
from openai_double.prompt import Prompt

_MODALITIES = {"UserInstruction": "request", "Promise": "promised"}
_TIMES = {"noon": "12:00", "正午": "12:00"}


def verdicts_for(prompt: Prompt) -> dict[str, Any]:
    """Return the arguments of MemoryVerdicts: one verdict for each proposal of the request."""
    now, typed, proposals = (_framed(prompt, name) for name in ("now", "typed", "proposals"))
    today = date.fromisoformat(now[0]["date"]) if now else date.today()  # noqa: DTZ011
    return {"verdicts": [_verdict(one, "\n".join(typed), today) for one in proposals]}


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
    day = day_in(gaps["day"], today).isoformat() if "day" in gaps else None
    # If the sentence does not mention moving, the old home may still be valid.
    changed = "unclear" if first and first.name == "home" and "moved" not in gaps else "replaces"
    at, promise = gaps.get("at"), proposal["kind"] == "Promise"
    due = {"due": day, "due_time": _TIMES.get(at or "", at)} if promise else {}
    return {
        **due,
        "index": proposal["index"],
        "supported": first is not None,
        "about": "speaker",
        "modality": _MODALITIES.get(proposal["kind"], "asserted"),
        "valid_until": None if promise else day,
        "conflict": changed if first and (old or "moved" in gaps) else "none",
        "sensitive": "health" if first and first.name == "health" else "none",
    }


def _fits(one: Said, content: dict[str, Any], *, removes: bool) -> bool:
    """Return whether a clause says what is to be stored, or takes back what is to be removed."""
    dislikes = one.name in {"dislike", "gone", "forget"}
    if removes:
        return dislikes and one.name != "dislike" and any(mentions(content, t) for t in one.things)
    text = json.dumps(content, ensure_ascii=False).casefold()
    named = any(thing.casefold() in text for thing in (*one.things, one.subject))
    told = named and ("fact" in content or dislikes == (level_of(content) < 50))
    return told or one.name in {"instruct", "episode", "promise"}
