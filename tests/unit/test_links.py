"""Which links an answer may hold, however it is cut into pieces."""

from __future__ import annotations

import pytest

from bot.answering.links import LinkFilter, filter_links, links_in, normal
from tests.hostile_answers import OWN, texts
from tests.link_readers import faults

TYPED = [
    *OWN,
    "(https://wiki.site/a_(b)) http://localhost:3000/a",
    "https://own.site/a_b",
]
KNOWN = links_in(TYPED)


def test_permitted_text_is_not_changed(subtests: pytest.Subtests) -> None:
    """What the person named stays a link where every client ends it at the same character."""
    for text in (
        "",
        "No link at all, in two sentences. と日本語。",
        "See https://own.site/page?x=1. (foo.net/path) or <https://own.site/a_b>, me@home.org!",
        "[my page](https://own.site/page?x=1) and ![a](https://own.site/page?x=1)",
        "**[こちら](https://own.site/page?x=1)**。[it](foo.net/path)",
        '`main.py`, **main.py** and open("main.py")',
        "[https://wiki.site/a_(b)](https://wiki.site/a_(b)), mailto:me@home.org",
        "```sh\ncurl https://own.site/page?x=1 'http://localhost:3000/a'\n```\n",
        "```py\nx = rows[0]  # os.path.join(a, b)\nreturn n//2 if a <= b else b < 5\n```\n",
        "Node.js, e.g. v1.2.3, os.path.join, U.S., 3.11, 10.0.0.0/8, @types/node, 12:30, and/or",
        "git switch <branch>, Vec<String>, a <-> b, &amp; &lt;, 👨‍👩‍👧 ☀️. می‌خواهم, std::vector",
        "| a | b |\n|---|:-:|\n| [ ] | 1: 2 |\n",
        "- [ ] to do\n- [x] done [1, 2) and [note] soon",
    ):
        with subtests.test(text=text):
            assert filter_links(text, KNOWN) == text


def test_what_is_beside_a_known_address_is_no_part_of_it(
    subtests: pytest.Subtests,
) -> None:
    """It is written in angle brackets, or separated by a space; a name alone is taken apart."""
    for text, shown in (
        ("**https://own.site/page?x=1**", "**<https://own.site/page?x=1>**"),
        ("https://own.site/page?x=1をどうぞ", "<https://own.site/page?x=1>をどうぞ"),
        ("「https://own.site/page?x=1」", "「<https://own.site/page?x=1>」"),
        ("https://own.site/page?x=1、S", "<https://own.site/page?x=1>、S"),
        ("<https://own.site/page?x=1|me>", "< <https://own.site/page?x=1>|me>"),
        ("[a](foo.net/path)SECRET", "[a](foo.net/path) SECRET"),
        ("main.pyを", "main. pyを"),
        ("SECRET`foo.net/path`", "SECRET`foo. net/path`"),
        ("https://own.site/page?x=1&y=2", "https:/ /own. site/page?x=1&y=2"),
        ("https://own.site@evil.com", "https:/ /own. site@ evil. com"),
        ("ahttps://own.site/a_b", "ahttps:/ /own. site/a_b"),
        ("https://own.site/A_b", "https:/ /own. site/A_b"),
    ):
        with subtests.test(text=text, shown=shown):
            assert filter_links(text, KNOWN) == shown


def test_what_is_nobodys_is_taken_apart(subtests: pytest.Subtests) -> None:
    """It can be read, and no client makes a link of it, in code or not; nobody is pinged."""
    for text, shown in (
        ("See https://evil.com/x?q=secret.", "See https:/ /evil. com/x?q=secret."),
        ("`https://evil.com`", "`https:/ /evil. com`"),
        ("[the docs](https://a.site/3/)", "[the docs] (https:/ /a. site/3/)"),
        ("![alt](/a.png) [x](#S) [x](1234/S)", "![alt] (/a.png) [x] (#S) [x] (1234/S)"),
        ("[x][r]\n\n[r]: evil/S", "[x][r]\n\n[r] : evil/S"),
        ("<@U1|https://evil.com>", "< @U1|https:/ /evil. com>"),
        ("<!channel> <!subteam^S1|@team>", "< !channel> < !subteam^S1|@team>"),
        ("<img src=//evil/S> <vscode:S>", "< img src=/ /evil/S> < vscode:S>"),
        ("a.b.evil.com README.md", "a.b.evil. com README. md"),
        (
            "x.co.za, evil.みんな, evil.xn--p1ai",
            "x. co. za, evil. みんな, evil. xn--p1ai",
        ),
        ("a@evil.foo mailto:S tel:1", "a@ evil. foo mailto: S tel: 1"),
        ("www.S 1.2.3.4/S", "www. S 1.2.3. 4/S"),
        ("evil．com evil\\.com **evil**.com", "evil． com evil\\. com **evil**. com"),
        ("htt\u200bps://ev\u2060il.com", "htt\u200b ps:/ /ev\u2060 il. com"),
        (r"https:\/\/evil", r"https:\/ \/evil"),
        ("[x](https&#58;//evil&period;com)", "[x] (https& #58;/ /evil& period;com)"),
        ("evil&amp;#46;com", "evil&amp; #46;com"),
        # Six that once opened a code block by what was removed from them.
        ("``https://`\nx\n```\n[a](S)", "``https:/ /`\nx\n```\n[a] (S)"),
        ("[a]https://(S)", "[a]https:/ /(S)"),
    ):
        with subtests.test(text=text, shown=shown):
            assert filter_links(text, KNOWN) == shown


def test_no_reader_finds_a_link_of_nobodys() -> None:
    """Whatever stands beside what: nothing is removed, and what was filtered stays the same.

    `python -m tests.link_readers` reads all pairs of tokens, in half an hour.
    """
    known = links_in(OWN)
    for text in texts(seed=85, count=2_000):
        assert faults(text, known) == [], text
        links = LinkFilter(known)
        pieces = "".join(map(links.feed, text)) + links.flush()
        assert pieces == filter_links(text, known), text


def test_addresses_in_what_a_person_typed() -> None:
    """What clients could make links of is an address, if it is no longer than one can be."""
    typed = "(see https://own.site/a), b.site/c. 「https://own.site/b」、me@home.org へ e.g. 12:30"
    too_long = f"https://own.site/{'a' * 2_000}"
    assert links_in([typed, "main.py and/or", too_long]) == {
        *("own.site/a", "b.site/c", "own.site/b", "me@home.org", "main.py")
    }


def test_a_cited_page_is_a_link() -> None:
    """What a web search cites is a link from then on, and before that it is text."""
    links = LinkFilter()
    said = "As [Kyoto](https://city.site/k?utm_source=openai) says, "
    shown = "As [Kyoto] (https:/ /city. site/k?utm_source=openai) says, "
    assert links.feed(said) == shown
    links.known.add(normal("https://city.site/k?utm_source=openai"))
    assert links.feed(said) == said
    other = "https://city.site/k?utm_source=other "
    assert links.feed(other) == "https:/ /city. site/k?utm_source=other "


def test_words_are_shown_as_they_come() -> None:
    """A word is held until it ends, no longer."""
    links = LinkFilter()
    assert links.feed("It rai") == "It "
    assert links.feed("ns. ") == "rains. "
    assert links.feed("[in Ky") == "[in "
    assert links.feed("oto](https://e.site) to") == "Kyoto] (https:/ /e. site) "
    assert links.feed("day。明") == "today。"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("http://Own.Site/", "https://own.site"),
        ("own.site/a", "https://own.site/a"),
        ("mailto:Me@Home.org", "me@home.org"),
        ("https://own.site/a?utm_source=openai", "https://own.site/a"),
        ("https://own.site/a?b=c&utm_source=openai", "https://own.site/a?b=c"),
    ],
)
def test_the_same_address_written_otherwise(one: str, other: str) -> None:
    """Scheme, case of the host, a bare slash and OpenAI's mark make no other address."""
    assert normal(one) == normal(other)
