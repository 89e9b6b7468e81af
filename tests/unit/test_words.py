"""Slack's message text, as the model sees it and as the person typed it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.slack.messages import mentions
from bot.slack.names import channel_mark, person_mark
from bot.slack.reading import plain, typed
from bot.slack.sessions import TITLE_CHARACTERS, title_of


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<@UBOT> hi", "hi"),
        ("hi <@UBOT|kioku>", "hi"),
        ("ask <@U2>", f"ask {person_mark('U2')}"),
        ("ask <@U2|bob>", f"ask {person_mark('U2')}"),
        ("see <#C1|general>", f"see {channel_mark('C1')}"),
        ("see <#C1>", f"see {channel_mark('C1')}"),
        ("see <#C1|>", f"see {channel_mark('C1')}"),
        ("<!here> hi", "@here hi"),
        ("<!channel|channel> hi", "@channel hi"),
        ("<!subteam^S1|@devs> hi", "@devs hi"),
        ("<!subteam^S1> hi", "@a group hi"),
        ("<!subteam^S1|> hi", "@a group hi"),
        ("due <!date^1700000000^{date}^https://a.example|today>", "due today"),
        ("<https://a.example/x>", "https://a.example/x"),
        ("<https://a.example/x|a.example/x>", "a.example/x"),
        ("<http://A.example/|a.example>", "a.example"),
        ("<https://a.example/x|x>", "https://a.example/x"),
        ("<https://a.example|docs>", "docs (https://a.example)"),
        ("<mailto:a@b.example|a@b.example>", "a@b.example"),
        ("<mailto:a@b.example>", "a@b.example"),
        ("<mailto:a@b.example|Ann>", "Ann (a@b.example)"),
        ("<tel:+81312345678|+81-3-1234-5678>", "+81-3-1234-5678"),
        ("<tel:5551234>", "5551234"),
        ("<tel:5551234|our desk>", "our desk (5551234)"),
        ("a &lt;b&gt; &amp;amp; c", "a <b> &amp; c"),
        ("a\x00b\x07c\td\ne", "abc\td\ne"),
        ("  :ramen:  ", ":ramen:"),
        # What only looks like a mention, an entity or a mark was typed.
        ("&lt;@U2&gt;", "<@U2>"),
        ("&amp;lt;@U2&amp;gt; &amp;copy; &#xE001;", "&lt;@U2&gt; &copy; &#xE001;"),
        (f"ask {person_mark('U2')}", "ask @U2"),
        ("", ""),
    ],
)
def test_plain(text: str, shown: str) -> None:
    """Mentions, channels, links, escapes and control characters read as a person sees them."""
    assert plain(text, "UBOT") == shown


def test_mentions() -> None:
    """Every mentioned person is found, escaped ones are not mentions."""
    assert mentions("<@U1> and <@W2|bob>, &lt;@U3&gt; <#C1> <@u4>") == {"U1", "W2"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("I like tea", "I like tea"),
        ("&gt; I like beer\nI like tea", "I like tea"),
        ("> I like beer\nI like tea", "I like tea"),
        ("I like tea\n&gt;&gt;&gt; all\nof\nthis", "I like tea"),
        # People write names as code, and the sentence around them.
        ("My team is `core`", "My team is core"),
        ("担当は`core`です", "担当はcoreです"),
        ("I like tea ```beer\nand wine```", "I like tea"),
        ("I like tea ```beer, never closed", "I like tea"),
        ("```beer```\nI like tea", "I like tea"),
        ("a &gt; b", "a > b"),
        ("<@UBOT> I like tea", "I like tea"),
        ("```\n&gt; x\n```", ""),
        ("&gt; only\n&gt; quotes", ""),
        (" &gt; I like beer\nI like tea", "I like tea"),
        ("\u200b&gt; I like beer\nI like tea", "I like tea"),
        ("Ann wrote:\n&gt; I like beer\nI like tea", "I like tea"),
        ("My list:\nI like tea", "My list:\nI like tea"),
        ("~I like beer~ I like tea", "I like tea"),
        ("about ~10 or ~20", "about ~10 or ~20"),
        (
            "my email is <mailto:sam@x.example|sam@x.example>",
            "my email is sam@x.example",
        ),
        (
            "call <tel:5551234|555-1234>, see <http://x.example|x.example>",
            "call 555-1234, see x.example",
        ),
        ("I like _green_ tea and my_file_name", "I like green tea and my_file_name"),
        # Signs within code and paths are their own.
        ("a `~b~` c", "a ~b~ c"),
        ("run `a *b* _c_ ~d~` *now*", "run a *b* _c_ ~d~ now"),
        ("~I like `beer`~ I like `tea`", "I like tea"),
        ("my path is ~/x:~/y", "my path is ~/x:~/y"),
        (
            "~/a and ~/b are mine, ~ann/c:~ben/d not",
            "~/a and ~/b are mine, ~ann/c:~ben/d not",
        ),
        ("it is in /_a/b_/c", "it is in /_a/b_/c"),
        ("9時~10時は会議、14時~15時は昼寝", "9時~10時は会議、14時~15時は昼寝"),
        ("I like \U000f0000`tea`", "I like tea"),
    ],
)
def test_typed(text: str, words: str) -> None:
    """Only what the person typed themselves is left: no quotes, no code, nothing struck out."""
    assert typed(text, "UBOT") == words


CHUNKS = st.lists(
    st.one_of(
        st.sampled_from(
            ["I like tea", "お茶が好き", "a < b", "one\ntwo", "<@UBOT> hello"]
        ).map(lambda text: (text, "own")),
        st.sampled_from(
            [
                "&gt; SECRET quoted",
                "&gt;SECRET",
                "```SECRET```",
                "```\nSECRET\n&gt; SECRET\n```",
                "```py\nSECRET = 1\n\n\nSECRET```",
            ]
        ).map(lambda text: (text, "foreign")),
    ),
    max_size=8,
)
LAST = st.sampled_from(
    ["", "\n&gt;&gt;&gt; SECRET\nand SECRET\n\nSECRET", "\n```SECRET\nSECRET"]
)


@given(CHUNKS, LAST)
def test_typed_never_holds_quotes_or_code_blocks(
    chunks: list[tuple[str, str]], last: str
) -> None:
    """However a message is put together, quoted text and code never count as typed."""
    words = typed("\n".join(text for text, _ in chunks) + last, "UBOT")
    assert "SECRET" not in words
    if any(text == "I like tea" for text, _ in chunks):
        assert "I like tea" in words


@given(st.text(max_size=200))
def test_no_control_characters_are_left(text: str) -> None:
    """Whatever is written, neither reading holds a control character PostgreSQL refuses."""
    for shown in (plain(text), typed(text, "B1")):
        assert "\x00" not in shown
        assert shown == shown.strip()


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("What shall I eat?", "What shall I eat?"),
        ("*Bold* and `code`\nsecond line", "Bold and code"),
        ("\n\n  > rest", "rest"),
        ("今日は何を食べるといいですか？", "今日は何を食べるといいですか？"),
        ("", ""),
        ("***", ""),
    ],
)
def test_the_first_line_is_the_title(text: str, title: str) -> None:
    """The first line that says something, without Slack's markup."""
    assert title_of(text) == title


@given(st.text(max_size=400))
def test_titles_fit_whatever_is_asked(text: str) -> None:
    """No title is longer than it may be, nor has a line break."""
    title = title_of(text)
    assert len(title) <= TITLE_CHARACTERS
    assert "\n" not in title
