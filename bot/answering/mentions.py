"""Whom an answer mentions: those whom the person mentions in the message that is answered.

A model reads names (`bot.slack.names`) and writes names. ``@Mia Tanaka``, with its sign, becomes a
mention again if the person has just mentioned her: an answer notifies no one else, whatever a
thread or a memory says. All other names stay text, and so do ids and ``@channel``: `LinkFilter`
puts a space behind each "<" that a model writes before them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import regex

from bot.answering.outside_code import CODE, OutsideCode

# What continues a word. Scripts without spaces between words are excluded: a particle may follow a
# name.
_WORD = r"[\w--\p{Han}--\p{Hiragana}--\p{Katakana}--\p{Thai}--\p{Lao}--\p{Khmer}--\p{Myanmar}]"


class AnswerNames(OutsideCode):
    """Turns names into mentions, in an answer that arrives in pieces.

    `mentions` has them by their names. Code has none, because clients show a mention there as it is
    written.
    """

    def __init__(self, mentions: Mapping[str, str]) -> None:
        self._mentions = mentions
        # A name and what must not follow it.
        longest = max(map(len, mentions), default=0) + 2
        super().__init__(_names_and_code(mentions), rf"@[^\n@]{{0,{longest}}}")

    def rewritten(self, match: regex.Match[str]) -> str:
        """Return the mention of a name."""
        return self._mentions.get(match[0], match[0])


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
    # Without names, nothing may match.
    either = rf"{name}|{CODE}" if alternatives else CODE
    # The cache would keep the names of hundreds of answers.
    return regex.compile(either, regex.VERSION1, cache_pattern=False)
