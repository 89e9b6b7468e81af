"""Which links an answer may contain: the person's own and real citations; any other becomes text.

A model can be made to write a link that contains what it knows, and streamed text cannot be taken
back. A piece of a line is therefore held until a link in it has ended and is known to be allowed.
What is shown has one reading: outside of code no ``<`` begins anything, and no ``](`` is left, but
those of allowed links; any other address is written so that no client makes a link of it, as
``docs[.]python[.]org/3/``. docs/decisions/0018-links.md has the rules and limits.

Source: https://spec.commonmark.org/0.31.2/#inlines
"""

from __future__ import annotations

import html
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

import regex
from markdown_it import MarkdownIt
from markdown_it.helpers import parseLinkLabel
from markdown_it.rules_inline import StateInline, autolink, backtick, image, link
from markdown_it.token import Token

from bot.pipeline import addresses
from bot.pipeline.addresses import DOTS, ENDS, NOT_IN_ADDRESSES, normal

MAX_WORD = 4_096  # characters of a word that are held; a longer one is shown in pieces
_MAX_HELD = 300  # characters of text that are held for the end of a link or of code

_END = regex.compile(rf"[{ENDS}]")
_WORDS = regex.compile(rf"[^{ENDS}]*+[{ENDS}]|[^{ENDS}]++")
_OPEN = regex.compile(r"(?:\[[^\[\]]*+|\]\([^()]*+(?:\([^()]*+\)[^()]*+)*+|<[^\s<>|]++\|[^<>]*+)\Z")
_FENCE = regex.compile(r"( *+)```(?!`)[ \t]*+([A-Za-z0-9+#_-]*+)([^`\n]*+)(\n?)\Z")
# Not between characters of an emoji or of a script that needs them.
_INVISIBLE = regex.compile(r"(?:(?<=[!-~])|[\p{Cf}\u034f](?=[!-~]))[\p{Cf}\u034f]*+")
_ENTITY = regex.compile(r"&(?:#\d{2,7}|#[xX][0-9a-fA-F]{2,6}|[A-Za-z]{2,10});?")
# Slack's form could go on after a link or code.
_ANGLE_BEFORE_SPAN = regex.compile(r"<(?=\d[^\s<>|]*+\Z)")
# What would be read as a part of an address that comes next, and text that begins with one.
_NAME_END = regex.compile(r"[A-Za-z0-9+.@_%\-]")
_ADDRESS_START = regex.compile(r"[\p{L}\p{N}][^\s\[]*?(?:[.@]|:\S)")
_MAX_DEPTH = 40  # Names in what follows a name, as in "a./b./c"; deeper ones are made text.
_MEANT = regex.compile(r"[A-Za-z0-9:/.@_?#%=+~-]")
_ESCAPES = regex.compile(r"\\++(?=[.:/@?#]\S)")
_MAY_MATTER = regex.compile(rf"[.:@<\]&\\{DOTS}\p{{Cf}}]")
_SYNTAX = regex.compile(
    r"\](?P<after>[(:])|<(?P<angle>[^<>\s|]++)(?:\|(?P<shown>[^<>]*+))?>|<(?![\s\d=])"
    r"|<(?=\d[^<>\s|.:/]*+[.:/][^<>\s|]*+\|)"
)
_PING = r"[@#]([A-Z][A-Z0-9]+)|!(here|channel|everyone|subteam|date)(?:\^[^<>|]*+)?"
# What Slack could read as a link or a ping even in code, or the beginning of one.
_ANGLE_IN_CODE = regex.compile(
    rf"<(?=(?:{_PING})[|>]|[^<>\s|.:/]*+[.:/][^<>\s|]*+\||[^<>\s|`]*+\Z)"
)
_WEB = regex.compile(r"\A(?:https?|ftp)://[/\\]*+", regex.IGNORECASE)
_SCHEME = regex.compile(r"\A([A-Za-z][A-Za-z0-9+\-]*+):[/\\ ]*+")
_DOT = regex.compile(rf"[.{DOTS}](?=[\p{{L}}\p{{N}}\p{{M}}_%-])")
_NO_SCHEME = regex.compile(r"(?<![A-Za-z0-9+.\-])://")
# Of what ends an address here, and not for every client.
_GOES_ON = regex.compile(r"<|[\"`|\[\]{}][^\s<\p{L}\p{N}]*+[\p{L}\p{N}]")
# Read with a link that is found in the same text: not the punctuation of a sentence.
_AFTER_LINK = regex.compile(rf"[.,;:!?'*_~)]*+[^{NOT_IN_ADDRESSES}]")
_UNSAFE = regex.compile(rf"[{NOT_IN_ADDRESSES}\\]|&(?:#|\w+;)")
# A space after each of these breaks every address in a word that is too long to be read.
_BROKEN = str.maketrans({character: f"{character} " for character in f".{DOTS}:@]<&"})
_MAX_MARKS = 80  # the parser takes quadratic time for more, and a level of recursion for each
_KINDS = ("link_open", "image", "code_inline")


class LinkFilter:
    """Turns links that are not allowed into text, in an answer that arrives in pieces.

    However the text is cut into pieces, the output as a whole is the same; only citations count
    from when they are known.

    Names in code stay as they are, as clients make no links there. Code are fenced blocks whose
    fence is alone on its line, written with at most three spaces before it so that nothing else
    can be read, and code spans within a line. In doubt nothing is code: after a doubtful fence in
    the rest of the answer, after a doubtful backtick until a blank line.
    """

    def __init__(self, known: Iterable[str] = ()) -> None:
        self._known = set(known)
        self._held = ""
        self._after_link = False
        self._begins_line = True
        self._fence: int | None = None  # the indentation of the open fence, in spaces
        self._fences_are_plain = self._ticks_are_plain = True

    def another(self) -> LinkFilter:
        """Return a new filter that allows the same addresses, for another text."""
        return LinkFilter(self._known)

    def know(self, texts: Iterable[str]) -> None:
        """Allow links to the addresses in these texts, which are the person's own."""
        self._known |= addresses.links_in(texts)

    def cite(self, url: str) -> None:
        """Allow links to a page that a web search cites."""
        self._known.add(normal(url))

    def feed(self, piece: str) -> str:
        """Take a piece; return the text that can be shown now."""
        shown = list[str]()
        for word in _WORDS.findall(piece):
            self._held += word
            while len(self._held) > MAX_WORD:
                shown.append(self._too_long(self._held[:MAX_WORD]))
                self._held = self._held[MAX_WORD:]
            if _END.match(word, len(word) - 1) and not self._is_open(self._held):
                shown.append(self.flush())
        return "".join(shown)

    def flush(self) -> str:
        """Return the held text; the current word has ended."""
        rest, self._held = self._held, ""
        return self._read(rest) if rest else ""

    def _is_open(self, held: str) -> bool:
        """Return whether a link, code or the indentation of a line continues after the word."""
        if held[-1] == "\n" or len(held) > _MAX_HELD:
            return False
        if self._begins_line and ((bare := held.lstrip(" ")).startswith("```") or not bare):
            return True
        if self._fence is not None:
            return False
        return _OPEN.search(held) is not None or (
            self._ticks_are_plain and held.count("`") % 2 == 1
        )

    def _too_long(self, text: str) -> str:
        """Return text that is too long to be read, with each address broken."""
        if "`" in text or "~" in text:
            self._doubt_code()
        self._begins_line = False
        return f"{text.translate(_BROKEN)} "

    def _doubt_code(self) -> None:
        self._fences_are_plain, self._fence = False, None

    def _read(self, text: str) -> str:
        """Return a piece of a line, with the character that ends it, as it may be shown."""
        begins, self._begins_line = self._begins_line, text.endswith("\n")
        if not text.strip():
            self._ticks_are_plain |= begins and self._begins_line
            return text
        if begins and (fence := self._read_fence(text)):
            return fence
        if "```" in text or "~~~" in text:
            self._doubt_code()
        if self._fence is not None:
            return self._code(self._indented(text) if begins else text)
        # A client that takes an ideographic full stop for a dot would join the two words.
        gap = " " if self._after_link and text[0].isascii() and text[0].isalnum() else ""
        self._after_link = not text[-1].isspace() and "://" in text
        return gap + self._marked(text, self._has_plain_code(text))

    def _read_fence(self, line: str) -> str:
        """Return a line that opens or closes a code block as it is shown, "" for any other."""
        match = _FENCE.match(line) if self._fences_are_plain else None
        if match is None:
            return ""
        indent, language, rest, end = match.groups()
        if self._fence is None and end:
            self._fence = len(indent)
            return f"{indent[:3]}```{language}\n"
        if self._fence == len(indent) and not language and not rest.strip():
            self._fence = None
            return f"{indent[:3]}```{end}"
        return ""

    def _indented(self, line: str) -> str:
        """Return a line of a code block, indented at least as its fence: less would end a list."""
        indent, bare = self._fence or 0, line.lstrip(" ")
        least = min(indent, 3)
        return " " * max(len(line) - len(bare) - indent + least, least) + bare

    def _has_plain_code(self, text: str) -> bool:
        """Return whether every backtick of a piece of a line begins or ends a plain code span."""
        ticks = text.count("`")
        if ticks and self._ticks_are_plain:
            code = [span.content for span in _spans(text) if span.type == "code_inline"]
            is_clear = ticks == 2 * len(code) and "``" not in text and "\\`" not in text
            self._ticks_are_plain = is_clear and "|" not in "".join(code)
        return ticks > 0 and self._ticks_are_plain and self._fences_are_plain

    def _marked(self, text: str, code: bool) -> str:
        """Return Markdown with each link that is not allowed made text."""
        shown, at, apart = "", 0, False
        for span in _spans(text, code=code):
            start, end = span.meta["start"], span.meta["end"]
            if start < at:
                continue
            plain = _ANGLE_BEFORE_SPAN.sub("< ", self._plain(text[at:start]))
            shown += (" " if apart and plain[:1].isalnum() else "") + plain
            shown += " " if "://" in shown and not shown[-1].isspace() else ""
            whole, at = text[start:end], end
            replaced = self._span(span, whole, code)
            apart = replaced != whole
            joins = apart and _NAME_END.search(shown[-1:]) and _ADDRESS_START.match(replaced)
            shown += (" " if joins else "") + replaced
        plain = self._plain(text[at:])
        return shown + (" " if apart and plain[:1].isalnum() else "") + plain

    def _span(self, span: Token, whole: str, code: bool) -> str:
        if span.type == "code_inline":
            return self._code(whole)
        if span.markup == "autolink":
            target = _meant(whole[1:-1])
            if self._is_link(target):
                return whole
            return self._plain(whole) if "|" in target else self._as_text(target)
        mark = "!" if span.type == "image" else ""
        target = _meant(str(span.attrs["src" if mark else "href"]))
        label_end = span.meta["label_end"] - span.meta["start"]
        label = self._marked(whole[len(mark) + 1 : label_end], code)
        if self._is_link(target) and target.count("(") == target.count(")"):
            return f"{mark}[{label}]({target})"
        shown = self._as_text(target)
        if not {"/", ":", "@"} & set(target):  # perhaps code, as in rows[0](name)
            return f"{mark}[{label}] ({shown})"
        return shown if label.strip() in ("", shown) else f"{label} ({shown})"

    def _plain(self, text: str) -> str:
        """Return text without code and Markdown's links so that it has none for Slack either."""
        if not _MAY_MATTER.search(text):
            return text
        text = _NO_SCHEME.sub(": ", _SYNTAX.sub(self._escaped, _meant(text)))
        return self._addresses(text)

    def _escaped(self, match: regex.Match[str]) -> str:
        """Return a mark that begins a link for somebody, or the whole of Slack's form."""
        text, (start, end) = match.string, match.span()
        angle, shown = match["angle"], match["shown"]
        apart = text[end : end + 1].isalnum()
        if angle is None:
            return f"{text[start]} {match['after'] or ''}"
        if ping := regex.fullmatch(_PING, angle):
            form = f"{'#' if angle[0] == '#' else '@'}{shown or ping[1] or ping[2]}"
        elif shown is None:
            return f"< {match[0][1:]}"
        else:
            shown = _SYNTAX.sub(self._escaped, shown)
            is_link = self._is_link(angle)
            form = f"[{shown}]({angle})" if is_link else f"{shown} ({self._as_text(angle)})"
            apart |= is_link and _AFTER_LINK.match(text, end) is not None
        before = "" if start == 0 or text[start - 1].isspace() else " "
        return before + form + (" " if apart else "")

    def _code(self, text: str) -> str:
        """Return code, in which only what every client makes a link of is made text."""
        if "<" in text:
            text = _ANGLE_IN_CODE.sub("< ", text)
        return self._addresses(text, code=True) if "://" in text else text

    def _addresses(
        self, text: str, following: str = "", *, code: bool = False, depth: int = 0
    ) -> str:
        """Return `text` before `following`, with each address that is no allowed link made text."""
        shown, at = list[str](), 0
        deep = depth == _MAX_DEPTH
        for match in addresses.found_in(text + following, len(text)):
            found = _broken(match[0]) if deep else self._address(match, code, depth)
            shown += [text[at : match.start()], found]
            at = match.end()
        shown.append(text[at:])
        return "".join(shown)

    def _address(self, match: regex.Match[str], code: bool, depth: int) -> str:
        whole, groups = match[0], match.groupdict()
        if name := groups.get("name"):
            if code or not addresses.can_carry(match):
                # What follows the name can hold a name of its own, as in "a./b.a.example".
                following = match.string[match.end() :]
                return name + self._addresses(match["tail"], following, code=code, depth=depth + 1)
        elif code and not (groups.get("scheme") or "").lower().endswith(("http", "https", "ftp")):
            return whole
        for reading in addresses.readings(whole):
            if reading and self._is_link(reading):
                before, _, after = whole.partition(reading)
                # Otherwise the text that follows would be read as a part of the address.
                if any(map(str.isalnum, after)) or _GOES_ON.match(match.string, match.end()):
                    after = f" {after}"
                following = match.string[match.end() :]
                return (
                    before + reading + self._addresses(after, following, code=code, depth=depth + 1)
                )
        return _broken(whole)

    def _as_text(self, target: str) -> str:
        """Return the target of a link that is not allowed."""
        text = self._plain(target)
        return _broken(text) if _SCHEME.match(text) else text

    def _is_link(self, address: str) -> bool:
        if normal(address) in self._known:
            return True
        try:
            parts = urlsplit(normal(address))
        except ValueError:
            return False
        host = parts.hostname or ""
        if parts.scheme != "https" or _UNSAFE.search(address) or {"@", "%"} & set(parts.netloc):
            return False
        return bool(_WEB.match(address)) and addresses.is_reserved(host)


def _meant(text: str) -> str:
    """Return text without invisible characters, and without escapes of what addresses contain."""
    return _ESCAPES.sub("", _ENTITY.sub(_decoded, _INVISIBLE.sub("", text)))


def _decoded(match: regex.Match[str]) -> str:
    character = html.unescape(match[0].rstrip(";") + ";")
    return character if _MEANT.fullmatch(character) else match[0]


def _broken(address: str) -> str:
    """Return an address in a form that no client makes a link of."""
    address = _SCHEME.sub(r"\1: ", _WEB.sub("", address))
    return _DOT.sub("[.]", address.replace("://", ": "))


def _spans(text: str, *, code: bool = True) -> list[Token]:
    """Return the links, images and code spans of a line, in order, also those within labels.

    The `meta` of each has its ``start`` and ``end`` in the text, and ``label_end``. Without `code`,
    a backtick is a character like any other. A line with too many marks has none of them.
    """
    tokens: list[Token] = []
    read = text if code else text.replace("`", "'")
    if 0 < sum(map(read.count, "[<`")) <= _MAX_MARKS:
        _PARSER.inline.parse(read, _PARSER, {}, tokens)
    return [token for token in tokens if token.type in _KINDS]


class _Parser(MarkdownIt):
    def __init__(self) -> None:
        super().__init__("commonmark", {"html": False})
        self.disable(["html_inline", "emphasis"])
        for name, rule in zip(
            ("link", "image", "autolink", "backticks"),
            (link, image, autolink, backtick),
            strict=True,
        ):
            self.inline.ruler.at(name, _located(rule))

    def normalizeLink(self, url: str) -> str:  # noqa: N802 - the parser's name
        """Keep an address as it is written."""
        return url

    def validateLink(self, url: str) -> bool:  # noqa: ARG002, N802 - the parser's name
        """Find links of every scheme."""
        return True


def _located(rule: Any) -> Any:
    """Return an inline rule that stores in its token where the token's text starts and ends."""

    def run(state: StateInline, silent: bool) -> bool:
        start, before = state.pos, len(state.tokens)
        if not rule(state, silent):
            return False
        for token in [] if silent else state.tokens[before:]:
            if token.type in _KINDS and not token.meta:
                bracket = start + (token.type == "image")
                label_end = parseLinkLabel(state, bracket, token.type != "image")
                token.meta = {"start": start, "end": state.pos, "label_end": label_end}
                break
        return True

    return run


_PARSER = _Parser()
