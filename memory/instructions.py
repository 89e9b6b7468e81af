"""Standing wishes about the form of answers; nothing else may be asked for once and for all.

Allowed is what changes how an answer reads: its language, length, format and tone, and what the
person is called. Refused is all that would make the app act, or depend on somebody or something.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from memory.clauses import fold
from memory.reading import Quote, Refusal, shares, texts

_LANGUAGES = (
    "english|french|german|spanish|italian|portuguese|japanese|korean|chinese|mandarin|cantonese"
    "|dutch|polish|russian|ukrainian|arabic|hindi|turkish|swedish|norwegian|danish|finnish|greek"
    "|czech|vietnamese|thai|indonesian|hebrew|romanian|hungarian|my (?:own )?language"
)
_FORM = re.compile(
    rf"\b(?:in|to|use|speak|write) (?:\w+ )?(?:{_LANGUAGES})\b"
    r"|\b(?:short(?:er)?|brief(?:ly|er)?|concise(?:ly)?|terse(?:ly)?|long(?:er)?|detail(?:s|ed)?"
    r"|in depth|(?:one|two|three|few|fewer|\d+) (?:sentences?|lines?|words?|paragraphs?)"
    r"|to the point"
    r"|bullet(?:s| ?points?| lists?)?|(?:numbered )?lists?|tables?|headings?|markdown|plain text"
    r"|paragraphs?|steps?|step by step|emojis?|code blocks?|examples?|summar(?:y|ies)|tl;?dr"
    r"|verbose|wordy|chatty|long-winded|length|professional|serious|cheerful|formal(?:ly)?"
    r"|informal(?:ly)?|casual(?:ly)?|polite(?:ly)?|friendly|direct(?:ly)?"
    r"|blunt(?:ly)?"
    r"|simple|simply|plain (?:english|language|words)|technical|jargon|humou?r|jokes?|tone|keigo"
    r"|metric|celsius|fahrenheit|24-hour|lower ?case|capital letters|first name|pronouns)\b"
    r"|\b(?:call|address|refer to) me\b"
    r"|[一-龥ァ-ヶー]{1,6}語(?!彙)|箇条書き|リスト|表で|表形式|番号付き|見出し|短く|短め|短い"
    r"|簡潔|手短|長め|長く|詳し|一言|[\d一二三]行"
    r"|絵文字|顔文字|敬語|タメ口|ため口|丁寧|カジュアル|フランク|砕けた|やさしい|優しい|易しい"
    r"|わかりやす|分かりやす|専門用語|口調|語尾"
    r"|結論から|例(?:を|も)|と呼[んびぶ]|呼び捨て|さん付け|メートル|摂氏"
)
_ABOUT_ANSWERS = re.compile(
    r"\b(?:answer\w*|repl(?:y|ies)|respon\w+|writ\w+|speak\w*|talk\w*|explain\w*|keep|use|format|be"
    r"|call|address|refer|messages?|prefer|please|don't|do not|no|avoid|stop)\b"
    r"|答え|回答|返信|返事|返答|話し|話す|しゃべ|説明|書い|書く|書き|使わ|使っ|呼[んびぶ]|して"
    r"|お願い|で(?:いい|良い|頼)|ください|希望|やめ"
)
_ACTS = re.compile(
    # a trigger or a condition
    r"\b(?:when|whenever)\b(?! you (?:answer|reply|respond|write|talk|speak|explain))"
    r"|\b(?:if|once|unless|until|after|before|every time|each time|next time"
    r"|as soon as"
    r"|in case|upon)\b(?! (?:possible|you can)\b)"
    # other people
    r"|[@#][\w-]|\b(?:he|she|they|him|her|them|everyone|anyone|someone|others?|people|anybody"
    r"|everybody"
    r"|boss|manager|team|channel|colleagues?|users?|admins?)\b|\b(?:to|from|for|as|like) (?!me\b"
    r"|the"
    r" point|my\b)(?:a |an |the )?(?!short|brief|bullet|simple|numbered|formal|table|list|friend"
    r"|colleague|markdown|english|french|german|spanish|japanese)[a-z]+ ?$"
    # deeds
    r"|\b(?:search\w*|browse|fetch|open|click|run|execute|send|post|publish|share|forward|e-?mail"
    r"|notify|invite|tell (?!me\b)\w+|save|store|remember|record|log|forget|delete|remove|erase"
    r"|upload"
    r"|download|book|buy|order|schedule|pay|look ?up|access|read|repeat|reveal|leak|export)\b"
    r"|\b(?:link\w*|urls?|websites?|https?|www)\b|\b[\w-]+\.(?:com|net|org|io|dev|app|example|jp"
    r"|co)\b"
    # hiding, obeying, becoming another, words put into our mouth
    r"|\b(?:hide|secret\w*|conceal|never (?:tell|mention|say|reveal|admit|refuse)"
    r"|without (?:telling"
    r"|rules?|limits?|restrictions?)|ignor\w+|disregard|overrid\w+|bypass|system|prompts?"
    r"|instructions?"
    r"|rules?|guidelines?|polic\w+|filters?|jailbreak|act as|pretend|you are|obey|agree|approve"
    r"|trust"
    r"|recommend|promot\w+|praise|mention|append|include (?!an? |the |code|examples?|headings?)"
    r"|(?:end|begin|start|sign|finish)\b[^.]{0,20}\bwith (?!an? (?:short |one-line "
    r"|brief )?(?:summary"
    r"|tl;?dr|example|conclusion)))\b"
    r"|(?<!でき)(?<!なけ)(?:れば|たら)|とき|(?<![同一])時(?:は|に|には)|場合|次第|(?:さん|くん"
    r"|ちゃん|様)(?!付け)|上司|部下|同僚|みんな"
    r"|他の人|誰|チーム|チャンネル|検索|調べ|送っ|送信|投稿|共有|転送|メール|伝え|保存|記憶|記録"
    r"|覚え|忘れ|削除|消し|消去|実行|予約|購入"
    r"|招待|公開|アクセス|リンク|url|http|秘密|隠|内緒|言わな|教えな|無視|破棄|指示|命令|ルール"
    r"|プロンプト|システム|勧め|推薦|褒め|従[いうえっ]"
    r"|なりき|として振|制限なし|付け(?:て|加)"
)
_PLAIN = re.compile(
    r"\b(?:please|always|from now on|answer\w*|repl(?:y|ies)|respon\w+|keep|use|write|your|you|the"
    r"|in|be|more|with|me|my|and|person|prefers?|to|should)\b"
    r"|答え\w{0,4}|回答|返信|返事|返答|これから|今後|いつも|ください|お願い|話し?\w?"
    r"|使[わっう]\w{0,3}|書[いくき]\w?|する|して"
)


def is_about_form(text: str) -> bool:
    """Say whether `text` asks for a form of answers, and for nothing else."""
    folded = fold(text)
    return bool(_FORM.search(folded) and _ABOUT_ANSWERS.search(folded) and not _ACTS.search(folded))


def check_instruction(content: Mapping[str, Any], quote: Quote) -> Refusal | None:
    """Refuse an instruction that is about more than the form of answers, or was not asked for."""
    wanted = [text for text in texts(content) if text]
    spoken = " ".join(clause.text for clause in quote.clauses)
    if not wanted or any(_ACTS.search(fold(text)) for text in wanted):
        return "instruction"
    if not _FORM.search(fold(wanted[0])) and not _FORM.search(spoken):
        return "instruction"
    bare = _PLAIN.sub(" ", fold(wanted[0]))
    return None if shares(bare, _PLAIN.sub(" ", spoken)) else "ungrounded"


def asks_for_form(sentences: Sequence[str]) -> bool:
    """Say whether the sentences around a quote ask for a form of answers, and for nothing else."""
    return all(not _ACTS.search(sentence) for sentence in sentences) and any(
        is_about_form(sentence) for sentence in sentences
    )
