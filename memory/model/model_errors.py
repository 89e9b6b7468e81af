"""What the error of a model's server means, whichever provider's package raised it.

Sources: https://platform.openai.com/docs/guides/error-codes, the schema ``ResponseErrorCode`` of
https://github.com/openai/openai-openapi, https://platform.claude.com/docs/en/api/errors,
https://ai.google.dev/gemini-api/docs/troubleshooting,
https://docs.aws.amazon.com/bedrock/latest/userguide/troubleshooting-api-error-codes.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

ErrorCause: TypeAlias = Literal[
    "model_down",
    "model_busy",
    "model_policy",
    "model_too_long",
    "model_quota",
    "model_refused",
    "model_failed",
]
"""Why a model's server gave no answer: away or broken, asked too often, the content, its length,
no credit, a wrong key or name, or something else in the request."""

# What is found in an error's code or type, in the order in which it is tried.
_CODES: Final[Mapping[ErrorCause, re.Pattern[str]]] = {
    "model_failed": re.compile("image"),
    "model_policy": re.compile(
        "policy|invalid_prompt|content_filter|guardrail|moderation", re.IGNORECASE
    ),
    "model_too_long": re.compile(
        "context_length|context_size|contextwindow|string_above_max|request_too_large",
        re.IGNORECASE,
    ),
    "model_quota": re.compile("insufficient_quota|billing"),
    "model_refused": re.compile(
        "invalid_api_key|account_deactivated|model_not_found|data_residency|unsupported_country"
    ),
    "model_busy": re.compile(
        "rate_limit|overloaded|slow_down|throttling|resource_exhausted", re.IGNORECASE
    ),
    "model_down": re.compile(
        "server_?error|server_?exception|serviceunavailable|timeout", re.IGNORECASE
    ),
}
_TOO_LARGE: Final = 413
_STATUSES: Final[Mapping[ErrorCause, tuple[int, ...]]] = {
    "model_down": (408, 409, 425, *range(500, 600)),
    "model_busy": (429,),
    "model_too_long": (_TOO_LARGE,),
    "model_quota": (402,),
    "model_refused": (401, 403, 404),
}
# What the packages raise while they read an answer of another form: no word of their servers.
_UNREADABLE = (AttributeError, LookupError, RecursionError, TypeError, ValueError)
_NO_CONNECTION = re.compile("Connect|Proxy")
_STATUS = re.compile("[1-5][0-9]{2}")
_NAME = re.compile(r"[\w.\[\]-]{1,60}")


def name_in(value: object) -> str:
    """Return an error code or parameter of an API; "" if it may be a text."""
    if isinstance(value, str) and _NAME.fullmatch(value):
        return value
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelError:
    """An error of a model's server.

    `status` is the HTTP status of a refusal. `code`, `kind` and `param` are the error's code, its
    type, and the field of the request that it names, each only if it looks like an identifier, else
    "". `silent`: the server took the request and did not answer in time. `is_unreadable`: it
    answered in another form than its API's. `words` are all that the server said, without the input
    that it may echo in fields of their own, and `message` is its sentence. They may quote the
    person: they are not logged.
    """

    cause: ErrorCause
    status: int | None = None
    code: str = ""
    kind: str = ""
    param: str = ""
    silent: bool = False
    is_unreadable: bool = False
    words: str = ""
    message: str = ""

    @property
    def told(self) -> str:
        """Status, code, type and field as the server names them, each once; no text of a person."""
        status = f"HTTP {self.status}" if self.status else ""
        named = (status, self.code, self.kind, self.param)
        return ", ".join(dict.fromkeys(filter(None, named)))

    @property
    def passes(self) -> bool:
        """Whether the same request can succeed later."""
        return self.cause in ("model_down", "model_busy")

    def field_of(self, fields: Iterable[str]) -> str:
        """Return the one of these fields of the request that a refusal is about.

        Returns "" if it names none, or several: some servers repeat the whole request.
        """
        about = re.split(r"[.\[]", self.param)[0]
        found = [one for one in fields if re.search(rf"\b{one}\b", self.words)]
        if about in found:
            return about
        return found[0] if len(found) == 1 else ""


def model_error(error: BaseException) -> ModelError:
    """Return what an error means that a model's package raised.

    The packages of OpenAI and Anthropic have the status in `status_code`, Google's in `code`,
    botocore in `response`. LangChain raises some again, with the first as the cause, and a
    ValueError for a response that holds an error.
    """
    is_timeout = "timeout" in type(error).__name__.lower()
    found = model_error_in(
        *_objects(error),
        status=_status(error),
        message=str(error),
        silent=is_timeout and not has_not_arrived(error),
        is_unreadable=isinstance(error, _UNREADABLE),
    )
    if not found.told and error.__cause__ is not None and not has_not_arrived(error):
        return model_error(error.__cause__)
    return found


def model_error_in(
    *objects: Mapping[Any, object],
    status: int | None = None,
    message: str = "",
    silent: bool = False,
    is_unreadable: bool = False,
) -> ModelError:
    """Return what the objects of an error say, the first that names something first.

    Some servers put a code into the type, and some the status into the code.
    """
    code = _first(objects, "code", "Code")
    kind = _first(objects, "type", "status")
    param = _first(objects, "param")
    words = [*_words(objects)]
    if status is None:
        status = _status_in(objects)
    by_kind = _cause_named(kind)
    if by_kind == "model_down" and status is not None:
        by_kind = None  # the status says more than ``server_error``
    cause = _cause_named(code) or by_kind or _cause_of_status(status)
    if cause == "model_busy" and status == _TOO_LARGE:
        cause = "model_too_long"  # for a limit of tokens a minute, as Groq says it
    says_nothing = status is None and not words
    if cause is None and says_nothing and not is_unreadable:
        cause = "model_down"
    if cause is None and param == "model":
        cause = "model_refused"
    return ModelError(
        cause=cause or "model_failed",
        status=status,
        code=code,
        kind=kind,
        param=param,
        silent=silent,
        is_unreadable=is_unreadable and says_nothing,
        words=" ".join([message, *words]).strip(),
        message=next(_sentences(objects), message),
    )


def _objects(error: BaseException) -> Iterator[Mapping[Any, object]]:
    """Yield the objects in which an error is described, the innermost first.

    Besides OpenAI's form there are ``{"error": "…"}``, ``{"detail": "…"}``, FastAPI's form for
    invalid input, ``{"detail": [{loc, msg, input}]}``, and Gemini's, ``[{"error": {…}}]``.
    """
    given = [getattr(error, name, None) for name in ("body", "details", "response")]
    if isinstance(error, ValueError):
        given += error.args[:1]
    for value in given:
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, Mapping):
                inner = one.get("error") or one.get("Error")
                yield from [inner] if isinstance(inner, Mapping) else []
                yield one
    raised = error.args[0] if isinstance(error, ValueError) and error.args else error
    yield {
        "code": _code(raised),
        "type": getattr(raised, "type", None),
        "param": getattr(raised, "param", None),
    }


def _code(error: object) -> object:
    """Return the code of an error; aiohttp's is its status, and reading it is deprecated."""
    status = getattr(error, "status", None)
    return status if isinstance(status, int) else getattr(error, "code", None)


def _status(error: BaseException) -> int | None:
    found = [getattr(error, "status_code", None), _code(error)]
    response = getattr(error, "response", None)
    if isinstance(response, dict):
        metadata = response.get("ResponseMetadata", {})
        found.append(metadata.get("HTTPStatusCode"))
    for status in found:
        # An error in a stream that has begun has the status of the stream.
        if isinstance(status, int) and status >= 400:
            return status
    return None


def _status_in(objects: Sequence[Mapping[Any, object]]) -> int | None:
    for one in objects:
        code = str(one.get("code"))
        if _STATUS.fullmatch(code):
            return int(code)
    return None


def _first(objects: Sequence[Mapping[Any, object]], *names: str) -> str:
    """Return the first value of these names that looks like an identifier and is no number."""
    for one in objects:
        for name in names:
            value = name_in(one.get(name))
            if value and not value.isdigit() and value != "error":
                return value
    return ""


def _words(objects: Sequence[Mapping[Any, object]]) -> Iterator[str]:
    """Yield what a server says, without the ``input`` that FastAPI echoes."""
    for one in objects:
        named = (one.get("param"), one.get("code"))
        yield from (value for value in named if isinstance(value, str))
    yield from _sentences(objects)


def _sentences(objects: Sequence[Mapping[Any, object]]) -> Iterator[str]:
    for one in objects:
        for name in ("message", "Message", "error", "detail"):
            value = one.get(name)
            if isinstance(value, str):
                yield value
        detail = one.get("detail")
        for invalid in detail if isinstance(detail, list) else []:
            if isinstance(invalid, Mapping):
                yield f"{invalid.get('loc')}: {invalid.get('msg')}"


def _cause_named(name: str) -> ErrorCause | None:
    for cause, pattern in _CODES.items():
        if pattern.search(name):
            return cause
    return None


def _cause_of_status(status: int | None) -> ErrorCause | None:
    for cause, statuses in _STATUSES.items():
        if status in statuses:
            return cause
    return None


def has_not_arrived(error: BaseException) -> bool:
    """Return whether a request did not reach the model: no connection, or none through a proxy.

    OpenAI's package calls a timeout what aiohttp calls a connection that the server has closed, as
    llama.cpp does after each stream although it promises to keep it.
    """
    cause = error.__cause__
    while cause is not None:
        is_of_system = isinstance(cause, OSError) and not isinstance(
            cause, TimeoutError
        )
        if is_of_system or _NO_CONNECTION.search(type(cause).__name__):
            return True
        cause = cause.__cause__
    return False
