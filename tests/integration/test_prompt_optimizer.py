"""LangMem's prompt optimizers with our memory model, against the stand-in: every kind."""

from __future__ import annotations

import json
from typing import Any

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_openai import ChatOpenAI

from memory import (
    OPTIMIZER_CALLS,
    FormationUnavailable,
    OptimizerKind,
    RatedExchange,
    compare_prompts,
    improve_prompts,
    memory_model,
    prompt_refusal,
)
from tests.conftest import Server

KINDS = tuple(OPTIMIZER_CALLS)
PROMPTS = {
    "writer": "Answer {name} in English, and greet everybody.",
    "researcher": "Look things up.",
}
WHEN = {"writer": "The writing is bad.", "researcher": "The research is bad."}
ADVICE = "The writer should be brief."


@pytest.fixture
def chat(stand_in: Server) -> BaseChatModel:
    """The memory model, as the app makes it."""
    return memory_model(model="kioku-stand-in", api_key="x", base_url=stand_in.openai_base_url)


def rated(**given: Any) -> RatedExchange:
    """Return a shared exchange."""
    return RatedExchange(**{"question": "Why?", "reply": "Because.", "good": False, **given})


@pytest.mark.parametrize("kind", KINDS)
async def test_one_prompt(chat: BaseChatModel, stand_in: Server, kind: OptimizerKind) -> None:
    """Feedback changes it, praise does not; within the announced number of calls."""
    one = {"writer": PROMPTS["writer"]}
    before = len(stand_in.call("/_model/journal")["entries"])
    made = await improve_prompts(chat, kind, [rated(reasons=ADVICE)], one, WHEN)
    assert made == {"writer": f"{PROMPTS['writer']}\n{ADVICE}"}
    sent = len(stand_in.call("/_model/journal")["entries"]) - before
    assert 1 <= sent <= OPTIMIZER_CALLS[kind]
    praised = await improve_prompts(chat, kind, [rated(good=True)], one, WHEN)
    assert praised == one


@pytest.mark.parametrize("kind", KINDS)
async def test_several_prompts(chat: BaseChatModel, kind: OptimizerKind) -> None:
    """Only the prompt that the feedback is about is changed."""
    exchanges = [rated(comment=ADVICE), rated(good=True)]
    made = await improve_prompts(chat, kind, exchanges, PROMPTS, WHEN)
    assert made == {**PROMPTS, "writer": f"{PROMPTS['writer']}\n{ADVICE}"}
    # The stand-in quotes what a person wrote: five words in a row.
    texts = [text for one in exchanges for text in one.texts]
    assert prompt_refusal(made["writer"], PROMPTS["writer"], texts=texts) == "quote"


async def test_nonsense_is_no_proposal(chat: BaseChatModel, stand_in: Server) -> None:
    """An empty answer changes nothing, invisible characters are removed, no answer is an error."""
    one = {"writer": PROMPTS["writer"]}
    for text, expected in (("", PROMPTS["writer"]), ("Be\u200b br\x00ief.", "Be brief.")):
        output = {"text": json.dumps({"logic": "", "update_prompt": True, "new_prompt": text})}
        stand_in.call("/_model/script", {"endpoint": "responses", "output": output})
        made = await improve_prompts(chat, "prompt_memory", [rated(comment=ADVICE)], one, WHEN)
        assert made == {"writer": expected}
    stand_in.call("/_model/script", {"endpoint": "responses", "output": {"text": "secret"}})
    with pytest.raises(FormationUnavailable) as raised:
        await improve_prompts(chat, "prompt_memory", [rated(comment=ADVICE)], one, WHEN)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_model_that_is_away(
    chat: BaseChatModel, stand_in: Server, kind: OptimizerKind
) -> None:
    """An outage is one request and one error, whose text quotes nobody."""
    fault = {"endpoint": "responses", "kind": "reply", "status": 500, "times": 99}
    stand_in.call("/_model/faults", fault)
    before = len(stand_in.call("/_model/journal")["entries"])
    try:
        with pytest.raises(FormationUnavailable) as raised:
            await improve_prompts(chat, kind, [rated(comment="secret")], PROMPTS, WHEN)
    finally:
        stand_in.call("/_model/faults", method="DELETE")
    assert "secret" not in str(raised.value)
    assert len(stand_in.call("/_model/journal")["entries"]) == before + 1


async def test_a_model_of_ones_own_that_is_away() -> None:
    """An outage is the same error for a chat model of LangChain's that was not made here."""
    away = ChatOpenAI(model="m", api_key="none", base_url="http://127.0.0.1:9/v1", max_retries=0)
    with pytest.raises(FormationUnavailable, match="did not answer"):
        await improve_prompts(away, "prompt_memory", [rated()], PROMPTS, WHEN)
    with pytest.raises(FormationUnavailable, match="did not answer"):
        await compare_prompts(away, away, "q", old=[("user", "q")], new=[("user", "q")])


async def test_answers_are_compared_blind(chat: BaseChatModel, stand_in: Server) -> None:
    """The verdict names a place, which is chosen at random; the request says nothing else."""
    found: dict[str, set[str]] = {"first": set(), "second": set(), "same": set()}
    old, new = [("user", "Be old. Why?")], [("user", "Be new. Why?")]
    for preferred, verdicts in found.items():
        for _ in range(24):
            for match, output in (
                ("Be old.", {"text": "Old one."}),
                ("Be new.", {"text": "New one."}),
                ("Old one.", {"function_calls": [answer_verdict(preferred)]}),
            ):
                script = {"endpoint": "responses", "match": match, "output": output}
                stand_in.call("/_model/script", script)
            verdict = await compare_prompts(chat, chat, "Why?", old=old, new=new)
            entry = stand_in.call("/_model/journal")["entries"][-1]
            shown = json.loads(entry["body"]["input"][-1]["content"])
            assert set(shown) == {"question", "first", "second"}
            if preferred == "same":
                assert verdict == "same"
            else:
                assert (verdict == "better") == (shown[preferred] == "New one.")
            verdicts.add(str(verdict))
    both = {"better", "worse"}
    assert found == {"first": both, "second": both, "same": {"same"}}


def answer_verdict(preferred: str) -> dict[str, Any]:
    """Return the model's call with a verdict."""
    return {"name": "AnswerVerdict", "arguments": {"preferred": preferred}}
