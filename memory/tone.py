"""Whether words are meant: jokes, irony, play, wishes, doubts, and what is over."""

from __future__ import annotations

import re
from collections.abc import Sequence

from memory.clauses import Said
from memory.patterns import HYPOTHETICAL
from memory.speakers import REPORTED

_IRONY = re.compile(
    r"(?:^|\s)/s(?:arc(?:asm)?)?\b|[🙄🙃😒]|:(?:face_with_rolling_eyes|roll(?:ing)?_?eyes"
    r"|upside_down_face"
    r"|unamused):"
    r"|#sarcasm|\bsarcas\w*|\bsaid no[- ]?(?:one|body)\b|\byeah,? right\b|\bas if\b|\bnot!?$"
    r"|^\W*(?:oh|just|well|wow|gee|yay)?,? ?(?:great|joy|goody|lovely|wonderful|fantastic|brilliant"
    r"|perfect|awesome|super|nice)\b,? ?(?:another|more|again|now|just|i (?:just|simply|really"
    r"|so))\b"
    r"|^\W*oh,? (?:great|joy|goody|lovely|wonderful|fantastic|brilliant|perfect|awesome)\b"
    r"|\b(?:just|simply) (?:love|adore|enjoy)\b (?:it (?:when|how)|being|getting|having to|waiting"
    r"|when|how)\b"
    r"|\((?:棒(?:読み)?|皮肉|白目|遠い目|嘘|うそ|大嘘|冗談|not)\)|棒読み|なんちゃって"
    r"|なんて(?:ね|な)$"
    r"|なんつって"
    r"|わけ(?:が|は)?(?:ない|ねえ|ありません)|(?:とか|なんて|って)言ってみ"
    r"|(?:って|と)(?:言う|いう)と(?:思った|思いました)"
)
_DRAWN_OUT = re.compile(r"([a-z])\1{2,}")  # "looove"
# A sentence that takes back the one before it.
_TAKEN_BACK = re.compile(
    r"^\W*(?:just kidding|only joking|joking|kidding|jk|j/k|lol jk|not|nope|psych|sike"
    r"|i'm (?:joking"
    r"|kidding|lying)|that was a (?:joke|lie)|it's a joke|scratch that|never ?mind that"
    r"|i take (?:it"
    r"|that) back|なんてね|なんちゃって|なんつって|(?:という)?(?:冗談|嘘|うそ)(?:です|だよ"
    r"|だけど|でした|だ)?|っていうのは"
    r"(?:冗談|嘘)[^。]{0,6}|(?:…|\.)*(?:って|と)(?:言う|いう)と(?:思った|思いました))(?:\W|よ|ね"
    r"|笑|w)*$"
)
_PLAY = re.compile(
    r"\b(?:pretend|role-?play\w*|imagine|picture (?:this|that|yourself)|make believe|in character"
    r"|in (?:my|a|the|last night's) dreams?|i dream(?:t|ed)|fictional(?:ly)?"
    r"|for the sake of argument)\b"
    r"|ロールプレイ|ごっこ|という(?:設定|てい|体)で|想像して|なりきっ|演じて|架空|夢の中"
    r"|夢[をに](?:見|出)"
)
_UNSURE = re.compile(
    r"\b(?:might|maybe|perhaps|some ?day|one day|not sure (?:if|whether))\b"
    r"|かもしれ|かも(?:ね|な|です)?(?:$|[。!])|いつか[^。]{0,20}な[るり]"
)
_WISH = re.compile(
    r"\b(?:i wish|if only|would(?:n't)? (?:i|it)\b|i'd be happier)\b"
    r"|たら(?:な|なあ|なぁ|いいな|いいのに|よかった|良かった|楽し)|(?:なら|れば)(?:いい|よかった"
    r"|良かった)(?:のに|な)|だろうか"
    r"|(?:る|だ|た)として(?:、|は|も)?(?=[^。]*(?:いくら|何|どう|どこ|いつ|どれ))"
)
_WAS = re.compile(
    r"\bused to\b|\bno longer\b|\bformerly\b|\bback (?:then|in the day)\b|\bas a (?:child|kid"
    r"|student)\b"
    r"|\bonce (?:loved|liked|used|lived|worked|hated)\b"
    r"|(?:昔|以前|かつて|子どもの頃|子供の頃|学生時代|若い頃)[^。]{0,60}(?:た|でした|だった)(?:$"
    r"|[。!、けがよね])"
)
_GOT_USED = re.compile(r"\b(?:am|i'm|are|is|be|been|get|got|getting|gotten|becoming) used to\b")
_WAS_CONTENT = re.compile(r"\bused to\b|\bformer|\bpreviously\b|\bex-|昔|以前|かつて|元|た$|だった")


def not_meant(said: Said, sentences: Sequence[int], after: Said | None) -> bool:
    """Say whether any of these sentences is a joke or irony.

    `after` is the person's next message, which may take this one back.
    """
    first, last = min(sentences), max(sentences)
    around = (said.sentence(number) for number in {*sentences, max(0, first - 1)})
    if any(_IRONY.search(_DRAWN_OUT.sub(r"\1", sentence)) for sentence in around):
        return True
    following = [said.sentence(n) for n in range(first + 1, min(last + 2, len(said.sentences)))]
    if last + 1 == len(said.sentences) and after and after.sentences:
        following.append(after.sentence(0))
    return any(_TAKEN_BACK.search(sentence) for sentence in following)


def is_play(said: Said, last: int) -> bool:
    """Say whether what is said up to the sentence `last` sets up a game or a story."""
    return any(_PLAY.search(said.sentence(number)) for number in range(last + 1))


def is_wish(sentence: str) -> bool:
    """Say whether a folded sentence supposes or wishes instead of saying."""
    return bool(HYPOTHETICAL.search(sentence) or _WISH.search(sentence))


def is_hearsay(before: str, after: str) -> bool:
    """Say whether the words around a quote lay it into somebody's mouth, or deny it."""
    return bool(REPORTED.search(before) or REPORTED.search(after))


def is_unsure(clause: str) -> bool:
    """Say whether a folded clause leaves open whether it is so."""
    return bool(_UNSURE.search(clause))


def is_over(clause: str) -> bool:
    """Say whether a folded clause tells only of what once was."""
    return bool(_WAS.search(_GOT_USED.sub(" ", clause)))


def tells_of_then(content: str) -> bool:
    """Say whether folded content itself says that it is past."""
    return bool(_WAS_CONTENT.search(content))
