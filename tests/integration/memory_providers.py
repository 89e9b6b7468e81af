"""The APIs of Anthropic, Google, Amazon Bedrock and chat completions, which say what a test says.

Sources: https://platform.claude.com/docs/en/api/messages,
https://ai.google.dev/api/generate-content,
https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html.
"""

from __future__ import annotations

import asyncio
import binascii
import json
import struct
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from aiohttp import web

from tests.integration.scripted_model import (
    Call,
    Shown,
    proposals_in_text,
    shown_in,
    verdict,
)
from tests.loopback import serving

Body: TypeAlias = dict[str, Any]
Step: TypeAlias = Callable[[Shown], list[Call]]


@dataclass(frozen=True, kw_only=True)
class Provider:
    """A provider's API: `answer` writes a response that calls tools, `error` a refusal.

    `stream` writes a streamed answer, and `thought` finds the one of an earlier answer in a
    request. `variables` are the environment variables by which its package finds this server and a
    key.
    """

    name: str
    model: str
    variables: Callable[[str], dict[str, str]]
    answer: Callable[[list[Call]], Body]
    error: Callable[[int], Body]
    stream: Callable[[Said], bytes]
    thought: str = ""


@dataclass(frozen=True, kw_only=True)
class Said:
    """A streamed answer: pieces of text, after a thought, and before calls; `is_cut` by a limit."""

    pieces: list[str] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    is_cut: bool = False


THOUGHT = "Let me look."
SIGNATURE = "c2lnbmVk"


def _anthropic(calls: list[Call]) -> Body:
    used = [
        {"type": "tool_use", "id": f"c{i}", "name": name, "input": given}
        for i, (name, given) in enumerate(calls)
    ]
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude",
        "content": used,
        "stop_reason": "tool_use",
        "stop_sequence": None,
        "usage": {"input_tokens": 9, "output_tokens": 1},
    }


def _google(calls: list[Call]) -> Body:
    parts = [
        {"functionCall": {"id": f"c{i}", "name": name, "args": given}}
        for i, (name, given) in enumerate(calls)
    ]
    content = {"role": "model", "parts": parts}
    return {
        "candidates": [{"content": content, "finishReason": "STOP", "index": 0}],
        "usageMetadata": {
            "promptTokenCount": 9,
            "candidatesTokenCount": 1,
            "totalTokenCount": 10,
        },
        "modelVersion": "gemini",
        "responseId": "r1",
    }


def _bedrock(calls: list[Call]) -> Body:
    content = [
        {"toolUse": {"toolUseId": f"c{i}", "name": name, "input": given}}
        for i, (name, given) in enumerate(calls)
    ]
    return {
        "output": {"message": {"role": "assistant", "content": content}},
        "stopReason": "tool_use",
        "usage": {"inputTokens": 9, "outputTokens": 1, "totalTokens": 10},
        "metrics": {"latencyMs": 1},
    }


def _sse(*events: Body, named: bool = False) -> bytes:
    lines = []
    for event in events:
        name = f"event: {event['type']}\n" if named else ""
        lines.append(f"{name}data: {json.dumps(event)}\n\n")
    return "".join(lines).encode()


def _anthropic_stream(said: Said) -> bytes:
    blocks: list[tuple[Body, list[Body]]] = [
        (
            {"type": "thinking", "thinking": "", "signature": ""},
            [
                {"type": "thinking_delta", "thinking": THOUGHT},
                {"type": "signature_delta", "signature": SIGNATURE},
            ],
        )
    ]
    if said.pieces:
        pieces = [{"type": "text_delta", "text": one} for one in said.pieces]
        blocks.append(({"type": "text", "text": ""}, pieces))
    for number, (name, given) in enumerate(said.calls):
        call = {"type": "tool_use", "id": f"c{number}", "name": name, "input": {}}
        delta = {"type": "input_json_delta", "partial_json": json.dumps(given)}
        blocks.append((call, [delta]))
    stop = "tool_use" if said.calls else "end_turn"
    events: list[Body] = [
        {
            "type": "message_start",
            "message": _anthropic([]) | {"content": [], "stop_reason": None},
        }
    ]
    for index, (block, deltas) in enumerate(blocks):
        at = {"index": index}
        events.append({"type": "content_block_start", **at, "content_block": block})
        piece: Body = {"type": "content_block_delta", **at}
        events += [{**piece, "delta": one} for one in deltas]
        events.append({"type": "content_block_stop", **at})
    stop = "max_tokens" if said.is_cut else stop
    ended = {"stop_reason": stop, "stop_sequence": None}
    events.append(
        {
            "type": "message_delta",
            "delta": ended,
            "usage": {"input_tokens": 9, "output_tokens": 3},
        }
    )
    return _sse(*events, {"type": "message_stop"}, named=True)


def _google_stream(said: Said) -> bytes:
    parts: list[Body] = [{"text": THOUGHT, "thought": True}]
    parts += [{"text": one} for one in said.pieces]
    for number, (name, given) in enumerate(said.calls):
        call = {"id": f"c{number}", "name": name, "args": given}
        parts.append({"functionCall": call, "thoughtSignature": SIGNATURE})
    chunks = []
    for part in parts:
        chunk = _google([])
        [candidate] = chunk["candidates"]
        candidate["content"]["parts"] = [part]
        del candidate["finishReason"]
        chunks.append(chunk)
    [candidate] = chunks[-1]["candidates"]
    candidate["finishReason"] = "MAX_TOKENS" if said.is_cut else "STOP"
    return _sse(*chunks)


def _bedrock_stream(said: Said) -> bytes:
    blocks: list[tuple[Body, list[Body]]] = [
        (
            {},
            [
                {"reasoningContent": {"text": THOUGHT}},
                {"reasoningContent": {"signature": SIGNATURE}},
            ],
        )
    ]
    if said.pieces:
        blocks.append(({}, [{"text": one} for one in said.pieces]))
    for number, (name, given) in enumerate(said.calls):
        start = {"toolUse": {"toolUseId": f"c{number}", "name": name}}
        blocks.append((start, [{"toolUse": {"input": json.dumps(given)}}]))
    found = [_event("messageStart", {"role": "assistant"})]
    for index, (start, deltas) in enumerate(blocks):
        at = {"contentBlockIndex": index}
        if start:
            found.append(_event("contentBlockStart", {**at, "start": start}))
        found += [_event("contentBlockDelta", {**at, "delta": one}) for one in deltas]
        found.append(_event("contentBlockStop", at))
    stop = "tool_use" if said.calls else "end_turn"
    stop = "max_tokens" if said.is_cut else stop
    found.append(_event("messageStop", {"stopReason": stop}))
    usage = {"inputTokens": 9, "outputTokens": 3, "totalTokens": 12}
    found.append(_event("metadata", {"usage": usage, "metrics": {"latencyMs": 1}}))
    return b"".join(found)


def _event(name: str, body: Body) -> bytes:
    """Return a message of AWS's event stream.

    Source: https://docs.aws.amazon.com/AmazonS3/latest/API/RESTSelectObjectAppendix.html
    """
    headers = b""
    given = {":event-type": name, ":content-type": "application/json"}
    for key, value in {**given, ":message-type": "event"}.items():
        headers += bytes([len(key)]) + key.encode() + b"\x07"
        headers += struct.pack(">H", len(value)) + value.encode()
    payload = json.dumps(body).encode()
    whole = struct.pack(">II", len(headers) + len(payload) + 16, len(headers))
    whole += struct.pack(">I", binascii.crc32(whole)) + headers + payload
    return whole + struct.pack(">I", binascii.crc32(whole))


def _chat_stream(said: Said) -> bytes:
    deltas: list[Body] = [{"role": "assistant", "reasoning_content": THOUGHT}]
    deltas += [{"content": one} for one in said.pieces]
    for number, (name, given) in enumerate(said.calls):
        function = {"name": name, "arguments": json.dumps(given)}
        call = {"index": number, "id": f"c{number}", "type": "function"}
        deltas.append({"tool_calls": [{**call, "function": function}]})
    head = {
        "id": "x",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "m",
    }
    chunks: list[Body] = []
    for delta in deltas:
        choice = {"index": 0, "delta": delta, "finish_reason": None}
        chunks.append({**head, "choices": [choice]})
    reason = "tool_calls" if said.calls else "stop"
    last = {"index": 0, "delta": {}, "finish_reason": reason}
    if said.is_cut:
        last["finish_reason"] = "length"
    used = {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}
    chunks.append({**head, "choices": [last], "usage": used})
    return _sse(*chunks) + b"data: [DONE]\n\n"


PROVIDERS = (
    Provider(
        name="anthropic",
        model="anthropic:claude-sonnet-5",
        variables=lambda url: {"ANTHROPIC_API_KEY": "k", "ANTHROPIC_BASE_URL": url},
        answer=_anthropic,
        error=lambda status: {
            "type": "error",
            "error": {"type": "api_error", "message": "no"},
        },
        stream=_anthropic_stream,
        thought=SIGNATURE,
    ),
    Provider(
        name="google",
        model="google_genai:gemini-3-flash",
        variables=lambda url: {"GOOGLE_API_KEY": "k", "GOOGLE_GEMINI_BASE_URL": url},
        answer=_google,
        error=lambda status: {
            "error": {"code": status, "message": "no", "status": "NO"}
        },
        stream=_google_stream,
        thought=SIGNATURE,
    ),
    Provider(
        name="bedrock",
        model="bedrock_converse:anthropic.claude-sonnet-5-v1:0",
        variables=lambda url: {
            "AWS_ACCESS_KEY_ID": "k",
            "AWS_SECRET_ACCESS_KEY": "k",
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": url,
            "AWS_EC2_METADATA_DISABLED": "true",
        },
        answer=_bedrock,
        error=lambda status: {"message": "no"},
        stream=_bedrock_stream,
        thought=SIGNATURE,
    ),
)
CHAT = Provider(
    name="chat",
    model="openai-chat:m",
    variables=lambda url: {"OPENAI_BASE_URL": f"{url}/v1", "OPENAI_API_KEY": "k"},
    answer=lambda calls: {},
    error=lambda status: {"error": {"message": "no"}},
    stream=_chat_stream,
)
# Bedrock names an error in a header.
_BEDROCK_NAMES = {
    400: "ValidationException",
    403: "AccessDeniedException",
    404: "ResourceNotFoundException",
}


@dataclass(slots=True)
class ProviderServer:
    """A server that speaks as `provider`: it proposes what `steps` say, and approves all of it.

    `requests` are the bodies that came; `failing` is a status to answer every request with. A
    streamed answer is the next one of `said`; `is_held`: it does not end.
    """

    provider: Provider
    url: str = ""
    failing: int | None = None
    steps: list[Step] = field(default_factory=list)
    said: list[Said] = field(default_factory=list)
    is_held: bool = False
    left: asyncio.Event = field(default_factory=asyncio.Event)
    requests: list[Body] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer a request for proposals or verdicts."""
        body = await request.json()
        self.requests.append(body)
        if self.failing is not None:
            headers = {
                "x-amzn-ErrorType": _BEDROCK_NAMES.get(self.failing, "Exception")
            }
            error = self.provider.error(self.failing)
            return web.json_response(error, status=self.failing, headers=headers)
        if body.get("stream") or "stream" in request.path.lower():
            return await self._stream(request)
        text = "\n".join(_texts(body))
        if "MemoryVerdicts" in text:
            verdicts = [verdict(one["index"]) for one in proposals_in_text(text)]
            calls: list[Call] = [("MemoryVerdicts", {"verdicts": verdicts})]
        else:
            calls = self.steps.pop(0)(shown_in(text))
        return web.json_response(self.provider.answer(calls))

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        kind = "text/event-stream"
        if self.provider.stream is _bedrock_stream:
            kind = "application/vnd.amazon.eventstream"
        response = web.StreamResponse(headers={"Content-Type": kind})
        await response.prepare(request)
        written = self.provider.stream(self.said.pop(0))
        if self.is_held:
            written = written.removesuffix(b"data: [DONE]\n\n")
        await response.write(written)
        try:
            while self.is_held:
                await response.write(b": \n\n")
                await asyncio.sleep(0.02)
        except ConnectionResetError:
            self.left.set()
        return response

    def tools(self, number: int) -> bool:
        """Say whether a request has the tools that add, change and remove memories."""
        text = json.dumps(self.requests[number])
        return all(
            f'"name": "{one}"' in text for one in ("UserFact", "PatchDoc", "RemoveDoc")
        )


def _texts(value: Any) -> Iterator[str]:
    """Yield every string in a body."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _texts(one)


@asynccontextmanager
async def provider_server(provider: Provider) -> AsyncIterator[ProviderServer]:
    """Serve `provider` on a free port of the loopback interface."""
    server = ProviderServer(provider)
    application = web.Application()
    application.router.add_post("/{path:.*}", server.answer)
    async with serving(application) as server.url:
        yield server
