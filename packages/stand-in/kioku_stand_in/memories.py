"""Memories, each the parts of the clause that states it (`kinds` in script.toml), and verdicts."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import date, timedelta
from typing import Any, Final

from kioku_stand_in.sentences import SCRIPT, Said, pattern, read
from openai_double.answer import Call, call
from openai_double.prompt import Prompt

Memory = dict[str, Any]

# A stored memory in a formation request, of LangMem as released and of Kioku.
_INSTANCE: Final = re.compile(r'<instance id=(\S+) schema_type="([^"]+)">\n(\{.*\})\n</instance>')
_KNOWN: Final = re.compile(r"^(\d+) (\{.*\})$", re.M)
_LINE: Final = re.compile(r"\d\d (?:(?P<kind>\w+): )?(?P<about>.*)", re.S)
_SPOKEN: Final = re.compile(
    r"^=+ Human Message =+$\n(.*?)(?=^=+ \w+ Message =+$|^</session_)", re.M | re.S
)
_LIMIT: Final = pattern("<limit>")
_HEALTH: Final = pattern("<health>")
_OPEN: Final = {name: pattern(words) for name, words in SCRIPT["open"].items()}
_MODALITIES: Final = ("question", "joke", "hypothetical", "request")
KEPT: Final = "KeptLine"


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


def known_in(text: str) -> tuple[dict[str, Memory], list[str]]:
    """Return the memories in the frames of a prompt, by line, and what is said there besides.

    Kioku has lines of text, the articles objects, and mem0 JSON strings.
    """
    known: dict[str, Memory] = {}
    texts: list[str] = []
    for body in re.findall(r"<memories>\n(.*?)\n?</memories>", text, re.S):
        for line in body.splitlines():
            values = json_list(f"[{line}]" if line[:1] in '{"' else f'["{line}"]')
            for value in values:
                memory = memory_of_line(value) if isinstance(value, str) else memory_of(**value)
                if memory is not None:
                    known[line] = memory
                elif line[:1] == '"':
                    texts.append(value)
    return known, texts


def memory_of(kind: str, content: Mapping[str, Any]) -> Memory:
    """Return a memory that is stored."""
    fields = SCRIPT["kinds"].get(kind, {}).items()
    return {"kind": kind, **{part: content[name] for name, part in fields if content.get(name)}}


def memory_of_line(line: str) -> Memory | None:
    """Return the memory of a line in Kioku's prompt; None for a text of another form.

    Such as ``26 UserFoodPreference: ramen; preference: 90``, without a kind for a fact. A line that
    names the month is before it.
    """
    found = _LINE.fullmatch(line)
    if found is None:
        return None
    kind = found["kind"] or "UserFact"
    about, *fields = found["about"].split("; ")
    subject = next(iter(SCRIPT["kinds"].get(kind, {})), "")
    named = (field.partition(": ") for field in fields)
    return memory_of(kind, {subject: about, **{name: value for name, _, value in named}})


def content_of(memory: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is stored of a memory."""
    fields = SCRIPT["kinds"].get(memory["kind"], {}).items()
    return {name: memory[part] for name, part in fields if part in memory}


def is_about(memory: Memory, said: Said) -> bool:
    """Return whether a clause is about a memory: its topic, its thing, or its words."""
    if "topic" in said.parts:
        return str(said.parts["topic"]).casefold() == str(memory.get("topic", "")).casefold()
    about = str(said.parts["about"]).casefold().removesuffix("s")
    if thing := str(memory.get("thing", "")):
        return about == thing.casefold().removesuffix("s")
    is_request = not {"removes", "corrects"}.isdisjoint(said.rule)
    words = about if is_request else said.parts["clause"].casefold()
    return words in str(memory.get("clause", "")).casefold()


def learn(known: dict[str, Memory], text: str) -> None:
    """Change what is known, memories by their ids, as a text says."""
    for said in read(text):
        about = [key for key, memory in known.items() if is_about(memory, said)]
        if "corrects" in said.rule:
            for key in about:
                known[key] = _corrected(known[key], said)
        elif "removes" in said.rule and about:
            for key in about:
                del known[key]
        elif said.states:
            same = (key for key in about if known[key]["kind"] == said.parts["kind"])
            key = next(same, f"{len(known)} {said.parts['quote']}")
            known[key] = {**known.get(key, {}), **said.parts}


def _corrected(memory: Memory, said: Said) -> Memory:
    """Return a memory with the new words of a correction in place of the old."""
    part = "thing" if "thing" in memory else "clause"
    old = re.compile(re.escape(said.parts["of"]), re.I)
    text = old.sub(lambda _: str(said.parts["x"]), memory[part])
    return {**memory, part: text, "quote": said.parts["quote"]}


def formed(prompt: Prompt) -> list[Call]:
    """Return LangMem's tool calls for a formation request; none if nothing is to be remembered."""
    tools = {tool.name: tool.fields for tool in prompt.tools}
    shown = prompt.instructions
    stored: dict[str, Memory] = {}
    for key, text in _KNOWN.findall(shown):
        content = json.loads(text)
        subject = next(iter(content), "")
        named = (kind for kind, fields in SCRIPT["kinds"].items() if subject == next(iter(fields)))
        stored[key] = memory_of(next(named, ""), content)
    for key, kind, text in _INSTANCE.findall(shown):
        stored[key] = memory_of(kind, ast.literal_eval(text))
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
    [now] = framed(request, "now")
    typed = "\n".join(framed(request, "typed"))
    today = date.fromisoformat(now["date"])
    return {"verdicts": [_verdict(one, typed, today) for one in framed(request, "proposals")]}


def _verdict(proposal: dict[str, Any], typed: str, today: date) -> dict[str, Any]:
    """Judge a proposal by the clause that says so; `typed` is all that was typed."""
    sentence = proposal["sentence"] or ""
    if proposal["kind"] == KEPT:
        return _verdict_on_kept(proposal["index"], sentence)
    said = _said_of(proposal, typed)
    verdict = {
        "index": proposal["index"],
        "supported": said is not None,
        "about": "speaker",
        "modality": said.rule.get("modality", "asserted") if said else "asserted",
        "conflict": "replaces" if proposal["old"] else "none",
    }
    corrects = {"corrects", "訂正", "now"}
    if said and proposal["old"] and "unclear" in said.rule and corrects.isdisjoint(said.parts):
        verdict["conflict"] = "unclear"
    if _HEALTH.search(sentence):
        verdict["sensitive"] = "health"
        verdict["may_harm"] = True
    if limit := _LIMIT.search(sentence):
        is_promise = proposal["kind"] == "Promise"
        verdict["due" if is_promise else "valid_until"] = _day(limit["day"] or limit["日"], today)
        if limit["noon"] or limit["正午"]:
            verdict["due_time"] = "12:00"
    return verdict


def _verdict_on_kept(index: int, sentence: str) -> dict[str, Any]:
    """Judge words that somebody wants to keep for a channel."""
    modality = next(
        (name for name in _MODALITIES if _OPEN[name].fullmatch(sentence.strip())), "asserted"
    )
    return {
        "index": index,
        "supported": True,
        "about": "other" if _OPEN["other"].fullmatch(sentence.strip()) else "speaker",
        "modality": modality,
        "conflict": "none",
        "sensitive": "health" if _HEALTH.search(sentence) else "none",
    }


def _said_of(proposal: dict[str, Any], typed: str) -> Said | None:
    """Return the clause that says what a proposal does, None if there is none."""
    old = proposal["old"] or {}
    sentence = proposal["sentence"] or ""
    if proposal["change"] == "remove":
        memory = memory_of(proposal["kind"], old)
        removals = [one for one in read(f"{typed}\n{sentence}") if "removes" in one.rule]
        return next((one for one in removals if is_about(memory, one)), None)
    values = str({**old, **proposal["values"]}).casefold()
    stated = [one for one in read(sentence) if one.states and one.parts["x"].casefold() in values]
    whole = (one for one in stated if one.parts["clause"].casefold() in values)
    return next(whole, stated[0] if stated else None)


def _day(name: str, today: date) -> str | None:
    """Return the date of the next weekday of that name, in Japanese of its first letters."""
    days = [today + timedelta(days=ahead) for ahead in range(1, 8)]
    named = {f"{day:%A}".lower(): day for day in days}
    named |= {f"{'月火水木金土日'[day.weekday()]}曜": day for day in days}
    named |= {"tomorrow": days[0], "明日": days[0]}
    found = named.get(name.lower())
    return None if found is None else f"{found}"
