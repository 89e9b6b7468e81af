"""The definitions of the tools that the memory model is given."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, TypeAlias

from langchain_core.utils.function_calling import convert_to_openai_tool

from memory.model.schemas import DECLARATION
from memory.model.text import Json, with_objects

ToolDefinition: TypeAlias = Json
"""A tool as chat completions take it: ``{"type": "function", "function": …}``."""

_NULL = {"type": "null"}


@lru_cache(maxsize=64)
def tool_definition(tool: type[Any]) -> ToolDefinition:
    """Return the definition of a class as a tool, without needless parts.

    It is shared, because converting a class takes up to 2 ms: callers do not change it.
    """
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
    """Return a JSON schema in which what may be left out is no null, and has no default of null.

    The schemas in it are compact already. LangChain's package for Google mistakes a list of types
    for a text (langchain-google-genai 4.4.2).
    """
    narrowed = dict(schema)
    if schema.get("default", "") is None:
        del narrowed["default"]
    if "anyOf" not in narrowed:
        return narrowed
    options = [one for one in narrowed.pop("anyOf") if one != _NULL]
    if len(options) == 1:
        return {**options[0], **narrowed}
    return {**narrowed, "anyOf": options}
