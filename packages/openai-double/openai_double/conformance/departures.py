"""Where OpenAI differs from its own schemas: the only places where a check departs from them.

Each names its evidence. Errors in a program or in the double are fixed there instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from openai_double.types import Json


@dataclass(frozen=True, kw_only=True)
class Departure:
    """`field` of the object `schema` may also match `accepts`, a JSON schema.

    Without a field, the whole object may match it.
    """

    schema: str
    field: str = ""
    accepts: Json
    reason: str


_NULL: Final = {"type": "null"}

_SAID_BEFORE: Final = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {
            "type": {"type": "string", "enum": ["output_text"]},
            "text": {"type": "string"},
            "annotations": {"type": "array"},
        },
        "required": ["type", "text"],
        "additionalProperties": False,
    },
}

_NESTED_ERROR: Final = {
    "type": "object",
    "properties": {
        "type": {"type": "string", "enum": ["error"]},
        "sequence_number": {"type": "integer"},
        "error": {"$ref": "#/components/schemas/Error"},
    },
    "required": ["type", "sequence_number", "error"],
    "additionalProperties": False,
}

DEPARTURES: Final = (
    Departure(
        schema="EasyInputMessage",
        field="content",
        accepts=_SAID_BEFORE,
        reason=(
            "OpenAI takes an assistant message without id and status, and only with output_text"
            " (https://github.com/openai/openai-python/issues/3544); langchain-openai sends it"
            " so. The schema has this content only in OutputMessage, which requires both."
        ),
    ),
    Departure(
        schema="Embedding",
        field="embedding",
        accepts={"type": "string"},
        reason=(
            "A request with encoding_format base64 (an enum value of CreateEmbeddingRequest) is"
            " answered with a base64 text, which openai-python decodes; the schema has only floats."
        ),
    ),
    Departure(
        schema="Response",
        field="store",
        accepts={"type": "boolean"},
        reason="Every example of POST /responses in the same file has it; the schema does not.",
    ),
    Departure(
        schema="Response",
        field="usage",
        accepts=_NULL,
        reason="The Streaming example in the same file has null until the response is complete.",
    ),
    Departure(
        schema="Response",
        field="user",
        accepts=_NULL,
        reason="Every example of POST /responses in the same file has null.",
    ),
    Departure(
        schema="ResponseErrorEvent",
        accepts=_NESTED_ERROR,
        reason=(
            "OpenAI also sends the fields in an error object, as in a body"
            " (https://github.com/openai/openai-node/pull/2021)."
        ),
    ),
)
