"""Prompt improvement as LangMem's optimizers request it: reflect, judge, rewrite the prompt.

LangMem shows the prompt between ``<current_prompt>`` tags and what was said about a conversation
between ``<feedback>`` tags (read from langmem 0.0.30, ``langmem/prompts``). The new prompt here is
the old one with that feedback as further sentences; without feedback nothing is changed.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from typing import Any, Final

from kioku_stand_in.fill import fill
from openai_double.prompt import Prompt, Tool

_REFLECTION_TOOLS: Final = frozenset({"critique", "recommend", "OptimizedPromptOutput", "Classify"})
_THINKING: Final = ("think", "critique")
_CURRENT: Final = re.compile(r"<current_prompt>\n(?P<text>.*?)\n</current_prompt>", re.S)
_FEEDBACK: Final = re.compile(
    r"<(?P<tag>feedback|recommendations)(?: \d+)?>\s*(?P<text>.*?)\s*</(?P=tag)(?: \d+)?>",
    re.S | re.I,
)
_NAMES: Final = re.compile(r"Must be among (?P<names>\[[^\]]*\])")
_NO_ADVICE: Final = "No recommendations."


def is_wanted(prompt: Prompt) -> bool:
    """Whether LangMem asks for a better prompt, or which of several is to be improved."""
    form = (prompt.schema or {}).get("properties", {})
    return bool(_REFLECTION_TOOLS & {tool.name for tool in prompt.tools}) or (
        "new_prompt" in form and _CURRENT.search(prompt.last_user_text) is not None
    )


def tool_for(prompt: Prompt) -> Tool:
    """The tool to call now: a thought comes first where there is one to think with."""
    tools = {tool.name: tool for tool in prompt.tools}
    if prompt.tool_choice in tools:
        return tools[prompt.tool_choice]
    thinking = [tools[name] for name in _THINKING if name in tools]
    deciding = [tool for tool in prompt.tools if tool not in thinking]
    thought = any(result.name in _THINKING for result in prompt.results)
    if thinking and not (thought and deciding):
        return thinking[-1] if thought else thinking[0]
    return deciding[0]


def fields_for(prompt: Prompt, schema: Mapping[str, Any]) -> dict[str, Any]:
    """A value for each field of `schema`, as the request's words have it."""
    asked = next((turn.text for turn in prompt.turns if turn.role == "user"), "")
    advice = _advice(asked)
    current, said = _CURRENT.search(asked), " ".join(advice)
    old = current["text"] if current else ""
    new = "\n".join([old, *(one for one in advice if one not in old)])
    thought = f"The feedback was: {said}" if said else "The feedback asks for no change."
    names = _NAMES.search(str(schema.get("properties", {}).get("which", {}).get("description")))
    choices: list[str] = ast.literal_eval(names["names"]) if names else []
    values: dict[str, Any] = {
        "update_prompt": bool(advice),
        "warrants_adjustment": bool(advice),
        "new_prompt": new if advice else "",
        "improved_prompt": new,
        "full_recommendations": said or _NO_ADVICE,
        "which": [name for name in choices if name.lower() in said.lower()],
    }
    properties = schema.get("properties", {})
    filled = fill({**schema, "required": list(properties)}, thought)
    return {name: values.get(name, filled[name]) for name in properties}


def _advice(asked: str) -> list[str]:
    """The sentences in the feedback, which may be a Python dict: scores in it say nothing."""
    found: list[Any] = []
    for match in _FEEDBACK.finditer(asked):
        try:
            value = ast.literal_eval(match["text"])
        except (ValueError, SyntaxError):
            value = match["text"]
        found += value.values() if isinstance(value, dict) else [value]
    texts = [one.strip() for one in found if isinstance(one, str)]
    return list(
        dict.fromkeys(one for one in texts if one.lower() not in {"", "good", _NO_ADVICE.lower()})
    )
