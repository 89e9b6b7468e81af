"""A model that answers what the test says, over HTTP: chat completions, responses, embeddings."""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from aiohttp import web

from tests.conformance.traffic import recorded
from tests.loopback import serving

DIMENSIONS = 256
Call: TypeAlias = tuple[str, dict[str, Any]]
# Tool calls, a status to fail with, or a function of the shown memories that gives the calls.
Step: TypeAlias = list[Call] | int | Callable[["Shown"], list[Call]]
# What the model says of each proposal by its index, over an approval; a status; or a text.
VerdictStep: TypeAlias = dict[int, dict[str, Any]] | int | str


@dataclass(frozen=True)
class Shown:
    """What one request held: its whole text, and the memories shown as (id, kind, text)."""

    text: str
    memories: list[tuple[str, str, str]]

    def id_of(self, text: str) -> str:
        """Return the id of the one memory that holds `text`."""
        (found,) = [identity for identity, _, shown in self.memories if text in shown]
        return found


def fact(text: str, evidence: str, **more: Any) -> Call:
    """Return a call that stores a fact."""
    return ("UserFact", {"fact": text, "evidence": evidence, **more})


def food(name: str, level: int | None, evidence: str, **more: Any) -> Call:
    """Return a call that stores a food."""
    content = {"food_name": name, "preference": level, "evidence": evidence, **more}
    return ("UserFoodPreference", content)


def patch(identity: str, **fields: Any) -> Call:
    """Return a call that updates a memory."""
    patches = [{"op": "replace", "path": f"/{k}", "value": v} for k, v in fields.items()]
    return ("PatchDoc", {"json_doc_id": identity, "planned_edits": "", "patches": patches})


def remove(identity: str) -> Call:
    """Return a call that removes a memory."""
    return ("RemoveDoc", {"json_doc_id": identity})


@dataclass
class ScriptedModel:
    """The script, and what was asked for; a model named in `scripts` has a script of its own.

    Requests for verdicts are apart: `verdicts` says how they are answered; without a step every
    proposal is approved.
    """

    script: list[Step] = field(default_factory=list)
    scripts: dict[str, list[Step]] = field(default_factory=dict)
    verdicts: list[VerdictStep] = field(default_factory=list)
    requests: list[dict[str, Any]] = field(default_factory=list)
    verdict_requests: list[dict[str, Any]] = field(default_factory=list)
    verdict_delay: float = 0.0
    judging: asyncio.Event = field(default_factory=asyncio.Event)
    held: asyncio.Event | None = None
    usage: int = 0
    error_code: str | None = None
    error_message: str = "no"
    failed_response: str | None = None
    paths: list[str] = field(default_factory=list)
    embedding_requests: list[list[str]] = field(default_factory=list)
    embeddings_status: int = 200
    barrier: asyncio.Barrier | None = None
    base_url: str = ""

    @property
    def last(self) -> Shown:
        """What the newest request showed."""
        return _shown(self.requests[-1])

    def answer(self, *steps: Step) -> None:
        """Say what comes next."""
        self.script.extend(steps)

    @property
    def proposed(self) -> list[dict[str, Any]]:
        """Return the proposals of the newest request for verdicts."""
        return proposals_in(self.verdict_requests[-1])

    async def chat(self, request: web.Request) -> web.Response:
        calls, failed = await self._next(request)
        if failed:
            return failed
        message: dict[str, Any] = {"role": "assistant", "content": None if calls else "ok"}
        if calls:
            message["tool_calls"] = [
                {"id": f"c{i}", "type": "function", "function": {"name": n, "arguments": a}}
                for i, (n, a) in enumerate(calls)
            ]
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        return web.json_response(
            {"id": "x", "object": "chat.completion", "created": 1, "model": "m"}
            | {"choices": [choice]}
            | _usage(self.usage)
        )

    async def responses(self, request: web.Request) -> web.Response:
        calls, failed = await self._next(request)
        if failed:
            return failed
        if self.failed_response:
            return web.json_response(
                {"id": "resp_x", "object": "response", "created_at": 1, "model": "m"}
                | {"error": {"code": self.failed_response, "message": "no"}, "output": []}
                | {"parallel_tool_calls": True, "tool_choice": "auto", "tools": []}
                | {"status": "failed"}
            )
        output: list[dict[str, Any]] = [{"type": "reasoning", "id": "rs_1", "summary": []}]
        output += [
            {"type": "function_call", "id": f"fc_{i}", "call_id": f"call_{i}"}
            | {"name": name, "arguments": arguments, "status": "completed"}
            for i, (name, arguments) in enumerate(calls)
        ]
        return web.json_response(
            {"id": "resp_x", "object": "response", "created_at": 1, "model": "m"}
            | {"output": output, "parallel_tool_calls": True, "tool_choice": "auto"}
            | {"tools": [], "status": "completed"}
            | _response_usage(self.usage)
        )

    async def embeddings(self, request: web.Request) -> web.Response:
        if self.embeddings_status != 200:
            return web.json_response({"error": {"message": "down"}}, status=self.embeddings_status)
        texts = (await request.json())["input"]
        self.embedding_requests.append(texts)
        data = [
            {"object": "embedding", "index": i, "embedding": vector(text)}
            for i, text in enumerate(texts)
        ]
        usage = {"prompt_tokens": 1, "total_tokens": 1}
        return web.json_response({"object": "list", "model": "m", "data": data, "usage": usage})

    async def _next(
        self, request: web.Request
    ) -> tuple[list[tuple[str, str]], web.Response | None]:
        body = await request.json()
        if "MemoryVerdicts" in str((body.get("messages") or body["input"])[0]):
            return await self._judge(request, body)
        self.requests.append(body)
        self.paths.append(request.path)
        script = self.scripts.get(body.get("model", ""), self.script)
        step = script.pop(0) if script else []
        if self.barrier:
            await self.barrier.wait()
        if isinstance(step, int):
            error = {"message": self.error_message, "code": self.error_code}
            return [], web.json_response({"error": error}, status=step)
        calls = step(_shown(body)) if callable(step) else step
        return [(name, json.dumps(arguments)) for name, arguments in calls], None

    async def _judge(
        self, request: web.Request, body: dict[str, Any]
    ) -> tuple[list[tuple[str, str]], web.Response | None]:
        self.verdict_requests.append(body)
        held = self.held
        self.judging.set()
        await asyncio.sleep(self.verdict_delay)
        if held is not None:
            await held.wait()
        step = self.verdicts.pop(0) if self.verdicts else {}
        if isinstance(step, int):
            error = {"message": self.error_message, "code": self.error_code}
            return [], web.json_response({"error": error}, status=step)
        if isinstance(step, str):
            return [], _said(request, step)
        given = [verdict(one["index"], **step.get(one["index"], {})) for one in proposals_in(body)]
        return [("MemoryVerdicts", json.dumps({"verdicts": given}))], None


def verdict(index: int, **fields: Any) -> dict[str, Any]:
    """Return a verdict that approves, with `fields` instead of what it would say."""
    approved = {"supported": True, "about": "speaker", "modality": "asserted"}
    approved |= {"valid_until": None, "conflict": "replaces", "sensitive": "none"}
    return {"index": index, **approved, **fields}


def proposals_in(body: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the proposals in a request for verdicts."""
    [text] = re.findall(r"<proposals>\n(.*?)\n</proposals>", asked_text(body), re.S)
    return [json.loads(line) for line in text.splitlines()]


def asked_text(body: dict[str, Any]) -> str:
    """Return the text of the last user message of a request."""
    content = (body.get("messages") or body["input"])[-1]["content"]
    return content if isinstance(content, str) else "".join(part["text"] for part in content)


def _said(request: web.Request, text: str) -> web.Response:
    """Answer with a text; ``refusal`` declines."""
    no = "I cannot help with that."
    if request.path.endswith("/responses"):
        part = {"type": "output_text", "text": text, "annotations": []}
        if text == "refusal":
            part = {"type": "refusal", "refusal": no}
        said = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed"}
        return web.json_response(
            {"id": "resp_x", "object": "response", "created_at": 1, "model": "m"}
            | {"output": [{**said, "content": [part]}], "parallel_tool_calls": True}
            | {"tool_choice": "auto", "tools": [], "status": "completed"}
        )
    message: dict[str, Any] = {"role": "assistant", "content": text}
    if text == "refusal":
        message = {"role": "assistant", "content": None, "refusal": no}
    return web.json_response(
        {"id": "x", "object": "chat.completion", "created": 1, "model": "m"}
        | {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
    )


def _usage(tokens: int) -> dict[str, Any]:
    if not tokens:
        return {}
    used = {"prompt_tokens": tokens - 1, "completion_tokens": 1, "total_tokens": tokens}
    return {"usage": used}


def _response_usage(tokens: int) -> dict[str, Any]:
    if not tokens:
        return {}
    details = {"input_tokens_details": {"cached_tokens": 0}}
    details |= {"output_tokens_details": {"reasoning_tokens": 0}}
    used = {"input_tokens": tokens - 1, "output_tokens": 1, "total_tokens": tokens}
    return {"usage": {**used, **details}}


def _shown(body: dict[str, Any]) -> Shown:
    text = "\n".join(
        message["content"]
        for message in body.get("messages") or body["input"]
        if isinstance(message.get("content"), str)
    )
    found = re.findall(r'<instance id=(\S+) schema_type="(\w+)">\n(.*?)\n</instance>', text, re.S)
    return Shown(text, found)


def vector(text: str) -> list[float]:
    """Return a normalised vector of hashed character pairs."""
    counts = [0.0] * DIMENSIONS
    for i in range(max(1, len(text) - 1)):
        counts[hashlib.blake2b(text[i : i + 2].encode()).digest()[0]] += 1.0
    length = math.sqrt(sum(count * count for count in counts))
    return [count / length for count in counts]


@asynccontextmanager
async def scripted_model() -> AsyncIterator[ScriptedModel]:
    """Serve a scripted model on a free port of the loopback interface."""
    model = ScriptedModel()
    application = web.Application(middlewares=[recorded])
    application.router.add_post("/v1/chat/completions", model.chat)
    application.router.add_post("/openai/deployments/{name}/chat/completions", model.chat)
    application.router.add_post("/v1/responses", model.responses)
    application.router.add_post("/v1/embeddings", model.embeddings)
    async with serving(application) as url:
        model.base_url = f"{url}/v1"
        yield model
