"""What the stand-in hears of how to answer, and of what was tried."""

from __future__ import annotations

import pytest

from playground.model.statements import read_statements
from playground.model.stories import as_wished, same_aspect


@pytest.mark.parametrize(
    "text",
    [
        "Answer in bullet points.",
        "Please always reply in Japanese",
        "Keep your answers short",
        "Don't use emojis",
        "I prefer short answers",
        "I'd like your answers to be formal",
        "箇条書きで答えてください",
        "回答は短くしてください",
        "絵文字は使わないで",
        "これからは敬語で返事してほしい",
    ],
)
def test_how_to_answer(text: str) -> None:
    """A wish about the form of answers is heard as one, whole, and as nothing else."""
    [said] = read_statements(text)
    assert (said.stance, said.quote) == ("instruct", text)


@pytest.mark.parametrize(
    "text",
    [
        "Can you answer in bullet points?",
        "I like short stories",
        "I love lists of ramen shops",
        "箇条書きって何ですか？",
        "英語を勉強しています",
    ],
)
def test_no_wish_about_answers(text: str) -> None:
    """Questions, and likes of what is no answer, are no such wish."""
    assert not [one for one in read_statements(text) if one.stance == "instruct"]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (
            "Our deploys failed every Friday, so we tried smaller releases and it fixed them.",
            ("Our deploys failed every Friday", "smaller releases", "it fixed them"),
        ),
        (
            "ビルドが遅かったので、キャッシュを試したところ、半分の時間になりました。",
            ("ビルドが遅かった", "キャッシュ", "半分の時間になりました"),
        ),
    ],
)
def test_what_was_tried(text: str, parts: tuple[str, str, str]) -> None:
    """A story of situation, attempt and outcome is read in its three parts."""
    [said] = read_statements(text)
    assert said.stance == "episode"
    assert (said.subject, said.action, said.result) == parts


def test_the_form_of_an_answer() -> None:
    """Bullet points are given where they are wished, and a list stays as it is."""
    assert as_wished("One. Two!", ["Answer in bullet points"]) == "- One.\n- Two!"
    assert as_wished("はい。そうです。", ["箇条書きで"]) == "- はい。\n- そうです。"
    assert as_wished("- a", ["箇条書きで"]) == "- a"
    assert as_wished("One. Two!", ["keep it short"]) == "One. Two!"
    assert same_aspect("Answer briefly and short", "in a long and detailed way")
    assert not same_aspect("use bullet points", "in English")
