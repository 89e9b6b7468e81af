"""What `kioku doctor` asks of a model that replies: the requests of a conversation.

The code of real conversations makes and reads them, so that a server's refusal is found here first:
a message, a second one, one with a file, a tool's result after a thought, a picture.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Final

import openai

from bot.config import Settings
from bot.conversation.turns import Exchange
from bot.delivery.collected_reply import CollectedReply
from bot.pipeline.attachments import AttachedFile
from bot.pipeline.links import LinkFilter
from bot.pipeline.mentions import AnswerNames
from bot.pipeline.output_items import Item, calls_in, output_of, sent_back
from bot.pipeline.prompt import Prompt
from bot.pipeline.reply import StreamedAnswer
from bot.pipeline.tools import tool_definitions
from bot.reply_models.failures import Cause, ReplyFailed, failure_of, lacks_endpoint
from bot.reply_models.requests import Items, ModelRequests
from bot.runtime.problems import Problem, way_to, without_secrets
from bot.runtime.wiring import create_reply_model
from memory import load_schemas
from memory.formation import has_not_arrived
from memory.model import References

LOADING_SECONDS = 300.0
"""How long to wait for a model that is being loaded."""
LOADING_PAUSE_SECONDS = 2.0
ANSWER_TOKENS = 500
"""Tokens of an answer, including a thought before it."""
_USER = "U0"
_PROMPT: Final = Prompt(question="Say OK.", user_id=_USER)
_EARLIER: Final = Exchange(
    ts="1.0", user_id=_USER, question="Say Hello.", reply="Hello."
)
_UNANSWERED: Final = Exchange(
    ts="2.0",
    user_id=_USER,
    question="Say Good morning.",
    reply=None,
)
_FILE: Final = AttachedFile(name="list.txt", text="Tea, bread.")
# A white dot.
_PNG: Final = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8"
    "/5+hHgAHggJ/PchI7wAAAABJRU5ErkJggg=="
)
_PICTURE: Final = AttachedFile(
    name="dot.png",
    kind="image/png",
    content={
        "type": "input_image",
        "image_url": f"data:image/png;base64,{_PNG}",
        "detail": "auto",
    },
)
_CALL_ID: Final = "call_000000001"
_RESULT: Final = json.dumps({"done": True})
_TODO_OF_CAUSE: Final[Mapping[Cause, str]] = {
    "model_quota": "add credit to the provider's account",
    "model_busy": "wait a minute, or raise the limit at the provider",
    "model_down": "look at the provider's status, or into the server's log",
}
_TODO_OF_STATUS: Final = {
    401: "write a valid key into {key}, or that of the model's provider",
    403: "allow the model for this key, or set {name} to another",
    404: "set {name} to a model that the server has",
}
_ANOTHER_MODEL: Final = "set {name} to another model, or look into the server's log"
_PATHS: Final = {"responses": "Responses API", "chat": "/chat/completions"}
_OTHER_API: Final = {"responses": "chat", "chat": "responses"}


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation with one model at `server`; `name` is the setting that names the model."""

    model: ModelRequests
    tools: Items
    name: str
    server: str

    async def check(self) -> str:
        """Return what works and what does not. Raises `Problem` if a message gets no answer."""
        await self._begin()
        second = replace(_PROMPT, exchanges=[_EARLIER, _UNANSWERED])
        await self._try("a second message", second)
        with_file = replace(_PROMPT, exchanges=[_EARLIER], files=[_FILE])
        await self._try("a message with a file", with_file)
        called = await self._try_tools()
        found = [
            f"{self.model.model} at {self.server} answers a conversation and reads files."
        ]
        if not called:
            found.append(
                "It called no tool when asked to, so memory works by what is said only."
            )
        if not await self._reads_pictures():
            found.append("It reads no pictures: it answers without them, and says so.")
        if learned := self.model.learned:
            found.append(f"Its server asks for {', '.join(learned)}.")
        return " ".join(found)

    async def _begin(self) -> None:
        """Get the answer to a first message; wait for a model that is being loaded."""
        loop = asyncio.get_running_loop()
        end = loop.time() + LOADING_SECONDS
        while True:
            try:
                await self._ask(_PROMPT)
            except ReplyFailed as failed:
                if failed.cause != "model_loading" or loop.time() >= end:
                    raise self._problem(failed) from None
            else:
                return
            await asyncio.sleep(LOADING_PAUSE_SECONDS)

    async def _try(self, what: str, prompt: Prompt, more: Sequence[Item] = ()) -> None:
        """Get an answer to a later message; `what` describes it to the operator."""
        try:
            await self._ask(prompt, more)
        except ReplyFailed as failed:
            raise Problem(
                f"{self.server}: {self.model.model} answers a first message, but fails at {what}"
                f" ({failed.told}): look into the server's log, or set {self.name} to"
                " another model."
            ) from None

    async def _try_tools(self) -> bool:
        """Ask for a tool call, and send a result back; return whether the model made the call.

        Its own call is sent back with the thought before it; an invented call has none.
        """
        prompt = replace(_PROMPT, question="Open my settings.")
        try:
            output = await self._ask(prompt)
        except ReplyFailed:
            output = []
        calls = calls_in(output)
        made_call = bool(calls)
        if not made_call:
            invented = {
                "type": "function_call",
                "call_id": _CALL_ID,
                "name": self.tools[0]["name"],
                "arguments": "{}",
            }
            output = calls = [invented]
        results = [output_of(call, _RESULT) for call in calls]
        await self._try("the result of a tool", prompt, [*sent_back(output), *results])
        return made_call

    async def _reads_pictures(self) -> bool:
        try:
            await self._ask(replace(_PROMPT, files=[_PICTURE]))
        except ReplyFailed:
            return False
        return True

    async def _ask(self, prompt: Prompt, more: Sequence[Item] = ()) -> list[Item]:
        """Return the output of one response to `prompt` and what follows it.

        Raises `ReplyFailed`, also for an error of the SDK, which is its cause.
        """
        try:
            return await self._read([*prompt.input, *more])
        except openai.OpenAIError as error:
            raise failure_of(error) from error

    async def _read(self, conversation: Items) -> list[Item]:
        written = StreamedAnswer(
            LinkFilter(), AnswerNames(References()), CollectedReply("")
        )
        events = self.model.events(conversation, self.tools, identifier="kioku-doctor")
        try:
            async with aclosing(events):
                async for event in events:
                    await written.read(event)
                    if written.is_over:
                        break
            await written.end_response(self.model.output_limit)
        except TimeoutError:
            pass  # it is still writing, so the request was accepted
        return written.output

    def _problem(self, failed: ReplyFailed) -> Problem:
        """Return the problem of a model that does not answer a first message."""
        server = self.server
        error = failed.__cause__
        if isinstance(error, openai.APIStatusError) and lacks_endpoint(error):
            api = self.model.api
            return Problem(
                f"{server} has no {_PATHS[api]} (HTTP {failed.status}): OPENAI_BASE_URL ends in"
                " /v1 on most servers, such as http://localhost:8000/v1; else set"
                f" KIOKU_REPLY_API={_OTHER_API[api]}."
            )
        if failed.cause == "model_loading":
            return Problem(
                f"{server}: {self.model.model} is still being loaded: run `kioku doctor` again"
                " when the server's log says that it is ready."
            )
        is_unreachable = error is not None and has_not_arrived(error)
        if failed.silent and not is_unreachable:
            return Problem(
                f"{server}: {self.model.model} began no answer in time: set KIOKU_MODEL_TIMEOUT"
                " to more seconds, or use a smaller model."
            )
        if failed.status is None and failed.cause == "model_down":
            return Problem(
                f"No answer from {server}: check {way_to(server)}, and OPENAI_BASE_URL."
            )
        return model_refused(f"{server}: {self.model.model}", failed, self.name)


def model_refused(
    what: str, failed: ReplyFailed, name: str, *, key: str = "OPENAI_API_KEY"
) -> Problem:
    """Return the problem of a model whose server refuses requests.

    `name` and `key` are the settings of the model's name and key.
    """
    by_status = _TODO_OF_STATUS.get(failed.status or 0, _ANOTHER_MODEL)
    todo = _TODO_OF_CAUSE.get(failed.cause, by_status).format(name=name, key=key)
    return Problem(f"{what} is refused ({failed.told}): {todo}.")


async def check_replies(settings: Settings, client: openai.AsyncOpenAI) -> str:
    """Hold a conversation with the reply model. Raises `Problem`."""
    server = without_secrets(settings.reply_server.base_url)
    tools = tool_definitions(load_schemas(settings.schemas), False)
    limit = min(settings.max_output_tokens, ANSWER_TOKENS)
    limited = settings.model_copy(update={"max_output_tokens": limit})
    model = create_reply_model(limited, client)
    return await Conversation(model, tools, "KIOKU_REPLY_MODEL", server).check()
