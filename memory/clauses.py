"""A person's words, and the clauses they are made of."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from itertools import pairwise

from memory.voices import own_words

MAX_MESSAGE = 8_000  # characters of one message that can form memories
_WORD = re.compile(r"\w+")
_FULL_WIDTH = str.maketrans({"，": "、", "．": "。", "｡": "。", "､": "、", "’": "'", "‘": "'"})

# Letters of other scripts that pass for Latin ones, where a word mixes the two.
_LOOKALIKES = str.maketrans("аеіјоосрѕхуԁһոνοαιικερτυг", "aeijoocpsxydhnvoaiikeptur")
_LATIN = re.compile(r"[a-z]")
_FOREIGN = re.compile(r"[\u0370-\u058f]")

_SENTENCE_END = re.compile(r"\.(?=\s|$)|[!?。\n]")
_COMMA = re.compile(
    r",(?=\s|$)"
    # A quoting particle goes on with the clause before it: 「好き、とは言えない」.
    r"|、(?!\s*(?:と(?:は|も|か|いう|言|思|考|信|聞|感)|って|なんて|わけ|はず|ということ))"
    r"|[;—]| - |(?<![:\d]):(?=[ \t]|[^\x00-\x7f])"
)
# A conjunction parts clauses only where another clause begins after it: not in "bread and butter".
_CONJUNCTION = re.compile(
    r"\b(?<!nothing )(?<!anything )(?<!everything )(?<!all )"
    r"(?:and|but|so|because|although|though|while|whereas|however)\s+"
    r"(?=(?:now|also|then|lately|recently|really|currently|still|never|not|no longer"
    r"|don't|do not)\s"
    r"|(?:i|i'm|i've|i'd|i'll|my|we|we're|he|she|they|you|it|it's|that|that's|this|these|the)\b"
    r"|(?:am|is|are|have|love|like|hate|prefer|dislike|enjoy|want|need|use|eat|drink|avoid|work"
    r"|live|learn|study|stopped|quit|gave|forget)\b)"
)
_PARTICLE = re.compile(
    r"(?<=です)(?:が|けれども|けれど|けど|から|ので|し)"
    r"|(?<=ます)(?:が|けれども|けれど|けど|から|ので|し)"
    r"|(?<=ません)(?:が|けれども|けれど|けど|から|ので|し)"
    r"|(?<=[だたいるうくむすぐぶぬつ])(?:けれども|けれど|けど|ので)|(?<=な)ので"
    r"|(?<=[だた])(?:が|から)|(?<=[なたし]い)(?:が|から)|(?<=ない)し"
    r"|(?<=好き)で(?=[^すはもきしあない])|(?<=嫌い)で(?=[^すはもきしあない])"
)
_TRAILING = re.compile(
    r"(?:だ|です|な)?(?:が|けれども|けれど|けど|から|ので|のに|し|よ|ね|よね|な|さ)?$"
)
_LEAD_IN = re.compile(
    r"(?:(?:please|pls|hey|hi|ok|okay|well|oh|and|but|so|because|also|btw|by the way|fyi|actually)"
    r"[,:]?\s+)*(?:(?:(?:please\s+)?(?:remember|note|know|save)(?:\s+that|\s*:)|fyi[:,]?)\s+)?"
)


def clean(text: str) -> str:
    """Return `text` without NULs, lone surrogates, control and invisible (bidi, joiner) marks."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(
        c for c in lines if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co")
    )


def fold(text: str) -> str:
    """Return `text` in the form in which patterns are looked for: NFKC, casefolded."""
    folded = unicodedata.normalize("NFKC", clean(text).translate(_FULL_WIDTH)).casefold()
    return _WORD.sub(_as_latin, folded) if _FOREIGN.search(folded) else folded


def _as_latin(word: re.Match[str]) -> str:
    letters = word.group()
    mixed = _FOREIGN.search(letters) and _LATIN.search(letters)
    return letters.translate(_LOOKALIKES) if mixed else letters


def normalise(text: str) -> str:
    """Return `text` in the form in which quotes are compared: folded, ``\\W+`` as one space."""
    return " ".join(_WORD.findall(fold(text)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """One message the person typed: already un-escaped, without quotes, code, attachments.

    `kind` is ``message``, ``command``, ``modal``, ``import`` or ``tool``; `ts` is the message's.
    `asked`: the person was asked to confirm what these words would have forgotten, and decides by a
    click; the words themselves remove nothing. `zone` is the person's. `reply_to` is the question
    of ours that these words answer: context for "yes", never evidence by itself.
    """

    text: str
    channel: str
    ts: str
    kind: str = "message"
    permalink: str | None = None
    asked: bool = False
    zone: tzinfo = UTC
    reply_to: str | None = None

    @property
    def said_at(self) -> datetime:
        """When it was said, by `ts`; now for words without such a time, like a command's."""
        try:
            return datetime.fromtimestamp(float(self.ts), UTC)
        except (ValueError, OverflowError, OSError):
            return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Clause:
    """A smallest clause: its folded `text` (own words only), its place, and its sentence."""

    text: str
    start: int
    end: int
    sentence: int
    asks: bool


@dataclass(slots=True)
class Said:
    """One message, read: its folded text, sentences and clauses.

    `own` is `text` without what the person only quotes or hands over, character for character.
    """

    words: Words
    shown: str = field(init=False)
    text: str = field(init=False)
    own: str = field(init=False)
    sentences: list[tuple[int, int, str]] = field(init=False, default_factory=list)
    clauses: list[Clause] = field(init=False, default_factory=list)
    _plain: str = field(init=False)
    _tokens: list[tuple[int, int, int]] = field(init=False)
    _starts: set[int] = field(init=False, default_factory=set)
    _ends: set[int] = field(init=False, default_factory=set)

    def __post_init__(self) -> None:
        self.shown = clean(self.words.text)[:MAX_MESSAGE]
        self.text = fold(self.shown)
        self.own = own_words(self.text)
        self._tokens, plain = [], []
        length = 0
        for match in _WORD.finditer(self.text):
            self._tokens.append((match.start(), match.end(), length))
            plain.append(match.group())
            length += len(match.group()) + 1
        self._plain = " ".join(plain)
        for start, end, mark in _sentences(self.own):
            self._read_sentence(start, end, mark)

    def _read_sentence(self, start: int, end: int, mark: str) -> None:
        sentence = len(self.sentences)
        self.sentences.append((start, end, mark))
        borders = [start]
        for first, second in _borders(self.own, start, end):
            self._ends.add(self._end_at(first))
            self._starts.add(self._start_at(second))
            borders.append(second)
        borders.append(end)
        for first, second in pairwise(borders):
            raw = self.own[first:second]
            if not _WORD.search(raw):
                continue
            self._starts.add(self._start_at(first))
            self._ends.add(self._end_at(second))
            rest = _LEAD_IN.sub("", raw.lstrip(), count=1)
            self._starts.add(self._start_at(second - len(rest)))
            core = raw.rstrip(" \t,、;—-")
            if (tail := _TRAILING.search(core)) and tail.start():
                self._ends.add(self._end_at(first + tail.start()))
            asks = mark == "?" and second == end
            self.clauses.append(Clause(raw.strip(), first, second, sentence, asks))

    def sentence(self, number: int) -> str:
        """Return the person's own words in a sentence, folded."""
        start, end, _ = self.sentences[number]
        return self.own[start:end].strip()

    def _start_at(self, raw: int) -> int:
        index = bisect_right(self._tokens, raw, key=lambda token: token[1])
        if index == len(self._tokens):
            return -1
        begin, _, plain = self._tokens[index]
        return plain + max(0, raw - begin)

    def _end_at(self, raw: int) -> int:
        index = bisect_left(self._tokens, raw, key=lambda token: token[0]) - 1
        if index < 0:
            return -1
        begin, end, plain = self._tokens[index]
        return plain + min(raw, end) - begin

    def _raw_at(self, plain: int) -> int:
        begin, _, offset = self._tokens[
            bisect_right(self._tokens, plain, key=lambda token: token[2]) - 1
        ]
        return begin + plain - offset

    def find(self, quote: str) -> Iterator[tuple[int, int]]:
        """Yield where a normalised `quote` stands as a run of whole clauses: offsets in `text`."""
        position = self._plain.find(quote) if quote else -1
        while position >= 0:
            end = position + len(quote)
            if position in self._starts and end in self._ends:
                yield self._raw_at(position), self._raw_at(end - 1) + 1
            position = self._plain.find(quote, position + 1)


def _sentences(text: str) -> Iterator[tuple[int, int, str]]:
    start = 0
    for match in _SENTENCE_END.finditer(text):
        if text[start : match.start()].strip():
            yield start, match.start(), match.group()
        start = match.end()
    if text[start:].strip():
        yield start, len(text), ""


def _borders(text: str, start: int, end: int) -> list[tuple[int, int]]:
    """Return the (end before, start after) pairs of the clause borders in a sentence, in order."""
    found = [
        (match.start(), match.end())
        for pattern in (_COMMA, _PARTICLE)
        for match in pattern.finditer(text, start, end)
    ]
    # The conjunction stays with the clause it opens; `find` also lets a quote begin after it.
    found += [(m.start(), m.start()) for m in _CONJUNCTION.finditer(text, start + 1, end)]
    return sorted(found)
