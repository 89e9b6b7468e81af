"""Memories as the prompts of Kioku and LangMem show them, what statements change, and verdicts.

A memory is its fields and its ``kind``.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import date, timedelta
from typing import Any, Final

from kioku_stand_in.sentences import SCRIPT, Said, changes_in, is_japanese, kind_of, read, singular
from openai_double.answer import Call, call
from openai_double.prompt import Prompt

Memory = dict[str, Any]

KINDS: Final[Mapping[str, Mapping[str, str]]] = SCRIPT["kinds"]
_INSTANCE: Final = re.compile(r'<instance id=(\S+) schema_type="([^"]+)">\n(\{.*\})\n</instance>')
_SPOKEN: Final = re.compile(
    r"^=+ Human Message =+$\n(.*?)(?=^=+ \w+ Message =+$|^</session_)", re.M | re.S
)
_DAYS: Final = ("mon月", "tue火", "wed水", "thu木", "fri金", "sat土", "sun日")
_TIMES: Final = {"noon": "12:00", "正午": "12:00"}
_MODALITIES: Final = {"UserInstruction": "request", "Promise": "promised"}


def json_list(text: str) -> list[Any]:
    """Return the JSON list in `text`, an empty one for any other text."""
    value = None
    with suppress(ValueError):
        value = json.loads(text)
    return value if isinstance(value, list) else []


def framed(text: str, frame: str) -> list[Any]:
    """Return the JSON values between ``<frame>`` and ``</frame>``, one a line."""
    bodies = re.findall(rf"<{frame}>\n(.*?)\n?</{frame}>", text, re.S)
    return [one for line in "\n".join(bodies).splitlines() for one in json_list(f"[{line}]")]


def memory_of(entry: Any) -> Memory:
    """Return a memory as a prompt, a search or LangGraph's store has it; a text is a fact."""
    value = entry.get("value", entry) if isinstance(entry, dict) else entry
    content = value.get("content", value) if isinstance(value, dict) else value
    if not isinstance(content, dict):
        return {"kind": "UserFact", "fact": str(content)}
    return {"kind": value.get("kind", ""), **content}


def part(memory: Memory, name: str) -> Any:
    """Return the ``subject`` or ``level`` of a memory, None if its kind has none."""
    fields = KINDS.get(memory["kind"], {})
    return next((memory.get(field) for field, held in fields.items() if held == name), None)


def level_of(memory: Memory) -> int:
    """Return how much the person likes what a memory is about, 0 to 100; 70 if it has no level."""
    level = part(memory, "level")
    return 70 if level is None else int(level)


def is_about(memory: Memory, said: Said) -> bool:
    """Return whether a clause is about a memory: its topic, its thing, or its words."""
    if "unique" in said.rule:
        return memory.get("topic") in said.rule["topic"]
    if subject := part(memory, "subject"):
        return singular(subject) == singular(said.parts["subject"])
    words = said.parts["subject" if "removes" in said.rule else "clause"]
    texts = [text for name, text in memory.items() if name not in {"kind", "evidence"}]
    return singular(words) in singular(str(texts))


def new_memory(said: Said, kinds: Iterable[str]) -> Memory | None:
    """Return the memory of a statement, None if none of `kinds` is for it.

    Its kind is that of its rule, else that of the thing it names, else a fact, else LangMem's own.
    """
    rule = said.rule
    own = rule.get("kind") or ("topic" not in rule and kind_of(said.parts["subject"])) or "UserFact"
    kind = next((one for one in (own, "UserFact", "Memory") if one in kinds), "")
    if not said.states or not kind:
        return None
    parts: dict[str, Any] = {**said.parts}
    parts |= {"level": rule["level"]} if "level" in rule else {}
    parts |= {"subject": parts["x"]} if "renames" in rule else {}
    parts |= {"topic": rule["topic"][is_japanese(said.quote)]} if "topic" in rule else {}
    parts |= {"detail": parts["clause"]} if "detailed" in rule else {}
    fields = {field: parts[held] for field, held in KINDS[kind].items() if held in parts}
    return {"kind": kind, "evidence": said.quote, **fields}


def learn(known: dict[str, Memory], said: Said, kinds: Iterable[str]) -> None:
    """Change what is known, memories by their ids, as one clause says."""
    about = [key for key, memory in known.items() if is_about(memory, said)]
    new = new_memory(said, kinds)
    if about and "removes" in said.rule:
        for key in about:
            if said.name == "forget" or level_of(known[key]) >= 50:
                del known[key]
    elif new:
        same = (key for key in about if known[key]["kind"] == new["kind"])
        key = next(same, f"{len(known)} {said.parts['clause']}")
        known[key] = {**known.get(key, {}), **new}


def formed(prompt: Prompt) -> list[Call]:
    """Return LangMem's tool calls for a formation request; none if nothing is to be remembered."""
    tools = {tool.name: tool.fields for tool in prompt.tools}
    stored: dict[str, Memory] = {
        key: {"kind": kind, **ast.literal_eval(content)}
        for key, kind, content in _INSTANCE.findall(prompt.instructions)
    }
    known = {**stored}
    for said in changes_in("\n".join(_SPOKEN.findall(prompt.last_user_text))):
        learn(known, said, tools)
    calls = [call("RemoveDoc", {"json_doc_id": key}) for key in stored if key not in known]
    for key, memory in known.items():
        old, fields = stored.get(key, {}), tools.get(memory["kind"], set())
        new = {one: memory[one] for one in memory if one in fields and memory[one] != old.get(one)}
        if not old:
            calls.append(call(memory["kind"], new))
        elif not new.keys() <= {"evidence"}:
            patches = [
                {"op": "replace" if name in old else "add", "path": f"/{name}", "value": value}
                for name, value in new.items()
            ]
            calls.append(_patch(key, patches))
    demanded = prompt.tool_choice == "required" and not calls
    return [_patch(key, []) for key in [*stored][:1]] if demanded else calls


def _patch(key: str, patches: list[dict[str, Any]]) -> Call:
    given = {"json_doc_id": key, "planned_edits": "As they said.", "patches": patches}
    return call("PatchDoc", given)


def verdicts(request: str) -> dict[str, Any]:
    """Return the arguments of MemoryVerdicts: one verdict for each proposal of the request."""
    now, typed, proposals = (framed(request, name) for name in ("now", "typed", "proposals"))
    today = date.fromisoformat(now[0]["date"])
    return {"verdicts": [_verdict(one, "\n".join(typed), today) for one in proposals]}


def _verdict(proposal: dict[str, Any], typed: str, today: date) -> dict[str, Any]:
    """Judge a proposal by the first clause that says so; `typed` is all that was typed."""
    kind, old, removes = proposal["kind"], proposal["old"] or {}, proposal["change"] == "remove"
    memory = {"kind": kind, **old, **proposal["values"]}
    sentence = proposal["sentence"] or ""
    said = read(f"{typed}\n{sentence}" if removes else sentence)
    found = [one for one in said if _says(one, memory, removes=removes)]
    parts, rule = (found[0].parts, found[0].rule) if found else ({}, {})
    day, at = parts.get("day"), parts.get("at", "")
    until = _day(day, today).isoformat() if day else None
    due = {"due": until, "due_time": _TIMES.get(at, at or None)}
    return {
        **(due if kind == "Promise" else {}),
        "index": proposal["index"],
        "supported": bool(found),
        "about": "speaker",
        "modality": _MODALITIES.get(kind, "asserted"),
        "valid_until": None if kind == "Promise" else until,
        "conflict": rule.get("conflict", "replaces") if found and old else "none",
        "sensitive": rule.get("sensitive", "none"),
    }


def _says(said: Said, memory: Memory, *, removes: bool) -> bool:
    """Return whether a clause takes a memory back, or says what it holds: liked or not liked."""
    if removes:
        return "removes" in said.rule and is_about(memory, said)
    if "kind" in said.rule or not said.states:
        return said.states
    names = {said.parts[one].casefold() for one in ("x", "subject") if one in said.parts}
    sides = {level < 50 for level in (level_of(memory), said.rule.get("level", 70))}
    fits = part(memory, "subject") is None or len(sides) == 1
    return fits and any(name in str(memory).casefold() for name in names)


def _day(text: str, today: date) -> date:
    """Return the date of tomorrow, or of the next weekday of that name."""
    if text.lower() in {"tomorrow", "明日"}:
        return today + timedelta(days=1)
    name = text[:1] if is_japanese(text) else text[:3].lower()
    weekday = next(number for number, names in enumerate(_DAYS) if name in names)
    return today + timedelta(days=(weekday - today.weekday()) % 7 or 7)
