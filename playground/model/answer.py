"""What the stand-in says to a prompt, before an endpoint gives it its shape."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Call:
    """One function call; `arguments` is a JSON string."""

    name: str
    arguments: str


def call(name: str, arguments: Mapping[str, Any]) -> Call:
    """A call of a tool."""
    return Call(name=name, arguments=json.dumps(arguments, ensure_ascii=False))


@dataclass(frozen=True, kw_only=True)
class Answer:
    """Text, calls, or both. `annotations` are url citations: url, title, start_index, end_index."""

    text: str = ""
    calls: tuple[Call, ...] = ()
    annotations: tuple[dict[str, Any], ...] = ()
    web_search: bool = False

    def summary(self) -> dict[str, Any]:
        """What the journal keeps of it."""
        kept: dict[str, Any] = {"text": self.text}
        if self.calls:
            kept["calls"] = [{"name": c.name, "arguments": c.arguments} for c in self.calls]
        if self.annotations:
            kept["annotations"] = list(self.annotations)
        if self.web_search:
            kept["web_search"] = True
        return kept
