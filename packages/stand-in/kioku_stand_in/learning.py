"""What is learned from sentences: changed memories, calls of LangMem's tools, verdicts."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any, Final

from kioku_stand_in.memories import Memory, framed_values, stored_in
from kioku_stand_in.script import COMMON, WORDS
from kioku_stand_in.sentences import Clause, clauses_in, fact
from openai_double.answer import Call, make_call
from openai_double.prompt import Prompt, Tool
from openai_double.types import Json

KEPT: Final = "KeptLine"
REMOVALS: Final = ("gone", "forget")
_MODALITIES: Final = {"Promise": "promised", "UserInstruction": "request"}
_SPOKEN: Final = re.compile(
    r"^=+ Human Message =+$\n(.*?)(?=^=+ \w+ Message =+$|^</session_)", re.M | re.S
)
_WEEKDAYS: Final = "月火水木金土日"
_NEXT_DAYS: Final = (("today", "tonight", "今日", "今夜"), ("tomorrow", "明日"))
_LIMIT: Final = r"\b(?:until|by|before) {0}|{0}(?:の正午)?まで"
_END: Final = r"\buntil {0}|{0}まで(?!に)"
_TIME: Final = re.compile(
    r"(?:\b(?:at|by|before) |(?=\d+時(?!間))|\b(?=\d{1,2}(?::\d\d)? ?[ap]m\b))"
    r"(?P<hour>\d{1,2})[時:]?(?P<minute>\d\d|半)?",
    re.I,
)
_AHEAD: Final = re.compile(
    r"\bin (an?|half an|\d{1,3}) (minute|hour)s?\b(?! and | \d)|(\d{1,3})(分|時間)後",
    re.I,
)
_NUMBERS: Final = {"a": 1.0, "an": 1.0, "half an": 0.5}
_UNITS: Final = {
    "minute": timedelta(minutes=1),
    "hour": timedelta(hours=1),
    "分": timedelta(minutes=1),
    "時間": timedelta(hours=1),
}
_LATE: Final = re.compile(
    r"\d ?pm\b|afternoon|evening|tonight|午後|夕方|[今の]夜", re.I
)


def learn(known: dict[str, Memory], text: str) -> None:
    """Update `known`, memories by their subjects, with what a text says."""
    for clause in clauses_in(text):
        words = _words_about(clause)
        about = [key for key, memory in known.items() if _is_about(memory, words)]
        if clause.name == "fulfilled":
            _fulfil(known, clause)
        elif clause.name == "correct":
            old = clause.parts["old"]
            new = clause.parts["new"]
            for key in about:
                known[key] = known[key].corrected(old, new, clause.quote)
        elif about and clause.name in REMOVALS:
            for key in about:
                del known[key]
        else:
            for memory in clause.memories:
                known[memory.subject] = replace(memory, quote=clause.quote)


def _fulfil(known: dict[str, Memory], clause: Clause) -> None:
    """Set the state of the promises that a clause says were kept."""
    for key, memory in known.items():
        if is_fulfilled(memory, clause):
            content = {**memory.content, "state": "done"}
            known[key] = replace(memory, content=content, quote=clause.quote)


def is_fulfilled(memory: Memory, clause: Clause) -> bool:
    """Return whether a memory is a promise that a clause says was kept.

    The clause may name to whom it was, but has no word that is not in the promise.
    """
    if memory.kind != "Promise":
        return False
    words = set(_words_about(clause))
    what = {word for word in words if _has(memory.name, word)}
    to_whom = str(memory.content.get("to"))
    others = words - what
    return bool(what) and all(_has(to_whom, word) for word in others)


def _has(text: str, word: str) -> bool:
    """Return whether a text has a word: a whole one in English."""
    whole = rf"(?<![a-z0-9]){re.escape(word)}(?![a-z0-9])"
    return re.search(whole, text, re.I) is not None


def _words_about(clause: Clause) -> list[str]:
    """Return the words that name what a correction, a retraction or a kept promise is about."""
    words = clause.parts.get("old") or clause.parts.get("words") or ""
    to_whom = clause.parts.get("to") or ""
    return without_fillers(f"{to_whom} {words}").casefold().split()


def _is_about(memory: Memory, words: Sequence[str]) -> bool:
    """Return whether the name of a memory contains all the words; never if there are none."""
    if not words:
        return False
    name = memory.name.casefold()
    return all(word in name for word in words)


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
        verdict["supported"] = _supports(sentence, typed, proposal)
        verdict |= _dates(sentence, proposal["kind"], now)
    if WORDS["health"].search(sentence):
        verdict["sensitive"] = "health"
        verdict["may_harm"] = True
    return verdict


def _supports(sentence: str, typed: str, proposal: Json) -> bool:
    """Return whether a clause takes the memory back, or states or corrects something."""
    if proposal["change"] == "remove":
        memory = Memory(proposal["kind"], proposal["old"])
        for clause in clauses_in(f"{typed}\n{sentence}"):
            if clause.name in REMOVALS and _is_about(memory, _words_about(clause)):
                return True
        return False
    for clause in clauses_in(sentence):
        if clause.memories or clause.name in ("correct", "fulfilled"):
            return True
    return False


def _conflict(proposal: Json, sentence: str) -> str:
    """Return the verdict's conflict: ``unclear`` if the only fact on a topic may have changed."""
    if not proposal["old"]:
        return "none"
    is_only_fact = proposal["kind"] == "UserFact" and "topic" in fact(sentence).content
    if is_only_fact and not WORDS["change"].search(sentence):
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
    """Return until when a sentence holds, or when its promise is due, within the next week."""
    if kind == "Promise":
        return _due(sentence, now)
    day = _day(sentence, _END, now.date())
    if day is None:
        return {}
    return {"valid_until": f"{day}"}


def _due(sentence: str, now: datetime) -> dict[str, str]:
    """Return the day and the time of a promise: beside what is promised, or else a limit in it.

    A time beside it without a day is the next one.
    """
    beside = _beside_promises(sentence)
    moment = _moment_ahead(beside, now)
    if moment is not None:
        return {"due": f"{moment:%Y-%m-%d}", "due_time": f"{moment:%H:%M}"}
    day = _day(beside, "{}", now.date())
    if day is not None:
        return _due_on(day, _time(beside))
    limit = _day(sentence, _LIMIT, now.date())
    if limit is not None:
        return _due_on(limit, _time(sentence))
    time = _time(beside)
    if time is None:
        return {}
    return _due_on(_day_of_next(time, now), time)


def _due_on(day: date, time: str | None) -> dict[str, str]:
    due = {"due": f"{day}"}
    if time is not None:
        due["due_time"] = time
    return due


def _moment_ahead(words: str, now: datetime) -> datetime | None:
    """Return the moment that words name by its distance, as in “in 10 minutes”; None if none."""
    found = _AHEAD.search(words)
    if found is None:
        return None
    number, unit = filter(None, found.groups())
    count = _NUMBERS.get(number.lower()) or int(number)
    return now + count * _UNITS[unit.lower()]


def _day_of_next(time: str, now: datetime) -> date:
    """Return today, or tomorrow if this time of today is over."""
    if time > f"{now:%H:%M}":
        return now.date()
    return now.date() + timedelta(days=1)


def _beside_promises(sentence: str) -> str:
    """Return the words of a sentence that are not what it promises; none if it promises nothing."""
    beside: list[str] = []
    for clause in clauses_in(sentence):
        if "promise" in clause.parts:
            beside += clause.text.split(clause.parts["promise"])
    return "\n".join(beside)


def _day(words: str, limit: str, today: date) -> date | None:
    """Return the first day, of today and the next week, whose name words have within `limit`."""
    for ahead in range(8):
        day = today + timedelta(days=ahead)
        names: list[str] = []
        if ahead < len(_NEXT_DAYS):
            names += _NEXT_DAYS[ahead]
        if ahead > 0:
            names += [f"{day:%A}", f"{_WEEKDAYS[day.weekday()]}曜日?"]
        name = "|".join(names)
        if re.search(limit.format(f"(?:{name})"), words, re.I):
            return day
    return None


def _time(words: str) -> str | None:
    """Return the time of day, HH:MM, that words name."""
    if re.search(r"\bnoon|正午", words):
        return "12:00"
    named = _TIME.search(words)
    if named is None:
        return None
    hour = int(named["hour"])
    if hour > 23:
        return None
    if hour < 12 and _LATE.search(words):
        hour += 12
    minute = named["minute"] or "00"
    if minute == "半":
        minute = "30"
    return f"{hour:02}:{minute}"
