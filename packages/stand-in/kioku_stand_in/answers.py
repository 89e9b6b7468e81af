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
from openai_double.prompt import Prompt, Tool

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
    if names and "<session_" in prompt.last_user_text:
        return "formation"
    return "reply"


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
    calls = formed(prompt) if kind == "formation" else _calls(prompt)
    if calls:
        return said("", *calls)
    if prompt.tool_choice not in {"auto", "none"}:
        tool = _chosen(prompt)
        return said("", call(tool.name, _form(tool.parameters, say["form"])))
    if prompt.schema is not None:
        return said(json.dumps(_form(prompt.schema, say["form"])))
    if kind == "formation":
        return said(say["nothing"])
    return _reply(prompt, say)


def _chosen(prompt: Prompt) -> Tool:
    """Return the tool that the prompt names, or, if any will do, the last one."""
    for tool in prompt.tools:
        if tool.name == prompt.tool_choice:
            return tool
    return prompt.tools[-1]


def _words(prompt: Prompt) -> str:
    """Return the newest words of the person, without the context before them."""
    return prompt.last_user_text.rpartition(_CONTEXT_END)[2]


def _say(words: str) -> dict[str, str]:
    """Return the replies in the language of the words."""
    language = 1 if is_japanese(words) else 0
    return {name: texts[language] for name, texts in SCRIPT["replies"].items()}


def _form(schema: Mapping[str, Any], text: str) -> dict[str, Any]:
    """Return a value for each field of a tool or a structured answer: true, or a text."""
    form: dict[str, Any] = {}
    for name, field in schema.get("properties", {}).items():
        form[name] = True if field.get("type") == "boolean" else text
    return form


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
        for key in _found_with(words, prompt):
            yield "manage_memory", {"action": "delete", "id": key}


def _with_times(arguments: dict[str, Any], prompt: Prompt) -> dict[str, Any]:
    """Return arguments with times computed from the line of the prompt that has the time."""
    stated = _NOW.search(f"{prompt.instructions}\n{prompt.last_user_text}")
    now = datetime.fromisoformat(stated[1]) if stated else datetime.now(UTC)
    hours = arguments.pop("hours", None)
    if hours:
        arguments["until"] = (now + timedelta(hours=int(hours))).isoformat(timespec="minutes")
    if "since" in arguments:
        arguments["since"] = f"{now.date()}"
    return arguments


def _found_with(words: str, prompt: Prompt) -> Iterator[str]:
    """Yield the ids of the memories just found that contain these words."""
    for entry in _found(prompt):
        if words.casefold() in str(entry["value"]).casefold():
            yield entry["key"]


def _found(prompt: Prompt) -> list[dict[str, Any]]:
    """Return what searches for memories have just found, as LangMem has it."""
    found: list[dict[str, Any]] = []
    for one in prompt.fresh_results:
        if one.name == _SEARCH:
            for entries in values_in(one.output):
                found += entries
    return found


def _reply(prompt: Prompt, say: Mapping[str, str]) -> Answer:
    """Return the reply to the outputs of calls, to the files, or else to each clause."""
    outputs = [one.output for one in prompt.fresh_results if one.name != _SEARCH]
    newest = prompt.turns[-1] if prompt.turns else None
    if outputs:
        told = [say[_outcome(one)] for one in outputs]
    elif newest is not None and newest.files:
        told = [say["files"].format(_as_list(newest.files))]
    else:
        known = _known(prompt)
        told = [reply(one, known, say) for one in read(_words(prompt))]
    # If nothing is understood, this is a refusal: it is neither rated nor made of memories.
    understood = [one for one in dict.fromkeys(told) if one != say["unknown"]]
    if not understood:
        return said(say["unknown"], refuses=True)
    return said("\n\n".join(understood))


def _outcome(output: str) -> str:
    """Return the name of the reply to the output of a call: that of the first mark in it."""
    outcomes: dict[str, str] = SCRIPT["outcomes"]
    return next(name for mark, name in outcomes.items() if mark in output)


def _as_list(lines: Sequence[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _known(prompt: Prompt) -> list[Memory]:
    """Return the memories in a prompt, updated by what was said since, and the kept lines."""
    turns = [turn.text for turn in prompt.turns if turn.role == "user"]
    shown = "\n".join([prompt.instructions, *turns])
    known = {memory.subject: memory for memory in shown_in(shown)}
    said_since = [str(entry["value"]["content"]) for entry in _found(prompt)]
    said_since += [str(words) for words in values_in(framed(shown, "recent_words"))]
    for text in turns:
        words = text.rpartition(_CONTEXT_END)[2]
        if not re.match(r"<\w+>\n", words):  # a frame has what others wrote
            said_since.append(words)
    learn(known, "\n".join(said_since))
    kept = [Memory(KEPT, {"text": line["text"]}) for line in values_in(framed(shown, "kept"))]
    return [*known.values(), *kept]


def reply(said: Said, known: Sequence[Memory], say: Mapping[str, str]) -> str:
    """Return the reply to a clause, in the words `say`, from what is known about the person."""
    texts = [memory.text(say) for memory in known]
    if said.name == "question":
        with_kinds = [f"{memory.kind} {memory.text(say)}" for memory in known]
        found = nearest(said.quote, with_kinds)
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
    return say["quote"].format(_as_list(texts))
