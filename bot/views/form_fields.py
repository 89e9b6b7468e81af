"""The inputs of a form for one memory, from the schema of its kind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

from pydantic import BaseModel

from memory import LEVEL_FIELDS

MAX_FIELDS = 6
FIELD_LIMIT = 2_000  # as `MAX_TEXT` of memory.model.text
MAX_CHOICES = 100
_MULTILINE_LENGTH = 100
# Of our own kinds; another says "multiline" in its `json_schema_extra`.
_MULTILINE_FIELDS = frozenset({"description", "observation", "action", "result", "instruction"})

InputType: TypeAlias = Literal[
    "text", "long", "lines", "number", "decimal", "level", "choice", "truth"
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One input of a form. `minimum` and `maximum` bound a number, `max_length` a text."""

    name: str
    input_type: InputType
    required: bool
    title: str
    hint: str = ""
    minimum: float | None = None
    maximum: float | None = None
    max_length: int = FIELD_LIMIT
    choices: tuple[Any, ...] = ()

    @property
    def block_id(self) -> str:
        """The id of its block, under which an error is shown."""
        return f"field.{self.name}"


def fields_of(schema: type[BaseModel], content: Mapping[str, Any]) -> list[Field]:
    """Return the inputs for `content`, six at most, those that must be filled in first.

    The declared level of a kind, from 0 to 100, is a choice of three steps.

    A field no input can hold, such as a list of objects, is left out and keeps its value.
    """
    described = schema.model_json_schema()
    required = set(described.get("required") or ())
    found = [
        field
        for name, rules in (described.get("properties") or {}).items()
        if (field := _field(name, _resolved(rules, described), name in required, content.get(name)))
    ]
    level = LEVEL_FIELDS.get(schema.__name__)
    found = [
        replace(field, input_type="level")
        if field.name == level and (field.minimum, field.maximum) == (0, 100)
        else field
        for field in found
    ]
    return sorted(found, key=lambda field: not field.required)[:MAX_FIELDS]


def _resolved(rules: Mapping[str, Any], described: Mapping[str, Any]) -> dict[str, Any]:
    """Return the rules of a field without ``null``, and with what they refer to in their place."""
    outer = {key: rules[key] for key in ("title", "description", "multiline") if key in rules}
    for one in [*rules.get("anyOf", ()), *rules.get("allOf", ())]:
        if one.get("type") != "null":
            rules = one
            break
    if "$ref" in rules:
        rules = described["$defs"][str(rules["$ref"]).rpartition("/")[2]]
    return {**rules, **outer}


def _field(name: str, rules: Mapping[str, Any], required: bool, value: Any) -> Field | None:
    shape = _input_type(name, rules, value)
    if shape is None or (isinstance(value, str) and len(value) > FIELD_LIMIT):
        return None
    choices = tuple(rules.get("enum") or ([rules["const"]] if "const" in rules else ()))
    return Field(
        name=name,
        input_type=shape,
        required=required,
        title=str(rules.get("title") or name.replace("_", " ").title()),
        hint=str(rules.get("description") or ""),
        minimum=rules.get("minimum", rules.get("exclusiveMinimum")),
        maximum=rules.get("maximum", rules.get("exclusiveMaximum")),
        max_length=min(int(rules.get("maxLength") or FIELD_LIMIT), FIELD_LIMIT),
        choices=choices[:MAX_CHOICES],
    )


def _input_type(name: str, rules: Mapping[str, Any], value: Any) -> InputType | None:
    if "enum" in rules or "const" in rules:
        return "choice"
    match rules.get("type"):
        case "integer":
            return "number"
        case "number":
            return "decimal"
        case "boolean":
            return "truth"
        case "array" if (rules.get("items") or {}).get("type") == "string":
            return "lines"
        case "string":
            there = value if isinstance(value, str) else ""
            wide = rules.get("multiline") or int(rules.get("maxLength") or 0) > _MULTILINE_LENGTH
            wide = (
                wide or name in _MULTILINE_FIELDS or len(there) > _MULTILINE_LENGTH or "\n" in there
            )
            return "long" if wide else "text"
    return None
