"""What a server's error means, as each server writes it."""

from __future__ import annotations

import logging
from typing import Any

import aiohttp
import httpx
import openai
import pytest

from bot.reply_models.failures import (
    failure_of,
    failure_of_event,
    is_lost_connection,
    lacks_endpoint,
    log_failure,
)


def error_of(status: int, body: Any) -> openai.APIStatusError:
    """Return what the SDK raises for such an answer."""
    client = openai.AsyncOpenAI(api_key="k")
    response: Any = httpx.Response(
        status, json=body, request=httpx.Request("POST", "http://m/v1")
    )
    error: openai.APIStatusError = client._make_status_error_from_response(response)
    return error


def named(
    message: str, kind: str | None = None, code: object = None, **more: Any
) -> Any:
    """Return the body of an error as OpenAI writes it."""
    return {"error": {"message": message, "type": kind, "code": code, **more}}


TOO_LONG = [
    # OpenAI, Azure and Groq
    (
        400,
        named(
            "Your input exceeds the context window of this model.",
            "invalid_request_error",
        ),
    ),
    (413, named("Request too large for model in organization.", "tokens")),
    (
        400,
        named(
            "Please reduce the length of the messages.", None, "context_length_exceeded"
        ),
    ),
    # vLLM and SGLang
    (
        400,
        named(
            "This model's maximum context length is 4096 tokens.",
            "BadRequestError",
            400,
        ),
    ),
    (
        400,
        named(
            "The decoder prompt (length 5000) is longer than the maximum model length of 4096."
        ),
    ),
    (
        400,
        named(
            "The input (5000 tokens) is longer than the model's context length (4096 tokens)."
        ),
    ),
    # llama.cpp, llama-cpp-python and what is built on them
    (
        400,
        named(
            "request (9031 tokens) exceeds the available context size (8192 tokens), try"
            " increasing it",
            "exceed_context_size_error",
            400,
        ),
    ),
    (500, named("the request exceeds the available context size", "server_error", 500)),
    (400, named("Requested tokens (5000) exceed context window of 4096")),
    # LM Studio, Ollama, Tabby, TGI
    (
        400,
        {
            "error": "Trying to keep the first 5000 tokens when context the overflows. However,"
            " the model is loaded with context length of only 4096 tokens"
        },
    ),
    (
        400,
        named(
            "prompt too long; exceeded max context length by 904 tokens", "api_error"
        ),
    ),
    (422, {"detail": "Prompt length 5000 is greater than max_seq_len 4096"}),
    (
        422,
        {
            "error": "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096"
        },
    ),
    # Anthropic, Gemini, Bedrock and Mistral behind a gateway
    (
        400,
        named(
            "litellm.BadRequestError: prompt is too long: 210000 tokens > 200000 maximum"
        ),
    ),
    (
        400,
        named(
            "The input token count (5000) exceeds the maximum number of tokens allowed"
        ),
    ),
    (
        400,
        [
            named(
                "The input token count (5000) exceeds the maximum number of tokens allowed",
                code=400,
            )
        ],
    ),
    (400, named("Input is too long for requested model.")),
    (
        400,
        named("Prompt contains 40000 tokens and 0 draft tokens, too large for model"),
    ),
    (
        400,
        named(
            "litellm.ContextWindowExceededError: …", None, "ContextWindowExceededError"
        ),
    ),
]
NO_IMAGES = [
    (
        500,
        named(
            "image input is not supported - hint: if this is unexpected, you may need to provide"
            " the mmproj",
            "server_error",
            500,
        ),
    ),
    (400, named("smollm2 is not a multimodal model", "BadRequestError", 400)),
    (
        400,
        named(
            "At most 0 image(s) may be provided in one prompt.", "BadRequestError", 400
        ),
    ),
    (400, {"error": "Model does not support images. Please use a model that does."}),
    (422, {"detail": "unknown variant `image_url`, expected `text`"}),
]
LOADING = [
    (
        503,
        {
            "error": {
                "message": "Loading model",
                "type": "unavailable_error",
                "code": 503,
            }
        },
    ),
    (503, {"detail": "The model is still loading"}),
]
NO_MODEL = [
    (404, named("The model `x` does not exist.", "NotFoundError", 404)),
    (404, named("model 'x' not found", "not_found_error")),
    (
        400,
        named(
            "Invalid model name passed in model=x. Call `/v1/models` to view available."
        ),
    ),
    (400, [named("API key not valid. Please pass a valid API key.", code=400)]),
]
DOWN = [
    (500, named("Something broke.", "server_error", 500)),
    (
        500,
        named(
            "The model produced output that does not match the expected peg-native format"
        ),
    ),
    (502, {"detail": "Bad gateway"}),
    (503, named("The server is overloaded", "server_error")),
]
NO_CREDIT = [
    (402, named("Insufficient credits. Add more credits.", None, 402)),
    (
        400,
        named(
            "litellm.BadRequestError: Your credit balance is too low to access the Anthropic API.",
            "invalid_request_error",
        ),
    ),
]
FLAGGED = [
    (
        403,
        named("m requires moderation. Your input was flagged for x.", None, 403),
    ),
]
FAILED = [
    (400, named("Cannot determine type of 'item'", "invalid_request_error", 400)),
    (400, named("registry.ollama.ai/library/gemma2 does not support tools")),
    (
        422,
        {"detail": [{"loc": ["body", "x"], "msg": "Extra inputs are not permitted"}]},
    ),
]
MEANINGS = {
    "model_too_long": TOO_LONG,
    "model_images": NO_IMAGES,
    "model_loading": LOADING,
    "model_refused": NO_MODEL,
    "model_policy": FLAGGED,
    "model_down": DOWN,
    "model_quota": NO_CREDIT,
    "model_failed": FAILED,
}


@pytest.mark.parametrize(
    ("status", "body", "cause"),
    [
        (status, body, cause)
        for cause, found in MEANINGS.items()
        for status, body in found
    ],
    ids=str,
)
def test_an_error_means_what_its_server_says(
    status: int, body: Any, cause: str
) -> None:
    """By its code, its type, its words or its status, in this order."""
    assert failure_of(error_of(status, body)).cause == cause


@pytest.mark.parametrize(
    ("code", "cause"),
    [
        (429, "model_busy"),
        ("429", "model_busy"),
        (502, "model_down"),
        (413, "model_too_long"),
        (401, "model_refused"),
        (402, "model_quota"),
        ("server_is_overloaded", "model_busy"),
        ("slow_down", "model_busy"),
        (400, "model_failed"),
        (7, "model_failed"),
    ],
)
def test_an_error_in_a_stream_can_have_its_status_in_its_code(
    code: object, cause: str
) -> None:
    """OpenRouter, vLLM and LiteLLM write it so once they have answered with 200."""
    request: Any = httpx.Request("POST", "http://m/v1")
    error = openai.APIError("no", request, body={"message": "no", "code": code})
    assert failure_of(error).cause == cause


@pytest.mark.parametrize(
    ("status", "body", "cause"),
    [
        (status, body, cause)
        for cause, found in MEANINGS.items()
        for status, body in found
        if "error" in body
    ],
    ids=str,
)
def test_an_event_means_what_the_same_error_over_http_does(
    status: int, body: Any, cause: str
) -> None:
    """A server that begins its answer before it reads the request says it in the stream."""
    given = body["error"]
    if not isinstance(given, dict):
        given = {"message": given}
    error = {"code": status} | {
        name: value for name, value in given.items() if value is not None
    }
    assert failure_of_event(error).cause == cause


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (404, named("File Not Found", "not_found_error", 404)),
        (404, {"detail": "Not Found"}),
        (405, {"detail": "Method Not Allowed"}),
    ],
    ids=str,
)
def test_a_server_without_the_path_is_named_as_one(
    status: int, body: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """The operator is told which setting to change, not that the model is missing."""
    error = error_of(status, body)
    assert lacks_endpoint(error)
    log_failure("m", failure_of(error), error)
    assert (
        "ALERT: the server of the model m has no such path: set KIOKU_REPLY_API"
        in caplog.text
    )
    assert not any(
        lacks_endpoint(error_of(*one)) for one in [*NO_MODEL, *DOWN, *TOO_LONG]
    )


def test_the_log_names_code_and_type_once_and_no_text(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The server's own words may quote a person; a code that repeats the status says nothing."""
    caplog.set_level(logging.WARNING)
    body = named("«I like ramen» is too much", "exceed_context_size_error", 400)
    error = error_of(400, body)
    log_failure("m", failure_of(error), error)
    [line] = caplog.messages
    assert line.startswith(
        "the model m did not answer (HTTP 400, exceed_context_size_error, model_too_long): Bad"
    )
    assert "ramen" not in caplog.text


@pytest.mark.parametrize(
    ("origin", "is_lost"),
    [
        (aiohttp.ClientOSError("Can not write request body"), True),
        (aiohttp.ServerDisconnectedError(), True),
        (aiohttp.ConnectionTimeoutError(), False),
        (aiohttp.SocketTimeoutError(), False),
    ],
    ids=str,
)
def test_a_lost_connection_is_told_from_a_timeout(
    origin: Exception, is_lost: bool
) -> None:
    """The SDK calls both a timeout; only a server that was asked in vain was silent."""
    request: Any = httpx.Request("POST", "http://m/v1")
    error = openai.APITimeoutError(request)
    error.__cause__ = httpx.ConnectTimeout("")
    error.__cause__.__cause__ = origin
    assert is_lost_connection(error) == is_lost
    assert failure_of(error).silent != is_lost
