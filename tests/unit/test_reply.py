"""A reply: its Markdown and its footer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.acts.blocks import FALLBACK_LIMIT, PART_LIMIT, truncate
from bot.delivery.reply_sink import footer, reply_text
from bot.locale import LANGUAGES, Language, Localizer, say
from bot.people import MemoryState, PersonSettings
from bot.types import Citation, Reply
from slack_playground.block_kit import LIMITS
from slack_playground.blocks import block_errors, characters

EN = Localizer("en")


def test_reply_text() -> None:
    """Below the answer are the note that it was cut and its sources as links."""
    reply = Reply(
        text="Yes. \n",
        citations=(
            Citation(url="https://a.example/?q=[1]", title="A [draft]\nof x"),
            Citation(url="https://b.example", title="  "),
        ),
        cut="cut_short",
    )
    assert reply_text(EN, reply) == (
        "Yes.\n\n_The answer was cut off here because it became too long. Ask me to continue._"
        "\n\n**Sources**\n- [A (draft) of x](https://a.example/?q=[1])\n- [link](https://b.example)"
    )
    assert reply_text(EN, Reply(text="Yes.")) == "Yes."


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("stand_in", [True, False])
@pytest.mark.parametrize("informed", [True, False])
def test_the_longest_part_fits_with_its_footer(
    language: Language, stand_in: bool, informed: bool
) -> None:
    """The longest part of an answer fits with what is below it; a stand-in is named once."""
    state = MemoryState(settings=PersonSettings(informed=informed))
    below = footer(Localizer(language), "Yes.", state, stand_in=stand_in)
    blocks = [{"type": "markdown", "text": "あ" * PART_LIMIT}, *below]
    assert block_errors(blocks) == []
    assert characters(blocks) <= LIMITS["message_characters"]
    texts = [element["text"] for block in below for element in block["elements"]]
    first = [] if informed else ["footer_stand_in"]
    keys = (first if stand_in else ["footer"]) + ([] if informed else ["footer_memory"])
    assert texts == [say(language, key) for key in keys]


@given(st.text(max_size=5_000))
def test_a_fallback_text_is_made_of_any_answer(text: str) -> None:
    """The plain text is the beginning of the answer, never longer than `chat.update` takes."""
    plain = truncate(text, FALLBACK_LIMIT)
    assert len(plain) <= 3_900
    assert text.startswith(plain.removesuffix("…") if len(text) > 3_900 else plain)
