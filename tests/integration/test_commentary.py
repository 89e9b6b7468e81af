"""Responses with several messages: commentary is a task, final messages are paragraphs."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

import openai
import pytest
from aiohttp import web

from bot.config import STAND_IN_MODEL
from bot.pipeline.prompt import compose
from bot.pipeline.reply import Replier
from bot.pipeline.responses.answer import MAX_ANSWER
from bot.pipeline.responses.errors import ReplyFailed
from bot.pipeline.tools.toolbox import Toolbox
from bot.types import Task
from bot.views.tasks import task_chunk
from memory import Person
from tests.conftest import Server

ALICE = Person("T1", "U1")
PROMPT = compose(question="When is the release?", user_id="U1", memories=[])
LOOK_UP = {"type": "message", "text": "Let me look that up.", "phase": "commentary"}
CALL = {"type": "function_call", "name": "look", "arguments": {"a": 1}}


class OneTool:
    """A toolbox with one tool."""

    own_words = ()

    def definitions(self) -> list[dict[str, Any]]:
        tool = {"type": "function", "name": "look", "parameters": {"type": "object"}}
        return [{**tool, "strict": False}]

    async def call(self, name: str, arguments: str) -> str:
        del arguments
        return json.dumps({"called": name})


class Told:
    """What the person is shown: the pieces of the answer and the tasks."""

    def __init__(self) -> None:
        self.pieces: list[str] = []
        self.tasks: list[Task] = []

    async def text(self, piece: str) -> None:
        self.pieces.append(piece)

    async def task(self, task: Task) -> None:
        self.tasks.append(task)

    @property
    def comments(self) -> list[str]:
        return [task.detail for task in self.tasks if task.name == "commentary"]


@pytest.fixture
def replier(model_client: openai.AsyncOpenAI) -> Replier:
    """What is tested."""
    return Replier(model_client, model=STAND_IN_MODEL, web_search=True)


def script(stand_in: Server, *items: dict[str, Any]) -> None:
    """Say what the model's next response consists of."""
    stand_in.call("/_model/script", {"endpoint": "responses", "output": {"items": list(items)}})


async def test_commentary_is_a_task_and_no_part_of_the_answer(
    replier: Replier, stand_in: Server
) -> None:
    """Commentary, a search and the answer: the answer alone is streamed and returned."""
    final = {"type": "message", "text": "The release is on Monday.", "phase": "final_answer"}
    script(stand_in, {"type": "reasoning"}, LOOK_UP, {"type": "web_search"}, final)
    told = Told()
    reply = await replier.reply(ALICE, PROMPT, told.text, on_task=told.task)
    assert reply.text == "".join(told.pieces) == "The release is on Monday."
    assert told.comments == ["Let me look that up."]
    assert [task.state for task in told.tasks] == ["complete"]
    assert task_chunk("en", told.tasks[0])["details"] == "Let me look that up."


async def test_commentary_goes_back_with_its_phase(replier: Replier, stand_in: Server) -> None:
    """The next request of the turn holds the messages with their phases, then the calls."""
    said = {"type": "message", "text": "One moment.", "phase": "final_answer"}
    script(stand_in, LOOK_UP, said, CALL)
    script(stand_in, {"type": "message", "text": "Monday."})
    told = Told()
    toolbox = cast("Toolbox", OneTool())
    reply = await replier.reply(ALICE, PROMPT, told.text, toolbox, on_task=told.task)
    assert reply.text == "".join(told.pieces) == "One moment.\n\nMonday."
    first, second = (one["body"] for one in stand_in.call("/_model/journal")["entries"])
    comment, message, call, output = second["input"][len(first["input"]) :]
    assert comment == {
        "role": "assistant",
        "content": "Let me look that up.",
        "phase": "commentary",
    }
    assert message == {"role": "assistant", "content": "One moment.", "phase": "final_answer"}
    assert (call["type"], output["type"]) == ("function_call", "function_call_output")


@pytest.mark.parametrize(
    "items",
    [
        [{"type": "message", "text": "Monday."}, {"type": "message", "text": "At noon."}],
        [{"type": "message", "parts": ["Monday.", "At noon."]}],
        [{"type": "message", "text": "Monday.\n"}, {"type": "message", "text": "\nAt noon."}],
    ],
    ids=["messages", "parts", "lines"],
)
async def test_messages_and_parts_are_paragraphs(
    replier: Replier, stand_in: Server, items: Sequence[dict[str, Any]]
) -> None:
    """Several messages, and several text parts of one, are joined by one blank line."""
    script(stand_in, *items)
    told = Told()
    reply = await replier.reply(ALICE, PROMPT, told.text)
    assert reply.text == "".join(told.pieces) == "Monday.\n\nAt noon."


async def test_links_in_commentary_follow_the_rules(replier: Replier, stand_in: Server) -> None:
    """An address that is not the person's own is text in commentary as in an answer."""
    text = "I read https://evil.site/?q=secret and https://own.site/a now."
    comment = {"type": "message", "text": text, "phase": "commentary"}
    script(stand_in, comment, {"type": "message", "text": "Done."})
    told = Told()
    asked = compose(question="Read https://own.site/a", user_id="U1", memories=[])
    await replier.reply(ALICE, asked, told.text, on_task=told.task)
    assert told.comments == ["I read evil[.]site/?q=secret and https://own.site/a now."]


async def test_commentary_alone_is_no_answer(replier: Replier, stand_in: Server) -> None:
    """A response that consists of commentary only is an empty answer."""
    script(stand_in, LOOK_UP)
    with pytest.raises(ReplyFailed) as raised:
        await replier.reply(ALICE, PROMPT, Told().text)
    assert raised.value.cause == "model_empty"


@asynccontextmanager
async def streaming(events: Sequence[dict[str, Any]], *, for_ever: bool) -> AsyncIterator[Replier]:
    """Serve a stream of these events, and give a replier for it; the last can repeat for ever."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for event in events:
            await response.write(f"data: {json.dumps(event)}\n\n".encode())
        while for_ever:
            await response.write(f"data: {json.dumps(events[-1])}\n\n".encode())
        return response

    app = web.Application()
    app.router.add_post("/v1/responses", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    try:
        async with openai.AsyncOpenAI(api_key="x", base_url=url, max_retries=0) as client:
            yield Replier(client, model="m", web_search=False)
    finally:
        await runner.cleanup()


def delta(text: str) -> dict[str, Any]:
    """Return the event of a piece of text."""
    return {"type": "response.output_text.delta", "delta": text}


def message(text: str, phase: str | None) -> dict[str, Any]:
    """Return a message item."""
    content = [{"type": "output_text", "text": text}] if text else []
    return {"type": "message", "id": "m1", "phase": phase, "content": content}


async def test_commentary_whose_phase_comes_late_is_taken_out() -> None:
    """Where only the complete item names its phase, its text is no part of the answer."""
    events = [
        {"type": "response.output_item.added", "item": message("", None)},
        delta("Let me look that up. "),
        {"type": "response.output_item.done", "item": message("Let me look.", "commentary")},
        {"type": "response.output_item.added", "item": message("", None)},
        delta("On Monday."),
        {"type": "response.output_item.done", "item": message("On Monday.", None)},
        {"type": "response.completed", "response": {}},
    ]
    told = Told()
    async with streaming(events, for_ever=False) as replier:
        reply = await replier.reply(ALICE, PROMPT, told.text, on_task=told.task)
    assert reply.text == "On Monday."
    assert told.comments == ["Let me look."]


async def test_commentary_without_an_end_is_ended() -> None:
    """Commentary counts for the length of an answer: the request is left at its limit."""
    added = {"type": "response.output_item.added", "item": message("", "commentary")}
    spent: list[int] = []

    async def spend(team: str, tokens: int) -> None:
        spent.append(tokens)

    async with streaming([added, delta("la " * 1_000)], for_ever=True) as replier:
        replier._spend = spend
        with pytest.raises(ReplyFailed) as raised:
            await replier.reply(ALICE, PROMPT, Told().text)
    assert raised.value.cause == "model_empty"
    assert sum(spent) >= MAX_ANSWER // 4
