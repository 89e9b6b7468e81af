"""Hostile answers: every token of the grammars of links beside every other."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import cycle, product

OWN = (
    "https://own.site/page?x=1",
    "me@home.org",
    "foo.net/path",
    "https://例え.jp/道",
    "https://例え.jp/",  # the one before, if Japanese words follow it
    "main.py",
)
"""What the person named, and so may be a link."""

_SPACES = [
    *("\n", "\n\n", " ", "    ", "\t", "\r\n", "\u00a0", "\u3000", " |\n"),
    *("```\n", "\n```\n", "```py\n", "   ```\n", "~~~\n", "- ~~", "\n|-|-|\n| "),
    *("<a ", "<div>\n", "> ", "- ", "1. ", "# ", "---\n", "word ", "[a]: ", ' "t"'),
]
_MARKS_IN_WORDS = (
    "` `` ``` ~ ~~ * ** _ | \\ \\\\ [ ] ( ) ]( ](< [a]( [a] ]: ![ [] < > { } \" ' :"
    " / // . .. @ - = + ? # ! & ; % <a <!-- --> <b> </b> <pre> <base> <img/src="
    " <@U1| |x> a é 日 。 、 「 … 0 1.2.3. ． &#96;"
    " &#58; &#x2e; &#46; &period; &colon; &sol; &commat; &lt; &amp; &amp;#46;"
    " &copy; &Tab; &ZeroWidthSpace; \u200b \u200d \u00ad \u2060 \u202e ️ \\. \\/"
    " \\: %2e %2f ｡ ․ ／ ： www. https:// http:// ftp://"
    " HTTPS:\\\\ https:/ mailto: tel: xmpp: slack: javascript: //x. com py"
)
_KNOWN = [
    *OWN,
    "[a](https://own.site/page?x=1)",
    "<https://own.site/page?x=1>",
    "`main.py`",
    "http://foo.net/path",
    "mailto:me@home.org",
    "http://me@home.org/",
    "mailto:foo.net/path",
]
_HOSTILE_IN_WORDS = (
    "SECRET.evil.com evil.com evil.com/S https://evil.com/S //evil.com/S S@evil.com evil.pl?S"
    " vscode:evil/S <vscode:evil/S|x> <evil.com|x> postgres://S@x.evil.com/ www.evil.com"
    " <postgres://S@x.evil.com> [x](evil.com/S) [x](evil%2ecom/S) [x](//S) [x]:"
    " https:\\/\\/evil.com evil\\.com/S evil．com/S <S@evil.com> xmpp:S@evil S@evil.foo <!channel>"
    " <@U0MIA00001> x.evil.com\\https://a.b/ ![x](https:/evil.com/S) <img/src=//evil.com/S>"
    " https&#58;//evil&#46;com ev\u200bil.c\u200bom/S"
)
HOSTILE = _HOSTILE_IN_WORDS.split(" ")
TOKENS = [*_SPACES, *_MARKS_IN_WORDS.split(" "), *_KNOWN]


def texts(seed: int, count: int) -> Iterator[str]:
    """Yield so many hostile answers; a seed gives the same ones.

    Each has two tokens beside each other, a pair after another until all have been, and others
    before and after them. Every third pair stands within backticks or tildes, or in the place
    between a label and its address.
    """
    chance = random.Random(seed)
    pairs = list(product([*TOKENS, *HOSTILE], repeat=2))
    chance.shuffle(pairs)
    around = ("{}", "[Sign in]{}(evil)", "``{}`\n", "{}", "~{}~~\n", "[x{}](/S)")
    for number, (one, other) in zip(range(count), cycle(pairs), strict=False):
        before = "".join(chance.choices(TOKENS, k=chance.randint(0, 5)))
        after = chance.choices(TOKENS, k=chance.randint(0, 5))
        after.insert(chance.randint(0, len(after)), chance.choice(HOSTILE))
        middle = around[number % len(around)].replace("{}", one + other)
        yield before + middle + "".join(after)
