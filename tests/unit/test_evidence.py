"""The evidence rule: what was typed is found however it is quoted, and nothing else is."""

from __future__ import annotations

import tomllib
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.slack.reading import typed
from memory import SCHEMAS
from memory.formation.evidence import (
    TypedMessage,
    find_evidence,
    links_not_typed,
    whole_message,
)
from memory.formation.proposal import Write, read_writes
from memory.model.person_message import PersonMessage
from memory.model.text import lettered, letters

QUOTES: dict[str, list[list[str]]] = tomllib.loads(
    (Path(__file__).parent.parent / "data" / "mangled_quotes.toml").read_text("utf-8")
)
# Letters of twelve scripts, with the mark that ends a sentence in each.
SCRIPTS = {
    "Latin": ("abcdeéñößştu", "."),
    "Greek": ("αβγδέηλπω", "."),
    "Cyrillic": ("абвгдёжщю", "!"),
    "Arabic": ("ابتجحسعقم", "؟"),
    "Hebrew": ("אבגדהוזש", "."),
    "Devanagari": ("कखगघमनरि", "।"),
    "Thai": ("กขคงจฉชดต", "\n"),
    "Hangul": ("가나다라마바사", "."),
    "Hiragana": ("あいうえおがぎっ", "。"),
    "Katakana": ("アイウエオガギーン", "！"),
    "Han": ("我喜欢吃面条山川", "。"),
    "Armenian": ("աբգդեզէը", "։"),
}


def message(text: str, ts: str = "1.0") -> TypedMessage:
    """Return a message as formation reads it."""
    return TypedMessage(PersonMessage(text=text, channel="D1", ts=ts))


@st.composite
def sentences(draw: st.DrawFn, script: str) -> list[str]:
    """Return two to four sentences in a script, each with its mark."""
    alphabet, mark = SCRIPTS[script]
    word = st.text(alphabet, min_size=3, max_size=9)
    lines = st.lists(word, min_size=2, max_size=5).map(
        lambda words: " ".join(words) + mark
    )
    return draw(st.lists(lines, min_size=2, max_size=4, unique=True))


@pytest.mark.parametrize("script", SCRIPTS)
@settings(max_examples=30)  # of each script
@given(data=st.data())
def test_whatever_was_typed_is_found(script: str, data: st.DataObject) -> None:
    """Any part of what was typed is found, also changed in case, width, spaces and punctuation.

    The evidence is always text of the message itself, and covers the quote.
    """
    typed_text = " ".join(data.draw(sentences(script)))
    said = message(typed_text)
    start = data.draw(st.integers(0, len(typed_text) - 2))
    end = data.draw(st.integers(start + 2, len(typed_text)))
    quote = typed_text[start:end]
    if len(letters(quote)) < 2:
        return
    mangled = data.draw(
        st.sampled_from(
            [
                quote,
                quote.upper(),
                quote.replace(" ", ""),
                quote.replace(".", "").replace("。", ""),
                f"“{quote}…”",
                unicodedata.normalize("NFD", quote),  # noqa: TID251
                quote.replace(" ", "\n\u3000"),
            ]
        )
    )
    if unicodedata.combining(quote[0]) or unicodedata.category(quote[0]).startswith(
        "M"
    ):
        return  # it begins within a character
    found = find_evidence(mangled, [said])
    if found is None:
        # A quote may begin or end within a character of several code points.
        assert letters(mangled) not in letters(typed_text)
        return
    assert found.text in typed_text
    assert letters(mangled) in letters(found.text)


@pytest.mark.parametrize("script", SCRIPTS)
@settings(max_examples=30)  # of each script
@given(data=st.data())
def test_what_was_not_typed_is_not_found(script: str, data: st.DataObject) -> None:
    """A quote from a block quote, a code block, a struck-out line or thin air is not found."""
    own, other = data.draw(sentences(script)), data.draw(sentences(script))
    frame = data.draw(st.sampled_from(["&gt; {}", "```{}```", "~{}~"]))
    hidden = " ".join(other).replace("\n", " ").strip()
    text = typed(" ".join(own) + "\n" + frame.format(hidden), "B1")
    said = message(text)
    for quote in other:
        found = find_evidence(quote, [said])
        assert (found is not None) == (letters(quote) in letters(text))
        if found is not None:
            assert found.text in text


def test_mangled_quotes_are_found() -> None:
    """Quotes as models mangle them: a list written before the rule, and apart from it.

    All were found at first sight, and nothing was changed for the list since.
    """
    missed = [
        note
        for note, said, quote in QUOTES["case"]
        if find_evidence(quote, [message(said)]) is None
    ]
    assert missed == []


def test_what_a_model_made_up_is_not_evidence() -> None:
    """Paraphrases, translations and inventions are refused, or widened to what was typed.

    The few that are found begin or end within a word, or leave out signs ("happy with Jira" of
    "I'm unhappy with Jira"): the whole typed sentence is kept then, which the verdict reads.
    """
    found = [
        (said, evidence)
        for _, said, quote in QUOTES["not_typed"]
        if (evidence := find_evidence(quote, [message(said)])) is not None
    ]
    assert len(QUOTES["not_typed"]) - len(found) >= 19
    assert all(evidence.text in said for said, evidence in found)


@pytest.mark.parametrize(
    ("text", "quote", "before", "evidence", "after"),
    [
        (
            "Hi. I like ramen a lot! What about you?",
            "like ramen",
            "Hi.",
            "I like ramen a lot!",
            "What about you?",
        ),
        ("好きです。嫌いです。", "嫌い", "好きです。", "嫌いです。", ""),
        (
            "first line\nsecond line",
            "first line second",
            "",
            "first line\nsecond line",
            "",
        ),
        (
            "I use Node.js and v3.5 daily.",
            "node.js",
            "",
            "I use Node.js and v3.5 daily.",
            "",
        ),
        ("Dislikes:\n- natto\n- okra", "okra", "Dislikes:\n- natto", "- okra", ""),
        (
            "Hi.\nI absolutely do not\n  like ramen, or\u2028udon!\nBye",
            "like ramen",
            "Hi.",
            "I absolutely do not\n  like ramen, or\nudon!",
            "Bye",
        ),
        ("I hate\n\nramen", "ramen", "I hate", "ramen", ""),
        ("My dishes:\nramen", "ramen", "My dishes:", "ramen", ""),
        ("a) ramen\nb) udon", "udon", "a) ramen", "b) udon", ""),
        ("Ja, gern.\nramen", "ramen", "Ja, gern.", "ramen", ""),
        ("Я не\nлюблю борщ\nИ всё", "люблю", "", "Я не\nлюблю борщ", "И всё"),
        ("मुझे चाय पसंद है। धन्यवाद।", "चाय", "", "मुझे चाय पसंद है।", "धन्यवाद।"),
    ],
)
def test_a_fragment_is_widened_to_its_sentence(
    text: str, quote: str, before: str, evidence: str, after: str
) -> None:
    """What is kept is the sentence as it was typed, and the verdict sees those beside it."""
    found = find_evidence(quote, [message(text)])
    assert found is not None
    assert (found.before, found.text, found.after) == (before, evidence, after)


def test_the_newest_message_counts_and_neighbours_give_context() -> None:
    """Of two messages that hold a quote the newer one is the source."""
    said = [
        message("I tried soba.", "1.0"),
        message("I love it", "2.0"),
        message("Bye", "3.0"),
    ]
    found = find_evidence("love it", said)
    assert found is not None
    assert (found.original.ts, found.before, found.after) == (
        "2.0",
        "I tried soba.",
        "Bye",
    )
    again = find_evidence("soba", [message("soba", "1.0"), message("soba!", "2.0")])
    assert again is not None
    assert again.original.ts == "2.0"


@pytest.mark.parametrize(
    ("first", "second", "ts"),
    [
        ("Yes!", "Yes please, for two.", "1.0"),
        ("Hi. Yes", "Yes, sure", "1.0"),
        ("Yes", "Yes.", "2.0"),
        ("Yes, sure", "Yes please", "2.0"),
    ],
)
def test_a_message_that_says_just_the_quote_comes_first(
    first: str, second: str, ts: str
) -> None:
    """What was quoted is rather a whole sentence than the beginning of a newer one."""
    found = find_evidence("yes", [message(first, "1.0"), message(second, "2.0")])
    assert found is not None
    assert found.original.ts == ts


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ｎｏｄｅ．ｊｓ", "node.js!"),
        ("ﾗｰﾒﾝが１番", "ラーメンが1番"),
        ("ｶﾞﾑ", "ガム"),
        ("5㌔走る", "5キロ走る"),
        ("मुझे चाय पसंद है।", "मुझे  चाय, पसंद है"),
        ("cafe\u0301", "CAFÉ"),
    ],
)
def test_letters_are_the_same_in_every_form(one: str, other: str) -> None:
    """Width, case, composition, spaces and punctuation make no difference."""
    assert letters(one) == letters(other) != ""


def test_letters_of_ascii_are_found_as_those_of_any_text() -> None:
    """The way without graphemes gives the same."""
    everything = "".join(map(chr, range(128)))
    assert letters(everything) == "".join(kept for kept, _, _ in lettered(everything))


@pytest.mark.parametrize(
    ("typed_text", "quote"),
    [("मुझे दिन पसंद है।", "मुझे दान पसंद है।"), ("ป่าสวย", "ปาสวย"), ("カキ", "ガギ")],
)
def test_marks_tell_words_apart(typed_text: str, quote: str) -> None:
    """A vowel sign, a tone or a sound mark is a part of the word."""
    assert find_evidence(quote, [message(typed_text)]) is None


@pytest.mark.parametrize("quote", ["", "   ", "…", "!?", "👍", "\x00", "[…]"])
def test_a_quote_without_letters_is_none(quote: str) -> None:
    """Marks alone quote nothing."""
    assert find_evidence(quote, [message("I like […] ramen 👍!?…")]) is None
    assert not message(quote).says_something


def test_a_single_letter_counts_as_the_whole_message_only() -> None:
    """「是」 may answer a question; an "I" out of a sentence says nothing."""
    assert find_evidence("是", [message("是。")]) is not None
    assert find_evidence("I", [message("I like ramen")]) is None


def test_long_messages_count_up_to_a_limit() -> None:
    """What comes after 8,000 characters is not evidence; evidence has 2,000 at most."""
    text = "a" * 7_990 + " ramen soba"
    assert find_evidence("ramen", [message(text)]) is not None
    assert find_evidence("soba", [message(text)]) is None
    found = find_evidence("ramen", [message(text)])
    assert found is not None
    assert len(found.text) <= 2_000
    assert "ramen" in found.text[-20:]


@pytest.mark.parametrize(
    ("value", "text", "links"),
    [
        ("see https://evil.example/x", "I like ramen", ["https://evil.example/x"]),
        ("www.evil.example", "I like ramen", ["www.evil.example"]),
        ("evil.example/SECRET", "I like ramen", ["evil.example/secret"]),
        (
            "https://example.co/mpay",
            "https://example.com/pay",
            ["https://example.co/mpay"],
        ),
        ("bit.ly/rics", "a bit lyrics heavy", ["bit.ly/rics"]),
        (
            "maintains https://docs.example.org/a",
            "I maintain https://docs.example.org/a.",
            [],
        ),
        ("uses Node.js and e.g. v1.2/3", "I like ramen", []),
        ("https://a.example/x", "see a.example/x, please", []),
        ("http://shop.example", "my shop is shop.example", []),
        ("http://shop.example", "my workshop.example", ["http://shop.example"]),
        (
            "サイトはhttps://evil.example/x",
            "サイトを作った",
            ["https://evil.example/x"],
        ),
    ],
)
def test_links_that_nobody_typed(value: str, text: str, links: list[str]) -> None:
    """A link may be stored only where the person typed it."""
    content: dict[str, Any] = {"fact": value, "nested": [{"more": 3}]}
    assert links_not_typed(content, [message(text)]) == links


def test_an_address_is_stored_as_it_was_typed() -> None:
    """Slack marks up addresses and numbers; the evidence is what the person typed."""
    said = "my email is <mailto:sam@x.example|sam@x.example> and <tel:5551234|555-1234> rings"
    found = find_evidence("my email is sam@x.example", [message(typed(said, "B1"))])
    assert found is not None
    assert found.text == "my email is sam@x.example and 555-1234 rings"


def test_the_whole_message_is_the_source_of_a_removal_that_quotes_nothing() -> None:
    """Models leave the quote out."""
    evidence = whole_message(message("Forget it. Thanks!"))
    assert evidence.text == "Forget it. Thanks!"
    assert evidence.original.actor == "formation"
    assert evidence.original.key == ("D1", "1.0")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("I love _ramen_, *soba* and `udon`", "I love ramen, soba and udon"),
        ("My manager is *_Sarah_*.", "My manager is Sarah."),
        ("私は*抹茶*が好きです", "私は抹茶が好きです"),
        ("* soba\n* udon", "* soba\n* udon"),
        ('"*Ann*" (*Bo*), *Cy*: *Di* or *Ed*!', '"Ann" (Bo), Cy: Di or Ed!'),
        ("2*3*4 is 2 * 3 * 4", "2*3*4 is 2 * 3 * 4"),
        ("(a)*(b)*(c) is x*(y)*z", "(a)*(b)*(c) is x*(y)*z"),
        ("I lint src/*.py and tests/*.py", "I lint src/*.py and tests/*.py"),
        ("I wrote SELECT *, count(*) there", "I wrote SELECT *, count(*) there"),
    ],
)
def test_the_marks_of_styles_are_no_words(text: str, words: str) -> None:
    """A memory of “*ramen*” would be called so, with its asterisks."""
    assert typed(text, "B1") == words


@pytest.mark.parametrize("frame", ["~{}~", "\n&gt; {}\n", "```{}```"])
def test_no_quote_joins_parts_that_were_apart(frame: str) -> None:
    """A quote cannot join two typed parts; stored evidence is found with what it left out."""
    said = message(typed("I hate " + frame.format("bugs, but I love") + " cats", "B1"))
    assert "bugs" not in said.text
    assert find_evidence("I hate cats", [said]) is None
    found = find_evidence("I hate", [said])
    assert found is not None
    assert find_evidence(found.text, [said]) == found


SAID = "I love soba"


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("UserFoodPreference", {"food_name": "soba", "preference": 1_000}),
        ("UserFoodPreference", {"food_name": "  "}),
        ("UserFoodPreference", {"preference": 80}),
        ("UserSecret", {"text": "soba"}),
    ],
)
def test_content_that_does_not_fit_its_kind_is_refused(
    kind: str, content: dict[str, Any]
) -> None:
    """Fields that do not fit, a thing without a name, and kinds there are not."""
    said = [message(SAID)]
    write = Write("new", {"kind": kind, "content": {**content, "evidence": SAID}})
    schemas = {schema.__name__: schema for schema in SCHEMAS}
    proposals, refused = read_writes([write], {}, said, schemas)
    assert proposals == []
    assert [one.reason for one in refused] == ["unusable"]
