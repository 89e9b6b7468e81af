"""What people see of changes, checked against Slack's limits by the playground's rules."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime, timedelta
from typing import get_args
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.locale import LANGUAGES, Language, say
from bot.views.audiences import audience_form, move_question
from bot.views.blocks import Payload
from bot.views.changes import (
    can_be_undone_alone,
    change_line,
    changes_made_payload,
    notable_changes,
    question_line,
)
from bot.views.dates import day
from bot.views.forgetting import forget_form
from bot.views.history import HistoryPage, history_payload, history_view, parse_since
from bot.views.labels import memory_line
from bot.views.memories import (
    ReplyMemories,
    memory_blocks,
    memory_list,
    numbered,
    parse_menu_value,
    reply_memories_view,
    with_menu,
)
from bot.views.notices import NoticeContent, notice_payload
from bot.views.refusals import STORE_ACTION, QuotedSentence, parse_quoted_sentence, refusal_payload
from bot.views.views import loading_view, payload_view
from memory import Change, Question, Reason
from playground.blocks import view_errors
from tests.unit.memories import LANGUAGE, NOON, PERSON, TEXTS, entry, memory, question, value
from tests.unit.test_surfaces import fits

OSAKA, TOKYO = value("I live in Osaka"), value("I live in Tokyo")


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        (entry("remembered", None, OSAKA), "Remembered: I live in Osaka"),
        (entry("updated", OSAKA, TOKYO), "Updated: I live in Tokyo (was: I live in Osaka)"),
        (entry("updated", OSAKA, OSAKA), "Updated: I live in Osaka"),
        (entry("removed", OSAKA, None), "Forgotten: I live in Osaka"),
        (
            entry("removed", None, None, actor="expiry"),
            "Forgotten: something you told me for a limited time",
        ),
        (entry("confirmed", OSAKA, OSAKA), "Confirmed: I live in Osaka"),
        (entry("restored", None, OSAKA), "Restored: I live in Osaka"),
        (
            entry("moved", OSAKA, OSAKA, namespace=PERSON.namespace("public")),
            "Now used everywhere in this workspace: I live in Osaka",
        ),
        (
            entry("moved", OSAKA, OSAKA, namespace=PERSON.namespace("C1")),
            "Now used in <#C1> and in your direct messages with me: I live in Osaka",
        ),
        (
            entry("updated", OSAKA, TOKYO, undone_at=NOON),
            "Updated: I live in Tokyo (was: I live in Osaka) (undone)",
        ),
        (
            entry("remembered", None, OSAKA, expires_at=datetime(2026, 11, 27, tzinfo=UTC)),
            "Remembered: I live in Osaka (until <!date^1795737599^{date_short}|Nov 26, 2026>)",
        ),
    ],
    ids=lambda one: getattr(one, "action", ""),
)
def test_each_change_is_one_line(changed: Change, line: str) -> None:
    """A change is said in one line: what it is now, and what it was."""
    assert change_line("en", changed, UTC) == line


@pytest.mark.parametrize(
    ("asked", "line"),
    [
        (
            question("replace"),
            "You told me “I live in Osaka” on <!date^1777802400^{date_short}|May 3, 2026>,"
            " and now “I live in Tokyo”. Which should I remember?",
        ),
        (question("remove"), "Forget this too: “I live in Osaka”?"),
        (
            question("widen"),
            "The memory that I use everywhere in this workspace still says “I live in Osaka”."
            " Change it to “I live in Tokyo” too?",
        ),
        (
            question("widen", after=None),
            "The memory that I use everywhere in this workspace still says “I live in Osaka”."
            " Forget it too?",
        ),
        (question("store"), "May I remember this? “I live in Tokyo”"),
    ],
)
def test_each_question_is_one_line(asked: Question, line: str) -> None:
    """A question names what was said, when, and what would take its place."""
    assert question_line("en", asked, UTC) == line


def test_only_news_is_told_and_of_each_memory_the_last() -> None:
    """What was said again is no news; of several changes of a memory the last is told."""
    first = entry("remembered", None, OSAKA, number=1, key="home")
    second = entry("updated", OSAKA, TOKYO, number=2, key="home")
    again = entry("confirmed", OSAKA, OSAKA, number=3)
    assert notable_changes([again, second, first]) == [second]


@pytest.mark.parametrize(
    ("entries", "line"),
    [
        ([entry("remembered", None, OSAKA)], "Remembered: I live in Osaka"),
        ([entry("remembered", None, value("x" * 3_000))], "Remembered 1 thing"),
        (
            [entry("remembered", None, OSAKA), entry("remembered", None, TOKYO, number=2)],
            "Remembered 2 things",
        ),
        (
            [entry("remembered", None, OSAKA), entry("removed", TOKYO, None, number=2)],
            "Made 2 changes to your memories",
        ),
        (
            [
                entry("remembered", None, OSAKA, undone_at=NOON),
                entry("remembered", None, TOKYO, number=2),
            ],
            "Remembered: I live in Tokyo",
        ),
        (
            [
                entry("remembered", None, OSAKA, undone_at=NOON),
                entry("remembered", None, TOKYO, number=2, undone_at=NOON),
            ],
            "Remembered 2 things (undone)",
        ),
    ],
    ids=["one", "long", "two", "mixed", "one of two undone", "both undone"],
)
def test_a_notice_is_one_line(entries: list[Change], line: str) -> None:
    """A single change is told in its words, several by their number, with Undo and Details."""
    payload = notice_payload("en", NoticeContent(surface="notice 1", entries=tuple(entries)), UTC)
    assert fits(payload)
    assert payload["text"] == line
    [said, row] = payload["blocks"]
    assert (said["type"], [one["text"] for one in said["elements"]]) == ("context", [line])
    undone = all(one.undone_at for one in entries)
    texts = [element["text"]["text"] for element in row["elements"]]
    assert texts == (["Details"] if undone else ["Undo", "Details"])
    assert ("undo_change" in json.dumps(payload)) is not undone


def test_a_notice_has_undo_details_and_answers() -> None:
    """One Undo takes all changes back, and a question has a button for each answer."""
    told = NoticeContent(
        surface="notice 1",
        entries=(entry("remembered", None, OSAKA), entry("removed", TOKYO, None, number=2)),
        questions=(question("replace"), question("remove"), question("store")),
    )
    payload = notice_payload("en", told, UTC)
    assert fits(payload)
    rows = [b["elements"] for b in payload["blocks"] if b["type"] == "actions"]
    assert rows[0][0]["value"] == "all notice 1"
    assert rows[0][0]["accessibility_label"] == "Undo: Made 2 changes to your memories"
    texts = [[element["text"]["text"] for element in row] for row in rows]
    assert texts == [
        ["Undo", "Details"],
        ["Keep What I Had", "Use the New One", "Keep Both"],
        ["Forget It", "Keep It"],
        ["Remember", "Don’t Remember"],
    ]


def test_which_confirmations_have_an_undo() -> None:
    """The newest confirmation of a memory has one."""
    confirmed = entry("confirmed", OSAKA, OSAKA)
    assert can_be_undone_alone(confirmed)
    for other in ({"changed_since": True}, {"undone_at": NOON}):
        assert not can_be_undone_alone(dataclasses.replace(confirmed, **other))


@given(LANGUAGE, st.lists(TEXTS, max_size=12), st.lists(TEXTS, max_size=5))
def test_every_notice_fits(language: Language, texts: list[str], asked: list[str]) -> None:
    """Whatever was remembered, its notice fits into a message."""
    told = NoticeContent(
        surface=f"notice {UUID(int=1)}",
        entries=tuple(
            entry("updated", value(text), value(text + "!"), number=number)
            for number, text in enumerate(texts, start=1)
        ),
        questions=tuple(
            question(asks, text, text) for text in asked for asks in ("replace", "store")
        ),
    )
    assert fits(notice_payload(language, told, UTC))


def test_questions_that_do_not_fit_are_counted() -> None:
    """Three questions at most are asked; the others are counted."""
    told = NoticeContent(surface="notice 1", entries=(), questions=(question("store"),) * 5)
    blocks = notice_payload("en", told, UTC)["blocks"]
    assert [block["type"] for block in blocks] == ["section", "actions"] * 3 + ["context"]
    count = say("en", "notice_questions", count=2)
    assert blocks[-1]["elements"][0]["text"] == count


@given(LANGUAGE, st.lists(TEXTS, max_size=8), st.booleans(), st.sampled_from(["", "dm/key"]))
def test_every_page_of_the_history_fits(
    language: Language, texts: list[str], older: bool, reference: str
) -> None:
    """Whatever was changed, its page fits a message and a modal, with links and Undo."""
    entries = tuple(
        entry("updated", value(text), value(text), number=number)
        for number, text in enumerate(texts, start=1)
    )
    links = {str(one.id): "https://example.slack.com/archives/C1/p1" for one in entries}
    page = HistoryPage(
        entries=entries,
        questions=(question("replace"), question("store")),
        links=links,
        since=NOON,
        older=older and bool(entries),
        reference=reference,
    )
    assert fits(history_payload(language, page, UTC))
    assert view_errors(history_view(language, page, UTC)) == []
    word, _, rest = page.surface.removeprefix("history ").partition(" ")
    assert (parse_since(word), rest) == (NOON, reference)


def test_more_questions_than_fit_are_counted() -> None:
    """The history asks ten questions at most, says how many come later, and fits a message."""
    for asked, told in ((10, None), (30, 20)):
        page = HistoryPage(
            entries=tuple(entry("updated", OSAKA, TOKYO, number=n) for n in range(8)),
            questions=tuple(question("replace") for _ in range(asked)),
            links={},
            older=True,
        )
        shown = history_payload("en", page, UTC)
        assert fits(shown)
        assert json.dumps(shown).count("Which should I remember?") == 10
        text = say("en", "history_questions", count=told or 20)
        assert (text in json.dumps(shown)) is (told is not None)


def test_details_of_what_was_forgotten() -> None:
    """The details of a notice whose memory was forgotten do not say that nothing has changed.

    Before anything was remembered the history says so.
    """
    for surface, key in (("", "history_none"), ("notice 1", "notice_gone")):
        view = history_view("en", HistoryPage(entries=(), links={}, notice=surface), UTC)
        assert view["blocks"][0]["text"]["text"] == say("en", key)
        assert view_errors(view) == []
    nothing = notice_payload("en", NoticeContent(surface="notice 1", entries=()), UTC)
    assert nothing["text"] == say("en", "notice_gone")
    empty = history_payload("en", HistoryPage(entries=(), links={}), UTC)
    assert empty["text"] == say("en", "history_none")
    assert parse_since("-") is None


def test_people_are_shown_by_their_names() -> None:
    """Of a mention the id is stored; where only the person sees it, Slack shows the name."""
    ann = value("My manager is @U04ABCD12, not @you or a@U04ABCD12")
    line = "My manager is <@U04ABCD12>, not @you or a@U04ABCD12"
    assert change_line("en", entry("remembered", None, ann), UTC) == f"Remembered: {line}"
    assert line in memory_list("en", numbered([memory(**ann["content"])]), zone=UTC)["text"]
    cut = value("x" * 228 + " @U04ABCD12EFGH")
    assert "<@" not in change_line("en", entry("remembered", None, cut), UTC)


def refusal(language: Language, reason: Reason, text: str) -> Payload:
    """Return the refusal of something said in a channel."""
    quoted = QuotedSentence(text=text, channel="C0123456789", ts="1795737600.000100")
    return refusal_payload(language, reason, quoted, can_store=True)


def test_each_refusal_is_one_sentence_with_a_button(subtests: pytest.Subtests) -> None:
    """Each reason has its words; what is never stored, and what is no memory, have no button.

    The sentence about credentials quotes nothing.
    """
    for language in LANGUAGES:
        for reason in get_args(Reason):
            with subtests.test(language=language, reason=reason):
                payload = refusal(language, reason, "My <b>colleague</b> is on leave")
                assert fits(payload)
                assert "<b>" not in payload["text"]
                offered = STORE_ACTION in json.dumps(payload)
                never = ("secret", "sensitive", "full")
                assert offered == (reason not in never)
                bare = refusal_payload(language, reason, None, can_store=True)
                kindless = refusal_payload(
                    language, reason, QuotedSentence(text="My cat", channel="D1"), can_store=False
                )
                assert STORE_ACTION not in json.dumps([bare, kindless])
    assert "hunter2" not in json.dumps(refusal("en", "secret", "password: hunter2hunter2"))


@given(LANGUAGE, st.one_of(TEXTS, st.text(min_size=1_400, max_size=2_000)))
def test_the_button_holds_the_sentence(language: Language, text: str) -> None:
    """What a button holds fits Slack's limit and can be read again, cut off where it is long."""
    payload = refusal(language, "not_asserted", text)
    assert fits(payload)
    held = parse_quoted_sentence(payload["blocks"][1]["elements"][0]["value"])
    assert held is not None
    assert (held.channel, held.ts) == ("C0123456789", "1795737600.000100")
    assert text.startswith(held.text)
    assert held.text or not text


@pytest.mark.parametrize("value", ["", "x", "[]", '{"text": "x"}', '{"text": 1, "team": "T1"}'])
def test_what_is_no_value_of_the_button(value: str) -> None:
    """Anything else than what the button was given is refused."""
    assert parse_quoted_sentence(value) is None


@given(LANGUAGE, st.lists(TEXTS, min_size=1, max_size=60))
def test_every_question_where_to_use_memories_fits(language: Language, texts: list[str]) -> None:
    """However many memories there are to choose from, a message and a modal take them."""
    found = [(n, memory(n, fact=text)) for n, text in enumerate(texts, start=1)]
    public = say(language, "move_here_public")
    for audience, asked_here in (("C0123456789", True), ("public", True), ("public", False)):
        payload = move_question(language, found, audience, UTC, asked_here=asked_here)
        assert fits(payload)
        assert view_errors(payload_view(language, "place_title", payload)) == []
        said = json.dumps(payload["blocks"], ensure_ascii=False)
        assert (public in said) == (audience == "public" and asked_here)


@given(LANGUAGE, st.lists(TEXTS, max_size=60), st.integers(0, 3))
def test_every_list_of_memories_used_fits(
    language: Language, texts: list[str], forgotten: int
) -> None:
    """However many memories were in view, the modal takes them or counts them."""
    memories = tuple(memory(n, fact=text) for n, text in enumerate(texts, start=1))
    for others, shown in ((False, memories[:5]), (True, memories[5:40])):
        used = ReplyMemories(
            turn=str(uuid4()),
            memories=shown,
            links={m.key: "https://example.slack.com/archives/C1/p1" for m in shown},
            last_used={m.key: NOON for m in shown},
            others=others,
            more=forgotten,
            forgotten=forgotten,
        )
        assert view_errors(reply_memories_view(language, used, UTC)) == []


def test_a_changed_memory_has_the_day_of_its_change() -> None:
    """Each place shows the day from which a memory has its present words, as `/memories` does."""
    changed = dataclasses.replace(
        memory(fact="I live in Kyoto"), updated_at=NOON + timedelta(days=9)
    )
    on = day(changed.updated_at, UTC, "en")
    [block] = memory_blocks("en", [changed], {}, {}, UTC)
    assert f"as of {on}" in block["text"]["text"]
    assert day(NOON, UTC, "en") not in block["text"]["text"]
    assert on in memory_line("en", 1, changed, UTC)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("audience", ["dm", "public", "C1"])
def test_every_modal_about_one_memory_is_taken(language: Language, audience: str) -> None:
    """Slack takes each modal, with its present audience chosen."""
    place = audience_form(language, memory(audience=audience, fact="<b> & co"), UTC)
    chosen_now = [b["element"].get("initial_option", {}) for b in place["blocks"][1:2]]
    assert chosen_now[0]["value"] == (audience if audience in ("dm", "public") else "channel")
    nothing = notice_payload(language, NoticeContent(surface="", entries=()), UTC)
    changed = [entry("updated", OSAKA, TOKYO)]
    views = [
        place,
        forget_form(language, memory(audience=audience, fact="x"), UTC),
        loading_view(),
        payload_view(language, "memory_title", changes_made_payload(language, changed, UTC)),
        payload_view(language, "memory_title", changes_made_payload(language, changed * 2, UTC)),
        payload_view(language, "memory_title", changes_made_payload(language, [], UTC)),
        payload_view(language, "memory_title", nothing),
    ]
    for view in views:
        assert view_errors(view) == []


def test_what_loads_is_said_in_every_language() -> None:
    """An empty modal can be opened without knowing who reads it."""
    text = json.dumps(loading_view(), ensure_ascii=False)
    assert all(say(language, "modal_loading") in text for language in LANGUAGES)


@given(LANGUAGE, st.lists(TEXTS, min_size=1, max_size=45), st.integers(1, 4))
def test_lists_with_menus_fit(language: Language, texts: list[str], page: int) -> None:
    """The list has a menu beside each memory and fits a message."""
    found = numbered([memory(n, fact=text) for n, text in enumerate(texts, start=1)])
    payload = memory_list(language, found, page=page, zone=UTC)
    assert fits(payload)
    menus = [b["accessory"] for b in payload["blocks"] if "accessory" in b]
    assert 1 <= len(menus) <= 20
    for menu in menus:
        deeds = [parse_menu_value(option["value"]) for option in menu["options"]]
        assert [deed and deed[0] for deed in deeds] == ["edit", "forget", "place", "history"]


def test_what_is_no_choice_of_the_menu() -> None:
    """A value of another shape names nothing; a reference too long for a menu has none."""
    assert parse_menu_value("edit dm/key") == ("edit", "dm/key")
    assert parse_menu_value("drop dm/key") is None
    assert parse_menu_value("edit") is None
    assert "accessory" not in with_menu("en", "text", "dm/" + "k" * 150)
