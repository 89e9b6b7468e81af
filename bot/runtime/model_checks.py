"""What `kioku doctor` asks of the model that replies, and what it says of one that is refused."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import aclosing
from typing import Final

from bot.answering.filters import AnswerNames, CitationFilter
from bot.answering.links import LinkFilter
from bot.answering.prompt import Prompt
from bot.answering.streamed_answer import StreamedAnswer
from bot.config import Settings
from bot.delivery.reply_sink import CollectedReply
from bot.models.failures import ReplyFailed, lacks_endpoint
from bot.models.model import Items, Model
from bot.runtime.problems import NO_MODEL, Problem, place_of, way_to
from bot.runtime.wiring import create_reply_model, open_model_clients
from memory import load_schemas, memory_tools
from memory.model import ErrorCause, ModelError, speaks_openai

ANSWER_TOKENS = 500
"""Tokens of an answer, including a thought before it."""
_WORDS = 300  # characters of what a server says
_PROMPT: Final = Prompt(question="Say OK.", user_id="U0")
_TODO_OF_CAUSE: Final[Mapping[ErrorCause, str]] = {
    "model_quota": "add credit to the provider's account",
    "model_busy": "wait a minute, or raise the limit at the provider",
    "model_down": "look at the provider's status, or into the server's log",
    "model_policy": (
        "the provider's filter refuses Kioku's own instructions: allow them there, or set {name} to"
        " another model"
    ),
}
_TODO_OF_STATUS: Final = {
    401: "write a valid key into {key}, or that of the model's provider",
    403: "allow the model for this key, or set {name} to another",
    404: "set {name} to a model that the server has",
}
_ANOTHER_MODEL: Final = "set {name} to another model, or look into the server's log"


async def check_model(settings: Settings) -> str:
    """Ask the reply model for an answer: this checks the address, the key and the name."""
    if not settings.has_model:
        if settings.slack_bot_token is not None and settings.slack_app_token is None:
            raise Problem(NO_MODEL)  # only `kioku run` serves this
        return (
            "None is set: `kioku up` answers with the stand-in, which is no language model."
            " `kioku run` needs one."
        )
    limit = min(settings.max_output_tokens, ANSWER_TOKENS)
    limited = settings.model_copy(update={"max_output_tokens": limit})
    server = place_of(settings.reply_model, settings.reply_server)
    tools = memory_tools(load_schemas(settings.schemas))
    async with open_model_clients(settings) as clients:
        model = create_reply_model(limited, clients.replies)
        try:
            written = await _ask(model, tools)
        except ReplyFailed as failed:
            raise _problem(settings, server, model, failed) from failed
    found = f"{model.name} at {server} answers."
    if model.left_out:
        found += f" Its server does not take {', '.join(sorted(model.left_out))}."
    if "store" in model.left_out:
        found += " So it may keep the requests."
    if written.is_empty and written.cut is not None:
        found += (
            f" It reasoned for {limit} tokens without an answer: a lower KIOKU_REASONING_EFFORT"
            " makes answers begin earlier."
        )
    if not model.searches:
        found += " It cannot search the web."
    return found


async def _ask(model: Model, tools: Items) -> StreamedAnswer:
    """Read the answer to a message, which may not be whole. Raises `ReplyFailed`."""
    written = StreamedAnswer(
        CitationFilter(), LinkFilter(), AnswerNames({}), CollectedReply("")
    )
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
    return written


def _problem(
    settings: Settings, server: str, model: Model, failed: ReplyFailed
) -> Problem:
    """Return the problem of a model that does not answer."""
    what = f"{server}: {model.name}"
    if lacks_endpoint(failed):
        return Problem(
            f"{server} has no such path (HTTP {failed.status}): OPENAI_BASE_URL ends in /v1 on most"
            " servers, such as http://localhost:8000/v1; for one that has only /chat/completions"
            f" set KIOKU_REPLY_MODEL=openai-chat:{model.name}."
        )
    if failed.silent:
        return Problem(
            f"{what} began no answer in time: set KIOKU_MODEL_TIMEOUT to more seconds, or use a"
            " smaller model."
        )
    if failed.error is None or failed.error.is_unreadable:
        return Problem(
            f"{what} answers in a form that is not the Responses API's: set"
            f" KIOKU_REPLY_MODEL=openai-chat:{model.name}, or look into the server's log."
        )
    if failed.status is None and failed.cause == "model_down":
        way = ""
        if speaks_openai(settings.reply_model):
            way = f"{way_to(server)}, and OPENAI_BASE_URL"
        return Problem(f"No answer from {server}: check {way or 'the network'}.")
    return model_refused(what, failed.error, "KIOKU_REPLY_MODEL")


def model_refused(
    what: str, error: ModelError, name: str, *, key: str = "OPENAI_API_KEY"
) -> Problem:
    """Return the problem of a model whose server refuses requests, in the server's own words.

    The request was the app's own, so they quote nobody. `name` and `key` are the settings of the
    model's name and key.
    """
    by_status = _TODO_OF_STATUS.get(error.status or 0, _ANOTHER_MODEL)
    todo = _TODO_OF_CAUSE.get(error.cause, by_status).format(name=name, key=key)
    said = " ".join(error.message.split())[:_WORDS]
    return Problem(f"{what} is refused ({error.told}: “{said}”): {todo}.")
