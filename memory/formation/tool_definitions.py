"""The definitions of tools as the memory model gets them: short, and converted once."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Literal

from pydantic import BaseModel, Field

from memory.model.schemas import DECLARATION


class _Patch(BaseModel):
    op: Literal["replace", "add", "remove"]
    path: str = Field(description="A field, such as /evidence.")
    value: str | float | bool | list[str] | None = None


class PatchDoc(BaseModel):
    """Change an existing memory by JSON Patch operations."""

    # trustcall's own definition of this tool takes 4,300 characters in each request with memories.
    json_doc_id: str = Field(description="The id of the instance.")
    patches: list[_Patch]


def tool_definition(tool: Any, says_strict: bool) -> dict[str, Any]:
    """Return the definition of a tool (a class, a function or a schema) without needless parts.

    `says_strict`: the Responses API wants `strict` and takes a missing one for true, with which
    optional fields are refused. Source: https://platform.openai.com/docs/guides/function-calling
    """
    # Cached: trustcall binds the same classes in every run, and converting one takes 0.5 ms.
    return (_cached if isinstance(tool, type) else _definition)(tool, says_strict)


def _definition(tool: Any, says_strict: bool) -> dict[str, Any]:
    from langchain_core.utils.function_calling import convert_to_openai_tool

    definition = convert_to_openai_tool(tool)
    if definition["function"]["name"] == PatchDoc.__name__:
        definition = convert_to_openai_tool(PatchDoc)
    function = definition["function"]
    if says_strict:
        function = {**function, "strict": False}
    parameters = _compact(function["parameters"])
    parameters.pop("description", None)
    return {**definition, "function": {**function, "parameters": parameters}}


_cached = lru_cache(maxsize=256)(_definition)


def _compact(schema: Any) -> Any:
    """Return a JSON schema without titles, defaults of null and types that are null.

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
    if isinstance(properties, dict):  # its keys are names of fields
        kept["properties"] = {k: _compact(v) for k, v in properties.items()}
    options = [one for one in kept.get("anyOf", []) if one != {"type": "null"}]
    if len(options) == 1:
        del kept["anyOf"]
        kept = {**options[0], **kept}
    return kept
