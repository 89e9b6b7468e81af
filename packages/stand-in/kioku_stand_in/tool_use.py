"""Calls of memory, settings, view and search tools, and the replies based on their outputs."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from kioku_stand_in.formation import Document, Memories, mentions
from kioku_stand_in.lexicon import is_japanese
from kioku_stand_in.replies import texts_for
from kioku_stand_in.sentences import Said, read, without_marks
from openai_double.answer import Call, call
from openai_double.prompt import Prompt, Tool, content_of, json_list, tools_in

_DAYS: Final = ("mon月", "tue火", "wed水", "thu木", "fri金", "sat土", "sun日")
_MINUTES: Final = {"minute": 1, "分": 1, "hour": 60, "時間": 60, "day": 1440, "日": 1440}
_WORDS: Final = {"今日": "today", "昨日": "yesterday", "直近1時間": "the last hour"}


def calls_for(prompt: Prompt) -> list[Call]:
    """Return the next calls for the message; none if it is time to reply."""
    done = {result.name for result in prompt.fresh_results}
    each = [_calls(one, prompt) for one in read(prompt.last_user_text)]
    made = [one for calls in each for one in calls if one.name not in done]
    made.sort(key=lambda one: "search" not in one.name)
    return [one for one in made if one.name == made[0].name]


def _calls(one: Said, prompt: Prompt) -> list[Call]:
    tools = {tool.name: tool for tool in prompt.tools}
    search = tools.get("memory_search") or tools.get("search_memory")
    change = tools.get("memory_change") or tools.get("manage_memory")
    if isinstance(one.value, dict) and "memory_settings" in tools:
        return [call("memory_settings", _settings(one, prompt.instructions))]
    if one.name == "view" and "read_current_view" in tools:
        return [call("read_current_view", {})]
    if one.name == "ask_colleague" and "ask_about_colleague" in tools:
        return [call("ask_about_colleague", {"name": one.gaps["who"]})]
    if change and one.wish == "remember":
        return _remember(change, search, one, prompt)
    if change and search and one.name == "forget":
        return _forget(change, search, one, prompt)
    asks = one.name in {"eat", "recall", "topics", "show_memories"}
    if search and asks and "<memories>" not in prompt.instructions:
        return [call(search.name, {"query": without_marks(one.quote)})]
    return []


def _remember(change: Tool, search: Tool | None, one: Said, prompt: Prompt) -> list[Call]:
    """Return calls that create the memory, as a kind that the tool names, or as text.

    If the prompt shows a memory that changes by it, search for that one's id and change it.
    """
    if "evidence" not in change.fields:
        return [call(change.name, {"action": "create", "content": without_marks(one.clause)})]
    kinds = tools_in(change.parameters["properties"]["content"].get("description", ""))
    found = _found(search, prompt)
    shown = [{"id": "?", "content": content} for content in prompt.memories]
    memories = Memories(kinds, [_document(e) for e in (shown if found is None else found)])
    memories.take(one)
    changed = [d for d in memories.documents if d.removed or d.content != d.before]
    if search and found is None and any(document.key for document in changed):
        return [call(search.name, {"query": without_marks(one.clause)})]
    if not changed:
        memories = Memories(kinds, changed)
        memories.take(one)
    made = []
    for document in changed:
        action = "delete" if document.removed else "update" if document.key else "create"
        given: dict[str, Any] = {"action": action, "evidence": one.quote}
        given |= {"id": document.key} if document.key else {}
        content = {"kind": document.kind, **document.content}
        made.append(call(change.name, given | ({} if document.removed else {"content": content})))
    return made


def _document(entry: dict[str, Any]) -> Document:
    content = content_of(entry)
    kind, key = entry.get("kind", ""), entry.get("id", "")
    return Document(kind=kind, key=key, content=dict(content), before=content)


def _found(search: Tool | None, prompt: Prompt) -> list[Any] | None:
    """Return what the searches for this message found; None before any search."""
    results = [one for one in prompt.fresh_results if search and one.name == search.name]
    found = [entry for result in results for entry in json_list(result.output)]
    return found if results else None


def _forget(change: Tool, search: Tool, one: Said, prompt: Prompt) -> list[Call]:
    """Return calls that search for what is to be forgotten, then delete the matches."""
    if (found := _found(search, prompt)) is None:
        return [call(search.name, {"query": thing}) for thing in one.things]
    found = [e for e in found if any(mentions(content_of(e), thing) for thing in one.things)]
    quoted = {"action": "delete"} | ({"evidence": one.quote} if "evidence" in change.fields else {})
    return [call(change.name, {**quoted, "id": e.get("id") or e.get("key")}) for e in found[:3]]


def _settings(one: Said, instructions: str) -> dict[str, Any]:
    """Return the arguments of memory_settings for one request."""
    gaps = {name: _WORDS.get(text.lower(), text.lower()) for name, text in one.gaps.items()}
    stated = re.search(r"It is \w+, (\d{4}-\d\d-\d\dT\d\d:\d\d[^\s,]*)", instructions)
    now = datetime.fromisoformat(stated[1]) if stated else datetime.now(UTC)
    today, when = now.date(), gaps.get("when")
    given = {"action": one.name, **one.value}
    if "n" in gaps:
        until = now + timedelta(minutes=int(gaps["n"]) * _MINUTES[gaps["unit"]])
        given["until"] = until.isoformat(timespec="minutes")
    elif "day" in gaps:
        given["until"] = day_in(gaps["day"], today).isoformat()
    elif when == "the last hour":
        given["since"] = (now - timedelta(hours=1)).isoformat(timespec="minutes")
    elif when in {"today", "yesterday"}:
        since = today - timedelta(days=int(when == "yesterday"))
        given |= {"since": f"{since}", "until": f"{since + timedelta(days=1)}"}
    return given


def day_in(text: str, today: date) -> date:
    """Return the date of `text`: a date, tomorrow, or the next weekday of that name."""
    if text[0].isdecimal():
        year, month, day = map(int, text.split("-"))
        return date(year, min(max(month, 1), 12), 1) + timedelta(days=day - 1)
    if text.lower() in {"tomorrow", "明日"}:
        return today + timedelta(days=1)
    name = text[:1] if is_japanese(text) else text[:3].lower()
    weekday = next(number for number, names in enumerate(_DAYS) if name in names)
    return today + timedelta(days=(weekday - today.weekday()) % 7 or 7)


def words_for(prompt: Prompt) -> str:
    """Return the reply to the outputs of the calls; ``""`` if `reply_to` makes the reply."""
    say, told = texts_for(prompt), []
    for result in prompt.fresh_results:
        output, action = _json(result.output), str(_json(result.arguments).get("action"))
        told_of = {key for key, value in output.items() if value not in (None, False)} - {"done"}
        key = next((key for key in say if key in told_of), action if action in say else "done")
        if key == "error" and result.name == "ask_about_colleague":
            key = "no_colleague"
        if key == "proposed" and result.name == "memory_settings":
            key = "offered"  # the output does not say whether there is anything to change
        if "result" in output:
            told.append(output["result"])
        elif key == "error" or result.name not in {"memory_search", "search_memory"}:
            told += [say[key]] if output or action in say else []
    if prompt.fresh_results and not told:
        told += [say["not_found"] for one in read(prompt.last_user_text) if one.name == "forget"]
    return "\n".join(dict.fromkeys(told))


def _json(text: str) -> dict[str, Any]:
    """Return the JSON object in `text`, or the first object of a JSON list."""
    value: Any = next(iter(json_list(f"[{text}]")), {})
    value = next(iter(value), {}) if isinstance(value, list) else value
    return value if isinstance(value, dict) else {}
