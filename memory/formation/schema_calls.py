"""Tool calls as JSON that follows a schema, for models and servers without tools.

The schema is bounded so that an answer ends: a small model repeats itself where it can.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from langchain_core.messages import BaseMessage, ToolCall

from memory.formation.tool_definitions import ToolDefinition
from memory.model.text import Json, json_in, parse_json, with_objects

# Together these stay within the tokens that an answer may have.
_MOST_CALLS = 12
_MOST_ITEMS = 20  # of a list
_MOST_CHARACTERS = 200  # of a text
_PATCHES = "patches"
# Changes of single fields: a small model makes mistakes in JSON Patch.
_CHANGES: Json = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {
            "field": {"type": "string", "description": "the name of a field"},
            "value": {
                "anyOf": [{"type": "string"}, {"type": "number"}, {"type": "boolean"}]
            },
        },
        "required": ["field", "value"],
    },
}


def response_format(tools: Sequence[ToolDefinition]) -> Json:
    """Return the parameter ``response_format`` for an answer that can call any of these tools.

    Source: https://platform.openai.com/docs/guides/structured-outputs
    """
    entries = [with_objects(_entry(tool), _bounded) for tool in tools]
    calls = {"type": "array", "items": {"anyOf": entries}, "maxItems": _MOST_CALLS}
    schema = {
        "type": "object",
        "properties": {"calls": calls},
        "required": ["calls"],
        "additionalProperties": False,
    }
    return {"type": "json_schema", "json_schema": {"name": "calls", "schema": schema}}


def conversation_text(
    messages: Sequence[BaseMessage], tools: Sequence[ToolDefinition]
) -> str:
    """Return a conversation and the forms of the tools' arguments as one text.

    Every chat template accepts one message of the role ``user``; some accept nothing else.
    """
    texts = [_text(message) for message in messages]
    texts = [text for text in texts if text]
    how = [
        'Answer in JSON: {"calls": […]}, with one entry for each tool that you call, and no entry'
        " if you call none. An entry has one of these forms; leave out what is not known:"
    ]
    for tool in tools:
        form = json.dumps(_sketch(_entry(tool)), ensure_ascii=False)
        purpose = tool["function"].get("description") or ""
        how.append(f"{form} {purpose}".strip())
    return "\n\n".join([*texts, "\n".join(how)])


def read_calls(text: str, tools: Sequence[ToolDefinition]) -> list[ToolCall]:
    """Return the tool calls of an answer; raises ValueError for any other text."""
    # What begins with a brace is an object, or raises ValueError.
    value = parse_json(json_in(text))
    entries = value.get("calls")
    if not isinstance(entries, list):
        raise ValueError("The answer has no calls.")  # noqa: TRY004 - it is the model's
    names = {tool["function"]["name"] for tool in tools}
    calls: list[ToolCall] = []
    for entry in entries:
        if isinstance(entry, dict) and entry.get("tool") in names:
            name = str(entry["tool"])
            calls.append(ToolCall(name=name, args=_arguments(entry), id=None))
    if len(entries) >= _MOST_CALLS:
        raise ValueError("The answer may have been cut off.")
    return calls


def _entry(tool: ToolDefinition) -> Json:
    """Return the schema of a call: the tool's name, its quote, and its other parameters."""
    function = tool["function"]
    given = dict(function["parameters"].get("properties", {}))
    required = list(function["parameters"].get("required", []))
    if _PATCHES in given:
        given = {"json_doc_id": given["json_doc_id"], "changes": _CHANGES}
        required = ["json_doc_id", "changes"]
    properties = {"tool": {"const": function["name"]}}
    if "evidence" in given:
        properties["evidence"] = given.pop("evidence")
    return {
        "type": "object",
        "properties": {**properties, **given},
        "required": ["tool", *required],
        "additionalProperties": False,
    }


def _arguments(entry: Json) -> Json:
    """Return the arguments of a call, with changes of fields as JSON Patch."""
    arguments = {name: value for name, value in entry.items() if name != "tool"}
    changes = arguments.pop("changes", None)
    if not isinstance(changes, list):
        return arguments
    patches = []
    for change in changes:
        if isinstance(change, dict):
            path = f"/{change.get('field', '')}"
            patches.append({"op": "add", "path": path, "value": change.get("value")})
    return {**arguments, "planned_edits": "", _PATCHES: patches}


def _bounded(schema: Json) -> Json:
    """Return the schema of a text or list with a maximum length, any other one as it is."""
    bounded = dict(schema)
    is_free = schema.keys().isdisjoint(("enum", "pattern", "format"))
    if schema.get("type") == "string" and is_free:
        bounded.setdefault("maxLength", _MOST_CHARACTERS)
    if schema.get("type") == "array":
        bounded.setdefault("maxItems", _MOST_ITEMS)
    return bounded


def _sketch(schema: Json) -> Any:
    """Return a value that illustrates a schema: each field has its description as its value."""
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    if schema.get("type") == "object":
        fields = schema.get("properties", {})
        return {name: _sketch(field) for name, field in fields.items()}
    if schema.get("type") == "array":
        return [_sketch(schema.get("items", {}))]
    return schema.get("description") or schema.get("type") or "…"


def _text(message: BaseMessage) -> str:
    """Return a message as text; an earlier answer becomes its calls."""
    calls = getattr(message, "tool_calls", None)
    if not calls:
        return str(message.text)
    made = [{"tool": call["name"], **call["args"]} for call in calls]
    return json.dumps({"calls": made}, ensure_ascii=False, default=str)
