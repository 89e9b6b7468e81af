"""Evidence: where a quote stands in what a person typed.

A language model proposes what to remember, each time with a quote. The rule is the same in every
language and judges no meaning: compared by their letters (`memory.text.letters`), the quote must be
a substring of one message the person typed. What is stored as evidence is not the model's quote but
the whole sentence or sentences around it, as they were typed.

Sentences end where Unicode's sentence break rules (UAX #29) end them after a full stop, a question
or an exclamation mark of any script, and at each line break.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from itertools import pairwise

import regex

from memory.text import MAX_TEXT, clean, lettered, letters, texts

MAX_MESSAGE = 8_000  # characters of one message that can form memories
# A run of terminal marks with what closes it, or line breaks; UAX #29, SB4 and SB8 to SB11.
_BREAK = regex.compile(
    r"(?P<marks>[\p{SB=STerm}\p{SB=ATerm}]++)[\p{Pe}\p{Pf}\"']*+(?P<space>\p{SB=Sp}*+)"
    r"|[\n\r\x85\u2028\u2029]+"
)
_STERM = regex.compile(r"\p{SB=STerm}")
_GOES_ON = regex.compile(r"\p{SB=SContinue}")
_GOES_ON_AFTER_STOP = regex.compile(r"[\p{SB=Lower}\p{SB=SContinue}]")
_LINK = regex.compile(
    r"(?:\b[a-z][a-z0-9+.-]{1,20}://|\bwww\.|\bmailto:)[^\s<>\"')\]]+"
    r"|\b(?:[\p{L}\p{N}-]{1,63}\.){1,10}\p{L}{2,24}/[^\s<>\"')\]]*",
    regex.IGNORECASE,
)


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


@dataclass(slots=True)
class TypedMessage:
    """One message of the person, indexed for quotes.

    `text` is what counts of it, `sentences` are the (start, end) of its sentences.
    """

    words: Words
    text: str = field(init=False)
    sentences: list[tuple[int, int]] = field(init=False)
    _letters: str = field(init=False)
    _starts: list[int] = field(init=False, default_factory=list)
    _ends: list[int] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        self.text = clean(self.words.text)[:MAX_MESSAGE]
        pieces = lettered(self.text)
        self._letters = "".join(piece for piece, _, _ in pieces)
        for piece, start, end in pieces:
            self._starts += [start] * len(piece)
            self._ends += [end] * len(piece)
        borders = [0, *_breaks(self.text), len(self.text)]
        self.sentences = [
            (start, end) for start, end in pairwise(borders) if self.text[start:end].strip()
        ]

    @property
    def says_something(self) -> bool:
        """Whether there is a letter or number in it: an emoji alone can form nothing."""
        return bool(self._letters)

    def find(self, quote: str) -> tuple[int, int] | None:
        """Return the numbers (first, last) of the sentences in which `quote` stands, or None.

        A quote of a single letter counts where it is the whole message.
        """
        wanted = letters(quote)
        position = self._letters.find(wanted) if wanted else -1
        if position < 0 or (len(wanted) < 2 and wanted != self._letters):
            return None
        start, end = self._starts[position], self._ends[position + len(wanted) - 1]
        first = bisect_right(self.sentences, start, key=lambda one: one[0]) - 1
        last = bisect_left(self.sentences, end, key=lambda one: one[0]) - 1
        return first, max(first, last)

    def between(self, first: int, last: int) -> str:
        """Return the sentences from number `first` to `last`, as typed."""
        return self.text[self.sentences[first][0] : self.sentences[last][1]].strip()

    def holds(self, part: str) -> bool:
        """Say whether the message has `part` in it, compared by letters."""
        return letters(part) in self._letters


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """The sentences that a proposal quotes: `text`, as typed, and those `before` and `after` them.

    `message` is the message they stand in; `before` and `after` may be of the messages beside it.
    """

    message: TypedMessage
    text: str
    before: str = ""
    after: str = ""

    @property
    def words(self) -> Words:
        """The message it stands in, with where and when it was said."""
        return self.message.words

    def source(self) -> dict[str, object]:
        """Return the entry of a memory's `sources` that it makes."""
        return {
            "kind": self.words.kind,
            "permalink": self.words.permalink,
            "channel": self.words.channel,
            "ts": self.words.ts,
            "evidence": self.text,
        }


def _breaks(text: str) -> Iterator[int]:
    """Yield where a sentence ends: a full stop counts only before white space."""
    for found in _BREAK.finditer(text):
        end, marks = found.end(), found["marks"]
        if (
            marks is None
            or (_STERM.search(marks) and not _GOES_ON.match(text, end))
            or (found["space"] and not _GOES_ON_AFTER_STOP.match(text, end))
        ):
            yield end


def find_evidence(quote: str, messages: Sequence[TypedMessage]) -> Evidence | None:
    """Find `quote` in one of `messages`, the newest that holds it; None where none does."""
    for index in reversed(range(len(messages))):
        message = messages[index]
        found = message.find(quote)
        if found is None:
            continue
        first, last = found
        before = message.between(first - 1, first - 1) if first else _end_of(messages[:index])
        after = (
            message.between(last + 1, last + 1)
            if last + 1 < len(message.sentences)
            else _start_of(messages[index + 1 :])
        )
        text = message.between(first, last)[:MAX_TEXT]
        return Evidence(message=message, text=text, before=before, after=after)
    return None


def whole(message: TypedMessage) -> Evidence:
    """Return all of a message as evidence: for a removal, which quotes nothing."""
    return Evidence(message=message, text=message.text.strip()[:MAX_TEXT])


def links_not_typed(content: object, messages: Iterable[TypedMessage]) -> list[str]:
    """Return the links within a JSON value that none of `messages` has in it."""
    known = list(messages)
    return [
        link
        for text in texts(content)
        for link in _LINK.findall(text)
        if not any(message.holds(link) for message in known)
    ]


def _end_of(messages: Sequence[TypedMessage]) -> str:
    if not messages or not messages[-1].sentences:
        return ""
    last = len(messages[-1].sentences) - 1
    return messages[-1].between(last, last)


def _start_of(messages: Sequence[TypedMessage]) -> str:
    return messages[0].between(0, 0) if messages and messages[0].sentences else ""
