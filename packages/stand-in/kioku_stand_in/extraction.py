"""Memory formation in mem0's format: a JSON list of sentences (mem0ai 2.2.1)."""

from __future__ import annotations

import json
import re

from kioku_stand_in.lexicon import normalise
from kioku_stand_in.sentences import statements, without_marks


def memories_for(request: str) -> list[dict[str, str]]:
    """Return what mem0 should add: the person's sentences with a new statement, verbatim."""
    listed, said = (
        request.partition(f"## {name}\n")[2].partition("\n## ")[0].strip()
        for name in ("Existing Memories", "New Messages")
    )
    parts = re.split(r"^(user|assistant|system): ", said, flags=re.M)
    words = "\n".join(parts[at + 1] for at in range(1, len(parts), 2) if parts[at] == "user")
    known = {normalise(str(one["text"])) for one in json.loads(listed or "[]")}
    told = dict.fromkeys(without_marks(one.quote) for one in statements(words))
    new = [text for text in told if normalise(text) not in known]
    return [{"id": str(n), "text": text, "attributed_to": "user"} for n, text in enumerate(new)]
