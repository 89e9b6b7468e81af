"""Evidence: the sentences in a person's messages that a quote refers to.

A language model proposes what to remember, each proposal with a quote. The evidence rule is the
same in every language and does not judge meaning: the quote must be a substring of one message that
the person typed, compared by letters (`memory.model.text.letters`) and omissions. The stored
evidence is not the model's quote but the whole sentence or sentences around it, as typed.

A sentence ends after a full stop, a question mark or an exclamation mark of any script, by
Unicode's sentence break rules (UAX #29), and at each line break but those of hard-wrapped text:
where a line without such a mark goes on with a small letter, the sentence goes on, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import regex

from memory.model.person_message import PersonMessage
from memory.model.text import MAX_TEXT, clean, folded, lettered, letters, texts

MAX_MESSAGE = 8_000  # characters of one message that are read
OMITTED = "[…]"
"""Replaces omitted parts of a message: code, struck-out text, block quotes."""
_LEFT_OUT = "\x00"  # stands for an omission among the letters that are compared
_CONTEXT = 300  # characters before the evidence, and after it
_CLOSE = r"[\p{Pe}\p{Pf}\"']*+"
# A line break before a small letter that is no mark of a list, such as "a)": the line before it is
# not empty and no heading, and ends neither a sentence nor where something was left out.
_WRAP = (
    r"(?<!(?:\A|\n)[ \t]*)"
    rf"(?<![\p{{SB=STerm}}\p{{SB=ATerm}}:：]{_CLOSE}[ \t]*)"
    rf"(?<!{regex.escape(OMITTED)}[ \t]*)"
    r"\n(?=[ \t]*\p{SB=Lower})(?![ \t]*\p{L}[).])"
)
# A run of terminal marks with closing marks, or line breaks; UAX #29, SB4 and SB8 to SB11. A full
# stop counts only before white space.
_BREAK = regex.compile(
    r"(?<![\p{SB=STerm}\p{SB=ATerm}])(?:\p{SB=ATerm}*+\p{SB=STerm}[\p{SB=STerm}\p{SB=ATerm}]*+"
    rf"{_CLOSE}\p{{SB=Sp}}*+(?!\p{{SB=SContinue}})"
    rf"|\p{{SB=ATerm}}++{_CLOSE}\p{{SB=Sp}}++(?![\p{{SB=Lower}}\p{{SB=SContinue}}]))"
    rf"|(?!{_WRAP})\n+"
)
_AFTER = r"[^\s<>\"')\]]"
# Possessive and with a lookbehind: each run of characters is tried once, from its start.
_LINK = regex.compile(
    rf"(?<![a-z0-9+.-])[a-z0-9+.-]++://{_AFTER}++"
    rf"|(?<![\p{{L}}\p{{N}}.-])(?:www\.|mailto:){_AFTER}++"
    rf"|(?<![\p{{L}}\p{{N}}.-])(?:[\p{{L}}\p{{N}}-]++\.)++\p{{L}}{{2,}}+/{_AFTER}*+",
    regex.IGNORECASE,
)
_SCHEME = regex.compile(r"\A(?:https?://|mailto:)")


@dataclass(slots=True)
class TypedMessage:
    """One message of the person, indexed for quotes.

    `original` is the message as it was sent. `text` is the part that is read; `sentences` are the
    (start, end) offsets of its sentences. Quotes are compared with `_letters`, of which `_starts`
    and `_ends` are the offsets.
    """

    original: PersonMessage
    text: str = field(init=False)
    sentences: list[tuple[int, int]] = field(init=False, default_factory=list)
    _letters: str = field(init=False)
    _starts: list[int] = field(init=False, default_factory=list)
    _ends: list[int] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        self.text = clean(self.original.text)[:MAX_MESSAGE]
        letters: list[str] = []
        position = 0
        for part in self.text.split(OMITTED):
            pieces = lettered(part)
            if position > 0:
                # Something was left out: a character that is no letter, in the place of the middle
                # of the mark that ends where this part begins.
                pieces.insert(0, (_LEFT_OUT, -2, -1))
            for piece, start, end in pieces:
                letters.append(piece)
                self._starts += [position + start] * len(piece)
                self._ends += [position + end] * len(piece)
            position += len(part) + len(OMITTED)
        self._letters = "".join(letters)
        breaks = [found.end() for found in _BREAK.finditer(self.text)]
        for start, end in pairwise([0, *breaks, len(self.text)]):
            if self.text[start:end].strip():
                self.sentences.append((start, end))

    @property
    def says_something(self) -> bool:
        """Whether the message contains a letter or number; an emoji alone forms no memory."""
        return bool(self._letters.strip(_LEFT_OUT))

    @property
    def question(self) -> str | None:
        """The question that the message answers, as a model reads it."""
        asked = self.original.reply_to
        if not asked:
            return None
        return clean(asked)

    def find(self, quote: str) -> tuple[int, int] | None:
        """Return where `quote` begins and ends in `text`, or None.

        A quote must contain the omissions that it spans, as stored evidence does. A single letter
        counts only if it is the whole message.
        """
        parts = quote.split(OMITTED)
        wanted = _LEFT_OUT.join(map(letters, parts))
        count = len(wanted.replace(_LEFT_OUT, ""))
        if count == 0 or (count == 1 and wanted != self._letters):
            return None
        first = self._letters.find(wanted)
        if first < 0:
            return None
        last = first + len(wanted) - 1
        return self._starts[first], self._ends[last]

    def sentences_around(self, start: int, end: int) -> tuple[int, int]:
        """Return where the first sentence between two offsets begins and the last one ends."""
        touched = [
            (begin, close)
            for begin, close in self.sentences
            if begin < end and start < close
        ]
        return touched[0][0], touched[-1][1]

    def is_whole(self, start: int, end: int) -> bool:
        """Return whether all letters of the sentences between two offsets are between them."""
        begin, close = self.sentences_around(start, end)
        before = self.text[begin:start]
        after = self.text[end:close]
        return not letters(before + after)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """A part of a message, as typed: `text`, with what stands `before` and `after` it.

    `before` and `after` may come from earlier and later messages.
    """

    message: TypedMessage
    text: str
    before: str = ""
    after: str = ""

    @property
    def original(self) -> PersonMessage:
        """The message that contains the evidence, with its channel and time."""
        return self.message.original

    @property
    def words(self) -> PersonMessage:
        """The message with no other text than the evidence."""
        return replace(self.original, text=self.text)


def find_evidence(quote: str, messages: Sequence[TypedMessage]) -> Evidence | None:
    """Return the sentences around `quote`, or None if none of `messages` contains it.

    The newest message of which it is whole sentences comes first, then the newest that contains it:
    the "yes" of a later "yes, please" answers another question. Of sentences that are longer than
    `MAX_TEXT` it is the part around the quote.
    """
    found: tuple[int, int, int] | None = None
    for index in reversed(range(len(messages))):
        place = messages[index].find(quote)
        if place is None:
            continue
        if messages[index].is_whole(*place):
            found = (index, *place)
            break
        found = found or (index, *place)
    if found is None:
        return None
    index, start, end = found
    begin, close = messages[index].sentences_around(start, end)
    if close - begin > MAX_TEXT:
        around_the_middle = (start + end - MAX_TEXT) // 2
        begin = max(begin, min(start, around_the_middle))
    return _evidence(messages, index, begin, close)


def whole_message(message: TypedMessage) -> Evidence:
    """Return a whole message as evidence, such as of a removal that quotes nothing."""
    return _evidence([message], 0, 0, len(message.text))


def _evidence(
    messages: Sequence[TypedMessage], index: int, start: int, end: int
) -> Evidence:
    """Return the part between two offsets of a message, at most `MAX_TEXT` characters of it."""
    message = messages[index]
    end = min(end, start + MAX_TEXT)
    earlier = [one.text for one in messages[:index]]
    later = [one.text for one in messages[index + 1 :]]
    # A list is read with its heading.
    before = "\n".join([*earlier, message.text[:start]])
    after = "\n".join([message.text[end:], *later])
    return Evidence(
        message=message,
        text=message.text[start:end].strip(),
        before=before.strip()[-_CONTEXT:],
        after=after.strip()[:_CONTEXT],
    )


def links_not_typed(content: object, messages: Iterable[TypedMessage]) -> list[str]:
    """Return the links in a JSON value that do not occur in any of `messages`."""
    said = "\n".join(folded(message.text) for message in messages)
    missing: list[str] = []
    for text in texts(content):
        for found in _LINK.findall(folded(text)):
            link = found.rstrip(".,;:!?。、")
            # Its scheme makes no difference.
            address = regex.escape(_SCHEME.sub("", link).removesuffix("/"))
            whole = rf"(?<![\w.@-]){address}(?!\w|[./?#&=@:-]\w)"
            if regex.search(whole, said) is None:
                missing.append(link)
    return missing
