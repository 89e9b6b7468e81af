"""Whom an answer mentions: those whom its message mentions, by their names, and nobody else."""

from __future__ import annotations

import re
import weakref
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.answering.filters import AnswerNames, without_mentions
from bot.answering.links import LinkFilter

MENTIONS = {
    "@Mia Tanaka": "<@U0MIA00001>",
    "@Mia": "<@U0MIA00002>",
    "@Alex Kim (akim)": "<@U0ALEX0001>",
    "@田中": "<@U0TAN00001>",
    "@مريم": "<@U0MARYAM01>",
}


def shown(text: str, cuts: list[int] | None = None) -> str:
    """Return an answer as it is shown, in pieces that end at these places."""
    links = LinkFilter()
    names = AnswerNames(MENTIONS)
    places = sorted({0, len(text), *(cut % (len(text) + 1) for cut in cuts or [])})
    pieces = [text[start:end] for start, end in pairwise(places)]
    out = "".join([names.feed(links.feed(piece)) for piece in pieces])
    return out + names.feed(links.flush()) + names.flush()


def test_nothing_of_many_names_outlives_their_answer() -> None:
    """A message may mention thousands, whose pattern takes megabytes."""
    answer = AnswerNames({"@Sue Lindqvist": "<@U0SUE00001>"})
    kept = weakref.ref(answer._pattern)
    del answer
    assert kept() is None


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("Ask @Mia Tanaka.", "Ask <@U0MIA00001>."),
        ("@Mia and @Mia's", "<@U0MIA00002> and <@U0MIA00002>'s"),
        ("@田中さんに聞く", "<@U0TAN00001>さんに聞く"),
        ("اسأل @مريم.", "اسأل <@U0MARYAM01>."),
        ("Ask @Alex Kim (akim), he knows", "Ask <@U0ALEX0001>, he knows"),
        # Another person of that name, another name, no name.
        ("Ask @Mia (mtan) or @Alex Kim (bkim) or @Alex Kim", None),
        ("Mia Tanaka said so", None),
        ("Ask @Ken Okafor, @Miari or a@Mia", None),
        (
            "`@Mia` and\n```\n@Mia\n```\n@Mia",
            "`@Mia` and\n```\n@Mia\n```\n<@U0MIA00002>",
        ),
        # Ids that a model writes are text, and call nobody.
        ("<@U0MIA00001> <@U0KEN00001|ken>", "< @U0MIA00001> < @U0KEN00001|ken>"),
        ("U0KEN00001 and @U0KEN00001", None),
        ("<!channel> <!subteam^S0GRP00001>", "< !channel> < !subteam^S0GRP00001>"),
        ("# C1\n\n@here, @channel and @everyone!", None),
    ],
)
def test_names_in_an_answer(text: str, answer: str | None) -> None:
    """A name with its sign is a mention; the stored answer has the name again."""
    written = text if answer is None else answer
    assert shown(text) == written
    stored = without_mentions(written, MENTIONS)
    assert "<@U" not in stored
    if answer is not None and "<" not in text:
        assert stored == text


TOKENS = st.sampled_from(
    [
        *("@Mia", " Tanaka", " (", "mtan)", "@Alex Kim (akim)", "@田中", "さん"),
        *("<@U0KEN00001>", "U0KEN00001", "<@U0ZZZZZZ99|x>", "<!subteam^S0GRP00001>"),
        *("#", "C0GEN00001", "`", "```\n", "\n", " ", "@", "<", ">", "!", "a", "。"),
        *("<!channel>", "&lt;", "\u200b", "<@U0MIA00001>"),
    ]
)


@example("<\n@Mia Tanaka", [2])
@example("<@U0MIA00001>", [1, 2, 3])
@given(
    st.lists(TOKENS, max_size=20).map("".join),
    st.lists(st.integers(0, 400), max_size=12),
)
def test_it_makes_no_difference_how_an_answer_is_cut(
    text: str, cuts: list[int]
) -> None:
    """Text comes in pieces of any length; only those are mentioned whose names are in it."""
    whole = shown(text)
    assert shown(text, cuts) == whole
    called = re.findall(r"<[@#!][^>]*>", whole)
    names = {mention: name for name, mention in MENTIONS.items()}
    assert all(one in names and names[one] in text for one in called)
