"""The output items of a response: checked, read as text, and sent back as input."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from bot.models.failures import ReplyFailed
from bot.models.model import LANGCHAIN_MESSAGE
from bot.slack.messages import CONTROL, storable
from bot.types import COMMENTARY
from memory.model import Json, objects, without_thoughts

Item: TypeAlias = Json
"""An output item or another object of the Responses API, as JSON."""

_PHASES = (COMMENTARY, "final_answer")
_CALL = ("type", "call_id", "name", "arguments")


def printable(text: str) -> str:
    """Return a model's text without control characters; halves of characters become U+FFFD."""
    whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return CONTROL.sub("", whole)


def checked_item(item: object) -> Item:
    """Return an output item, or only the fields of a call to send back. Raises `ReplyFailed`.

    Some servers write the arguments of a call as an object, or null, or give it no `call_id`.
    """
    if not isinstance(item, dict):
        raise ReplyFailed("model_malformed")
    if item.get("type") == "function_call":
        arguments = item.get("arguments", 0)
        if arguments is None or isinstance(arguments, dict):
            item = {**item, "arguments": json.dumps(arguments or {})}
        item = {**item, "call_id": item.get("call_id") or str(item.get("id"))}
    match item:
        case {
            "type": "function_call",
            "call_id": str(),
            "name": str(),
            "arguments": str(),
        }:
            return {name: storable(item[name]) for name in _CALL}
        case {"type": str(kind)} if kind != "function_call":
            return item
    raise ReplyFailed("model_malformed")


def text_of(item: Json) -> str:
    """Return the text of a message item without thoughts, its parts joined by blank lines."""
    return without_thoughts(raw_text_of(item))


def raw_text_of(item: Json) -> str:
    """Return the text of a message item as the model wrote it; a refusal is text, too."""
    texts = _texts(item.get("content"), {"output_text": "text", "refusal": "refusal"})
    return "\n\n".join(texts)


def is_refusal(item: Json) -> bool:
    """Return whether a message item refuses to answer, and says nothing else."""
    parts = [part.get("type") for part in objects(item.get("content"))]
    return set(parts) == {"refusal"}


def _texts(content: object, fields: Mapping[str, str]) -> list[str]:
    """Return the texts of parts that have any; `fields` names the field of each type."""
    found: list[str] = []
    for part in objects(content):
        text = part.get(fields.get(str(part.get("type")), ""))
        if isinstance(text, str) and text:
            found.append(text)
    return found


def calls_only_others(output: Sequence[Item]) -> bool:
    """Return whether a response calls tools of which none is the app's.

    The server may have carried them out, as those of MCP that a gateway adds, or nobody does.
    """
    kinds = {item["type"] for item in output}
    called = {kind for kind in kinds if kind.endswith("_call")}
    return bool(called) and "function_call" not in called


def sent_back(output: Sequence[Item]) -> list[Item]:
    """Return the reasoning, messages and calls of a response as input for the next one, in order.

    A message of LangChain holds all of them, and goes back as it is.

    Messages have their ``type``, without which llama.cpp refuses those of the assistant, and keep
    their ``phase``. A reasoning item is sent back with its encrypted content, or with its content
    as it came if the server does not encrypt it, or else not at all: the server has stored nothing
    that its id could refer to.

    Source: https://platform.openai.com/docs/guides/reasoning, and the schema ``MessagePhase`` of
    https://github.com/openai/openai-openapi
    """
    items: list[Item] = []
    for item in output:
        kind = item["type"]
        if kind in ("function_call", LANGCHAIN_MESSAGE):
            items.append(item)
        elif kind == "reasoning" and (reasoning := _reasoning(item)):
            items.append(reasoning)
        elif kind == "message" and (text := text_of(item)):
            message = {
                "type": "message",
                "role": "assistant",
                "content": storable(text),
            }
            if item.get("phase") in _PHASES:
                message["phase"] = item["phase"]
            items.append(message)
    return items


def _reasoning(item: Item) -> Item | None:
    """Return a reasoning item as it is sent back, or None if a part of it is missing."""
    identity = item.get("id")
    encrypted = item.get("encrypted_content")
    if not isinstance(identity, str):
        return None
    whole: Item = {"type": "reasoning", "id": storable(identity), "summary": []}
    if isinstance(encrypted, str) and encrypted:
        whole["encrypted_content"] = storable(encrypted)
        return whole
    thoughts = _texts(item.get("content"), {"reasoning_text": "text"})
    if not thoughts:
        return None
    parts = [
        {"type": "reasoning_text", "text": storable(thought)} for thought in thoughts
    ]
    # llama.cpp requires the field, and itself sends it empty.
    return whole | {"content": parts, "encrypted_content": ""}
