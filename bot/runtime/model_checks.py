"""What `kioku doctor` asks of the model that replies, and what it says of one that is refused."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import aclosing
from typing import Final

import openai

from bot.config import Settings
from bot.delivery.collected_reply import CollectedReply
from bot.pipeline.links import LinkFilter
from bot.pipeline.mentions import AnswerNames
from bot.pipeline.prompt import Prompt
from bot.pipeline.reply import StreamedAnswer
from bot.pipeline.tools import tool_definitions
from bot.reply_models.failures import Cause, ReplyFailed, failure_of, lacks_endpoint
from bot.reply_models.requests import Items, ModelRequests
from bot.runtime.problems import Problem, way_to, without_secrets
from bot.runtime.wiring import create_reply_model
from memory import load_schemas
from memory.formation import has_not_arrived

ANSWER_TOKENS = 500
"""Tokens of an answer, including a thought before it."""
_PROMPT: Final = Prompt(question="Say OK.", user_id="U0")
_TODO_OF_CAUSE: Final[Mapping[Cause, str]] = {
    "model_quota": "add credit to the provider's account",
    "model_busy": "wait a minute, or raise the limit at the provider",
    "model_down": "look at the provider's status, or into the server's log",
    "model_loading": (
        "run `kioku doctor` again when the server's log says that the model is loaded"
    ),
}
_TODO_OF_STATUS: Final = {
    401: "write a valid key into {key}, or that of the model's provider",
    403: "allow the model for this key, or set {name} to another",
    404: "set {name} to a model that the server has",
}
_ANOTHER_MODEL: Final = "set {name} to another model, or look into the server's log"
_PATHS: Final = {"responses": "Responses API", "chat": "/chat/completions"}
_OTHER_API: Final = {"responses": "chat", "chat": "responses"}


async def check_replies(settings: Settings, client: openai.AsyncOpenAI) -> str:
    """Ask the reply model for an answer. Raises `Problem`."""
    server = without_secrets(settings.reply_server.base_url)
    limit = min(settings.max_output_tokens, ANSWER_TOKENS)
    limited = settings.model_copy(update={"max_output_tokens": limit})
    model = create_reply_model(limited, client)
    tools = tool_definitions(load_schemas(settings.schemas), False)
    try:
        await _ask(model, tools)
    except ReplyFailed as failed:
        raise _problem(server, model, failed, failed) from None
    except openai.OpenAIError as error:
        raise _problem(server, model, failure_of(error), error) from None
    found = f"{model.model} at {server} answers."
    if learned := model.learned:
        found += f" Its server asks for {', '.join(learned)}."
    return found


async def _ask(model: ModelRequests, tools: Items) -> None:
    """Read the answer to a message. Raises `ReplyFailed` and `openai.OpenAIError`."""
    written = StreamedAnswer(LinkFilter(), AnswerNames({}), CollectedReply(""))
    events = model.events(_PROMPT.input, tools, identifier="kioku-doctor")
    try:
        async with aclosing(events):
            async for event in events:
                await written.read(event)
                if written.is_over:
                    break
        await written.end_response(model.output_limit)
    except TimeoutError:
        pass  # it is still writing, so the request was accepted


def _problem(
    server: str, model: ModelRequests, failed: ReplyFailed, error: Exception
) -> Problem:
    """Return the problem of a model that does not answer; `failed` is what `error` means."""
    if lacks_endpoint(error):
        return Problem(
            f"{server} has no {_PATHS[model.api]} (HTTP {failed.status}): OPENAI_BASE_URL ends in"
            " /v1 on most servers, such as http://localhost:8000/v1; else set"
            f" KIOKU_REPLY_API={_OTHER_API[model.api]}."
        )
    if failed.silent and not has_not_arrived(error):
        return Problem(
            f"{server}: {model.model} began no answer in time: set KIOKU_MODEL_TIMEOUT"
            " to more seconds, or use a smaller model."
        )
    if failed.status is None and failed.cause == "model_down":
        return Problem(
            f"No answer from {server}: check {way_to(server)}, and OPENAI_BASE_URL."
        )
    return model_refused(f"{server}: {model.model}", failed, "KIOKU_REPLY_MODEL")


def model_refused(
    what: str, failed: ReplyFailed, name: str, *, key: str = "OPENAI_API_KEY"
) -> Problem:
    """Return the problem of a model whose server refuses requests.

    `name` and `key` are the settings of the model's name and key.
    """
    by_status = _TODO_OF_STATUS.get(failed.status or 0, _ANOTHER_MODEL)
    todo = _TODO_OF_CAUSE.get(failed.cause, by_status).format(name=name, key=key)
    return Problem(f"{what} is refused ({failed.told}): {todo}.")
