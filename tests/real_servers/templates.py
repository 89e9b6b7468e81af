"""Conversations by the chat templates of models: ``python -m tests.real_servers.templates FOLDER``.

FOLDER holds ``*.jinja``, such as ``models/templates`` of llama.cpp's source. For each of them
llama.cpp's server is started, and a conversation of four turns is held by the code that answers
people: a message, one with two tool calls after a thought, one with a file, and one after a
question that got no answer. The server converts and renders each request
(``/responses/input_tokens``); the answers are scripted, so nothing depends on what a model writes.
Prints a table, and ends with 1 if a template that shows the system message and the tools has a turn
without an answer.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import openai
from aiohttp import web

from bot.conversation.turns import Exchange
from bot.delivery.collected_reply import CollectedReply
from bot.models.failures import ReplyFailed
from bot.models.responses import ResponsesModel
from bot.pipeline.attachments import AttachedFile
from bot.pipeline.prompt import Prompt
from bot.pipeline.reply import ask_model
from bot.pipeline.tools import Toolbox
from memory import Memory, Person, load_schemas, memory_tools
from tests.loopback import serving
from tests.real_servers.servers import LLAMA_MODEL, llama_server
from tests.real_servers.tap import Body

ALICE = Person("T0", "U0")
TURNS = ("message", "two tool calls", "file", "after no answer")
_CONTEXT = "8192"
_LARGEST = 64_000_000


class Renderer:
    """A proxy that lets the server render each request, and answers it itself.

    `refusals` are what the server said of requests that it refused. `calls` names the tools that
    the next answers call.
    """

    def __init__(self, server: str) -> None:
        self.refusals: list[str] = []
        self.calls: list[str] = []
        self._server = server
        self._refusal: Body = {}
        self._status = 200

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        """Serve meanwhile; yields the address."""
        application = web.Application(client_max_size=_LARGEST)
        application.router.add_post("/v1/responses", self._handle)
        async with (
            aiohttp.ClientSession() as self._session,
            serving(application) as url,
        ):
            yield f"{url}/v1"

    async def render(self, body: Body) -> int | None:
        """Return the number of tokens of a prompt; None where the server refuses it."""
        url = f"{self._server}/responses/input_tokens"
        async with self._session.post(url, json=body) as answer:
            said = await answer.json()
            if answer.status == 200:
                return int(said["input_tokens"])
            self._refusal = said
            self._status = answer.status
            self.refusals.append(_last_line(said["error"]["message"]))
            return None

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        tokens = await self.render(body)
        if tokens is None:
            return web.json_response(self._refusal, status=self._status)
        events = message_events("Yes.")
        if self.calls and body.get("tools"):
            events = called_events(self.calls)
            self.calls = []
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        for event in events:
            await response.write(f"data: {json.dumps(event)}\n\n".encode())
        await response.write_eof()
        return response


def _last_line(message: str) -> str:
    """Return what a refusal ends with: before it, llama.cpp quotes the template."""
    return message.strip().splitlines()[-1].replace("|", "/")


def message_events(text: str) -> list[Body]:
    """Return the events in which llama.cpp's server writes a message."""
    content = [{"type": "output_text", "text": text, "annotations": [], "logprobs": []}]
    item = {
        "type": "message",
        "id": "msg_1",
        "role": "assistant",
        "status": "completed",
        "content": content,
    }
    response = {
        "id": "resp_1",
        "object": "response",
        "status": "completed",
        "output": [item],
    }
    place = {"output_index": 0, "content_index": 0, "item_id": "msg_1"}
    return [
        {"type": "response.output_text.delta", "delta": text, **place},
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.completed", "response": response},
    ]


def called_events(names: Sequence[str]) -> list[Body]:
    """Return the events in which llama.cpp's server calls tools, after a thought."""
    thought = [{"type": "reasoning_text", "text": "Let me look."}]
    reasoning = {
        "type": "reasoning",
        "id": "rs_1",
        "summary": [],
        "content": thought,
        "encrypted_content": "",
        "status": "completed",
    }
    items: list[Body] = [reasoning]
    for number, name in enumerate(names):
        identity = f"fc_abcdefgh{number}"
        call = {
            "type": "function_call",
            "id": identity,
            "call_id": identity,
            "name": name,
        }
        items.append({**call, "arguments": "{}", "status": "completed"})
    done = [{"type": "response.output_item.done", "item": item} for item in items]
    response = {
        "id": "resp_1",
        "object": "response",
        "status": "completed",
        "output": items,
    }
    return [*done, {"type": "response.completed", "response": response}]


class IdleTools(Toolbox):
    """Kioku's tools, which do nothing."""

    def __init__(self) -> None:
        self.definitions = [*memory_tools(load_schemas(None))]

    @property
    def looked_up(self) -> Sequence[Memory]:
        """The calls look up no memories."""
        return ()

    @property
    def suffice(self) -> bool:
        """The calls change nothing, and show the person nothing."""
        return False

    async def call(self, name: str, arguments: str) -> str:
        """Answer a call."""
        return json.dumps({"done": True})


@dataclass
class Row:
    """What became of a template: what it shows, which turns got an answer, and what was learned."""

    name: str
    shows_system: bool = False
    shows_tools: bool = False
    answered: list[bool] = field(default_factory=list)
    learned: Sequence[str] = ()
    refusal: str = ""

    @property
    def is_whole(self) -> bool:
        """Whether every turn got an answer."""
        return len(self.answered) == len(TURNS) and all(self.answered)

    def line(self) -> str:
        """Return the row of the table."""
        cells = [self.name, *map(_mark, (self.shows_system, self.shows_tools))]
        cells += [_mark(answered) for answered in self.answered] or ["–"] * len(TURNS)
        why = "; ".join(
            filter(None, [*self.learned, "" if self.is_whole else self.refusal])
        )
        return f"| {' | '.join([*cells, why])} |"


def _mark(holds: bool) -> str:
    return "✓" if holds else "✗"


def exchange(number: int, question: str, reply: str | None) -> Exchange:
    """Return an earlier question of the person, with its answer."""
    return Exchange(
        ts=f"{number}.0",
        user_id=ALICE.user_id,
        question=question,
        reply=reply,
    )


def prompts() -> list[Prompt]:
    """Return the prompts of the four turns."""
    first = exchange(1, "Hello", "Hi!")
    second = exchange(2, "What do I like?", "Ramen.")
    unanswered = exchange(3, "Sum it up", None)
    file = AttachedFile(name="budget.txt", text="Rent: 900 euros")
    return [
        Prompt(question="Hello", user_id=ALICE.user_id),
        Prompt(question="What do I like?", user_id=ALICE.user_id, exchanges=[first]),
        Prompt(
            question="Sum it up",
            user_id=ALICE.user_id,
            exchanges=[first, second],
            files=[file],
        ),
        Prompt(
            question="And now?",
            user_id=ALICE.user_id,
            exchanges=[first, second, unanswered],
        ),
    ]


async def examine(name: str, text: str) -> Row:
    """Return what becomes of a conversation by the template `text`."""
    row = Row(name)
    with llama_server("--context", _CONTEXT, "--template", text) as server:
        renderer = Renderer(server.url)
        async with (
            renderer.serving() as url,
            openai.AsyncOpenAI(api_key="none", base_url=url, max_retries=0) as client,
        ):
            tools = IdleTools()
            await _see_what_is_shown(row, renderer, tools)
            model = ResponsesModel(
                client,
                model=LLAMA_MODEL,
                max_output_tokens=25_000,
                first_event_seconds=300.0,
                answer_seconds=300.0,
            )
            for number, prompt in enumerate(prompts()):
                if TURNS[number] == "two tool calls":
                    renderer.calls = [tool["name"] for tool in tools.definitions[:2]]
                row.answered.append(await _answers(model, prompt, tools))
            row.learned = sorted(model.left_out)
            row.refusal = renderer.refusals[-1] if renderer.refusals else ""
    return row


async def _see_what_is_shown(row: Row, renderer: Renderer, tools: IdleTools) -> None:
    """Find out whether a template shows the system message and the tools to the model."""
    said = {"type": "message", "role": "user", "content": "Hello"}
    short = {"type": "message", "role": "system", "content": "Answer."}
    # Some templates have a system message of their own, which is shown where there is no other.
    long = {**short, "content": "Answer in one sentence. " * 20}
    plain = {"model": LLAMA_MODEL, "input": [short, said]}
    tokens = await renderer.render(plain) or 0
    with_long = await renderer.render({**plain, "input": [long, said]})
    with_tools = await renderer.render({**plain, "tools": tools.definitions})
    row.shows_system = with_long is not None and with_long > tokens
    row.shows_tools = with_tools is not None and with_tools > tokens


async def _answers(model: ResponsesModel, prompt: Prompt, tools: IdleTools) -> bool:
    try:
        await ask_model(
            model, ALICE, prompt, CollectedReply(""), tools, may_search=False
        )
    except ReplyFailed:
        return False
    finally:
        model.breaker.answered()
    return True


async def main(templates: Mapping[str, str]) -> int:
    """Print the table for templates, by name; return the exit code."""
    print(  # noqa: T201
        f"| template | system | tools | {' | '.join(TURNS)} | asked for, or why not |"
    )
    print("|---" * (len(TURNS) + 4) + "|")  # noqa: T201
    rows = []
    for name, text in templates.items():
        row = await examine(name, text)
        rows.append(row)
        print(row.line(), flush=True)  # noqa: T201
    whole = [row for row in rows if row.is_whole]
    fit = [row for row in rows if row.shows_system and row.shows_tools]
    failed = [row.name for row in fit if not row.is_whole]
    print(f"\n{len(whole)} of {len(rows)} templates hold the whole conversation.")  # noqa: T201
    print(  # noqa: T201
        f"{len(fit)} show the system message and the tools; of these fail: {failed or 'none'}."
    )
    return int(bool(failed))


def read_templates(folder: Path) -> dict[str, str]:
    """Return the templates of a folder, by name."""
    found = {
        path.stem: path.read_text("utf-8") for path in sorted(folder.glob("*.jinja"))
    }
    if not found:
        raise SystemExit(f"There is no *.jinja in {folder}.")
    return found


if __name__ == "__main__":
    logging.disable()
    sys.exit(asyncio.run(main(read_templates(Path(sys.argv[1])))))
