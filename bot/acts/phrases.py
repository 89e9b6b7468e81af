"""Requests about memory in a person's own words: one table of phrases, English and Japanese.

Messages, ``/memories`` and ``/forget`` are heard by it, before any model is asked and whatever one
would do. A request is heard by its form alone: it is the whole message, or *don't remember this*
and *keep this for the channel* at the beginning of one, or *don't remember this* at its end. ::

    first row of `_WHOLE` that fits the whole text        "forget what I said about ramen"
      └─▶ first row of `_BEGINNINGS`, with the rest       "off the record, I may leave in May"
            └─▶ THIS as a sentence at the end             "I may leave in May. Don't save this."

A phrase is a regular expression in which ``<name>`` stands for one of `_PARTS`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from memory.model import normalized

What: TypeAlias = Literal[
    "not_this", "before", "undo", "pause", "tomorrow", "here", "resume", "everything", "data",
    "export", "settings", "forget", "since", "keep", "decision", "list", "changes",
    "channel", "help",
]  # fmt: skip
"""What is asked for. Of the message: ``not_this`` to leave it out of memory, ``keep`` and
``decision`` to keep the rest of it for the channel; ``before``: to leave out the message before;
``undo``: that, or the forgetting that was done since.
Of memory: ``pause`` everywhere, for a time or until the person turns it on, or until ``tomorrow``;
``here``: pause it in this conversation; ``resume``. Of memories: to ``forget`` those with some
words, those ``since`` a time, or ``everything``; to show a ``list``, the ``changes``, or what is
kept for the ``channel``. Of data: to delete all ``data``, or ``export`` it."""

# Characters of what is compared with phrases, whose time grows with them.
_LONGEST = 300

_PARTS: Mapping[str, str] = {
    "dont": r"(?:(?:do not|don'?t)(?: ever)?|never)",
    "keep": r"(?:remember|save|store|keep|record|memori[sz]e|note|log)",
    "keeping": r"(?:remember|sav|stor|keep|record)ing",
    "noting": r"(?:remembering|learning|taking notes)",
    "kept": r"(?:remembered|saved|stored|kept|recorded)",
    "this": r"(?:this|it|that)",
    "memory": r"(?:your |the |my )?memor(?:y|ies)",
    "settings": r"(?:my |the |your )?(?:memory )?(?:settings|preferences)",
    "off": r"(?:pause|stop|turn off|switch off|disable|suspend)",
    "here": r"(?:here|in here|in (?:this|our) (?:channel|chat|conversation|thread|dm|group))",
    "things": (
        r"(?: (?:me|anything|everything|things|stuff|what I (?:say|write|tell you)|about me"
        r"|again))*"
    ),
    "erase": r"(?:forget|delete|erase|remove|wipe|clear|get rid of)",
    "said": r"I(?:'ve| have)?(?: just)? (?:said|told you|wrote|mentioned|written)",
    "time": (
        r"(?P<count>\d{1,3}|half an|an?|one|two|three|four|five|six|ten) ?"
        r"(?P<unit>minute|min|hour|hr|h|day)s?"
    ),
    "x": r"(?P<words>(?!(?:it|that|this|to)\b)[^.,:;!?。、：！？\n]{1,80}?)",
    # Japanese: what may follow a verb in its te-form or after ないで.
    "ください": (
        r"(?:ください|下さい|(?:ほし|欲し)い|もら(?:え|い)(?:ます|ません|る|たい)?|くれ(?:ます|ません|る|ない)?"
        r"|いただ(?:け|き)(?:ます|ません|たい)?|おいて|も?(?:い|よ)い)?"
        r"(?:ください|です|のです|んです|か|ね|よ|な|お願いします)*"
    ),
    "覚えないで": (
        r"(?:何も|一切|絶対に)?(?:覚え|記憶し|記録し|保存し|残さ|(?:メモリー?|記憶|記録)には?残さ)ないで<ください>"
    ),
    "覚えなくて": (
        r"(?:覚え|記憶し|記録し|保存し|残さ)なくて<ください>(?:大丈夫|結構|構わない)?(?:です)?<ください>"
    ),
    "覚えた": r"(?:覚え|記憶し|保存し|記録し)(?:た|てい?る)",
    "けど": r"(?:です)?(?:(?:の|ん)(?:です|だ)?)?(?:が|けど)?",
    "たい": r"たい<けど>",
    "忘れて": r"(?:<全部>|もう)?忘れて<ください>",
    "消して": (
        r"(?:<全部>|完全に)?(?:記憶から|記録から)?(?:忘れ|消し|消去し|削除し|取り消し)て<ください>"
    ),
    "止めて": r"(?:一時)?(?:オフに(?:し|切り替え)|止め|停止し|中断し|切っ|やめ)て<ください>",
    "記憶": r"(?:私の|あなたの|会話の)?(?:記憶|記録|メモリー?|保存)(?:機能)?",
    "全部": r"(?:全部|すべて|全て|ぜんぶ|残らず|何もかも|(?:まる|丸)ごと|一切)",
    "時間": (
        r"(?:今から|これから)?(?P<count>\d{1,3}|[一二三四五六十半])(?P<unit>分|時間|日)"
        r"(?:間|ほど|くらい|だけ|の間)*"
    ),
    "さっき": r"(?:たった)?(?:今|いま|さっき|先ほど|先程|直前|ひとつ前|一つ前)",
    "ここ": r"(?:ここ|この(?:スレッド|チャンネル|会話|チャット|グループ|DM))",
}
_UNITS = {
    "minute": 1, "min": 1, "分": 1, "hour": 60, "hr": 60, "h": 60, "時間": 60, "day": 1_440,
    "日": 1_440,
}  # fmt: skip
_COUNTS = {
    "half an": 0.5, "半": 0.5, "a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4,
    "five": 5, "six": 6, "ten": 10, **dict(zip("一二三四五六", range(1, 7), strict=True)), "十": 10,
}  # fmt: skip

_THIS = (
    r"<dont> <keep> <this>(?: (?:in|to|for|down)(?: <memory>| me)?)*",
    r"(?:this is |keep this |that was )?off the record",
    r"(?:this|that)(?: is|'s) not to be <kept>",
    r"(?:just )?between us,?(?: and)? not for <memory>",
    r"keep <this> out of (?:your |the |my )?(?:notes|memory|memories|records)",
    r"(?:answer|reply|help)(?: me)? without <keeping> <this>",
    r"(?:これ|この話|この件|ここ|次(?:の内容|の話)?|以下|このメッセージ)(?:から先)?(?:は|を|の内容は|って)?、?<覚えないで>"
    r"(?:話です)?",
    r"<覚えなくて>",
    r"<覚えないで>(?:話です)?",
    r"(?:これは|この話は)?オフレコ(?:で(?:お願いします|話します|す)?)?",
)
_FORGET_IT = r"I don'?t want it <kept>|<dont> <keep> <this>"
_WHOLE: Sequence[tuple[What, Sequence[str]]] = (
    ("before", (
        *_THIS,
        rf"forget (?:that|this|what <said>|(?:my|the|that) (?:last|previous) (?:message|bit|thing))"
        rf"(?:,?(?: and)? (?:{_FORGET_IT}))?",
        r"(?:scratch|strike|scrap|ignore|delete|erase)"
        r" (?:that|(?:my|that|the) last (?:message|one|bit|thing)|what <said>)",
        rf"(?:scratch|undo|delete|drop|erase|ignore) (?:that|this|it|my last message),?"
        rf"(?: and)? (?:{_FORGET_IT})",
        r"(?:<さっき>(?:の(?:は|話|件|発言|メッセージ|こと|内容)?|(?:に)?(?:言っ|話し|書い|送っ)た(?:こと|の|話|内容))?"
        r"|それ|これ|(?:この|その)話)(?:は|を|も)?、?(?:なし(?:で|にして)[。、]?)?(?:<忘れて>|<消して>|<覚えないで>|<覚えなくて>)",
        r"(?:<さっき>の(?:は|話は)?|それは?)?、?(?:なし(?:で|にして)|なかったことにして)<ください>",
        r"忘れて<ください>",
    )),
    ("undo", (
        r"(?:undo|revert)"
        r"(?: (?:<this>|the last (?:one|change|thing)|what you just (?:did|saved)))?",
        r"take <this> back",
        r"(?:<さっき>の(?:変更)?(?:を|は)?|それを?)?、?(?:元に戻し|もとに戻し|取り消し)て<ください>",
        r"<さっき>の変更(?:を|は)?、?(?:なし|なかったこと)にして<ください>",
    )),
    ("since", (
        r"<erase> (?:(?:everything|what|all)(?: that)?(?: <said>)? )?"
        r"(?P<today>today|(?:(?:from|in|during|within|of) )?the (?:last|past) (?:<time>|hour))",
        r"(?P<今日>今日)(?:に)?(?:話し|言っ)た(?:こと|話)(?:を|は)、?<忘れて>",
        r"(?:この|ここ|直近の?|過去)<時間>(?:に(?:話し|言っ)た)?の?こと(?:を|は)、?<忘れて>",
    )),
    ("everything", (
        r"<erase> (?:everything|all)(?: that)? (?:about me|you(?:'ve| have)? "
        r"(?:know|remember(?:ed)?|learned|stored)(?: (?:about|of) me)?|<said>)",
        r"forget (?:everything|all|me|<全部>)",
        r"<erase> (?:all )?(?:of )?<memory>(?: (?:of|about) me)?",
        r"(?:(?:私|僕|俺|自分)(?:(?:の|について(?:の)?|に関する)(?:こと|記憶|話|内容)?(?:を|は)?)?|記憶を"
        r"|(?:覚え|保存し|記憶し)(?:た|てい?る)(?:こと|もの|内容)[をは]?)、?"
        r"<全部>(?:忘れ|消し|消去し|削除し)て<ください>",
        r"(?:今まで|これまで)(?:に)?(?:覚え|話し|言っ)たこと(?:を|は)?、?<全部>?(?:忘れ|消し)て<ください>",
        r"<全部>忘れて<ください>|<全部>の記憶を<消して>",
    )),
    ("data", (
        r"<erase> (?:all )?(?:of )?(?:the |my )?(?:personal )?(?:data|information)(?: that)?"
        r"(?: (?:you have|you hold|you store|about me|on me|of mine|from (?:your|the) systems?))+",
        r"<erase> (?:all )?(?:of )?my (?:personal )?(?:data|account)",
        r"I want (?:all (?:of )?)?my (?:personal )?(?:data|account)(?: and everything in it)?"
        r"(?: to be)? (?:deleted|erased|removed)",
        r"(?:私(?:の|に関する|についての)|自分の|個人)(?:個人)?(?:データ|情報|アカウント)(?:を|は)?、?<消して>",
        r"(?:(?:データ|情報)(?:を|は)?(?:<全部>|完全に)|<全部>の(?:データ|情報)[をは])"
        r"(?:消し|消去し|削除し)て<ください>",
        r"アカウント(?:を|は)?(?:消し|消去し|削除し)(?:て<ください>|たい(?:です)?)",
        r"(?:私の)?(?:個人)?(?:データ|情報|アカウント)の(?:削除|消去)を?お願い(?:します|できますか)",
    )),
    ("export", (
        r"(?:export|download|back up|send me|give me|get|have)(?: me)?"
        r"(?: an? (?:copy|export|download|backup|file) of)?(?: all)?(?: of)? "
        r"(?:my (?:data|memories)|(?:everything|what) you (?:know|have|remember)"
        r"(?: (?:about|on) me)?)",
        r"(?:私の)?(?:データ|記憶|メモリー?)(?:のコピー)?を<全部>?(?:ファイルで)?"
        r"(?:(?:エクスポートし?|ダウンロードし?|書き出し)(?:て<ください>|<たい>)|送って<ください>|ください"
        r"|もら(?:え|い)(?:ます|たい)(?:です)?か?|(?:ほし|欲し)い<けど>)",
    )),
    ("settings", (
        r"(?:(?:open|show|show me|see|find|change|edit|go to|bring up|pull up|get(?: me)? to"
        r"|take me to|where are|what are) )?<settings>",
        r"(?:where|how) (?:can|do) I (?:open|see|find|change|edit)"
        r" <settings>",
        r"(?:記憶の|私の)?設定(?:を(?:開い|見せ|表示し|変更し)て<ください>|を(?:開き|見|変え|変更し)<たい>"
        r"|(?:は|を)どこ[^。]{0,12})?",
    )),
    ("here", (
        r"(?:(?:turn on|go|switch to|use|start|enable|I'd like|I want) )?(?:an? )?"
        r"(?:incognito|private)(?: mode| chat| conversation)?(?: on)?|turn incognito(?: mode)? on",
        r"(?:(?:start|open|begin|make this) )?(?:an? )?temporary (?:chat|conversation)",
        r"(?:<off> <memory>|(?:turn|switch) <memory> off|(?:memory )?off|pause) <here>",
        r"(?:<dont> <keep> anything|stop <noting><things>|(?:(?:go|stay|be) )?off the record)"
        r" <here>",
        r"シークレット(?:モード)?(?:(?:を(?:オン|有効)|)に(?:し|切り替え)て<ください>|でお願いします)?",
        r"一時(?:的な)?チャット(?:(?:に(?:し|切り替え)|を(?:始め|開始し))て<ください>|でお願いします)?",
        r"(?:(?:start|open|begin|have|use|I want|I need|I'd like) )?an? (?:chat|conversation)"
        r"(?: that| which)?(?: (?:leaves|with) no (?:trace|memory|record)s?"
        r"| you (?:<dont>|won't|can't) <keep>| (?:isn't|is not|is never) <kept>"
        r"| without (?:(?:a )?trace|<memory>|<keeping><things>))",
        r"(?:記憶|記録|履歴|跡)(?:に|を|が)?残[さら](?:ない(?:で)?|ずに)(?:会話|チャット|話)"
        r"(?:を|に|が)?(?:し|始め)?(?:たい(?:です)?|て<ください>|でお願いします)?",
        r"<ここ>で(?:(?:の会話|話すこと|言うこと)?は|の会話を)?、?(?:<記憶>(?:を|は))?(?:<止めて>|<覚えないで>)",
    )),
    ("tomorrow", (
        r"(?:<off> <memory>|(?:turn|switch) <memory> off|stop <noting><things>|pause)"
        r" (?:until tomorrow(?: morning)?|(?:for )?today)",
        r"(?:明日まで|今日は)、?<記憶>を<止めて>",
    )),
    ("pause", (
        r"(?:<off> <memory>|(?:turn|switch) <memory> off|stop <noting><things>|pause)"
        r"(?:,? (?:for )?(?:the )?(?:next )?<time>)?",
        r"(?:(?:<時間>|しばらく|当分)、?)?<記憶>(?:を|は)<止めて>",
        r"(?:私のこと|何も)?(?:を)?(?:覚え|メモを?[取と])るのを<止めて>",
        r"<dont> <keep> (?:anything|things)(?: down)?(?:,? for (?:the )?(?:next )?<time>)?",
        r"(?:<時間>|しばらく|当分)(?:は|、)?<覚えないで>",
    )),
    ("resume", (
        r"(?:turn on|switch on|enable|restart) <memory>|(?:resume|unpause)(?: <memory>)?",
        r"(?:turn|switch) <memory> (?:back )?on",
        r"(?:start|begin|resume) <noting><things>",
        r"(?:remember|take notes|learn)<things>(?<=again)",
        r"(?:go |come )?back to normal(?: mode)?",
        r"(?:exit|leave|end|stop|turn off|switch off) (?:the |this )?"
        r"(?:incognito|private|temporary)(?: mode| chat| conversation)?",
        r"<記憶>を(?:オンに(?:戻し|し)|再開し|有効にし|戻し)て<ください>|再開(?:して<ください>)?",
        r"(?:普通|通常)(?:モード)?に戻(?:し|っ)て<ください>",
        r"(?:シークレット(?:モード)?|一時(?:的な)?チャット)を(?:終了し|解除し|終え|やめ|オフにし)て<ください>",
        r"(?:また|今後は|これからは)、?(?:覚え|記憶し|記録し|メモを?[取と]っ)(?:(?:はじ|始)め)?て<ください>",
        r"(?:もう|また)、?(?:覚え|記憶し|記録し)ても?[いよ]い(?:です)?<ください>",
    )),
    ("list", (
        r"what (?:do|have) you (?:know|learn|remember)(?:ed|t|n)?(?: (?:about|of) me| so far)+",
        r"what (?:do you remember|did you <keep>|have you(?: got)? <kept>)"
        r"(?: (?:about|of|on) me| so far| from (?:this|our) (?:chat|conversation)| today)*",
        r"what have I told you(?: about me| so far)*",
        r"(?:(?:show(?: me)?|list|see|tell me) )?"
        r"what(?:'s| is| has been) (?:<kept>|on file) about me",
        r"(?:show(?: me)?|list|see|tell me)(?: all(?: of)?)? (?:my memories|"
        r"(?:everything|what|all)(?: that)? you(?:'ve| have)? (?:remember|know|learn|store|save)"
        r"(?:ed|d|t|n)?(?: (?:about|of|on) me)?)",
        r"(?:(?:私|僕|俺|自分)に?(?:のこと|ついて)?[、はでを]*)?[何なに]+[をが]"
        r"(?:知って|覚えて|(?:記憶|保存|登録|記録)(?:し|され)て)い?(?:る|ます)(?:か|の)?",
        r"(?:私の)?記憶(?:の一覧)?を<全部>?(?:見せ|表示し)て<ください>",
        r"(?:(?:私|僕|俺|自分)(?:のこと)?(?:について|を|の)?、?)?(?:知って|覚えて|(?:記憶|保存|登録|記録)(?:し|され)て)"
        r"(?:い?る|ある)(?:こと|内容|もの|情報)(?:を|は)?、?<全部>?(?:を)?"
        r"(?:(?:見せ|教え|表示し)て<ください>|見<たい>)",
        r"(?:(?:これまで|今まで)に?)?(?:[何なに]+を<覚えた>の?か|<覚えた>(?:こと|もの|内容))(?:を|は)?、?"
        r"(?:[1一]つ(?:ずつ|づつ))?<全部>?(?:(?:見せ|教え|表示し)て<ください>|(?:見|確認し)<たい>)",
    )),
    ("changes", (
        r"(?:show me |open )?(?:the |my )?(?:memory )?(?:history|changes)(?: of <memory>)?",
        r"記憶の履歴を(?:見せ|表示し|開い)て<ください>",
    )),
    ("forget", (
        r"forget something|there(?: is|'s) something (?:I want you|you need|for you) to forget",
        r"(?:忘れ|消し|消去し|削除し|取り消し)(?:て(?:(?:ほし|欲し)い|(?:もら|いただ)[いき]たい)|たい)(?:こと|話|もの|記憶)"
        r"が(?:あ(?:る|ります|って)|いくつか.*)(?:の|ん|です|けど|だけど|が)*",
        r"forget (?:(?:everything|anything|what|all|the (?:thing|part|stuff|bit))(?: that)? )?"
        r"(?:<said> |you (?:know|remember|learned|have) )?(?:about |on |of |that )?<x>"
        r"(?: (?:that )?<said>(?: about)?)?",
        r"(?:delete|erase|remove|drop|scrap|scratch)"
        r" (?:everything|what|anything|the (?:thing|part|bit|fact))"
        r"(?: that)? (?:<said> |you (?:know|remember|have) )?(?:about|on|of|that) <x>",
        r"(?:delete|erase|remove|drop) (?:(?:my|the|your) )?<x> memory",
        r"(?:delete|erase|remove|drop) (?:(?:my|the|your) )?memor(?:y|ies) (?:of|about) <x>",
        r"(?:delete|erase|remove|drop) <x>"
        r" from (?:<memory>|what you (?:remember|know)(?: about me)?)",
        r"(?:I <dont> want you to|<dont>) remember (?:that |who |about )<x>",
        r"stop remembering (?:that|who|what|where|about) <x>(?: is| are)?",
        r"(?:さっきの|先ほどの|前の)?<x>(?:のこと|の(?:記憶|話|件)|(?:って|という)(?:話|こと)|について"
        r"(?:(?:言っ|話し|覚え|知っ)[てた](?:いる|る)?(?:こと|話)|の(?:こと|話|記憶))?|が(?:好き|嫌い)なこと)"
        r"(?:は|を|、|も)?、?(?:<消して>|もう?覚えて(?:い)?なくて<ください>)",
        r"<x>(?:を|は)、?(?:<忘れて>|記憶から(?:消し|削除し)て<ください>)",
    )),
)  # fmt: skip
# The first word of what is typed after ``/memories`` may be one of these.
_COMMANDS: Sequence[tuple[What, str]] = (
    ("help", r"help|\?|ヘルプ|使い方"),
    ("resume", r"resume|on|再開|オン"),
    ("here", r"incognito|シークレット"),
    ("settings", r"settings|設定"),
    ("channel", r"channel|チャンネル"),
    ("changes", r"why|理由"),
    ("pause", r"off (?:for )?<time>"),
    ("pause", r"(?:一時停止|停止|オフ) ?<時間>"),
)
_HERE = r"(?:this|the|our) (?:channel|team|group)"
_KEPT = r"(?:please )?(?:remember|keep|note)"
_HERE_JA = r"この(?:チャンネル|グループ|チーム)"
_KEPT_JA = r"(?:覚え|残し)て<ください>"
_BEGINNINGS: Sequence[tuple[What, Sequence[str]]] = (
    ("keep", (
        rf"{_KEPT} (?:this |that |it )?(?:for|in) {_HERE}(?: that\b)?",
        rf"{_HERE_JA}(?:のため)?に{_KEPT_JA}",
    )),
    ("decision", (
        rf"{_KEPT} (?:this|the|our) decision(?: (?:for|in|of) {_HERE})?(?: that\b)?",
        rf"{_HERE_JA}の決定(?:事項)?として{_KEPT_JA}",
    )),
    ("not_this", (
        *_THIS, r"(?:just )?between (?:us|you and me)", r"ここだけの話", r"覚えなくて(?:も)?いい",
    )),
)  # fmt: skip
_SAID_FIRST = (
    r"(?:(?:hey|hi|oh(?: no)?|ok(?:ay)?|so|well|and|but|actually|sorry|please|pls|kioku|wait|no"
    r"|hmm+|just|(?:can|could|would|will) you|you (?:can|may|should)|I(?:'d| would)? (?:want|like"
    r"|need) you to|すみません|すいません|ごめん(?:なさい|ね)?|あの|えっと|あ|いや|でも|やっぱり?"
    r"|お願い(?:です|します)?|いったん|一旦|ちょっと|じゃあ?|では)(?:が|けど)?[,.!…、。！ ]*)*"
)
# A wish is a request for what is the person's own.
_WISHED_FIRST = (
    r"(?:(?:(?:can|could|may) I|I(?:'d| would)? (?:want|like) to)(?: please)? )?"
)
_SAID_LAST = (
    r"(?:,? ?(?:please|pls|now|for now|ok(?:ay)?|thanks|thank you|again|will you|can you"
    r"|from now on|then))*[.,!?…。、！？\s]*"
)
_AFTER_BEGINNING = (
    r"(?:(?:です|なん(?:です)?|だ|な|の(?:です)?)(?:が|ので)|(?:です|なんです|だ)?けど"
    r"|(?<=that)(?= )"
    r"|[ ]*(?:[:：;,.。、！!？?—–-]|but\b|because\b))[、,]?\s*"
)
_PART = re.compile(r"(?<!\(\?P)<(\w+)>")
_ENDS = re.compile(r"(?<=[.!?。！？\n])\s*(?=\S)")
# What is not searched for: "that I like ramen" means ramen.
_AROUND_WORDS = re.compile(
    r"^(?:that |the |my |a |an |about )*(?:I(?:'m| am)? (?:really )?(?:(?:like|love|hate) )?)?"
    r"|(?:のこと|の話|の件|の予定)$|^(?:私の|さっきの)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a person asks for.

    `words` are what is to be forgotten, or the rest of a message of which only the beginning is the
    request. `minutes` is how long memory is to be off, 0 without an end, or how much of the past is
    to be forgotten, 0 for today.
    """

    what: What
    words: str = ""
    minutes: int = 0


def _compiled(
    table: Sequence[tuple[What, Sequence[str]]], before: str, after: str
) -> list[tuple[What, re.Pattern[str]]]:
    """Return the rows of a table as patterns."""
    rows: list[tuple[What, re.Pattern[str]]] = []
    for what, phrases in table:
        for phrase in phrases:
            text = f"{before}(?:{phrase}){after}"
            while _PART.search(text):
                text = _PART.sub(lambda name: _PARTS[name[1]], text)
            rows.append((what, re.compile(text, re.IGNORECASE)))
    return rows


_WHOLE_ROWS = _compiled(_WHOLE, _SAID_FIRST + _WISHED_FIRST, _SAID_LAST)
_BEGINNING_ROWS = _compiled(_BEGINNINGS, _SAID_FIRST, rf"(?:{_AFTER_BEGINNING}|\Z)")
_THIS_ROWS = _compiled([("not_this", _THIS)], _SAID_FIRST, _SAID_LAST)
_MEMORIES_ROWS = [
    *_compiled([(what, (row,)) for what, row in _COMMANDS], "", ""),
    *_WHOLE_ROWS,
    # Whatever follows: a search would leave memory on.
    *_compiled([("pause", (r"(?:pause|off|一時停止|停止|オフ)(?: .*)?",))], "", ""),
]


def heard(words: str) -> Request | None:
    """Return the request in the words of a message that its author typed; None without one."""
    text = normalized(words).replace("’", "'").strip()
    if len(text) <= _LONGEST and (found := _whole(_WHOLE_ROWS, " ".join(text.split()))):
        return found
    beginning = text[:_LONGEST]
    for what, phrase in _BEGINNING_ROWS:
        if begun := phrase.match(beginning):
            rest = text[begun.end() :].strip()
            return Request(what=what, words=rest)
    last = _ENDS.split(text[-_LONGEST:])[-1]
    return _whole(_THIS_ROWS, last)


def heard_after_memories(words: str) -> Request:
    """Return what ``/memories`` with these words asks for: a list with them, if nothing else."""
    text = " ".join(normalized(words).split())
    return _whole(_MEMORIES_ROWS, text) or Request(what="list", words=words)


def heard_after_forget(words: str) -> Request:
    """Return what ``/forget`` with these words asks for."""
    return heard(f"forget {words}") or Request(what="forget", words=words)


def _whole(rows: Sequence[tuple[What, re.Pattern[str]]], text: str) -> Request | None:
    """Return the request that a text is as a whole."""
    for what, phrase in rows:
        if found := phrase.fullmatch(text):
            groups = found.groupdict()
            said = groups.get("words") or ""
            words = _AROUND_WORDS.sub("", said.strip()).strip()
            if said and not words:
                words = said.strip()
            return Request(what=what, words=words, minutes=_minutes(groups))
    return None


def _minutes(groups: Mapping[str, str | None]) -> int:
    """Return the minutes of a time in the groups of a phrase; 0 without one."""
    unit = groups.get("unit")
    if not unit:
        return 0
    count = (groups.get("count") or "").lower()
    number = float(count) if count.isdecimal() else _COUNTS[count]
    return int(number * _UNITS[unit.lower()])
