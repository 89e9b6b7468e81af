"""Requests and events of the Responses API as those of ``/chat/completions``, and back.

This is for servers that have nothing else. Only what replies use is translated: messages with
images and documents, function tools, their calls and outputs. Reasoning is neither sent back nor
passed on.

Source: https://platform.openai.com/docs/api-reference/chat
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterable, Iterator, Mapping, Sequence
from typing import Final

from bot.reply_models.failures import ReplyFailed
from memory.model import Json, objects

_ENDS: Final[Mapping[str, str]] = {
    "length": "max_output_tokens",
    "content_filter": "content_filter",
}
_IN_PROGRESS: Final = {"type": "response.in_progress"}
_TEXT_PART: Final = {"output_index": 0, "content_index": 0}


def chat_body(body: Json) -> Json:
    """Return the body of a chat completion for one of the Responses API.

    ``max_tokens`` is the older name of the limit, which every server knows.
    """
    chat: Json = {
        "model": body["model"],
        "messages": _messages(body["input"]),
        "stream": True,
    }
    if "stream_options" in body:
        chat["stream_options"] = body["stream_options"]
    tools = [_tool(tool) for tool in body.get("tools", ())]
    if tools:
        chat["tools"] = tools
    if "max_output_tokens" in body:
        chat["max_tokens"] = body["max_output_tokens"]
    if "reasoning" in body:
        chat["reasoning_effort"] = body["reasoning"]["effort"]
    return chat


def _tool(tool: Json) -> Json:
    function = {
        name: tool[name]
        for name in ("name", "description", "parameters")
        if name in tool
    }
    return {"type": "function", "function": function}


def _messages(items: Sequence[Json]) -> list[Json]:
    """Return input items as messages; calls belong to the assistant's message before them."""
    messages: list[Json] = []
    for item in items:
        kind = item.get("type", "message")
        if kind == "message":
            messages.append(
                {"role": item["role"], "content": _content(item["content"])}
            )
        elif kind == "function_call":
            if not messages or messages[-1]["role"] != "assistant":
                messages.append({"role": "assistant", "content": None})
            messages[-1].setdefault("tool_calls", []).append(_call(item))
        elif kind == "function_call_output":
            messages.append(
                {
                    "role": "tool",
                    "tool_call_id": item["call_id"],
                    "content": item["output"],
                }
            )
    return messages


def _content(content: str | Sequence[Json]) -> str | list[Json]:
    if isinstance(content, str):
        return content
    return [_part(part) for part in content]


def _part(part: Json) -> Json:
    match part:
        case {"type": "input_image", "image_url": url}:
            return {"type": "image_url", "image_url": {"url": url}}
        case {"type": "input_file", "filename": name, "file_data": data}:
            return {"type": "file", "file": {"filename": name, "file_data": data}}
    return {"type": "text", "text": part["text"]}


def _call(item: Json) -> Json:
    function = {"name": item["name"], "arguments": item["arguments"]}
    return {"id": item["call_id"], "type": "function", "function": function}


async def response_events(
    chunks: AsyncIterable[object],
) -> AsyncGenerator[object, None]:
    """Yield the events of the Responses API for the chunks of a chat completion.

    Text is passed on as it comes; whole items follow when the completion has ended. A chunk without
    text, such as one of a thought, shows that the response is in progress. A chunk that is not a
    JSON object is passed on as it is and ends the events. A stream without a finish reason has
    broken off, so it gets no last event.
    """
    completion = _Completion()
    async for chunk in chunks:
        if not isinstance(chunk, dict):
            yield chunk
            return
        text = completion.read(chunk)
        if text:
            yield {"type": "response.output_text.delta", "delta": text, **_TEXT_PART}
        else:
            yield _IN_PROGRESS
    for event in completion.end():
        yield event


class _Completion:
    """What the chunks of one completion add up to."""

    def __init__(self) -> None:
        self._text = ""
        self._calls: list[Json] = []
        # The newest call of each index.
        self._newest: dict[int, Json] = {}
        self._usage: Json = {}
        self._finish = ""

    def read(self, chunk: Json) -> str:
        """Take a chunk; return its text. Raises `ReplyFailed`."""
        usage = chunk.get("usage")
        if isinstance(usage, dict):
            self._usage = usage
        choices = objects(chunk.get("choices"))
        choice = choices[0] if choices else {}
        # LocalAI and older Ollama send an empty one with each chunk before the last.
        self._finish = _string(choice, "finish_reason") or self._finish
        delta = choice.get("delta")
        if not isinstance(delta, dict):
            return ""
        for position, call in enumerate(objects(delta.get("tool_calls"))):
            self._add_call(call, position)
        text = _string(delta, "content") + _string(delta, "refusal")
        self._text += text
        return text

    def _add_call(self, call: Json, position: int) -> None:
        """Add a piece of a call, or a whole one, to the newest call of its index.

        Some servers send whole calls without an index or an id, or several with the same index: a
        name with another id begins another call, and so does one without an id after arguments.
        MiniMax repeats the name in each piece.
        """
        index = call.get("index")
        if not isinstance(index, int):
            index = position
        function = call.get("function")
        if not isinstance(function, dict):
            raise ReplyFailed("model_malformed")
        name = _string(function, "name")
        identity = _string(call, "id")
        kept = self._newest.get(index)
        if kept is None or (name and _is_another(identity, kept)):
            kept = {"id": identity, "name": "", "arguments": ""}
            self._newest[index] = kept
            self._calls.append(kept)
        if name != kept["name"]:
            kept["name"] += name
        kept["arguments"] += _arguments(function)

    def end(self) -> Iterator[Json]:
        """Yield the whole items and the last event; nothing if the stream broke off."""
        if not self._finish:
            return
        items = self._items()
        for item in items:
            yield {"type": "response.output_item.done", "item": item}
        response: Json = {"output": items, "usage": _response_usage(self._usage)}
        reason = _ENDS.get(self._finish)
        if reason is None:
            yield {"type": "response.completed", "response": response}
        else:
            response["incomplete_details"] = {"reason": reason}
            yield {"type": "response.incomplete", "response": response}

    def _items(self) -> list[Json]:
        items: list[Json] = []
        if self._text:
            content = [{"type": "output_text", "text": self._text}]
            items.append({"type": "message", "role": "assistant", "content": content})
        for number, call in enumerate(self._calls):
            item = {
                "type": "function_call",
                "call_id": call["id"] or f"call_{number}",
                "name": call["name"],
                "arguments": call["arguments"] or "{}",
            }
            items.append(item)
        return items


def _is_another(identity: str, kept: Json) -> bool:
    """Return whether a name belongs to another call than the newest one of its index."""
    if identity:
        return bool(identity != kept["id"])
    return bool(kept["arguments"])


def _arguments(function: Json) -> str:
    """Return the arguments of a call, or a piece of them; TGI writes them as an object."""
    arguments = function.get("arguments")
    if isinstance(arguments, dict):
        return json.dumps(arguments)
    return _string(function, "arguments")


def _string(given: Json, name: str) -> str:
    """Return a text field, or "" if it is missing. Raises `ReplyFailed` for another type.

    Mistral's models that think write it in parts.
    """
    value = given.get(name)
    if value is None:
        return ""
    if isinstance(value, list):
        return "".join(_string(part, "text") for part in objects(value))
    if not isinstance(value, str):
        raise ReplyFailed("model_malformed")
    return value


def _response_usage(usage: Json) -> Json:
    """Return the tokens as the Responses API names them."""
    return {
        "input_tokens": usage.get("prompt_tokens"),
        "output_tokens": usage.get("completion_tokens"),
        "input_tokens_details": usage.get("prompt_tokens_details"),
    }
