"""From a prompt to an answer: formation, a verdict, a search, a filled form, calls, or a reply."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping
from typing import Any, Final, Literal

from kioku_stand_in.memories import formed, verdicts
from kioku_stand_in.replies import calls_for, outcome_of, reply_to
from kioku_stand_in.sentences import SCRIPT, is_japanese
from openai_double.answer import Answer, call, said
from openai_double.prompt import Prompt

Kind = Literal["reply", "formation", "verdict", "search"]
_VERDICTS: Final = "MemoryVerdicts"
_FEEDBACK: Final = re.compile(r"<(feedback|recommendations)(?: \d+)?>\s*(.*?)\s*</\1", re.S | re.I)


def kind_of(prompt: Prompt) -> Kind:
    """Return what Kioku or LangMem asks for, by which faults and scripts choose requests."""
    if prompt.tool_choice == _VERDICTS or _VERDICTS in prompt.instructions:
        return "verdict"
    if prompt.searches_only and not prompt.instructions:
        return "search"
    return "formation" if prompt.tools and "<session_" in prompt.last_user_text else "reply"


def answer_to(prompt: Prompt) -> Answer:
    """Return the scripted answer to `prompt`."""
    words, kind, choice = prompt.last_user_text, kind_of(prompt), prompt.tool_choice
    if kind == "verdict":
        judged = verdicts(words)
        return said("", call(_VERDICTS, judged)) if prompt.tools else said(_json(judged))
    if kind == "search":
        text = SCRIPT["replies"]["searched"][is_japanese(words)]
        cited = {"url": "https://example.com/", "title": words, "start_index": 0}
        return said(text, annotations=({**cited, "end_index": len(text)},), web_search=True)
    if calls := formed(prompt) if kind == "formation" else calls_for(prompt):
        return said("", *calls)
    if choice not in {"auto", "none"}:
        tool = next((one for one in prompt.tools if one.name == choice), prompt.tools[-1])
        return said("", call(tool.name, _filled(tool.parameters, prompt)))
    if prompt.schema is not None:
        return said(_json(_filled(prompt.schema, prompt)))
    if kind == "formation":
        return said("There is nothing here to remember.")
    if text := outcome_of(prompt):
        return said(text)
    # A sentence that it does not understand is no answer: it is neither rated nor made of memories.
    text, unknown = reply_to(prompt)
    return said(text, refuses=unknown)


def _filled(schema: Mapping[str, Any], prompt: Prompt) -> dict[str, Any]:
    """Return a value for each field of a tool or of a structured answer.

    LangMem's prompt optimizers (0.0.30) ask for the current prompt with the feedback on it.
    """
    asked = next((turn.text for turn in prompt.turns if turn.role == "user"), "")
    advice = []
    for _, text in _FEEDBACK.findall(asked):
        value = ast.literal_eval(text) if text.startswith("{") else text
        advice.append(value.get("feedback", "") if isinstance(value, dict) else value)
    old = "".join(re.findall(r"<current_prompt>\n(.*?)\n</current_prompt>", asked, re.S))
    new = "\n".join(dict.fromkeys([old, *filter(None, advice)]))
    text = "\n".join(filter(None, advice)) or "Nothing changes."
    named = {"new_prompt": new if new != old else "", "improved_prompt": new}
    return {
        name: named.get(name, new != old if field.get("type") == "boolean" else text)
        for name, field in schema.get("properties", {}).items()
    }


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
