"""Which addresses an answer may link to: known ones. Of any other no client can make a link.

A model can be talked into writing an address that carries what it knows. What it writes is shown
while it streams, and no two clients agree on what is code, a label or the end of an address. So the
filter reads no grammar. Whatever a client makes a link of has certain characters beside each other,
such as ``](``, ``//`` or the dot before a top-level domain: a space is put between these. Nothing
is ever removed, what was filtered is not changed again, and code is filtered like any other text.

A known address stays if what is beside it cannot become a part of it. One with a scheme is written
``<address>`` elsewhere, because that has one end in every client. docs/decisions/0018-links.md has
the reasons and limits.

Sources: https://spec.commonmark.org/0.31.2/#inlines, https://publicsuffix.org
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from itertools import chain, pairwise, zip_longest

import regex
from publicsuffixlist import PublicSuffixList

MAX_ADDRESS = 2_000  # characters; a longer text is no address

_ENDS = r"\s、。，！？；：「」『』（）【】〈〉《》〔〕…"
_LAST_END = regex.compile(rf".*[{_ENDS}]", regex.DOTALL)
_WORD = regex.compile(rf"[^{_ENDS}<>\"`|\[\]{{}}]++")
_LABELLED = r"\]\((?P<target>[^\s()`<>|]*+(?:\([^\s()`<>|]*+\)[^\s()`<>|]*+)*+)\)"
_CANDIDATE = regex.compile(
    rf"{_LABELLED}|(?<!\\)<(?P<angle>{_WORD.pattern})>|(?P<word>{_WORD.pattern})"
)
_PUNCTUATION = "(*_~'.,;:!?"
# Without Japanese before and after it.
_GLUED = regex.compile(r"[!-~](?:.*[!-~])?")
# Where every client begins and ends an address that is neither labelled nor in angle brackets.
_BEGINS = regex.compile(rf"(?<=(?:\A|[{_ENDS}(\[*])[\"'`]?)")
_STOPS = regex.compile(r"(?:[)\]\"']{0,3}[.,;!?]?(?=[ \t\r\n]|\Z)|\](?=\())")
_NAME_STOPS = regex.compile(rf"(?:[`'\"]|\*{{1,3}}){_STOPS.pattern}")
_LABELLED_STOPS = regex.compile(rf"[^\w{_ENDS}]{{0,6}}(?=[{_ENDS}]|\Z)")

# IDNA treats the others as a full stop.
_DOTS = r".．｡․﹒"
_INVISIBLE = r"[\p{DI}\p{Cf}]"
_LETTER = rf"(?:(?!{_INVISIBLE})[\p{{L}}\p{{N}}])"
_NO_LABEL = rf"{_ENDS}.,;:!?'\"()\[\]{{}}<>/&#@%\\*_"
# Each matches the character after which a space is put. That character comes first, so that what is
# before it is looked at once.
_BREAKS = regex.compile(
    "|".join(
        (
            r"\](?=[(:])",  # a label and its address, or a definition of one
            # <address>, <address|label>, <@U1>, and HTML, but not <name> and x < 5
            rf"<(?!=?\d*+(?:\s|\Z)|/?(?:{_LETTER}|[_\-])++/?>)",
            rf"/(?=\\*/\S)(?<!{_LETTER}/)",
            r"\.(?=\S)(?<=www\\*\.)",
            r":(?=\S)(?<=(?:mailto|tel|sms|callto|facetime|skype|xmpp)\\*:)",
            r"@(?=[\w\-]++\\*\.)(?<=[\w.+\-][\\*~]*@)",
            # An IPv4 address with a path; not a network, such as 10.0.0.0/8.
            r"\.(?=[0-9]{1,3}(?::[0-9]*+)?(?:[?#]|/(?![0-9]{1,2}(?!\w))))"
            r"(?<=[0-9]\.[0-9]{1,3}\.[0-9]{1,3}\.)",
            rf"[{_DOTS}](?=(?P<suffix>[a-z][a-z0-9]*+)|(?![\x00-\x7f])[\p{{L}}\p{{N}}])"
            rf"(?<=[^{_NO_LABEL}][\\*_]*[{_DOTS}])",
            # Character references, but for those of the characters that Markdown itself needs.
            r"&(?=#|(?!(?:amp|lt|gt|quot|nbsp);)[a-z][a-z0-9]*+;)",
            r";(?=#|[a-z][a-z0-9]*+;)(?<=&amp;)",
            # Between two characters it may not be shown.
            rf"{_INVISIBLE}(?=[!-~{_DOTS}])(?<=[!-~{_DOTS}]{_INVISIBLE}+)",
        )
    ),
    regex.IGNORECASE,
)
# Clients take these for top-level domains, too: one has none but names like x.co.za.
_MORE_SUFFIXES = ("an", "xn", "za")
_NOWHERE = (0, 0)
_MAX_LABEL = 63  # characters (RFC 1035)

_ADDRESS = regex.compile(
    r"(?:(https?)://(?![^/?#]*@)|mailto:(?=[^/?#]*@))?([^/?#\\\s]++)([/?#][^\\\s]*+)?",
    regex.IGNORECASE,
)
# OpenAI adds it to each page that a search cites, and models leave it out again.
_TRACKING = regex.compile(r"[?&]utm_source=openai\Z")
_NO_NAME = regex.compile(r"[/?#:]")
_WEB_HOST = regex.compile(r"https?://[^/?#@]++(?!@)", regex.I)


class LinkFilter:
    """Makes links of addresses that are not known impossible, in an answer that comes in pieces.

    `known` are addresses in normal form, and mentions such as ``<@U1>``. However the text is cut
    into pieces, the output as a whole is the same.
    """

    def __init__(self, known: Iterable[str] = ()) -> None:
        self.known = set(known)
        self._held: list[str] = []

    def feed(self, text: str) -> str:
        """Take a piece of the answer; return the text that can be shown now: whole words."""
        ended = _LAST_END.match(text)
        if ended is None:
            self._held.append(text)
            return ""
        words = "".join([*self._held, ended[0]])
        self._held = [text[ended.end() :]]
        return self._spaced(words)

    def flush(self) -> str:
        """Return the held text; the current word has ended."""
        rest = "".join(self._held)
        self._held = []
        return self._spaced(rest)

    def _spaced(self, text: str) -> str:
        """Return a text with a space at each place where a link could be, known ones excepted."""
        inserted = dict.fromkeys(_breaks(text), " ")
        match = _CANDIDATE.search(text)
        while match:
            is_kept = self._keep(match, inserted)
            after = match.start() + 1
            if is_kept or match["word"]:
                after = match.end()
            match = _CANDIDATE.search(text, after)
        places = [0, *sorted(inserted), len(text)]
        pieces = [text[start:end] for start, end in pairwise(places)]
        marks = [inserted[place] for place in places[1:-1]]
        return "".join(chain.from_iterable(zip_longest(pieces, marks, fillvalue="")))

    def _keep(self, match: regex.Match[str], inserted: dict[int, str]) -> bool:
        """Bound a known address, and take back what was to be inserted into it.

        Returns False if the address is not known.
        """
        if match["word"]:
            span = self._bound_word(match, inserted)
        elif match["angle"]:
            span = self._angle(match)
        else:
            span = self._bound_label(match, inserted)
        for place in range(span[0] + 1, span[1]):
            inserted.pop(place, None)
        return span != _NOWHERE

    def _bound_word(
        self, match: regex.Match[str], inserted: dict[int, str]
    ) -> tuple[int, int]:
        """Return where a word has a known address, which has one end in every client now."""
        text = match.string
        # Without the characters around it.
        address = next(filter(self._is_known, _readings(match["word"])), "")
        if not address:
            return _NOWHERE
        start = text.find(address, match.start())
        end = start + len(address)
        stops = _STOPS.match(text, end)
        if not _NO_NAME.search(address):
            stops = stops or _NAME_STOPS.match(text, end)
        if _BEGINS.match(text, start) and stops:
            return start, end
        if "://" not in address:
            return _NOWHERE
        inserted[start] = inserted.get(start, "") + "<"
        inserted[end] = ">" + inserted.get(end, "")
        return start, end

    def _angle(self, match: regex.Match[str]) -> tuple[int, int]:
        """Return where a known address or mention stands in angle brackets."""
        address = match["angle"]
        is_link = "://" in address or "@" in address
        if match[0] in self.known or (is_link and self._is_known(address)):
            return match.span()
        return _NOWHERE

    def _bound_label(
        self, match: regex.Match[str], inserted: dict[int, str]
    ) -> tuple[int, int]:
        """Return where a label has a known address; a space ends it where nothing else does."""
        if not self._is_known(match["target"]):
            return _NOWHERE
        if not _LABELLED_STOPS.match(match.string, match.end()):
            inserted[match.end()] = " "
        return match.span()

    def _is_known(self, address: str) -> bool:
        return normal(address) in self.known


def filter_links(text: str, known: Iterable[str] = ()) -> str:
    """Return a whole text as `LinkFilter` shows it."""
    links = LinkFilter(known)
    return links.feed(text) + links.flush()


def links_in(texts: Iterable[str]) -> set[str]:
    """Return what clients could make links of in these texts, in normal form."""
    words = [word for text in texts for word in _WORD.findall(text)]
    addresses = chain.from_iterable(map(_readings, words))
    return {normal(one) for one in addresses if any(_breaks(one))} - {""}


def is_web_address(url: str) -> bool:
    """Return whether a text is one address of the web and nothing else."""
    return bool(_WORD.fullmatch(url) and normal(url) and _WEB_HOST.match(url))


def normal(address: str) -> str:
    """Return an address in normal form, the same for every spelling; "" if it cannot be one."""
    match = _ADDRESS.fullmatch(address)
    if match is None or len(address) > MAX_ADDRESS:
        return ""
    scheme, host, path = match.groups("")
    if scheme and path == "/":
        path = ""
    return host.lower() + _TRACKING.sub("", path)


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


def _breaks(text: str) -> Iterator[int]:
    """Yield the places in a text where a space makes a link impossible."""
    for match in _BREAKS.finditer(text):
        suffix = match["suffix"]
        if suffix is None or _is_suffix(suffix.casefold()):
            yield match.end()


def _is_suffix(label: str) -> bool:
    """Return whether a label is a top-level domain."""
    if len(label) > _MAX_LABEL:
        return False
    return label in _MORE_SUFFIXES or bool(_suffixes().publicsuffix(f"x.{label}"))


@cache
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList(accept_unknown=False, only_icann=True)
