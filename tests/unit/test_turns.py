"""What of a turn is decided without its database."""

from __future__ import annotations

import pytest

from bot.conversation.turns import final_question


@pytest.mark.parametrize(
    ("reply", "question"),
    [
        ("Noted. Do you like soba?", "Do you like soba?"),
        ("そうですか。そばは好きですか？", "そばは好きですか？"),
        ("حسنا. هل تحب القهوة؟", "هل تحب القهوة؟"),
        ("First line\n*Shall I go on?*", "*Shall I go on?"),
        ("Do you like soba? It is cold.", None),
        ("Noted.", None),
        ("", None),
        ("?", "?"),
    ],
)
def test_the_final_question_of_a_reply(reply: str, question: str | None) -> None:
    """Only a question that ends the reply is what the next words answer."""
    assert final_question(reply) == question


def test_a_long_question_is_cut_at_its_beginning() -> None:
    """The question is at the end."""
    question = final_question("word " * 200 + "is it so?")
    assert question is not None
    assert len(question) == 300
    assert question.endswith("is it so?")
