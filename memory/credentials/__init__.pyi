from .redaction import (
    Removed as Removed,
    redact as redact,
    redact_json as redact_json,
    redact_texts as redact_texts,
)

__all__: list[str]
