"""LangMem's prompt optimizers against the stand-in: they think, judge and rewrite the prompt."""

from __future__ import annotations

import warnings
from typing import Any, Literal, get_args

import pytest

from tests.playground_model.controls import Controls
from tests.playground_model.loose import stand_in

with warnings.catch_warnings():
    # langmem 0.0.30 imports trustcall 0.0.39, which imports Send from its old place.
    warnings.simplefilter("ignore", DeprecationWarning)
    from langmem import (  # type: ignore[import-untyped]
        create_multi_prompt_optimizer,
        create_prompt_optimizer,
    )

Kind = Literal["prompt_memory", "metaprompt", "gradient"]
KINDS = get_args(Kind)
PROMPT = "You recommend lunch to {user_name}."
ADVICE = "Name exactly one dish."
TALK = [
    {"role": "user", "content": "What should I have for lunch?"},
    {"role": "assistant", "content": "It depends."},
]


async def improved(url: str, kind: str, feedback: Any, *, responses: bool = False) -> str:
    """What an optimizer of that kind makes of `PROMPT`."""
    optimizer = create_prompt_optimizer(stand_in(url, responses=responses), kind=kind)
    return str(await optimizer.ainvoke({"trajectories": [(TALK, feedback)], "prompt": PROMPT}))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("responses", [False, True])
async def test_feedback_becomes_part_of_the_prompt(url: str, kind: str, responses: bool) -> None:
    """Every kind keeps the prompt with its variable and adds what the feedback says, once."""
    better = await improved(url, kind, {"feedback": ADVICE, "score": 0.2}, responses=responses)
    assert better == f"{PROMPT}\n{ADVICE}"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("feedback", ["", "Great!", {"score": 1.0}])
async def test_without_advice_the_prompt_stays(url: str, kind: str, feedback: Any) -> None:
    """Praise and scores change nothing; `prompt_memory` then returns an empty text."""
    assert await improved(url, kind, feedback) == ("" if kind == "prompt_memory" else PROMPT)


@pytest.mark.parametrize(
    ("kind", "calls"),
    [
        ("prompt_memory", []),
        (
            "metaprompt",
            ["think", *["OptimizedPromptOutput"] * 4],
        ),
        ("gradient", ["think", "recommend", "OptimizedPromptOutput"]),
    ],
)
async def test_it_thinks_before_it_writes(
    url: str, controls: Controls, kind: str, calls: list[str]
) -> None:
    """The calls come in the order in which LangMem goes on, and none counts as formation."""
    await improved(url, kind, ADVICE)
    journal = await controls.journal()
    made = [call["name"] for entry in journal for call in entry["answer"].get("calls", [])]
    assert made == calls
    assert {entry["kind"] for entry in journal} == {"reply"}


@pytest.mark.parametrize(
    ("feedback", "changed"),
    [
        ("The research lacks sources: cite them.", ["researcher"]),
        ("The writer should be brief.", ["writer"]),
        ("Great!", []),
    ],
)
async def test_of_several_prompts_the_fitting_one_changes(
    url: str, feedback: str, changed: list[str]
) -> None:
    """The prompt that the feedback names, or shares words with, is improved and no other."""
    prompts = [
        {"name": "researcher", "prompt": "Find facts about {topic}."},
        {"name": "writer", "prompt": "Write a report.\nUse the facts."},
    ]
    optimizer = create_multi_prompt_optimizer(stand_in(url), kind="metaprompt")
    result = await optimizer.ainvoke({"trajectories": [(TALK, feedback)], "prompts": prompts})
    assert [one["name"] for one, old in zip(result, prompts, strict=True) if one != old] == changed
    assert all(feedback in one["prompt"] for one in result if one["name"] in changed)
