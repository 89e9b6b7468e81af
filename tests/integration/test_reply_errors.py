"""Errors of the model by their code, each as the stand-in sends it over HTTP."""

from __future__ import annotations

import logging
from typing import Any

import openai
import pytest

from bot.config import STAND_IN_MODEL
from bot.pipeline.prompt import compose
from bot.pipeline.reply import Replier
from bot.pipeline.responses.failures import ReplyFailed
from bot.pipeline.responses.request import FAILURES
from memory import Person
from playground.model.errors import RESPONSE_ERROR_CODES
from tests.conformance.document import read
from tests.conformance.openai_schemas import PATH
from tests.conftest import Server
from tests.integration.responses_server import ResponsesServer, Shown, create_replier

ALICE = Person("T1", "U1")
PROMPT = compose(question="What shall I eat?", user_id="U1", memories=[])
PASSING = {
    "server_error": "model_down",
    "vector_store_timeout": "model_down",
    "rate_limit_exceeded": "model_busy",
}
FINAL = {
    "invalid_prompt": "model_policy",
    "bio_policy": "model_policy",
    "cyber_policy": "model_policy",
    "content_filter": "model_policy",
    "data_residency_mismatch": "model_refused",
    "invalid_api_key": "model_refused",
    "model_not_found": "model_refused",
    "insufficient_quota": "model_quota",
    "billing_hard_limit_reached": "model_quota",
    "context_length_exceeded": "model_too_long",
    **{code: "model_images" for code in RESPONSE_ERROR_CODES if "image" in code},
}
CAUSES = {**PASSING, **FINAL}
SHAPES: dict[str, dict[str, Any]] = {
    "failed": {"event": "failed"},
    "flat": {"event": "error"},
    "nested": {"event": "error", "nested": True},
    "http": {"status": 400},
}


@pytest.fixture
def replier(model_client: openai.AsyncOpenAI) -> Replier:
    """What is tested."""
    return create_replier(model_client, model=STAND_IN_MODEL)


async def failure(replier: Replier, question: str = "What shall I eat?") -> ReplyFailed:
    """Ask the model and return the failure."""
    prompt = compose(question=question, user_id="U1", memories=[])
    with pytest.raises(ReplyFailed) as raised:
        await replier.reply(ALICE, prompt, Shown())
    return raised.value


def test_every_code_of_the_schema_is_in_the_table() -> None:
    """Each `ResponseErrorCode` can be sent by the stand-in and has its cause here."""
    published = read(PATH).sections["schemas"]["ResponseErrorCode"]["enum"]
    assert set(published) == set(RESPONSE_ERROR_CODES) <= set(CAUSES)


@pytest.mark.parametrize("shape", SHAPES)
async def test_only_three_codes_can_pass(replier: Replier, stand_in: Server, shape: str) -> None:
    """Each code in each shape has the cause of its group, and only three can pass by themselves."""
    for code, cause in CAUSES.items():
        if shape == "failed" and code not in RESPONSE_ERROR_CODES:
            continue
        how = {"endpoint": "responses", "error_code": code, **SHAPES[shape]}
        stand_in.call("/_model/faults", how)
        replier.models[0].breaker.answered()
        failed = await failure(replier)
        assert (failed.cause, failed.code) == (cause, code)
        assert failed.passes is (code in PASSING)


async def test_final_errors_do_not_open_the_breaker(replier: Replier, stand_in: Server) -> None:
    """However many prompts are refused, the next one is sent to the model."""
    for number in range(FAILURES + 1):
        how = {"event": "failed", "error_code": "invalid_prompt"}
        stand_in.call("/_model/faults", {"endpoint": "responses", **how})
        assert (await failure(replier, f"Question {number}")).cause == "model_policy"
    assert not replier.probing
    assert (await replier.reply(ALICE, PROMPT, Shown())).text


async def test_passing_errors_open_the_breaker(replier: Replier, stand_in: Server) -> None:
    """Three different messages that fail with a code that can pass are an outage."""
    for number in range(FAILURES):
        how = {"event": "error", "error_code": "server_error"}
        stand_in.call("/_model/faults", {"endpoint": "responses", **how})
        assert (await failure(replier, f"Question {number}")).cause == "model_down"
    assert replier.unavailable


@pytest.mark.parametrize(
    ("code", "logged"),
    [("brand_new_code", True), ("ERR_SOMETHING", True), ("I like ramen", False), (None, False)],
)
async def test_an_unknown_code_is_final(
    code: str | None, logged: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """It has the general sentence; the log has the code only if it looks like an identifier."""
    caplog.set_level(logging.WARNING)
    event = {"type": "error", "code": code, "message": "x", "param": None}
    async with ResponsesServer([event]).client() as client:
        failed = await failure(create_replier(client))
    assert (failed.cause, failed.passes) == ("model_failed", False)
    assert (f"({code})" in caplog.text) is logged
    assert logged or str(code) not in caplog.text or code is None


async def test_the_operator_gets_an_alert(
    replier: Replier, stand_in: Server, caplog: pytest.LogCaptureFixture
) -> None:
    """A quota that is used up or a wrong key is logged as an `ALERT`; a refused prompt is not."""
    caplog.set_level(logging.ERROR)
    for code, alerts in (("insufficient_quota", 1), ("invalid_api_key", 2), ("bio_policy", 2)):
        how = {"event": "error", "error_code": code}
        stand_in.call("/_model/faults", {"endpoint": "responses", **how})
        await failure(replier)
        assert caplog.text.count("ALERT") == alerts


async def test_the_content_filter_is_told(replier: Replier, stand_in: Server) -> None:
    """An answer that it ended says so; without a word of it the prompt was refused by policy."""
    how = {"endpoint": "responses", "event": "incomplete", "reason": "content_filter"}
    stand_in.call("/_model/faults", {**how, "break_after_chars": 5})
    assert (await replier.reply(ALICE, PROMPT, Shown())).cut == "cut_filtered"
    stand_in.call("/_model/faults", {**how, "break_after_chars": 0})
    assert (await failure(replier)).cause == "model_policy"
