"""The definitions of tools as the memory model gets them: short, and converted once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

# trustcall's own definition of this tool takes 4,300 characters in each request with memories.
_PATCH: dict[str, Any] = {
    "description": "Change an existing memory by JSON Patch operations.",
    "parameters": {
        "type": "object",
        "properties": {
            "json_doc_id": {"type": "string", "description": "The id of the instance."},
            "patches": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "op": {"type": "string", "enum": ["replace", "add", "remove"]},
                        "path": {"type": "string", "description": "A field, such as /evidence."},
                        "value": {},
                    },
                    "required": ["op", "path"],
                },
            },
        },
        "required": ["json_doc_id", "patches"],
    },
}


def tool_definitions(*, says_strict: bool) -> Callable[[Any], dict[str, Any]]:
    """Return a function that returns the definition of a tool: a class, a function or a schema.

    `says_strict`: the Responses API wants `strict` and takes a missing one for true, with which
    optional fields are refused. Source: https://platform.openai.com/docs/guides/function-calling
    """
    from langchain_core.utils.function_calling import convert_to_openai_tool

    definitions: WeakKeyDictionary[type, dict[str, Any]] = WeakKeyDictionary()

    def definition(tool: Any) -> dict[str, Any]:
        # Cached: trustcall binds the same classes in every run, and converting one takes 0.5 ms.
        if not isinstance(tool, type):
            return _compact_tool(convert_to_openai_tool(tool), says_strict=says_strict)
        if tool not in definitions:
            made = _compact_tool(convert_to_openai_tool(tool), says_strict=says_strict)
            definitions[tool] = made
        return definitions[tool]

    return definition


def _compact_tool(tool: dict[str, Any], *, says_strict: bool) -> dict[str, Any]:
    """Return a tool's definition without titles, defaults and other parts a model needs not."""
    function = {**tool["function"], "strict": False} if says_strict else tool["function"]
    if function["name"] == "PatchDoc":
        return {**tool, "function": {**function, **_PATCH}}
    parameters = _compact(function["parameters"])
    parameters.pop("description", None)
    return {**tool, "function": {**function, "parameters": parameters}}


def _compact(schema: Any) -> Any:
    """Return a JSON schema without titles and empty defaults; "X or null" as one type."""
    if isinstance(schema, list):
        return [_compact(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if isinstance(properties := schema.get("properties"), dict):
        named = {name: _compact(one) for name, one in properties.items()}
        rest = {k: v for k, v in schema.items() if k not in ("title", "properties")}
        return {**{k: _compact(v) for k, v in rest.items()}, "properties": named}
    kept = {
        k: _compact(v) for k, v in schema.items() if k != "title" and (k, v) != ("default", None)
    }
    options = kept.get("anyOf")
    if isinstance(options, list) and len(options) == 2 and {"type": "null"} in options:
        [other] = [one for one in options if one != {"type": "null"}]
        if isinstance(other.get("type"), str) and "enum" not in other:
            del kept["anyOf"]
            kept = {**other, **kept, "type": [other["type"], "null"]}
    return kept
