"""Whom an answer mentions, and that it shows no id."""

from __future__ import annotations

import re
import weakref
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.pipeline.links import LinkFilter
from bot.pipeline.mentions import AnswerNames
from memory.model import References

NAMES = References(
    {
        "<@U0MIA00001>": "@Mia Tanaka",
        "<@U0MIA00002>": "@Mia",
        "<@U0MIA00003>": "@Mia (2)",
        "<@U0KEN00001>": "@Ken Okafor",
        "<@U0TAN00001>": "@田中",
        "<@UNODIGITS>": "@someone",
        "<#C0GEN00001>": "#general",
        "<!subteam^S0GRP00001>": "@a group",
    }
)
MENTIONED = {"<@U0MIA00001>", "<@U0MIA00002>", "<@U0MIA00003>", "<@U0TAN00001>"}


def shown(text: str, cuts: list[int] | None = None) -> str:
    """Return an answer as it is shown, in pieces that end at these places."""
    links = LinkFilter()
    names = AnswerNames(NAMES, MENTIONED)
    places = sorted({0, len(text), *(cut % (len(text) + 1) for cut in cuts or [])})
    pieces = [text[start:end] for start, end in pairwise(places)]
    out = "".join([names.feed(links.feed(piece)) for piece in pieces])
    return out + names.feed(links.flush()) + names.flush()


def test_nothing_of_many_names_outlives_their_answer() -> None:
    """A message may mention thousands, whose pattern takes megabytes."""
    names = References({"<@U0SUE00001>": "@Sue Lindqvist"})
    answer = AnswerNames(names)
    kept = [weakref.ref(answer._pattern), weakref.ref(names._pattern)]
    del answer, names
    assert [one() for one in kept] == [None, None]


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        # Those whom the person mentioned, and nobody else.
        ("Ask @Mia Tanaka.", "Ask <@U0MIA00001>."),
        (
            "@Mia, @Mia (2) and @Mia's",
            "<@U0MIA00002>, <@U0MIA00003> and <@U0MIA00002>'s",
        ),
        ("@田中さんに聞く", "<@U0TAN00001>さんに聞く"),
        ("Mia Tanaka said so", "Mia Tanaka said so"),
        ("Ask @Ken Okafor, @Miari or a@Mia", "Ask @Ken Okafor, @Miari or a@Mia"),
        (
            "`@Mia` and\n```\n@Mia\n```\n@Mia",
            "`@Mia` and\n```\n@Mia\n```\n<@U0MIA00002>",
        ),
        # Ids that are known are names.
        (
            "<@U0KEN00001> <@U0KEN00001|ken> @U0KEN00001",
            "@Ken Okafor @Ken Okafor @Ken Okafor",
        ),
        ("U0KEN00001 and `U0KEN00001`", "Ken Okafor and `Ken Okafor`"),
        ("<@UNODIGITS>", "@someone"),
        ("in <#C0GEN00001> and #C0GEN00001", "in #general and #general"),
        ("<!subteam^S0GRP00001>", "@a group"),
        # Ids that a model invents are nobody.
        ("<@U0ZZZZZZ99> @W0ZZZZZZ99", "@someone @someone"),
        ("<#C0ZZZZZZ99> #G0ZZZZZZ99", "#a channel #a channel"),
        ("<!subteam^S0ZZZZZZ99> @S0ZZZZZZ99", "@a group @a group"),
        # What only looks like one stays.
        ("@UNIVERSITY #CONTRIBUTING USB3ABCDEFG SHA256SUMS", None),
        ("# C1\n\n@here, @channel and @everyone!", None),
    ],
)
def test_names_and_ids_in_an_answer(text: str, answer: str | None) -> None:
    """A name is a mention if the person has mentioned them; an id is shown to nobody."""
    assert shown(text) == (text if answer is None else answer)


TOKENS = st.sampled_from(
    [
        *(
            "@Mia",
            " Tanaka",
            " (2)",
            "@Ken Okafor",
            "@田中",
            "さん",
            "<@U0KEN00001>",
            "U0KEN00001",
        ),
        *(
            "<@U0ZZZZZZ99|x>",
            "<!subteam^S0GRP00001>",
            "#",
            "C0GEN00001",
            "`",
            "```\n",
            "\n",
            " ",
        ),
        *("@", "<", ">", "!", "U0", "MIA00001", "a", "A", "。", "<!channel>"),
    ]
)


@example("<\n@Mia Tanaka", [2])
@given(
    st.lists(TOKENS, max_size=20).map("".join),
    st.lists(st.integers(0, 400), max_size=12),
)
def test_it_makes_no_difference_how_an_answer_is_cut(
    text: str, cuts: list[int]
) -> None:
    """Text comes in pieces of any length; only people who were mentioned are mentioned in it."""
    whole = shown(text)
    assert shown(text, cuts) == whole
    assert set(re.findall(r"<[@#!][^>]*>", whole)) <= MENTIONED
    assert not re.search(r"(?<!\w)(?:U0KEN00001|C0GEN00001|S0GRP00001)(?!\w)", whole)
