"""What is learned from sentences: changed memories, calls of LangMem's tools, verdicts."""

from __future__ import annotations

import re
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
    calls = [call("RemoveDoc", {"json_doc_id": keys[one]}) for one in keys if one not in known]
    for subject, memory in known.items():
        key = keys.get(subject)
        old = stored[key].content if key else {}
        new = {name: value for name, value in memory.content.items() if value != old.get(name)}
        if not new or memory.kind not in tools:
            continue
        if "evidence" in tools[memory.kind]:
            new["evidence"] = memory.quote
        calls.append(_patch(key, new) if key else call(memory.kind, new))
    if prompt.tool_choice == "required" and not calls:
        return [_patch(key, {}) for key in [*stored][:1]]
    return calls


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
    return "unclear" if is_single and not WORDS["change"].search(sentence) else "replaces"


def _modality(sentence: str) -> str:
    """Return the modality of words that somebody wants to keep for a channel."""
    [first, *_] = read(sentence)
    if first.name in ("question", "request"):
        return first.name
    moods = (name for name in ("joke", "hypothetical") if WORDS[name].search(sentence))
    return next(moods, "asserted")


def _dates(sentence: str, kind: str, today: date) -> dict[str, str]:
    """Return until when a sentence holds, or when its promise is due, within the next week."""
    for ahead in range(1, 8):
        day = today + timedelta(days=ahead)
        names = ["tomorrow", "明日"] if ahead == 1 else []
        names += [f"{day:%A}", f"{_WEEKDAYS[day.weekday()]}曜日", f"{_WEEKDAYS[day.weekday()]}曜"]
        any_name = "|".join(names)
        limit = rf"\b(?:until|by|before) (?:{any_name})|(?:{any_name})(?:の正午)?まで"
        if re.search(limit, sentence, re.I):
            if kind != "Promise":
                return {"valid_until": f"{day}"}
            noon = {"due_time": "12:00"} if re.search("noon|正午", sentence) else {}
            return {"due": f"{day}", **noon}
    return {}
