"""The processor time of every function of text grows linearly with the text."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeAlias

import pytest

from bot.acts.blocks import escaped, fitted, plain_text, section, spoken
from bot.acts.kinds import read_act
from bot.acts.lines import describe, memory_line
from bot.answering import links
from bot.answering.filters import (
    AnswerNames,
    CitationFilter,
    LoopDetector,
    without_repetitions,
)
from bot.answering.limits import shorten, without_credentials
from bot.answering.links import LinkFilter
from bot.answering.output_items import printable
from bot.answering.web_search import query_in
from bot.conversation.turns import final_question
from bot.delivery import splitting
from bot.delivery.splitting import Limits
from bot.locale import Localizer
from bot.panel.forms import lines_of
from bot.runtime.problems import without_secrets
from bot.slack import messages, names, reading
from bot.slack.content import read_content
from bot.slack.sessions import title_of
from memory.credentials.redaction import find_credentials, redact_texts
from memory.formation.evidence import TypedMessage, find_evidence, links_not_typed
from memory.model import ThoughtFilter, estimated_tokens, framed
from memory.model.person_message import PersonMessage
from memory.model.sameness import comparable, needles, plain
from memory.model.schemas import subject_key
from memory.model.text import clean, folded, lettered, letters, normalized, parse_json
from memory.model.thoughts import without_thoughts
from tests.hostile_answers import HOSTILE as LINKS
from tests.hostile_answers import TOKENS as MARKDOWN
from tests.unit.memories import memory
from tests.unit.test_credentials import HOSTILE as CREDENTIALS

pytestmark = pytest.mark.slow

TextFunction: TypeAlias = Callable[[str], object]

SHORT = 10_000
LONG = 40_000  # characters, as a message of Slack has
QUICK_SECONDS = 0.016  # below this for LONG, no growth is worth a further look
# Four times the text may take eight times the processor time; quadratic growth takes 16 times.
GROWTH = LONG / SHORT * 2
ATTEMPTS = (
    5  # a busy machine slows single calls; the least of several is the function's own
)

# Of Slack's escapes, of Unicode, of times and commands: tokens of what is no Markdown.
SLACK = [
    *(
        "<@U1",
        "<@U1|",
        "<@U1|a> ",
        "\ue001@U1\ue002",
        "\ue001@U",
        "<#C1|",
        "<!here|",
        "<!subteam^",
        "<http:a|",
        "<mailto:a@b|c> ",
    ),
    *(
        "&gt;",
        "\n&gt; ",
        "&gt;&gt;&gt;",
        "\n> ",
        "\n",
        "\r\n",
        "\x00",
        "e\u0301",
        "\u0301",
        "👍🏽",
    ),
    # Marks in the wrong order, characters that are several, and names of both.
    *(
        "\u0301\u0316",
        "\u0f73",
        "\uff9e\u0301",
        "ﷺ",
        "ﷺ.",
        "x.ﷺ/ ",
        "㍿.",
        "http://ﷺ ",
        "@ﷺ.a ",
    ),
    *(
        "가",
        "か\u3099",
        "漢字",
        "ア、",
        "。",
        "？",
        "\u202e",
        "\ue000",
        "\ud800",
        "é",
        "A",
        "1",
        " ",
    ),
    *("tel:1", "a.b", "a./", "@/", "a.b?", "a://", "0x", "12:", "2026-"),
    *("last ", "until ", "forget ", "everything "),
    *("<think>", "</think>", "<think>a</think>"),
    *(
        "#",
        "{",
        "}",
        "{{",
        "((",
        '"a ',
        "'",
        "=",
        "a=",
        "a=b ",
        "1 ",
        "1-",
        "•",
        "[…]",
        " […]",
    ),
    *(
        "\n# a",
        "## \n\n",
        "# \n\n",
        "## 1\n\n",
        "---\n",
        "a\n\n",
        "| a ",
        "|-",
        "-|",
        "a|b\n",
    ),
]
TOKENS = sorted({*MARKDOWN, *LINKS, *CREDENTIALS, *SLACK})


def typed(text: str) -> str:
    """Return what a person typed, without mentions of the app."""
    return reading.typed(text, "B1")


def typed_message(text: str) -> TypedMessage:
    """Return a text as a message that formation reads."""
    return TypedMessage(PersonMessage(text=text, channel="D1", ts="1.0"))


def in_pieces(text: str, size: int = 10) -> str:
    """Return what `LinkFilter` shows of a text that comes in small pieces."""
    shown = LinkFilter()
    pieces = [shown.feed(text[at : at + size]) for at in range(0, len(text), size)]
    return "".join(pieces) + shown.flush()


MENTIONS = {"@Mia Tanaka": "<@U1>", "@1": "<@U2>"}
NO_SLACK: Any = None
NAMES = names.Names(NO_SLACK)


def names_in_pieces(text: str) -> str:
    """Return what `AnswerNames` shows of a text that comes in small pieces."""
    shown = AnswerNames(MENTIONS)
    pieces = [shown.feed(text[at : at + 10]) for at in range(0, len(text), 10)]
    return "".join(pieces) + shown.flush()


def marks_in_pieces(text: str) -> str:
    """Return what `CitationFilter` shows of a text that comes in small pieces."""
    shown = CitationFilter(["m1"])
    pieces = [shown.feed(text[at : at + 10]) for at in range(0, len(text), 10)]
    return "".join(pieces) + shown.flush()


def without_thoughts_in_pieces(text: str, size: int = 10) -> str:
    """Return what `ThoughtFilter` shows of a text that comes in small pieces."""
    shown = ThoughtFilter()
    pieces = [shown.feed(text[at : at + size]) for at in range(0, len(text), size)]
    return "".join(pieces) + shown.flush()


def said(text: str) -> dict[str, Any]:
    """Return a section block with this text."""
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


OTHER = typed_message("I like https://a.example/x and tea.")
FUNCTIONS: dict[str, TextFunction] = {
    function.__name__: function
    for function in (
        *(links.normal, links.is_web_address),
        *(
            clean,
            folded,
            lettered,
            letters,
            comparable,
            needles,
            normalized,
            parse_json,
            lines_of,
        ),
        *(final_question, without_thoughts),
        *(escaped, spoken, plain_text, section, title_of, query_in, framed),
        *(find_credentials, without_secrets),
        *(reading.plain, typed, printable, messages.sanitize_payload),
        *(messages.mentions, estimated_tokens, splitting.open_fence),
        *(
            read_act,
            typed_message,
            in_pieces,
            names_in_pieces,
            marks_in_pieces,
            without_thoughts_in_pieces,
        ),
        without_repetitions,
    )
} | {
    "plain": lambda text: plain([text]),
    "subject_key": lambda text: subject_key("UserFact", {"fact": text}),
    "redact_texts": lambda text: redact_texts(text, text[::-1]),
    "LoopDetector.feed": lambda text: LoopDetector().feed(text),
    "LinkFilter.feed": lambda text: LinkFilter().feed(text),
    "links_in": lambda text: links.links_in([text]),
    "find_evidence": lambda text: find_evidence(text, [OTHER, typed_message(text)]),
    "links_not_typed": lambda text: links_not_typed({"fact": text}, [OTHER]),
    "links typed": lambda text: links_not_typed(
        "https://b.example/", [typed_message(text)]
    ),
    "split_markdown": lambda text: splitting.split_markdown(text, Limits(3_000, 40)),
    "break_point": lambda text: splitting.break_point(text, len(text) - 1),
    "count_blocks": lambda text: splitting.count_blocks(text),
    "shown_end": lambda text: splitting.shown_end(text),
    "forwarded": lambda text: read_content(
        {"attachments": [{"is_share": True, "text": text}]}
    ),
    "blocks": lambda text: read_content(
        {"text": text, "bot_id": "B1", "blocks": [said(text)]}
    ),
    "AnswerNames.feed": lambda text: names_in_pieces(text),
    "clean_name": lambda text: names.clean_name(text),
    "marks": lambda text: names.whole_marks(NAMES.shown(text)),
    "shorten": lambda text: shorten(text, 100),
    "without_credentials": lambda text: without_credentials(text),
    "fitted": lambda text: fitted(text, len(text) - 1),
    "described": lambda text: describe(Localizer("en"), "Dog", {"name": text}),
    "memory_line": lambda text: memory_line(Localizer("en"), memory(fact=text)),
}


def took(work: TextFunction, text: str) -> float:
    """Return the seconds of processor time that a call takes, without the garbage collector."""
    gc.disable()
    began = time.thread_time()
    try:
        with suppress(ValueError, KeyError, IndexError, RecursionError):
            work(text)
        return time.thread_time() - began
    finally:
        gc.enable()


def growth(work: TextFunction, token: str) -> float:
    """Return how many times as long `LONG` characters take as `SHORT` ones; 0 for quick ones."""
    short, long = ((token * size)[:size] + "\x01\n" for size in (SHORT, LONG))
    least_short = least_long = float("inf")
    for _ in range(ATTEMPTS):
        least_long = min(least_long, took(work, long))
        if least_long < QUICK_SECONDS:
            return 0.0
        least_short = min(least_short, took(work, short))
        if least_long <= GROWTH * least_short:
            break
    return least_long / least_short


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_text_function_takes_linear_time(name: str) -> None:
    """One token over and over takes time as it is long."""
    for token in TOKENS:
        assert growth(FUNCTIONS[name], token) <= GROWTH, token
