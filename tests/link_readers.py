"""What readers of an answer make links of, by rules that share nothing with `bot.pipeline.links`.

The readers: markdown-it with tables, with and without HTML; the literal autolinks of GFM; Slack's
``<address|label>``; and code as Slack's older format has it, where backticks pair within a line.
`texts` makes hostile answers of the tokens of all these grammars.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence

from markdown_it import MarkdownIt
from markdown_it.token import Token

OWN = ("https://own.site/page?x=1", "me@home.org", "foo.net/path", "https://例え.jp/道")

_READERS = [
    MarkdownIt("commonmark", {"html": html}).enable("table").enable("strikethrough")
    for html in (True, False)
]
# An address of anybody's, and a host name of the attacker's that carries something.
_ADDRESS = re.compile(
    r"[a-z][a-z0-9+.-]*://[^\s/?#]|(?<![\w.])www\.\w+\.\w"
    r"|(?:[\w.+-]@|\w\.)evil\.(?:com|pl)(?![a-z0-9-]|\.[a-z0-9])|evil\.(?:com|pl)(?::\d+)?[/?#]\w",
    re.IGNORECASE,
)
_LABELLED = re.compile(
    r"<[^<>\s|]*[.:/][^<>\s|]*\|[^<>]*>|<!(?:here|channel|everyone)|<[@#][A-Z][A-Z0-9]*[|>]"
)
_ANGLE = re.compile(
    r"<(?:[a-z][a-z0-9+.-]*:[^\s<>]|[\w.+-]+@\w)[^<>\s]*>", re.IGNORECASE
)
_OWN_END = r"(?![^\W_]|[/@-]|[?#&%=.:_\[\]{}\"]+[^\W_])"
_OWN = re.compile(
    "|".join(
        rf"(?<![a-zA-Z0-9{'@.' * ('://' not in own)}])(?:mailto:|https?://)?{re.escape(own)}{_OWN_END}"
        for own in OWN
    )
)
_SLACK_CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]+`", re.DOTALL)

TOKENS = [
    *(
        "`",
        "``",
        "```",
        "```\n",
        "```py\n",
        "\n```\n",
        "   ```\n",
        "    ```\n",
        "~~~\n",
        "\t```\n",
    ),
    *(
        "\n",
        "\n\n",
        " ",
        "    ",
        "   ",
        "\t",
        "\r\n",
        "|",
        "| ",
        " |\n",
        "|-|-|\n",
        "| a | b |\n",
    ),
    *(
        "\\",
        "\\\\",
        "[",
        "]",
        "(",
        ")",
        "](",
        "](<",
        "[a](",
        "[a]: ",
        "]: ",
        "![",
        "[]",
        "<",
        ">",
    ),
    *(
        "<a ",
        "<!--",
        "-->",
        "<b>",
        "<pre>",
        "</pre>",
        "<div>\n",
        "<@U1|",
        "<!channel>",
        "|x>",
    ),
    *("> ", "- ", "1. ", "  - ", "# ", "*", "_", "~", "~~"),
    *("!", "a", "word ", "é", "、", "。", "日"),
    *(
        "&#96;",
        "&#58;",
        "&#x2e;",
        "&sol;",
        "&lt;",
        "&amp;",
        "&",
        "\u200b",
        "\u200d",
        "\u00ad",
    ),
    *(
        '"',
        "'",
        ' "t"',
        ":",
        "/",
        "//",
        ".",
        "@",
        "-",
        "0",
        "---\n",
        "www.",
        "https://",
        "mailto:",
    ),
    *(
        "https://own.site/page?x=1",
        "[a](https://own.site/page?x=1)",
        "me@home.org",
        "foo.net/path",
    ),
    *(
        "<https://own.site/page?x=1>",
        "https://docs.site/",
        "`a.b`",
        "{",
        "=",
        "+",
        "?",
        "#",
        "%2e",
    ),
]
HOSTILE = [
    *(
        "SECRET.evil.com",
        "evil.com/S",
        "https://evil.com/S",
        "//evil.com/S",
        "S@evil.com",
    ),
    *(
        "evil.pl?S",
        "vscode:evil/S",
        "<vscode:evil/S|x>",
        "<evil.com|x>",
        "postgres://S@x.evil.com/",
    ),
    *(
        "<postgres://S@x.evil.com>",
        "www.evil.com",
        "[x](evil.com/S)",
        "[x]: https://evil.com/S",
    ),
    *(
        "evil\\.com/S",
        "https:\\/\\/evil.com",
        "evil．com/S",
        "x.evil.com\\https://a.b/",
        "<S@evil.com>",
    ),
]


def texts(seed: int, count: int) -> Iterator[str]:
    """Yield so many hostile answers; a seed gives the same ones."""
    chance = random.Random(seed)
    for _ in range(count):
        parts = chance.choices(TOKENS, k=chance.randint(1, 10))
        for hostile in chance.choices(HOSTILE, k=chance.choice((1, 1, 2))):
            parts.insert(chance.randint(0, len(parts)), hostile)
        yield "".join(parts)


def links_of_nobody(markdown: str) -> list[str]:
    """Return what a reader of this Markdown makes a link of although it is not one of `OWN`."""
    found = [
        match[0] for match in _LABELLED.finditer(markdown) if not _is_own(match[0][1:])
    ]
    for reader in _READERS:
        found += _shown(reader.parse(markdown))
    text = _SLACK_CODE.sub(" ` ", markdown)
    found += [
        match[0] for match in _ANGLE.finditer(text) if not _is_own(match[0][1:-1])
    ]
    return found + _in_text(text)


def _is_own(address: str) -> bool:
    address = address.replace("%E4%BE%8B%E3%81%88", "例え").replace(
        "xn--r8jz45g", "例え"
    )
    return _OWN.match(address) is not None


def _shown(tokens: Sequence[Token]) -> list[str]:
    found: list[str] = []
    for token in tokens:
        if token.type in ("link_open", "image"):
            target = str(token.attrs.get("href") or token.attrs.get("src") or "")
            found += [] if _is_own(target) else [target]
        if token.children:
            found += _shown(token.children)
        elif token.type in ("text", "html_inline", "html_block"):
            found += _in_text(token.content)
    return found


def _in_text(text: str) -> list[str]:
    text = _OWN.sub(" ", re.sub(r"https://docs\.site/[^\s|<>\[\]]*", " ", text))
    return [match[0] for match in _ADDRESS.finditer(text)]
