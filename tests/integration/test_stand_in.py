"""The stand-in beside Kioku: its verdicts are Kioku's, and the pages' sentences are understood."""

from __future__ import annotations

import json
import re
from typing import Any

import openai
import pytest
from openai.types.responses import ResponseFunctionToolCall

from bot.acts.phrases import heard
from kioku_stand_in.sentences import clauses_in
from memory.formation.proposal import Verdict
from memory.model import framed
from tests.conftest import ROOT, Server
from tests.integration.app import App


def test_every_sentence_of_the_pages_is_understood() -> None:
    """The tables name only what matches a form."""
    page = (ROOT / "docs/reference/stand-in-model.md").read_text("utf-8")
    rows = re.findall(
        r"^\| [a-z ]+ \| (.*) \|$", page.partition("## As a test")[0], re.M
    )
    sentences = [one for row in rows for one in row.split(" · ")]
    for name in (
        "docs/controls.md",
        "docs/controls.ja.md",
        "README.md",
        "docs/README.ja.md",
    ):
        text = (ROOT / name).read_text("utf-8")
        told = re.findall(
            r"^\| \d+\. .* \| (.*) \|$|^[14]\. ((?:.|\n   )*)", text, re.M
        )
        sentences += re.findall("[“「`](.+?)[”」`]", "\n".join(map("".join, told)))
    assert len(sentences) > 60
    said = [one for one in sentences if heard(one) is None]
    assert len(said) > 30
    assert [
        one for one in said if "unknown" in {clause.name for clause in clauses_in(one)}
    ] == []


RAMEN = {"food_name": "ramen"}
TODAY = {"date": "2026-11-20", "time": "10:00"}
PLAIN = {
    "index": 0,
    "supported": True,
    "about": "speaker",
    "modality": "asserted",
    "conflict": "none",
}


def proposal(sentence: str, **given: Any) -> dict[str, Any]:
    """One proposal as the app writes it; an addition of a liked dish unless `given` says more."""
    values = {"food_name": "ramen", "preference": 80}
    plain = {
        "index": 0,
        "change": "add",
        "kind": "UserFoodPreference",
        "values": values,
    }
    return {**plain, "old": None, "sentence": sentence, **given}


def proposed_fact(text: str, sentence: str, **given: Any) -> dict[str, Any]:
    """A proposed fact."""
    return proposal(sentence, kind="UserFact", values={"fact": text}, **given)


@pytest.mark.parametrize(
    ("proposed", "expected"),
    [
        (proposal("I like ramen"), {}),
        (proposal("I don't think I like ramen"), {"supported": False}),
        (
            proposal(
                "I meant miso ramen, not ramen",
                old=RAMEN,
                values={"food_name": "miso ramen"},
            ),
            {"conflict": "replaces"},
        ),
        (
            proposed_fact("糖尿病です", "糖尿病です。"),
            {"sensitive": "health", "may_harm": True},
        ),
        (
            proposed_fact(
                "I moved to Tokyo", "I moved to Tokyo", old={"fact": "I live in Osaka"}
            ),
            {"conflict": "replaces"},
        ),
        (
            proposed_fact(
                "I live in Tokyo", "I live in Tokyo", old={"fact": "I live in Osaka"}
            ),
            {"conflict": "unclear"},
        ),
        (
            proposed_fact(
                "My manager is Tom",
                "My manager is Tom",
                old={"fact": "My manager is Sarah"},
            ),
            {"conflict": "unclear"},
        ),
        (
            proposed_fact(
                "my manager is Tom",
                "No wait, my manager is Tom after all",
                old={"fact": "My manager is Sarah"},
            ),
            {"conflict": "replaces"},
        ),
        (
            proposed_fact(
                "上司は田中さんです",
                "いや、待って、上司は田中さんです",
                old={"fact": "上司は佐藤さんです"},
            ),
            {"conflict": "replaces"},
        ),
        (
            proposed_fact(
                "My manager is Tom",
                "I meant Tom, not Sarah",
                old={"fact": "My manager is Sarah"},
            ),
            {"conflict": "replaces"},
        ),
        (
            proposed_fact("I am on a diet until Friday", "I am on a diet until Friday"),
            {"valid_until": "2026-11-27"},
        ),
        (
            proposed_fact("I like soba", "I like soba, and Mia gets it by Friday"),
            {},
        ),
        *(
            (
                proposal(text, kind="Promise", values={"promise": ""}),
                {"modality": "promised", "due": due, "due_time": time},
            )
            for text, due, time in (
                ("I promised Mia the figures by Monday noon", "2026-11-23", "12:00"),
                (
                    "月曜日の正午までにミアさんに数字を送ると約束しました",
                    "2026-11-23",
                    "12:00",
                ),
                ("Remind me tomorrow at 9 to call the dentist", "2026-11-21", "09:00"),
                ("Remind me to call Ben", None, None),
                ("1時間後に電話するのをリマインドして", "2026-11-20", "11:00"),
            )
        ),
        *(
            (
                proposal(
                    text,
                    kind="Promise",
                    values={"state": "done"},
                    old={"promise": what},
                ),
                {"conflict": "replaces"},
            )
            for text, what in (
                ("I sent Mia the Q3 figures on Monday", "the Q3 figures"),
                ("月曜日にミアさんに数字を送りました", "数字を送る"),
            )
        ),
        (
            proposal("I'm sick of ramen", change="remove", old=RAMEN),
            {"conflict": "replaces"},
        ),
    ],
)
async def test_a_verdict_says_what_the_sentence_says(
    model_client: openai.AsyncOpenAI,
    stand_in: Server,
    proposed: dict[str, Any],
    expected: dict[str, Any],
) -> None:
    """Supported or not, whether it is a promise, until when, and whether it is about health."""
    frames = {"now": TODAY, "proposals": proposed}
    request = "\n".join(
        f"<{name}>\n{framed(one)}\n</{name}>" for name, one in frames.items()
    )
    tools: Any = [
        {
            "type": "function",
            "name": "MemoryVerdicts",
            "strict": False,
            "parameters": {},
        }
    ]
    answer = await model_client.responses.create(
        model="kioku-stand-in", input=request, tools=tools
    )
    [call] = answer.output
    assert isinstance(call, ResponseFunctionToolCall)
    assert call.name == "MemoryVerdicts"
    [verdict] = map(Verdict.model_validate, json.loads(call.arguments)["verdicts"])
    assert verdict == Verdict.model_validate(PLAIN | expected)
    entries = stand_in.call("/_model/journal")["entries"]
    assert [one["kind"] for one in entries] == ["verdict"]


@pytest.mark.parametrize(
    ("told", "remembered"),
    [
        (
            ["Remind me tomorrow at 9 to call the dentist"],
            {"due_time": "09:00", "to": None},
        ),
        (
            ["明日の9時に歯医者に電話するのをリマインドして"],
            {"due_time": "09:00", "to": None},
        ),
        (
            ["Remind me to call the dentist"],
            {"promise": "call the dentist", "due": None},
        ),
        (
            [
                "Remind me tomorrow at 8 to call the dentist",
                "Remind me tomorrow at 9 to call the dentist",
            ],
            {"promise": "call the dentist", "due_time": "09:00"},
        ),
        (
            ["Remind me tomorrow at 9 to call the dentist", "Push it to noon tomorrow"],
            {"promise": "call the dentist", "due_time": "12:00"},
        ),
        (
            [
                "I promised Mia the Q3 figures by Friday noon",
                "I sent Mia the Q3 figures",
            ],
            {"promise": "the Q3 figures", "due_time": "12:00", "state": "done"},
        ),
        (
            [
                "ミアさんに第3四半期の数字を送ると約束しました",
                "ミアさんに数字を送りました",
            ],
            {"promise": "第3四半期の数字を送る", "state": "done"},
        ),
        (
            ["My manager is Tom", "No wait, my manager is Sarah after all"],
            {"fact": "my manager is Sarah"},
        ),
    ],
)
async def test_the_app_remembers_what_was_told(
    app: App, told: list[str], remembered: dict[str, Any]
) -> None:
    """All that is said is about one memory, whose last fields are these."""
    place = app.slack.place()
    for text in told:
        message = await app.ask(place, text)
        contents = await app.form(message)
    [content] = contents
    assert remembered.items() <= content.items()
