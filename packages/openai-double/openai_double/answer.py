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


@dataclass(frozen=True)
class Answer:
    """The output items of a response, in their order.

    `text` and `calls` are what of them a chat completion can hold.
    """

    items: tuple[Item, ...]

    @property
    def text(self) -> str:
        """The text of its messages without commentary."""
        messages = [one for one in self.items if isinstance(one, Message)]
        final = [one for one in messages if one.phase != "commentary"]
        return "\n\n".join(part for message in final for part in message.parts)

    @property
    def calls(self) -> tuple[Call, ...]:
        """Its function calls."""
        return tuple(one for one in self.items if isinstance(one, Call))

    def summary(self) -> dict[str, Any]:
        """The answer's entry in the journal."""
        calls = [{"name": one.name, "arguments": one.arguments} for one in self.calls]
        return {"text": self.text, **({"calls": calls} if calls else {})}


def said(
    text: str = "",
    *calls: Call,
    annotations: tuple[dict[str, Any], ...] = (),
    refuses: bool = False,
    web_search: bool = False,
) -> Answer:
    """Return an answer with a text, calls, or both; a web search comes before them."""
    query = str(annotations[0]["title"]) if annotations else "news"
    message = Message(parts=(text,), annotations=annotations, refuses=refuses)
    items: list[Item] = [Search(query=query)] if web_search else []
    items += [message] if text or not calls else []
    return Answer((*items, *calls))
