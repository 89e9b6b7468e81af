"""What people see, checked against Slack's limits by the playground's rules of Block Kit."""

from __future__ import annotations

import html
import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.locale import LANGUAGES, Language, say
from bot.types import Citation, MemoryState, PersonSettings, Reply
from bot.ui.blocks import LINE_LIMIT, ephemeral_payload, escaped
from bot.ui.erasing import erase_form
from bot.ui.forgetting import (
    FORGET_ALL_ACTION,
    MAX_SHOWN,
    forget_everything_question,
    forget_period_question,
    forget_question,
    forgotten_notice,
    period_asked,
)
from bot.ui.labels import describe, kind_title
from bot.ui.memories import PAGE_SIZE, memory_list, numbered, search_results
from bot.ui.modal_triggers import ERASE_ACTION
from bot.ui.reply import PART_LIMIT, fallback, footer, late_line, message_blocks, reply_text
from playground.blocks import ALL_CHARACTERS, block_errors, characters, view_errors
from tests.unit.memories import LANGUAGE, NOON, TEXTS, food, memory

FOOD, TECH = "UserFoodPreference", "UserTechInterest"
UNTIL = datetime(2026, 11, 27, 12, tzinfo=UTC)
TOKYO = timezone(timedelta(hours=9))
LAST_WEEK = (datetime(2026, 11, 9, tzinfo=TOKYO), datetime(2026, 11, 16, tzinfo=TOKYO))


def shown(payload: dict[str, Any]) -> str:
    """Return every text of a payload's blocks."""
    texts: list[str] = []

    def walk(node: Any) -> None:
        if isinstance(node, dict):
            if isinstance(node.get("text"), str):
                texts.append(node["text"])
            for value in node.values():
                walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)

    walk(payload["blocks"])
    return "\n".join(texts)


def fits(payload: dict[str, Any]) -> bool:
    """Say whether Slack takes a payload, and shows it to one person only."""
    assert payload["response_type"] == "ephemeral"
    assert block_errors(payload["blocks"]) == []
    assert characters(payload["blocks"]) <= ALL_CHARACTERS
    return 0 < len(payload["text"]) <= 4_000


WEEKLY = {"food_name": "ramen", "cuisine": "Japanese", "preference": 90}
WEEKLY |= {"description": "every week"}
STORY = {"observation": "builds were slow", "action": "a cache", "result": "twice as fast"}


@pytest.mark.parametrize(
    ("language", "kind", "content", "line"),
    [
        ("en", FOOD, {"food_name": "ramen"}, "Likes ramen"),
        (
            "en",
            FOOD,
            {"food_name": "ramen", "cuisine": "Japanese", "preference": 90},
            "Likes ramen very much (Japanese)",
        ),
        ("en", FOOD, {"food_name": "okra", "preference": 0}, "Does not like okra"),
        ("ja", TECH, {"topic": "AWS", "interest_level": 80}, "AWSに関心がある"),
        ("ja", TECH, {"topic": "AWS", "interest_level": 0}, "AWSへの関心はなくなった"),
        (
            "en",
            TECH,
            {"topic": "AWS", "category": "AWS", "description": "Lambda"},
            "Interested in AWS: Lambda",
        ),
        ("en", TECH, {"topic": "AWS", "description": "AWS"}, "Interested in AWS"),
        (
            "en",
            FOOD,
            {"food_name": "ramen", "cuisine": "Japanese", "description": "I like ramen."},
            "Likes ramen (Japanese)",
        ),
        (
            "en",
            FOOD,
            {"food_name": "ramen", "description": "spicy ramen"},
            "Likes ramen: spicy ramen",
        ),
        (
            "ja",
            FOOD,
            {"food_name": "ラーメン", "description": "私はラーメンが好きです。"},
            "ラーメンが好き",
        ),
        (
            "ja",
            FOOD,
            {"food_name": "ラーメン", "description": "味噌ラーメンが好き"},
            "ラーメンが好き：味噌ラーメンが好き",
        ),
        ("en", FOOD, {"food_name": "natto", "preference": 5}, "Does not like natto"),
        ("en", FOOD, {"food_name": "udon", "preference": 89}, "Likes udon"),
        ("en", FOOD, {"food_name": "udon", "preference": 59}, "Finds udon okay"),
        ("ja", FOOD, {"food_name": "鍋", "preference": 90}, "鍋が大好き"),
        ("en", TECH, {"topic": "AWS", "interest_level": 85}, "Very interested in AWS"),
        ("ja", TECH, {"topic": "AWS", "interest_level": 39}, "AWSに少し関心がある"),
        ("en", "UserFact", {"fact": "I live in Osaka", "topic": "home"}, "I live in Osaka"),
        ("en", "Pet", {"name": "Taro"}, "Taro"),
        ("en", FOOD, WEEKLY, "Likes ramen very much (Japanese): every week"),
        ("ja", FOOD, WEEKLY, "ramenが大好き（Japanese）：every week"),
        ("en", "Pet", {"name": "a\n*2.* b"}, "a *2.* b"),
        ("en", "Pet", {"name": "x" * 400}, "x" * (LINE_LIMIT - 1) + "…"),
        (
            "en",
            "SideProject",
            {"name": "Rewrite", "client": "Acme", "done_by": None, "people_on_it": 3},
            "Rewrite (client: Acme, people on it: 3)",
        ),
        ("en", "Episode", STORY, "builds were slow → a cache → twice as fast"),
        ("en", "Episode", {**STORY, "result": None}, "builds were slow → a cache"),
    ],
)
def test_describe(language: Language, kind: str, content: dict[str, Any], line: str) -> None:
    """A memory is one plain line: what, how much, and what was said beside it.

    Japanese has brackets and colons of its own. A long memory is cut with an ellipsis. An own kind
    says all its fields beside the subject. Of an example, situation, attempt and outcome are listed
    in order, without what was not told.
    """
    assert describe(language, kind, content) == line


def test_titles_of_kinds() -> None:
    """A built-in kind has a title in each language, an operator's own goes by its name."""
    assert kind_title("en", "Episode") == "Your Experiences and Examples"
    assert kind_title("en", "SideProject") == "Side Project"
    assert kind_title("ja", "Memory") == "その他"


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_memories(language: Language) -> None:
    """The empty list teaches by example."""
    payload = memory_list(language, [], zone=UTC)
    assert fits(payload)
    assert payload["text"] == say(language, "memories_none")


@pytest.mark.parametrize(
    ("count", "page", "numbers", "targets"),
    [
        (1, 1, (1, 1), []),
        (PAGE_SIZE, 1, (1, 20), []),
        (PAGE_SIZE + 1, 1, (1, 20), ["2"]),
        (PAGE_SIZE + 1, 2, (21, 21), ["1"]),
        (PAGE_SIZE * 3, 2, (21, 40), ["1", "3"]),
        (PAGE_SIZE + 1, 0, (1, 20), ["2"]),
        (PAGE_SIZE + 1, 99, (21, 21), ["1"]),
    ],
)
def test_pages(count: int, page: int, numbers: tuple[int, int], targets: list[str]) -> None:
    """Each page shows its numbers, whatever page is asked for, and buttons only where one leads."""
    found = numbered([memory(i) for i in range(1, count + 1)])
    payload = memory_list("en", found, page=page, zone=UTC)
    assert fits(payload)
    lines = [line for line in shown(payload).split("\n") if re.match(r"\*\d", line)]
    assert [int(line[1:].split(".")[0]) for line in lines] == list(
        range(numbers[0], numbers[1] + 1)
    )
    buttons = [e for b in payload["blocks"] if b["type"] == "actions" for e in b["elements"]]
    assert [button["value"] for button in buttons] == targets
    assert f"{count} in all" in shown(payload)
    assert ("There is no page 99: here is the last one." in shown(payload)) == (page == 99)


@given(LANGUAGE, st.lists(TEXTS, min_size=1, max_size=15))
def test_every_question_is_taken_by_slack(language: Language, texts: list[str]) -> None:
    """Whatever would be forgotten, each shown memory has its button and all fits."""
    found = [(i, food(text, i)) for i, text in enumerate(texts, start=1)]
    payload = forget_question(language, found, UTC)
    assert fits(payload)
    buttons = [b["accessory"] for b in payload["blocks"] if "accessory" in b]
    assert [json.loads(b["value"])["memories"] for b in buttons] == [
        [m.key] for _, m in found[:MAX_SHOWN]
    ]
    every = [e for b in payload["blocks"] if b["type"] == "actions" for e in b["elements"]]
    named = [json.loads(b["value"])["memories"] for b in every]
    whole = 1 < len(texts) <= MAX_SHOWN
    assert named == ([[m.key for _, m in found]] if whole else [])
    assert all(b["style"] == "danger" for b in buttons)
    more = say(language, "forget_more", count=len(texts) - MAX_SHOWN)
    assert (more in shown(payload)) == (len(texts) > MAX_SHOWN)


def test_lists_are_grouped_and_numbered_through() -> None:
    """Memories are by kind under a heading, the kind of the newest first, numbers run on."""
    kinds = ["UserFact", FOOD, "UserFact", "Pet", "UserTechInterest"]
    found = numbered([memory(i, kind=kind, name=f"n{i}") for i, kind in enumerate(kinds)])
    assert [(number, m.kind) for number, m in found] == [
        (1, "UserFact"),
        (2, "UserFact"),
        (3, "UserFoodPreference"),
        (4, "Pet"),
        (5, "UserTechInterest"),
    ]
    payload = memory_list("en", found, zone=UTC)
    assert fits(payload)
    lines = [line for line in shown(payload).split("\n") if line.startswith("*")]
    assert [line if "." not in line else line[1] for line in lines] == [
        *("*About You*", "1", "2"),
        *("*Food*", "3"),
        *("*Pet*", "4"),
        *("*Technology*", "5"),
    ]
    assert all(line.endswith("|Nov 20, 2026>)_") for line in lines if "." in line)


@given(LANGUAGE, st.lists(TEXTS, max_size=45), st.text(max_size=300), st.booleans())
def test_every_search_is_taken_by_slack(
    language: Language, texts: list[str], words: str, similar: bool
) -> None:
    """Whatever was searched and found, the answer fits Slack's limits."""
    found = numbered([food(text, i) for i, text in enumerate(texts)])
    assert fits(search_results(language, found, words, similar=similar, zone=UTC))


@given(LANGUAGE, st.lists(TEXTS, max_size=4))
def test_every_notice_is_taken_by_slack(language: Language, texts: list[str]) -> None:
    """What was forgotten is named with its Undo, within Slack's limits."""
    memories = [food(text, i) for i, text in enumerate(texts)]
    payload = forgotten_notice(language, memories, len(memories), "id", UTC)
    assert fits(payload)
    [undo] = [e for b in payload["blocks"] if b["type"] == "actions" for e in b["elements"]]
    assert undo["value"] == "id"


@pytest.mark.parametrize(
    ("since", "until", "en", "ja"),
    [
        (LAST_WEEK[0], None, "since Nov 9, 2026?", "2026年11月9日以降に"),
        (*LAST_WEEK, "from Nov 9, 2026 to Nov 15, 2026?", "2026年11月9日から2026年11月15日までに"),
        (None, LAST_WEEK[1], "before Nov 16, 2026?", "2026年11月16日より前に"),
        (
            LAST_WEEK[1] - timedelta(days=1),
            LAST_WEEK[1],
            "on Nov 15, 2026?",
            "2026年11月15日に",
        ),
        (NOON, None, "since Nov 20, 2026, 9:00 PM?", "2026年11月20日 21:00以降に"),
        (
            NOON,
            NOON + timedelta(microseconds=1),
            "in your message of Nov 20, 2026, 9:00 PM?",
            "2026年11月20日 21:00のメッセージで",
        ),
        (
            NOON,
            NOON + timedelta(hours=2),
            "from Nov 20, 2026, 9:00 PM to Nov 20, 2026, 11:00 PM?",
            "2026年11月20日 21:00から2026年11月20日 23:00までに",
        ),
    ],
)
def test_the_question_names_its_period(
    since: datetime | None, until: datetime | None, en: str, ja: str
) -> None:
    """Whole days have no time, the last day is included, and times are in the person's zone."""
    assert period_asked("en", since, until, TOKYO) == f"Forget what you told me {en}"
    assert period_asked("ja", since, until, TOKYO) == f"{ja}話したことを忘れてよいですか？"


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_period_of_long_memories_is_asked_about(language: Language) -> None:
    """Ten long memories with an end, and how many more there are, fit."""
    long = [food("x" * 400, i) for i in range(12)]
    long = [replace(one, expires_at=UNTIL) for one in long]
    asked = period_asked(language, *LAST_WEEK, TOKYO)
    payload = forget_period_question(language, numbered(long), 12, 40, "1 2", asked, UTC)
    assert shown(payload).startswith(asked)
    assert fits(payload)
    lines = [line for line in shown(payload).splitlines() if "xxx" in line]
    assert len(lines) == 10


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("count", [0, 1, 5_000])
def test_everything_is_asked_about_twice(language: Language, count: int) -> None:
    """The question before everything has a button that asks again, and one for a form; it fits."""
    payload = forget_everything_question(language, count)
    assert fits(payload)
    button, erase = [e for b in payload["blocks"] if b["type"] == "actions" for e in b["elements"]]
    assert button["action_id"] == FORGET_ALL_ACTION
    assert button["style"] == "danger"
    assert button["confirm"]
    assert (erase["action_id"], erase["style"]) == (ERASE_ACTION, "danger")
    assert view_errors(erase_form(language)) == []
    assert (str(count) in payload["text"]) == bool(count)


def test_words_of_people_are_no_markup() -> None:
    """A memory that holds markup pings nobody and links nowhere."""
    evil = food("<!channel> <@U2> <https://evil.example|here> &amp;")
    for payload in (
        memory_list("en", [(1, evil)], zone=UTC),
        forget_question("en", [(1, evil)], UTC),
    ):
        sections = [b["text"]["text"] for b in payload["blocks"] if b["type"] == "section"]
        assert "&lt;!channel&gt; &lt;@U2&gt;" in "".join(sections)
        dateless = [re.sub("<!date[^>]*>", "", text) for text in [*sections, payload["text"]]]
        assert not any("<" in text for text in dateless)


def test_private_texts_are_cut() -> None:
    """A text for one person is cut to what Slack takes."""
    assert len(ephemeral_payload("x" * 9_000, [{"type": "divider"}])["text"]) == 3_900


def test_reply_text() -> None:
    """Below the answer are the note that it was cut and its sources as links."""
    reply = Reply(
        text="Yes. \n",
        citations=(
            Citation(url="https://a.example/?q=[1]", title="A [draft]\nof x"),
            Citation(url="https://b.example", title="  "),
            Citation(url="https://c.example/(a) b", title="C"),
        ),
        cut="cut_short",
    )
    assert reply_text("en", reply) == (
        "Yes.\n\n_The answer was cut off here because it became very long. Ask me to continue._"
        "\n\n**Sources**\n- [A (draft) of x](https://a.example/?q=[1])\n- [link](https://b.example)"
        "\n- [C](https://c.example/%28a%29%20b)"
    )
    assert reply_text("en", Reply(text="Yes.")) == "Yes."


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("stand_in", [True, False])
@pytest.mark.parametrize("informed", [True, False])
def test_the_longest_part_fits_with_its_footer(
    language: Language, stand_in: bool, informed: bool
) -> None:
    """The longest part of an answer fits with what is below it; a stand-in is named once."""
    state = MemoryState(settings=PersonSettings(informed=informed))
    below = footer(language, stand_in=stand_in, memory_state=state)
    blocks = message_blocks("あ" * PART_LIMIT, below)
    assert block_errors(blocks) == []
    assert characters(blocks) <= ALL_CHARACTERS
    texts = [element["text"] for block in below for element in block["elements"]]
    first = [] if informed else ["footer_stand_in"]
    keys = (first if stand_in else ["footer"]) + ([] if informed else ["footer_memory"])
    assert texts == [say(language, key) for key in keys]


@given(st.text(max_size=5_000))
def test_fallback(text: str) -> None:
    """The plain text is the beginning of the answer, never longer than `chat.update` takes."""
    plain = fallback(text)
    assert len(plain) <= 3_900
    assert text.startswith(plain.removesuffix("…") if len(text) > 3_900 else plain)


@pytest.mark.parametrize(
    ("zone", "shown"),
    [
        ("Asia/Tokyo", "Jan 5, 2026, 9:30 PM"),
        ("America/New_York", "Jan 5, 2026, 7:30 AM"),
        (None, "Jan 5, 2026, 12:30 PM UTC"),
        ("Nowhere/Land", "Jan 5, 2026, 12:30 PM UTC"),
    ],
)
def test_a_late_answer_says_when_it_was_asked(zone: str | None, shown: str) -> None:
    """The time is that of the person's own clock, or UTC, which is named."""
    asked = datetime(2026, 1, 5, 12, 30, tzinfo=UTC)
    line = late_line("en", f"{asked.timestamp():.6f}", zone)
    assert line == f"_You wrote this at {shown}. My answer is late because I was offline._"


def test_todays_date_goes_without_saying() -> None:
    """What was written today, where the person is, is named by its time alone."""
    line = late_line("ja", f"{datetime.now(UTC).timestamp():.6f}", "Asia/Tokyo")
    assert re.match(r"_\d{1,2}:\d\dにいただいた", line)


@given(st.text(f"ab <&> {chr(12354)}", max_size=600), st.integers(10, 300))
def test_escaped_text_is_cut_between_characters(text: str, limit: int) -> None:
    """Escaped text fits, holds no markup, and never ends within an escape."""
    shown = escaped(text, limit)
    assert len(shown) <= limit
    assert not re.search("[<>]|&(?!(?:amp|lt|gt);)", shown)
    assert html.unescape(shown) == text or text.startswith(html.unescape(shown).removesuffix("…"))
