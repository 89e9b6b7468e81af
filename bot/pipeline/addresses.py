"""Addresses in text: web, mail and telephone addresses, and which host names are domains.

A host name without a scheme is a domain if it ends in a public suffix of the ICANN section of the
Public Suffix List (https://publicsuffix.org). The list comes with `publicsuffixlist`; nothing is
downloaded.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from urllib.parse import urlsplit

import regex
from publicsuffixlist import PublicSuffixList

# A word ends at these characters, and so does an address.
ENDS = r"\s、。，！？；：「」『』（）【】〈〉《》〔〕…"
_RUN = rf"[^{ENDS}<>\"`|\[\]{{}}]"
SLASHES = r"\\?:\\?/\\?/"
_SCHEME = r"A-Za-z0-9+.\-"
_NAME = r"\p{L}\p{N}\p{M}_%+\-\\"
_DOTS = "．｡"  # IDNA treats both as a full stop
# Possessive and with a lookbehind: each run of characters is tried once, from its start.
ADDRESS = regex.compile(
    rf"(?<![{_SCHEME}])(?P<lead>[0-9+.\-]*+)(?P<scheme>[A-Za-z][{_SCHEME}]*+){SLASHES}"
    rf"(?P<rest>(?:\[[0-9A-Fa-f:.]{{2,45}}\])?{_RUN}*+)"
    rf"|(?<![A-Za-z0-9])(?P<call>(?:mailto|tel|sms|callto|facetime|skype):{_RUN}++)"
    rf"|(?<![{_NAME}.@{_DOTS}])(?P<name>[{_NAME}]*+[.@{_DOTS}][{_NAME}.@{_DOTS}]*+)(?!{SLASHES})"
    # Digits after a colon are a port, unless they begin a scheme.
    rf"(?P<tail>(?::\d++(?![{_SCHEME}]*+{SLASHES}))?(?:[/?#]{_RUN}*+)?)",
    regex.IGNORECASE,
)
_NOT_IN_LABELS = regex.compile(r"[^\p{L}\p{N}\p{M}.\-]+|\.{2,}")
_ESCAPED = regex.compile(r"\\([.\-_@])")
_PREFIX_LENGTH = regex.compile(r"/\d{1,2}")  # of a network, as in 10.0.0.0/8
_NOT_ASCII = regex.compile(r"[^!-~]")
_BEFORE = regex.compile(r"[^!-~]*+[_%+\-.\\]*+")
_TRAILING = ".,;:!?'\"*_~\\"
_CONTROL = regex.compile(r"[\p{C}]")
_PORT = regex.compile(r":\d++")
_TO_FULL_STOPS = str.maketrans(dict.fromkeys("。．｡", "."))
_RESERVED = frozenset({"example", "test", "invalid", "localhost"})
_RESERVED_DOMAINS = frozenset({"example.com", "example.net", "example.org"})


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
    scheme = "https" if parts.scheme == "http" else parts.scheme
    before, at, _ = parts.netloc.rpartition("@")
    path = "" if parts.path == "/" else parts.path
    query = f"?{parts.query}" if parts.query else ""
    fragment = f"#{parts.fragment}" if parts.fragment else ""
    return f"{scheme}://{before}{at}{_ascii(parts.hostname or '')}{port}{path}{query}{fragment}"


def links_in(texts: Iterable[str], *, with_scheme: bool = False) -> frozenset[str]:
    """Return the addresses in these texts in normal form, on request only those with a scheme."""
    # Few texts contain an address, and looking for these characters takes a hundredth of the time.
    signs = "/" if with_scheme else f":@.{_DOTS}"
    likely = (text for text in texts if any(sign in text for sign in signs))
    found = (match for text in likely for match in ADDRESS.finditer(text))
    forms = {
        normal(form)
        for match in found
        if match["scheme"] or not with_scheme
        for form in readings(match[0])
    }
    return frozenset(form for form in forms if not form.endswith("://"))


def readings(address: str) -> list[str]:
    """Return the ways to read a run of characters that contains an address, the likeliest first.

    Text in a script without spaces can follow it, or precede it, as in 「詳細はa.example/x」.
    """
    before = _BEFORE.match(address)
    bare = address[before.end() :] if before else address
    ascii_part = _NOT_ASCII.split(bare, maxsplit=1)[0]
    return list(dict.fromkeys(map(trimmed, (ascii_part, bare, address))))


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


def is_web_address(url: str) -> bool:
    """Return whether a text is one address of the web and nothing else."""
    match = ADDRESS.fullmatch(url)
    if match is None or (match["scheme"] or "").lower() not in ("http", "https"):
        return False
    try:
        return bool(urlsplit(url).hostname) and "\\" not in url and not _CONTROL.search(url)
    except ValueError:
        return False


def is_reserved(host: str) -> bool:
    """Return whether a host name is reserved and cannot be registered (RFC 2606)."""
    labels = host.split(".")
    return labels[-1] in _RESERVED or ".".join(labels[-2:]) in _RESERVED_DOMAINS


def can_carry(match: regex.Match[str]) -> bool:
    """Return whether a name without a scheme may become a link that carries text to its host.

    It does so in a subdomain, a path, a query or a fragment. A registrable domain alone, such as
    ``example.com``, ``README.md`` or ``self.id``, carries nothing but its name.
    """
    pieces = _pieces(match["name"])
    tail = trimmed(_PORT.sub("", match["tail"], count=1))
    goes_on = len(tail) > 1
    if "@" in match["name"].strip("@\\") and is_domain(pieces[-1]):
        return True
    before = match.string[max(0, match.start() - 6) : match.start()].replace("\\", "")
    for piece in pieces:
        # A client can end the name before the first letter that is not ASCII.
        if piece.startswith("www."):
            return True
        if not is_domain(piece):
            if piece is pieces[-1] and goes_on and _is_ipv4(piece):
                return not _PREFIX_LENGTH.fullmatch(tail)
            continue
        is_last = piece is pieces[-1]
        if before.endswith("//") or (is_last and goes_on):
            return True
        if _suffixes().privatesuffix(_ascii(piece)) != _ascii(piece):
            return True
    return False


def may_be_address(target: str) -> bool:
    """Return whether the target of a Markdown link can be an address, even a relative one."""
    if regex.match(r"\s*+[A-Za-z][A-Za-z0-9+.\-]*+:", target) or regex.search(r"[/\\@]", target):
        return True
    return any(is_domain(piece) or _is_ipv4(piece) for piece in _pieces(target))


def is_domain(name: str) -> bool:
    """Return whether a name of at least two labels ends in a public suffix."""
    name = _ascii(name)
    suffix = _suffixes().publicsuffix(name)
    return suffix is not None and suffix != name


def _pieces(name: str) -> list[str]:
    """Split a run at what no label contains; the last piece is followed by the tail."""
    name = _ESCAPED.sub(r"\1", name).translate(_TO_FULL_STOPS).lower()
    return [piece.strip(".-") for piece in _NOT_IN_LABELS.split(name.rstrip("\\"))]


def _is_ipv4(piece: str) -> bool:
    labels = piece.split(".")
    return len(labels) == 4 and all(label.isdecimal() and len(label) < 4 for label in labels)


def _ascii(host: str) -> str:
    """Return a host name in the ASCII form of IDNA; a label without one gets a placeholder."""
    if host.isascii():
        return host.lower()
    return ".".join(map(_ascii_label, host.translate(_TO_FULL_STOPS).split(".")))


def _ascii_label(label: str) -> str:
    if label.isascii():
        return label.lower()
    try:
        return label.encode("idna").decode("ascii").lower()
    except UnicodeError:
        return "xn--"


@cache
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList(accept_unknown=False, only_icann=True)
