"""Find credentials in text and replace them."""

from memory.credentials.redaction import (
    Credential as Credential,
    redact as redact,
    redact_texts as redact_texts,
)
