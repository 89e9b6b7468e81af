"""Why the model gave no whole answer: by the error code of the API, or else by the HTTP status.

Sources: the schemas ``ResponseErrorCode`` and ``ResponseErrorEvent`` of
https://github.com/openai/openai-openapi, and
https://platform.openai.com/docs/guides/error-codes
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, Literal, TypeAlias

import openai

Cause: TypeAlias = Literal[
    "model_down",
    "model_busy",
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

_CODES: Final[Mapping[Cause, tuple[str, ...]]] = {
    "model_down": ("server_error", "vector_store_timeout"),
    "model_busy": ("rate_limit_exceeded",),
    "model_policy": (
        "invalid_prompt",
        "bio_policy",
        "cyber_policy",
        "content_filter",
        "content_policy_violation",
        "misalignment_policy_violation",
    ),
    "model_images": (
        "invalid_image",
        "invalid_image_format",
        "invalid_base64_image",
        "invalid_image_url",
        "image_too_large",
        "image_too_small",
        "image_parse_error",
        "image_content_policy_violation",
        "invalid_image_mode",
        "image_file_too_large",
        "unsupported_image_media_type",
        "empty_image_file",
        "failed_to_download_image",
        "image_file_not_found",
    ),
    "model_too_long": ("context_length_exceeded", "string_above_max_length"),
    "model_quota": ("insufficient_quota", "billing_hard_limit_reached", "billing_not_active"),
    "model_refused": (
        "invalid_api_key",
        "account_deactivated",
        "model_not_found",
        "data_residency_mismatch",
        "unsupported_country_region_territory",
    ),
}
_CAUSE_OF_CODE: Final = {code: cause for cause, codes in _CODES.items() for code in codes}
_CAUSE_OF_STATUS: Final[Mapping[int, Cause]] = {
    401: "model_refused",
    403: "model_refused",
    404: "model_refused",
    # Request timeout, conflict, too early: the same request can succeed later.
    408: "model_down",
    409: "model_down",
    413: "model_too_long",
    425: "model_down",
    429: "model_busy",
}
# vLLM and others name it in words only.
_TOO_LONG: Final = re.compile(
    r"maximum context length|context length is only|context window|prompt is too long"
    # A rate limit that the request alone exceeds: no wait helps.
    r"|Request too large|tokens must be reduced"
)
_IDENTIFIER: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")


class ReplyFailed(Exception):
    """The model gave no whole answer; `cause` names the sentence that the person gets.

    `code` is the error code of the API if it looks like an identifier, else "".
    """

    def __init__(self, cause: Cause, code: object = None) -> None:
        super().__init__(f"The model gave no whole answer: {cause}.")
        self.cause: Cause = cause
        named = isinstance(code, str) and _IDENTIFIER.fullmatch(code)
        self.code = str(code) if named else ""

    @property
    def passes(self) -> bool:
        """Whether the same request can succeed later."""
        return self.cause in ("model_down", "model_busy")

    @property
    def may_be_files(self) -> bool:
        """Whether the same request can succeed without the files in it."""
        return self.cause in ("model_images", "model_too_long", "model_failed")

    @property
    def needs_operator(self) -> bool:
        """Whether every request fails until the operator changes the key, model or quota."""
        return self.cause in ("model_quota", "model_refused")


def failure_of(error: openai.OpenAIError) -> ReplyFailed:
    """Return what an error of the SDK means.

    The SDK raises a bare `openai.APIError` for an event with an ``error`` object in it.
    """
    if isinstance(error, openai.APIStatusError):
        failed = failure_of_code(error.code, error.type, error.status_code)
        if failed.cause == "model_failed" and error.param == "model":
            return ReplyFailed("model_refused", error.code)
        if failed.cause in ("model_failed", "model_busy") and _TOO_LONG.search(error.message):
            return ReplyFailed("model_too_long", error.code)
        return failed
    if isinstance(error, openai.APIError) and not isinstance(error, openai.APIConnectionError):
        return failure_of_code(error.code, error.type)
    return ReplyFailed("model_down")


def failure_of_code(code: Any, kind: object = None, status: int | None = None) -> ReplyFailed:
    """Return what an error code means; if it is unknown, what the HTTP status means.

    Without a code the error's type is looked up, because some hosts put a code there. Some hosts
    send the status as the code.
    """
    named = kind if code is None else code
    if isinstance(named, str) and named in _CAUSE_OF_CODE:
        return ReplyFailed(_CAUSE_OF_CODE[named], named)
    if status is None and type(code) is int:
        status = code
    if status is None:
        return ReplyFailed("model_failed", code)
    if status >= 500:
        return ReplyFailed("model_down", code)
    return ReplyFailed(_CAUSE_OF_STATUS.get(status, "model_failed"), code)
