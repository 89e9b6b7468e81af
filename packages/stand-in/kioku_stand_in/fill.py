"""Arguments for a tool or schema without its own rule, from the JSON schema alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def fill(schema: Mapping[str, Any], *, subject: str, clause: str, quote: str) -> Any:
    """Return a value that satisfies `schema`, with its required fields only.

    The first text is the subject, further texts are the clause, and `evidence` is the quote.
    """
    return _value(schema, schema.get("$defs", {}), [subject, clause, quote])


def _value(schema: Mapping[str, Any], defs: Mapping[str, Any], words: list[str]) -> Any:
    schema = _resolved(schema, defs)
    if "const" in schema or schema.get("enum"):
        return schema.get("const", (schema.get("enum") or [None])[0])
    match _type(schema):
        case "object":
            filled, texts = {}, iter(words[:2])
            for name in schema.get("required", []):
                part = _resolved(schema.get("properties", {}).get(name, {}), defs)
                is_text = _type(part) == "string" and name != "evidence" and "enum" not in part
                text = next(texts, words[1]) if is_text else words[2]
                filled[name] = _value(part, defs, [text, *words[1:]])
            return filled
        case "array":
            return [_value(schema.get("items") or {"type": "string"}, defs, words)]
        case "integer" | "number":
            low, high = schema.get("minimum", 0), schema.get("maximum", 100)
            return high if high < 80 else max(low, 80)
        case "boolean":
            return True
        case "null":
            return None
        case _:
            return words[0][: schema.get("maxLength")]


def _resolved(schema: Mapping[str, Any], defs: Mapping[str, Any]) -> Mapping[str, Any]:
    """Follow ``$ref`` and take the first branch of a union that is not null."""
    while True:
        branches = schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf")
        if "$ref" in schema:
            schema = defs.get(schema["$ref"].rsplit("/", 1)[-1], {})
        elif branches:
            schema = next((one for one in branches if one.get("type") != "null"), branches[0])
        else:
            return schema


def _type(schema: Mapping[str, Any]) -> str:
    kind = schema.get("type", "object" if "properties" in schema else "string")
    return next((one for one in kind if one != "null"), "null") if isinstance(kind, list) else kind
