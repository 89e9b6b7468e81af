"""Checks what a double received and sent against OpenAI's published schemas.

It needs the extra ``conformance``, which is ``jsonschema``. A double records its traffic while
`Traffic.watched`; `verify` then validates it and fails a test that sent, or made the double send,
what the schemas refuse.
"""

from openai_double.conformance.schemas import published
from openai_double.conformance.traffic import TRAFFIC, recorded, summary, verify

__all__ = ["TRAFFIC", "published", "recorded", "summary", "verify"]
