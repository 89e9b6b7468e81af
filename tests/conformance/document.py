"""The file of a reduced copy: JSON with one entry a line."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Document:
    """One copy: `origin` says where it comes from, `sections` hold the entries by name."""

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


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
