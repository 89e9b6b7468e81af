"""Checks a request body against the `openai` package's own parameter types.

The types are heavy to import (0.4 s), so they are loaded by `load`, in a thread after
the server has started, and never at import.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final, Literal

from openai_double.errors import ApiError, bad_request

if TYPE_CHECKING:
    from pydantic_core import SchemaValidator, ValidationError

Endpoint = Literal["responses", "chat", "embeddings"]

_OPTIONAL: Final = {
    "FunctionToolParam": ("strict",),
    "ResponseOutputMessageParam": ("id", "status"),
    "ResponseOutputTextParam": ("annotations",),
}
"""Fields that the types require but the API does not: langchain-openai 1.7.3 omits them."""


@dataclass(frozen=True, kw_only=True)
class RequestType:
    """One endpoint's parameters: the validator and the names that are known."""

    validator: SchemaValidator
    names: frozenset[str]


@cache
def load() -> dict[Endpoint, RequestType]:
    """Import the `openai` types and compile them: 0.5 s the first time."""
    from openai.types.chat import completion_create_params as chat
    from openai.types.embedding_create_params import EmbeddingCreateParams
    from openai.types.responses import response_create_params as responses

    return {
        "responses": _compile(
            responses.ResponseCreateParams,  # type: ignore[arg-type]
            responses.ResponseCreateParamsNonStreaming,
        ),
        "chat": _compile(
            chat.CompletionCreateParams,  # type: ignore[arg-type]
            chat.CompletionCreateParamsNonStreaming,
        ),
        "embeddings": _compile(EmbeddingCreateParams, EmbeddingCreateParams),
    }


def _compile(annotation: type[Any], names_of: type[Any]) -> RequestType:
    from pydantic import TypeAdapter
    from pydantic_core import SchemaValidator

    schema = TypeAdapter(annotation).core_schema
    _adapt(schema)
    names = frozenset(names_of.__required_keys__ | names_of.__optional_keys__)
    return RequestType(validator=SchemaValidator(schema), names=names)


def _adapt(node: Any) -> None:
    """Validate every ``Iterable[…]``, which is lazy by default, and allow what the API allows."""
    if isinstance(node, dict):
        if node.get("type") == "generator":
            node["type"] = "list"
        elif node.get("type") == "typed-dict":
            for name in _OPTIONAL.get(node["cls"].__name__, ()):
                node["fields"][name]["required"] = False
        for value in list(node.values()):
            _adapt(value)
    elif isinstance(node, list | tuple):
        for value in node:
            _adapt(value)


def check(request_type: RequestType, body: Any) -> None:
    """Raise an `ApiError` (400) in OpenAI's words that names the parameter, if one is wrong."""
    from pydantic_core import ValidationError

    if not isinstance(body, dict):
        raise bad_request("We expected a JSON object in the request body.")
    unknown = sorted(set(body) - request_type.names)
    if unknown:
        message = f"Unknown parameter: '{unknown[0]}'."
        raise bad_request(message, code="unknown_parameter", param=unknown[0])
    try:
        request_type.validator.validate_python(body, strict=True)
    except ValidationError as error:
        raise _as_api_error(error, body) from None


def _as_api_error(error: ValidationError, body: dict[str, Any]) -> ApiError:
    """Name the parameter; the message says where in it the first mistake is."""
    found = error.errors(include_url=False)[0]
    place = [str(part) for part in found["loc"]]
    if found["type"] == "missing" and not body.keys() & set(place):
        message = f"Missing required parameter: '{place[-1]}'."
        code = "missing_required_parameter"
        return bad_request(message, code=code, param=place[-1])
    param = next(part for part in place if part in body)
    message = f"Invalid value for '{param}': {found['msg']} ({'.'.join(place)})."
    code = "invalid_type" if found["type"].endswith("_type") else "invalid_value"
    return bad_request(message, code=code, param=param)
