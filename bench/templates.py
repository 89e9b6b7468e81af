"""What chat templates make of Kioku's requests: ``python -m bench.templates FOLDER``.

FOLDER holds ``*.jinja``, such as ``models/templates`` of llama.cpp's source. llama.cpp's server is
started with each of them and renders three requests. A model *answers* if one for a reply, with
memories and four earlier turns, is taken and shown whole; it *uses tools* if that is true also of
the tools, and of the request after a call of one; it *forms memories* if it is true of one for a
formation. Nothing is asked of a model.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

from bench.tokens import SAID, formation, memories, rendered, reply
from bot.models.responses import conservative
from tests.loopback import call
from tests.real_servers.servers import llama_server

_CONTEXT = "16384"
_ASKED = "What shall I eat tonight?"
_FOUND = "There is one more: likes udon."
_CALL = {"call_id": "call_1", "name": "memory_search", "arguments": '{"query": "food"}'}
_ROUND = [
    {"type": "function_call", **_CALL},
    {"type": "function_call_output", "call_id": "call_1", "output": _FOUND},
]


@dataclass
class Seen:
    """What a template makes of one request: `missing` is what the prompt does not show.

    `refusal` is what the server says of a request that it does not take.
    """

    missing: Sequence[str] = ()
    refusal: str = ""

    @property
    def mark(self) -> str:
        """Return the cell of the table."""
        if self.refusal:
            return f"✗ {self.refusal}"
        if self.missing:
            return f"✗ without {', '.join(self.missing)}"
        return "✓"

    @property
    def is_whole(self) -> bool:
        """Whether the request was taken, and the prompt shows everything."""
        return self.mark == "✓"


def seen(url: str, body: dict[str, Any], expected: dict[str, str]) -> Seen:
    """Let the server render a request; `expected` has texts of it by their names."""
    try:
        call(f"{url}/responses/input_tokens", body)
        prompt = rendered(url, body)
    except HTTPError as error:
        words = json.loads(error.read())["error"]["message"].strip().splitlines()
        return Seen(refusal=words[-1].replace("|", "/"))
    return Seen([name for name, text in expected.items() if text not in prompt])


async def main(templates: Mapping[str, str]) -> None:
    """Print what becomes of the requests, for each template by its name."""
    known = memories(20)
    answer = reply(known, 0, _ASKED)
    answer["input"] = conservative(answer["input"])
    called = {**answer, "input": conservative([*answer["input"], *_ROUND])}
    formed = await formation(known)
    [memory] = [one for one in known if one.key == "1"]
    shown = {
        "instructions": answer["input"][0]["content"][:60],
        "memories": memory.value["content"]["fact"],
        "history": "What shall I cook on day 1?",
        "question": _ASKED,
    }
    tools = {"tools": "memory_change", "results of tools": _FOUND}
    forming = {
        "instructions": "Write nothing when there is nothing to remember",
        "words": SAID,
        "tools": "UserFoodPreference",
    }
    counts = [0, 0, 0]
    print("| template | answers | uses tools | forms memories |\n|---|---|---|---|")
    for name, text in templates.items():
        with llama_server("--context", _CONTEXT, "--template", text) as server:
            row = [
                seen(server.url, answer, shown),
                seen(server.url, called, shown | tools),
                seen(server.url, formed, forming),
            ]
        counts = [count + one.is_whole for count, one in zip(counts, row, strict=True)]
        print(f"| {name} | {' | '.join(one.mark for one in row)} |", flush=True)
    print(
        f"\nOf {len(templates)} templates {counts[0]} let a model answer, {counts[1]} use tools,"
        f" {counts[2]} form memories."
    )


if __name__ == "__main__":
    found = sorted(Path(sys.argv[1]).glob("*.jinja"))
    asyncio.run(main({path.stem: path.read_text("utf-8") for path in found}))
