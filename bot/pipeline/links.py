"""Which links an answer may contain: the person's own and real citations; any other becomes text.

A model can be made to write a link that contains what it knows, and streamed text cannot be taken
back. A piece of a line is therefore held until a link in it has ended and is known to be allowed.
Only ``[label](address)``, ``<address>`` and bare addresses can be links. Of everything else, ``<``
and ``](`` are taken apart, and a word with an address is written so that no client makes a link of
it, as ``docs[.]python[.]org/3/``. docs/decisions/0018-links.md has the rules and limits.

A host name without a scheme is a domain if it ends in a public suffix of the ICANN section of the
Public Suffix List (https://publicsuffix.org). The list comes with `publicsuffixlist`; nothing is
downloaded.

Source: https://spec.commonmark.org/0.31.2/#inlines
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Iterator
from functools import cache
from urllib.parse import urlsplit

import regex
from publicsuffixlist import PublicSuffixList

MAX_WORD = 4_096  # characters of a word that are held; a longer one is shown in pieces
_MAX_HELD = 300  # characters of text that are held for the end of a link or of code

# A word ends at these characters, and so does an address.
_ENDS = r"\s、。，！？；：「」『』（）【】〈〉《》〔〕…"
_NOT_IN_ADDRESSES = rf"{_ENDS}<>\"`|\[\]{{}}"
_DOTS = "．｡․"  # IDNA treats them as a full stop
_TO_FULL_STOPS = str.maketrans(dict.fromkeys(f"。{_DOTS}", "."))
_WORDS = regex.compile(rf"[^{_ENDS}]*+[{_ENDS}]|[^{_ENDS}]++")
_END = regex.compile(rf"[{_ENDS}]\Z")
_OPEN = regex.compile(r"(?:\[[^\[\]]*+|\]\([^\s()]*+(?:\([^\s()]*+\)[^\s()]*+)*+)\Z")
_FENCE = regex.compile(r"( *+)```(?!`)[ \t]*+([A-Za-z0-9+#_-]*+)([^`\n]*+)(\n?)\Z")
_CODE_SPANS = regex.compile(r"(?:[^`]|`[^`|]++`(?!`))*+")
# What Slack could read as a link or a ping even in code, or the beginning of one.
_ANGLE_IN_CODE = regex.compile(r"<(?=[@#!][A-Za-z]|[^<>\s|.:/]*+[.:/][^<>\s|]*+\||[^<>\s|`]*+\Z)")
# Words of a line that are shown as they are, wherever they are.
_PROSE = regex.compile(
    rf"(?:(?:[^{_ENDS}\p{{Cf}}\u034f{_DOTS}.:@<\[\]&\\`~]|\.(?=[{_ENDS}]))*+(?!\n)[{_ENDS}])++"
)
_MAY_MATTER = regex.compile(rf"[:@<\[\]&\\{_DOTS}\p{{Cf}}\u034f]|\.\S")
_SPANS = regex.compile(
    r"\[(?P<label>(?:[^\[\]`]|`[^`]*+`|\[[^\[\]`]*+\])*+)\]"
    r"\((?P<target>[^\s()`]*+(?:\([^\s()`]*+\)[^\s()`]*+)*+)\)"
    r"|<(?P<angle>[^\s<>|`]++)>"
    r"|(?P<code>`[^`]++`)|(?P<mark><(?!=?\d*+\s|=\w++\s))"
    rf"|(?P<word>[^{_ENDS}<`\[]++)"
)
_HIDDEN = regex.compile(r"[&\\\p{Cf}\u034f]")
# Not between characters of an emoji or of a script that needs them.
_INVISIBLE = regex.compile(
    r"(?<=[!-~])[\p{Cf}\u034f]++|(?<![\p{Cf}\u034f])[\p{Cf}\u034f]++(?=[!-~])"
)
_ENTITY = regex.compile(r"&(?:#\d{2,7}|#[xX][0-9a-fA-F]{2,6}|[A-Za-z]{2,10});?")
_MEANT = regex.compile(r"[A-Za-z0-9:/.@_?#%=+~-]")
_ESCAPES = regex.compile(r"\\++(?=[.:/@?#]\S)")
_BRACKET = regex.compile(r"\](?=[(:])")
_CALL = regex.compile(r"(?<![a-z0-9])(?:mailto|tel|sms|callto|facetime|skype):(?=\S)", regex.I)
_WEB = regex.compile(r"(?:https?|ftp)://[/\\]*+", regex.I)
_WEB_IN_CODE = regex.compile(rf"{_WEB.pattern}[^{_NOT_IN_ADDRESSES}]*+", regex.I)
_WEB_ADDRESS = regex.compile(
    r"https?://(?P<host>[\p{L}\p{N}\p{M}._\-]++)(?::\d++)?"
    rf"(?:[/?#](?:[^{_NOT_IN_ADDRESSES}\\\p{{C}}&]|&(?!#|\w+;))*+)?",
    regex.I,
)
_DOT = regex.compile(rf"[.{_DOTS}](?=[\p{{L}}\p{{N}}\p{{M}}_%-])")
_SCHEME = r"A-Za-z0-9+.\-"
_SCHEMES = regex.compile(rf"(?<![{_SCHEME}])(?=[A-Za-z][{_SCHEME}]*+://)")
_OUTSIDE = regex.compile(rf"[{_NOT_IN_ADDRESSES}]")
# Runs of characters with something after a full stop, a slash or an at sign.
_CANDIDATES = regex.compile(
    rf"(?<![^{_NOT_IN_ADDRESSES}])[^{_NOT_IN_ADDRESSES}./@{_DOTS}]*+"
    rf"[./@{_DOTS}][^{_NOT_IN_ADDRESSES}]++"
)
_SEPARATOR = regex.compile(rf"[./@{_DOTS}]")
_LETTER = regex.compile(r"[\p{L}\p{N}]")
_NOT_IN_NAMES = regex.compile(r"[^A-Za-z0-9_%+\-]")
_NOT_ASCII = regex.compile(r"[^!-~]")
_TRAILING = ".,;:!?'\"*_~\\"
# A client can end a name before a letter that is not ASCII.
_HOSTS = [
    regex.compile(rf"(?<![{label}])[{label}]++(?:\.[{label}]++)++")
    for label in (r"a-z0-9\-", r"\p{L}\p{N}\p{M}\-")
]
_IPV4 = regex.compile(r"\d{1,3}(?:\.\d{1,3}){3}")
_PREFIX_LENGTH = regex.compile(r"/\d{1,2}(?!\w)")  # of a network, as in 10.0.0.0/8
_PATH = regex.compile(r"\.*+(?::\d++)?[/?#]")
_RESERVED = regex.compile(r"(?:\A|\.)(?:example(?:\.com|\.net|\.org)?|test|invalid|localhost)\Z")


class LinkFilter:
    """Turns links that are not allowed into text, in an answer that arrives in pieces.

    `known` are the addresses that are allowed, in normal form: the person's own, and the pages that
    a web search cites. However the text is cut into pieces, the output as a whole is the same.

    Names in code stay as they are, as clients make no links there. Code are fenced blocks whose
    fence is alone on its line, written with at most three spaces before it so that nothing else
    can be read, and code spans within a line. In doubt nothing is code: after a doubtful fence in
    the rest of the answer, after a doubtful backtick until a blank line.
    """

    def __init__(self, known: Iterable[str] = ()) -> None:
        self.known = set(known)
        self._held = ""
        self._after_link = False
        self._begins_line = True
        self._fence: int | None = None  # the indentation of the open fence, in spaces
        self._fences_are_plain = self._ticks_are_plain = True

    def feed(self, piece: str) -> str:
        """Take a piece; return the text that can be shown now."""
        shown, text = "", self._held + piece
        begun = not self._begins_line and not self._after_link
        if begun and len(text) <= _MAX_HELD and (prose := _PROSE.match(text)):
            shown, self._held, piece = prose[0], "", text[prose.end() :]
        for word in _WORDS.findall(piece):
            self._held += word
            while len(self._held) > MAX_WORD:
                # With a space after it, the end of a piece and the next one are no address.
                shown += f"{self._read(self._held[:MAX_WORD])} "
                self._held = self._held[MAX_WORD:]
            if _END.search(word) and not self._is_open(self._held):
                shown += self.flush()
        return shown

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

    def _read(self, text: str) -> str:
        """Return a piece of a line, with the character that ends it, as it may be shown."""
        begins, self._begins_line = self._begins_line, text.endswith("\n")
        if not text.strip():
            self._ticks_are_plain |= begins and self._begins_line
            return text
        if begins and (fence := self._read_fence(text)):
            return fence
        if "```" in text or "~~~" in text:
            self._fences_are_plain, self._fence = False, None
        if self._fence is not None:
            return self._code(self._indented(text) if begins else text)
        # A client that takes an ideographic full stop for a dot would join the two words.
        gap = " " if self._after_link and text[0].isascii() and text[0].isalnum() else ""
        self._after_link = not text[-1].isspace() and "://" in text
        return gap + self._marked(text, self._has_code(text))

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

    def _has_code(self, text: str) -> bool:
        """Return whether every backtick of a piece of a line begins or ends a plain code span."""
        if "`" not in text:
            return False
        self._ticks_are_plain &= "\\`" not in text and _CODE_SPANS.fullmatch(text) is not None
        return self._ticks_are_plain and self._fences_are_plain

    def _marked(self, text: str, code: bool) -> str:
        """Return Markdown with each link that is not allowed made text."""
        if not _MAY_MATTER.search(text):
            return text
        return str(_SPANS.sub(lambda match: self._span(match, code), text))

    def _span(self, match: regex.Match[str], code: bool) -> str:
        match match.groupdict():
            case {"word": str(word)}:
                return self._word(word, match.string[match.end() : match.end() + 1])
            case {"mark": str()}:
                return "< "
            case {"code": str(span)}:
                return self._code(span) if code else f"`{self._marked(span[1:-1], code)}`"
            case {"label": str(label), "target": str(target)}:
                allowed = self._is_link(_meant(target))
                target = f"({_meant(target)})" if allowed else f" ({self._marked(target, code)})"
                return f"[{self._marked(label, code)}]{target}"
            case {"angle": str(address)} if self._is_link(_meant(address)):
                return f"<{_meant(address)}>"
        return f"< {self._marked(match[0][1:], code)}"

    def _word(self, word: str, following: str) -> str:
        """Return a word as it may be shown before the character that follows it."""
        if _HIDDEN.search(word):
            word = _meant(word)
        if carries(word):
            parts = [word] if self._kept(word) else _SCHEMES.sub(" ", word).split(" ")
            # Without spaces, what is beside the address would be read as a part of it.
            word = "".join(
                f" {kept} " if (kept := self._kept(part)) else _broken(part) for part in parts
            ).lstrip(" ")
            word = word if following in ("[", "<", "`") else word.rstrip(" ")
        return str(_BRACKET.sub("] ", word))

    def _kept(self, word: str) -> str | None:
        """Return a word that contains an allowed address with the rest of it broken, or None."""
        for start, end in _readings(word):
            if self._is_link(word[start:end]):
                after = _broken(word[end:])
                return word[:end] + (" " if any(map(str.isalnum, after)) else "") + after
        return None

    def _code(self, text: str) -> str:
        """Return code, in which only what every client makes a link of is made text."""
        if "<" in text:
            text = _ANGLE_IN_CODE.sub("< ", text)
        if "://" not in text:
            return text
        return str(_WEB_IN_CODE.sub(lambda match: self._kept(match[0]) or _broken(match[0]), text))

    def _is_link(self, address: str) -> bool:
        if normal(address) in self.known:
            return True
        web = _WEB_ADDRESS.fullmatch(address)
        # Reserved names cannot be registered (RFC 2606).
        return web is not None and _RESERVED.search(web["host"].lower()) is not None


def is_web_address(url: str) -> bool:
    """Return whether a text is one address of the web and nothing else."""
    return _WEB_ADDRESS.fullmatch(url) is not None


def _meant(text: str) -> str:
    """Return text without invisible characters, and without escapes of what addresses contain."""
    return str(_ESCAPES.sub("", _ENTITY.sub(_decoded, _INVISIBLE.sub("", text))))


def _decoded(match: regex.Match[str]) -> str:
    character = html.unescape(match[0].rstrip(";") + ";")
    return character if _MEANT.fullmatch(character) else match[0]


def _broken(word: str) -> str:
    """Return a word in a form that no client makes a link of."""
    word = _WEB.sub("", word).replace("://", ": ")
    return str(_DOT.sub("[.]", _CALL.sub(r"\g<0> ", word)))


def carries(word: str) -> bool:
    """Return whether a part of a word may become a link that carries text to its host.

    That is an address with a scheme, one of mail or telephone, and a domain or an IPv4 address
    with a path, a query or a fragment, or a domain with a subdomain. A registrable domain alone,
    such as ``example.com``, ``README.md`` or ``self.id``, carries nothing but its name.
    """
    word = word.translate(_TO_FULL_STOPS).lower()
    if "://" in word or "www." in word or _CALL.search(word):
        return True
    return "." in word and any(
        _host_carries(word, match) for hosts in _HOSTS for match in hosts.finditer(word)
    )


def _host_carries(word: str, match: regex.Match[str]) -> bool:
    name = match[0].strip("-.")
    has_path = _PATH.match(word, match.end()) is not None
    if _IPV4.fullmatch(name):
        return has_path and not _PREFIX_LENGTH.match(word, match.end())
    domain = _suffixes().privatesuffix(name := _ascii(name))
    before = word[: match.start()]
    is_mail = before.endswith("@") and before.strip("@") != ""
    return domain is not None and (domain != name or has_path or is_mail or before.endswith("//"))


def _readings(word: str) -> Iterator[tuple[int, int]]:
    """Yield where an address in a word may start and end, the likeliest first.

    Text in a script without spaces can follow it, or precede it, as in 「詳細はa.example/x」. It
    starts with the last name before the first full stop, slash or at sign.
    """
    if (separator := _SEPARATOR.search(word)) is None:
        return
    head = word[: separator.start()].removesuffix(":")
    name = _NOT_IN_NAMES.split(head)[-1].lstrip("_%+-")
    letter = _LETTER.search(head)
    starts = {len(head) - len(name), letter.start() if letter else 0}
    for start in sorted(starts, reverse=True):
        run = _OUTSIDE.split(word[start:], maxsplit=1)[0]
        for address in dict.fromkeys([trimmed(run), trimmed(_NOT_ASCII.split(run, maxsplit=1)[0])]):
            if address:
                yield start, start + len(address)


def links_in(texts: Iterable[str], *, with_scheme: bool = False) -> frozenset[str]:
    """Return the addresses in these texts in normal form, on request only those with a scheme."""
    found = set[str]()
    for run in (match[0] for text in texts for match in _CANDIDATES.finditer(text)):
        if not with_scheme or "://" in run:
            for part in {run, *_SCHEMES.sub(" ", run).split(" ")}:
                found |= {part[start:end] for start, end in _readings(part)}
    if with_scheme:
        found = {address for address in found if "://" in address}
    return frozenset(
        form for form in map(normal, found) if form.rpartition(":")[2] not in ("", "//")
    )


def trimmed(address: str) -> str:
    """Return an address without the punctuation of the sentence around it."""
    end, unopened = len(address), address.count(")") - address.count("(")
    while end:
        last = address[end - 1]
        if last == ")" and unopened > 0:
            unopened -= 1
        elif last not in _TRAILING:
            break
        end -= 1
    return address[:end]


def normal(url: str) -> str:
    """Return the form that two ways of writing the same address have in common."""
    url = url.strip().removeprefix("mailto:")
    if "://" not in url:
        if "@" in url and "/" not in url:
            return url.lower()
        url = f"https://{url}"
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port not in (None, 80, 443) else ""
    except ValueError:
        return url
    if not parts.hostname:
        return url
    before, at, _ = parts.netloc.rpartition("@")
    scheme = "https" if parts.scheme == "http" else parts.scheme
    host = f"{before}{at}{_ascii(parts.hostname)}{port}"
    return parts._replace(
        scheme=scheme, netloc=host, path="" if parts.path == "/" else parts.path
    ).geturl()


def _ascii(host: str) -> str:
    """Return a host name in the ASCII form of IDNA; a label without one gets a placeholder."""
    return ".".join(map(_ascii_label, host.translate(_TO_FULL_STOPS).lower().split(".")))


def _ascii_label(label: str) -> str:
    try:
        return label if label.isascii() else label.encode("idna").decode("ascii")
    except UnicodeError:
        return "xn--"


@cache
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList(accept_unknown=False, only_icann=True)
