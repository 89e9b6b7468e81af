"""Find credentials in text and replace them."""

from memory.credentials.redaction import (
    Credential as Credential,
    redact as redact,
    redact_json as redact_json,
    redact_texts as redact_texts,
)
