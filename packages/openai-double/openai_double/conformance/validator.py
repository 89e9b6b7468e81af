"""Validates JSON against the copied OpenAI schemas, with errors that name the place and the rule.

The verdict is JSON Schema's (draft 2020-12, by ``jsonschema``) with these readings of OpenAPI:

- An object that lists its properties has no others, unless it says ``additionalProperties``:
  OpenAI refuses unknown parameters (``unknown_parameter``).
- ``oneOf`` means ``anyOf``: OpenAI's alternatives overlap (EasyInputMessage and InputMessage).
- ``nullable: true`` allows null, as OpenAPI 3.0 defines; the file says 3.1, which lacks it.
- ``allOf`` is one object with the properties of all parts.
- Of alternatives that all fail, the one that fits best is reported (``best_match``).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any, Final

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError, best_match
from jsonschema.validators import extend

from openai_double.conformance.departures import DEPARTURES, Departure
from openai_double.conformance.schemas import published
from openai_double.types import Json

_LOCAL: Final = "#/components/schemas/"
_SHOWN: Final = 200


class Schemas:
    """The schemas of the copy, ready for validation; each is prepared at its first use."""

    def __init__(self) -> None:
        self._given: Json = published()["schemas"]
        self._ready: dict[str, Json] = {}
        kind: Any = extend(Draft202012Validator, {"$ref": self._reference})  # type: ignore[no-untyped-call]
        self._validator = kind({})

    def problems(self, name: str, value: Any) -> list[str]:
        """Return what is wrong with `value` by the schema `name`, each with place and rule."""
        validator = self._validator.evolve(schema={"$ref": _LOCAL + name})
        sentences: set[str] = set()
        for error in validator.iter_errors(value):
            nearest = best_match([error])
            sentences.add(_sentence(nearest))
        return sorted(sentences)

    def schema(self, name: str) -> Json:
        """Return a schema as prepared for validation."""
        if name not in self._ready:
            prepared = self._prepared(self._given[name], name)
            for departure in DEPARTURES:
                if departure.schema == name:
                    prepared = _departed(prepared, departure)
            self._ready[name] = prepared
        return self._ready[name]

    def _prepared(self, node: Any, name: str) -> Any:
        if isinstance(node, list):
            return [self._prepared(entry, name) for entry in node]
        if not isinstance(node, dict):
            return node
        if node.get("nullable"):
            rest = dict(node)
            del rest["nullable"]
            return {"anyOf": [self._prepared(rest, name), {"type": "null"}]}
        if "$recursiveRef" in node:
            return {"$ref": _LOCAL + name}
        if "allOf" in node:
            return self._prepared(self._merged(node), name)
        prepared: Json = {}
        for keyword, value in node.items():
            if keyword == "properties":
                prepared["properties"] = self._prepared_fields(value, name)
                prepared.setdefault("additionalProperties", False)
            elif keyword == "oneOf":
                prepared["anyOf"] = self._prepared(value, name)
            else:
                prepared[keyword] = self._prepared(value, name)
        return prepared

    def _prepared_fields(self, properties: Json, name: str) -> Json:
        return {
            field: self._prepared(schema, name) for field, schema in properties.items()
        }

    def _merged(self, node: Json) -> Json:
        """One object in place of ``allOf``."""
        properties: Json = {}
        required: list[str] = []
        for part in node["allOf"]:
            whole = part
            if "$ref" in part:
                referenced = part["$ref"].removeprefix(_LOCAL)
                whole = self._given[referenced]
            if "allOf" in whole:
                whole = self._merged(whole)
            properties |= whole.get("properties", {})
            required += whole.get("required", [])
        return {"type": "object", "properties": properties, "required": required}

    def _reference(
        self, validator: Any, reference: str, instance: Any, _: Json
    ) -> Iterator[ValidationError]:
        name = reference.removeprefix(_LOCAL)
        yield from validator.descend(
            instance, self.schema(name), schema_path=_Named(name)
        )


def _departed(prepared: Json, departure: Departure) -> Json:
    """A prepared schema that also accepts what `departure` allows."""
    if not departure.field:
        return {"anyOf": [prepared, departure.accepts]}
    fields = prepared["properties"]
    accepted = [departure.accepts]
    if departure.field in fields:
        accepted.append(fields[departure.field])
    changed = {**fields, departure.field: {"anyOf": accepted}}
    return {**prepared, "properties": changed}


class _Named(str):
    """The name of a schema within the path of an error."""

    __slots__ = ()


@cache
def openai_schemas() -> Schemas:
    """The schemas of the copy in this package."""
    return Schemas()


def _sentence(error: ValidationError) -> str:
    """The place, what is wrong with it, and the schema that says so."""
    sentence = f"{error.json_path}: {error.message[:_SHOWN]}"
    names = [part for part in error.absolute_schema_path if isinstance(part, _Named)]
    return f"{sentence} (schema {names[-1]})"
