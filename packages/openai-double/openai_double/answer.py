"""Answers of the stand-in, independent of the endpoint's format."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

Phase: TypeAlias = Literal["commentary", "final_answer"]


@dataclass(frozen=True, kw_only=True)
class Call:
    """One function call; `arguments` is a JSON string."""

    name: str
    arguments: str


def call(name: str, arguments: Mapping[str, Any]) -> Call:
    """A call of a tool."""
    return Call(name=name, arguments=json.dumps(arguments, ensure_ascii=False))


@dataclass(frozen=True, kw_only=True)
class Reasoning:
    """A reasoning item; its content is never shown, only returned in encrypted form."""


@dataclass(frozen=True, kw_only=True)
class Search:
    """A call of OpenAI's own web search."""

    query: str


@dataclass(frozen=True, kw_only=True)
class Message:
    """A message item with one or more text parts.

    `annotations` are url citations of the last part: url, title, start_index, end_index.
    `refuses`: the parts are refusals, which say why there is no answer.
    """

    parts: tuple[str, ...]
    refuses: bool = False
    phase: Phase | None = None
    annotations: tuple[dict[str, Any], ...] = ()


Item: TypeAlias = Reasoning | Search | Message | Call


@dataclass(frozen=True, kw_only=True)
class Answer:
    """Text, calls, or both. `annotations` are url citations: url, title, start_index, end_index.

    `items` are the output items of a response in their order, in place of the other fields; `text`
    and `calls` then hold what of them a chat completion can hold.
    """

    text: str = ""
    calls: tuple[Call, ...] = ()
    annotations: tuple[dict[str, Any], ...] = ()
    refuses: bool = False
    web_search: bool = False
    items: tuple[Item, ...] = ()

    @property
    def output(self) -> tuple[Item, ...]:
        """The output items of a response, in their order."""
        if self.items:
            return self.items
        queries = [annotation["title"] for annotation in self.annotations]
        search = (Search(query=(queries or ["news"])[0]),) if self.web_search else ()
        said = self.text or not self.calls
        message = Message(parts=(self.text,), annotations=self.annotations, refuses=self.refuses)
        return (*search, *([message] if said else []), *self.calls)

    def summary(self) -> dict[str, Any]:
        """The answer's entry in the journal."""
        kept: dict[str, Any] = {"text": self.text}
        if self.calls:
            kept["calls"] = [{"name": c.name, "arguments": c.arguments} for c in self.calls]
        if self.annotations:
            kept["annotations"] = list(self.annotations)
        if self.web_search:
            kept["web_search"] = True
        if self.items:
            kept["items"] = [type(item).__name__.lower() for item in self.items]
        return kept
