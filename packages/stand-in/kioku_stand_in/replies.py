"""Calls of Kioku's and LangMem's tools, and replies based on what the prompt says of the person."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from kioku_stand_in.memories import (
    KINDS,
    Memory,
    framed,
    is_about,
    json_list,
    learn,
    level_of,
    memory_of,
    new_memory,
    part,
)
from kioku_stand_in.sentences import SCRIPT, Said, changes_in, is_japanese, read
from openai_double.answer import Call, call
from openai_double.prompt import Prompt, Tool

_FRAME: Final = re.compile(r"<(\w+)>\n.*?\n</\1>", re.S)
_MINUTES: Final = {"minute": 1, "分": 1, "hour": 60, "時間": 60, "day": 1440, "日": 1440}


def calls_for(prompt: Prompt) -> list[Call]:
    """Return the next calls for the message; none if it is time to reply."""
    done = {result.name for result in prompt.fresh_results}
    each = [_calls(one, prompt) for one in read(prompt.last_user_text)]
    made = [one for calls in each for one in calls if one.name not in done]
    return [one for one in made if one.name == made[0].name]


def _calls(said: Said, prompt: Prompt) -> list[Call]:
    """Return the calls that carry a clause out, for Kioku's tools or those of LangMem."""
    tools = {tool.name: tool for tool in prompt.tools}
    search = tools.get("memory_search") or tools.get("search_memory")
    change = tools.get("memory_change") or tools.get("manage_memory")
    if tool := tools.get(said.rule.get("tool", "")):
        parts = {name: text for name, text in said.parts.items() if name in tool.fields}
        period = _period(said, prompt.instructions)
        return [call(tool.name, {**said.rule.get("arguments", {}), **parts, **period})]
    if change and said.to_remember:
        return _remember(change, said)
    if change and search and said.name == "forget":
        return _forget(change, search, said, prompt)
    if search and "recalls" in said.rule and "<memories>" not in prompt.instructions:
        return [call(search.name, {"query": said.parts["clause"]})]
    return []


def _period(said: Said, instructions: str) -> dict[str, str]:
    """Return `until` or `since` and `until`, counted from the time that the instructions name."""
    stated = re.search(r"It is \w+, (\d{4}-\d\d-\d\dT\d\d:\d\d[^\s,]*)", instructions)
    now = datetime.fromisoformat(stated[1]) if stated else datetime.now(UTC)
    if said.name == "forget_today":
        return {"since": f"{now.date()}", "until": f"{now.date() + timedelta(days=1)}"}
    if "n" not in said.parts:
        return {}
    minutes = int(said.parts["n"]) * _MINUTES[said.parts["unit"].lower()]
    return {"until": (now + timedelta(minutes=minutes)).isoformat(timespec="minutes")}


def _remember(change: Tool, said: Said) -> list[Call]:
    """Return the call that creates a memory: of a kind that the tool lists, or as a text."""
    if "evidence" not in change.fields:
        return [call(change.name, {"action": "create", "content": said.parts["clause"]})]
    listed = re.findall(r"\w+", change.parameters["properties"]["content"]["description"])
    memory = new_memory(said, listed)
    if memory is None:
        return []
    quote = memory.pop("evidence")
    return [call(change.name, {"action": "create", "evidence": quote, "content": memory})]


def _forget(change: Tool, search: Tool, said: Said, prompt: Prompt) -> list[Call]:
    """Return the search for what is to be forgotten, then the deletion of what it found."""
    results = [one for one in prompt.fresh_results if one.name == search.name]
    if not results:
        return [call(search.name, {"query": said.parts["subject"]})]
    found = [entry for one in results for entry in json_list(one.output)]
    quoted = {"evidence": said.quote} if "evidence" in change.fields else {}
    return [
        call(change.name, {"action": "delete", **quoted, "id": one.get("id") or one.get("key")})
        for one in found
        if is_about(memory_of(one), said)
    ][:3]


def outcome_of(prompt: Prompt) -> str:
    """Return the reply to the outputs of the calls; ``""`` if the message itself is answered."""
    words, outcomes, told = prompt.last_user_text, SCRIPT["outcomes"], []
    for result in prompt.fresh_results:
        said = f"{result.output} {result.arguments}"
        # The name of an outcome is that of a field of the output, or the action that was asked for.
        key = next(
            (one for one in outcomes if re.search(f'"{one}"(?!: (?:null|false))', said)), "done"
        )
        [output] = json_list(f"[{result.output}]") or [None]
        if isinstance(output, dict) and "result" in output:
            told.append(str(output["result"]))
        elif key == "error" or "search" not in result.name:
            texts = outcomes.get(f"{key}_{result.name}", outcomes[key])
            told.append(texts[is_japanese(words)])
    if prompt.fresh_results and not told and any(one.name == "forget" for one in read(words)):
        told.append(outcomes["not_found"][is_japanese(words)])
    return "\n".join(dict.fromkeys(told))


def reply_to(prompt: Prompt) -> tuple[str, bool]:
    """Return the reply to all sentences of the message, and whether it understood none of them."""
    words = prompt.last_user_text
    turns = [turn for turn in prompt.turns if turn.role == "user"]
    texts = "\n".join(turn.text for turn in turns)
    frames = [one for name in ("forwarded", "files") for one in framed(texts, name)]
    frames = [one for one in frames if isinstance(one, dict)]
    brought = [
        one.get("name") or one["text"] for one in frames if "text" in one and "sent" not in one
    ]
    brought += [one for turn in turns[-1:] for one in turn.files]
    say = {name: text[is_japanese(f"{words}{frames}")] for name, text in SCRIPT["replies"].items()}
    if brought:
        return say["files"].format("\n".join(f"- {one}" for one in brought)), False
    known, said = _known(prompt, _FRAME.sub("", texts)), read(words)
    understood = [one for one in said if one.name != "unknown"]
    told = dict.fromkeys(_reply(one, known, say) for one in understood)
    honest = [] if said and understood == [*said] else [say["unknown"]]
    return "\n\n".join([*told, *honest]), not told


def _known(prompt: Prompt, typed: str) -> list[Memory]:
    """Return what the prompt says about the person, the most liked first.

    It holds memories, search results, the person's `typed` words and others not formed yet.
    """
    known: dict[str, Memory] = {}
    shown = framed(prompt.instructions, "memories")
    shown += [one for result in prompt.fresh_results for one in json_list(result.output)]
    for memory in map(memory_of, shown):
        if not (told := changes_in(str(memory.get("fact", "")))):
            known[str(memory)] = memory
        for one in told:
            learn(known, one, KINDS)
    recent = map(str, framed(prompt.instructions, "recent_words"))
    for said in changes_in("\n".join([*recent, typed])):
        learn(known, said, KINDS)
    return sorted(known.values(), key=lambda one: -level_of(one))


def _text(memory: Memory, say: dict[str, str]) -> str:
    """Return a memory as it is told to the person."""
    subject = part(memory, "subject")
    if not subject:
        texts = (text for name, text in memory.items() if name not in {"kind", "evidence"})
        return str(next(filter(None, texts), ""))
    detail = changes_in(str(part(memory, "detail")))
    if memory["kind"] == "UserFoodPreference" and level_of(memory) < 50:
        return say["dislike"].format(subject)
    return next((one.parts["x"] for one in detail if "of" in one.parts), subject)


def _reply(said: Said, known: list[Memory], say: dict[str, str]) -> str:
    if said.states:
        return say["said"].format(said.parts["clause"])
    if "recalls" not in said.rule:
        return say.get(said.name, say["cannot"])
    kind = said.rule["recalls"]
    asked = [
        _text(memory, say)
        for memory in known
        if not kind or (memory["kind"] == kind and level_of(memory) >= 50)
    ]
    if said.name == "eat":
        lines = [say["eat"].format(asked[0]) if asked else say["nothing"]]
        lines += [f"- {food}" for food in asked[1:3]]
        minded = [one for one in known if one.get("topic") in said.rule["minds"]]
        minded += [one for one in known if one["kind"] == kind and level_of(one) < 50]
        told = "”, “".join(_text(one, say) for one in minded)
        return "\n".join([*lines, *(["", say["mind"].format(told)] if told else [])])
    if said.name == "topics":
        interest, *general = say["topics"].split("|")
        topics = [*map(interest.format, asked), *general][:3]
        return "\n".join(f"{number}. {line}" for number, line in enumerate(topics, 1))
    lines = [f"- **{text}**" for text in asked]
    return say["recall"].format("\n".join(lines)) if lines else say["nothing"]
