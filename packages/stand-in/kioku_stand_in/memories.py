"""Memories, each the parts of the clause that states it (`kinds` in script.toml), and verdicts."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import date, timedelta
from typing import Any, Final

from kioku_stand_in.sentences import SCRIPT, Said, read
from openai_double.answer import Call, call
from openai_double.prompt import Prompt

Memory = dict[str, Any]

_INSTANCE: Final = re.compile(r'<instance id=(\S+) schema_type="([^"]+)">\n(\{.*\})\n</instance>')
_SPOKEN: Final = re.compile(
    r"^=+ Human Message =+$\n(.*?)(?=^=+ \w+ Message =+$|^</session_)", re.M | re.S
)


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


def memory_of(kind: str, content: Mapping[str, Any]) -> Memory:
    """Return a memory that is stored."""
    fields = SCRIPT["kinds"].get(kind, {}).items()
    return {"kind": kind, **{part: content[name] for name, part in fields if content.get(name)}}


def content_of(memory: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is stored of a memory."""
    fields = SCRIPT["kinds"].get(memory["kind"], {}).items()
    return {name: memory[part] for name, part in fields if part in memory}


def is_about(memory: Memory, said: Said) -> bool:
    """Return whether a clause is about a memory: its topic, its thing, or its words."""
    if "unique" in said.rule:
        return str(said.parts["topic"]) == memory.get("topic")
    about = str(said.parts["about"]).casefold().removesuffix("s")
    if thing := str(memory.get("thing", "")):
        return about == thing.casefold().removesuffix("s")
    words = about if "removes" in said.rule else said.parts["clause"].casefold()
    return words in str(memory.get("clause", "")).casefold()


def learn(known: dict[str, Memory], text: str) -> None:
    """Change what is known, memories by their ids, as a text says."""
    for said in read(text):
        about = [key for key, memory in known.items() if is_about(memory, said)]
        if "removes" in said.rule and about:
            for key in about:
                del known[key]
        elif said.states:
            same = (key for key in about if known[key]["kind"] == said.parts["kind"])
            key = next(same, f"{len(known)} {said.parts['quote']}")
            known[key] = {**known.get(key, {}), **said.parts}


def formed(prompt: Prompt) -> list[Call]:
    """Return LangMem's tool calls for a formation request; none if nothing is to be remembered."""
    tools = {tool.name: tool.fields for tool in prompt.tools}
    found = _INSTANCE.findall(prompt.instructions)
    stored = {key: memory_of(kind, ast.literal_eval(content)) for key, kind, content in found}
    known = {**stored}
    learn(known, "\n".join(_SPOKEN.findall(prompt.last_user_text)))
    calls = [call("RemoveDoc", {"json_doc_id": key}) for key in stored if key not in known]
    for key, memory in known.items():
        old = content_of(stored[key]) if key in stored else {}
        new = {name: value for name, value in content_of(memory).items() if value != old.get(name)}
        if new and "evidence" in tools.get(memory["kind"], ()):
            new["evidence"] = memory["quote"]
        if new and memory["kind"] in tools:
            calls.append(_patch(key, new) if old else call(memory["kind"], new))
    if prompt.tool_choice == "required" and not calls:
        return [_patch(key, {}) for key in [*stored][:1]]
    return calls


def _patch(key: str, new: Mapping[str, Any]) -> Call:
    """Return a change of a memory; adding a field that is there replaces it (RFC 6902)."""
    patches = [{"op": "add", "path": f"/{name}", "value": value} for name, value in new.items()]
    given = {"json_doc_id": key, "planned_edits": "As they said.", "patches": patches}
    return call("PatchDoc", given)


def verdicts(request: str) -> dict[str, Any]:
    """Return the arguments of MemoryVerdicts: one verdict for each proposal of the request."""
    now, typed, proposals = (framed(request, name) for name in ("now", "typed", "proposals"))
    today = date.fromisoformat(now[0]["date"])
    return {"verdicts": [_verdict(one, "\n".join(typed), today) for one in proposals]}


def _verdict(proposal: dict[str, Any], typed: str, today: date) -> dict[str, Any]:
    """Judge a proposal by the first clause that says so; `typed` is all that was typed."""
    kind, old, sentence = proposal["kind"], proposal["old"] or {}, proposal["sentence"] or ""
    if proposal["change"] == "remove":
        memory = memory_of(kind, old)
        said = [one for one in read(f"{typed}\n{sentence}") if "removes" in one.rule]
        found = [one for one in said if is_about(memory, one)]
    else:
        holds = str({**old, **proposal["values"]}).casefold()
        said = [one for one in read(sentence) if one.states]
        found = [one for one in said if one.parts["x"].casefold() in holds]
    parts, rule = (found[0].parts, found[0].rule) if found else ({}, {})
    until = _day(parts["day"], today) if "day" in parts else None
    due = {"due": until, "due_time": "12:00" if "noon" in parts else None}
    return {
        "index": proposal["index"],
        "supported": bool(found),
        "about": "speaker",
        "modality": "asserted",
        **(due if kind == "Promise" else {"valid_until": until}),
        "conflict": "replaces",
        **rule.get("verdict", {}),
        **({} if old else {"conflict": "none"}),
    }


def _day(name: str, today: date) -> str:
    """Return the date of the next weekday of that name, in Japanese of its first letter."""
    days = [today + timedelta(days=ahead) for ahead in range(1, 8)]
    names = {f"{day:%A} {'月火水木金土日'[day.weekday()]}".lower(): day for day in days}
    return next(f"{day}" for names, day in names.items() if name.lower() in names.split())
