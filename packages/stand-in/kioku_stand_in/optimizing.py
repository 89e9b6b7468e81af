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

from kioku_stand_in import fill
from openai_double.prompt import Prompt, Tool

_REFLECTION_TOOLS: Final = frozenset({"critique", "recommend", "OptimizedPromptOutput", "Classify"})
_CURRENT: Final = re.compile(r"<current_prompt>\n(?P<text>.*?)\n</current_prompt>", re.S)
_FEEDBACK: Final = re.compile(
    r"<feedback(?P<n> \d+)?>\s*(?P<text>.*?)\s*</feedback(?P=n)>|"
    r"<FEEDBACK>\s*(?P<session>.*?)\s*</FEEDBACK>|"
    r"<recommendations>\s*(?P<advice>.*?)\s*</recommendations>",
    re.S,
)
_CHOICES: Final = re.compile(r"Must be among (?P<names>\[[^\]]*\])")
_SHOWN: Final = re.compile(r"prompts being optimized:\n(?P<body>.*)\n\nReturn JSON", re.S)
_PRAISE: Final = re.compile(
    r"^(?:no recommendations|none|ok(?:ay)?|great|good|perfect|excellent|thanks?|thank you|nice|"
    r"well done|良い|いいね|完璧|ありがとう)\b.{0,30}$",
    re.IGNORECASE,
)


def is_wanted(prompt: Prompt) -> bool:
    """Whether LangMem asks for a better prompt, or which of several is to be improved."""
    tools = {tool.name for tool in prompt.tools}
    if tools & _REFLECTION_TOOLS:
        return True
    form = (prompt.schema or {}).get("properties", {})
    return "new_prompt" in form and _CURRENT.search(prompt.last_user_text) is not None


def tool_for(prompt: Prompt) -> Tool:
    """The tool to call now: a thought comes first where there is one to think with."""
    tools = {tool.name: tool for tool in prompt.tools}
    thinking = [tools[name] for name in ("think", "critique") if name in tools]
    deciding = [tool for tool in prompt.tools if tool not in thinking]
    thought = any(result.name in {"think", "critique"} for result in prompt.results)
    if prompt.tool_choice in tools:
        return tools[prompt.tool_choice]
    if thinking and (not thought or not deciding):
        return thinking[-1] if thought else thinking[0]
    return deciding[0]


def fields_for(prompt: Prompt, schema: Mapping[str, Any]) -> dict[str, Any]:
    """A value for each field of `schema`, as the request's words have it."""
    asked = next((turn.text for turn in prompt.turns if turn.role == "user"), "")
    advice = _advice(asked)
    current = _CURRENT.search(asked)
    old = current["text"] if current else ""
    said = " ".join(advice)
    thought = f"The feedback was: {said}" if said else "The feedback asks for no change."
    values: dict[str, Any] = {
        "update_prompt": bool(advice),
        "warrants_adjustment": bool(advice),
        "new_prompt": _improved(old, advice) if advice else "",
        "improved_prompt": _improved(old, advice),
        "full_recommendations": said or "No recommendations.",
        "which": _which(asked, said, schema) if advice else [],
    }
    properties = schema.get("properties", {})
    filled = fill.fill({**schema, "required": list(properties)}, thought)
    return {name: values.get(name, filled[name]) for name in properties}


def _advice(asked: str) -> list[str]:
    found = []
    for match in _FEEDBACK.finditer(asked):
        text = match["text"] or match["session"] or match["advice"] or ""
        found += [one.strip() for one in _texts(text) if not _PRAISE.match(one.strip())]
    return list(dict.fromkeys(one for one in found if re.search(r"\w", one)))


def _texts(feedback: str) -> list[str]:
    """The sentences in a feedback, which may be a Python dict: scores in it say nothing."""
    try:
        value = ast.literal_eval(feedback)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return [feedback]
    if isinstance(value, dict):
        return [one for one in value.values() if isinstance(one, str)]
    return [value] if isinstance(value, str) else []


def _improved(old: str, advice: list[str]) -> str:
    return "\n".join([old, *(one for one in advice if one not in old)])


def _which(asked: str, said: str, schema: Mapping[str, Any]) -> list[str]:
    """The names of the prompts that the feedback speaks of: by name, else by shared words."""
    description = str(schema.get("properties", {}).get("which", {}).get("description", ""))
    choices = _CHOICES.search(description)
    names: list[str] = ast.literal_eval(choices["names"]) if choices else []
    named = [name for name in names if name.lower() in said.lower()]
    if named or not names:
        return named
    shown = _SHOWN.search(asked)
    starts = "|".join(re.escape(name) for name in names)
    parts = re.split(rf"^({starts}): ", shown["body"] if shown else "", flags=re.M)
    texts = dict(zip(parts[1::2], parts[2::2], strict=True))
    words = _stems(said)
    shared = {name: len(words & _stems(f"{name} {texts.get(name, '')}")) for name in names}
    most = max(shared.values())
    return [name for name in names if shared[name] == most]


def _stems(text: str) -> set[str]:
    """Its longer words, cut so that "research" and "researcher" are one."""
    return {word[:5] for word in re.findall(r"[a-z]{5,}", text.lower())} | set(
        re.findall(r"[ァ-ヺー]{2,}|[一-鿿]{2,}", text)
    )
