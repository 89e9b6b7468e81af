"""The file of a reduced copy: JSON with one entry a line, and its differences in words."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Json = dict[str, Any]

_SILENT = frozenset({"properties", "items", "anyOf", "oneOf", "allOf"})
_SHOWN_CHARACTERS = 100


@dataclass(frozen=True, kw_only=True)
class Document:
    """One copy: `origin` says where it comes from, `sections` hold the entries by name.

    What is compared is the sections; a new commit of the origin alone is no difference.
    """

    origin: Json
    sections: dict[str, Json] = field(default_factory=dict)

    def dumps(self) -> str:
        """Return the text of the file: keys sorted, one entry of a section a line."""
        parts = [f'"origin": {json.dumps(self.origin, indent=2, ensure_ascii=False)}']
        for name, entries in sorted(self.sections.items()):
            lines = [f"{json.dumps(key)}: {_compact(entries[key])}" for key in sorted(entries)]
            parts.append(f"{json.dumps(name)}: {{\n" + ",\n".join(lines) + "\n}")
        return "{\n" + ",\n".join(parts) + "\n}\n"


def read(path: Path) -> Document:
    """Read the file of a copy; without a file there is nothing in it yet."""
    if not path.exists():
        return Document(origin={})
    content = json.loads(path.read_text(encoding="utf-8"))
    return Document(origin=content.pop("origin"), sections=content)


def differences(old: Document, new: Document) -> list[str]:
    """Return what changed from `old` to `new`, a sentence each, sorted by section and entry."""
    return [
        sentence
        for section in sorted({*old.sections, *new.sections})
        for sentence in _of_section(
            section, old.sections.get(section, {}), new.sections.get(section, {})
        )
    ]


def _of_section(section: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    for name in sorted({*old, *new}):
        if name not in new:
            yield f"{section}: {name} was removed"
        elif name not in old:
            yield f"{section}: {name} was added"
        else:
            yield from _of_values(name, old[name], new[name])


def _of_values(where: str, old: Any, new: Any, *, of_fields: bool = False) -> Iterator[str]:
    if old == new:
        return
    if isinstance(old, dict) and isinstance(new, dict):
        yield from _of_objects(where, old, new, of_fields=of_fields)
    elif isinstance(old, list) and isinstance(new, list):
        yield from _of_lists(where, old, new)
    else:
        yield f"{where} was {_shown(old)} and is {_shown(new)}"


def _of_objects(where: str, old: Json, new: Json, *, of_fields: bool) -> Iterator[str]:
    for key in sorted({*old, *new}):
        below = where if key in _SILENT and not of_fields else f"{where}.{key}"
        if key not in new:
            yield f"{below} was removed (it was {_shown(old[key])})"
        elif key not in old:
            yield f"{below} was added: {_shown(new[key])}"
        else:
            fields = key == "properties" and not of_fields
            yield from _of_values(below, old[key], new[key], of_fields=fields)


def _of_lists(where: str, old: list[Any], new: list[Any]) -> Iterator[str]:
    gone = [one for one in old if one not in new]
    come = [one for one in new if one not in old]
    if len(gone) == len(come) == 1 and isinstance(gone[0], dict) and isinstance(come[0], dict):
        yield from _of_values(where, gone[0], come[0])
        return
    for one in gone:
        yield f"{where} no longer has {_shown(one)}"
    for one in come:
        yield f"{where} now has {_shown(one)}"
    if not gone and not come:
        yield f"{where} has another order"


def _shown(value: Any) -> str:
    text = _compact(value)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[: _SHOWN_CHARACTERS - 1]}…"


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
