"""Overhead of a turn in addition to the model's own time."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

import openai

from bench.stack import Stack

QUESTION = "おすすめの技術トピックを3つ挙げて簡潔にまとめて！"
_TIMEOUT_SECONDS = 30.0
_LAST_CALLS = ("chat.stopStream", "chat.postMessage", "chat.update")


@dataclass(slots=True)
class Times:
    """Milliseconds of each run: the model alone, and from message sent to reply whole."""

    floor: list[float] = field(default_factory=list)
    reply_ready: list[float] = field(default_factory=list)


async def model_alone(client: openai.AsyncOpenAI) -> float:
    """Return the milliseconds the model needs for the same question, streamed."""
    began = time.monotonic()
    stream = await client.responses.create(
        model="kioku-stand-in", input=QUESTION, stream=True, store=False
    )
    async with stream:
        async for _ in stream:
            pass
    return (time.monotonic() - began) * 1000


async def reply_ready(stack: Stack, user: str) -> float:
    """Return the milliseconds from a message's time to the end of the call that ends its reply.

    Both are read from the playground's clock.
    """
    sent = await stack.control(
        "/_playground/messages", {"user": user, "channel": "dm", "text": QUESTION}
    )
    deadline = time.monotonic() + _TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        await asyncio.sleep(0.05)
        for call in (await stack.control("/_playground/calls"))["calls"]:
            about = call["args"].get("channel") == sent["channel"]
            ended = call["time"] + call["ms"] / 1000
            done = call["method"] in _LAST_CALLS and call["outcome"] == "ok"
            if about and done and ended > float(sent["ts"]):
                return float((ended - float(sent["ts"])) * 1000)
    raise TimeoutError("A reply did not come in time.")


async def person(stack: Stack, name: str) -> str:
    """Add a person to the playground; return the id."""
    made = await stack.control("/_playground/users", {"name": name})
    return str(made["id"])


async def measure(stack: Stack, client: openai.AsyncOpenAI, *, rounds: int) -> Times:
    """Measure in turns, the model alone and the app, for one person at a time."""
    times = Times()
    await model_alone(client)
    await reply_ready(stack, await person(stack, "Warm"))
    for number in range(rounds):
        times.floor.append(await model_alone(client))
        times.reply_ready.append(await reply_ready(stack, await person(stack, f"P{number}")))
    return times


async def measure_together(stack: Stack, client: openai.AsyncOpenAI, *, people: int) -> Times:
    """Measure `people` who ask at the same moment, after as many calls of the model alone."""
    users = [await person(stack, f"Q{number}") for number in range(people)]
    return Times(
        floor=list(await asyncio.gather(*(model_alone(client) for _ in users))),
        reply_ready=list(await asyncio.gather(*(reply_ready(stack, user) for user in users))),
    )
