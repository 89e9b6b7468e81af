"""Which links an answer may contain: the person's own and real citations; any other becomes text.

A model can be made to write a link that contains what it knows, and streamed text cannot be taken
back. Text is therefore held until the word, the link or the code in it has ended.

Nothing is located inside a word. A word that is a known address is written ``<address>``, so that
every client ends it at the same character; ``[label](address)`` and ``<address>`` stay if the
address is known. Any other word that a client could make a link of is taken apart as a whole, as
``docs[.]python[.]org/3/``. docs/decisions/0018-links.md has the reasons and limits.

Sources: https://spec.commonmark.org/0.31.2/#inlines, https://publicsuffix.org
"""

from __future__ import annotations

import html
import unicodedata
from collections.abc import Iterable, Iterator
from functools import cache

import regex
from publicsuffixlist import PublicSuffixList

# Characters of a word that are held; the rest of it is shown as another word.
MAX_WORD = 4_096
MAX_ADDRESS = 2_000  # characters; a longer text is no address
MAX_NAME = 253  # characters of a host name (RFC 1035)
_MAX_HELD = 300  # characters of text that are held for the end of a link or of code

_ENDS = r"\s、。，！？；：「」『』（）【】〈〉《》〔〕…"  # a word ends here
_PIECE = regex.compile(rf"([^{_ENDS}]*+)([{_ENDS}]?)")
_WORD = regex.compile(rf"[^{_ENDS}<>\"`|\[\]{{}}]++")
_MARKDOWN = regex.compile(
    r"(?<!\\)\[(?P<label>(?:[^\[\]`|]|`[^`|]*+`|\[[^\[\]`|]*+\])*+)\]"
    r"\((?P<target>[^\s()`<>|]*+(?:\([^\s()`<>|]*+\)[^\s()`<>|]*+)*+)\)"
    r"|<(?P<angle>[^\s<>|`]++)>"
    r"|`(?P<code>[^`]++)`"
    r"|(?P<mark><(?!=?\d*+\s)|\](?=[(:]))"
    rf"|(?P<word>{_WORD.pattern})"
)
_FENCE = regex.compile(r"( *+)```[ \t]*+([A-Za-z0-9+#_-]*+)[^`\n]*+(\n?)")
_CODE_SPANS = regex.compile(r"(?:[^`]|`[^`|]++`(?!`))*+")
# In code, what Slack could read as a link or a ping.
_ANGLE_IN_CODE = regex.compile(r"<(?=[@#!][A-Za-z]|[^<>\s|]*+(?:\||\Z))")
_WEB_IN_CODE = regex.compile(r"(?:https?|ftp)://[^\s\"'<>`]*+", regex.I)

_DOTS = "．｡․"  # IDNA treats them as a full stop
_TO_FULL_STOPS = str.maketrans(dict.fromkeys(_DOTS, "."))
_TO_BROKEN_DOTS = str.maketrans(dict.fromkeys(f".{_DOTS}", "[.]"))
_NO_MARKUP = str.maketrans(dict.fromkeys("\\`<>[]|;"))
_ESCAPE = regex.compile(r"\\++(?=[!-/:-@\[-`{-~])")
_INVISIBLE = regex.compile(r"[\p{DI}\p{Cf}]++")
_ADDRESS = regex.compile(
    r"(?:([a-z][a-z0-9+.\-]*+)://|mailto:(?=[^/?#@]*+@))?([^/?#\\\s]++)([/?#][^\\\s]*+)?",
    regex.I,
)
# OpenAI adds it to each page that a search cites, and models leave it out again.
_TRACKING = regex.compile(r"[?&]utm_source=openai\Z")
_WEB_HOST = regex.compile(r"https?://[^/?#@]++(?!@)", regex.I)
_PUNCTUATION = "(*_~'.,;:!?"
# Without Japanese before and after it.
_GLUED = regex.compile(rf"[!-~{_DOTS}](?:.*[!-~{_DOTS}])?")
_WEB = regex.compile(r"(?:https?|ftp)://[/\\]*+", regex.I)
_SLASH = regex.compile(r"/(?=/)")
# A text without any of these carries nothing.
_MAY_CARRY = regex.compile(rf"[.:/{_DOTS}]")
_SCHEME = regex.compile(
    r"://|//.|www\.|(?<![a-z0-9])(?:mailto|tel|sms|callto|facetime|skype|xmpp):\S"
    # An IPv4 address with a path; not a network, such as 10.0.0.0/8.
    r"|(?<![0-9.])[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?::[0-9]*+)?(?:[?#]|/(?![0-9]{1,2}(?!\w)))"
)
_LABEL = r"(?:[^\s!-/:-@\[-^`{-~]|-)++"
_NAME = regex.compile(rf"\.?{_LABEL}(?:\.{_LABEL})++")
# A client can end a name where another script, or its punctuation, begins.
_NAME_ENDS = regex.compile(r"(?<=\.[a-z0-9\-]+)(?=\.?[^!-~]|_)|(?=[^\P{P}!-~])")
_PATH = regex.compile(r"\.?(?::[0-9]*+)?[/?#\\]")
# Names that cannot be registered (RFC 2606).
_RESERVED = regex.compile(
    r"http://(?:[^/?#@:]*\.)?(?:example(?:\.com|\.net|\.org)?|test|invalid|localhost)(?:[:/?#].*)?"
)


class LinkFilter:
    """Turns links that are not known into text, in an answer that arrives in pieces.

    `known` are addresses in normal form. However the text is cut into pieces, the output as a whole
    is the same.

    Names in code stay as they are, because clients make no links there. Code means code spans
    within a line, and fenced blocks whose fence is alone on its line; at most three spaces are
    shown before the fence, so that it can be read in no other way. In doubt text is not code: after
    a doubtful fence the rest of the answer, after a doubtful backtick all until a blank line.
    """

    def __init__(self, known: Iterable[str] = ()) -> None:
        self.known = set(known)
        self._held = ""
        self._begins_line = True
        self._fence: int | None = None  # the indentation of the open fence, in spaces
        self._fences_are_plain = True
        self._ticks_are_plain = True

    def feed(self, text: str) -> str:
        """Take a piece of the answer; return the text that can be shown now."""
        shown = []
        for word, end in _PIECE.findall(text):
            self._held += word + end
            while len(self._held) > MAX_WORD:
                # The space keeps this piece and the next one from forming an address.
                shown.append(self._read(self._held[:MAX_WORD]) + " ")
                self._held = self._held[MAX_WORD:]
            if end and not self._is_open(self._held):
                shown.append(self.flush())
        return "".join(shown)

    def flush(self) -> str:
        """Return the held text; the current word has ended."""
        rest = self._held
        self._held = ""
        if not rest:
            return ""
        return self._read(rest)

    def _is_open(self, held: str) -> bool:
        """Return whether a link, code or the indentation of a line continues after the word."""
        if not held or held.endswith("\n"):
            return False
        if self._fence is not None:
            return True
        if len(held) > _MAX_HELD:
            return False
        begins_line = self._begins_line and held.lstrip(" ")[:3] in ("", "```")
        in_code = self._ticks_are_plain and held.count("`") % 2 == 1
        return begins_line or in_code or held.rfind("[") > held.rfind(")")

    def _read(self, text: str) -> str:
        """Return a line, or a piece of one, as it may be shown."""
        begins_line = self._begins_line
        self._begins_line = text.endswith("\n")
        if begins_line and text.isspace():
            self._ticks_are_plain |= self._begins_line
            return text
        if begins_line:
            fence = self._read_fence(text)
            if fence:
                return fence
        if "```" in text or "~~~" in text:
            self._fences_are_plain = False
            self._fence = None
        if self._fence is not None:
            if begins_line:
                text = _indented(text, self._fence)
            return self._code(text)
        if "\\`" in text or not _CODE_SPANS.fullmatch(text):
            self._ticks_are_plain = False
        return self._markdown(text)

    def _read_fence(self, line: str) -> str:
        """Return a line that opens or closes a code block as it is shown, "" for any other."""
        match = _FENCE.fullmatch(line)
        if match is None or not self._fences_are_plain:
            return ""
        indent, language, end = match.groups()
        opens = self._fence is None and end
        closes = self._fence == len(indent) and line.strip() == "```"
        if not (opens or closes):
            return ""
        self._fence = len(indent) if opens else None
        return f"{indent[:3]}```{language}{end}"

    def _code(self, text: str) -> str:
        """Return code in which only addresses that clients link even in code become text."""
        text = _ANGLE_IN_CODE.sub("< ", text)
        return str(_WEB_IN_CODE.sub(self._address_in_code, text))

    def _address_in_code(self, match: regex.Match[str]) -> str:
        address = match[0]
        if self._is_known(_without_punctuation(address)):
            return address
        return _broken(address)

    def _markdown(self, text: str) -> str:
        """Return Markdown in which only known addresses are links."""
        return str(_MARKDOWN.sub(self._part, text))

    def _part(self, match: regex.Match[str]) -> str:
        part = match[0]
        if match["word"]:
            return self._word(part)
        if match["mark"]:
            return f"{part} "
        if match["code"]:
            if self._ticks_are_plain and self._fences_are_plain:
                return f"`{self._code(match['code'])}`"
            return f"`{self._markdown(match['code'])}`"
        if match["angle"]:
            address = self._known_in(match["angle"])
            if address:
                return _link(address)
            return f"< {self._markdown(part[1:])}"
        return self._labelled(match["label"], match["target"])

    def _labelled(self, label: str, target: str) -> str:
        """Return ``[label](target)`` as a link or as text."""
        if not self._is_known(target):
            target = _meant(target)
        if not self._is_known(target):
            return f"[{self._markdown(label)}] ({self._markdown(target)})"
        if normal(label) == normal(target):
            return _link(target)
        # A link in the label would end this one.
        return f"[{filter_links(label)}]({target})"

    def _word(self, word: str) -> str:
        """Return a word: as it is, as a link, or taken apart."""
        meant = _meant(word)
        if not (carries(word) or carries(meant)):
            return word
        for text in (word, meant):
            address = self._known_in(text)
            if address:
                before, _, after = text.partition(address)
                return before + _link(address) + after
        return _broken(meant)

    def _known_in(self, word: str) -> str | None:
        """Return the known address in a word, without the characters around it."""
        for address in _readings(word):
            if self._is_known(address):
                return address
        return None

    def _is_known(self, address: str) -> bool:
        form = normal(address)
        if not form:
            return False
        return form in self.known or _RESERVED.fullmatch(form) is not None


def _indented(line: str, fence: int) -> str:
    """Return a line of a code block, indented at least like its fence: less would end a list."""
    bare = line.lstrip(" ")
    beyond_fence = len(line) - len(bare) - fence
    spaces = max(beyond_fence, 0) + min(fence, 3)
    return " " * spaces + bare


def filter_links(text: str, known: Iterable[str] = ()) -> str:
    """Return a whole text as `LinkFilter` shows it."""
    links = LinkFilter(known)
    return links.feed(text) + links.flush()


def links_in(texts: Iterable[str]) -> set[str]:
    """Return the addresses that are words of these texts, in normal form."""
    found: set[str] = set()
    for text in filter(_MAY_CARRY.search, texts):
        for word in _WORD.findall(text):
            if len(word) <= MAX_ADDRESS and carries(word):
                found.update(map(normal, _readings(word)))
    return found - {""}


def is_web_address(url: str) -> bool:
    """Return whether a text is one address of the web and nothing else."""
    is_address = _WORD.fullmatch(url) and normal(url)
    match = _WEB_HOST.match(url)
    return bool(is_address and match)


def normal(address: str) -> str:
    """Return an address in normal form, the same for every spelling; "" if it cannot be one."""
    if len(address) > MAX_ADDRESS:
        return ""
    match = _ADDRESS.fullmatch(address)
    if match is None or len(match[2]) > MAX_NAME:
        return ""
    path = _TRACKING.sub("", match[3] or "")
    host = _folded(match[2]).removesuffix(":443").removesuffix(":80")
    if "@" in host and not (match[1] or path):
        return f"mailto:{host}"
    scheme = (match[1] or "http").lower().replace("https", "http")
    if path == "/":
        path = ""
    return f"{scheme}://{host}{path}"


def carries(word: str) -> bool:
    """Return whether a client could turn a word into a link that carries text to its host.

    Such words are an address with a scheme, a mail or telephone address, a domain or IPv4 address
    with a path, query or fragment, and a domain with a subdomain. A registrable domain alone, such
    as ``example.com``, ``README.md`` or ``self.id``, carries nothing but its name.
    """
    if not _MAY_CARRY.search(word):
        return False
    word = word.translate(_TO_FULL_STOPS).lower()
    if _SCHEME.search(word):
        return True
    if "." not in word:
        return False
    return any(map(_name_carries, _NAME.finditer(word)))


def _name_carries(match: regex.Match[str]) -> bool:
    """Return whether a run of labels and dots may be the host of an address."""
    name = match[0].rstrip("-_")
    if len(name) > MAX_NAME:
        return True
    ends = [cut.start() for cut in _NAME_ENDS.finditer(name)]
    names = {_folded(name[:end]) for end in [*ends, len(name)]}
    is_mail = match.string.endswith("@", 0, match.start())
    if is_mail or _PATH.match(match.string, match.end()):
        return any(map(_domain, names))
    return any(_domain(name) not in (None, name) for name in names)


def _domain(name: str) -> str | None:
    """Return the registrable domain that a name ends in."""
    return _suffixes().privatesuffix(name.rpartition("..")[2].removeprefix("."))


def _folded(name: str) -> str:
    """Return a host name as IDNA compares it."""
    # This takes quadratic time, but of at most `MAX_NAME` characters.
    folded = unicodedata.normalize("NFKC", name.translate(_TO_FULL_STOPS))  # noqa: TID251
    return folded.lower()


def _readings(word: str) -> Iterator[str]:
    """Yield the possible addresses in a word, without the text around them."""
    yield _without_punctuation(word)
    without_glued = _GLUED.search(word)
    if without_glued:
        yield _without_punctuation(without_glued[0])


def _without_punctuation(word: str) -> str:
    address = word.strip(_PUNCTUATION)
    if address.endswith(")") and address.count(")") > address.count("("):
        address = address[:-1].rstrip(_PUNCTUATION)
    return address


def _link(address: str) -> str:
    """Return an address as a link that every client ends at the same character."""
    has_scheme = "://" in address or "@" in address
    if not has_scheme:
        address = f"https://{address}"
    return f"<{address}>"


def _broken(word: str) -> str:
    """Return a word in a form that no client turns into a link."""
    word = _WEB.sub("", word.translate(_NO_MARKUP)).replace("://", ":")
    word = _SLASH.sub("/ ", word).replace(":", ": ").rstrip(" ")
    address = word.rstrip(_PUNCTUATION)
    shown = address.translate(_TO_BROKEN_DOTS) + word[len(address) :]
    return shown.replace("](", "] (").replace("]:", "] :")


def _meant(word: str) -> str:
    """Return a word without invisible characters, escapes and entities, as a client shows it."""
    return html.unescape(_ESCAPE.sub("", _INVISIBLE.sub("", word)))


@cache
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList(accept_unknown=False, only_icann=True)
