"""A model that answers what the test says, over HTTP: chat completions, responses, embeddings."""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from aiohttp import web

from openai_double.conformance import recorded
from tests.loopback import serving

DIMENSIONS = 256
Call: TypeAlias = tuple[
    str, Any
]  # a name, and arguments as an object or as the model writes them
# Tool calls, a status to fail with, or a function of the shown memories that gives the calls.
Step: TypeAlias = list[Call] | int | Callable[["Shown"], list[Call]]
# What the model says of each proposal by its index, over an approval; a status; `REFUSAL`; or the
# arguments of the call, as JSON.
VerdictStep: TypeAlias = dict[int, dict[str, Any]] | int | str
Poison: TypeAlias = int | dict[str, Any] | Literal["loop", "half a call"]


@dataclass(frozen=True)
class Shown:
    """What one request held: its whole text, and the memories shown as (id, text)."""

    text: str
    memories: list[tuple[str, str]]

    def id_of(self, text: str) -> str:
        """Return the id of the one memory that holds `text`."""
        (found,) = [identity for identity, shown in self.memories if text in shown]
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
    patches = [
        {"op": "replace", "path": f"/{k}", "value": v} for k, v in fields.items()
    ]
    return (
        "PatchDoc",
        {"json_doc_id": identity, "planned_edits": "", "patches": patches},
    )


def remove(identity: str, **more: str) -> Call:
    """Return a call that removes a memory."""
    return ("RemoveDoc", {"json_doc_id": identity, **more})


@dataclass
class ScriptedModel:
    """The script, and what was asked for; a model named in `scripts` has a script of its own.

    Requests for verdicts are apart: `verdicts` says how they are answered; without a step every
    proposal is approved. So are `probes`, which hold no words: each gets `probe`. A request whose
    text holds `poison` gets that status, that body, an answer that loops to its limit, or a call
    whose arguments have no end. A request with tools whose text holds `late` waits twice at that
    barrier before it is answered. `call_id` names a call by its number.
    """

    script: list[Step] = field(default_factory=list)
    scripts: dict[str, list[Step]] = field(default_factory=dict)
    verdicts: list[VerdictStep] = field(default_factory=list)
    requests: list[dict[str, Any]] = field(default_factory=list)
    verdict_requests: list[dict[str, Any]] = field(default_factory=list)
    probe: Step = field(default_factory=lambda: [("RepeatWord", {"word": "tea"})])
    probes: list[dict[str, Any]] = field(default_factory=list)
    tools: Literal["called", "dropped", "refused"] = "called"
    poison: Mapping[str, Poison] = field(default_factory=dict)
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
    late: Mapping[str, asyncio.Barrier] = field(default_factory=dict)
    call_id: Callable[[int], str | None] = "c{}".format
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

    async def answered(self, request: web.Request) -> web.Response:
        """Answer a request for proposals or for verdicts, as its endpoint does."""
        body = await request.json()
        for text, barrier in self.late.items():
            if body.get("tools") and text in asked_text(body):
                await barrier.wait()
                await barrier.wait()
        step = await self._step(request.path, body)
        if step == "loop":
            return web.json_response(_cut_off(body))
        if isinstance(step, dict):
            return web.json_response(step)
        if step == "half a call":
            step = [("UserFact", '{"fact": ')]
        if isinstance(step, int):
            error = {"message": self.error_message, "code": self.error_code}
            return web.json_response({"error": error}, status=step)
        if not request.path.endswith("/responses"):
            return web.json_response(_completion(step, self.usage, self.call_id))
        answer = _response(step, self.usage, self.call_id)
        if self.failed_response:
            error = {"code": self.failed_response, "message": "no"}
            answer |= {"error": error, "output": [], "status": "failed"}
        return web.json_response(answer)

    async def _step(self, path: str, body: dict[str, Any]) -> list[Call] | Poison | str:
        system = str((body.get("messages") or body["input"])[0])
        if self.tools != "called" and body.get("tools"):
            self.probes += [body] if "RepeatWord" in system else []
            return 404 if self.tools == "refused" else "I cannot call tools."
        if "RepeatWord" in system:
            self.probes.append(body)
            return self.probe if not callable(self.probe) else self.probe(_shown(body))
        found = [step for text, step in self.poison.items() if text in asked_text(body)]
        if "MemoryVerdicts" in system:
            judged = await self._judged(body)
            return found[0] if found else judged
        if found:
            self.requests.append(body)
            return found[0]
        return await self._proposed(path, body)

    async def embeddings(self, request: web.Request) -> web.Response:
        if self.embeddings_status != 200:
            return web.json_response(
                {"error": {"message": "down"}}, status=self.embeddings_status
            )
        texts = (await request.json())["input"]
        self.embedding_requests.append(texts)
        data = [
            {"object": "embedding", "index": i, "embedding": vector(text)}
            for i, text in enumerate(texts)
        ]
        usage = {"prompt_tokens": 1, "total_tokens": 1}
        return web.json_response(
            {"object": "list", "model": "m", "data": data, "usage": usage}
        )

    async def _proposed(self, path: str, body: dict[str, Any]) -> list[Call] | int:
        self.requests.append(body)
        self.paths.append(path)
        script = self.scripts.get(body.get("model", ""), self.script)
        step = script.pop(0) if script else []
        if self.barrier:
            await self.barrier.wait()
        return step(_shown(body)) if callable(step) else step

    async def _judged(self, body: dict[str, Any]) -> list[Call] | int | str:
        self.verdict_requests.append(body)
        held = self.held
        self.judging.set()
        await asyncio.sleep(self.verdict_delay)
        if held is not None:
            await held.wait()
        step = self.verdicts.pop(0) if self.verdicts else {}
        if isinstance(step, str) and step != REFUSAL:
            return [("MemoryVerdicts", step)]
        if not isinstance(step, dict):
            return step
        given = [
            verdict(one["index"], **step.get(one["index"], {}))
            for one in proposals_in(body)
        ]
        return [("MemoryVerdicts", {"verdicts": given})]


def verdict(index: int, **fields: Any) -> dict[str, Any]:
    """Return a verdict that approves, with `fields` instead of what it would say."""
    approved = {"supported": True, "about": "speaker", "modality": "asserted"}
    approved |= {"valid_until": None, "conflict": "replaces", "sensitive": "none"}
    return {"index": index, **approved, **fields}


def proposals_in(body: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the proposals in a request for verdicts."""
    return proposals_in_text(asked_text(body))


def proposals_in_text(text: str) -> list[dict[str, Any]]:
    """Return the proposals in what a model is asked to judge."""
    [lines] = re.findall(r"<proposals>\n(.*?)\n</proposals>", text, re.S)
    return [json.loads(line) for line in lines.splitlines()]


def asked_text(body: dict[str, Any]) -> str:
    """Return the text of the last user message of a request."""
    content = (body.get("messages") or body["input"])[-1]["content"]
    return (
        content
        if isinstance(content, str)
        else "".join(part["text"] for part in content)
    )


# The text with which a model declines.
REFUSAL = "refusal"


def _completion(
    step: list[Call] | str, tokens: int, call_id: Callable[[int], str | None] = str
) -> dict[str, Any]:
    """A chat completion with these calls or this text; `tokens` are used if there are any."""
    message: dict[str, Any] = {"role": "assistant", "content": step or "ok"}
    if step == REFUSAL:
        message |= {"content": None, "refusal": "I cannot help with that."}
    elif step and not isinstance(step, str):
        calls = [
            {"id": call_id(i), "type": "function"}
            | {"function": {"name": name, "arguments": _written(arguments)}}
            for i, (name, arguments) in enumerate(step)
        ]
        message |= {"content": None, "tool_calls": calls}
    choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
    answer = {"id": "x", "object": "chat.completion", "created": 1, "model": "m"}
    used = {"prompt_tokens": tokens - 1, "completion_tokens": 1, "total_tokens": tokens}
    return answer | {"choices": choices} | ({"usage": used} if tokens else {})


def _response(
    step: list[Call] | str, tokens: int, call_id: Callable[[int], str | None] = str
) -> dict[str, Any]:
    """A response with these calls or this text; `tokens` are used if there are any."""
    output: list[dict[str, Any]] = [{"type": "reasoning", "id": "rs_1", "summary": []}]
    if isinstance(step, str):
        part: dict[str, Any] = {"type": "output_text", "text": step, "annotations": []}
        if step == REFUSAL:
            part = {"type": "refusal", "refusal": "I cannot help with that."}
        said = {
            "type": "message",
            "id": "msg_1",
            "role": "assistant",
            "status": "completed",
        }
        output.append({**said, "content": [part]})
    else:
        output += [
            {"type": "function_call", "id": f"fc_{i}", "call_id": call_id(i)}
            | {"name": name, "arguments": _written(arguments), "status": "completed"}
            for i, (name, arguments) in enumerate(step)
        ]
    used: dict[str, Any] = {
        "input_tokens": tokens - 1,
        "output_tokens": 1,
        "total_tokens": tokens,
    }
    used |= {"input_tokens_details": {"cached_tokens": 0}}
    used |= {"output_tokens_details": {"reasoning_tokens": 0}}
    return (
        {
            "id": "resp_x",
            "object": "response",
            "created_at": 1,
            "model": "m",
            "output": output,
        }
        | {
            "parallel_tool_calls": True,
            "tool_choice": "auto",
            "tools": [],
            "status": "completed",
        }
        | ({"usage": used} if tokens else {})
    )


def _written(arguments: Any) -> str:
    return arguments if isinstance(arguments, str) else json.dumps(arguments)


def _cut_off(body: dict[str, Any]) -> dict[str, Any]:
    """A response of as many tokens as the request allows, which llama.cpp calls complete."""
    used = body.get("max_output_tokens") or body["max_completion_tokens"]
    if "max_output_tokens" not in body:
        answer = _completion("", used)
        answer["usage"] |= {"completion_tokens": used, "total_tokens": 2 * used}
        return answer
    answer = _response([], used)
    answer["usage"] |= {
        "input_tokens": 1,
        "output_tokens": used,
        "total_tokens": used + 1,
    }
    return answer


def _shown(body: dict[str, Any]) -> Shown:
    text = "\n".join(
        message["content"]
        for message in body.get("messages") or body["input"]
        if isinstance(message.get("content"), str)
    )
    return shown_in(text)


def shown_in(text: str) -> Shown:
    """Return what a request for proposals shows, whose texts are `text`."""
    found = re.findall(r"^(\d+) (\{.*\})$", text, re.M)
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
    for path in ("/v1", "/openai/deployments/{name}"):
        application.router.add_post(f"{path}/chat/completions", model.answered)
    application.router.add_post("/v1/responses", model.answered)
    application.router.add_post("/v1/embeddings", model.embeddings)
    async with serving(application) as url:
        model.base_url = f"{url}/v1"
        yield model
