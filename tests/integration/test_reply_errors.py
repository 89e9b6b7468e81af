"""Errors of the model by their code, each as the stand-in sends it over HTTP."""

from __future__ import annotations

import logging
from typing import Any, get_args

import pytest

from bot.answering.prompt import Prompt
from bot.locale import say
from bot.models.failures import Cause, ReplyFailed
from openai_double.conformance import published
from openai_double.errors import RESPONSE_ERROR_CODES
from tests.conftest import Server
from tests.integration.responses_server import ALICE, PROMPT, Replier, Shown, fault

PASSING = {
    "server_error": "model_down",
    "vector_store_timeout": "model_down",
    "rate_limit_exceeded": "model_busy",
}
FINAL = {
    "invalid_prompt": "model_policy",
    "bio_policy": "model_policy",
    "cyber_policy": "model_policy",
    "misalignment_policy_violation": "model_policy",
    "content_filter": "model_policy",
    "data_residency_mismatch": "model_refused",
    "invalid_api_key": "model_refused",
    "model_not_found": "model_refused",
    "insufficient_quota": "model_quota",
    "billing_hard_limit_reached": "model_quota",
    "context_length_exceeded": "model_too_long",
    **{code: "model_failed" for code in RESPONSE_ERROR_CODES if "image" in code},
}
CAUSES = {**PASSING, **FINAL}
SHAPES: dict[str, dict[str, Any]] = {
    "failed": {"event": "failed"},
    "flat": {"event": "error"},
    "nested": {"event": "error", "nested": True},
    "http": {"status": 400},
}


async def failure(replier: Replier, question: str = "What shall I eat?") -> ReplyFailed:
    """Ask the model and return the failure."""
    prompt = Prompt(question=question, user_id="U1")
    with pytest.raises(ReplyFailed) as raised:
        await replier.reply(ALICE, prompt, Shown())
    return raised.value


def test_every_code_of_the_schema_is_in_the_table() -> None:
    """Each `ResponseErrorCode` can be sent by the stand-in and has its cause; each a sentence."""
    codes = published()["schemas"]["ResponseErrorCode"]["enum"]
    assert set(codes) == set(RESPONSE_ERROR_CODES) <= set(CAUSES)
    assert all(say("en", ReplyFailed(cause).sentence) for cause in get_args(Cause))


@pytest.mark.parametrize("shape", SHAPES)
async def test_only_three_codes_can_pass(
    replier: Replier, stand_in: Server, shape: str
) -> None:
    """Each code in each shape has the cause of its group, and only three can pass by themselves."""
    for code, cause in CAUSES.items():
        if shape == "failed" and code not in RESPONSE_ERROR_CODES:
            continue
        fault(stand_in, error_code=code, times=-1, **SHAPES[shape])
        replier.model.breaker.answered()
        failed = await failure(replier)
        stand_in.call("/_model/faults", method="DELETE")
        assert failed.error is not None
        assert (failed.cause, failed.error.code) == (cause, code)
        assert failed.passes is (code in PASSING)


async def test_final_errors_do_not_open_the_breaker(
    replier: Replier, stand_in: Server
) -> None:
    """However many prompts are refused, the next one is sent to the model."""
    for number in range(4):
        fault(stand_in, event="failed", error_code="invalid_prompt")
        assert (await failure(replier, f"Question {number}")).cause == "model_policy"
    assert not await replier.is_away()
    assert (await replier.reply(ALICE, PROMPT, Shown())).text


async def test_the_operator_gets_an_alert(
    replier: Replier, stand_in: Server, caplog: pytest.LogCaptureFixture
) -> None:
    """A quota that is used up or a wrong key is logged as an `ALERT`; a refused prompt is not."""
    caplog.set_level(logging.ERROR)
    for code, alerts in (
        ("insufficient_quota", 1),
        ("invalid_api_key", 2),
        ("bio_policy", 2),
    ):
        fault(stand_in, event="error", error_code=code)
        await failure(replier)
        assert caplog.text.count("ALERT") == alerts
