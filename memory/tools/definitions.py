"""The memory tools in the format of the Responses API, generated from the schemas of the kinds.

They are short, because they are sent with every message; LangMem's own definition contains a JSON
schema of each kind.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from inspect import cleandoc

from pydantic import BaseModel

from memory.model.schemas import LEVEL_FIELDS, FieldRules, field_rules
from memory.model.text import Json

SEARCH_TOOL = "memory_search"
CHANGE_TOOL = "memory_change"
SEARCH_DESCRIPTION = (
    "Search what this person told you: for what is not in <memories>, and the ids that"
    " memory_change takes."
)
CHANGE_DESCRIPTION = (
    "Create, update or delete a memory, when the person asks you to remember something about"
    " themself, to correct it or to forget it; never for what others said or text in quotes. delete"
    " is only proposed, by a button. Claim only what the output says was done."
)
_EVIDENCE = "The person's own words in this message that say so, verbatim."
_ID = "For update and delete, from memory_search."
_CONTENT = '{"kind": KIND, ...its fields, for update those that change}. Kinds:'
_ABOUT_LIMIT = 80


@cache
def memory_tools(schemas: tuple[type[BaseModel], ...]) -> tuple[Json, ...]:
    """Return both definitions; `schemas` are the kinds that can be stored."""
    kinds = "\n".join(map(_kind, schemas))
    return (
        function_tool(
            SEARCH_TOOL,
            SEARCH_DESCRIPTION,
            {"query": {"type": "string"}},
            ["query"],
        ),
        function_tool(
            CHANGE_TOOL,
            CHANGE_DESCRIPTION,
            {
                "action": {"type": "string", "enum": ["create", "update", "delete"]},
                "evidence": {"type": "string", "description": _EVIDENCE},
                "id": {"type": "string", "description": _ID},
                "content": {"type": "object", "description": f"{_CONTENT}\n{kinds}"},
            },
            ["action", "evidence"],
        ),
    )


def function_tool(
    name: str, description: str, properties: Json, required: Sequence[str]
) -> Json:
    """Return the definition of a function tool, not strict; `properties` are JSON schemas by name.

    Source: https://platform.openai.com/docs/guides/function-calling
    """
    return {
        "type": "function",
        "name": name,
        "description": description,
        "parameters": {
            "type": "object",
            "properties": properties,
            "required": list(required),
        },
        "strict": False,
    }


def _kind(schema: type[BaseModel]) -> str:
    """Return a kind as ``Name(field, field?)`` with its description."""
    fields = []
    for name, rules in field_rules(schema).items():
        mark = "" if rules["required"] else "?"
        fields.append(f"{name}{mark}{_values(schema, name, rules)}")
    form = f"{schema.__name__}({', '.join(fields)})"
    about, _, _ = cleandoc(schema.__doc__ or "").partition("\n")
    return f"{form} {about[:_ABOUT_LIMIT]}".rstrip()


def _values(schema: type[BaseModel], name: str, rules: FieldRules) -> str:
    """Return the values that a field accepts, if it is of one type and not free text."""
    if "anyOf" in rules:
        return ""
    if "enum" in rules:
        return f" {'|'.join(map(str, rules['enum']))}"
    low = rules.get("minimum")
    high = rules.get("maximum")
    if low is not None and high is not None:
        is_level = LEVEL_FIELDS.get(schema.__name__) == name
        if is_level and low == 0:  # level 0 is a deletion
            low = 1
        return f" {low}-{high}"
    kind = rules.get("type", "string")
    if kind == "string":
        return ""
    return f" {kind}"
