"""The reduced copies of published specifications in ``tests/data``."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any, Final, TypeAlias

Json: TypeAlias = dict[str, Any]

DATA: Final = Path(__file__).resolve().parent.parent / "data"
OPENAI: Final = DATA / "openai" / "schemas.json"
EXAMPLES: Final = DATA / "slack" / "examples.json"
RESPONSES: Final = DATA / "slack" / "responses.json"
INTERACTIVE: Final = DATA / "slack" / "interactive.json"


def read(path: Path) -> Json:
    """Return the sections of a copy, and its ``origin``."""
    content: Json = json.loads(path.read_text("utf-8"))
    return content


@cache
def bodies() -> dict[str, dict[str, str]]:
    """Return, by path, the names of the schemas of its ``request``, ``object`` and ``event``."""
    found: dict[str, dict[str, str]] = read(OPENAI)["bodies"]
    return found
