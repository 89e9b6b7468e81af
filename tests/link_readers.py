"""What readers of an answer make links of, by rules that share nothing with `bot.answering.links`.

`links_of_nobody` reads what a client can find in the raw text (addresses, mail addresses, names of
hosts, Slack's ``<address|label>``, pings) and in the parts of Markdown, with and without HTML;
`links_by_linkify` is markdown-it with linkify, as it is released. No code is exempt: what a client
takes for code is its own affair.

    python -m tests.link_readers [COUNT [SEED]]    reads so many hostile answers, or 500,000
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence

from markdown_it import MarkdownIt
from markdown_it.token import Token

from bot.answering.links import filter_links, links_in
from tests.hostile_answers import OWN, texts

_READERS = [
    MarkdownIt("commonmark", {"html": html}).enable(["table", "strikethrough"])
    for html in (True, False)
]
_LINKIFY = [
    MarkdownIt("commonmark", {"html": html, "linkify": True}).enable(
        ["table", "strikethrough", "linkify"]
    )
    for html in (True, False)
]
# What an address, a mail address or the name of a host is, wherever it begins.
_ADDRESS = re.compile(
    r"[a-z][a-z0-9+.-]*://[^\s/?#]|www\.\w|[\w.+-]@[\w-]+\.\w|(?:mailto|tel|xmpp):[^\s]"
    r"|[^\W_][\\*~`]*[.．｡․](?:com|pl|net|org|site|jp|py)(?![a-z0-9-])",
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
_OWN_TARGETS = {
    _LINKIFY[0].normalizeLink(f"{scheme}{own}")
    for own in OWN
    for scheme in (("", "mailto:") if "@" in own else ("", "http://", "https://"))
}


def links_of_nobody(markdown: str) -> list[str]:
    """Return what a reader of this text makes a link of although it is not one of `OWN`."""
    angles = [*_LABELLED.finditer(markdown), *_ANGLE.finditer(markdown)]
    found = [match[0] for match in angles if not _OWN.match(match[0][1:-1])]
    found += _in_text(markdown)
    for reader in _READERS:
        tokens = list(_flat(reader.parse(markdown)))
        found += _targets(tokens)
        for token in tokens:
            if token.type in ("text", "html_inline", "html_block"):
                found += _in_text(token.content)
    return found


def links_by_linkify(markdown: str) -> list[str]:
    """Return the targets that are not of `OWN` of the links that markdown-it and linkify make."""
    found: list[str] = []
    for reader in _LINKIFY:
        found += _targets(_flat(reader.parse(markdown)))
    return found


def _flat(tokens: Sequence[Token]) -> Iterator[Token]:
    for token in tokens:
        yield token
        yield from _flat(token.children or [])


def _targets(tokens: Iterator[Token] | list[Token]) -> list[str]:
    links = [one.attrs for one in tokens if one.type in ("link_open", "image")]
    targets = [str(attrs.get("href") or attrs.get("src") or "") for attrs in links]
    return [target for target in targets if target not in _OWN_TARGETS]


def _in_text(text: str) -> list[str]:
    return [match[0] for match in _ADDRESS.finditer(_OWN.sub(" ", text))]


def faults(text: str, known: set[str]) -> list[str]:
    """Return what is wrong with a filtered text: links, what was removed, what changes again."""
    shown = filter_links(text, known)
    found = links_of_nobody(shown) + links_by_linkify(shown)
    rest = iter(shown)
    if not all(character in rest for character in text):
        found.append("something was removed")
    if filter_links(shown, known) != shown:
        found.append("it is changed again")
    return found


def main(count: int = 500_000, seed: int = 1) -> None:
    """Print the texts with a fault, and how many there are."""
    known = links_in(OWN)
    wrong = 0
    for text in texts(seed, count):
        if found := faults(text, known):
            wrong += 1
            sys.stdout.write(f"{text!r} {found}\n")
    sys.stdout.write(f"{count} texts, {wrong} with a fault\n")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
