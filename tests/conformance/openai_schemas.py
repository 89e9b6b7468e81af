"""OpenAI's OpenAPI schemas of what Kioku sends and receives.

Source: https://github.com/openai/openai-openapi, ``openapi.json``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from tests.conformance.document import Document, Json, read
from tests.conformance.source import DATA, Open

PATH: Final = DATA / "openai" / "schemas.json"
POSTED: Final = ("/responses", "/embeddings", "/chat/completions")
READ: Final = ("/models", "/models/{model}")
_REPOSITORY: Final = "openai/openai-openapi"
_FILE: Final = "openapi.json"
_ROOTS: Final = ("ErrorResponse",)
_JSON: Final = "application/json"
_LOCAL: Final = "#/components/schemas/"
_DOCUMENTATION: Final = frozenset(
    {"default", "deprecated", "description", "example", "examples", "title"}
)


@cache
def bodies() -> dict[str, dict[str, str]]:
    """Return, by path, the names of the schemas of its ``request``, ``object`` and ``event``."""
    found: dict[str, dict[str, str]] = read(PATH).sections["bodies"]
    return found


class OpenAISchemas:
    """Every schema that the bodies of `POSTED`, `READ` and errors refer to, undocumented."""

    def copies(self, open_repository: Open) -> Mapping[Path, Document]:
        """Return the one copy."""
        repository = open_repository(_REPOSITORY)
        specification = json.loads(repository.read(_FILE))
        schemas = specification["components"]["schemas"]
        paths = specification["paths"]
        found = {
            **{path: _bodies(paths[path]["post"]) for path in POSTED},
            **{path: _bodies(paths[path]["get"]) for path in READ},
        }
        roots = [*_ROOTS, *(name for names in found.values() for name in names.values())]
        names = _reachable(schemas, roots)
        licence = repository.read("LICENSE").decode().splitlines()
        origin = repository.origin(
            licence=f"MIT, {next(line for line in licence if line.startswith('Copyright'))}",
            paths=_FILE,
            content=(
                f"The schemas that the bodies of POST {', '.join(POSTED)}, of GET {', '.join(READ)}"
                " and of errors refer to, without descriptions, titles, defaults, examples and x-"
                " extensions."
            ),
        )
        return {
            PATH: Document(
                origin=origin,
                sections={
                    "bodies": found,
                    "schemas": {name: _reduced(schemas[name]) for name in names},
                },
            )
        }


def _bodies(operation: Json) -> dict[str, str]:
    """The name of the schema of each body: ``request``, ``object`` and ``event``."""
    response = operation["responses"]["200"]["content"]
    found = {
        "request": operation.get("requestBody", {"content": {}})["content"].get(_JSON),
        "object": response[_JSON],
        "event": response.get("text/event-stream"),
    }
    return {
        kind: body["schema"]["$ref"].removeprefix(_LOCAL) for kind, body in found.items() if body
    }


def _reachable(schemas: Json, roots: list[str]) -> set[str]:
    waiting = list(roots)
    found: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += [one.removeprefix(_LOCAL) for one in _references(schemas[name])]
    return found


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, str):
        if node.startswith(_LOCAL):
            yield node
    elif isinstance(node, dict):
        for value in node.values():
            yield from _references(value)
    elif isinstance(node, list):
        for value in node:
            yield from _references(value)


def _reduced(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_reduced(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    kept: Json = {}
    for key, value in schema.items():
        if key == "properties":
            kept[key] = {name: _reduced(one) for name, one in value.items()}
        elif key not in _DOCUMENTATION and not key.startswith("x-"):
            kept[key] = _reduced(value)
    return kept
