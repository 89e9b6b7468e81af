"""What is learned from sentences: changed memories, calls of LangMem's tools, verdicts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from kioku_stand_in.days import When, due, until
from kioku_stand_in.memories import Memory, framed_values, stored_in
from kioku_stand_in.nearest import words_of
from kioku_stand_in.script import COMMON, SCRIPT, WORDS, filled
from kioku_stand_in.sentences import Clause, clauses_in, fact, may_be_news, stated
from openai_double.answer import Call, make_call
from openai_double.prompt import Prompt, Tool
from openai_double.types import Json

KEPT: Final = "KeptLine"
_MODALITIES: Final = {"Promise": "promised", "UserInstruction": "request"}
_SPOKEN: Final = re.compile(
    r"^=+ Human Message =+$\n(.*?)(?=^=+ \w+ Message =+$|^</session_)", re.M | re.S
)
_FORMS: Final = tuple(re.compile(filled(form), re.I) for form in SCRIPT["any"]["form"])
# What a statement is about: “my desk is”, “I go by”, 「席が」.
_HEAD: Final = re.compile(SCRIPT["head"], re.I)


def learn(known: dict[str, Memory], text: str) -> None:
    """Update `known`, memories by their subjects, with what a text says."""
    for clause in clauses_in(text):
        key = _changed_key(known, clause)
        match clause.name:
            case _ if not key:
                _tell(known, clause)
            case "gone" | "forget":
                del known[key]
            case "correct":
                known[key] = _corrected(known[key], clause)
            case "fulfilled":
                content = {**known[key].content, "state": "done"}
                known[key] = replace(known[key], content=content, quote=clause.quote)
            case "moved":
                known[key] = replace(known[key], quote=clause.quote)


def _changed_key(known: Mapping[str, Memory], clause: Clause) -> str:
    """Return the key of the memory that a clause takes back or changes; "" if there is none."""
    words = clause.parts.get("words") or ""
    promises = {key: one for key, one in known.items() if one.kind == "Promise"}
    match clause.name:
        case "gone" | "forget":
            return _about(known, words)
        case "correct":
            return _corrected_key(known, clause)
        case "fulfilled":
            return _fulfilled_key(promises, clause)
        case "moved" if not words_of(words):
            return next(reversed(promises), "")
        case "moved":
            return _about(promises, words)
    return ""


def _tell(known: dict[str, Memory], clause: Clause) -> None:
    """Add what a clause states, or replace what it says has changed."""
    memories = clause.memories
    if not memories and clause.changes and may_be_news(clause):
        memories = (fact(clause.text),)
    # What a clause lists has the same words, but none of it replaces another.
    before = dict(known)
    for memory in memories:
        key = _replaced(before, memory, clause)
        if key in known or clause.memories:
            known[key] = replace(memory, quote=clause.quote)


def _about(known: Mapping[str, Memory], words: str) -> str:
    """Return the key of the memory that words are most about, of several the newest; "" if of none.

    They are in the memory, or begin with the same thing, or are most of its words, or it of theirs.
    """
    best, found = 0.4, ""
    said, heads = words_of(words), _heads(words)
    for key, memory in known.items():
        stored = words_of(memory.words)
        fewest = min(len(said), len(stored)) or 1
        score = len(said & stored) / fewest
        if heads & _heads(memory.words):
            score += 1
        if words in memory.words:
            score += 1
        if score >= best:
            best, found = score, key
    return found


def _fulfilled_key(promises: Mapping[str, Memory], clause: Clause) -> str:
    """Return the key of the promise that a clause says was kept; "" if there is none.

    The clause may name to whom it was, but has no word that is not in the promise.
    """
    whom = clause.parts.get("to") or ""
    said = words_of(f"{whom} {clause.parts.get('words') or ''}")
    for key, memory in promises.items():
        promised = words_of(memory.name)
        if said & promised and said <= promised | words_of(
            f"{memory.content.get('to')}"
        ):
            return key
    return ""


def _corrected_key(known: Mapping[str, Memory], clause: Clause) -> str:
    """Return the key of the memory that has a clause's old words; "" if none has.

    Where the clause has none, it is the newest that has words of the form of the new ones.
    """
    old = clause.parts.get("old")
    subject = clause.parts.get("about") or ""
    about = {key: one for key, one in known.items() if subject in one.words}
    if old:
        return _about(about, old)
    keys = [key for key, one in about.items() if _old_words(one, clause)]
    return next(reversed(keys), "")


def _old_words(memory: Memory, clause: Clause) -> str:
    """Return the words of a memory that a correction replaces; "" if there are none."""
    new = clause.parts["new"]
    form = next((form for form in _FORMS if form.fullmatch(new)), _FORMS[0])
    found = form.search(memory.words)
    return clause.parts.get("old") or (found[0] if found else "")


def _corrected(memory: Memory, clause: Clause) -> Memory:
    """Return a memory with the new words of a clause in place of the old ones.

    New words that are a statement take the place of the whole memory.
    """
    new = clause.parts["new"]
    if stated(new):
        said = fact(clause.text[clause.text.rindex(new) :])
        return replace(said, quote=clause.quote)
    return memory.corrected(_old_words(memory, clause), new, clause.quote)


def _replaced(known: Mapping[str, Memory], memory: Memory, clause: Clause) -> str:
    """Return the key of the memory that a stated one replaces, or else its own.

    It is that with the same subject or the same words in its name, or, if something has changed,
    what it is about.
    """
    said = words_of(memory.name)
    for key, old in known.items():
        if memory.subject == key or (said and said == words_of(old.name)):
            return key
    if not clause.changes:
        return memory.subject
    return _about(known, memory.words) or memory.subject


def _heads(text: str) -> set[str]:
    """Return what a statement may be about: “my desk” of “my desk is …”."""
    return {found[found.lastindex or 0].casefold() for found in _HEAD.finditer(text)}


def without_fillers(words: str) -> str:
    """Return words without those that are common, unless there are no others."""
    rare = [word for word in words.split() if word.casefold() not in COMMON]
    return " ".join(rare) or words


def formation_calls(prompt: Prompt) -> list[Call]:
    """Return LangMem's tool calls for a formation request; none if nothing is to be remembered."""
    stored = stored_in(prompt.instructions)
    keys = {memory.subject: key for key, memory in stored.items()}
    known = {memory.subject: memory for memory in stored.values()}
    spoken = _SPOKEN.findall(prompt.last_user_text)
    learn(known, "\n".join(spoken))
    calls: list[Call] = []
    for subject, stored_key in keys.items():
        if subject not in known:
            calls.append(make_call("RemoveDoc", {"json_doc_id": stored_key}))
    tools = {tool.name: tool for tool in prompt.tools}
    for subject, memory in known.items():
        tool = tools.get(memory.kind)
        if tool is None:
            continue
        if subject in keys:
            key = keys[subject]
            calls += _changing_calls(key, stored[key], memory, tool)
        else:
            calls.append(make_call(tool.name, _changes(memory, {}, tool)))
    if prompt.tool_choice == "required" and not calls and stored:
        first = next(iter(stored))
        calls.append(_patch(first, {}))
    return calls


def _changing_calls(key: str, old: Memory, new: Memory, tool: Tool) -> list[Call]:
    """Return the call that changes a stored memory; none if it says the same."""
    changes = _changes(new, old.content, tool)
    if not changes and new.kind == "Promise" and new.quote:
        # Its day, which only the verdict reads, may be another one now.
        changes = _changes(new, {}, tool)
    if not changes:
        return []
    return [_patch(key, changes)]


def _changes(memory: Memory, old: Mapping[str, Any], tool: Tool) -> Json:
    """Return the fields that differ from `old`, with the evidence if the tool asks for it."""
    changes = {
        name: value for name, value in memory.content.items() if value != old.get(name)
    }
    if changes and "evidence" in tool.fields:
        changes["evidence"] = memory.quote
    return changes


def _patch(key: str, values: Mapping[str, Any]) -> Call:
    """Return the call that sets fields of a memory."""
    patches: list[Json] = []
    for name, value in values.items():
        patches.append({"op": "add", "path": f"/{name}", "value": value})
    return make_call(
        "PatchDoc",
        {"json_doc_id": key, "planned_edits": "As said.", "patches": patches},
    )


def verdicts(request: str) -> Json:
    """Return the arguments of MemoryVerdicts: one verdict for each proposal of the request."""
    [now] = framed_values(request, "now")
    moment = datetime.fromisoformat(f"{now['date']} {now.get('time', '00:00')}")
    typed = "\n".join(framed_values(request, "typed"))
    proposals = framed_values(request, "proposals")
    given = [_verdict(proposal, typed, moment) for proposal in proposals]
    return {"verdicts": given}


def _verdict(proposal: Json, typed: str, now: datetime) -> Json:
    """Judge a proposal by what its sentence says; `typed` is all that was typed."""
    sentence = proposal["sentence"] or ""
    verdict = {
        "index": proposal["index"],
        "supported": True,
        "about": "speaker",
        "modality": _MODALITIES.get(proposal["kind"], "asserted"),
        "conflict": _conflict(proposal, sentence),
    }
    if proposal["values"].get("state") == "done":
        verdict["modality"] = "asserted"
    if proposal["kind"] == KEPT:
        verdict["modality"] = _modality(sentence)
        if WORDS["private"].search(sentence):
            verdict["about"] = "other"
    else:
        if "said_on" in proposal:
            # At an unknown time, and nothing is due earlier than was said.
            now = datetime.fromisoformat(f"{proposal['said_on']} 23:59")
        verdict["supported"] = _supports(sentence, typed, proposal)
        dates = _dates(sentence, proposal["kind"], now)
        before = (proposal["old"] or {}).get("due", "")
        if dates.get("due", before) < before and WORDS["postponed"].search(sentence):
            # Not earlier than it was.
            now = datetime.fromisoformat(f"{before} 23:59")
            dates = _dates(sentence, proposal["kind"], now)
        verdict |= dates
    if WORDS["health"].search(sentence):
        verdict["sensitive"] = "health"
        verdict["may_harm"] = True
    return verdict


def _supports(sentence: str, typed: str, proposal: Json) -> bool:
    """Return whether a sentence takes the memory back, or states or changes something."""
    known: dict[str, Memory] = {}
    if proposal["old"]:
        old = Memory(proposal["kind"], proposal["old"])
        known[old.subject] = old
    before = dict(known)
    if proposal["change"] == "remove":
        learn(known, f"{typed}\n{sentence}")
        return not before.keys() & known.keys()
    learn(known, sentence)
    kept = any(clause.name == "fulfilled" for clause in clauses_in(sentence))
    return kept or known != before


def _conflict(proposal: Json, sentence: str) -> str:
    """Return the verdict's conflict: ``unclear`` if the only fact on a topic may have changed."""
    if not proposal["old"]:
        return "none"
    is_only_fact = proposal["kind"] == "UserFact" and "topic" in fact(sentence).content
    if is_only_fact and not any(one.changes for one in clauses_in(sentence)):
        return "unclear"
    return "replaces"


def _modality(sentence: str) -> str:
    """Return the modality of words that somebody wants to keep for a channel."""
    first = clauses_in(sentence)[0]
    if first.name in ("question", "request"):
        return first.name
    for mood in ("joke", "hypothetical"):
        if WORDS[mood].search(sentence):
            return mood
    return "asserted"


def _dates(sentence: str, kind: str, now: datetime) -> dict[str, str]:
    """Return until when a sentence holds, or when its promise is due."""
    if kind == "Promise":
        days: list[When] = []
        for clause in clauses_in(sentence):
            days += clause.days
        return due(days, now)
    day = until(sentence, now.date())
    if day is None:
        return {}
    return {"valid_until": f"{day}"}
