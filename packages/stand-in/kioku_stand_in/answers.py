"""Answers a prompt with a verdict, memories, a search, calls, a filled form, or a reply."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any, Final

from kioku_stand_in.learning import (
    KEPT,
    formation_calls,
    learn,
    verdicts,
    without_fillers,
)
from kioku_stand_in.memories import Memory, framed_values, shown_in, values_in
from kioku_stand_in.nearest import fits, nearest
from kioku_stand_in.script import SCRIPT, is_japanese
from kioku_stand_in.sentences import Clause, clauses_in
from openai_double.answer import Answer, Call, make_answer, make_call
from openai_double.prompt import Prompt, ToolResult
from openai_double.types import Json

KINDS: Final = ("reply", "formation", "verdict", "search", "probe")
_PROBE: Final = "RepeatWord"
_VERDICTS: Final = "MemoryVerdicts"
_SEARCH: Final = "search_memory"  # LangMem's; its output is a list of memories
_CONTEXT_END: Final = "</context>\n\n"
_FRAME: Final = re.compile(r"<\w+>\n")
_MEMORY_OFF: Final = "Memory is off for this message"
# Whom a question is about, if not the person: what is known of the person does not answer it.
_SOMEBODY: Final = re.compile(
    r"@(\w+)|([^\s、はがのを@]+)(?:さん|くん)"
    r"|\b(?:is|does|did|has|about|can|will) ((?!I\b)[A-Z]\w+)"
)


def _replies(language: int) -> dict[str, str]:
    """Return the replies of the script in its first language, English, or the second, Japanese."""
    return {name: texts[language] for name, texts in SCRIPT["replies"].items()}


_IN_ENGLISH: Final = _replies(0)
_IN_JAPANESE: Final = _replies(1)


def kind_of(prompt: Prompt) -> str:
    """Return what Kioku or LangMem asks for; faults and scripts choose requests by it."""
    names = {tool.name for tool in prompt.tools}
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
    kind = kind_of(prompt)
    words = _without_context(prompt.last_user_text)
    replies = _IN_JAPANESE if is_japanese(words) else _IN_ENGLISH
    if _MEMORY_OFF in prompt.instructions:
        off = {"nothing": replies["off"], "said": replies["said_off"]}
        off["unknown"] = replies["said_off"]
        replies = {**replies, **off}
    if kind == "verdict":
        given = verdicts(words)
        return make_answer("", make_call(_VERDICTS, given))
    if kind == "probe":
        return make_answer("", make_call(_PROBE, {"word": words}))
    calls = (
        formation_calls(prompt) if kind == "formation" else _next_call(prompt, words)
    )
    if calls:
        return make_answer("", *calls)
    if prompt.tool_choice not in {"auto", "none"}:
        named = [tool for tool in prompt.tools if tool.name == prompt.tool_choice]
        tool = next(iter(named), prompt.tools[-1])
        form = _form(tool.parameters, replies["form"])
        return make_answer("", make_call(tool.name, form))
    if prompt.schema is not None:
        form = _form(prompt.schema, replies["form"])
        return make_answer(json.dumps(form))
    if kind == "formation":
        return make_answer(replies["nothing"])
    return _reply(prompt, words, replies)


def _without_context(text: str) -> str:
    """Return the words of the person in a message, without the context before them."""
    _, _, words = text.rpartition(_CONTEXT_END)
    return words


def _form(schema: Mapping[str, Any], text: str) -> Json:
    """Return a value for each field of a tool or a structured answer: true, or a text."""
    form: Json = {}
    for name, field in schema.get("properties", {}).items():
        is_boolean = field.get("type") == "boolean"
        form[name] = True if is_boolean else text
    return form


def _next_call(prompt: Prompt, words: str) -> list[Call]:
    """Return the first possible call that was not yet made since the person's words."""
    possible = {tool.name for tool in prompt.tools}
    possible.difference_update(result.name for result in prompt.fresh_results)
    for clause in clauses_in(words):
        for tool, arguments in _wanted(clause, prompt):
            if tool in possible:
                return [make_call(tool, arguments)]
    return []


def _wanted(clause: Clause, prompt: Prompt) -> Iterator[tuple[str, Json]]:
    """Yield the tools, Kioku's or LangMem's, that can do what a clause asks for."""
    words = without_fillers(clause.parts.get("words", clause.text))
    if clause.name == "remember":
        memory = clause.memories[0]
        content = {"kind": memory.kind, **memory.content}
        yield (
            "memory_change",
            {"action": "create", "evidence": clause.quote, "content": content},
        )
        yield "manage_memory", {"action": "create", "content": clause.parts["fact"]}
    if clause.name in ("forget", "question"):
        yield _SEARCH, {"query": words}
    if clause.name == "forget":
        for entry in _found(prompt):
            if words.casefold() in str(entry["value"]).casefold():
                yield "manage_memory", {"action": "delete", "id": entry["key"]}


def _found(prompt: Prompt) -> list[Json]:
    """Return what searches for memories have just found, as LangMem has it."""
    found: list[Json] = []
    for result in prompt.fresh_results:
        if result.name == _SEARCH:
            for entries in values_in(result.output):
                found += entries
    return found


def _reply(prompt: Prompt, words: str, replies: Mapping[str, str]) -> Answer:
    """Return the reply to the outputs of calls, to the files, or else to each clause."""
    results = [result for result in prompt.fresh_results if result.name != _SEARCH]
    files: Sequence[str] = ()
    if prompt.turns:
        files = prompt.turns[-1].files
    if results:
        sentences = [replies[_outcome(result)] for result in results]
    elif files:
        sentences = [replies["files"].format(_as_list(files))]
    else:
        known = _known(prompt)
        sentences = [reply(clause, known, replies) for clause in clauses_in(words)]
        sentences = sentences or [replies["ok"]]
    # If nothing is understood, this is a refusal: it is neither rated nor made of memories. What is
    # said while memory is off is not read.
    different = dict.fromkeys(sentences)
    understood = [one for one in different if one != replies["unknown"]]
    if not understood:
        is_off = replies["unknown"] == replies["said_off"]
        return make_answer(replies["unknown"], refuses=not is_off)
    return make_answer("\n\n".join(understood))


def _outcome(result: ToolResult) -> str:
    """Return the name of the reply to a call: that of the first mark in its name and output."""
    outcomes: dict[str, str] = SCRIPT["outcomes"]
    called = f"{result.name} {result.output}"
    return next(name for mark, name in outcomes.items() if mark in called)


def _as_list(lines: Sequence[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _known(prompt: Prompt) -> list[Memory]:
    """Return the memories in a prompt, updated by what was said since, and the kept lines."""
    messages = [turn.text for turn in prompt.turns if turn.role == "user"]
    shown = "\n".join([prompt.instructions, *messages])
    memories = {memory.subject: memory for memory in shown_in(shown)}
    marks = {memory.name.casefold(): memory.mark for memory in memories.values()}
    learn(memories, _said_since(prompt, shown, messages))
    # What is shown may be said in the conversation, too.
    own = [
        replace(memory, mark=marks.get(memory.name.casefold(), ""))
        for memory in memories.values()
    ]
    lines = framed_values(shown, "kept")
    kept = [
        Memory(KEPT, {"text": line["text"]}, mark=line.get("mark", ""))
        for line in lines
    ]
    return [*own, *kept]


def _said_since(prompt: Prompt, shown: str, messages: Sequence[str]) -> str:
    """Return what the person said that no memory shown has: found, recent, and in `messages`."""
    said = [str(entry["value"]["content"]) for entry in _found(prompt)]
    said += map(str, framed_values(shown, "recent_words"))
    for message in messages:
        typed = _without_context(message)
        if not _FRAME.match(typed):  # a frame has what others wrote
            said.append(typed)
    return "\n".join(said)


def reply(clause: Clause, known: Sequence[Memory], replies: Mapping[str, str]) -> str:
    """Return the reply to a clause, in these words, from what is known about the person."""
    own = [memory for memory in known if memory.kind != KEPT]
    if clause.name == "question":
        lines = [memory for memory in known if memory.kind == KEPT]
        fitting = [one for one in lines if fits(clause.quote, one.name)]
        possible = [*own, *fitting]
        with_kinds = [f"{one.kind} {one.text(replies)}" for one in possible]
        answering = [possible[index] for index in nearest(clause.quote, with_kinds)]
        for somebody in filter(None, chain(*_SOMEBODY.findall(clause.quote))):
            answering = [one for one in answering if somebody in one.text(replies)]
        return _quoting(answering, replies)
    if clause.name == "recall":
        return _quoting(own, replies)
    if not _is_known(clause, own, replies):
        return replies["unknown"]
    is_news = any(memory.quote == clause.quote for memory in known)
    if "kind" in clause.rule or clause.memories or is_news:
        return replies["said"]
    return replies.get(clause.name, replies["cannot"])


def _is_known(
    clause: Clause, known: Sequence[Memory], replies: Mapping[str, str]
) -> bool:
    """Return whether there is what a clause corrects, or the promise that it is about.

    In `known` a correction is made already. Any other clause needs nothing that is known.
    """
    if clause.name == "correct":
        new = clause.parts["new"]
        return any(new in memory.text(replies) for memory in known)
    if clause.name in ("moved", "fulfilled") and not clause.memories:
        return any(memory.quote == clause.quote for memory in known)
    return True


def _quoting(memories: Sequence[Memory], replies: Mapping[str, str]) -> str:
    """Return a reply that quotes what the person, or others, said, and cites it."""
    if not memories:
        return replies["nothing"]
    marks: dict[str, str] = {}  # a sentence may be what several memories say
    for memory in memories:
        text = memory.text(replies)
        mark = f" [{memory.mark}]" if memory.mark else ""
        marks[text] = marks.get(text, "") + mark
    lines = [f"{text}{of_it}" for text, of_it in marks.items()]
    return replies["quote"].format(_as_list(lines))
