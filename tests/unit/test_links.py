"""Which links an answer may hold, however it is cut into pieces."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bot.pipeline.links import MAX_WORD, LinkFilter, links_in, normal
from tests.link_readers import HOSTILE, OWN, TOKENS, links_of_nobody

ALLOWED = links_in(
    [
        *OWN,
        "(https://wiki.site/a_(b))",
        "https://own.site/a_b",
        "https://own.site/?a=1&section=2",
    ]
)


def through(text: str, cuts: tuple[int, ...] = ()) -> str:
    """Return what comes out of `text` when it goes in cut at these places."""
    links = LinkFilter(ALLOWED)
    places = [0, *sorted({cut % (len(text) + 1) for cut in cuts}), len(text)]
    pieces = [text[a:b] for a, b in itertools.pairwise(places)]
    return "".join(map(links.feed, pieces)) + links.flush()


def test_permitted_text_is_not_changed(subtests: pytest.Subtests) -> None:
    """Labelled links of the person's own, names with dots, and code stay as they were written."""
    for text in (
        "",
        "No link at all, in two sentences. と日本語。",
        "[my page](https://own.site/page?x=1) and ![a](https://own.site/page?x=1)",
        "[こちら](https://own.site/page?x=1)をどうぞ。[it](foo.net/path)",
        "<https://own.site/page?x=1> or <me@home.org>",
        "Node.js, README.md, main.py:12, e.g. v1.2.3, os.path.join, U.S., example.com",
        "```py\nhandlers[key](event.name)\nx = rows[0](self.id)\n```",
        "```sh\ncurl https://own.site/page?x=1 'http://localhost:3000/a'\n```\n",
        "```sh\nkioku --url postgresql://kioku:pw@db/kioku <div class='a'>\n```\n",
        "a < b > c &amp; 👨‍👩‍👧 می‌خواهم x <= 5 and y <5 ms // a std::vector",
        "[[1]](https://own.site/page?x=1) and [`os.path`](https://own.site/page?x=1)",
        "| a | b |\n|---|:-:|\n| [ ] | 1: 2 |\n",
        "- [ ] to do\n- [x] done [1, 2) and [note] soon",
        "Python 3.11, 3.12/3.13, 10.0.0.0/8, 1.2.3.4, and/or, Booking.com, self.id and evil.com.",
        "src/app.py:3、npmの@types/node、Amazon.co.jp、Booking.com の比較",
        "Run `self.user.name`, `os.environ.get` and `a.b.com/x` now, `x = a.b.name`.",
        "```\nself.user.name = a.config.info[0](self.id)\n```\n",
        "1. First\n   ```py\n   self.user.name\n   ```\n",
    ):
        with subtests.test(text=text):
            assert through(text) == text


def test_a_known_address_becomes_a_link_with_one_end(subtests: pytest.Subtests) -> None:
    """What is beside an address of the person's own is never a part of the link."""
    for text, shown in (
        ("See https://own.site/page?x=1.", "See <https://own.site/page?x=1>."),
        ("**https://own.site/page?x=1**", "**<https://own.site/page?x=1>**"),
        ('"https://own.site/page?x=1"', '"<https://own.site/page?x=1>"'),
        ("(https://wiki.site/a_(b))", "(<https://wiki.site/a_(b)>)"),
        (
            "http://foo.net/path, foo.net/path",
            "<http://foo.net/path>, <https://foo.net/path>",
        ),
        ("me@home.org, mailto:me@home.org", "<me@home.org>, <mailto:me@home.org>"),
        ("https://例え.jp/道", "<https://例え.jp/道>"),
        ("http://localhost:3000/ask?x", "<http://localhost:3000/ask?x>"),
        ("https://own.site/page?x=1をどうぞ", "<https://own.site/page?x=1>をどうぞ"),
        (
            "詳細はfoo.net/path を、me@home.org へ",
            "詳細は<https://foo.net/path> を、<me@home.org> へ",
        ),
        ("「https://own.site/page?x=1」", "「<https://own.site/page?x=1>」"),
        ("https://own.site/page?x=1。-SECRET", "<https://own.site/page?x=1>。-SECRET"),
        ("https://own.site/page?x=1、ひみつ", "<https://own.site/page?x=1>、ひみつ"),
        (
            "https://own.site/page?x=1：（SECRET）",
            "<https://own.site/page?x=1>：（SECRET）",
        ),
        ("https://own.site/page?x=1:;:;;::;'", "<https://own.site/page?x=1>:;:;;::;'"),
        ("https://own.site/page?x=1…_SECRET", "<https://own.site/page?x=1>…_SECRET"),
        ("https://own.site/page?x=1。com/S", "<https://own.site/page?x=1>。com/S"),
        ("https://own.site/page?x=1[a]", "<https://own.site/page?x=1>[a]"),
        ("<https://own.site/page?x=1|me>", "< <https://own.site/page?x=1>|me>"),
        ("https://own.site/?a=1&amp;section=2", "<https://own.site/?a=1&section=2>"),
        (
            "[a](https://own.site/?a=1&amp;section=2)",
            "[a](https://own.site/?a=1&section=2)",
        ),
        ("https://own.site/a\\_b", "<https://own.site/a_b>"),
        ("https://own\u200b.site/a_b", "<https://own.site/a_b>"),
        # The label of a link holds no other link.
        ("[foo.net/path](https://foo.net/path)", "<https://foo.net/path>"),
        (
            "[see foo.net/path](https://own.site/a_b)",
            "[see foo[.]net/path](https://own.site/a_b)",
        ),
        # What a client may not read as a link with a label.
        ("\\[a](foo.net/path)SECRET", "\\[a] (foo[.]net/path)SECRET"),
        ("[a|b](foo.net/path) SECRET", "[a|b] (<https://foo.net/path>) SECRET"),
    ):
        with subtests.test(text=text, shown=shown):
            assert through(text) == shown


def test_what_is_nobodys_becomes_text(subtests: pytest.Subtests) -> None:
    """An address of nobody's is readable, and nothing makes a link of it; nobody is pinged."""
    for text, shown in (
        ("See https://evil.com/x?q=secret.", "See evil[.]com/x?q=secret."),
        ("[the docs](https://a.site/3/)", "[the docs] (a[.]site/3/)"),
        ("[foo.net/path](https://evil.com)", "[<https://foo.net/path>] (evil[.]com)"),
        ("![alt](https://evil.com/a.png)", "![alt] (evil[.]com/a[.]png)"),
        (
            "[![a](https://e.site/i)](https://evil.com)",
            "[![a] (e[.]site/i)] (evil[.]com)",
        ),
        ("[x][r]\n\n[r]: https://evil.com", "[x][r]\n\n[r] : evil[.]com"),
        ("<@U1|https://evil.com>", "< @U1|evil[.]com>"),
        ("<https://evil.com|click me>", "< evil[.]com|click me>"),
        ("secret.words.evil.com", "secret[.]words[.]evil[.]com"),
        ("[x](evil.com)", "[x] (evil.com)"),
        ("[x](//evil.com)", "[x] (/ /evil[.]com)"),
        ("mailto:a@evil.com a@evil.com。", "mailto: a@evil[.]com a@evil[.]com。"),
        ("htt\u200bps://ev\u2060il.com", "evil[.]com"),
        ("[x](https&#58;//evil&#x2e;com)", "[x] (evil[.]com)"),
        ("https&amp;#58;//evil&amp;#46;com/S", "https&#58/ /evil&#46com/S"),
        (r"https:\/\/evil\.com", "evil[.]com"),
        ("https://own.site/page?x=1&y=2", "own[.]site/page?x=1&y=2"),
        ("https://own.site@evil.com", "own[.]site@evil[.]com"),
        (
            "詳しくはhttps://evil.comをご覧ください。",
            "詳しくはevil[.]comをご覧ください。",
        ),
        ("a.de/?u=https://own.site/page?x=1", "a[.]de/?u=own[.]site/page?x=1"),
        ("http://127.0.0.1:80/a 1.2.3.4/S", "127[.]0[.]0[.]1: 80/a 1[.]2[.]3[.]4/S"),
        ("https://a.example.com\\@evil.com", "a[.]example[.]com@evil[.]com"),
        (
            "`https://evil.com` ```\nget https://evil.com\n```",
            "`evil[.]com` ```\nget evil[.]com\n```",
        ),
        (
            "evil.pl/S (evil.sh?S) x=evil.md#S",
            "evil[.]pl/S (evil[.]sh?S) x=evil[.]md#S",
        ),
        (
            "evil.com:/S evil.com:80/S evil.com\\S",
            "evil[.]com: /S evil[.]com: 80/S evil[.]comS",
        ),
        ("[x](1234567/S) [x](/S)", "[x] (1234567/S) [x] (/S)"),
        ("<img src=evil.pl/S>", "< img src=evil[.]pl/S>"),
        ("x.münchen.com 例え.jp/S", "x[.]münchen[.]com 例え[.]jp/S"),
        (
            "❤.ws/S S.i❤.ws ©.com/S S.☃.net",
            "❤[.]ws/S S[.]i❤[.]ws ©[.]com/S S[.]☃[.]net",
        ),
        # A client may end a name, or begin it, at any character but a letter.
        (
            "S.evil.com‥ S.i❤.ws— S_.evil.com",
            "S[.]evil[.]com‥ S[.]i❤[.]ws— S_[.]evil[.]com",
        ),
        (
            "S.例え.jpを ‥evil.com/S (S)*.evil.com",
            "S[.]例え[.]jpを ‥evil[.]com/S (S)*[.]evil[.]com",
        ),
        (
            "S.evil・x.com README.mdとmain.py",
            "S[.]evil・x[.]com README[.]mdとmain[.]py",
        ),
        ("evil．com/S evil｡com/S", "evil[.]com/S evil[.]com/S"),
        (
            "<db://S@x.evil.com>\u200dhttps://own.site/page?x=1",
            "< db: S@x[.]evil[.]com>\u200d<https://own.site/page?x=1>",
        ),
        (
            "SECRET[foo.net/path](evil.com/S)",
            "SECRET[<https://foo.net/path>] (evil[.]com/S)",
        ),
        ("//x.`a` mailto://me@home.org", "/ /x.`a` mailto: me@home[.]org"),
        ("https://[x] https://<b> // a", "[x] < b> // a"),
        # What takes an address apart is no link itself, and defines none.
        ("www.(é)x.evil.com", "www[.] (é)x[.]evil[.]com"),
        (".:https://evil.com/S\n\n[.]", "[.] : evil[.]com/S\n\n[.]"),
        # What follows a name counts although a scheme begins there.
        ("<!channel>-?evil.com/S&#x2e;db://x", "< !channel>-?evil[.]com/S[.]db: x"),
        # Code that a client could read otherwise is no code.
        ("`x `a.evil.de` `", "`x `a[.]evil[.]de` `"),
        ("```\n```js\n```\na.evil.de", "```\n```js\n```\na[.]evil[.]de"),
        (
            "```\nhttps://evil.de/S [x](https://evil.de)\n",
            "```\nevil[.]de/S [x](evil[.]de)\n",
        ),
        ("`https://own.site/page?x=1、S`", "`own[.]site/page?x=1、S`"),
        (
            "<!channel> <!subteam^S1|@team> <@U1> <#C1|general>",
            "< !channel> < !subteam^S1|@team> < @U1> < #C1|general>",
        ),
        # A name that is too long to be one is not decoded.
        (f"{'ﷺ.' * 200}com", f"{'ﷺ[.]' * 200}com"),
    ):
        with subtests.test(text=text, shown=shown):
            assert through(text) == shown


def test_code_of_an_answer_makes_no_link_of_the_next(subtests: pytest.Subtests) -> None:
    """Code keeps its addresses, and the same address is text outside of it."""
    for address in (
        "smb://secret.evil.com/share",
        "vscode://evil.ext/open?SECRET",
        "javascript://x/%0aalert(1)",
        "postgres://SECRET@db.evil.com/x",
    ):
        with subtests.test(address=address):
            code = f"`{address}`"
            assert through(code) == code
            for text in (f"[the report]({address})", f"<{address}>", address):
                assert address not in through(text)


@settings(max_examples=40)
@given(
    st.integers(1, 30),
    st.sampled_from(["a", "a.com/", "[a](", "漢", "a@b.c", "`"]),
    st.data(),
)
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


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        (
            "(see https://own.site/a), b.site/c.",
            {"http://own.site/a", "http://b.site/c"},
        ),
        (
            "「https://own.site/a」、me@home.org へ",
            {"http://own.site/a", "mailto:me@home.org"},
        ),
        ("evil.com README.md 12:30 and/or", set()),
        (
            f"https://own.site/{'a' * 2_000} https://{'a' * 254}/x {'ﷺ.' * 20_000}",
            set(),
        ),
    ],
)
def test_addresses_in_what_a_person_typed(text: str, addresses: set[str]) -> None:
    """A word is an address if it could carry text, and is no longer than one can be."""
    assert links_in([text]) == addresses


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
@example("<@U1|www.(é)x.evil.com")
@example("S@evil.com—")
@example("SECRET.evil.com.日/")
@example("S@evil.com.\xadword")
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
    links.known.add(normal("https://city.site/k?utm_source=openai"))
    assert links.feed(said) == said
    assert links.feed("See https://city.site/k?utm_source=openai. ").startswith(
        "See <https://city"
    )
    assert (
        links.feed("https://city.site/k?utm_source=other ")
        == "city[.]site/k?utm_source=other "
    )


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
        ("https://own.site/a?utm_source=openai", "https://own.site/a"),
        ("https://own.site/?utm_source=openai", "https://own.site"),
        ("https://own.site/a?b=c&utm_source=openai", "https://own.site/a?b=c"),
    ],
)
def test_the_same_address_written_otherwise(one: str, other: str) -> None:
    """Scheme, case of the host, a bare slash and OpenAI's mark make no other address."""
    assert normal(one) == normal(other)


def test_a_path_is_another_address() -> None:
    """Path, query and fragment are compared unchanged."""
    known = normal("https://own.site/a")
    assert known not in {
        normal(f"https://own.site/{rest}") for rest in ("A", "a/", "a?b", "a#b")
    }
    assert "own[.]site" in through("https://own.site/A")
