"""The APIs of Anthropic, Google and Amazon Bedrock, in front of a server of chat completions.

Each takes what LangChain's own package for the provider sends, and answers in the provider's
shape; tools, messages and their results are translated, nothing is invented. Sources:
https://platform.claude.com/docs/en/api/messages,
https://ai.google.dev/api/generate-content (with the restrictions of its ``Schema``),
https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import aiohttp
from aiohttp import web

from tests.loopback import serving

Body: TypeAlias = dict[str, Any]
Call: TypeAlias = tuple[str, str, Body]  # id, name, arguments


@dataclass(frozen=True, kw_only=True)
class Provider:
    """A provider's API: `asked` reads a request, `answer` and `error` write what comes back.

    `variables` are the environment variables by which its package finds this server and a key.
    `too_long` is its message, with status 400, for a prompt longer than the model's context.
    """

    name: str
    model: str
    variables: Callable[[str], dict[str, str]]
    asked: Callable[[Body], Body]
    answer: Callable[[str, list[Call], Body], Body]
    error: Callable[[int, str], Body]
    too_long: str


def _text(role: str, text: str) -> Body:
    return {"role": role, "content": text}


def _called(calls: list[Call]) -> Body:
    named = [
        {"id": i, "type": "function", "function": {"name": name, "arguments": json.dumps(given)}}
        for i, name, given in calls
    ]
    return {"role": "assistant", "content": None, "tool_calls": named}


def _tool(name: str, description: str, parameters: Body) -> Body:
    function = {"name": name, "description": description, "parameters": parameters}
    return {"type": "function", "function": function}


def _choice(mode: str, name: str | None = None) -> Body | str:
    """Return OpenAI's ``tool_choice``: one function, any, or as the model likes."""
    if name is not None:
        return {"type": "function", "function": {"name": name}}
    return {"auto": "auto", "any": "required", "none": "none"}[mode]


def _from_anthropic(body: Body) -> Body:
    system = body.get("system", "")
    system = system if isinstance(system, str) else "".join(one["text"] for one in system)
    messages = [_text("system", system)] if system else []
    for message in body["messages"]:
        blocks = message["content"]
        blocks = [{"type": "text", "text": blocks}] if isinstance(blocks, str) else blocks
        calls = [(b["id"], b["name"], b["input"]) for b in blocks if b["type"] == "tool_use"]
        results = [b for b in blocks if b["type"] == "tool_result"]
        text = "".join(b["text"] for b in blocks if b["type"] == "text")
        messages += [_called(calls)] if calls else []
        messages += [
            {"role": "tool", "tool_call_id": b["tool_use_id"], "content": str(b.get("content"))}
            for b in results
        ]
        messages += [_text(message["role"], text)] if text else []
    assert body["max_tokens"] > 0
    choice = body.get("tool_choice", {"type": "auto"})
    tools = [_tool(t["name"], t.get("description", ""), t["input_schema"]) for t in body["tools"]]
    return {
        "messages": messages,
        "tools": tools,
        "tool_choice": _choice(choice["type"], choice.get("name")),
    }


def _to_anthropic(text: str, calls: list[Call], usage: Body) -> Body:
    content: list[Body] = [{"type": "text", "text": text}] if text else []
    content += [{"type": "tool_use", "id": i, "name": n, "input": given} for i, n, given in calls]
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude",
        "content": content,
        "stop_reason": "tool_use" if calls else "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": usage["prompt"], "output_tokens": usage["completion"]},
    }


def _anthropic_error(status: int, message: str) -> Body:
    names = {400: "invalid_request_error", 401: "authentication_error", 404: "not_found_error"}
    named = names.get(status, "overloaded_error" if status == 529 else "api_error")
    return {"type": "error", "error": {"type": named, "message": message}, "request_id": "req_1"}


_GOOGLE_TYPES = ("STRING", "NUMBER", "INTEGER", "BOOLEAN", "ARRAY", "OBJECT", "NULL")


def _from_google_schema(schema: Body) -> Body:
    """Return the JSON schema of a ``Schema``, whose type is one of an enumeration.

    As everywhere in Google's JSON, a field may have its name of the protocol buffer.
    """
    found = {k: v for k, v in schema.items() if k != "nullable"}
    if "any_of" in found:
        found["anyOf"] = found.pop("any_of")
    assert "anyOf" in found or found.get("type") in _GOOGLE_TYPES, schema
    if "type" in found:
        found["type"] = str(found["type"]).lower()
        if schema.get("nullable"):
            found["type"] = [found["type"], "null"]
    if "properties" in found:
        found["properties"] = {
            name: _from_google_schema(one) for name, one in found["properties"].items()
        }
    if "items" in found:
        found["items"] = _from_google_schema(found["items"])
    if "anyOf" in found:
        found["anyOf"] = [_from_google_schema(one) for one in found["anyOf"]]
    return found


def _from_google(body: Body) -> Body:
    system = body.get("systemInstruction", {}).get("parts", [])
    messages = [_text("system", "".join(part["text"] for part in system))] if system else []
    for content in body["contents"]:
        calls = [
            (one.get("id", one["name"]), one["name"], one.get("args", {}))
            for part in content["parts"]
            if (one := part.get("functionCall"))
        ]
        messages += [_called(calls)] if calls else []
        for part in content["parts"]:
            if result := part.get("functionResponse"):
                named = result.get("id", result["name"])
                said = json.dumps(result["response"], ensure_ascii=False)
                messages.append({"role": "tool", "tool_call_id": named, "content": said})
            elif part.get("text"):
                role = "assistant" if content.get("role") == "model" else "user"
                messages.append(_text(role, part["text"]))
    tools = []
    for declared in (one for group in body["tools"] for one in group["functionDeclarations"]):
        parameters = declared.get("parametersJsonSchema")
        if parameters is None:
            parameters = _from_google_schema(declared["parameters"])
        tools.append(_tool(declared["name"], declared.get("description", ""), parameters))
    config = body.get("toolConfig", {}).get("functionCallingConfig", {})
    only = config.get("allowedFunctionNames", [])
    named = only[0] if len(only) == 1 else None
    choice = _choice(config.get("mode", "AUTO").lower(), named)
    return {"messages": messages, "tools": tools, "tool_choice": choice}


def _to_google(text: str, calls: list[Call], usage: Body) -> Body:
    parts: list[Body] = [{"text": text}] if text else []
    parts += [{"functionCall": {"id": i, "name": n, "args": given}} for i, n, given in calls]
    return {
        "candidates": [
            {"content": {"role": "model", "parts": parts}, "finishReason": "STOP", "index": 0}
        ],
        "usageMetadata": {
            "promptTokenCount": usage["prompt"],
            "candidatesTokenCount": usage["completion"],
            "totalTokenCount": usage["prompt"] + usage["completion"],
        },
        "modelVersion": "gemini",
        "responseId": "r1",
    }


def _google_error(status: int, message: str) -> Body:
    names = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 404: "NOT_FOUND", 429: "EXHAUSTED"}
    named = names.get(status, "UNAVAILABLE")
    return {"error": {"code": status, "message": message, "status": named}}


def _from_bedrock(body: Body) -> Body:
    messages = [_text("system", part["text"]) for part in body.get("system", [])]
    for message in body["messages"]:
        calls = [
            (one["toolUseId"], one["name"], one["input"])
            for part in message["content"]
            if (one := part.get("toolUse"))
        ]
        messages += [_called(calls)] if calls else []
        for part in message["content"]:
            if result := part.get("toolResult"):
                said = "".join(str(one.get("text", one)) for one in result["content"])
                messages.append(
                    {"role": "tool", "tool_call_id": result["toolUseId"], "content": said}
                )
            elif part.get("text"):
                messages.append(_text(message["role"], part["text"]))
    config = body["toolConfig"]
    tools = [
        _tool(one["name"], one.get("description", ""), one["inputSchema"]["json"])
        for one in (tool["toolSpec"] for tool in config["tools"])
    ]
    [(mode, given)] = config.get("toolChoice", {"auto": {}}).items()
    return {
        "messages": messages,
        "tools": tools,
        "tool_choice": _choice(mode, given.get("name")),
    }


def _to_bedrock(text: str, calls: list[Call], usage: Body) -> Body:
    content: list[Body] = [{"text": text}] if text else []
    content += [{"toolUse": {"toolUseId": i, "name": n, "input": given}} for i, n, given in calls]
    return {
        "output": {"message": {"role": "assistant", "content": content}},
        "stopReason": "tool_use" if calls else "end_turn",
        "usage": {
            "inputTokens": usage["prompt"],
            "outputTokens": usage["completion"],
            "totalTokens": usage["prompt"] + usage["completion"],
        },
        "metrics": {"latencyMs": 1},
    }


ANTHROPIC = Provider(
    name="anthropic",
    model="anthropic:claude-sonnet-5",
    variables=lambda url: {"ANTHROPIC_API_KEY": "k", "ANTHROPIC_BASE_URL": url},
    asked=_from_anthropic,
    answer=_to_anthropic,
    error=_anthropic_error,
    too_long="prompt is too long: 205616 tokens > 200000 maximum",
)
GOOGLE = Provider(
    name="google",
    model="google_genai:gemini-3-flash",
    variables=lambda url: {"GOOGLE_API_KEY": "k", "GOOGLE_GEMINI_BASE_URL": url},
    asked=_from_google,
    answer=_to_google,
    error=_google_error,
    too_long=(
        "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576)."
    ),
)
BEDROCK = Provider(
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
    asked=_from_bedrock,
    answer=_to_bedrock,
    error=lambda status, message: {"message": message},
    too_long="Input is too long for requested model.",
)
PROVIDERS = (ANTHROPIC, GOOGLE, BEDROCK)
# Bedrock names an error in a header.
_BEDROCK_NAMES = {
    400: "ValidationException",
    403: "AccessDeniedException",
    404: "ResourceNotFoundException",
    429: "ThrottlingException",
    500: "InternalServerException",
    503: "ServiceUnavailableException",
}


@dataclass(slots=True)
class ProviderServer:
    """A server that speaks as `provider` in front of `upstream`, which has /chat/completions.

    `requests` are the bodies that came; `failing` is a status to answer every request with, and
    `message` its error's.
    """

    provider: Provider
    upstream: str
    url: str = ""
    failing: int | None = None
    message: str = "no"
    requests: list[Body] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.Response:
        """Translate a request, pass it on, and translate what comes back."""
        body = await request.json()
        self.requests.append(body)
        if self.failing is not None:
            return self._failed(self.failing)
        asked = {"model": self.provider.model, **self.provider.asked(body)}
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{self.upstream}/chat/completions", json=asked) as given,
        ):
            if given.status >= 400:
                return self._failed(given.status)
            found = await given.json()
        message, usage = found["choices"][0]["message"], found.get("usage", {})
        counted = {
            "prompt": usage.get("prompt_tokens", 9),
            "completion": usage.get("completion_tokens", 1),
        }
        calls = [*_calls(message)]
        written = self.provider.answer(message.get("content") or "", calls, counted)
        return web.json_response(written)

    def _failed(self, status: int) -> web.Response:
        headers = {}
        if self.provider is BEDROCK:
            headers = {"x-amzn-ErrorType": _BEDROCK_NAMES.get(status, "InternalServerException")}
        return web.json_response(
            self.provider.error(status, self.message), status=status, headers=headers
        )


def _calls(message: Body) -> Iterator[Call]:
    for one in message.get("tool_calls") or []:
        function = one["function"]
        yield one["id"], function["name"], json.loads(function["arguments"])


@asynccontextmanager
async def provider_server(provider: Provider, upstream: str) -> AsyncIterator[ProviderServer]:
    """Serve `provider` on a free port of the loopback interface."""
    server = ProviderServer(provider, upstream)
    application = web.Application()
    application.router.add_post("/{path:.*}", server.answer)
    async with serving(application) as server.url:
        yield server
