"""One form for the prompts of Responses and chat completions requests."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal

from openai_double.tokens import count_tokens


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
    description: str
    parameters: dict[str, Any]

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
    parallel: bool = True
    results: tuple[ToolResult, ...] = ()
    fresh_results: tuple[ToolResult, ...] = ()
    schema: dict[str, Any] | None = None
    searches_only: bool = False

    @property
    def last_user_text(self) -> str:
        """The newest words of the person, ``""`` if there are none."""
        return next((turn.text for turn in reversed(self.turns) if turn.role == "user"), "")

    @property
    def tokens(self) -> int:
        """An estimate of its tokens."""
        texts = [self.instructions, *(turn.text for turn in self.turns)]
        tools = (json.dumps(tool.parameters, ensure_ascii=False) for tool in self.tools)
        results = (result.arguments + result.output for result in self.results)
        return sum(count_tokens(text) + 4 for text in (*texts, *tools, *results))


def from_responses(body: dict[str, Any]) -> Prompt:
    """The prompt of a `POST /v1/responses` body."""
    given = body.get("input") or []
    items = [{"role": "user", "content": given}] if isinstance(given, str) else given
    instructions = [body["instructions"]] if body.get("instructions") else []
    turns: list[Turn] = []
    calls: dict[str, tuple[str, str]] = {}
    results: list[ToolResult] = []
    older = 0
    for item in items:
        kind = item.get("type", "message")
        if kind == "message":
            older = len(results) if item["role"] == "user" else older
            _add_message(item["role"], item.get("content"), instructions, turns)
        elif kind == "function_call":
            calls[item["call_id"]] = (item["name"], item["arguments"])
        elif kind == "function_call_output":
            name, arguments = calls.get(item["call_id"], ("", "{}"))
            output = _text(item["output"])
            results.append(ToolResult(name=name, arguments=arguments, output=output))
    given_tools = body.get("tools") or []
    tools = tuple(_tool(tool) for tool in given_tools if tool["type"] == "function")
    choice = body.get("tool_choice") or "auto"
    chosen = choice if isinstance(choice, str) else choice.get("name", "auto")
    form = (body.get("text") or {}).get("format") or {}
    return Prompt(
        instructions="\n".join(instructions),
        turns=tuple(turns),
        tools=tools,
        tool_choice=chosen,
        parallel=body.get("parallel_tool_calls") is not False,
        results=tuple(results),
        fresh_results=tuple(results[older:]),
        schema=_schema(form, form.get("schema")),
        searches_only={tool["type"] for tool in given_tools} == {"web_search"},
    )


def from_chat(body: dict[str, Any]) -> Prompt:
    """The prompt of a `POST /v1/chat/completions` body."""
    items: list[dict[str, Any]] = []
    for message in body["messages"]:
        content = message.get("content")
        items += [
            {"type": "function_call", "call_id": call["id"], **call["function"]}
            for call in message.get("tool_calls") or []
            if call["type"] == "function"
        ]
        if message["role"] == "tool":
            call_id = message["tool_call_id"]
            items.append({"type": "function_call_output", "call_id": call_id, "output": content})
        elif _text(content):
            items.append({"role": message["role"], "content": content})
    given = [tool for tool in body.get("tools") or [] if tool["type"] == "function"]
    tools = [{"type": "function", **tool["function"]} for tool in given]
    choice, form = body.get("tool_choice"), body.get("response_format") or {}
    return from_responses(
        {
            "input": items,
            "tools": tools,
            "tool_choice": choice.get("function") if isinstance(choice, dict) else choice,
            "parallel_tool_calls": body.get("parallel_tool_calls"),
            "text": {"format": {**(form.get("json_schema") or {}), "type": form.get("type")}},
        }
    )


def _schema(form: dict[str, Any], schema: Any) -> dict[str, Any] | None:
    if form.get("type") == "json_object":
        return {}
    return schema if form.get("type") == "json_schema" and isinstance(schema, dict) else None


def _add_message(role: str, content: Any, instructions: list[str], turns: list[Turn]) -> None:
    text = _text(content)
    if role in {"developer", "system"}:
        instructions.append(text)
    elif role == "user":
        turns.append(Turn(role="user", text=text, files=_files(content)))
    elif role == "assistant":
        turns.append(Turn(role="assistant", text=text))


def _files(content: Any) -> tuple[str, ...]:
    """Name the images and files of a message's content: what was sent, not what it shows."""
    named = []
    for part in content if isinstance(content, list) else []:
        if part.get("type") in {"input_image", "input_file"}:
            data = str(part.get("image_url") or part.get("file_data") or "")
            kind, _, encoded = data.removeprefix("data:").partition(";base64,")
            size = len(encoded.rstrip("=")) * 3 // 4
            about = f"{kind}, {size} bytes" if encoded else "by its address"
            named.append(f"{part.get('filename') or 'image'} ({about})")
    return tuple(named)


def _tool(tool: dict[str, Any]) -> Tool:
    return Tool(
        name=tool["name"],
        description=tool.get("description") or "",
        parameters=tool.get("parameters") or {},
    )


def _text(content: Any) -> str:
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    parts = (part.get("text") or part.get("refusal") or "" for part in content)
    return "\n".join(part for part in parts if part)
