"""Conversations through the app, in front of model servers that nobody here wrote.

What the model writes is of no importance, and never asserted: it has 135 million parameters, and 16
tokens for an answer. Asserted is that the servers take every request, and what the app says.
"""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path
from typing import Any

import pytest

from bot.config import Settings
from bot.conversation.inbox import store_message
from bot.locale import say
from bot.runtime.checks import check_embeddings
from bot.runtime.model_checks import check_model
from bot.runtime.problems import Problem
from bot.slack.messages import Message, read_found_message
from memory import memory_model
from memory.formation import calls_memory_tools
from tests.integration.app import App
from tests.integration.playground_slack import PersonThread
from tests.real_servers.conftest import OpenAppAt, model_settings
from tests.real_servers.servers import (
    ALTERNATING_TEMPLATE,
    CHAT_TEMPLATE,
    LITELLM_KEY,
    LLAMA_MODEL,
    litellm_proxy,
    llama_server,
)
from tests.real_servers.tap import Body, Tap
from tests.waiting import until

pytestmark = pytest.mark.slow

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
FAILURES = [
    *("held", "model_failed"),
    *("model_too_long", "model_refused", "model_down", "nothing_said"),
]
PLAIN = ("--template", CHAT_TEMPLATE)
ALTERNATING = ("--template", ALTERNATING_TEMPLATE)


async def received(
    app: App, place: PersonThread, text: str, under: str = "", **file: bytes
) -> Message:
    """Let a person write, with files in some messages; store the message."""
    parts: dict[str, Any] = {"thread_ts": under} if under else {}
    for name, content in file.items():
        data = base64.b64encode(content).decode()
        made = app.slack.control(
            "files", {"user": place.user, "name": name, "content": data}
        )
        parts["file_ids"] = [made["id"]]
    said = app.slack.say(place.user, place.channel, text, **parts)
    seen = app.slack.seen(place.user, place.channel)
    [stored] = [one for one in seen if one["ts"] == said["ts"]]
    here = app.core.slack.installation_in(app.slack.team_id)
    message = read_found_message(
        stored, here, channel_id=place.channel, is_shared=False
    )
    assert message is not None
    assert await store_message(app.core, message)
    return message


async def sent(
    app: App, place: PersonThread, text: str, under: str = "", **file: bytes
) -> Message:
    """Let a person write, with files in some messages, and answer them."""
    message = await received(app, place, text, under, **file)
    await app.answering.drain(message.thread)
    return message


def answer(app: App, message: Message) -> str:
    """Return the answer to a message: one of the model's, not a sentence about a failure."""
    assert app.event(message)["status"] == "answered"
    text = str(app.turn(message)["reply"])
    assert not [key for key in FAILURES if text == say("en", key)]
    assert text.strip()
    return text


def tool_outputs(body: Body) -> list[Body]:
    """Return what tools gave, of a request to either API."""
    items: list[Body] = body.get("input") or body["messages"]
    return [
        item
        for item in items
        if item.get("type") == "function_call_output" or item.get("role") == "tool"
    ]


async def talk(app: App, tap: Tap) -> None:
    """Hold a conversation of five turns: words, a second turn, a tool, a file, a picture."""
    place = app.slack.place()
    first = await sent(app, place, "Hello")
    answer(app, first)
    second = await sent(app, place, "What shall I eat?", first.ts)
    answer(app, second)
    tap.script_call("memory_search", {"query": "food"})
    third = await sent(app, place, "What do I like?", first.ts)
    answer(app, third)
    assert len(tool_outputs(tap.requests[-1])) == 1
    fourth = await sent(
        app, place, "Sum it up", first.ts, **{"budget.txt": b"Rent: 900 euros"}
    )
    answer(app, fourth)
    assert {*tap.statuses} == {200}
    tap.statuses.clear()
    fifth = await sent(app, place, "What is in it?", first.ts, **{"cat.png": PNG})
    answer(app, fifth)
    assert say("en", "files_model", names="`cat.png`") in app.replies(fifth)[-1]
    assert tap.statuses[0] >= 400  # over chat completions it is 400, else 500
    assert tap.statuses[-1] == 200
    tap.statuses.clear()


async def test_a_conversation_in_front_of_llama_cpp(open_app_at: OpenAppAt) -> None:
    """Five turns are answered over either API; the picture is named as not read."""
    with llama_server("--context", "4096", *PLAIN) as server:
        for name in (LLAMA_MODEL, f"openai-chat:{LLAMA_MODEL}"):
            tap = Tap(server.url)
            async with tap.serving() as url, open_app_at(url, reply_model=name) as app:
                await talk(app, tap)


async def test_a_conversation_with_alternating_roles(open_app_at: OpenAppAt) -> None:
    """A template that wants them refuses no request but that with a picture."""
    with llama_server("--context", "4096", *ALTERNATING) as server:
        tap = Tap(server.url)
        async with tap.serving() as url, open_app_at(url) as app:
            await talk(app, tap)
        said = await check_model(Settings(**model_settings(server.url)))
        assert said == f"{LLAMA_MODEL} at {server.url} answers."


@pytest.mark.failed_calls(
    "chat.delete: cant_delete_message",
    because="A stream that still runs is to be deleted.",
)
async def test_a_server_that_is_restarted_in_the_middle_of_an_answer(
    open_app_at: OpenAppAt,
) -> None:
    """The person is told that the message is saved; the whole answer takes the place of that."""
    with llama_server("--context", "4096", *PLAIN) as server:
        async with open_app_at(server.url, max_output_tokens=300) as app:
            place = app.slack.place()
            message = await received(app, place, "Count to a thousand.")
            answering = asyncio.create_task(app.answering.drain(message.thread))
            await until(lambda: any(one.get("streaming") for one in app.shown(message)))
            server.kill()
            await answering
            assert app.replies(message) == [say("en", "held")]
            server.start()
            app.core.model.breaker.answered()
            await app.answering.drain(message.thread)
            answer(app, message)


async def test_a_context_that_is_too_small(open_app_at: OpenAppAt) -> None:
    """What is too long is left out, and one sentence says so: a file, then the conversation."""
    with llama_server("--context", "1024", *PLAIN) as server:
        async with open_app_at(server.url) as app:
            place = app.slack.place()
            first = await sent(
                app, place, "Sum it up", "", **{"long.txt": b"one two " * 1_000}
            )
            answer(app, first)
            assert say("en", "files_long", names="`long.txt`") in app.replies(first)[-1]
            for _ in range(2):
                newest = await sent(app, place, "one two three " * 100, first.ts)
                answer(app, newest)
            assert say("en", "without_earlier") in app.replies(newest)[-1]


async def test_a_conversation_in_front_of_litellm(
    open_app_at: OpenAppAt, tmp_path: Path
) -> None:
    """The same through LiteLLM's bridge to chat completions, and through what it passes on."""
    models = {"bridge": "lm_studio/smollm2", "passed-on": "openai/smollm2"}
    with (
        llama_server("--context", "4096", *PLAIN) as server,
        litellm_proxy(tmp_path, models, server.url) as proxy,
    ):
        tap = Tap(proxy)
        async with tap.serving() as url:
            for model in models:
                async with open_app_at(url, key=LITELLM_KEY, reply_model=model) as app:
                    await talk(app, tap)
                given = model_settings(proxy, key=LITELLM_KEY, reply_model=model)
                said = await check_model(Settings(**given))
                assert said == f"{model} at {proxy} answers."


async def test_a_memory_is_formed_through_litellm(tmp_path: Path) -> None:
    """LiteLLM's bridge passes the call of a tool on, as doctor asks for it; the model makes it."""
    behind = Tap("http://127.0.0.1:9/v1")
    ramen = {"food_name": "ramen", "preference": 90, "evidence": "I love ramen"}
    behind.script_call("UserFoodPreference", ramen)
    async with behind.serving() as url:
        with litellm_proxy(tmp_path, {"bridge": "lm_studio/smollm2"}, url) as proxy:
            model = memory_model(model="bridge", api_key=LITELLM_KEY, base_url=proxy)
            assert await calls_memory_tools(model)
    assert behind.statuses == [200]


async def test_a_long_text_is_embedded() -> None:
    """Of a text that is longer than the server takes at once the beginning is embedded."""
    with llama_server("--embeddings") as server:
        given = model_settings(server.url, embedding_base_url=server.url)
        said = await check_embeddings(Settings(**given))
    assert said == (
        f"{LLAMA_MODEL} at {server.url} makes vectors of 576 numbers, of long texts too."
    )


async def test_doctor_says_which_server_makes_embeddings() -> None:
    """A server makes either answers or embeddings, and says itself how it is started."""
    with llama_server(*PLAIN) as server:
        settings = Settings(**model_settings(server.url))
        with pytest.raises(Problem) as raised:
            await check_embeddings(settings)
    assert str(raised.value) == (
        f"{server.url}: {LLAMA_MODEL} is refused (HTTP 501): start a server that makes"
        " embeddings (llama.cpp's: `--embeddings`), and name it in KIOKU_EMBEDDING_BASE_URL."
    )
