"""Tools as the Responses API takes them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, Field, create_model

from memory.schemas import for_models

Definition: TypeAlias = dict[str, Any]


def without_discriminators(schema: Any) -> None:
    """Drop pydantic's mapping to definitions that are no longer there: `kind` says it already."""
    if isinstance(schema, dict):
        schema.pop("discriminator", None)
        for part in schema.values():
            without_discriminators(part)
    elif isinstance(schema, list):
        for part in schema:
            without_discriminators(part)


def any_of(schemas: Sequence[type[BaseModel]]) -> Any:
    """Return one type for the content of any schema, told apart by `kind`."""
    named = [_with_kind(schema) for schema in schemas]
    if len(named) == 1:
        return named[0]
    return Annotated[reduce(lambda left, right: left | right, named), Field(discriminator="kind")]


def _with_kind(schema: type[BaseModel]) -> Any:
    kind: Any = Literal[schema.__name__]
    base = for_models(schema)
    return create_model(schema.__name__, __base__=base, __doc__=schema.__doc__, kind=(kind, ...))


def plain_tool(name: str, description: str) -> Definition:
    """Return a tool without parameters."""
    parameters = {"type": "object", "properties": {}, "required": [], "additionalProperties": False}
    return {
        "type": "function",
        "name": name,
        "description": description,
        "parameters": parameters,
        "strict": False,
    }
