"""The definitions of tools as the memory model gets them: short, and converted once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

from memory.model.schemas import DECLARATION

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
                        "value": {
                            "anyOf": [
                                *({"type": one} for one in ("string", "number", "boolean")),
                                {"type": "array", "items": {"type": "string"}},
                            ]
                        },
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

    def compact(tool: Any) -> dict[str, Any]:
        return _compact_tool(convert_to_openai_tool(tool), says_strict=says_strict)

    def definition(tool: Any) -> dict[str, Any]:
        # Cached: trustcall binds the same classes in every run, and converting one takes 0.5 ms.
        if not isinstance(tool, type):
            return compact(tool)
        if tool not in definitions:
            definitions[tool] = compact(tool)
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


def _compact(schema: Any, *, needed: bool = True) -> Any:
    """Return a JSON schema without titles and defaults of null, and null of optional fields.

    A kind's declaration is left out, because models' APIs refuse unknown keywords. LangChain's
    package for Google takes a list of types for a text (langchain-google-genai 4.4.2).
    """
    if isinstance(schema, list):
        return [_compact(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    left_out = ("title", DECLARATION)
    kept = {k: v for k, v in schema.items() if k not in left_out and (k, v) != ("default", None)}
    properties = kept.pop("properties", None)
    kept = {k: _compact(v) for k, v in kept.items()}
    if isinstance(properties, dict):
        required = kept.get("required", ())
        kept["properties"] = {k: _compact(v, needed=k in required) for k, v in properties.items()}
    options = [one for one in kept.get("anyOf", []) if one != {"type": "null"}]
    if len(options) == 1 and not needed:
        del kept["anyOf"]
        kept = {**options[0], **kept}
    return kept
