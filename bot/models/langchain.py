"""A model of any provider that LangChain has, and of servers that have only /chat/completions."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping, Sequence
from contextlib import aclosing
from typing import Any, Final

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
    merge_message_runs,
    message_chunk_to_message,
)
from langchain_core.messages.ai import add_ai_message_chunks

from bot.models.failures import failure_of
from bot.models.model import LANGCHAIN_MESSAGE, Event, Items, Model, Prefix
from memory.model import Json

# The reasons to stop that the packages name, in lower case.
_CUT: Final = re.compile("length|max_?tokens")
_FILTERED: Final = re.compile(
    "filter|safety|refusal|guardrail|blocklist|prohibited|recitation|spii"
)
_REASONS: Final = ("stop_reason", "finish_reason", "stopReason")
_IN_PROGRESS: Final = {"type": "response.in_progress"}
_DATA: Final = re.compile("data:([^;,]+);base64,(.*)", re.DOTALL)


class LangChainModel(Model):
    """A chat model of LangChain, which neither retries nor waits longer than it is given.

    It cannot search the web. Its package decides how much it may write and how long it thinks.
    """

    def __init__(
        self,
        chat: BaseChatModel,
        *,
        model: str,
        first_event_seconds: float,
        answer_seconds: float,
    ) -> None:
        super().__init__(
            model,
            first_event_seconds=first_event_seconds,
            answer_seconds=answer_seconds,
        )
        self._chat = chat

    async def respond(
        self,
        conversation: Items,
        tools: Items,
        identifier: str,  # noqa: ARG002 - no field has it
        prefixes: Sequence[Prefix] = (),  # noqa: ARG002 - nor that
    ) -> AsyncGenerator[object, None]:
        """Yield the events of a new response. Raises `ReplyFailed`."""
        chat: Any = self._chat
        chunks: list[AIMessageChunk] = []
        try:
            if tools:
                chat = chat.bind_tools([_tool(tool) for tool in tools])
            async with aclosing(chat.astream(messages(conversation))) as stream:
                async for chunk in stream:
                    chunks.append(chunk)
                    event = _IN_PROGRESS  # a piece of a thought: the answer goes on
                    if chunk.text:
                        event = {
                            "type": "response.output_text.delta",
                            "delta": chunk.text,
                        }
                    yield event
        except Exception as error:
            raise failure_of(error) from error
        if chunks:
            for event in _ending(add_ai_message_chunks(*chunks)):
                yield event


def _tool(tool: Mapping[str, Any]) -> Json:
    """Return a tool as chat completions take it, which LangChain converts."""
    names = {"name", "description", "parameters"} & tool.keys()
    return {"type": "function", "function": {name: tool[name] for name in names}}


def messages(items: Iterable[Any]) -> list[BaseMessage]:
    """Return the items of a conversation as LangChain's messages, whose roles alternate."""
    found: list[BaseMessage] = []
    for item in items:
        match item:
            case {"message": AIMessage() as message}:
                found.append(message)
            case {"type": "function_call_output", "call_id": identity, "output": told}:
                found.append(ToolMessage(told, tool_call_id=identity))
            case {"role": "system", "content": content}:
                found.append(SystemMessage(content))
            case {"role": "user", "content": content}:
                if not isinstance(content, str):
                    content = [_part(part) for part in content]
                found.append(HumanMessage(content))
            case {"role": "assistant", "content": content} if not _answers(found):
                found.append(AIMessage(content))
    merged = merge_message_runs(found, chunk_separator="\n\n")
    for run in merged:
        if isinstance(run.content, list):
            run.content = [_block(part) for part in run.content]
    return merged


def _answers(found: Sequence[BaseMessage]) -> bool:
    """Return whether the newest message is the model's own: it holds the item that follows."""
    return bool(found) and isinstance(found[-1], AIMessage)


def _part(part: Json) -> Json:
    """Return a part of a message as a standard block, which each package converts."""
    address = part.get("image_url") or part.get("file_data") or ""
    data = _DATA.fullmatch(address)
    if data is None:
        return {"type": "text", "text": part["text"]}
    kind = "image" if part["type"] == "input_image" else "file"
    block = {"type": kind, "mime_type": data[1], "base64": data[2]}
    if "filename" in part:
        block["filename"] = part["filename"]
    return block


def _block(part: Any) -> Json:
    """Return a part as a block: a text beside blocks is one, too, by the schemas of OpenAI."""
    if isinstance(part, str):
        return {"type": "text", "text": part}
    block: Json = part
    return block


def _ending(whole: AIMessageChunk) -> Iterator[Event]:
    """Yield the items of a whole answer and the last event."""
    calls = [*_calls(whole)]
    message = message_chunk_to_message(whole)
    items: list[Json] = [{"type": LANGCHAIN_MESSAGE, "message": message}]
    if whole.text:
        said = [{"type": "output_text", "text": str(whole.text)}]
        items.append({"type": "message", "role": "assistant", "content": said})
    for item in (*items, *calls):
        yield {"type": "response.output_item.done", "item": item}
    yield _last(whole)


def _calls(whole: AIMessageChunk) -> Iterator[Json]:
    """Yield the calls of tools; each has an id, which some servers do not give."""
    for number, call in enumerate([*whole.tool_calls, *whole.invalid_tool_calls]):
        call["id"] = call["id"] or f"call_{number}"
        arguments = call["args"] or {}
        if not isinstance(arguments, str):
            arguments = json.dumps(arguments)
        yield {
            "type": "function_call",
            "call_id": call["id"],
            "name": call["name"] or "",
            "arguments": arguments,
        }


def _last(whole: AIMessageChunk) -> Event:
    used = whole.usage_metadata
    usage: Json | None = None
    if used is not None:
        details = used.get("input_token_details", {})
        cached = {
            "cached_tokens": details.get("cache_read"),
            "cache_write_tokens": details.get("cache_creation"),
        }
        usage = {
            "input_tokens": used["input_tokens"],
            "output_tokens": used["output_tokens"],
            "input_tokens_details": cached,
        }
    response: Json = {"output": [], "usage": usage}
    told = (whole.response_metadata.get(name) for name in _REASONS)
    reason = " ".join(str(one).lower() for one in told if one)
    if _FILTERED.search(reason):
        response["incomplete_details"] = {"reason": "content_filter"}
    elif _CUT.search(reason):
        response["incomplete_details"] = {"reason": "max_output_tokens"}
    else:
        return {"type": "response.completed", "response": response}
    return {"type": "response.incomplete", "response": response}
