"""Which links an answer may hold, however it is cut into pieces."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bot.pipeline.links import MAX_WORD, LinkFilter, links_in, normal
from tests.link_readers import HOSTILE, OWN, TOKENS, links_of_nobody

ALLOWED = links_in([*OWN, "(https://wiki.site/a_(b))"])


def through(text: str, cuts: tuple[int, ...] = ()) -> str:
    """Return what comes out of `text` when it goes in cut at these places."""
    links = LinkFilter(ALLOWED)
    places = [0, *sorted({cut % (len(text) + 1) for cut in cuts}), len(text)]
    pieces = [text[a:b] for a, b in itertools.pairwise(places)]
    return "".join(map(links.feed, pieces)) + links.flush()


def test_permitted_text_is_not_changed(subtests: pytest.Subtests) -> None:
    """The person's own addresses, names with dots, and code stay as the model wrote them."""
    for text in (
        "",
        "No link at all, in two sentences. と日本語。",
        "See https://own.site/page?x=1.",
        "[my page](https://own.site/page?x=1)",
        "<https://own.site/page?x=1>",
        "**https://own.site/page?x=1**",
        "(https://wiki.site/a_(b))",
        "http://foo.net/path and foo.net/path and [it](foo.net/path)",
        "me@home.org, mailto:me@home.org",
        "https://例え.jp/道",
        "Node.js, README.md, main.py:12, e.g. v1.2.3, os.path.join, U.S., example.com",
        "```py\nhandlers[key](event.name)\nx = rows[0](self.id)\n```",
        "curl http://localhost:3000/ask https://api.example.com/v1",
        "```sh\nkioku --url postgresql://kioku:pw@db/kioku <div class='a'>\n```\n",
        "a < b > c &amp; 👨‍👩‍👧 می‌خواهم x <= 5 and y <5 ms",
        "[[1]](https://own.site/page?x=1) and [`os.path`](https://own.site/page?x=1)",
        "| a | b |\n|---|:-:|\n| [ ] | 1: 2 |\n",
        "- [ ] to do\n- [x] done [1, 2) and [note] soon",
        "Python 3.11, 10.0.0.0/8, 1.2.3.4, e.g. and/or, Booking.com, self.id and evil.com.",
        "Run `self.user.name`, `os.environ.get` and `a.b.com/x` now, `x = a.b.name`.",
        "```\nself.user.name = a.config.info[0](self.id)\n```\n",
        "1. First\n   ```py\n   self.user.name\n   ```\n",
        "詳細はfoo.net/path を、メールはme@home.org へ",
    ):
        with subtests.test(text=text):
            assert through(text) == text


def test_what_is_nobodys_becomes_text(subtests: pytest.Subtests) -> None:
    """An address of nobody's is readable, and nothing makes a link of it; nobody is pinged."""
    for text, shown in (
        ("See https://evil.com/x?q=secret.", "See evil[.]com/x?q=secret."),
        ("[the docs](https://a.site/3/)", "[the docs] (a[.]site/3/)"),
        (
            "[https://own.site/page?x=1](https://evil.com)",
            "[https://own.site/page?x=1] (evil[.]com)",
        ),
        ("![alt](https://evil.com/a.png)", "![alt] (evil[.]com/a[.]png)"),
        ("[![a](https://e.site/i)](https://evil.com)", "[![a] (e[.]site/i)] (evil[.]com)"),
        ("[x][r]\n\n[r]: https://evil.com", "[x][r]\n\n[r] : evil[.]com"),
        ("<@U1|https://evil.com>", "< @U1|evil[.]com>"),
        ("<https://own.site/page?x=1|me>", "< https://own.site/page?x=1 |me>"),
        ("<https://evil.com|click me>", "< evil[.]com|click me>"),
        ("secret.words.evil.com", "secret[.]words[.]evil[.]com"),
        ("[x](evil.com)", "[x] (evil.com)"),
        ("[x](//evil.com)", "[x] (//evil[.]com)"),
        ("mailto:a@evil.com", "mailto: a@evil[.]com"),
        ("htt\u200bps://ev\u2060il.com", "evil[.]com"),
        ("[x](https&#58;//evil&#x2e;com)", "[x] (evil[.]com)"),
        (r"https:\/\/evil\.com", "evil[.]com"),
        ("https://own.site/page?x=1&y=2", "own[.]site/page?x=1&y=2"),
        ("https://own.site@evil.com", "own[.]site@evil[.]com"),
        ("https://own.site/page?x=1をどうぞ", "https://own.site/page?x=1 をどうぞ"),
        ("詳しくはhttps://evil.comをご覧ください。", "詳しくはevil[.]comをご覧ください。"),
        ("a.de/?u=https://own.site/page?x=1", "a[.]de/?u= https://own.site/page?x=1"),
        ("http://127.0.0.1:80/a", "127[.]0[.]0[.]1:80/a"),
        ("https://a.example.com\\@evil.com", "a[.]example[.]com@evil[.]com"),
        (
            "`https://evil.com` ```\nget https://evil.com\n```",
            "`evil[.]com` ```\nget evil[.]com\n```",
        ),
        ("evil.pl/S (evil.sh?S) x=evil.md#S", "evil[.]pl/S (evil[.]sh?S) x=evil[.]md#S"),
        ("[x](1234567/S) [x](/S)", "[x] (1234567/S) [x] (/S)"),
        ("[1]: evil.pl/S", "[1] : evil[.]pl/S"),
        ("<img src=evil.pl/S>", "< img src=evil[.]pl/S>"),
        ("x.münchen.com 例え.jp/S", "x[.]münchen[.]com 例え[.]jp/S"),
        ("evil．com/S evil｡com/S", "evil[.]com/S evil[.]com/S"),
        ("https://own.site/page?x=1。com/S", "https://own.site/page?x=1。 com/S"),
        # An address that is left as it is begins with itself, not with what came before it.
        (
            "<db://S@x.evil.com>\u200dhttps://own.site/page?x=1",
            "< db: S@x[.]evil[.]com>https://own.site/page?x=1",
        ),
        ("SECRET[foo.net/path](evil.com/S)", "SECRET[foo.net/path] (evil[.]com/S)"),
        # What follows a name counts although a scheme begins there.
        ("<!channel>-?evil.com/S&#x2e;db://x", "< !channel>-?evil[.]com/S[.]db: x"),
        ("@a?evil.com/S.db://x", "@a?evil[.]com/S[.]db: x"),
        # Code that a client could read otherwise is no code.
        ("`x `a.evil.de` `", "`x `a[.]evil[.]de` `"),
        ("```\n```js\n```\na.evil.de", "```\n```js\n```\na[.]evil[.]de"),
        ("```\nhttps://evil.de/S [x](https://evil.de)\n", "```\nevil[.]de/S [x](evil[.]de)\n"),
        (
            "<!channel> <!subteam^S1|@team> <@U1> <#C1|general>",
            "< !channel> < !subteam^S1|@team> < @U1> < #C1|general>",
        ),
    ):
        with subtests.test(text=text, shown=shown):
            assert through(text) == shown


@settings(max_examples=40)
@given(st.integers(1, 30), st.sampled_from(["a", "a.com/", "[a](", "漢", "a@b.c", "`"]), st.data())
def test_a_word_of_any_length_is_shown_without_links(
    size: int, unit: str, data: st.DataObject
) -> None:
    """A word that is too long to be held contains no address, however it is cut into pieces."""
    text = f"{unit * (size * 200)}https://evil.com/x.evil.de/S a.evil.de "
    cuts = tuple(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
    shown = through(text, cuts)
    assert shown == through(text)
    assert links_of_nobody(shown) == []
    assert "evil.de" not in shown
    assert shown.endswith(" a[.]evil[.]de ")


def test_a_word_that_is_too_long_to_be_held_is_shown_at_once() -> None:
    """Otherwise an endless word would be held, and read again with each piece."""
    links = LinkFilter()
    assert links.feed("a" * MAX_WORD) == ""
    assert links.feed("a") == "a" * MAX_WORD + " "
    assert links.flush() == "a"


def test_an_earlier_answer_gives_addresses_with_a_scheme_only() -> None:
    """What was left as text or code in an answer does not become the person's own."""
    links = links_in(["`x.evil.de` evil.com a@evil.com https://own.site/a"], with_scheme=True)
    assert links == {"https://own.site/a"}


PIECES = st.lists(st.sampled_from(TOKENS + HOSTILE), max_size=14).map("".join)
CUTS = st.lists(st.integers(0, 400), max_size=20).map(tuple)


@given(PIECES, CUTS)
@example("[a](https://own.site/page?x=1)https://evil.com", (20, 21, 30))
@example('[a](https://evil.com "t")', (4, 11, 19))
def test_the_pieces_do_not_matter(text: str, cuts: tuple[int, ...]) -> None:
    """However the answer is cut into pieces, the same is shown in all."""
    assert through(text, cuts) == through(text)


@settings(max_examples=300)
@given(PIECES)
@example("https://own.site/page?x=1https://evil.com")
@example("https:https://evil.com")
@example("www./https://evil.com/p?q=a")
@example("http:https:////evil.com")
@example("./www.evil.com")
@example("www.mailto:0https://evil.com/p?q=a")
@example("main.py:8/https://evil.com/p?q=a")
@example("[x](https://own.site/page?x=1\nhttps://evil.com)")
@example("<evil.com|x>https://own.site/page?x=1<S@evil.com>://evil.com/S")
@example(".émailto:000.evil.com/S(")
@example("<https://own.site/page?x=1>/Shttps://https://own.site/page?x=1")
@example("a&#x2e;&#x2e;evil\\.com/S")
@example("```\n<!--_\xad//、|x>")
@example("<=5.、|x>")
@example("https://://foo.net/path")
@example("-&#x2e;SECRET.evil.com")
def test_no_link_of_nobodys_is_ever_shown(text: str) -> None:
    """No reader of an answer finds a link in it that the person did not name."""
    assert links_of_nobody(through(text)) == []


def test_a_cited_page_is_a_link() -> None:
    """What a web search cites is a link from then on, and before that it is text."""
    links = LinkFilter()
    said = "As [Kyoto](https://city.site/k?utm_source=openai) says, "
    assert links.feed(said) == "As [Kyoto] (city[.]site/k?utm_source=openai) says, "
    links.known.add("https://city.site/k?utm_source=openai")
    assert links.feed(said) == said
    assert links.feed("See https://city.site/k?utm_source=openai. ").startswith("See https://city")
    assert links.feed("https://city.site/k?utm_source=other ") == "city[.]site/k?utm_source=other "


def test_words_are_shown_as_they_come() -> None:
    """A word is held until it ends, no longer; a link's label until the link does."""
    links = LinkFilter()
    assert links.feed("It rai") == "It "
    assert links.feed("ns. ") == "rains. "
    assert links.feed("[in Ky") == ""
    assert links.feed("oto](https://e.site) to") == "[in Kyoto] (e[.]site) "
    assert links.feed("day。明") == "today。"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("http://Own.Site/", "https://own.site"),
        ("own.site:443/a", "https://own.site/a"),
        ("mailto:Me@Home.org", "me@home.org"),
    ],
)
def test_the_same_address_written_otherwise(one: str, other: str) -> None:
    """Scheme, case of the host and a bare slash make no other address."""
    assert normal(one) == normal(other)


def test_a_path_is_another_address() -> None:
    """Path, query and fragment are compared unchanged."""
    known = normal("https://own.site/a")
    assert known not in {normal(f"https://own.site/{rest}") for rest in ("A", "a/", "a?b", "a#b")}
    assert "own[.]site" in through("https://own.site/A")
