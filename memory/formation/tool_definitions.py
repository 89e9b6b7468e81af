"""The definitions of the tools that the memory model is given."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, TypeAlias

from langchain_core.utils.function_calling import convert_to_openai_tool

from memory.model.schemas import DECLARATION
from memory.model.text import Json, with_objects

ToolDefinition: TypeAlias = Json
"""A tool as chat completions take it: ``{"type": "function", "function": …}``."""

_MAX_DESCRIPTION = 300  # characters
_DISTINCT = frozenset({"properties", "enum", "const"})


def tool_definition(tool: Any) -> ToolDefinition:
    """Return the definition of a tool, class or schema, without needless parts.

    That of a class is shared: callers do not change it.
    """
    # The same classes are sent in every run, and converting one takes up to 2 ms.
    if isinstance(tool, type):
        return _definition_of_class(tool)
    return _definition(tool)


@lru_cache(maxsize=64)
def _definition_of_class(tool: type[Any]) -> ToolDefinition:
    return _definition(tool)


def _definition(tool: Any) -> ToolDefinition:
    definition = convert_to_openai_tool(tool)
    parameters = with_objects(definition["function"]["parameters"], _compact)
    parameters.pop("description", None)
    parameters.pop(DECLARATION, None)  # models' APIs refuse unknown keywords
    return with_function(definition, parameters=parameters)


def with_function(tool: ToolDefinition, **values: Any) -> ToolDefinition:
    """Return a tool with these values in its function."""
    function = {**tool["function"], **values}
    return {**tool, "function": function}


def _compact(schema: Json) -> Json:
    """Return a JSON schema without examples, long descriptions, defaults and needless types.

    The schemas in it are compact already. trustcall's tools would add pages of them to each
    request. LangChain's package for Google mistakes a list of types for a text
    (langchain-google-genai 4.4.2).
    """
    kept: Json = {}
    for key, value in schema.items():
        if key == "default" and value is None:
            continue
        if key == "examples" and isinstance(value, list):
            continue
        if key == "description" and isinstance(value, str):
            value = value[:_MAX_DESCRIPTION]
        kept[key] = value
    if "anyOf" in kept:
        options = _options(kept.pop("anyOf"))
        if len(options) == 1:
            return {**options[0], **kept}
        kept["anyOf"] = options
    return kept


def _options(options: Sequence[Any]) -> list[Any]:
    """Return the first option of each type, without null: trustcall spells out lists of lists.

    Objects with different fields, and choices, are kept: an operator's kind may have each of them.
    """
    by_type: dict[object, Any] = {}
    for one in options:
        if one != {"type": "null"}:
            kind = one.get("type") if _DISTINCT.isdisjoint(one) else None
            by_type.setdefault(kind or str(one), one)
    return list(by_type.values())
