"""Addresses in text: web, mail and telephone addresses, and which host names are domains.

A host name without a scheme is a domain if it ends in a public suffix of the ICANN section of the
Public Suffix List (https://publicsuffix.org). The list comes with `publicsuffixlist`; nothing is
downloaded.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from urllib.parse import urlsplit

import regex
from publicsuffixlist import PublicSuffixList

# A word ends at these characters, and so does an address.
ENDS = r"\s、。，！？；：「」『』（）【】〈〉《》〔〕…"
NOT_IN_ADDRESSES = rf"{ENDS}<>\"`|\[\]{{}}"
DOTS = "．｡․"  # IDNA treats them as a full stop
_SCHEME = r"A-Za-z0-9+.\-"
_NAME = r"\p{L}\p{N}\p{M}_%+\-"
# Possessive and with a lookbehind: each run of characters is tried once, from its start.
_WITH_SCHEME = regex.compile(
    rf"(?<![{_SCHEME}])[0-9+.\-]*+(?P<scheme>[A-Za-z][{_SCHEME}]*+)://"
    rf"(?:\[[0-9A-Fa-f:.]{{2,45}}\])?[^{NOT_IN_ADDRESSES}]*+"
)
_WITHOUT_SCHEME = regex.compile(
    rf"(?<![A-Za-z0-9])(?P<call>(?:mailto|tel|sms|callto|facetime|skype):[^{NOT_IN_ADDRESSES}]++)"
    rf"|(?<![{_NAME}.@{DOTS}])(?P<name>[{_NAME}]*+[.@{DOTS}][{_NAME}.@{DOTS}]*+)"
    rf"(?P<tail>(?::\d++(?![{_NAME}.@{DOTS}]))?(?:[/?#][^{NOT_IN_ADDRESSES}]*+)?)",
    regex.IGNORECASE,
)
_NOT_IN_LABELS = regex.compile(r"[^\p{L}\p{N}\p{M}.\-]+|\.{2,}")
_IPV4 = regex.compile(r"\d{1,3}(?:\.\d{1,3}){3}")
_PREFIX_LENGTH = regex.compile(r"/\d{1,2}")  # of a network, as in 10.0.0.0/8
_NOT_ASCII = regex.compile(r"[^!-~]")
_BEFORE = regex.compile(r"[^!-~]*+[_%+\-.\\]*+")
_TRAILING = ".,;:!?'\"*_~\\"
_WEB_ADDRESS = regex.compile(
    rf"https?://[\p{{L}}\p{{N}}\p{{M}}._\-]++(?::\d++)?(?:[/?#][^{NOT_IN_ADDRESSES}\\\p{{C}}]*+)?",
    regex.IGNORECASE,
)
_PORT = regex.compile(r":\d++")
_TO_FULL_STOPS = str.maketrans(dict.fromkeys(f"。{DOTS}", "."))
_RESERVED = regex.compile(r"(?:\A|\.)(?:example(?:\.com|\.net|\.org)?|test|invalid|localhost)\Z")


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
    before, at, _ = parts.netloc.rpartition("@")
    scheme = "https" if parts.scheme == "http" else parts.scheme
    host = f"{before}{at}{_ascii(parts.hostname or '')}{port}"
    return parts._replace(
        scheme=scheme, netloc=host, path="" if parts.path == "/" else parts.path
    ).geturl()


def found_in(text: str, end: int | None = None) -> Iterator[regex.Match[str]]:
    """Yield what may be an address: with a scheme, a call, or a name with what follows it.

    A name ends where a scheme begins. The groups are ``scheme``; ``call``, ``name`` and ``tail``.
    Nothing is looked for from `end` on, but `can_carry` sees what follows.
    """
    at = 0
    for match in _WITH_SCHEME.finditer(text, 0, end):
        yield from _WITHOUT_SCHEME.finditer(text, at, match.start())
        yield match
        at = match.end()
    yield from _WITHOUT_SCHEME.finditer(text, at, end)


def links_in(texts: Iterable[str], *, with_scheme: bool = False) -> frozenset[str]:
    """Return the addresses in these texts in normal form, on request only those with a scheme."""
    # Few texts contain an address, and looking for these characters takes a hundredth of the time.
    signs = "/" if with_scheme else f":@.{DOTS}"
    likely = (text for text in texts if any(sign in text for sign in signs))
    find = _WITH_SCHEME.finditer if with_scheme else found_in
    found = (form for text in likely for match in find(text) for form in readings(match[0]))
    return frozenset(
        form for form in map(normal, found) if form.rpartition(":")[2] not in ("", "//")
    )


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
    return _WEB_ADDRESS.fullmatch(url) is not None


def is_reserved(host: str) -> bool:
    """Return whether a host name is reserved and cannot be registered (RFC 2606)."""
    return _RESERVED.search(host) is not None


def can_carry(match: regex.Match[str]) -> bool:
    """Return whether a name without a scheme may become a link that carries text to its host.

    It does so in a subdomain, a path, a query or a fragment. A registrable domain alone, such as
    ``example.com``, ``README.md`` or ``self.id``, carries nothing but its name.
    """
    name, tail = match["name"].translate(_TO_FULL_STOPS).lower(), match["tail"]
    # A client can end the name at what no label contains, or before a letter that is not ASCII.
    runs = [
        run for piece in _NOT_IN_LABELS.split(name) for run in (piece, *_NOT_ASCII.split(piece))
    ]
    pieces = [piece for run in runs if (piece := run.strip(".-"))]
    path = trimmed(_PORT.sub("", tail, count=1))
    if pieces and len(path) > 1 and _IPV4.fullmatch(pieces[-1]):
        return not _PREFIX_LENGTH.fullmatch(path)
    following = match.string[match.end() : match.end() + 1]
    has_more = len(path) > 1 or (tail.endswith(("/", "?", "#")) and following.strip() != "")
    has_more |= "@" in name.strip("@") or match.string.endswith("//", 0, match.start())
    return "www." in name or any(
        is_domain(piece) and (has_more or _has_subdomain(piece)) for piece in pieces
    )


def is_domain(name: str) -> bool:
    """Return whether a name of at least two labels ends in a public suffix."""
    suffix = _suffixes().publicsuffix(_ascii(name))
    return suffix is not None and suffix != _ascii(name)


def _has_subdomain(name: str) -> bool:
    return _suffixes().privatesuffix(_ascii(name)) != _ascii(name)


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
