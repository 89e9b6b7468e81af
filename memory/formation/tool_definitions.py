"""The definitions of tools as the memory model gets them: short, and converted once."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from functools import partial
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


# What `value` may be, where a missing type counts as a text.
_VALUE: dict[str, Any] = {
    "anyOf": [
        *({"type": one} for one in ("string", "number", "boolean")),
        {"type": "array", "items": {"type": "string"}},
    ]
}


def tool_definitions(*, says_strict: bool, lists_types: bool) -> Callable[[Any], dict[str, Any]]:
    """Return a function that returns the definition of a tool: a class, a function or a schema.

    `lists_types`: "X or null" is one list of types, which is shorter. LangChain's package for
    Google takes such a list, and a missing type, for a text (langchain-google-genai 4.4.2).

    `says_strict`: the Responses API wants `strict` and takes a missing one for true, with which
    optional fields are refused. Source: https://platform.openai.com/docs/guides/function-calling
    """
    from langchain_core.utils.function_calling import convert_to_openai_tool

    compact = partial(_compact_tool, says_strict=says_strict, lists_types=lists_types)
    definitions: WeakKeyDictionary[type, dict[str, Any]] = WeakKeyDictionary()

    def definition(tool: Any) -> dict[str, Any]:
        # Cached: trustcall binds the same classes in every run, and converting one takes 0.5 ms.
        if not isinstance(tool, type):
            return compact(convert_to_openai_tool(tool))
        if tool not in definitions:
            definitions[tool] = compact(convert_to_openai_tool(tool))
        return definitions[tool]

    return definition


def _compact_tool(tool: dict[str, Any], *, says_strict: bool, lists_types: bool) -> dict[str, Any]:
    """Return a tool's definition without titles, defaults and other parts a model needs not."""
    function = {**tool["function"], "strict": False} if says_strict else tool["function"]
    if function["name"] == "PatchDoc":
        patch = deepcopy(_PATCH)
        if not lists_types:
            patch["parameters"]["properties"]["patches"]["items"]["properties"]["value"] = _VALUE
        return {**tool, "function": {**function, **patch}}
    parameters = _compact(function["parameters"], lists_types=lists_types)
    parameters.pop("description", None)
    return {**tool, "function": {**function, "parameters": parameters}}


def _compact(schema: Any, *, lists_types: bool) -> Any:
    """Return a JSON schema without titles and empty defaults."""
    part = partial(_compact, lists_types=lists_types)
    if isinstance(schema, list):
        return [part(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if isinstance(properties := schema.get("properties"), dict):
        named = {name: part(one) for name, one in properties.items()}
        rest = {k: v for k, v in schema.items() if k not in ("title", "properties")}
        return {**{k: part(v) for k, v in rest.items()}, "properties": named}
    kept = {k: part(v) for k, v in schema.items() if k != "title" and (k, v) != ("default", None)}
    if not lists_types:
        return kept
    options = kept.get("anyOf")
    if isinstance(options, list) and len(options) == 2 and {"type": "null"} in options:
        [other] = [one for one in options if one != {"type": "null"}]
        if isinstance(other.get("type"), str) and "enum" not in other:
            del kept["anyOf"]
            kept = {**other, **kept, "type": [other["type"], "null"]}
    return kept
