"""A memory, a change, a question, a notice and a moment, in the words that people read."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from bot.acts.blocks import LINE_LIMIT
from bot.acts.kinds import Answer, AnswerTo, Edit, Undo, clicked_act
from bot.acts.lines import change_line, describe, notable_changes
from bot.locale import Language, Localizer
from bot.notices.payload import notice_payload
from bot.promises.rows import promise_told
from memory import Change, Question
from memory.model import PROMISE_KIND
from tests.unit.memories import (
    NOON,
    change,
    fact,
    memory,
    promise,
    question,
)

EN = Localizer("en")
LAST_DAY = EN.day(date(2026, 11, 26))
ANSWERS: tuple[AnswerTo, ...] = ("yes", "both", "no")
OSAKA, TOKYO = fact("I live in Osaka"), fact("I live in Tokyo")
FOOD, TECH = "UserFoodPreference", "UserTechInterest"
WEEKLY = {"food_name": "ramen", "cuisine": "Japanese", "preference": 90}
WEEKLY |= {"description": "every week"}
TO_MIA = {"promise": "notes", "to": "Mia", "state": "open"}
NOON_OF_2020 = {**TO_MIA, "due": "2020-11-27", "due_time": "12:00"}
STORY = {
    "observation": "builds were slow",
    "action": "a cache",
    "result": "twice as fast",
}


@pytest.mark.parametrize(
    ("language", "kind", "content", "line"),
    [
        ("en", FOOD, {"food_name": "ramen"}, "Likes ramen"),
        ("ja", TECH, {"topic": "AWS", "interest_level": 0}, "AWSにあまり関心がない"),
        (
            "ja",
            FOOD,
            {"food_name": "ラーメン", "description": "私はラーメンが好きです。"},
            "ラーメンが好き",
        ),
        ("en", FOOD, {"food_name": "natto", "preference": 5}, "Doesn’t like natto"),
        ("en", FOOD, {"food_name": "udon", "preference": 59}, "Thinks udon is okay"),
        ("en", FOOD, WEEKLY, "Likes ramen very much (Japanese): every week"),
        ("ja", FOOD, WEEKLY, "ramenが大好き（Japanese）：every week"),
        ("en", "Dog", {"name": "a\n*2.* b"}, "a *2.* b"),
        ("en", "Dog", {"name": "x" * 400}, "x" * (LINE_LIMIT - 1) + "…"),
        (
            "en",
            "SideProject",
            {"name": "Rewrite", "client": "Acme", "done_by": None, "people_on_it": 3},
            "Rewrite (client: Acme, people on it: 3)",
        ),
        (
            "ja",
            "SideProject",
            {
                "name": "Rewrite",
                "tags": ["web", "old"],
                "lead": {"name": "Mia", "at": None},
                "years": [2025, 2026],
                "parts": [],
            },
            "Rewrite（lead: Mia、tags: web、old、years: [2025, 2026]）",
        ),
        ("en", "Episode", STORY, "builds were slow (a cache, twice as fast)"),
        (
            "en",
            "Promise",
            NOON_OF_2020,
            "Promised: notes (to Mia, by Fri, Nov 27, 2020 at 12:00 PM)",
        ),
        (
            "ja",
            "Promise",
            NOON_OF_2020,
            "約束：notes（相手：Mia、期日：2020年11月27日(金) 12:00）",
        ),
        ("ja", "Promise", TO_MIA, "約束：notes（相手：Mia）"),
    ],
)
def test_a_memory_is_described_in_one_plain_line(
    language: Language, kind: str, content: dict[str, Any], line: str
) -> None:
    """A memory is one plain line: what, how much, and what was said beside it.

    Japanese has brackets and colons of its own. A long memory is cut with an ellipsis. An own kind
    says all its fields beside the subject. Of an example, situation, attempt and outcome are listed
    in order, without what was not told.
    """
    assert describe(Localizer(language), kind, content) == line


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        (change("remembered", None, OSAKA), "Remembered: I live in Osaka"),
        (
            change("updated", OSAKA, TOKYO),
            "Updated: I live in Tokyo (was: I live in Osaka)",
        ),
        (change("updated", OSAKA, OSAKA), "Remembered: I live in Osaka"),
        *(
            (
                change("updated", promise(), promise(**new), kind="Promise"),
                line,
            )
            for new, line in (
                ({"state": "done"}, "Promise kept: notes (to Mia)"),
                ({"state": "dropped"}, "Promise dropped: notes (to Mia)"),
                (
                    {"to": "Ben"},
                    "Updated: Promised: notes (to Ben) (was: Promised: notes (to Mia))",
                ),
            )
        ),
        (
            change("remembered", None, promise(), kind="Promise"),
            "Promised: notes (to Mia)",
        ),
        (
            change("removed", None, None),
            "Forgotten: something you told me for a limited time",
        ),
        (change("removed", OSAKA, None), "Forgotten: I live in Osaka"),
        (
            change("moved", OSAKA, OSAKA, audience="public"),
            "Now used everywhere in this workspace: I live in Osaka",
        ),
        (
            change("moved", OSAKA, OSAKA, audience="C1"),
            "Now used in <#C1> and in your direct messages with me: I live in Osaka",
        ),
        (
            change("moved", OSAKA, OSAKA, audience="D1"),
            "Now used only in your direct messages with me: I live in Osaka",
        ),
        (
            change("updated", OSAKA, TOKYO, undone_at=NOON),
            "Updated: I live in Tokyo (was: I live in Osaka) (undone)",
        ),
        (
            change(
                "remembered", None, OSAKA, expires_at=datetime(2026, 11, 27, tzinfo=UTC)
            ),
            f"Remembered: I live in Osaka (until {LAST_DAY})",
        ),
    ],
    ids=lambda one: getattr(one, "action", ""),
)
def test_each_change_is_one_line(changed: Change, line: str) -> None:
    """A change is said in one line: what it is now, and what it was."""
    assert change_line(EN, changed) == line


def test_only_news_is_told_and_of_each_memory_the_last() -> None:
    """What was said again is no news; of several changes of a memory the last is told."""
    first = change("remembered", None, OSAKA, number=1, key="home")
    second = change("updated", OSAKA, TOKYO, number=2, key="home")
    again = change("confirmed", OSAKA, OSAKA, number=3)
    assert notable_changes([again, second, first]) == [second]


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ([change("remembered", None, OSAKA)], "Remembered: I live in Osaka"),
        (
            [change("remembered", None, fact("x" * 3_000))],
            f"Remembered: {'x' * (LINE_LIMIT - 1)}…",
        ),
        (
            [
                change("remembered", None, OSAKA),
                change("remembered", None, TOKYO, number=2),
            ],
            "Remembered: I live in Osaka\nRemembered: I live in Tokyo",
        ),
        (
            [
                change("remembered", None, OSAKA),
                change("removed", TOKYO, None, number=2),
            ],
            "Remembered: I live in Osaka\nForgotten: I live in Tokyo",
        ),
        (
            [
                change("remembered", None, OSAKA, undone_at=NOON),
                change("remembered", None, TOKYO, number=2),
            ],
            "Remembered: I live in Tokyo",
        ),
        (
            [
                change("remembered", None, OSAKA, undone_at=NOON),
                change("remembered", None, TOKYO, number=2, undone_at=NOON),
            ],
            "Remembered: I live in Osaka (undone)\nRemembered: I live in Tokyo (undone)",
        ),
    ],
    ids=["one", "long", "two", "mixed", "one undone", "both undone"],
)
def test_a_notice_names_what_it_tells_of(changes: list[Change], line: str) -> None:
    """In its words, five at most, with Undo until undone, and Edit of a single one."""
    batch = changes[0].id
    payload = notice_payload(EN, batch, changes, [], [])
    assert payload["text"] == line
    said = [one for one in payload["blocks"] if one["type"] == "context"]
    lines = [one["text"] for block in said for one in block["elements"]]
    assert lines == line.split("\n")
    rows = payload["blocks"][len(said) :]
    acts: list[Any] = [Undo(what="notice", ids=(batch,))]
    if len(changes) == 1 and changes[0].after is not None:
        acts.append(Edit(key=changes[0].key))
    if all(one.undone_at for one in changes):
        acts = []
    assert [clicked_act(one) for row in rows for one in row["elements"]] == acts


@pytest.mark.parametrize(
    ("content", "line", "time"),
    [
        (
            {"due": "2020-11-27", "due_time": "17:00"},
            "Reminder: notes.",
            "Fri, Nov 27, 2020 at 5:00 PM",
        ),
        ({"due": "2020-11-27"}, "Reminder: notes.", "Fri, Nov 27, 2020 at 9:00 AM"),
        (
            {"due": "2020-11-27", "due_time": "08:00"},
            "Reminder: notes (Fri, Nov 27, 2020 at 8:00 AM).",
            "Fri, Nov 27, 2020 at 9:00 AM",
        ),
        (
            {"due": "2020-11-26"},
            "Reminder: notes (Thu, Nov 26, 2020).",
            "Fri, Nov 27, 2020 at 9:00 AM",
        ),
        (
            {"to": "Mia", "due": "2020-11-27", "due_time": "17:00"},
            "Promised: notes (to Mia, by Fri, Nov 27, 2020 at 5:00 PM).",
            "Fri, Nov 27, 2020 at 9:00 AM",
        ),
    ],
    ids=["its time", "its day", "a time before", "an earlier day", "somebody waits"],
)
def test_a_reminder_says_its_time_once(
    content: dict[str, Any], line: str, time: str
) -> None:
    """Of what nobody waits for the named time is said, though its day's list comes at 9:00."""
    promised = memory(kind=PROMISE_KIND, promise="notes", state="open", **content)
    at_nine = datetime(2020, 11, 27, 9, tzinfo=UTC)
    said, _ = promise_told(EN, promised, at_nine)
    assert said == f"{line} I’ll remind you on {time}."


@pytest.mark.parametrize(
    ("first", "line", "answers"),
    [
        (
            question("replace"),
            "You told me “I live in Osaka” on Sun, May 3, and now “I live in Tokyo”."
            " Which should I remember?",
            ["Use the New One", "Keep Both", "Keep What I Had"],
        ),
        (
            question("older"),
            "You told me “I live in Osaka” on Sun, May 3, and before that “I live in Tokyo”."
            " Which should I remember?",
            ["Use the Older One", "Keep Both", "Keep the Newer One"],
        ),
        (
            question("older", "I live in Osaka", "I live in Osaka."),
            "You told me “I live in Osaka” on Sun, May 3, and before that “I live in Osaka.”."
            " Which should I remember?",
            ["Use the Older One", "Keep the Newer One"],
        ),
    ],
)
def test_of_several_questions_the_first_is_asked(
    first: Question, line: str, answers: list[str]
) -> None:
    """It has a button for each answer that can be; how many others there are is said."""
    asked = [first, question("remove"), question("store")]
    payload = notice_payload(EN, first.id, [], asked, [])
    said, row, more = payload["blocks"]
    assert said["text"]["text"].replace(", 2026,", ",") == line
    assert [one["text"]["text"] for one in row["elements"]] == answers
    acts = [clicked_act(one) for one in row["elements"]]
    given = [
        act.answer
        for act in acts
        if isinstance(act, Answer) and act.question == first.id
    ]
    assert given == [one for one in ANSWERS if len(answers) == 3 or one != "both"]
    assert more["elements"][0]["text"] == EN.say("notice_questions", count=2)


def test_a_removal_is_asked_elsewhere_by_what_it_is_about() -> None:
    """Where a memory may not be read, only the thing that it is about is named."""
    food = {"food_name": "sushi", "comment": "at home"}
    asked = question("remove")
    said = replace(asked.said, kind="UserFoodPreference")
    asked = replace(asked, said=said, before=food, readers="private")
    told = {
        place: asked.heard_in(place).before for place in ("dm", "private", "public")
    }
    assert told == {"dm": food, "private": food, "public": {"food_name": "sushi"}}


ZONE = ZoneInfo("Asia/Tokyo")
# Already the next day in Tokyo.
LATE = datetime(2020, 11, 20, 20, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("language", "shown", "between", "at", "this_year"),
    [
        (
            "en",
            "Sat, Nov 21, 2020",
            " at ",
            "5:05 AM",
            r"\w{3}, Nov 21 at 5:05\sAM",
        ),
        ("ja", "2020年11月21日(土)", " ", "5:05", r"11月21日\([日月火水木金土]\) 5:05"),
    ],
)
def test_a_day_is_that_of_the_reader(
    language: Language, shown: str, between: str, at: str, this_year: str
) -> None:
    """Date and time are those of the reader's zone and language; of this year, without the year."""
    localizer = Localizer(language, ZONE)
    with_time = f"{shown}{between}{at}"
    assert localizer.minute(LATE) == with_time
    assert re.fullmatch(
        this_year, localizer.minute(LATE.replace(year=datetime.now(ZONE).year))
    )
