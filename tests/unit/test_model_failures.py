"""What a server's error means, by its code, its type or its HTTP status, and what is logged."""

from __future__ import annotations

import logging
from typing import Any

import aiohttp
import httpx2
import openai
import pytest

from bot.models.failures import failure_of, lacks_endpoint, log_failure
from memory.model import ErrorCause, model_error, model_error_in

REQUEST = httpx2.Request("POST", "http://m/v1")


def error_of(status: int, body: Any) -> openai.APIStatusError:
    """Return what the SDK raises for such an answer."""
    client = openai.AsyncOpenAI(api_key="k")
    response: Any = httpx2.Response(status, json=body, request=REQUEST)
    error: openai.APIStatusError = client._make_status_error_from_response(response)
    return error


def named(
    message: str, kind: str | None = None, code: object = None, **more: Any
) -> Any:
    """Return the body of an error as OpenAI writes it."""
    return {"error": {"message": message, "type": kind, "code": code, **more}}


MEANINGS: list[tuple[int, Any, ErrorCause]] = [
    (400, named("no", None, "context_length_exceeded"), "model_too_long"),
    (413, named("no", "tokens", "rate_limit_exceeded"), "model_too_long"),
    (429, named("no", "tokens", "rate_limit_exceeded"), "model_busy"),
    (400, named("no", "exceed_context_size_error", 400), "model_too_long"),
    (400, named("no", None, "ContextWindowExceededError"), "model_too_long"),
    (400, named("no", None, "invalid_prompt"), "model_policy"),
    (400, named("no", None, "content_filter", param="prompt"), "model_policy"),
    (400, named("no", None, "content_policy_violation"), "model_policy"),
    (401, named("no"), "model_refused"),
    (404, named("The model `x` does not exist.", "NotFoundError"), "model_refused"),
    (400, named("no", "invalid_request_error", None, param="model"), "model_refused"),
    (402, named("no", None, 402), "model_quota"),
    (429, named("no", "insufficient_quota", "insufficient_quota"), "model_quota"),
    (400, named("no", None, "billing_hard_limit_reached"), "model_quota"),
    (429, named("no", "requests", "rate_limit_exceeded"), "model_busy"),
    (529, named("no", "overloaded_error"), "model_busy"),
    (500, named("no", "server_error", 500), "model_down"),
    (503, {"detail": "The model is still loading"}, "model_down"),
    (400, named("no", "invalid_request_error", 400), "model_failed"),
    (400, {"error": "context length is only 4096"}, "model_failed"),
    (400, [named("no", code=400)], "model_failed"),
    (422, {"detail": [{"loc": ["body", "x"], "msg": "no"}]}, "model_failed"),
]


@pytest.mark.parametrize(("status", "body", "cause"), MEANINGS, ids=str)
def test_an_error_means_what_its_code_or_its_status_says(
    status: int, body: Any, cause: ErrorCause
) -> None:
    """Whatever its words are."""
    assert model_error(error_of(status, body)).cause == cause


@pytest.mark.parametrize(
    ("code", "cause"),
    [
        (429, "model_busy"),
        ("429", "model_busy"),
        (502, "model_down"),
        (401, "model_refused"),
        ("server_is_overloaded", "model_busy"),
        ("slow_down", "model_busy"),
        (400, "model_failed"),
        (7, "model_failed"),
    ],
)
def test_an_error_in_a_stream_can_have_its_status_in_its_code(
    code: object, cause: ErrorCause
) -> None:
    """OpenRouter, vLLM and LiteLLM write it so once they have answered with 200."""
    body = {"message": "no", "code": code}
    assert model_error(openai.APIError("no", REQUEST, body=body)).cause == cause
    assert model_error_in(body).cause == cause


def test_a_missing_path_is_told_from_a_missing_model(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The operator is told which setting to change."""
    failed = failure_of(error_of(404, named("File Not Found", "not_found_error", 404)))
    assert lacks_endpoint(failed)
    log_failure("m", failed)
    assert "ALERT: the server of the model m has no such path" in caplog.text
    for body in (named("model 'x' not found"), named("no", None, "DeploymentNotFound")):
        assert not lacks_endpoint(failure_of(error_of(404, body)))


def test_the_log_names_code_and_type_once_and_no_text(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The server's own words may quote a person; a code that repeats the status says nothing."""
    caplog.set_level(logging.WARNING)
    body = named("«I like ramen» is too much", "exceed_context_size_error", 400)
    log_failure("m", failure_of(error_of(400, body)))
    [line] = caplog.messages
    assert line.startswith(
        "the model m did not answer (HTTP 400, exceed_context_size_error, model_too_long): "
    )
    assert "ramen" not in caplog.text


@pytest.mark.parametrize(
    ("origin", "is_silent"),
    [
        (aiohttp.ClientOSError("Can not write request body"), False),
        (aiohttp.ServerDisconnectedError(), False),
        (aiohttp.ConnectionTimeoutError(), False),
        (aiohttp.SocketTimeoutError(), True),
    ],
    ids=str,
)
def test_a_lost_connection_is_told_from_a_timeout(
    origin: Exception, is_silent: bool
) -> None:
    """The SDK calls both a timeout; only a server that was asked in vain was silent."""
    error = openai.APITimeoutError(REQUEST)
    error.__cause__ = httpx2.ReadTimeout("")
    error.__cause__.__cause__ = origin
    failed = failure_of(error)
    assert (failed.cause, failed.silent) == ("model_down", is_silent)


FIELDS = ("store", "stream", "include", "reasoning")


@pytest.mark.parametrize(
    ("message", "param", "field"),
    [
        ("must be verified to stream this model", "stream", "stream"),
        ("Unsupported parameter: store", None, "store"),
        ("Unsupported value: 'minimal'", "reasoning.effort", "reasoning"),
        ('cannot read {"store": false, "stream": true}', None, ""),
        ('cannot read {"store": false, "stream": true}', "stream", "stream"),
        ("I restored streams", None, ""),
    ],
)
def test_a_refusal_is_about_the_one_field_that_it_names(
    message: str, param: str | None, field: str
) -> None:
    """One that repeats the whole request names none."""
    error = model_error(error_of(400, named(message, param=param)))
    assert error.field_of(FIELDS) == field
