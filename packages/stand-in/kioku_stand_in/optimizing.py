"""Prompt improvement as LangMem's optimizers request it: the prompt with the feedback below it.

LangMem shows the prompt between ``<current_prompt>`` tags and what was said about a conversation
between ``<feedback>`` tags (read from langmem 0.0.30, ``langmem/prompts``). Of its tools the last
one decides.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping
from typing import Any, Final

from kioku_stand_in.memories import fill
from openai_double.answer import Answer, call, said
from openai_double.prompt import Prompt

_TOOLS: Final = frozenset({"critique", "recommend", "OptimizedPromptOutput"})
_CURRENT: Final = re.compile(r"<current_prompt>\n(.*?)\n</current_prompt>", re.S)
_FEEDBACK: Final = re.compile(r"<(feedback|recommendations)(?: \d+)?>\s*(.*?)\s*</\1", re.S | re.I)
_NO_ADVICE: Final = "No recommendations."


def improved(prompt: Prompt) -> Answer | None:
    """Return the answer to a request of an optimizer, None for any other request."""
    tools = {tool.name: tool.parameters for tool in prompt.tools}
    if _TOOLS & tools.keys():
        name = prompt.tool_choice if prompt.tool_choice in tools else [*tools][-1]
        return said("", call(name, _fields(prompt, tools[name])))
    if "new_prompt" in (prompt.schema or {}).get("properties", {}):
        fields = _fields(prompt, prompt.schema or {})
        return said(json.dumps(fields, ensure_ascii=False))
    return None


def _fields(prompt: Prompt, schema: Mapping[str, Any]) -> dict[str, Any]:
    """A value for each field of `schema`, as the request's words have it."""
    asked = next((turn.text for turn in prompt.turns if turn.role == "user"), "")
    advice, properties = _advice(asked), schema.get("properties", {})
    old = (_CURRENT.findall(asked) or [""])[0]
    new = "\n".join([old, *(one for one in advice if one not in old)])
    values = {
        "update_prompt": bool(advice),
        "warrants_adjustment": bool(advice),
        "new_prompt": new if advice else "",
        "improved_prompt": new,
        "full_recommendations": " ".join(advice) or _NO_ADVICE,
    }
    filled = fill({**schema, "required": list(properties)}, "The feedback asks for this.")
    return {name: values.get(name, filled[name]) for name in properties}


def _advice(asked: str) -> list[str]:
    """The sentences in the feedback, which may be a Python dict: scores in it say nothing."""
    found: list[Any] = []
    for _, text in _FEEDBACK.findall(asked):
        try:
            value = ast.literal_eval(text)
        except (ValueError, SyntaxError):
            value = text
        found += value.values() if isinstance(value, dict) else [value]
    texts = [one.strip() for one in found if isinstance(one, str)]
    said_nothing = {"", "good", _NO_ADVICE.lower()}
    return list(dict.fromkeys(one for one in texts if one.lower() not in said_nothing))
