"""From a prompt to an answer: formation, a verdict, a search, calls, a filled form, or a reply."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from kioku_stand_in.memories import (
    KEPT,
    Memory,
    content_of,
    formed,
    framed,
    json_list,
    known_in,
    learn,
    verdicts,
)
from kioku_stand_in.nearest import nearest
from kioku_stand_in.sentences import SCRIPT, Said, is_japanese, read
from openai_double.answer import Answer, Call, call, said
from openai_double.prompt import Prompt, Tool

KINDS: Final = ("reply", "formation", "verdict", "search", "probe")
_PROBE: Final = "RepeatWord"
_VERDICTS: Final = "MemoryVerdicts"
_CONTEXT: Final = re.compile(r"<context>\n(.*?\n)</context>\n\n", re.S)
_SEARCH: Final = "search_memory"  # of LangMem: its output is a list of memories


def kind_of(prompt: Prompt) -> str:
    """Return what Kioku or LangMem asks for, by which faults and scripts choose requests."""
    prompt = with_tools(prompt)
    names = {tool.name for tool in prompt.tools}
    if _PROBE in names:
        return "probe"
    if _VERDICTS in names:
        return "verdict"
    if prompt.searches_only and not prompt.instructions:
        return "search"
    return "formation" if prompt.tools and "<session_" in prompt.last_user_text else "reply"


def with_tools(prompt: Prompt) -> Prompt:
    """Return a prompt whose answer is JSON of tool calls as one with these tools."""
    entries = _calls_of_schema(prompt.schema)
    if not entries:
        return prompt
    forms = [one["properties"] for one in entries]
    tools = [
        Tool(name=form["tool"]["const"], description="", parameters={"properties": form})
        for form in forms
    ]
    text = prompt.last_user_text
    return replace(prompt, tools=tuple(tools), schema=None, instructions=text)


def without_context(prompt: Prompt) -> Prompt:
    """Return a prompt with the context before the last message among its instructions."""
    *earlier, last = prompt.turns or (None,)
    found = _CONTEXT.match(last.text) if last else None
    if last is None or found is None:
        return prompt
    words = replace(last, text=last.text[found.end() :])
    instructions = f"{prompt.instructions}\n{found[1]}"
    return replace(prompt, turns=(*earlier, words), instructions=instructions)


def answer_to(prompt: Prompt) -> Answer:
    """Return the scripted answer to `prompt`."""
    prompt = without_context(prompt)
    if not _calls_of_schema(prompt.schema):
        return _answer(prompt)
    made = [item for item in _answer(with_tools(prompt)).items if isinstance(item, Call)]
    calls = [{"tool": one.name, **_as_fields(json.loads(one.arguments))} for one in made]
    return said(json.dumps({"calls": calls}, ensure_ascii=False))


def _calls_of_schema(schema: dict[str, Any] | None) -> list[dict[str, Any]]:
    """Return the forms of the calls that a structured answer may have."""
    calls = (schema or {}).get("properties", {}).get("calls", {})
    entries: list[dict[str, Any]] = calls.get("items", {}).get("anyOf", [])
    return entries


def _as_fields(arguments: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of a call with changes of fields in place of JSON Patch."""
    if "patches" not in arguments:
        return arguments
    changes = [
        {"field": one["path"].removeprefix("/"), "value": one["value"]}
        for one in arguments["patches"]
    ]
    return {"json_doc_id": arguments["json_doc_id"], "changes": changes}


def _answer(prompt: Prompt) -> Answer:
    words = prompt.last_user_text
    kind = kind_of(prompt)
    say = {name: text[is_japanese(words)] for name, text in SCRIPT["replies"].items()}
    if kind == "verdict":
        return said("", call(_VERDICTS, verdicts(words)))
    if kind == "probe":
        return said("", call(_PROBE, {"word": words}))
    if kind == "search":
        return said(say["searched"], web_search=True)
    if calls := formed(prompt) if kind == "formation" else _calls(prompt):
        return said("", *calls)
    if prompt.tool_choice not in {"auto", "none"}:
        named = (one for one in prompt.tools if one.name == prompt.tool_choice)
        tool = next(named, prompt.tools[-1])
        return said("", call(tool.name, _filled(tool.parameters, say["form"])))
    if prompt.schema is not None:
        return said(json.dumps(_filled(prompt.schema, say["form"])))
    if kind == "formation":
        return said(say["nothing"])
    told = dict.fromkeys(_outcomes(prompt, say) or _replies(prompt, say))
    if len(told) > 1:
        told.pop(say["unknown"], None)
    # What it does not understand has no answer: it is neither rated nor made of memories.
    return said("\n\n".join(told), refuses=[*told] == [say["unknown"]])


def _filled(schema: Mapping[str, Any], text: str) -> dict[str, Any]:
    """Return a value for each field of a tool or of a structured answer: true, or a text."""
    fields = schema.get("properties", {}).items()
    return {name: field.get("type") == "boolean" or text for name, field in fields}


def _calls(prompt: Prompt) -> list[Call]:
    """Return for each clause its next call that is possible; all are calls of the same tool."""
    tools = {tool.name for tool in prompt.tools} - {one.name for one in prompt.fresh_results}
    calls: list[Call] = []
    for clause in read(prompt.last_user_text):
        values = _values(clause, prompt)
        remember = SCRIPT["remember"] if clause.to_remember else {}
        for tool, arguments in clause.rule.get("calls", remember).items():
            given = {name: values.get(value, value) for name, value in arguments.items()}
            if tool in tools and None not in given.values():
                calls.append(call(tool, given))
                break
    return [one for one in calls if one.name == calls[0].name]


def _values(said: Said, prompt: Prompt) -> dict[str, Any]:
    """Return what the arguments of a call may name; None for what there is none of."""
    stated = re.search(r"It is \w+, (\d{4}-\d\d-\d\dT\d\d:\d\d[^\s,]*)", prompt.instructions)
    now = datetime.fromisoformat(stated[1]) if stated else datetime.now(UTC)
    later = now + timedelta(hours=int(said.parts.get("hours", 0)))
    about = said.parts["about"].casefold()
    found = (one["key"] for one in _found(prompt) if about in str(one["value"]).casefold())
    return {
        **{f"={name}": part for name, part in said.parts.items()},
        "=content": {"kind": said.parts["kind"], **content_of(said.parts)},
        "=today": f"{now.date()}",
        "=later": later.isoformat(timespec="minutes"),
        "=id": next(found, None),
    }


def _found(prompt: Prompt) -> list[dict[str, Any]]:
    """Return what searches for memories have just found, as LangMem has it."""
    outputs = [one.output for one in prompt.fresh_results if one.name == _SEARCH]
    return [entry for output in outputs for entry in json_list(output)]


def _outcomes(prompt: Prompt, say: dict[str, str]) -> list[str]:
    """Return what is said of the outputs of the calls."""
    outputs = [one.output for one in prompt.fresh_results if one.name != _SEARCH]
    outcomes = SCRIPT["outcomes"].items()
    return [say[next(name for mark, name in outcomes if mark in output)] for output in outputs]


def _replies(prompt: Prompt, say: dict[str, str]) -> list[str]:
    """Return the replies to the files or else to the sentences of the message."""
    turns = [turn for turn in prompt.turns if turn.role == "user"]
    if files := [f"- {file}" for turn in turns[-1:] for file in turn.files]:
        return [say["files"].format("\n".join(files))]
    known, texts = known_in(prompt.instructions)
    # A frame is what others wrote.
    typed = [turn.text for turn in turns if not re.match(r"<\w+>\n", turn.text)]
    found = [str(one["value"]["content"]) for one in _found(prompt)]
    recent = map(str, framed(prompt.instructions, "recent_words"))
    learn(known, "\n".join([*texts, *found, *recent, *typed]))
    kept = [line["text"] for turn in turns for line in framed(turn.text, "kept")]
    known |= {f"kept {text}": {"kind": KEPT, "clause": text} for text in kept}
    told = [reply(one, [*known.values()], say) for one in read(prompt.last_user_text)]
    return told or [say["unknown"]]


def reply(said: Said, known: list[Memory], say: Mapping[str, str]) -> str:
    """Return what is said to one clause, in the words `say`, by what is known of the person."""
    if "corrects" in said.rule and not any(str(said.parts["x"]) in text_of(m, say) for m in known):
        return say["unknown"]
    if said.states:
        return say["said"].format(said.parts["whole"])
    texts = [text_of(one, say) for one in known]
    if said.name == "question":
        found = nearest(said.parts["quote"], texts)
        kept = {one["clause"] for one in known if one["kind"] == KEPT}
        return _quoting(found, say, "quote" if kept.isdisjoint(found) else "quote_kept")
    if "recalls" not in said.rule:
        return say.get(said.name, say["cannot"])
    recalled = re.compile(said.rule["recalls"], re.I)
    pairs = zip(known, texts, strict=True)
    return _quoting([text for one, text in pairs if recalled.search(f"{one['kind']} {text}")], say)


def _quoting(texts: list[str], say: Mapping[str, str], name: str = "quote") -> str:
    """Return a reply that quotes what the person, or others, said."""
    if not texts:
        return say["nothing"]
    return say[name].format("\n".join(f"- {text}" for text in texts))


def text_of(memory: Memory, say: Mapping[str, str]) -> str:
    """Return a memory in words that the person could have said."""
    if "to" in memory:
        return say["promised"].format(memory["clause"], memory["to"])
    if "thing" not in memory:
        return str(memory.get("clause", ""))
    opinion = "like" if int(memory.get("level", 100)) >= 50 else "dislike"
    return say[opinion].format(memory.get("detail") or memory["thing"])
