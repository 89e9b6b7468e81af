"""Whose words they are: what a person types is not all said by them as themself.

Quotations, transcripts ("Bob: …") and material they hand over ("Translate this: …") stand in the
message but are not statements of theirs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from memory.patterns import ASKS, HYPOTHETICAL
from memory.speakers import FIRST_PERSON, FRAME

NOT_OWN = "\x00"  # stands for each character that is not the person's own

_QUOTATION = re.compile(
    r"[\"＂]([^\"\n]{2,400})[\"＂]|[“”„]([^“”„\n]{2,400})[“”]|«([^»\n]{2,400})»|「([^」]{2,400})」"
    r"|『([^』]{2,400})』|《([^》]{2,400})》"
    r"|(?<![\w'])'(?=\S)((?:[^'\n]|(?<=\w)'(?=\w)){2,400})'(?!\w)"
)
# A quotation that says something; a name or a title, as in 「ONE PIECE」が好き, does not.
_SAYS = re.compile(
    r"\b(?:i|i'm|i've|we|we're|my|you|he|she|they|it|is|are|am|was|were|don't|do|not|never|love"
    r"|like"
    r"|hate|prefer|please|always|stop|forget|remember|save|answer|reply)\b"
    r"|(?:です|ます|ません|でした|ました|ない|たい|だ|[いえきしちっにり]た|んだ|いる|てる|る"
    r"|好き|嫌い|苦手|くれ"
    r"|[てで]|ください|下さい|よ|ね)[。!！?？…]*$"
)
# What is loved, read or named between the marks is the person's own choice of words.
_OBJECT_BEFORE = re.compile(
    r"\b(?:love|like|enjoy|prefer|hate|adore|watch|watching|read|reading|play|playing|use|using"
    r"|called"
    r"|named|me|the|a|an|my)\s+$"
)
_OBJECT_AFTER = re.compile(
    r"^[がをもは](?:大|一番|特に)?(?:好|嫌|苦手|見|観|読|遊|使|聴|愛)"
    r"|^と(?:呼|いう名|申)"
)

_LINKS_ONLY = re.compile(r"^[ \t]*(?:https?://\S+[ \t]*)+$", re.MULTILINE)
_COLON = re.compile(r"(?<![:\d]):(?![:\w/\\]{0,30}:)(?=\s|$|[^\x00-\x7f]|[a-z\"'“])")
_LINE_START = re.compile(r"[.!?。\n]")
_MARKS = re.compile(r"^[\s\-*•・#>(\[]+")
_HANDED_OVER = re.compile(
    r"\b(?:translat\w+|proofread\w*|rewrite|rephrase|paraphrase|summari[sz]e|correct|polish|improve"
    r"|fix|review|complete|continue|repeat|transcribe|classify|analy[sz]e|parse|type|copy|paste"
    r"|draft|compose|pretend|imagine|picture|role-?play\w*|suppose)\b"
    r"|\b(?:this|these|the following|below|sample|example|input|text|sentence|phrase|email|message"
    r"|line|quote|caption|lyrics|prompt|says?|said|writes?|wrote|reads?|goes|states?|tells?|told)$"
    r"|\b(?:do|run|execute|perform) ?(?:this|these|the following)?$"
    r"|訳し|翻訳|添削|校正|要約|書き換え|書き直|直して|英訳|和訳|復唱|繰り返|例文|文例|例えば"
    r"|例$|サンプル|引用|歌詞|台詞|セリフ"
    r"|ロールプレイ|実行|想像し|次の(?:文|文章|英文|メール|メッセージ)|以下の(?:文|文章|英文"
    r"|メール|内容)"
)
# A task that takes the rest of the message as its material, colon or not.
_TASK = re.compile(
    r"^(?:(?:please|can you|could you|would you|pls|now|and|then|ok|hey)[, ]+)*"
    r"(?:translate|proofread|rewrite|rephrase|paraphrase|summari[sz]e|transcribe|repeat)\b"
    r"[^.\n]{0,40}\b(?:this|these|the following|below|text|sentence|email|message)\b[^.\n]{0,40}$"
    r"|(?:次|以下|下)の?(?:文|文章|英文|和文|メール|メッセージ|内容|テキスト)?を[^。\n]{0,14}"
    r"(?:訳|翻訳|添削|校正|要約|直し|書き換え|チェック|英語|日本語)[^。\n]{0,12}$"
)
# What one may write before a colon about oneself.
_OWN_LABEL = re.compile(
    r"\b(?:remember|note|know|fyi|btw|by the way|p\.?s|update|edit|correction|reminder|tl;?dr"
    r"|facts?"
    r"|diet|allerg\w*|food|drinks?|hobb\w+|jobs?|work|home|name|likes?|dislikes?|favou?rites?"
    r"|loves?"
    r"|hates?|status|location|stack|languages?|pronouns|about|answers?|anyway|seriously"
    r"|confession|one|thing|context|background|intro|summary|short|heads up"
    r"|hot take|opinion|truth|is|also|me|again)$"
    r"|(?:覚えて(?:おいて|て|ください|おいてください|ほしい)?|メモ|補足|追記|ちなみに"
    r"|好き(?:な(?:もの|食べ物|技術|こと|料理))?"
    r"|嫌い(?:な(?:もの|食べ物))?|苦手(?:な(?:もの|食べ物))?|趣味|仕事|職業|名前|住まい|出身"
    r"|アレルギー|食べ物|飲み物|最近|結論)$"
)

_REMEMBER = re.compile(
    r"^(?:(?:please|pls|hey|hi|ok|okay|can you|could you|and|also)[, ]+)*"
    r"(?:save|store|keep|record|note|remember|memori[sz]e|make a note of|write down)"
    r"(?: (?:this|that|these|the following))?(?: (?:about|for) me)?$"
)
_MINE = re.compile(r"\b(?:my|i (?:said|say|told|mean|meant|repeat))\b")


def own_words(text: str) -> str:
    """Return folded `text` with `NOT_OWN` for each character that the person only hands on."""
    own = list(text)
    links = (found.span() for found in _LINKS_ONLY.finditer(text))
    for start, end in (*links, *_quoted(text), *_handed_over(text)):
        own[start:end] = [c if c == "\n" else NOT_OWN for c in own[start:end]]
    return "".join(own)


def _quoted(text: str) -> Iterator[tuple[int, int]]:
    for found in _QUOTATION.finditer(text):
        (number,) = [i for i, group in enumerate(found.groups(), start=1) if group is not None]
        inside = found[number]
        if not _SAYS.search(inside):
            continue
        before, after = text[max(0, found.start() - 30) : found.start()], text[found.end() :][:12]
        if not (
            (_OBJECT_BEFORE.search(before) and not FIRST_PERSON.search(inside))
            or _OBJECT_AFTER.search(after)
        ):
            yield found.span(number)


def _handed_over(text: str) -> Iterator[tuple[int, int]]:
    line_start = 0
    for line in text.split("\n"):
        task = _TASK.search(line.rstrip(" :。.!"))
        if task and line_start + len(line) < len(text):
            yield line_start + len(line), len(text)
            return
        line_start += len(line) + 1
    for colon in _COLON.finditer(text):
        start = max((m.end() for m in _LINE_START.finditer(text, 0, colon.start())), default=0)
        head = _MARKS.sub("", text[start : colon.start()]).strip(" *_")
        if not head or len(head) > 200 or colon.end() >= len(text.rstrip()):
            continue
        if _may_stand_before(head, ends_line=text[colon.end() :].lstrip(" ").startswith("\n")):
            continue
        yield colon.end(), len(text)
        return


def _may_stand_before(head: str, *, ends_line: bool) -> bool:
    if _REMEMBER.search(head):
        return True
    if _HANDED_OVER.search(head) or HYPOTHETICAL.search(head):
        return False
    if _OWN_LABEL.search(head) and len(head) < 60:
        return True
    if ASKS.search(head):
        return False
    # Without the person in it, what stands before a colon is who speaks: "Bob: I love it".
    return ends_line or bool(FIRST_PERSON.search(FRAME.sub(" ", head)) or _MINE.search(head))
