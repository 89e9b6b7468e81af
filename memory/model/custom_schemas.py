"""Custom kinds of memory: Pydantic models named in the setting ``KIOKU_SCHEMAS``."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pydantic import BaseModel, ImportString, TypeAdapter, ValidationError
from pydantic.errors import PydanticInvalidForJsonSchema, PydanticUserError
from pydantic.json_schema import JsonSchemaMode

from memory.model.errors import InvalidSchemas
from memory.model.schemas import (
    BUILT_IN_KINDS,
    SCHEMAS,
    declaration,
    field_rules,
    first_text,
    register_schemas,
)

# Names that LangMem, trustcall or this package uses for fields and tools.
_RESERVED_FIELDS = ("kind", "evidence")
_RESERVED_NAMES = frozenset(
    {
        "PatchDoc",
        "RemoveDoc",
        "Done",
        "PatchFunctionErrors",
        "PatchFunctionName",
        "KeptLine",
    }
)
# The JSON types that a declared field may have.
_DECLARED_TYPES = {"subject": ("string",), "level": ("integer", "number")}
_TOOL_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}\Z")


def load_schemas(setting: str | None) -> tuple[type[BaseModel], ...]:
    """Return the kinds named in a setting such as ``UserFact,my.models:Project``.

    Built-in kinds are named without a module; None means all built-in kinds. Raises
    `InvalidSchemas` for the first unusable one, with the reason.
    """
    if setting is None:
        return SCHEMAS
    names = setting.replace(",", " ").split()
    if not names:
        raise InvalidSchemas(
            "KIOKU_SCHEMAS names no kind of memory: write UserFact,package.module:Class or leave"
            " it out."
        )
    return checked_schemas([_load(name) for name in names])


def checked_schemas(schemas: Sequence[type[BaseModel]]) -> tuple[type[BaseModel], ...]:
    """Check, register and return `schemas`; raises `InvalidSchemas` for the first unusable one."""
    seen: set[str] = set()
    for schema in schemas:
        name = schema.__name__
        if name in seen or BUILT_IN_KINDS.get(name, schema) is not schema:
            raise InvalidSchemas(
                f"Two kinds of memory are called {name}: give one class another name."
            )
        seen.add(name)
        if fault := _fault(schema):
            raise InvalidSchemas(f"The kind of memory {name} cannot be used: {fault}")
    return register_schemas(schemas)


def _load(name: str) -> type[BaseModel]:
    if ":" not in name:
        if name in BUILT_IN_KINDS:
            return BUILT_IN_KINDS[name]
        raise InvalidSchemas(
            f"KIOKU_SCHEMAS names {name}, which is none of {', '.join(BUILT_IN_KINDS)}:"
            " write your own as package.module:Class."
        )
    try:
        return TypeAdapter(ImportString[type[BaseModel]]).validate_python(name)
    except Exception as fault:
        # An operator's module may raise anything when it is imported.
        said = type(fault).__name__
        if isinstance(fault, ValidationError):
            said = fault.errors()[0]["msg"]
        raise InvalidSchemas(
            f"KIOKU_SCHEMAS names {name}, which cannot be imported as a Pydantic BaseModel class"
            f" ({said}): install it where Kioku runs, or set PYTHONPATH."
        ) from fault


def _fault(schema: type[BaseModel]) -> str | None:
    name = schema.__name__
    if name in _RESERVED_NAMES or not _TOOL_NAME.match(name):
        return "its name is taken or no tool can have it: give the class another name."
    for field in schema.model_fields:
        if field in _RESERVED_FIELDS:
            return f"the field {field} is Kioku's own: give it another name."
    try:
        fields = field_rules(schema)
        if _has_alias(schema):
            return "a field in it has an alias: remove it."
        if "'uniqueItems'" in str(schema.model_json_schema()):
            return "a field in it is a set, which has no order: make it a list."
    except (PydanticInvalidForJsonSchema, PydanticUserError):
        return "no JSON schema can be made of it: use types that JSON has."
    if first_text(schema) is None:
        return "it has no text field to be found by: add one of type str."
    for what, field in declaration(schema).items():
        kind = fields.get(field, {}).get("type")
        if kind not in _DECLARED_TYPES.get(what, ()):
            return (
                f"it declares {what} as {field}: name a text field as subject, and a number as"
                " level."
            )
    return None


def _has_alias(schema: type[BaseModel]) -> bool:
    """Return whether a field has an alias, also of a model in it: JSON is stored by names."""
    modes: tuple[JsonSchemaMode, ...] = ("validation", "serialization")
    for mode in modes:
        by_name = schema.model_json_schema(by_alias=False, mode=mode)
        if schema.model_json_schema(mode=mode) != by_name:
            return True
    return False
