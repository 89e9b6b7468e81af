"""Shapes of a request that some servers, and the chat templates of some models, ask for.

A `Shape` is used from the first request that a server refuses without it until the process ends.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from memory.model import Json

_CALL_ID: Final = re.compile("[A-Za-z0-9]{9}")


@dataclass(frozen=True, slots=True)
class Shape:
    """A shape: `refusal` matches what servers say without it; `of` gives it to a request's body."""

    name: str
    refusal: re.Pattern[str]
    of: Callable[[Json], Json]


def alternating(items: Sequence[Json]) -> list[Json]:
    """Return messages, with consecutive ones of the same role merged into one.

    What others wrote stays in its frame: only the message around it is shared.
    """
    merged: list[Json] = []
    for item in items:
        before = merged[-1] if merged else {}
        role = item.get("role")
        if role is None or before.get("role") != role:
            merged.append(item)
        else:
            merged[-1] = {
                **before,
                "content": _joined(before["content"], item["content"]),
            }
    return merged


def _joined(first: Any, second: Any) -> Any:
    if isinstance(first, str) and isinstance(second, str):
        return f"{first}\n\n{second}"
    return [*_parts(first), *_parts(second)]


def _parts(content: Any) -> list[Json]:
    if isinstance(content, str):
        return [{"type": "input_text", "text": content}]
    return list(content)


def with_short_call_ids(items: Sequence[Json]) -> list[Json]:
    """Return items whose call ids are nine letters and digits."""
    changed: list[Json] = []
    for item in items:
        identity = item.get("call_id")
        if identity is not None and not _CALL_ID.fullmatch(identity):
            item = {
                **item,
                "call_id": hashlib.sha256(identity.encode()).hexdigest()[:9],
            }
        changed.append(item)
    return changed


def one_call_at_a_time(items: Sequence[Json]) -> list[Json]:
    """Return items in which each call is directly followed by its output."""
    outputs: dict[str, Json] = {}
    for item in items:
        if item.get("type") == "function_call_output":
            outputs[item["call_id"]] = item
    ordered: list[Json] = []
    for item in items:
        kind = item.get("type")
        if kind == "function_call_output":
            continue
        ordered.append(item)
        if kind == "function_call" and item["call_id"] in outputs:
            ordered.append(outputs[item["call_id"]])
    return ordered


def _of_items(change: Callable[[Sequence[Json]], list[Json]]) -> Callable[[Json], Json]:
    def changed(body: Json) -> Json:
        return {**body, "input": change(body["input"])}

    return changed


def _without(name: str) -> Callable[[Json], Json]:
    def changed(body: Json) -> Json:
        return {key: value for key, value in body.items() if key != name}

    return changed


def _without_reasoning(body: Json) -> Json:
    """Return a body that neither asks for reasoning items nor sends them back."""
    items = [item for item in body["input"] if item.get("type") != "reasoning"]
    return {**_without("include")(body), "input": items}


# Sources: the chat templates of Mistral's models, Gemma 2 and Llama 3, and what other hosts say.
SHAPES: Final = (
    Shape(
        "alternating roles",
        re.compile(
            r"roles? must alternate|alternate between user|consecutive .{0,20}messages?"
        ),
        _of_items(alternating),
    ),
    Shape(
        "call ids of nine characters",
        re.compile(r"[Tt]ool call IDs? should be alphanumeric"),
        _of_items(with_short_call_ids),
    ),
    Shape(
        "one call at a time",
        re.compile(r"single tool-calls? at once|one tool call at a time"),
        _of_items(one_call_at_a_time),
    ),
)
"""Shapes of the conversation; a server may refuse their lack with any status."""

WITHOUT_LIMIT: Final = Shape(
    "requests without max_output_tokens",
    re.compile(
        r"max_output_tokens|max_tokens|max_completion_tokens"
        r"|requested [1-9]\d* output tokens|output tokens must be reduced"
    ),
    _without("max_output_tokens"),
)
# Sources: the errors of OpenAI, Azure OpenAI, vLLM, Ollama and llama.cpp.
OPTIONAL: Final = (
    WITHOUT_LIMIT,
    Shape(
        "requests without safety_identifier",
        re.compile("safety_identifier"),
        _without("safety_identifier"),
    ),
    Shape(
        "requests without stream_options",
        re.compile("stream_options|include_usage"),
        _without("stream_options"),
    ),
    Shape(
        "requests without reasoning",
        re.compile(
            r"\beffort\b|reasoning_effort|reasoning value|^reasoning |'reasoning'"
        ),
        _without("reasoning"),
    ),
    Shape(
        "requests without include",
        re.compile(
            r"\binclude\b|encrypted|reasoning|\brs_|item\['content'\] is not an array",
            re.IGNORECASE,
        ),
        _without_reasoning,
    ),
)
"""Parameters that a server may refuse, in the order in which they are tried."""
