"""The controls under ``/_model/``: latency, faults, scripts and the journal."""

from __future__ import annotations

from typing import Any

import aiohttp
import httpx2
import openai
import pytest

from openai_double import Answer, Prompt, server
from openai_double.control import Exchange

from .controls import Controls

MODEL = "gpt-6-luna"
RESPONSE = {"endpoint": "responses"}


async def texts_until_broken(client: openai.AsyncOpenAI) -> str:
    """The text that arrives before the connection breaks."""
    pieces: list[str] = []

    async def read() -> None:
        stream = await client.responses.create(model=MODEL, input="hello", stream=True)
        async for event in stream:
            pieces.append(getattr(event, "delta", ""))  # noqa: PERF401 - what came before it broke

    with pytest.raises((openai.APIConnectionError, httpx2.TransportError)):
        await read()
    return "".join(pieces)


@pytest.mark.parametrize(
    ("fault", "error", "code"),
    [
        ({"status": 500}, openai.InternalServerError, "server_error"),
        ({"status": 503}, openai.InternalServerError, None),
        (
            {"status": 429, "retry_after": 2},
            openai.RateLimitError,
            "rate_limit_exceeded",
        ),
        (
            {"error_code": "insufficient_quota"},
            openai.RateLimitError,
            "insufficient_quota",
        ),
        ({"error_code": "context_length_exceeded"}, openai.BadRequestError, None),
        (
            {"status": 401, "error_code": "invalid_api_key"},
            openai.AuthenticationError,
            None,
        ),
        ({"drop": True}, openai.APIConnectionError, None),
    ],
)
async def test_a_fault_happens_as_often_as_it_says(
    client: openai.AsyncOpenAI,
    controls: Controls,
    fault: dict[str, Any],
    error: type[openai.OpenAIError],
    code: str | None,
) -> None:
    """Twice it fails with the client's own exception, then it works."""
    await controls.post("faults", {"endpoint": "responses", "times": 2, **fault})
    for _ in range(2):
        with pytest.raises(error) as failed:
            await client.responses.create(model=MODEL, input="hello")
        if isinstance(failed.value, openai.APIStatusError) and code:
            assert failed.value.code == code
        if isinstance(failed.value, openai.RateLimitError):
            assert float(failed.value.response.headers["retry-after"]) >= 1
    assert (await client.responses.create(model=MODEL, input="hello")).output_text


async def test_a_stream_breaks_in_the_middle(
    client: openai.AsyncOpenAI, controls: Controls
) -> None:
    """The connection is reset after at most the given number of characters."""
    await controls.post("faults", {"endpoint": "responses", "break_after_chars": 30})
    text = await texts_until_broken(client)
    assert 0 < len(text) <= 30
    whole = (await client.responses.create(model=MODEL, input="hello")).output_text
    assert whole.startswith(text)
    await controls.post(
        "faults", {"endpoint": "responses", "break_after_chars": 10_000}
    )
    assert await texts_until_broken(client) == whole


async def test_the_pace_contains_the_time_that_the_double_needs(
    client: openai.AsyncOpenAI, controls: Controls, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer due in an hour is sent at once if the double has needed that hour to read."""
    await controls.post("settings", {"first_token_ms": 3_600_000})
    answer = server._Server._answer_to

    def slow_answer(self: server._Server, asked: Prompt, exchange: Exchange) -> Answer:
        exchange.began -= 3_600
        return answer(self, asked, exchange)

    monkeypatch.setattr(server._Server, "_answer_to", slow_answer)
    assert (await client.responses.create(model=MODEL, input="thanks")).output_text
    stream = await client.responses.create(model=MODEL, input="thanks", stream=True)
    assert [event async for event in stream][-1].type == "response.completed"


async def test_a_script_says_what_is_answered(
    client: openai.AsyncOpenAI, controls: Controls
) -> None:
    """Scripts are used in order, for the words they match, as often as they say.

    Capitals make no difference.
    """
    for script in (
        {"match": "lunch", "output": {"text": "Soba."}, "times": 2},
        {"output": {"text": "First."}},
        {"output": {"text": "Second."}},
    ):
        await controls.post("script", {"endpoint": "responses", **script})
    asked = ["hey you", "lunch?", "hey you", "Lunch?", "thanks"]
    answers = [
        (await client.responses.create(model=MODEL, input=one)).output_text
        for one in asked
    ]
    assert answers == ["First.", "Soba.", "Second.", "Soba.", "You're welcome!"]
    await controls.post(
        "script", {"endpoint": "responses", "output": {"text": "No."}, "times": -1}
    )
    await controls.delete("script")
    assert (
        await client.responses.create(model=MODEL, input="thanks")
    ).output_text != "No."


async def test_the_journal_keeps_every_request(
    client: openai.AsyncOpenAI,
    controls: Controls,
    url: str,
    session: aiohttp.ClientSession,
) -> None:
    """Bodies, answers and statuses are kept in order, since any number, until deleted."""
    await client.responses.create(model=MODEL, input="thanks")
    await client.embeddings.create(model="text-embedding-3-small", input=["a", "b"])
    with pytest.raises(openai.NotFoundError):
        await client.responses.create(model="nope", input="x")
    async with session.post(f"{url}/v1/responses", data=b"{") as refused:
        assert refused.status == 401
    async with session.post(
        f"{url}/v1/responses", data=b"{", headers={"authorization": "Bearer x"}
    ) as refused:
        assert refused.status == 400
    entries = await controls.journal()
    assert [entry["status"] for entry in entries] == [200, 200, 404, 401, 400]
    assert entries[0]["body"]["input"] == "thanks"
    assert entries[0]["answer"] == {"text": "You're welcome!"}
    assert entries[0]["kind"] == "reply"
    assert entries[1]["answer"] == {"embeddings": 2, "tokens": 2}
    assert entries[4]["body"] == "{"
    later = await controls.get(f"journal?since={entries[3]['n']}")
    assert [entry["n"] for entry in later["entries"]] == [later["last"]]
    await controls.delete("journal")
    assert await controls.journal() == []
    async with session.get(f"{url}/_model/journal?since=x") as bad:
        assert bad.status == 400


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        ("settings", {"speed": 1}, "speed"),
        ("faults", {"endpoint": "nowhere", "status": 500}, "endpoint"),
        ("faults", {"endpoint": "chat"}, "needs one of"),
        (
            "faults",
            {**RESPONSE, "kind": "verdicts", "status": 500},
            "one of reply, formation",
        ),
        ("script", {**RESPONSE, "output": {"text": ""}, "pattern": "("}, "pattern"),
        ("script", {"endpoint": "chat"}, "output"),
        (
            "script",
            {**RESPONSE, "output": {"items": [{"type": "thought"}]}},
            "reasoning",
        ),
    ],
)
async def test_a_wrong_control_is_refused(
    controls: Controls, path: str, body: Any, words: str
) -> None:
    """The answer is 400 and one sentence that names what is wrong."""
    assert words in await controls.refused(path, body)
