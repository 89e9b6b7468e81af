"""One form for the prompts of Responses and chat completions requests."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from openai_double.tokens import count_tokens
from openai_double.types import Json

_UNKNOWN_CALL: Final = {"name": "", "arguments": "{}"}


@dataclass(frozen=True, kw_only=True)
class Turn:
    """One message of the conversation, with the name, media type and size of its files."""

    role: Literal["user", "assistant"]
    text: str
    files: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Tool:
    """One function the model may call; `parameters` is its JSON schema."""

    name: str
    parameters: Json

    @property
    def fields(self) -> set[str]:
        """The names of its parameters."""
        return set(self.parameters.get("properties", {}))


@dataclass(frozen=True, kw_only=True)
class ToolResult:
    """An earlier call: `arguments` as sent, `output` as answered."""

    name: str
    arguments: str
    output: str


@dataclass(frozen=True, kw_only=True)
class Prompt:
    """A request, independent of its endpoint.

    `tool_choice` is ``auto``, ``required``, ``none`` or one tool's name. `fresh_results`
    are those of `results` that came after the person's newest words. `schema` is the
    JSON schema of a structured answer, ``{}`` for "any JSON object". `searches_only` says that
    OpenAI's own web search is the only tool.
    """

    instructions: str = ""
    turns: tuple[Turn, ...] = ()
    tools: tuple[Tool, ...] = ()
    tool_choice: str = "auto"
    results: tuple[ToolResult, ...] = ()
    fresh_results: tuple[ToolResult, ...] = ()
    schema: Json | None = None
    searches_only: bool = False

    @property
    def last_user_text(self) -> str:
        """The newest words of the person, ``""`` if there are none."""
        for turn in reversed(self.turns):
            if turn.role == "user":
                return turn.text
        return ""

    @property
    def tokens(self) -> int:
        """An estimate of its tokens."""
        texts = [self.instructions]
        texts += [turn.text for turn in self.turns]
        texts += [
            json.dumps(tool.parameters, ensure_ascii=False) for tool in self.tools
        ]
        texts += [result.arguments + result.output for result in self.results]
        return sum(map(count_tokens, texts)) + 4 * len(texts)


def from_responses(body: Json) -> Prompt:
    """The prompt of a `POST /v1/responses` body."""
    items = body.get("input") or []
    if isinstance(items, str):
        items = [{"role": "user", "content": items}]
    conversation = _Conversation()
    if body.get("instructions"):
        conversation.instructions.append(body["instructions"])
    for item in items:
        conversation.add(item)
    tools = body.get("tools") or []
    types = {tool["type"] for tool in tools}
    functions = [tool for tool in tools if tool["type"] == "function"]
    return Prompt(
        instructions="\n".join(conversation.instructions),
        turns=tuple(conversation.turns),
        tools=tuple(map(_tool, functions)),
        tool_choice=_choice(body.get("tool_choice")),
        results=tuple(conversation.results),
        fresh_results=tuple(conversation.fresh_results),
        schema=_schema(body.get("text") or {}),
        searches_only=types == {"web_search"},
    )


@dataclass
class _Conversation:
    """What the items of a request say, which are added in their order."""

    instructions: list[str] = field(default_factory=list)
    turns: list[Turn] = field(default_factory=list)
    calls: dict[str, Json] = field(default_factory=dict)
    results: list[ToolResult] = field(default_factory=list)
    fresh_results: list[ToolResult] = field(default_factory=list)

    def add(self, item: Json) -> None:
        """Add one item of the input."""
        match item.get("type", "message"):
            case "message":
                self._add_message(item["role"], item.get("content"))
            case "function_call":
                self.calls[item["call_id"]] = item
            case "function_call_output":
                self._add_result(item["call_id"], item["output"])

    def _add_message(self, role: str, content: Any) -> None:
        text = _text(content)
        if role in {"developer", "system"}:
            self.instructions.append(text)
        elif role == "user":
            self.turns.append(Turn(role="user", text=text, files=_files(content)))
            self.fresh_results.clear()
        elif role == "assistant":
            self.turns.append(Turn(role="assistant", text=text))

    def _add_result(self, call_id: str, output: Any) -> None:
        call = self.calls.get(call_id, _UNKNOWN_CALL)
        result = ToolResult(
            name=call["name"], arguments=call["arguments"], output=_text(output)
        )
        self.results.append(result)
        self.fresh_results.append(result)


def from_chat(body: Json) -> Prompt:
    """The prompt of a `POST /v1/chat/completions` body."""
    choice = body.get("tool_choice")
    if isinstance(choice, dict):
        choice = choice.get("function")
    items: list[Json] = []
    for message in body["messages"]:
        items += _items(message)
    tools = body.get("tools") or []
    functions = [tool["function"] for tool in tools if tool["type"] == "function"]
    given = body.get("response_format") or {}
    schema = given.get("json_schema") or {}
    return from_responses(
        {
            "input": items,
            "tools": [{"type": "function", **function} for function in functions],
            "tool_choice": choice,
            "text": {"format": {**schema, "type": given.get("type")}},
        }
    )


def _items(message: Json) -> Iterator[Json]:
    """Yield a message of a chat as items of a Responses request."""
    content = message.get("content")
    for call in message.get("tool_calls") or []:
        if call["type"] == "function":
            yield {"type": "function_call", "call_id": call["id"], **call["function"]}
    if message["role"] == "tool":
        call_id = message["tool_call_id"]
        yield {"type": "function_call_output", "call_id": call_id, "output": content}
    elif _text(content):
        yield {"role": message["role"], "content": content}


def _choice(given: Any) -> str:
    """Return ``auto``, ``required``, ``none`` or the name of a tool."""
    if isinstance(given, dict):
        return str(given.get("name", "auto"))
    return given or "auto"


def _schema(text: Json) -> Json | None:
    """Return the JSON schema that the ``text`` of a Responses request asks for."""
    form = text.get("format") or {}
    if form.get("type") == "json_object":
        return {}
    if form.get("type") == "json_schema" and isinstance(form.get("schema"), dict):
        return dict(form["schema"])
    return None


def _files(content: Any) -> tuple[str, ...]:
    """Name the images and files of a message's content: what was sent, not what it shows."""
    if not isinstance(content, list):
        return ()
    files = [
        part for part in content if part.get("type") in {"input_image", "input_file"}
    ]
    return tuple(map(_file, files))


def _file(part: Json) -> str:
    name = part.get("filename") or "image"
    data = str(part.get("image_url") or part.get("file_data") or "")
    kind, _, encoded = data.removeprefix("data:").partition(";base64,")
    if not encoded:
        return f"{name} (by its address)"
    size = len(encoded.rstrip("=")) * 3 // 4
    return f"{name} ({kind}, {size} bytes)"


def _tool(tool: Json) -> Tool:
    return Tool(name=tool["name"], parameters=tool.get("parameters") or {})


def _text(content: Any) -> str:
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    texts = [part.get("text") or part.get("refusal") for part in content]
    return "\n".join(filter(None, texts))
