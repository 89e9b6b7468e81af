"""Verdicts on proposals: supported where the sentence matches a pattern and names the same."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import Any, Final

from kioku_stand_in.memories import framed, level_of, mentions
from kioku_stand_in.sentences import Said, is_japanese, read, statements

_DAYS: Final = ("mon月", "tue火", "wed水", "thu木", "fri金", "sat土", "sun日")
_TIMES: Final = {"noon": "12:00", "正午": "12:00"}
_MODALITIES: Final = {"UserInstruction": "request", "Promise": "promised"}


def verdicts_for(request: str) -> dict[str, Any]:
    """Return the arguments of MemoryVerdicts: one verdict for each proposal of the request."""
    now, typed, proposals = (framed(request, name) for name in ("now", "typed", "proposals"))
    today = date.fromisoformat(now[0]["date"])
    return {"verdicts": [_verdict(one, "\n".join(typed), today) for one in proposals]}


def _verdict(proposal: dict[str, Any], typed: str, today: date) -> dict[str, Any]:
    old, sentence = proposal["old"] or {}, proposal["sentence"] or ""
    if proposal["change"] == "remove":
        said = [one for one in read(f"{typed}\n{sentence}") if one.name in {"forget", "gone"}]
        first = next((one for one in said if any(mentions(old, t) for t in one.things)), None)
    else:
        content = {**old, **proposal["values"]}
        first = next((one for one in statements(sentence) if _fits(one, content)), None)
    gaps = first.gaps if first else {}
    day = day_in(gaps["day"], today).isoformat() if "day" in gaps else None
    promise, at = proposal["kind"] == "Promise", gaps.get("at", "")
    # If the sentence does not mention moving, the old home may still be valid.
    changed = "unclear" if first and first.name == "home" and "moved" not in gaps else "replaces"
    return {
        **({"due": day, "due_time": _TIMES.get(at, at or None)} if promise else {}),
        "index": proposal["index"],
        "supported": first is not None,
        "about": "speaker",
        "modality": _MODALITIES.get(proposal["kind"], "asserted"),
        "valid_until": None if promise else day,
        "conflict": changed if first and (old or "moved" in gaps) else "none",
        "sensitive": "health" if first and first.name == "health" else "none",
    }


def _fits(one: Said, content: dict[str, Any]) -> bool:
    if one.name in {"instruct", "episode", "promise"}:
        return True
    text = json.dumps(content, ensure_ascii=False).casefold()
    named = any(thing.casefold() in text for thing in (*one.things, one.subject))
    return named and ("fact" in content or (one.level < 50) == (level_of(content) < 50))


def day_in(text: str, today: date) -> date:
    """Return the date of tomorrow, or of the next weekday of that name."""
    if text.lower() in {"tomorrow", "明日"}:
        return today + timedelta(days=1)
    name = text[:1] if is_japanese(text) else text[:3].lower()
    weekday = next(number for number, names in enumerate(_DAYS) if name in names)
    return today + timedelta(days=(weekday - today.weekday()) % 7 or 7)
