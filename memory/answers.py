"""A bare yes or no, and the question of ours that it answers."""

from __future__ import annotations

import re
from typing import Literal, TypeAlias

from memory.clauses import fold, normalise

Answer: TypeAlias = Literal["yes", "no"]

MAX_QUESTION = 300  # characters

_YES = re.compile(
    r"(?:(?:yes|yeah|yea|yep|yup|ya|correct|right|exactly|indeed|true|absolutely|definitely|totally"
    r"|of course|sure|that s (?:right|correct|true)|you re right|i (?:do|am|have|did|would)"
    r"|it is|it does|still do|still am|はい|ええ|うん|そう(?:です|だよ|だね|なんです|なの)?(?:ね"
    r"|よ)?|そうそう"
    r"|もちろん(?:です)?|その(?:通|とお)り(?:です)?|(?:合|あ)って(?:ます|る|います)(?:よ)?"
    r"|正解(?:です)?"
    r"|好きです|大好きです|まさに)"
    r"(?: |$))+"
)
_NO = re.compile(
    r"(?:(?:no|nope|nah|never|not (?:really|anymore|any more|at all|me)|no longer|wrong|incorrect"
    r"|i (?:don t|do not|m not|am not|haven t|have not|didn t)|that s (?:wrong|not (?:right|true))"
    r"|いいえ|いえ|いや|ううん|違います|違う(?:よ)?|ちがいます|ちがう(?:よ)?|そうでは(?:ない"
    r"|ありません)(?:です)?"
    r"|そうじゃ(?:ない|ありません)(?:です)?|もう(?:いいえ)?)(?: |$))+"
)
_END = re.compile(r"[?？]\s*$|か[。\s]*$")
_SENTENCE = re.compile(r"(?<=[.!?。！？])\s*|\n+")

_ABOUT_YOU = re.compile(
    r"\b(?:are|were|do|did|have|is|was|does|don't|aren't) (?:you|your|it|that)\b"
    r"|\byou(?:r|'re|'ve)?\b"
    r"|(?:好き|嫌い|苦手|得意|お持ち|です|ます|でしょう|なん|んだ|[てで]る|いる|た|食べる|飲む"
    r"|使う)"
    r"(?:よ|ね|か|の|んです|のです)*$"
)
_OFFER = re.compile(
    r"\b(?:want|would you like|shall|should|can|could|may|must|will|let me|need|ready|how about"
    r"|what about|care for|feel like|fancy|up for|interested in (?:seeing|hearing|trying)|okay|ok"
    r"|remember|save|store|forget)\b"
    r"|ましょうか|よろしい|いかが|どうです|どう(?:か|\?)|を[^、。]{1,14}ますか|覚え|保存|記憶"
    r"|忘れ|欲しい|ほしい|ていい|ても?いいです|必要|[要い]りますか|入用|手伝"
)
_CHOICE = re.compile(
    r"\bor\b|^(?:\W*(?:and|so|but|then) )?(?:what|which|who|whom|whose|where|when|why|how)\b"
    r"|それとも|どちら|どっち|どれ|何|なに|どの|どこ|いつ|誰|だれ|なぜ|どうして"
)


def bare_answer(text: str) -> Answer | None:
    """Say whether the whole of `text` is a yes, a no, or neither."""
    words = normalise(text)
    if _YES.fullmatch(words):
        return "yes"
    return "no" if _NO.fullmatch(words) else None


def final_question(reply: str) -> str | None:
    """Return the question `reply` ends with, without Markdown, or None."""
    sentences = [s for s in _SENTENCE.split(re.sub(r"[*_~`#>]", "", reply)) if s and s.strip()]
    if not sentences or not _END.search(sentences[-1]):
        return None
    return sentences[-1].strip()[-MAX_QUESTION:]


def asks_about_person(question: str) -> bool:
    """Say whether a yes to `question` says something about the person.

    It does not where we offer to do something, ask for leave, or name a choice.
    """
    asked = fold(question).rstrip(" ?。!")
    return bool(_ABOUT_YOU.search(asked)) and not (_OFFER.search(asked) or _CHOICE.search(asked))
