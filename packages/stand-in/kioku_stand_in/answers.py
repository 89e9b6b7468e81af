"""Answers a prompt with a verdict, memories, a search, calls, a filled form, or a reply."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from kioku_stand_in.learning import KEPT, formed, learn, subject, verdicts
from kioku_stand_in.memories import Memory, framed, shown_in, values_in
from kioku_stand_in.nearest import nearest
from kioku_stand_in.schema_calls import as_json, with_tools
from kioku_stand_in.script import SCRIPT, is_japanese
from kioku_stand_in.sentences import Said, read
from openai_double.answer import Answer, Call, call, said
from openai_double.prompt import Prompt

KINDS: Final = ("reply", "formation", "verdict", "search", "probe")
_PROBE: Final = "RepeatWord"
_VERDICTS: Final = "MemoryVerdicts"
_SEARCH: Final = "search_memory"  # LangMem's; its output is a list of memories
_CONTEXT_END: Final = "</context>\n\n"
_NOW: Final = re.compile(r"It is \w+, (\d{4}-\d\d-\d\dT\d\d:\d\d[^\s,]*)")


def kind_of(prompt: Prompt) -> str:
    """Return what Kioku or LangMem asks for; faults and scripts choose requests by it."""
    names = {tool.name for tool in with_tools(prompt).tools}
    if _PROBE in names:
        return "probe"
    if _VERDICTS in names:
        return "verdict"
    if prompt.searches_only and not prompt.instructions:
        return "search"
    return "formation" if names and "<session_" in prompt.last_user_text else "reply"


def answer_to(prompt: Prompt) -> Answer:
    """Return the scripted answer to `prompt`."""
    asked = with_tools(prompt)
    if asked is prompt:
        return _answer(prompt)
    return as_json(_answer(asked))


def _answer(prompt: Prompt) -> Answer:
    """Return the answer to a prompt that has its tools."""
    words = _words(prompt)
    kind = kind_of(prompt)
    say = _say(words)
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
        return said("", call(tool.name, _form(tool.parameters, say["form"])))
    if prompt.schema is not None:
        return said(json.dumps(_form(prompt.schema, say["form"])))
    if kind == "formation":
        return said(say["nothing"])
    return _reply(prompt, say)


def _words(prompt: Prompt) -> str:
    """Return the newest words of the person, without the context before them."""
    return prompt.last_user_text.rpartition(_CONTEXT_END)[2]


def _say(words: str) -> dict[str, str]:
    """Return the replies in the language of the words."""
    return {name: text[is_japanese(words)] for name, text in SCRIPT["replies"].items()}


def _form(schema: Mapping[str, Any], text: str) -> dict[str, Any]:
    """Return a value for each field of a tool or a structured answer: true, or a text."""
    fields = schema.get("properties", {}).items()
    return {name: field.get("type") == "boolean" or text for name, field in fields}


def _calls(prompt: Prompt) -> list[Call]:
    """Return the first possible call that was not yet made since the person's words."""
    tools = {tool.name for tool in prompt.tools} - {one.name for one in prompt.fresh_results}
    for clause in read(_words(prompt)):
        for tool, arguments in _wanted(clause, prompt):
            if tool in tools:
                return [call(tool, arguments)]
    return []


def _wanted(clause: Said, prompt: Prompt) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the tools, Kioku's or LangMem's, that can do what a clause asks for."""
    arguments = {**clause.rule.get("with", {}), **clause.parts}
    words = subject(arguments.get("words", clause.clause))
    if clause.name == "forget":
        arguments["words"] = words
    if "tool" in clause.rule or "with" in clause.rule:
        yield clause.rule.get("tool", "memory_settings"), _with_times(arguments, prompt)
    if clause.name == "remember":
        [memory, *_] = clause.memories
        content = {"kind": memory.kind, **memory.content}
        yield "memory_change", {"action": "create", "evidence": clause.quote, "content": content}
        yield "manage_memory", {"action": "create", "content": arguments["fact"]}
    if clause.name in ("forget", "question"):
        yield _SEARCH, {"query": words}
    if clause.name == "forget":
        for entry in _found(prompt):
            if words.casefold() in str(entry["value"]).casefold():
                yield "manage_memory", {"action": "delete", "id": entry["key"]}


def _with_times(arguments: dict[str, Any], prompt: Prompt) -> dict[str, Any]:
    """Return arguments with times computed from the line of the prompt that has the time."""
    stated = _NOW.search("\n".join([prompt.instructions, prompt.last_user_text]))
    now = datetime.fromisoformat(stated[1]) if stated else datetime.now(UTC)
    hours = arguments.pop("hours", None)
    if hours:
        arguments["until"] = (now + timedelta(hours=int(hours))).isoformat(timespec="minutes")
    if "since" in arguments:
        arguments["since"] = f"{now.date()}"
    return arguments


def _found(prompt: Prompt) -> list[dict[str, Any]]:
    """Return what searches for memories have just found, as LangMem has it."""
    outputs = [one.output for one in prompt.fresh_results if one.name == _SEARCH]
    return [entry for found in values_in("\n".join(outputs)) for entry in found]


def _reply(prompt: Prompt, say: Mapping[str, str]) -> Answer:
    """Return the reply to the outputs of calls, to the files, or else to each clause."""
    outputs = [one.output for one in prompt.fresh_results if one.name != _SEARCH]
    files = [f"- {file}" for turn in prompt.turns[-1:] for file in turn.files]
    if outputs:
        outcomes = SCRIPT["outcomes"].items()
        told = [say[next(name for mark, name in outcomes if mark in one)] for one in outputs]
    elif files:
        told = [say["files"].format("\n".join(files))]
    else:
        known = _known(prompt)
        told = [reply(one, known, say) for one in read(_words(prompt))]
    # If nothing is understood, this is a refusal: it is neither rated nor made of memories.
    understood = [one for one in dict.fromkeys(told) if one != say["unknown"]]
    if not understood:
        return said(say["unknown"], refuses=True)
    return said("\n\n".join(understood))


def _known(prompt: Prompt) -> list[Memory]:
    """Return the memories in a prompt, updated by what was said since, and the kept lines."""
    turns = [turn.text for turn in prompt.turns if turn.role == "user"]
    shown = "\n".join([prompt.instructions, *turns])
    known = {memory.subject: memory for memory in shown_in(shown)}
    found = [str(entry["value"]["content"]) for entry in _found(prompt)]
    recent = map(str, values_in(framed(shown, "recent_words")))
    # A frame has what others wrote.
    words = [text.rpartition(_CONTEXT_END)[2] for text in turns]
    typed = [text for text in words if not re.match(r"<\w+>\n", text)]
    learn(known, "\n".join([*found, *recent, *typed]))
    kept = [Memory(KEPT, {"text": line["text"]}) for line in values_in(framed(shown, "kept"))]
    return [*known.values(), *kept]


def reply(said: Said, known: Sequence[Memory], say: Mapping[str, str]) -> str:
    """Return the reply to a clause, in the words `say`, from what is known about the person."""
    texts = [memory.text(say) for memory in known]
    if said.name == "question":
        found = nearest(said.quote, [f"{memory.kind} {memory.text(say)}" for memory in known])
        return _quoting([texts[at] for at in found], say)
    if said.name == "recall":
        return _quoting(texts, say)
    if said.name == "correct" and not any(said.parts["new"] in text for text in texts):
        return say["unknown"]
    if "kind" in said.rule or said.memories:
        return say["said"].format(said.clause)
    return say.get(said.name, say["cannot"])


def _quoting(texts: Sequence[str], say: Mapping[str, str]) -> str:
    """Return a reply that quotes what the person, or others, said."""
    if not texts:
        return say["nothing"]
    return say["quote"].format("\n".join(f"- {text}" for text in texts))
