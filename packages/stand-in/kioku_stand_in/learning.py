"""What is learned from sentences: changed memories, calls of LangMem's tools, verdicts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from typing import Any, Final

from kioku_stand_in.memories import Memory, framed, stored_in, values_in
from kioku_stand_in.script import COMMON, WORDS
from kioku_stand_in.sentences import Said, fact, read
from openai_double.answer import Call, call
from openai_double.prompt import Prompt

KEPT: Final = "KeptLine"
REMOVALS: Final = ("gone", "forget")
_MODALITIES: Final = {"Promise": "promised", "UserInstruction": "request"}
_SPOKEN: Final = re.compile(
    r"^=+ Human Message =+$\n(.*?)(?=^=+ \w+ Message =+$|^</session_)", re.M | re.S
)
_WEEKDAYS: Final = "月火水木金土日"


def learn(known: dict[str, Memory], text: str) -> None:
    """Update `known`, memories by their subjects, with what a text says."""
    for said in read(text):
        about = [key for key, memory in known.items() if is_about(memory, said)]
        if said.name == "correct":
            for key in about:
                known[key] = known[key].corrected(said.parts["old"], said.parts["new"], said.quote)
        elif about and said.name in REMOVALS:
            for key in about:
                del known[key]
        else:
            for memory in said.memories:
                known[memory.subject] = replace(memory, quote=said.quote)


def is_about(memory: Memory, said: Said) -> bool:
    """Return whether a correction or a retraction is about a memory."""
    words = subject(said.parts.get("old") or said.parts.get("words") or "")
    name = memory.name.casefold()
    return bool(words) and all(word in name for word in words.casefold().split())


def subject(words: str) -> str:
    """Return the words of a subject, without filler words."""
    rare = [word for word in words.split() if word.casefold() not in COMMON]
    return " ".join(rare) or words


def formed(prompt: Prompt) -> list[Call]:
    """Return LangMem's tool calls for a formation request; none if nothing is to be remembered."""
    tools = {tool.name: tool.fields for tool in prompt.tools}
    stored = stored_in(prompt.instructions)
    keys = {memory.subject: key for key, memory in stored.items()}
    known = {memory.subject: memory for memory in stored.values()}
    learn(known, "\n".join(_SPOKEN.findall(prompt.last_user_text)))
    removed = [key for subject, key in keys.items() if subject not in known]
    calls = [call("RemoveDoc", {"json_doc_id": key}) for key in removed]
    for subject, memory in known.items():
        if memory.kind not in tools:
            continue
        key = keys.get(subject)
        old = stored[key].content if key else {}
        new = _changed_fields(old, memory.content)
        if not new:
            continue
        if "evidence" in tools[memory.kind]:
            new["evidence"] = memory.quote
        calls.append(_patch(key, new) if key else call(memory.kind, new))
    if prompt.tool_choice == "required" and not calls and stored:
        first, *_ = stored
        calls.append(_patch(first, {}))
    return calls


def _changed_fields(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of `new` that are not the same in `old`."""
    return {name: value for name, value in new.items() if value != old.get(name)}


def _patch(key: str, values: dict[str, Any]) -> Call:
    """Return the call that sets fields of a memory."""
    patches = [{"op": "add", "path": f"/{name}", "value": one} for name, one in values.items()]
    return call("PatchDoc", {"json_doc_id": key, "planned_edits": "As said.", "patches": patches})


def verdicts(request: str) -> dict[str, Any]:
    """Return the arguments of MemoryVerdicts: one verdict for each proposal of the request."""
    [now] = values_in(framed(request, "now"))
    typed = "\n".join(values_in(framed(request, "typed")))
    today = date.fromisoformat(now["date"])
    proposals = values_in(framed(request, "proposals"))
    return {"verdicts": [_verdict(one, typed, today) for one in proposals]}


def _verdict(proposal: dict[str, Any], typed: str, today: date) -> dict[str, Any]:
    """Judge a proposal by what its sentence says; `typed` is all that was typed."""
    sentence = proposal["sentence"] or ""
    verdict = {
        "index": proposal["index"],
        "supported": True,
        "about": "speaker",
        "modality": _MODALITIES.get(proposal["kind"], "asserted"),
        "conflict": _conflict(proposal, sentence),
    }
    if proposal["kind"] == KEPT:
        verdict["modality"] = _modality(sentence)
        if WORDS["private"].search(sentence):
            verdict["about"] = "other"
    else:
        verdict["supported"] = _supports(sentence, typed, proposal)
        verdict |= _dates(sentence, proposal["kind"], today)
    if WORDS["health"].search(sentence):
        verdict["sensitive"] = "health"
        verdict["may_harm"] = True
    return verdict


def _supports(sentence: str, typed: str, proposal: dict[str, Any]) -> bool:
    """Return whether a clause takes the memory back, or states or corrects something."""
    if proposal["change"] == "remove":
        memory = Memory(proposal["kind"], proposal["old"])
        said = read(f"{typed}\n{sentence}")
        return any(one.name in REMOVALS and is_about(memory, one) for one in said)
    return any(one.memories or one.name == "correct" for one in read(sentence))


def _conflict(proposal: dict[str, Any], sentence: str) -> str:
    """Return the verdict's conflict: ``unclear`` if the only fact on a topic may have changed."""
    if not proposal["old"]:
        return "none"
    is_single = proposal["kind"] == "UserFact" and "topic" in fact(sentence).content
    if is_single and not WORDS["change"].search(sentence):
        return "unclear"
    return "replaces"


def _modality(sentence: str) -> str:
    """Return the modality of words that somebody wants to keep for a channel."""
    [first, *_] = read(sentence)
    if first.name in ("question", "request"):
        return first.name
    for mood in ("joke", "hypothetical"):
        if WORDS[mood].search(sentence):
            return mood
    return "asserted"


def _dates(sentence: str, kind: str, today: date) -> dict[str, str]:
    """Return until when a sentence holds, or when its promise is due, within the next week."""
    day = _limit(sentence, today)
    if day is None:
        return {}
    if kind != "Promise":
        return {"valid_until": f"{day}"}
    dates = {"due": f"{day}"}
    if re.search("noon|正午", sentence):
        dates["due_time"] = "12:00"
    return dates


def _limit(sentence: str, today: date) -> date | None:
    """Return the day of the next week until which, or by which, a sentence says something."""
    for ahead in range(1, 8):
        day = today + timedelta(days=ahead)
        names = [f"{day:%A}", f"{_WEEKDAYS[day.weekday()]}曜日?"]
        if ahead == 1:
            names += ["tomorrow", "明日"]
        name = "|".join(names)
        limit = rf"\b(?:until|by|before) (?:{name})|(?:{name})(?:の正午)?まで"
        if re.search(limit, sentence, re.I):
            return day
    return None
