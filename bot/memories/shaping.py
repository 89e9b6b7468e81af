"""What shaped an answer: the memories whose words are in it, and those that are near it.

Whether an answer has such words is determined when it is given. Which memories are near is computed
when the person asks, from the stored question and answer.
"""

from __future__ import annotations

import re
from collections.abc import Sequence, Set

from bot.app import App
from bot.conversation.audiences import view_at
from bot.ui.acts import ShowShaping
from bot.ui.blocks import SlackView
from bot.ui.done import Click, Done
from bot.ui.shaping import shaping_view
from memory import Memory, subject
from memory.model import folded
from memory.postgres import load_statements, person_statement
from memory.recall import nearest_or_newest

MOST_SHOWN = 5
# Slack opens a window for three seconds after the click.
_EMBEDDING_SECONDS = 1.5
_SQL = load_statements("bot", "shaping")
# What a memory says besides its subject; other fields hold dates, states and categories.
_SAID_BESIDE = ("description", "action", "result", "to")

# --- words -------------------------------------------------------------------------------------

_HIRAGANA = r"\u3040-\u309f"
_KATAKANA = r"\u30a0-\u30ff"
_HAN = r"\u3400-\u9fff\uf900-\ufaff々"
_HANGUL = r"\uac00-\ud7af"
# A reference to a person, channel or group is not a word.
_REFERENCE = re.compile(r"<[@#!][^<>]*>")
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


def distinctive_words(text: str) -> set[str]:
    """Return the words that distinguish a text from others."""
    words: set[str] = set()
    for found in _WORD.finditer(folded(_REFERENCE.sub(" ", text))):
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


def _says_any(memory: Memory, words: Set[str]) -> bool:
    """Return whether what a memory says contains any of these words."""
    said = subject(memory.kind, memory.content)
    for name in _SAID_BESIDE:
        text = memory.content.get(name)
        if isinstance(text, str):
            said = f"{said}\n{text}"
    # Splitting a text into words takes ten times as long as searching it for a few.
    as_compared = folded(said)
    if not any(word in as_compared for word in words):
        return False
    return not words.isdisjoint(distinctive_words(said))


def added_words(question: str, answer: str) -> set[str]:
    """Return the words of an answer that its question does not contain."""
    return distinctive_words(answer) - distinctive_words(question)


def memories_in_answer(
    memories: Sequence[Memory], question: str, answer: str
) -> list[Memory]:
    """Return the memories that share words with an answer which its question does not contain.

    An acknowledgement, which repeats what the person has just said, therefore yields none.
    """
    # Nearly always no memory says any of the words: one search of all texts finds that out.
    everything = folded("\n".join(memory.text for memory in memories))
    said = {word for word in added_words(question, answer) if word in everything}
    if not said:
        return []
    return [memory for memory in memories if _says_any(memory, said)]


# --- on the click ------------------------------------------------------------------------------


async def show_shaping(app: App, click: Click, act: ShowShaping) -> Done | SlackView:
    """Return what shaped the answer of a turn of the person, while its texts are kept.

    Memories that the conversation may know now are considered. At most `MOST_SHOWN` are shown,
    those with words in the answer first.
    """
    person = click.person
    rows = await person_statement(app.pool, person, _SQL["texts"], {"turn": act.turn})
    if not rows:
        return click.say("others_answer", beside=True)
    [row] = rows
    question = row["question"]
    reply = row["reply"]
    view = await view_at(app, person, row["channel"], row["ts"], row["audience"])
    found = await nearest_or_newest(
        app.pool, app.embedder, view, f"{question}\n{reply}", seconds=_EMBEDDING_SECONDS
    )
    near = found.nearest
    marked = frozenset(one.key for one in memories_in_answer(near, question, reply))
    marked_first = sorted(near, key=lambda memory: memory.key not in marked)
    return shaping_view(click.localizer, marked_first[:MOST_SHOWN], marked)
