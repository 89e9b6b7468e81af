"""Which links an answer may contain: the person's own and real citations; any other becomes text.

A model can be made to write a link that contains what it knows, and streamed text cannot be taken
back. Each word is therefore held until it ends and it is known whether it is an allowed link. Any
other address is shown so that no client makes a link of it: without ``https://``, with its dots in
brackets, as ``docs[.]python[.]org/3/``. docs/decisions/0018-links.md has the rules and limits.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from functools import partial
from typing import TypeAlias
from urllib.parse import urlsplit

import regex

from bot.pipeline.addresses import (
    ADDRESS,
    ENDS,
    SLASHES,
    can_carry,
    is_reserved,
    links_in,
    may_be_address,
    normal,
    readings,
)

MAX_WORD = 4_096  # characters of a word that are held; a longer one is shown in pieces
_LABEL_CHARACTERS = 300

_CODE_SCHEMES = frozenset(
    {"postgres", "postgresql", "mysql", "redis", "rediss", "mongodb", "mongodb+srv", "sqlite"}
    | {"amqp", "jdbc", "s3", "gs"}
)
_INVISIBLE = regex.compile(
    "[\u00ad\u034f\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff"
    "\U000e0000-\U000e007f]"
    # Emoji and some scripts need joiners; next to ASCII they only hide something.
    "|(?<=[!-~])[\u200c\u200d]++|[\u200c\u200d](?<![\u200c\u200d]{2})[\u200c\u200d]*+(?=[!-~])"
)
_ENTITY = regex.compile(r"&(?:#0*+(\d{2,3})|#[xX]0*+([0-9a-fA-F]{2})|(colon|sol|period|commat));?")
_NAMED = {"colon": ":", "sol": "/", "period": ".", "commat": "@"}
_MEANT = regex.compile(r"[A-Za-z0-9:/.@_-]")
_END = regex.compile(rf"[{ENDS}]")
_TARGET = r"(?:[^\s<>()]|\([^\s<>()]*+\))++"
_TOKEN = regex.compile(
    rf"!?\[(?P<label>[^\[\]]*+)\]\(\s*+<?(?P<target>{_TARGET})>?"
    r"(?:\s++(?:\"[^\"]*+\"|'[^']*+'|\([^()]*+\)))?\s*+\)"
    rf"|\]\(\s*+<?(?P<stray>{_TARGET})>?"
    r"|^[ \t>]*+\[(?P<name>[^\[\]]++)\]:\s*+<?(?P<defined>[^\s<>]++)>?"
    r"|<(?P<angle>[^<>\s|]++)(?:\|(?P<shown>[^<>]*+))?>"
    rf"|(?P<bare>{ADDRESS.pattern.replace('?P<', '?P<_')})",
    regex.MULTILINE,
)
_PING = regex.compile(r"[@#]([A-Z][A-Z0-9]+)|!(here|channel|everyone|subteam|date)(?:\^.*)?")
_LABELLED = regex.compile(r"\G<[^\s|>]++\|[^>]*+\Z")
_MAY_MATTER = regex.compile(rf"[.:@<\]&\\．｡\u200c\u200d]|{_INVISIBLE.pattern}")
_WEB = regex.compile(rf"https?{SLASHES}", regex.IGNORECASE)
_CALL = regex.compile(r"\A((?:tel|sms|callto|facetime|skype):)", regex.IGNORECASE)
_SEPARATOR = regex.compile(SLASHES)
_DOT = regex.compile(r"\\?[.．｡]")
_DOT_IN_TAIL = regex.compile(r"\\?[.．｡](?=[^\W\d_])")
# A space after each of these breaks every address in a word that is too long to be read.
_BROKEN = str.maketrans({character: f"{character} " for character in ".．｡:@]<&"})


def without_links(text: str) -> str:
    """Return a line of text in which no address is a link and nobody is mentioned."""
    links = LinkFilter()
    return links.feed(text.replace("\n", " ")) + links.flush()


class LinkFilter:
    """Turns links that are not allowed into text, in an answer that arrives in pieces.

    However the text is cut into pieces, the output as a whole is the same; only citations count
    from when they are known. Addresses on `hosts` and their subdomains are allowed.
    """

    def __init__(self, known: Iterable[str] = (), *, hosts: Collection[str] = ()) -> None:
        self._known = set(known)
        self._hosts = hosts
        self._code = CodeSpans()
        self._held = ""
        self._is_long = False
        self._after_link = False

    def another(self) -> LinkFilter:
        """Return a new filter that allows the same addresses, for another text."""
        return LinkFilter(self._known, hosts=self._hosts)

    def know(self, texts: Iterable[str]) -> None:
        """Allow links to the addresses in these texts, which are the person's own."""
        self._known |= links_in(texts)

    def cite(self, url: str) -> None:
        """Allow links to a page that a web search cites."""
        self._known.add(normal(url))

    def feed(self, piece: str) -> str:
        """Take a piece; return the text that can be shown now."""
        looked_at, text = len(self._held), self._held + piece
        shown, start = list[str](), 0
        for match in _END.finditer(text, looked_at):
            end = match.end()
            if self._is_long or end - start > MAX_WORD:
                shown.append(text[start:end].translate(_BROKEN))
                self._is_long = False
            elif self._is_open(text, start, end):
                continue
            else:
                shown.append(self._read(text[start:end]))
            start = end
        self._held = text[start:]
        if self._is_long or len(self._held) > MAX_WORD:
            shown.append(self._held.translate(_BROKEN))
            self._held, self._is_long = "", True
        return "".join(shown)

    def flush(self) -> str:
        """Return the held text; the current word has ended."""
        rest, self._held, self._is_long = self._held, "", False
        return self._read(rest) if rest else ""

    def _is_open(self, text: str, start: int, end: int) -> bool:
        """Return whether a label, a target or inline code continues after the word."""
        window = max(start, end - _LABEL_CHARACTERS)
        last = text[end - 1]
        if last == "\n":
            return text[window:end].rstrip().endswith("](")
        if (at := text.rfind("[", window, end)) >= 0:
            _, closed, after = text[at:end].partition("]")
            if not closed or (after.startswith("(") and ")" not in after) or after == f":{last}":
                return True
        at = text.rfind("<", window, end)
        if at >= 0 and _LABELLED.match(text, at, end):
            return True
        return window == start and self._code.is_open(text, start, end)

    def _read(self, word: str) -> str:
        """Return a word in the form that may be shown."""
        matters = _MAY_MATTER.search(word)
        if matters:
            word = _ENTITY.sub(_decoded, _INVISIBLE.sub("", word))
        # A client that takes an ideographic full stop for a dot would join the two words.
        gap = " " if self._after_link and word[:1].isascii() and word[:1].isalnum() else ""
        self._after_link = not word[-1:].isspace() and bool(_SEPARATOR.search(word))
        spans = self._code.read(word)
        return gap + (_TOKEN.sub(partial(self._token, spans), word) if matters else word)

    def _token(self, spans: list[Span], match: regex.Match[str]) -> str:
        whole = match[0]
        code = any(begin <= match.start() and match.end() <= end for begin, end in spans)
        if (target := match["target"]) is not None:
            label = self._cleared(match["label"], code)
            if self._may_be_target(target, code):
                (begin, end), (_, after) = match.span("label"), match.span("target")
                start = match.start()
                title = self._cleared(whole[after - start :], code)
                return f"{whole[: begin - start]}{label}{whole[end - start : after - start]}{title}"
            shown = self._cleared(target, code)
            return shown if label.strip() in ("", shown) else f"{label} ({shown})"
        if (target := match["stray"]) is not None:
            if self._may_be_target(target, code):
                return whole
            return f"] ({self._cleared(target, code)}"
        if (target := match["defined"]) is not None:
            name = self._cleared(match["name"], code)
            if self._may_be_target(target, code):
                return whole.replace(match["name"], name, 1)
            return f"{name}: {self._cleared(target, code)}"
        if (angle := match["angle"]) is not None:
            return self._angle(whole, angle, match["shown"], code)
        return self._cleared(whole, code)

    def _cleared(self, text: str, code: bool) -> str:
        """Return `text` with each address that is no allowed link made text."""
        shown = list[str]()
        while match := ADDRESS.search(text):
            address, after = self._address(match, code)
            shown += [text[: match.start()], address]
            text = after + text[match.end() :]
        return "".join([*shown, text])

    def _address(self, match: regex.Match[str], code: bool) -> tuple[str, str]:
        """Return an address in the form that may be shown, and what of it is not read yet."""
        whole = match[0]
        if match["name"] is not None and (code or not can_carry(match)):
            # What follows the name can hold an address of its own, as in "www./https://a.example".
            name, tail = whole.removesuffix(match["tail"]), match["tail"]
            return (whole, "") if code and not _SEPARATOR.search(tail) else (name, tail)
        if (match["scheme"] or "").lower() in _CODE_SCHEMES:
            return whole, ""
        for reading in readings(whole):
            if reading and self._is_link(reading):
                before, _, after = whole.partition(reading)
                # Otherwise the text that follows would be read as a part of the address.
                gap = " " if after[:1] and ord(after[0]) > 0x7F else ""
                return before + reading + gap, after
        return _as_text(whole), ""

    def _angle(self, whole: str, angle: str, shown: str | None, code: bool) -> str:
        if ping := _PING.fullmatch(angle):
            return f"{'#' if angle[0] == '#' else '@'}{_as_text(shown or ping[1] or ping[2])}"
        shown = None if shown is None else self._cleared(shown, code)
        address = self._cleared(angle, code)
        if address == angle:
            return whole if shown is None else f"[{shown}]({angle})"
        return address if shown is None else f"{shown} ({address})"

    def _may_be_target(self, target: str, code: bool) -> bool:
        if self._is_link(target):
            return True
        return not (_SEPARATOR.search(target) if code else may_be_address(target))

    def _is_link(self, address: str) -> bool:
        if normal(address) in self._known:
            return True
        try:
            parts = urlsplit(normal(address))
        except ValueError:
            return False
        host = parts.hostname or ""
        if parts.scheme != "https" or "@" in parts.netloc or "\\" in address:
            return False
        if any(host == one or host.endswith(f".{one}") for one in self._hosts):
            return True
        return bool(_WEB.match(address)) and is_reserved(host)


def _as_text(address: str) -> str:
    """Return an address in a form that no client makes a link of."""
    for _ in range(3):
        # Slashes that are left could join a scheme before them, as in "http:https:////a.example".
        if (bare := _WEB.sub("", address)) != address:
            address = bare.lstrip("/\\")
    address = _CALL.sub(r"\1 ", _SEPARATOR.sub(": ", address))
    host, mark, tail = _parted(address)
    return _DOT.sub("[.]", host) + mark + _DOT_IN_TAIL.sub("[.]", tail)


def _parted(address: str) -> tuple[str, str, str]:
    at = regex.search(r"[/?#]", address)
    if at is None:
        return address.rstrip("."), "", "." * (len(address) - len(address.rstrip(".")))
    return address[: at.start()], at[0], address[at.end() :]


def _decoded(match: regex.Match[str]) -> str:
    number, hexadecimal, name = match.groups()
    if name:
        return _NAMED[name]
    character = chr(int(number) if number else int(hexadecimal, 16))
    return character if _MEANT.fullmatch(character) else match[0]


Span: TypeAlias = tuple[int, int]

_FENCE = "```"
_OPENING = re.compile(r"```[A-Za-z0-9+#_.-]*\n")


class CodeSpans:
    """Reads an answer word by word and finds its code spans and fenced code blocks.

    Where a client could read the Markdown otherwise (a fence that is not alone on its line, text
    that is indented less than its fence, backticks without a partner), nothing counts as code:
    after a doubtful fence in the rest of the answer, after a doubtful backtick until a blank line.

    Source: https://spec.commonmark.org/0.31.2/#fenced-code-blocks
    """

    def __init__(self) -> None:
        self._fences_are_plain = True
        self._ticks_are_plain = True
        self._fence: int | None = None  # the indentation of the open fence, in spaces
        self._indent: int | None = 0  # None: the line has text already

    def is_open(self, text: str, start: int, end: int) -> bool:
        """Return whether inline code that begins in the word ``text[start:end]`` is still open."""
        if self._fence is not None or not self._ticks_are_plain:
            return False
        return text.count("`", start, end) % 2 == 1

    def read(self, word: str) -> list[Span]:
        """Take the next word, with the character that ends it; return its spans that are code."""
        indent = self._indent
        if word == "\n":
            if indent is not None:
                self._ticks_are_plain = True
            self._indent = 0
            return []
        if word == " " and indent is not None:
            self._indent = indent + 1
            return []
        self._indent = 0 if word.endswith("\n") else None
        if _FENCE in word or "~~~" in word:
            self._read_fence(word, indent)
            return []
        if self._fence is not None:
            if indent is not None and indent < self._fence:
                self._give_up()
                return []
            return [(0, len(word))]
        return self._inline(word) if "`" in word else []

    def _read_fence(self, word: str, indent: int | None) -> None:
        if indent is not None and self._fences_are_plain:
            if self._fence is None and _OPENING.fullmatch(word):
                self._fence = indent
                return
            if self._fence == indent and word == f"{_FENCE}\n":
                self._fence = None
                return
        self._give_up()

    def _give_up(self) -> None:
        self._fences_are_plain, self._fence = False, None

    def _inline(self, word: str) -> list[Span]:
        ticks = [place for place, character in enumerate(word) if character == "`"]
        if len(ticks) % 2 or "``" in word or "\\`" in word:
            self._ticks_are_plain = False
        if not self._ticks_are_plain:
            return []
        return list(zip(ticks[::2], ticks[1::2], strict=True))
