"""Which kept lines are in an answer: those that share words with it."""

from __future__ import annotations

import re
from collections.abc import Collection

from memory.model import folded
from memory.store import KeptLine

_HIRAGANA = r"\u3040-\u309f"
_KATAKANA = r"\u30a0-\u30ff"
_HAN = r"\u3400-\u9fff\uf900-\ufaff々"
_HANGUL = r"\uac00-\ud7af"
# Scripts without spaces: a run of katakana is a word; Han and Hangul are compared two by two; one
# Han character is a word before a particle, as in 「猫を」, not in 「好き」; hiragana is grammar.
_WORD = re.compile(
    rf"[{_KATAKANA}]{{2,}}"
    rf"|(?P<pairs>[{_HAN}]{{2,}}|[{_HANGUL}]{{2,}})"
    rf"|(?<![{_HAN}])[{_HAN}](?=[をがはのにともでへや]|$|[^\w])"
    rf"|[^\W_{_HIRAGANA}{_KATAKANA}{_HAN}{_HANGUL}]{{2,}}"
)
_SHORTEST = 3
# Words that nearly every text contains: those of Snowball's English list with three or more
# letters, verbs with which people talk about themselves, and similar Japanese words.
_COMMON_WORDS = """
about above after again against all and any are because been before being below between both but can
did does doing don down during each few for from further had has have having her here hers herself
him himself his how into its itself just more most myself nor not now off once only other our ours
ourselves out over own same she should some such than that the their theirs them themselves then
there these they this those through too under until very was were what when where which while who
whom why will with would you your yours yourself yourselves
also always could day days feel get give good got help know let like live may might much need never
often one please really say see sure take tell thank thing think time today tomorrow use used want
way well yes
私 僕 俺 何 人 日 時 方 事 今 年 月 中 前 後
自分 場合 必要 今日 明日 時間 以上 以下 一緒 可能 利用 使用
"""
_COMMON = frozenset(_COMMON_WORDS.split())


def lines_in_answer(
    lines: Collection[KeptLine], question: str, answer: str
) -> list[KeptLine]:
    """Return the lines that share words with an answer which its question does not contain.

    One word is enough: an answer with a word of a line must not outlive the line. Those with the
    most such words come first.
    """
    if not lines:
        return []
    added = _distinctive_words(answer) - _distinctive_words(question)
    shared: list[tuple[int, KeptLine]] = []
    for line in lines:
        words = added & _distinctive_words(line.text)
        if words:
            shared.append((len(words), line))
    shared.sort(key=lambda one: one[0], reverse=True)
    return [line for _, line in shared]


def _distinctive_words(text: str) -> set[str]:
    """Return the words that distinguish a text from others."""
    words: set[str] = set()
    for found in _WORD.finditer(folded(text)):
        run = found[0]
        if found["pairs"]:
            for place in range(len(run) - 1):
                words.add(run[place : place + 2])
        elif not run.isascii() or len(run) >= _SHORTEST or not run.isalpha():
            words.add(_singular(run))
    return words - _COMMON


def _singular(word: str) -> str:
    """Return a word without the ending of the English plural."""
    if len(word) <= _SHORTEST or word in _COMMON:
        return word
    if not word.endswith("s") or word.endswith("ss"):
        return word
    return word[:-1]
