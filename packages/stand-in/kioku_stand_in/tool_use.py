"""Calls of Kioku's and LangMem's tools, and the replies to what came of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from kioku_stand_in.memories import Document, apply, content_of, json_list, mentions, tools_in
from kioku_stand_in.sentences import OUTCOMES, Said, is_japanese, read, without_marks
from openai_double.answer import Call, call
from openai_double.prompt import Prompt, Tool

_SETTINGS: Final[Mapping[str, dict[str, Any]]] = {
    "pause": {"action": "pause"},
    "resume": {"action": "resume"},
    "incognito": {"action": "incognito"},
    "not_this": {"action": "do_not_remember", "which": "this_message"},
    "not_that": {"action": "do_not_remember", "which": "previous_message"},
    "forget_everything": {"action": "forget", "everything": True},
    "forget_today": {"action": "forget"},
    "history": {"action": "open", "list": "changes"},
    "show_memories": {"action": "open"},
    "panel": {"action": "open"},
}
"""The arguments of `memory_settings` for a sentence."""
_MINUTES: Final = {"minute": 1, "分": 1, "hour": 60, "時間": 60, "day": 1440, "日": 1440}


def calls_for(prompt: Prompt) -> list[Call]:
    """Return the next calls for the message; none if it is time to reply."""
    done = {result.name for result in prompt.fresh_results}
    each = [_calls(one, prompt) for one in read(prompt.last_user_text)]
    made = [one for calls in each for one in calls if one.name not in done]
    return [one for one in made if one.name == made[0].name]


def _calls(one: Said, prompt: Prompt) -> list[Call]:
    tools = {tool.name: tool for tool in prompt.tools}
    search = tools.get("memory_search") or tools.get("search_memory")
    change = tools.get("memory_change") or tools.get("manage_memory")
    if one.name in _SETTINGS and "memory_settings" in tools:
        return [call("memory_settings", _settings(one, prompt.instructions))]
    if one.name == "view" and "read_current_view" in tools:
        return [call("read_current_view", {})]
    if one.name == "colleague" and "ask_about_colleague" in tools:
        return [call("ask_about_colleague", {"name": one.gaps["who"]})]
    if change and one.wish == "remember":
        return _remember(change, one)
    if change and search and one.name == "forget":
        return _forget(change, search, one, prompt)
    asks = one.name in {"eat", "topics", "show_memories"} or one.name.startswith("recall")
    if search and asks and "<memories>" not in prompt.instructions:
        return [call(search.name, {"query": without_marks(one.quote)})]
    return []


def _remember(change: Tool, one: Said) -> list[Call]:
    """Return calls that create the memory, as a kind that the tool names, or as text."""
    if "evidence" not in change.fields:
        return [call(change.name, {"action": "create", "content": without_marks(one.clause)})]
    made: list[Document] = []
    listed = change.parameters["properties"]["content"].get("description", "")
    apply(one, made, tools_in(listed))
    return [
        call(
            change.name,
            {
                "action": "create",
                "evidence": one.quote,
                "content": {"kind": document.kind, **document.content},
            },
        )
        for document in made
    ]


def _forget(change: Tool, search: Tool, one: Said, prompt: Prompt) -> list[Call]:
    """Return calls that search for what is to be forgotten, then delete the matches."""
    results = [result for result in prompt.fresh_results if result.name == search.name]
    if not results:
        return [call(search.name, {"query": thing}) for thing in one.things]
    found = [entry for result in results for entry in json_list(result.output)]
    found = [e for e in found if any(mentions(content_of(e), thing) for thing in one.things)]
    quoted = {"evidence": one.quote} if "evidence" in change.fields else {}
    return [
        call(change.name, {"action": "delete", **quoted, "id": e.get("id") or e.get("key")})
        for e in found[:3]
    ]


def _settings(one: Said, instructions: str) -> dict[str, Any]:
    """Return the arguments of memory_settings; a time counts from the one that the prompt names."""
    stated = re.search(r"It is \w+, (\d{4}-\d\d-\d\dT\d\d:\d\d[^\s,]*)", instructions)
    now = datetime.fromisoformat(stated[1]) if stated else datetime.now(UTC)
    given = dict(_SETTINGS[one.name])
    if "n" in one.gaps:
        length = timedelta(minutes=int(one.gaps["n"]) * _MINUTES[one.gaps["unit"].lower()])
        given["until"] = (now + length).isoformat(timespec="minutes")
    if one.name == "forget_today":
        given |= {"since": f"{now.date()}", "until": f"{now.date() + timedelta(days=1)}"}
    return given


def outcome_of(prompt: Prompt) -> str:
    """Return the reply to the outputs of the calls; ``""`` if the message itself is answered."""
    told, language = [], is_japanese(prompt.last_user_text)
    for result in prompt.fresh_results:
        output, action = _object(result.output), str(_object(result.arguments).get("action"))
        told_of = {key for key, value in output.items() if value not in (None, False)} - {"done"}
        key = next((key for key in OUTCOMES if key in told_of), action)
        if key == "error" and result.name == "ask_about_colleague":
            key = "no_colleague"
        if "result" in output:
            told.append(str(output["result"]))
        elif key == "error" or "search" not in result.name:
            told.append(OUTCOMES.get(key, OUTCOMES["done"])[language])
    if prompt.fresh_results and not told:
        forgets = any(one.name == "forget" for one in read(prompt.last_user_text))
        told += [OUTCOMES["not_found"][language]] if forgets else []
    return "\n".join(dict.fromkeys(told))


def _object(text: str) -> dict[str, Any]:
    """Return the JSON object in `text`, or the first object of a JSON list."""
    value: Any = next(iter(json_list(f"[{text}]")), {})
    value = next(iter(value), {}) if isinstance(value, list) else value
    return value if isinstance(value, dict) else {}
