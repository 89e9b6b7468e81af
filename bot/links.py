"""Which links an answer may hold: the person's own and real citations; any other becomes text.

A model can be talked into a link that carries off what it knows, and what has been streamed cannot
be taken back. So a word is held until it ends: then it is known whether it is a link, and whose.
Any other address is shown so that nothing makes it a link: without ``https://``, with its dots in
brackets, as ``docs[.]python[.]org/3/``.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from urllib.parse import urlsplit

_LABEL_CHARACTERS = 300


def _set_of(words: str) -> frozenset[str]:
    return frozenset(words.split())


_SCHEMES_ONLY_CODE_NEEDS = _set_of(
    "postgres postgresql mysql redis rediss mongodb mongodb+srv sqlite amqp jdbc s3 gs"
)
_FILE_ENDINGS = _set_of(
    "c cc cfg conf cpp cs css csv docx go h hpp html ini ipynb java js json jsx kt lock log md mjs"
    " pdf php pl png po ps py pyi rb rs rst sh so sql svg swift toml ts tsx txt vue xlsx xml yaml"
    " yml"
)
_COMMON_ENDINGS = _set_of(
    "app biz cc click cloud co com dev io info link live me mobi net online org page pro ru shop"
    " site store top tv us website xyz"
)
# Where nobody listens. Source: https://www.rfc-editor.org/rfc/rfc2606
_NOBODYS = re.compile(r"(?:.*\.)?(?:example(?:\.(?:com|net|org))?|test|invalid|localhost)")

_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff"
    "\U000e0000-\U000e007f]"
    # Emoji and some scripts need joiners; next to ASCII they only hide something.
    "|(?<=[!-~])[\u200c\u200d]+|[\u200c\u200d]+(?=[!-~])"
)
_ENTITY = re.compile(r"&(?:#0*(\d{2,3})|#[xX]0*([0-9a-fA-F]{2})|(colon|sol|period|commat));?")
_NAMED = {"colon": ":", "sol": "/", "period": ".", "commat": "@"}
_MEANT = re.compile(r"[A-Za-z0-9:/.@_-]")

# A word ends here, and no address goes on.
_END = re.compile(r"[\s、。，！？；：「」『』（）【】〈〉《》〔〕…]")
_RUN = r"[^\s<>\"`|\[\]{}、。，！？；：「」『』（）【】〈〉《》〔〕…]"
_SLASHES = r"\\?:\\?/\\?/"
_DOT = r"\\?\."
_HOST_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9\-]{0,61}[A-Za-z0-9])?"
_BARE = re.compile(
    rf"(?P<scheme>[A-Za-z][A-Za-z0-9+.\-]{{0,60}}){_SLASHES}(?P<rest>(?:\[[0-9A-Fa-f:.]+\])?{_RUN}*)"
    rf"|(?<![A-Za-z0-9])(?P<call>(?:mailto|tel|sms|callto|facetime|skype):{_RUN}+)"
    rf"|(?P<mail>[A-Za-z0-9._%+\-@]{{1,128}}@(?:{_HOST_LABEL}{_DOT}){{1,12}}[A-Za-z]{{2,}})(?![A-Za-z0-9@]|\\?:\\?/)"
    rf"|(?<![A-Za-z0-9@])(?P<host>(?:{_HOST_LABEL}{_DOT}){{1,12}}(?P<top>[A-Za-z]{{2,24}}))"
    rf"(?![A-Za-z0-9@]|\\?:\\?/)(?P<tail>(?::\d+)?(?:[/?#]{_RUN}*)?)"
)
_TARGET = r"(?:[^\s<>()]|\([^\s<>()]*\))+"
_TOKEN = re.compile(
    rf"!?\[(?P<label>[^\[\]]*)\]\(\s*<?(?P<target>{_TARGET})>?"
    r"(?:\s+(?:\"[^\"]*\"|'[^']*'|\([^()]*\)))?\s*\)"
    rf"|\]\(\s*<?(?P<stray>{_TARGET})>?"
    r"|^[ \t>]*\[(?P<name>[^\[\]]+)\]:\s*<?(?P<defined>[^\s<>]+)>?"
    r"|<(?P<angle>[^<>\s|]+)(?:\|(?P<shown>[^<>]*))?>"
    rf"|(?P<bare>{_BARE.pattern.replace('?P<', '?P<_')})",
    re.MULTILINE,
)
_PING = re.compile(r"[@#]([A-Z][A-Z0-9]+)|!(here|channel|everyone|subteam|date)(?:\^.*)?")
_SCHEME = re.compile(r"\s*[A-Za-z][A-Za-z0-9+.\-]*:")
_MAY_MATTER = re.compile(rf"[.:@<\]&\\\u200c\u200d]|{_INVISIBLE.pattern}")
_TRAILING = ".,;:!?'\"*_~\\"
_WEB = re.compile(rf"https?{_SLASHES}", re.IGNORECASE)


def normal(url: str) -> str:
    """Return what two ways of writing the same address have in common."""
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
    scheme = "https" if parts.scheme == "http" else parts.scheme
    before, at, _ = parts.netloc.rpartition("@")
    path = "" if parts.path == "/" else parts.path
    query = f"?{parts.query}" if parts.query else ""
    fragment = f"#{parts.fragment}" if parts.fragment else ""
    return f"{scheme}://{before}{at}{parts.hostname or ''}{port}{path}{query}{fragment}"


def links_in(texts: Iterable[str]) -> frozenset[str]:
    """Return the addresses that stand in these texts, in their normal form."""
    found = (match for text in texts for match in _BARE.finditer(text))
    forms = {normal(form) for match in found for form in _readings(match[0])}
    return frozenset(form for form in forms if not form.endswith("://"))


def has_unlinked(text: str) -> bool:
    """Say whether an answer holds an address that was made text."""
    return bool(re.search(r"\w\[\.\]\w", text))


class Links:
    """An answer on its way: goes in piece by piece, comes out without links of nobody's.

    However it is cut into pieces, what comes out in all is the same; only citations count from when
    they are known. Addresses of `hosts`, and of what is below them, are trusted.
    """

    def __init__(self, known: Iterable[str] = (), *, hosts: Collection[str] = ()) -> None:
        self._known = set(known)
        self._hosts = hosts
        self._begun = ""

    def know(self, texts: Iterable[str]) -> None:
        """Let the addresses in these texts, which are the person's own, be links."""
        self._known |= links_in(texts)

    def feed(self, piece: str) -> str:
        """Take a piece; return what can be shown by now."""
        looked_at = len(self._begun)
        self._begun += piece
        words, start = list[str](), 0
        for match in _END.finditer(self._begun, looked_at):
            if not _is_open(self._begun[start : match.end()]):
                words.append(self._begun[start : match.end()])
                start = match.end()
        self._begun = self._begun[start:]
        return "".join(map(self._read, words))

    def cite(self, url: str) -> None:
        """Allow links to a page that a web search cites."""
        self._known.add(normal(url))

    def settle(self) -> str:
        """Return the held text; the current word has ended."""
        rest, self._begun = self._begun, ""
        return self._read(rest)

    def _read(self, word: str) -> str:
        return _Word(self._known, self._hosts).read(word)


def _is_open(word: str) -> bool:
    """Say whether a link's label or target goes on after the character that ends `word`."""
    if word.endswith("\n"):
        return bool(re.search(r"\]\(\s*\Z", word))
    at = word.rfind("[")
    if at >= 0 and len(word) - at <= _LABEL_CHARACTERS:
        _, closed, after = word[at:].partition("]")
        if not closed or (after.startswith("(") and ")" not in after) or after == f":{word[-1]}":
            return True
    at = word.rfind("<")
    return at >= max(0, len(word) - _LABEL_CHARACTERS) and bool(
        re.match(r"<[^\s|>]+\|[^>]*\Z", word[at:])
    )


def _readings(address: str) -> list[str]:
    """Return how a run of characters can be meant: to its end, or as far as it is ASCII."""
    [ascii_part, *_] = re.split(r"[^!-~]", address, maxsplit=1)
    return [_trimmed(ascii_part), _trimmed(address)]


def _trimmed(address: str) -> str:
    while address:
        unopened = address[-1] == ")" and address.count(")") > address.count("(")
        if not unopened and address[-1] not in _TRAILING:
            break
        address = address[:-1]
    return address


class _Word:
    """Reads one word, which may be a link with a label of several."""

    def __init__(self, known: set[str], hosts: Collection[str]) -> None:
        self._known = known
        self._hosts = hosts

    def read(self, word: str) -> str:
        """Return the word in the form that may be shown."""
        if not _MAY_MATTER.search(word):
            return word
        word = _ENTITY.sub(_decoded, _INVISIBLE.sub("", word))
        return _TOKEN.sub(self._token, word)

    def _token(self, match: re.Match[str]) -> str:
        whole = match[0]
        if (target := match["target"]) is not None:
            label = self._cleared(match["label"])
            if self._may_be_target(target):
                (begin, end), (_, after) = match.span("label"), match.span("target")
                start = match.start()
                title = self._cleared(whole[after - start :])
                return f"{whole[: begin - start]}{label}{whole[end - start : after - start]}{title}"
            shown = self._cleared(target)
            return shown if label.strip() in ("", shown) else f"{label} ({shown})"
        if (target := match["stray"]) is not None:
            if self._may_be_target(target):
                return whole
            return f"] ({self._cleared(target)}"
        if (target := match["defined"]) is not None:
            name = self._cleared(match["name"])
            if self._may_be_target(target):
                return whole.replace(match["name"], name, 1)
            return f"{name}: {self._cleared(target)}"
        if (angle := match["angle"]) is not None:
            return self._angle(whole, angle, match["shown"])
        return self._cleared(whole)

    def _cleared(self, text: str) -> str:
        return _BARE.sub(self._address, text)

    def _angle(self, whole: str, angle: str, shown: str | None) -> str:
        if ping := _PING.fullmatch(angle):
            return f"{'#' if angle[0] == '#' else '@'}{_as_text(shown or ping[1] or ping[2])}"
        shown = None if shown is None else self._cleared(shown)
        if not _BARE.search(angle) or self._may_be_target(angle):
            return whole if shown is None else f"[{shown}]({angle})"
        address = self._cleared(angle)
        return address if shown is None else f"{shown} ({address})"

    def _may_be_target(self, target: str) -> bool:
        if self._is_link(target):
            return True
        is_address = bool(_SCHEME.match(target)) or "//" in target
        return not (is_address or any(_leads_away(match) for match in _BARE.finditer(target)))

    def _address(self, match: re.Match[str]) -> str:
        whole = match[0]
        if match["host"] is not None and not _is_linked(match):
            return whole
        scheme = (match["scheme"] or "").lower()
        if scheme in _SCHEMES_ONLY_CODE_NEEDS:
            return whole
        for reading in _readings(whole):
            if reading and self._is_link(reading):
                after = whole[len(reading) :]
                # Else what follows would be taken for a part of it.
                gap = " " if after[:1] and ord(after[0]) > 0x7F else ""
                return reading + gap + self._cleared(after)
        return _as_text(whole)

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
        return bool(_WEB.match(address) and _NOBODYS.fullmatch(host))


def _is_linked(match: re.Match[str]) -> bool:
    """Say whether Slack may make a link of a name with dots and without a scheme."""
    host, top, tail = match["host"].replace("\\", "").lower(), match["top"].lower(), match["tail"]
    if host.startswith("www."):
        return True
    if match.string[: match.start()].replace("\\", "").endswith("//"):
        return True
    if len(tail) > 1 and top not in _FILE_ENDINGS:
        return True
    return host.count(".") > 1 and top in _COMMON_ENDINGS


def _leads_away(match: re.Match[str]) -> bool:
    """Say whether a link to this leads to the web, and is not a call of a function in code."""
    if match["host"] is None or _is_linked(match):
        return True
    top = match["top"].lower()
    return top in _COMMON_ENDINGS or (len(top) == 2 and top not in _FILE_ENDINGS | {"id"})


def _as_text(address: str) -> str:
    """Return an address in a form that nothing makes a link of."""
    while _WEB.search(address):
        address = _WEB.sub("", address)
    address = re.sub(r"\\?:\\?/\\?/", ": ", address)
    host, mark, tail = _parted(address)
    return re.sub(r"\\?\.", "[.]", host) + mark + re.sub(r"\\?\.(?=[^\W\d_])", "[.]", tail)


def _parted(address: str) -> tuple[str, str, str]:
    at = re.search(r"[/?#]", address)
    if at is None:
        return address.rstrip("."), "", "." * (len(address) - len(address.rstrip(".")))
    return address[: at.start()], at[0], address[at.end() :]


def _decoded(match: re.Match[str]) -> str:
    number, hexadecimal, name = match.groups()
    if name:
        return _NAMED[name]
    character = chr(int(number) if number else int(hexadecimal, 16))
    return character if _MEANT.fullmatch(character) else match[0]
