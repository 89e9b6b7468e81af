"""Arguments for a tool or schema without a rule of its own, from the JSON schema alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def fill(schema: Mapping[str, Any], text: str, defs: Mapping[str, Any] | None = None) -> Any:
    """Return a value that satisfies `schema`: its required fields only, each text being `text`."""
    defs = schema.get("$defs", {}) if defs is None else defs
    if "$ref" in schema:
        return fill(defs[schema["$ref"].rsplit("/", 1)[-1]], text, defs)
    if union := schema.get("anyOf") or schema.get("allOf"):
        return fill(union[0], text, defs)
    if "const" in schema or schema.get("enum"):
        return schema.get("const", (schema.get("enum") or [None])[0])
    match schema.get("type", "object" if "properties" in schema else "string"):
        case "object":
            properties = schema.get("properties", {})
            required = schema.get("required", [])
            return {name: fill(properties.get(name, {}), text, defs) for name in required}
        case "array":
            return [fill(schema.get("items", {}), text, defs)]
        case "integer" | "number":
            return schema.get("maximum", 80)
        case "boolean":
            return True
    return text[: schema.get("maxLength")]
