"""Requests to remember, read as the statements they hold."""

from __future__ import annotations

import re

# "Can you remember that …?" asks for something, and states it all the same.
_ASKED = re.compile(
    r"(?P<before>(?:^|[.!?\n])\s*(?:(?:hey|hi|hello|ok|okay|please|and|also)[,!]?\s+)*)"
    r"(?:can|could|would|will)\s+you\s+(?:please\s+)?"
    r"(?P<said>(?:please\s+)?(?:remember|note|save|keep|memori[sz]e|make)\b[^.!?？\n]*)[?？]*",
    re.IGNORECASE,
)
_ASKED_JA = re.compile(
    r"(?P<said>(?:覚えて|記憶して|記録して|メモして)(?:おいて)?)"
    r"(?:くれ|もらえ|いただけ|頂け|ほし|欲し)[ぁ-ん]{0,8}[?？]*(?=[。!！\s]|$)"
)


def as_statement(text: str) -> str:
    """Return a request to remember ("can you remember that …?") as the statement it holds."""
    stated = _ASKED.sub(lambda m: f"{m['before']}{m['said']}\n", text)
    return _ASKED_JA.sub(lambda m: f"{m['said']}\n", stated).rstrip("\n")
