"""Arguments for a tool that the rules know nothing of, from its JSON schema alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

QUOTE_FIELDS: Final = frozenset({"evidence", "quote", "source_quote"})


def fill(schema: Mapping[str, Any], *, subject: str, clause: str, quote: str) -> Any:
    """A value that satisfies `schema`: the first plain string is the subject.

    Further strings are the clause, fields named like `evidence` the quote; numbers keep
    their limits; only required fields are filled.
    """
    return _value(schema, schema.get("$defs", {}), [subject, clause, quote])


def _value(schema: Mapping[str, Any], defs: Mapping[str, Any], words: list[str]) -> Any:
    schema = _resolve(schema, defs)
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return schema["enum"][0]
    match _type(schema):
        case "object":
            return _object(schema, defs, words)
        case "array":
            items = schema.get("items") or {"type": "string"}
            return [_value(items, defs, words) for _ in range(max(schema.get("minItems", 1), 1))]
        case "integer" | "number":
            low, high = schema.get("minimum", 0), schema.get("maximum", 100)
            return high if high < 80 else max(low, 80)
        case "boolean":
            return True
        case "null":
            return None
        case _:
            return _string(schema, words[0])


def _object(schema: Mapping[str, Any], defs: Mapping[str, Any], words: list[str]) -> dict[str, Any]:
    subject, clause, quote = words
    filled: dict[str, Any] = {}
    named = False
    for name in schema.get("required", []):
        part = _resolve(schema.get("properties", {}).get(name, {}), defs)
        if name in QUOTE_FIELDS:
            filled[name] = quote
        elif _type(part) == "string" and not part.get("enum") and "const" not in part:
            filled[name] = _string(part, clause if named else subject)
            named = True
        else:
            filled[name] = _value(part, defs, words)
    return filled


def _resolve(schema: Mapping[str, Any], defs: Mapping[str, Any]) -> Mapping[str, Any]:
    """Follow ``$ref`` and take the first branch of a union that is not null."""
    while True:
        if "$ref" in schema:
            schema = defs.get(schema["$ref"].rsplit("/", 1)[-1], {})
        elif schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf"):
            branches = schema.get("anyOf") or schema.get("oneOf") or schema["allOf"]
            schema = next((one for one in branches if one.get("type") != "null"), branches[0])
        else:
            return schema


def _type(schema: Mapping[str, Any]) -> str:
    kind = schema.get("type", "object" if "properties" in schema else "string")
    if isinstance(kind, list):
        kind = next((one for one in kind if one != "null"), "null")
    return str(kind)


def _string(schema: Mapping[str, Any], text: str) -> str:
    limit = schema.get("maxLength")
    return text if limit is None else text[:limit]


def accepts(schema: Mapping[str, Any], name: str, *kinds: str) -> bool:
    """Whether the object has a field `name` that takes one of the JSON types `kinds`."""
    part = schema.get("properties", {}).get(name)
    return part is not None and _type(_resolve(part, schema.get("$defs", {}))) in kinds
