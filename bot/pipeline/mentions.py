"""Whom an answer mentions: those whom the person mentions in the message that is answered.

A model reads names (`bot.slack.names`) and writes names. ``@Mia Tanaka``, with its sign, becomes a
mention again if the person has just mentioned her: an answer notifies no one else, whatever a
thread or a memory says. All other names stay text, and so do ids and ``@channel``: `LinkFilter`
puts a space behind each "<" that a model writes before them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import regex

# What continues a word. Scripts without spaces between words are excluded: a particle may follow a
# name.
_WORD = r"[\w--\p{Han}--\p{Hiragana}--\p{Katakana}--\p{Thai}--\p{Lao}--\p{Khmer}--\p{Myanmar}]"
_CODE = r"(?P<ticks>`+)|(?P<line>\n)"


class AnswerNames:
    """Turns names into mentions, in an answer that arrives in pieces.

    `mentions` has them by their names. Code has none, because clients show a mention there as it is
    written. However the text is cut into pieces, the output as a whole is the same.
    """

    def __init__(self, mentions: Mapping[str, str]) -> None:
        self._mentions = mentions
        self._pattern = _names_and_code(mentions)
        # A name and what must not follow it.
        longest = max(map(len, mentions), default=0) + 2
        # The beginning of a name or of a run of backticks, at the end of a piece.
        self._open = regex.compile(rf"(?:@[^\n@]{{0,{longest}}}|(?<!`)`{{1,64}}+)\Z")
        self._held = ""
        self._last = ""
        self._open_code = ""

    def feed(self, piece: str) -> str:
        """Take a piece; return the text that can be shown now."""
        if not self._mentions:
            return piece
        text = self._held + piece
        opened = self._open.search(text)
        end = opened.start() if opened else len(text)
        self._held = text[end:]
        return self._read(text[:end])

    def flush(self) -> str:
        """Return the held text; the answer, or a part of it, has ended."""
        rest = self._held
        self._held = ""
        return self._read(rest)

    def _read(self, text: str) -> str:
        before = self._last
        self._last = (before + text)[-1:]
        # A name must not follow a letter directly: "a@Mia" has none.
        shown = self._pattern.sub(self._shown, before + text, pos=len(before))
        return str(shown)[len(before) :]

    def _shown(self, match: regex.Match[str]) -> str:
        if match["ticks"]:
            self._note_ticks(match["ticks"])
        elif match["line"] and len(self._open_code) < 3:
            # A span of code ends with its line, a block does not.
            self._open_code = ""
        if self._open_code:
            return match[0]
        return self._mentions.get(match[0], match[0])

    def _note_ticks(self, ticks: str) -> None:
        if not self._open_code:
            self._open_code = ticks
        elif len(ticks) >= len(self._open_code):
            self._open_code = ""


def without_mentions(answer: str, mentions: Mapping[str, str]) -> str:
    """Return an answer as its model wrote it: with the names of those whom it mentions."""
    for name, mention in mentions.items():
        answer = answer.replace(mention, name)
    return answer


def _names_and_code(names: Iterable[str]) -> regex.Pattern[str]:
    """Return a pattern of any of these names, as whole words, longest first, and of code.

    A name with a handle behind it, ``@Alex Kim (akim)``, is another one than that without.
    """
    longest_first = sorted(names, key=len, reverse=True)
    alternatives = "|".join(map(regex.escape, longest_first))
    name = rf"(?<!{_WORD})(?:{alternatives})(?!{_WORD}|\s\()"
    # The cache would keep the names of hundreds of answers.
    return regex.compile(f"{name}|{_CODE}", regex.VERSION1, cache_pattern=False)
