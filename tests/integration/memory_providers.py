"""The APIs of Anthropic, Google and Amazon Bedrock, which call the tools that a test says.

Sources: https://platform.claude.com/docs/en/api/messages,
https://ai.google.dev/api/generate-content,
https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html.
"""

from __future__ import annotations

import json
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

    `variables` are the environment variables by which its package finds this server and a key.
    """

    name: str
    model: str
    variables: Callable[[str], dict[str, str]]
    answer: Callable[[list[Call]], Body]
    error: Callable[[int], Body]


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
    ),
    Provider(
        name="google",
        model="google_genai:gemini-3-flash",
        variables=lambda url: {"GOOGLE_API_KEY": "k", "GOOGLE_GEMINI_BASE_URL": url},
        answer=_google,
        error=lambda status: {
            "error": {"code": status, "message": "no", "status": "NO"}
        },
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
    ),
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

    `requests` are the bodies that came; `failing` is a status to answer every request with.
    """

    provider: Provider
    url: str = ""
    failing: int | None = None
    steps: list[Step] = field(default_factory=list)
    requests: list[Body] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.Response:
        """Answer a request for proposals or verdicts."""
        body = await request.json()
        self.requests.append(body)
        if self.failing is not None:
            headers = {
                "x-amzn-ErrorType": _BEDROCK_NAMES.get(self.failing, "Exception")
            }
            error = self.provider.error(self.failing)
            return web.json_response(error, status=self.failing, headers=headers)
        text = "\n".join(_texts(body))
        if "MemoryVerdicts" in text:
            verdicts = [verdict(one["index"]) for one in proposals_in_text(text)]
            calls: list[Call] = [("MemoryVerdicts", {"verdicts": verdicts})]
        else:
            calls = self.steps.pop(0)(shown_in(text))
        return web.json_response(self.provider.answer(calls))

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
