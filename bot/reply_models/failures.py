"""What the errors of a model's server mean: for the person, for the next request, for the log.

Sources: the schemas ``ResponseErrorCode`` and ``ResponseErrorEvent`` of
https://github.com/openai/openai-openapi,
https://platform.openai.com/docs/guides/error-codes, and the sources of the servers named below.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, TypeAlias

import aiohttp
import openai

from bot.logs import fault
from memory.metrics import count
from memory.model import objects

log = logging.getLogger(__name__)

Cause: TypeAlias = Literal[
    "model_down",
    "model_busy",
    "model_loading",
    "model_this_message",
    "model_policy",
    "model_images",
    "model_too_long",
    "model_quota",
    "model_refused",
    "model_failed",
    "model_empty",
    "model_malformed",
    "model_slow",
]

_SAID_AS: Final[Mapping[Cause, Cause]] = {
    "model_busy": "model_down",
    "model_loading": "model_down",
    "model_this_message": "model_failed",
    "model_malformed": "model_empty",
}

# Patterns of error codes, in the order in which they are tried.
_CODES: Final[Mapping[Cause, re.Pattern[str]]] = {
    "model_images": re.compile("image"),
    "model_policy": re.compile("policy|invalid_prompt|content_filter"),
    "model_too_long": re.compile(
        "context_length_exceeded|exceed_context_size|string_above_max_length"
        "|ContextWindowExceeded"
    ),
    "model_down": re.compile("server_error|vector_store_timeout"),
    # OpenAI answers with 200 and sends ``server_is_overloaded`` in the stream; Anthropic's type is
    # ``overloaded_error``.
    "model_busy": re.compile("rate_limit_exceeded|overloaded|slow_down"),
    "model_quota": re.compile(
        "insufficient_quota|billing_hard_limit_reached|billing_not_active"
    ),
    "model_refused": re.compile(
        "invalid_api_key|account_deactivated|model_not_found|data_residency_mismatch"
        "|unsupported_country_region_territory"
    ),
}
_STATUSES: Final[Mapping[Cause, Sequence[int]]] = {
    # 408, 409 and 425 are a timeout, a conflict and "too early": the request can succeed later.
    "model_down": (408, 409, 425, *range(500, 600)),
    "model_busy": (429,),
    "model_too_long": (413,),
    # OpenRouter, DeepSeek and others: no credit is left.
    "model_quota": (402,),
    "model_refused": (401, 403, 404),
}
# What many servers say only in words, whatever the status, in the order in which it is tried.
_WORDS: Final[Mapping[Cause, re.Pattern[str]]] = {
    "model_too_long": re.compile(
        # OpenAI, Azure, DeepSeek, vLLM, SGLang, llama.cpp, llama-cpp-python
        r"(maximum|model's|available|exceeds? (the )?)\s?context (length|size|window|limit)"
        r"|context length is only|context window|longer than the (maximum )?model('s)? "
        # LM Studio, Ollama, Tabby, TGI
        r"|context the overflows|Reached context length|keep from the initial prompt"
        r"|(max|maximum) context length|greater than max_seq_len"
        r"|`inputs` (tokens \+|must have less than)"
        # Anthropic, Gemini, Bedrock, Mistral, behind a gateway
        r"|prompt (is )?too long|input is too long|exceeds? context limit|input token count"
        r"|Prompt contains \d+ tokens"
        # A rate limit that the request alone exceeds: no wait helps.
        r"|Request too large|tokens must be reduced",
        re.IGNORECASE,
    ),
    # llama.cpp says so with HTTP 500.
    "model_images": re.compile(
        r"image input is not supported|not a multimodal model|not support (image|vision)"
        r"|At most 0 image|unknown variant `image_url`|missing data required for image",
        re.IGNORECASE,
    ),
    "model_loading": re.compile(
        r"loading model|model is (still )?(being )?load", re.IGNORECASE
    ),
    # LiteLLM, and servers that refuse a name, or Gemini a key, with HTTP 400.
    "model_refused": re.compile(
        r"Invalid model name|model \S+ (was )?not found|API key not valid",
        re.IGNORECASE,
    ),
    # Anthropic, with HTTP 400, behind a gateway.
    "model_quota": re.compile("credit balance is too low"),
    # OpenRouter's moderation, with HTTP 403.
    "model_policy": re.compile("input was flagged"),
}
# The causes, found by HTTP status, that the words may correct.
_UNDECIDED: Final = ("model_failed", "model_busy", "model_down", "model_refused")
# The SDK makes a text of a code that is a number.
_STATUS: Final = re.compile("[1-5][0-9]{2}")
_IDENTIFIER: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")


class ReplyFailed(Exception):
    """The model gave no whole answer; `cause` names the sentence that the person gets.

    `status`, `code` and `kind` are the server's HTTP status, error code and error type, the last
    two only if they look like identifiers, else "". `silent`: the server did not answer in time.
    """

    def __init__(
        self,
        cause: Cause,
        code: object = None,
        *,
        kind: object = None,
        status: int | None = None,
        silent: bool = False,
    ) -> None:
        super().__init__(f"The model gave no whole answer: {cause}.")
        self.cause: Cause = cause
        self.code = _identifier(code)
        self.kind = _identifier(kind)
        self.status = status
        self.silent = silent

    @property
    def sentence(self) -> str:
        """The key of the sentence for the person; causes with the same remedy share one."""
        return _SAID_AS.get(self.cause, self.cause)

    @property
    def passes(self) -> bool:
        """Whether the same request can succeed later."""
        return self.cause in ("model_down", "model_busy", "model_loading")

    @property
    def needs_operator(self) -> bool:
        """Whether every request fails until the operator changes the key, model or quota."""
        return self.cause in ("model_quota", "model_refused")

    @property
    def told(self) -> str:
        """Status, code and type as the server names them, each once; no text of a person."""
        names = [f"HTTP {self.status}"] if self.status else []
        if self.code:
            names.append(self.code)
        if self.kind and self.kind != self.code:
            names.append(self.kind)
        return ", ".join(names)

    @property
    def named(self) -> str:
        """The same for the log, followed by the cause."""
        if not self.told:
            return self.cause
        return f"{self.told}, {self.cause}"


def _identifier(name: object) -> str:
    return name if isinstance(name, str) and _IDENTIFIER.fullmatch(name) else ""


def failure_of(error: openai.OpenAIError) -> ReplyFailed:
    """Return what an error of the SDK means.

    The SDK raises a bare `openai.APIError` for an event with an ``error`` object in it.
    """
    if not isinstance(error, openai.APIError):
        return ReplyFailed("model_down")
    if isinstance(error, openai.APIConnectionError):
        is_timeout = isinstance(error, openai.APITimeoutError)
        is_silent = is_timeout and not is_lost_connection(error)
        return ReplyFailed("model_down", silent=is_silent)
    status = error.status_code if isinstance(error, openai.APIStatusError) else None
    told = words_of_error(error)
    failed = failure_of_code(error.code, error.type, status, told=told)
    if failed.cause == "model_failed" and error.param == "model":
        failed.cause = "model_refused"
    return failed


def failure_of_event(error: Mapping[Any, object]) -> ReplyFailed:
    """Return what the error of an event means, ``error`` or ``response.failed``."""
    told = str(error.get("message"))
    return failure_of_code(error.get("code"), told=told)


def is_lost_connection(error: openai.APIError) -> bool:
    """Return whether the server closed a connection before it answered.

    llama.cpp closes a connection after each stream although it promises to keep it, so the next
    request may be written into a closed one. The SDK reports some of aiohttp's errors for that as
    timeouts.
    """
    origin = error.__cause__ and error.__cause__.__cause__
    if isinstance(origin, (aiohttp.ClientConnectorError, TimeoutError)):
        return False
    return isinstance(origin, (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError))


def failure_of_code(
    code: object, kind: object = None, status: int | None = None, *, told: str = ""
) -> ReplyFailed:
    """Return what an error code means; if it is unknown, what its type or the status means.

    Some servers put a code into the type, and some the status into the code. What they have `told`
    in words may correct it.
    """
    if status is None and _STATUS.fullmatch(str(code)):
        status = int(str(code))
    by_type = _cause_named(_CODES, kind)
    if by_type == "model_down" and status is not None:
        by_type = None  # the status says more than ``server_error``
    cause = _cause_named(_CODES, code) or by_type or _cause_of_status(status)
    if cause in _UNDECIDED:
        cause = _cause_named(_WORDS, told) or cause
    return ReplyFailed(cause, code, kind=kind, status=status)


def _cause_named(
    patterns: Mapping[Cause, re.Pattern[str]], told: object
) -> Cause | None:
    for cause, pattern in patterns.items():
        if pattern.search(str(told)):
            return cause
    return None


def _cause_of_status(status: int | None) -> Cause:
    for cause, statuses in _STATUSES.items():
        if status in statuses:
            return cause
    return "model_failed"


def lacks_endpoint(error: Exception) -> bool:
    """Return whether the server has no such path, as opposed to no such model."""
    if not isinstance(error, openai.APIStatusError):
        return False
    if error.status_code not in (404, 405):
        return False
    return not re.search("model|deployment", words_of_error(error), re.IGNORECASE)


def words_of_error(error: openai.APIError) -> str:
    """Return all that a server says of an error, without the input that it may echo.

    Besides OpenAI's form there are ``{"error": "…"}``, ``{"detail": "…"}``, FastAPI's form for
    invalid input, ``{"detail": [{loc, msg, input}]}``, and Gemini's, ``[{"error": {…}}]``.
    """
    told = [error.param, error.code, error.message]
    body = error.body
    detail = body.get("detail") if isinstance(body, dict) else body
    if isinstance(detail, str):
        told.append(detail)
    for one in objects(detail):
        told += [str(one.get(name)) for name in ("loc", "msg", "error")]
    return " ".join(str(one) for one in told)


def log_failure(model: str, failed: ReplyFailed, error: Exception) -> None:
    """Log and count that a model gave no whole answer."""
    count("errors", kind=failed.cause)
    if lacks_endpoint(error):
        log.error(
            "ALERT: the server of the model %s has no such path: set KIOKU_REPLY_API to the API"
            " that it has, responses or chat, and look at OPENAI_BASE_URL",
            model,
        )
    elif failed.needs_operator:
        log.error(
            "ALERT: the model %s refuses every request (%s): check its key, name and quota",
            model,
            failed.named,
        )
    log.warning(
        "the model %s did not answer (%s): %s", model, failed.named, fault(error)
    )
