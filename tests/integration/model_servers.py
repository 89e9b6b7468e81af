"""Other servers of the Responses API: the stand-in behind a proxy that changes what differs.

What each server sends and refuses is written after its own source or reference:
Azure OpenAI (https://learn.microsoft.com/azure/ai-foundry/openai/api-version-lifecycle),
vLLM (``vllm/entrypoints/openai`` of https://github.com/vllm-project/vllm),
Ollama (``openai/responses.go`` of https://github.com/ollama/ollama),
llama.cpp (what its server answered to such requests, with a model that reads no images; `MINISTRAL`
is the same with a chat template that wants alternating roles). `STRICT` is the smallest
server that can be used: it refuses every field it does not know, as pydantic's ``extra="forbid"``
does, and sends of the events only the pieces of text and the last one.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, TypeAlias

import aiohttp
from aiohttp import web

from tests.loopback import serving

Body: TypeAlias = dict[str, Any]
Refusal: TypeAlias = tuple[int, Body]


def _nothing(body: Body) -> None:
    """Refuse no request."""


def _unchanged(event: Body) -> Iterable[Body]:
    return [event]


def _whole(body: Body) -> Body:
    return body


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """How a server differs from OpenAI's.

    `refuse` returns the error for a request, `reads` what of it the model is given, `error` the
    body of an error of OpenAI's as this server writes it, `event` the events in place of one,
    `searches` whether it has a web search. `path` is where its API begins.
    """

    name: str
    error: Callable[[int, Body], Body]
    refuse: Callable[[Body], Refusal | None] = _nothing
    reads: Callable[[Body], Body] = _whole
    event: Callable[[Body], Iterable[Body]] = _unchanged
    searches: bool = True
    path: str = "/v1"


def _azure_error(status: int, error: Body) -> Body:
    names = {
        404: "DeploymentNotFound",
        401: "401",
        429: "429",
        500: "InternalServerError",
    }
    code = names.get(status, error.get("code"))
    return {"error": {"code": code, "message": error["message"]}}


def _azure_event(event: Body) -> Iterable[Body]:
    if "response" in event:
        event["response"]["content_filters"] = [
            {"blocked": False, "source_type": "completion"}
        ]
    return [event]


def _vllm_error(status: int, error: Body) -> Body:
    names = {400: "BadRequestError", 404: "NotFoundError", 500: "InternalServerError"}
    message = error["message"]
    if error.get("code") == "context_length_exceeded":
        message = "This model's maximum context length is 4096 tokens. Please reduce the input."
    named = {"message": message, "type": names.get(status, "Error"), "param": None}
    return {"error": {**named, "code": status}}


def _vllm_refuses(body: Body) -> Refusal | None:
    """Refuse what exceeds the context, as ``vllm/renderers/params.py`` does, and what templates do.

    The templates of Qwen's models know no developer, and one system message, the first.
    """
    roles = [item.get("role") for item in body["input"] if isinstance(item, dict)]
    if "developer" in roles or "system" in roles[1:]:
        told = "Unexpected message role." if "developer" in roles else _SYSTEM_FIRST
        return 400, _vllm_error(400, {"message": told})
    if body.get("tool_choice", "auto") not in ("auto", "none"):
        # With gpt-oss. Source: https://github.com/vllm-project/vllm/issues/53626
        return 501, _vllm_error(
            501, {"message": "Only 'auto' or 'none' tool_choice is supported"}
        )
    passed = len(json.dumps([body["input"], body.get("tools")])) // 4
    requested = body.get("max_output_tokens") or 0
    if passed + requested <= VLLM_CONTEXT:
        return None
    message = (
        f"You passed {passed} input tokens and requested {requested} output tokens. However, the"
        f" model's context length is only {VLLM_CONTEXT} tokens, resulting in a maximum input"
        f" length of {VLLM_CONTEXT - requested} tokens. Please reduce the length of the input"
        f" prompt. (parameter=input_tokens, value={passed})"
    )
    named = {"message": message, "type": "BadRequestError", "param": "input_tokens"}
    return 400, {"error": {**named, "code": 400}}


def _vllm_event(event: Body) -> Iterable[Body]:
    item = event.get("item", {})
    item.pop("phase", None)
    if item.get("type") == "reasoning":
        item["content"] = [{"type": "reasoning_text", "text": "…"}]
        item.pop("encrypted_content", None)
    # The final object is parsed a second time: its ids are other ones.
    for one in event.get("response", {}).get("output", []):
        one["id"] = f"again_{one['id']}"
        if "call_id" in one:
            one["call_id"] = f"again_{one['call_id']}"
    return [event]


def _ollama_error(status: int, error: Body) -> Body:
    kind = "api_error" if status >= 500 else "invalid_request_error"
    kind = "not_found_error" if status == 404 else kind
    return {
        "error": {
            "message": error["message"],
            "type": kind,
            "param": None,
            "code": None,
        }
    }


def _ollama_refuses(body: Body) -> Refusal | None:
    effort = (body.get("reasoning") or {}).get("effort")
    if effort not in (None, "none", "low", "medium", "high", "max"):
        message = f'invalid reasoning value: "{effort}" (must be "high", "medium", "low" or "none")'
        return 400, _ollama_error(400, {"message": message})
    return None


def _ollama_event(event: Body) -> Iterable[Body]:
    if "response" in event:
        event["response"] |= {"safety_identifier": None, "service_tier": "default"}
    return [event]


def _ollama_reads(body: Body) -> Body:
    """Leave out developer messages, for which its renderers of several models write nothing.

    Source: https://github.com/ollama/ollama/issues/18305
    """
    items = body.get("input")
    if not isinstance(items, list):
        return body
    return {**body, "input": [one for one in items if one.get("role") != "developer"]}


VLLM_CONTEXT = 16_384  # tokens
_SYSTEM_FIRST = "System message must be at the beginning."
_KNOWN = {
    "model",
    "input",
    "tools",
    "stream",
    "store",
    "tool_choice",
    "parallel_tool_calls",
}


def _strict_refuses(body: Body) -> Refusal | None:
    found = [
        {
            "type": "extra_forbidden",
            "loc": ["body", name],
            "msg": "Extra inputs are not permitted",
            "input": body[name],
        }
        for name in body
        if name not in _KNOWN
    ]
    return (422, {"detail": found}) if found else None


def _strict_event(event: Body) -> Iterable[Body]:
    ends = ("response.completed", "response.incomplete", "response.failed", "error")
    if event["type"] in ("response.output_text.delta", *ends):
        yield event


def _llama_error(status: int, error: Body) -> Body:
    kinds = {
        400: "invalid_request_error",
        401: "authentication_error",
        404: "not_found_error",
    }
    kind = kinds.get(status, "server_error")
    if error.get("code") == "context_length_exceeded":
        message = "request (9031 tokens) exceeds the available context size (8192 tokens), try"
        sizes = {"n_prompt_tokens": 9031, "n_ctx": 8192}
        named = {
            "message": f"{message} increasing it",
            "type": "exceed_context_size_error",
        }
        return {"error": {"code": 400, **named, **sizes}}
    if status == 503:
        return {
            "error": {
                "message": "Loading model",
                "type": "unavailable_error",
                "code": 503,
            }
        }
    return {"error": {"code": status, "message": error["message"], "type": kind}}


def _llama_refuses(body: Body) -> Refusal | None:
    """Refuse what llama.cpp cannot read of a conversation."""
    for item in body["input"] if isinstance(body["input"], list) else []:
        if item.get("role") == "assistant" and item.get("type") != "message":
            return 400, _llama_error(
                400, {"message": "Cannot determine type of 'item'"}
            )
        if item.get("type") == "reasoning" and not isinstance(
            item.get("content"), list
        ):
            return 400, _llama_error(
                400, {"message": "item['content'] is not an array"}
            )
        kinds = [
            part["type"] for part in item.get("content") or [] if isinstance(part, dict)
        ]
        if "input_image" in kinds:
            return 500, _llama_error(500, {"message": _LLAMA_NO_IMAGES})
        if "input_file" in kinds:
            message = "'input_file' is not supported by llamacpp at this moment"
            return 400, _llama_error(400, {"message": message})
    return None


def _ministral_refuses(body: Body) -> Refusal | None:
    """Refuse neighbours of the same role, as Ministral 3's template does in llama.cpp."""
    roles = [
        item["role"]
        for item in body["input"]
        if item.get("type", "message") == "message"
    ]
    if any(one == other for one, other in pairwise(roles)):
        return 500, _llama_error(500, {"message": _MINISTRAL_ROLES})
    return _llama_refuses(body)


def _breaks_at_images(body: Body) -> Refusal | None:
    if "input_image" in json.dumps(body["input"]):
        return 500, {"error": {"message": "Something broke.", "type": "server_error"}}
    return None


def _llama_event(event: Body) -> Iterable[Body]:
    """Leave out what llama.cpp does not send: positions, encryption, and that a limit cut it."""
    event.pop("output_index", None)
    event.pop("content_index", None)
    item = event.get("item", {})
    if item.get("type") == "reasoning":
        item["content"] = [{"type": "reasoning_text", "text": "Let me look."}]
        item["encrypted_content"] = ""
    if event["type"] == "response.incomplete":
        event["type"] = "response.completed"
        response = event["response"]
        response["usage"]["output_tokens"] = response["max_output_tokens"]
    return [event]


def _reads_reasoning(body: Body) -> Body:
    """Leave out reasoning items: the stand-in takes none that it has not encrypted."""
    items = body.get("input")
    if not isinstance(items, list):
        return body
    return {**body, "input": [one for one in items if one.get("type") != "reasoning"]}


_LLAMA_NO_IMAGES = (
    "image input is not supported - hint: if this is unexpected,"
    " you may need to provide the mmproj"
)
_MINISTRAL_ROLES = (
    "\n------------\nWhile executing CallExpression at line 48, column 32 in source:\n...== 0) %}↵"
    "            {{- raise_exception('After the optional system message, conversation roles must"
    " alternate user and assistant roles except for tool calls and results.') }}"
)
AZURE = Dialect(name="azure", error=_azure_error, event=_azure_event, path="/openai/v1")
VLLM = Dialect(
    name="vllm",
    error=_vllm_error,
    refuse=_vllm_refuses,
    reads=_reads_reasoning,
    event=_vllm_event,
    searches=False,
)
OLLAMA = Dialect(
    name="ollama",
    error=_ollama_error,
    refuse=_ollama_refuses,
    reads=_ollama_reads,
    event=_ollama_event,
)
STRICT = Dialect(
    name="strict",
    error=lambda status, error: {"detail": error["message"]},
    refuse=_strict_refuses,
    event=_strict_event,
)
LLAMA = Dialect(
    name="llama",
    error=_llama_error,
    refuse=_llama_refuses,
    reads=_reads_reasoning,
    event=_llama_event,
    searches=False,
)
MINISTRAL = replace(LLAMA, name="ministral", refuse=_ministral_refuses)
UNSPOKEN = replace(LLAMA, name="unspoken", refuse=_breaks_at_images)
"""A server that breaks at images without saying so."""
DIALECTS = (AZURE, VLLM, OLLAMA, STRICT, LLAMA)


@dataclass(slots=True)
class ModelServer:
    """A proxy in front of the stand-in at `upstream`.

    `requests` are the bodies that came, `left` the number of streams that were read to their end.
    With `together`, requests for a response are answered once as many have come.
    """

    dialect: Dialect
    upstream: str
    url: str = ""
    requests: list[Body] = field(default_factory=list)
    left: int = 0
    together: asyncio.Barrier | None = None

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Pass a request on, and its answer back."""
        body = await request.json() if request.can_read_body else {}
        if request.path.endswith("/responses"):
            self.requests.append(body)
            if self.together is not None:
                await self.together.wait()
            if (refusal := self.dialect.refuse(body)) is not None:
                return web.json_response(refusal[1], status=refusal[0])
            body = self.dialect.reads(body)
        url = self.upstream + request.path.removeprefix(self.dialect.path)
        kept = {"Authorization": request.headers.get("Authorization", "")}
        async with (
            aiohttp.ClientSession() as session,
            session.request(
                request.method, url, json=body or None, headers=kept
            ) as given,
        ):
            if given.status >= 400:
                error = (await given.json())["error"]
                return web.json_response(
                    self.dialect.error(given.status, error), status=given.status
                )
            if not body.get("stream"):
                whole = await given.json()
                if not self.dialect.searches and "output" in whole:
                    whole["output"] = [
                        one
                        for one in whole["output"]
                        if one["type"] != "web_search_call"
                    ]
                return web.json_response(whole)
            response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
            await response.prepare(request)
            async for line in given.content:
                if line.startswith(b"data: {"):
                    for event in self.dialect.event(json.loads(line[6:])):
                        data = json.dumps(event)
                        text = f"event: {event['type']}\ndata: {data}\n\n"
                        await response.write(text.encode())
            self.left += 1
            return response


@asynccontextmanager
async def model_server(dialect: Dialect, upstream: str) -> AsyncIterator[ModelServer]:
    """Serve `dialect` on a free port of the loopback interface."""
    server = ModelServer(dialect, upstream)
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", server.answer)
    async with serving(application, handler_cancellation=True) as url:
        server.url = f"{url}{dialect.path}"
        yield server
