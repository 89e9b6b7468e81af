"""Tokens of Kioku's requests, by real tokenizers: ``python -m bench.tokens [GGUF]``.

llama.cpp's server renders each request by a chat template and counts it with the tokenizer of
SmolLM2, or of another model in the file GGUF. The same text is counted with o200k_base, that of
OpenAI's models, and with the tokenizer that Anthropic published for Claude. The person has 200
memories of everyday life in English, five of Japanese food, and a conversation of four turns. Then
three turns are asked of the server, each in another minute and one after something was learnt, and
it says how many tokens it found in its cache.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from langchain_core.messages import AIMessage

from bench.needed import everyday
from bot.answering.prompt import Prompt
from bot.conversation.turns import Exchange
from memory import DM, SCHEMAS, Memory, Person, memory_tools
from memory.formation.evidence import TypedMessage, whole_message
from memory.formation.extract import extract_writes
from memory.formation.proposal import Proposal
from memory.formation.tool_definitions import tool_definition
from memory.formation.verdict import VERDICT_INSTRUCTIONS, MemoryVerdicts, request_text
from memory.model.person_message import PersonMessage
from memory.recall import Recalled
from tests.loopback import call
from tests.real_servers.servers import llama_server
from tests.real_servers.setup import PYTHON

OWNER = Person("T0", "U0").namespace(DM)
NOW = datetime(2026, 11, 26, 15, 10, tzinfo=ZoneInfo("Asia/Tokyo"))
SAID = "By the way, I moved to Osaka last month and I like udon now."
# As ChatML has it, with the tools as JSON in the system message: the models' own templates differ.
_TEMPLATE = """
{%- if tools %}<|im_start|>system
{{ tools | tojson }}<|im_end|>
{% endif %}
{%- for message in messages %}<|im_start|>{{ message.role }}
{{ message.content }}<|im_end|>
{% endfor %}
{%- if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""
# LiteLLM's package has the files of both tokenizers.
_COUNT = """
import os, sys
import litellm.litellm_core_utils.tokenizers as bundled
folder = os.path.dirname(bundled.__file__)
os.environ["TIKTOKEN_CACHE_DIR"] = folder
import tiktoken, tokenizers
text = sys.stdin.read()
claude = tokenizers.Tokenizer.from_file(os.path.join(folder, "anthropic_tokenizer.json"))
print(len(tiktoken.get_encoding("o200k_base").encode(text, disallowed_special=())))
print(len(claude.encode(text).ids))
"""


def memory(number: int, kind: str, content: dict[str, Any]) -> Memory:
    """Return a memory that is as many days old."""
    at = NOW.astimezone(UTC) - timedelta(days=300 - number)
    value = {"kind": kind, "content": content, "said_on": at.date().isoformat()}
    return Memory(
        namespace=OWNER, key=str(number), value=value, created_at=at, updated_at=at
    )


def memories(count: int) -> list[Memory]:
    """Return so many memories, one in forty about food."""
    dishes = ("ラーメン", "うどん", "味噌汁", "寿司", "カレー")
    found = []
    for number, text in enumerate(everyday(count)):
        kind = "UserFact"
        content: dict[str, Any] = {"fact": text, "topic": None}
        if number % 40 == 0:
            food = {
                "food_name": dishes[number // 40 % 5],
                "cuisine": None,
                "preference": 90,
            }
            kind = "UserFoodPreference"
            content = {**food, "description": None}
        found.append(memory(number, kind, content))
    return found


def reply(
    known: Sequence[Memory], minute: int, asked: str, turns: int = 4
) -> dict[str, Any]:
    """Return a request for a reply."""
    began = NOW.timestamp() - 600
    history = [
        Exchange(
            ts=f"{began + turn:.6f}",
            user_id="U0",
            question=f"What shall I cook on day {turn}?",
            reply="You could make something light with vegetables. " * 4,
        )
        for turn in range(turns)
    ]
    prompt = Prompt(
        question=asked,
        user_id="U0",
        recalled=Recalled(always=tuple(known)),
        exchanges=history,
        now=NOW + timedelta(minutes=minute),
    )
    return {
        "model": "m",
        "input": prompt.input,
        "tools": memory_tools(tuple(SCHEMAS)),
    }


class _Kept:
    """A memory model that keeps the request, and answers nothing."""

    def __init__(self) -> None:
        self.request: dict[str, Any] = {}

    async def ask(self, messages: Sequence[Any], tools: Sequence[Any]) -> AIMessage:
        """Keep a request."""
        self.request = _request([(one.type, str(one.text)) for one in messages], tools)
        return AIMessage("")


def _request(
    messages: Sequence[tuple[str, str]], tools: Sequence[Any]
) -> dict[str, Any]:
    roles = {"human": "user"}
    items = [
        {"type": "message", "role": roles.get(role, role), "content": text}
        for role, text in messages
    ]
    return {
        "model": "m",
        "input": items,
        "tools": [{"type": "function", **one["function"]} for one in tools],
    }


async def formation(known: Sequence[Memory]) -> dict[str, Any]:
    """Return a request for a formation."""
    kept = _Kept()
    said = [
        TypedMessage(
            PersonMessage(text=SAID, channel="D1", ts=f"{NOW.timestamp():.6f}")
        )
    ]
    await extract_writes(kept, SCHEMAS, known, said)  # type: ignore[arg-type]
    return kept.request


def verdict() -> dict[str, Any]:
    """Return a request for verdicts on two proposals."""
    said = TypedMessage(
        PersonMessage(text=SAID, channel="D1", ts=f"{NOW.timestamp():.6f}")
    )
    contents = (
        ("UserFact", {"fact": "moved to Osaka last month", "topic": "home"}),
        ("UserFoodPreference", {"food_name": "udon", "preference": 80}),
    )
    proposals = [
        Proposal(kind=kind, content=content, said=content, evidence=whole_message(said))
        for kind, content in contents
    ]
    asked = [
        ("system", VERDICT_INSTRUCTIONS),
        ("user", request_text(proposals, [said])),
    ]
    return _request(asked, [tool_definition(MemoryVerdicts)])


def rendered(url: str, body: dict[str, Any]) -> str:
    """Return the prompt that the server's chat template makes of a request."""
    tools = []
    for tool in body["tools"]:
        function = {name: tool[name] for name in ("name", "description", "parameters")}
        tools.append({"type": "function", "function": function})
    chat = {"messages": [_chat_message(one) for one in body["input"]], "tools": tools}
    answer = call(f"{url.removesuffix('/v1')}/apply-template", chat)
    return str(answer["prompt"])


def _chat_message(item: dict[str, Any]) -> dict[str, Any]:
    """Return an item of a request as the message of chat completions that llama.cpp makes of it."""
    match item:
        case {"type": "function_call", "call_id": identity, **function}:
            called = {"id": identity, "type": "function", "function": function}
            return {"role": "assistant", "content": "", "tool_calls": [called]}
        case {"type": "function_call_output", "call_id": identity, "output": output}:
            return {"role": "tool", "tool_call_id": identity, "content": output}
    return {"role": item["role"], "content": item["content"]}


def counted(url: str, body: dict[str, Any]) -> tuple[int, int, int]:
    """Return the tokens of a request by the server's tokenizer, by o200k_base and by Claude's."""
    served = call(f"{url}/responses/input_tokens", body)["input_tokens"]
    command = [str(PYTHON), "-c", _COUNT]
    told = subprocess.run(
        command, input=rendered(url, body), capture_output=True, text=True, check=True
    )
    [o200k, claude] = told.stdout.split()
    return int(served), int(o200k), int(claude)


def _print(name: str, tokens: Sequence[int]) -> None:
    served, o200k, claude = tokens
    print(f"{name}: {served:,} (its model), {o200k:,} (o200k), {claude:,} (Claude)")


async def main() -> None:
    """Print the tokens of each request, and how many the server found in its cache."""
    options = ["--context", "16384", "--template", _TEMPLATE]
    if sys.argv[1:]:
        options += ["--model", sys.argv[1]]
    with llama_server(*options) as server:
        for size in (5, 200):
            known = memories(size)
            asked = {
                "reply": reply(known, 0, "What shall I eat tonight?"),
                "formation": await formation(known),
                "verdict": verdict(),
            }
            total = [0, 0, 0]
            for name, body in asked.items():
                tokens = counted(server.url, body)
                total = [sum(both) for both in zip(total, tokens, strict=True)]
                _print(f"{size:4} memories, {name}", tokens)
            _print(f"{size:4} memories, teaching", total)
        known = memories(20)
        old = memory(299, "UserFact", {"fact": "Likes udon"})
        learnt = replace(old, updated_at=NOW.astimezone(UTC))
        for turn in range(3):
            more = [learnt] if turn == 2 else []
            body = reply(
                [*known, *more], turn, f"And what shall I eat on day {turn}?", 4 + turn
            )
            limits = {"max_output_tokens": 4, "store": False}
            answer = call(f"{server.url}/responses", {**body, **limits})
            used = answer["usage"]
            cached = used["input_tokens_details"]["cached_tokens"]
            print(
                f"turn {turn + 1}: {cached:,} of {used['input_tokens']:,} tokens cached"
            )


if __name__ == "__main__":
    asyncio.run(main())
