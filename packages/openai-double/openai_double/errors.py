"""OpenAI's error shape: ``{"error": {"message", "type", "param", "code"}}``."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Final

from aiohttp import web

from openai_double.types import Json

_CODES: Final = (
    "server_error rate_limit_exceeded invalid_prompt data_residency_mismatch bio_policy "
    "vector_store_timeout invalid_image invalid_image_format invalid_base64_image "
    "invalid_image_url image_too_large image_too_small image_parse_error "
    "image_content_policy_violation invalid_image_mode image_file_too_large "
    "unsupported_image_media_type empty_image_file failed_to_download_image "
    "image_file_not_found"
)
RESPONSE_ERROR_CODES: Final = tuple(_CODES.split())
"""The codes of a failed response: the schema ``ResponseErrorCode`` of OpenAI's OpenAPI document.

Source: https://github.com/openai/openai-openapi at f85dbe22 (2026-08-21), MIT.
"""

STATUS_OF_CODE: Final = {
    "invalid_api_key": 401,
    "model_not_found": 404,
    "context_length_exceeded": 400,
    "rate_limit_exceeded": 429,
    "insufficient_quota": 429,
    "server_error": 500,
}
"""The HTTP status OpenAI sends with an error code."""


def _type(code: str | None, status: int) -> str:
    """Return the ``type`` that OpenAI sends with an error's code and HTTP status."""
    if code == "insufficient_quota":
        return "insufficient_quota"
    if status >= 500 or code == "server_error":
        return "server_error"
    return "requests" if status == 429 else "invalid_request_error"


@dataclass(kw_only=True, eq=False)
class ApiError(Exception):
    """The request is answered with an OpenAI error of this status."""

    status: int
    message: str
    code: str | None = None
    param: str | None = None
    headers: dict[str, str] = field(default_factory=dict)

    def body(self) -> Json:
        """The JSON body of the answer."""
        return {
            "error": {
                "message": self.message,
                "type": _type(self.code, self.status),
                "param": self.param,
                "code": self.code,
            }
        }

    def response(self) -> web.Response:
        """The HTTP answer."""
        return web.Response(
            status=self.status,
            text=json.dumps(self.body(), ensure_ascii=False),
            content_type="application/json",
            headers=self.headers,
        )


def bad_request(
    message: str, *, code: str | None = None, param: str | None = None
) -> ApiError:
    """Return the error for a request that is answered with 400."""
    return ApiError(status=400, message=message, code=code, param=param)
