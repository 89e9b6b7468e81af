"""Answers, independent of the endpoint's format, and the JSON form in which a script gives one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, field_validator

from openai_double.types import Json


class StrictModel(BaseModel):
    """JSON that a test gives: values are not converted, and unknown names are refused."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Call(StrictModel):
    """One function call; `arguments` is a JSON string, and an object given for it becomes one."""

    type: Literal["function_call"] = "function_call"
    name: str
    arguments: str

    @field_validator("arguments", mode="before")
    @classmethod
    def _as_text(cls, value: Any) -> Any:
        if isinstance(value, str):
            return value
        return json.dumps(value, ensure_ascii=False)


def make_call(name: str, arguments: Mapping[str, Any]) -> Call:
    """Return a call of a tool."""
    return Call(name=name, arguments=json.dumps(arguments, ensure_ascii=False))


class Reasoning(StrictModel):
    """A reasoning item; its content is never shown, only returned in encrypted form."""

    type: Literal["reasoning"] = "reasoning"


class Search(StrictModel):
    """A call of OpenAI's own web search."""

    type: Literal["web_search"] = "web_search"
    query: str = "news"


class Message(StrictModel):
    """A message item with one text part.

    `annotations` are URL citations of it: url, title, start_index, end_index. `refuses`: the text
    is a refusal, which says why there is no answer.
    """

    type: Literal["message"] = "message"
    text: str
    refuses: bool = False
    phase: Literal["commentary", "final_answer"] | None = None
    annotations: tuple[Json, ...] = Field((), strict=False)


Item: TypeAlias = Annotated[
    Reasoning | Search | Message | Call, Field(discriminator="type")
]


@dataclass(frozen=True)
class Answer:
    """The output items of a response, in order.

    `text` and `calls` are the parts that a chat completion can hold.
    """

    items: tuple[Item, ...]

    @property
    def text(self) -> str:
        """The text of its messages without commentary."""
        messages = [item for item in self.items if isinstance(item, Message)]
        answers = [one.text for one in messages if one.phase != "commentary"]
        return "\n\n".join(answers)

    @property
    def calls(self) -> tuple[Call, ...]:
        """Its function calls."""
        return tuple(item for item in self.items if isinstance(item, Call))

    def summary(self) -> Json:
        """The answer's entry in the journal."""
        summary: Json = {"text": self.text}
        calls = [
            {"name": call.name, "arguments": call.arguments} for call in self.calls
        ]
        if calls:
            summary["calls"] = calls
        return summary


def make_answer(
    text: str = "",
    *calls: Call,
    annotations: tuple[Json, ...] = (),
    refuses: bool = False,
    web_search: bool = False,
) -> Answer:
    """Return an answer with a text, calls, or both; a web search comes before them."""
    items: list[Item] = []
    if web_search and annotations:
        items.append(Search(query=str(annotations[0]["title"])))
    elif web_search:
        items.append(Search())
    if text or not calls:
        items.append(Message(text=text, annotations=annotations, refuses=refuses))
    return Answer((*items, *calls))


class Output(StrictModel):
    """What a script answers with: `items`, or the arguments of `make_answer`."""

    text: str = ""
    function_calls: tuple[Call, ...] = ()
    annotations: tuple[Json, ...] = ()
    web_search: bool = False
    items: tuple[Item, ...] | None = None

    @property
    def answer(self) -> Answer:
        """The answer itself."""
        if self.items is not None:
            return Answer(self.items)
        return make_answer(
            self.text,
            *self.function_calls,
            annotations=self.annotations,
            web_search=self.web_search,
        )
