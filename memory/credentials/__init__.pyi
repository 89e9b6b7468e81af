from .redaction import (
    Removed as Removed,
    credential_kinds as credential_kinds,
    redact as redact,
    redact_json as redact_json,
    redact_texts as redact_texts,
)

__all__: list[str]
