"""What denies, ends, doubts or changes something, in English and Japanese folded text."""

from __future__ import annotations

import re

DOUBT = re.compile(
    r"\b(?:might|maybe|perhaps|thinking (?:of|about)|considering|wonder(?:ing)?|should i|not sure"
    r"|don't know)\b|(?:かも|かな|か迷|悩んで|わからない|分からない)"
)
# Two negations, and negations of something else: these words are passed over.
NO_RETRACTION = re.compile(
    r"\b(?:don't|do not|doesn't|didn't|never|not|won't|can't|cannot|couldn't) "
    r"(?:ever |really |want to |ever want to )?(?:hate|dislike|mind|forget|stop|quit|get enough"
    r"|live without|give up|miss|only|just|bad|tire|tired|bored|get (?:tired|bored|sick)"
    r"|disappoint\w*|wait|go wrong)\b(?: \w+ing\b)?"
    r"|\b(?:hate[sd]?|dislike[sd]?) (?:that|how|when|it|to|waiting|having|being|seeing|missing"
    r"|running"
    r"|sharing|losing|paying|queu\w+)\b[^,.]*"
    r"|\b(?:never not|(?:would|will|could|can|'d|'ll) never (?:ever )?(?:give up|stop|quit|hate"
    r"|forget|leave"
    r"|drop)|(?:never|don't|not) ever (?:stop|quit|forget))\b(?: \w+ing\b)?"
    r"|\b(?:except|without|neither here nor there)\b"
    r"|\b(?:no doubt|no problem|no idea|nothing (?:beats|against|like)|nobody|no one|no matter)\b"
    r"|\bnever been (?:happier|better|so)\b"
    r"|\b(?:am|i'm|are|is|was|got|get|getting|gotten) used to\b"
    r"|(?:嫌い|きらい|苦手)(?:じゃ|では|で)(?:は)?(?:ない|なく|ありません)"
    r"|嫌いにな(?:らない|れない|りません)|忘れ(?:ないで|られない|ず|たくない)|飽き(?:ない|ず"
    r"|ません)"
    r"|やめられ(?:ない|ず|ません)|欠かせ(?:ない|ません)|なくては(?:なら)?(?:ない)?|なければ"
    r"|なきゃ|なくちゃ"
    r"|に限らず|だけ(?:じゃ|では|で)(?:ない|なく)|しか(?:\w{0,6})ない|(?:間)?違いな(?:い|く)"
    # Other things can be stopped, and removed, than a liking.
    r"|\bstopp?(?:ed|ing|s)? (?:by|over|in|at|for)\b|\bdropp?(?:ed|ing|s)? (?:by|in|off|over)\b"
    r"|\b(?:remove|delete|erase|drop|scrap)\b(?! (?:that|it|this|them"
    r"|what)\b)(?=[^,.]*\b(?:from (?!your\b"
    r"|my\b|(?:the )?memor|what)|here\b|photo|picture|image|slide|file|line|row|column|section|page"
    r"|recipe|link|button|channel|message|comment|ticket|branch))"
    r"|(?<!記憶)(?<!メモリ)(?<!リスト)から[^、。]{0,14}を(?:消|削除)[ぁ-ん]{0,4}"
    r"|の(?:写真|画像|行|列|ページ|ファイル|リンク|メッセージ|レシピ|スライド|コメント)を(?:消"
    r"|削除)[ぁ-ん]{0,4}"
    r"|(?:(?<!食べ)る|(?<!使)う|[くすぐつ]|(?<!飲)む)のを(?:やめ|止め)[ぁ-ん]?"
    r"|(?:嫌い|苦手|嫌)な(?:人|方|やつ|奴|子|友)"
    # What is not there, or not today, is liked all the same.
    r"|(?:(?<!興味)(?<!関心)(?<!気)(?<!魅力)(?<!価値)(?<!こと)が"
    r"|(?<![くにでてと])も)(?:[^、。がはを]{1,6}に(?:は|も)?)?(?:もう)?"
    r"(?:ない|なかった|ありません|なく)"
    r"|目が(?:ない|なく)|なしで(?:は|も)?[^、。]{0,10}(?:ない|ません)|ほど[^、。]{1,14}(?:もの"
    r"|こと|料理)は?(?:ない|ありません)"
    r"|なんて(?:あり得|ありえ|考えられ)(?:ない|ません)"
    r"|を(?!食べ|使|飲|書|や|す|習|学|勉強|聴|聞|見|読)[^、。をが]{1,8}の(?:が|は"
    r"|も)(?:大)?(?:嫌い|苦手|嫌|いや)"
    r"|(?:仕方|しょうが|たまら|申し分|問題|もったい)(?:が)?な(?:い|く)|少なく"
)
RETRACTION = re.compile(
    r"\b(?:don't|do not|doesn't|didn't|isn't|aren't|am not|i'm not|is not|are not|wasn't|won't"
    r"|can't|cannot|not|never|no (?:longer|more)|neither|nor|not anymore|anymore|any more)\b"
    r"|\b(?:hate|hates|hated|dislike\w*|detest\w*|lost interest|stopp?(?:ed|ing)?|quit(?:ting)?"
    r"|gave up|given up|forget|remove|delete|erase|drop(?:ped)?|tired of|sick of"
    r"|bored (?:of|with)|done with|over it|used to|went off|gone off|wrong|incorrect|disgusting"
    r"|awful|avoid\w*|allergic)\b"
    r"|嫌い|きらい|苦手|嫌(?:に|だ|です|$)|やめ(?:た|ま|る|て|に)|辞め|止め(?:た|ま|る|て)|飽き"
    r"|卒業"
    r"|\bswitched\b|\bmoved (?:on|over|away)\b|\bmigrated\b|乗り換え|移行し|切り替え"
    r"|興味が(?:移|変)|ない|なく|ません|忘れて(?!い|た)|消して|消しとい|削除|取り消|撤回"
    r"|もういい|避け|アレルギー"
    r"|間違(?:え|って|い(?:です|でした|だ))|違(?:います|いました|うよ|うの|うん|う$)"
    r"|お?別れ(?:した|しました|ました|を告げ)|決別|縁を切|見限"
    r"|興味が失|冷め(?:た|ました|てき|てしま)(?:$|[。よねん])"
)
# What ends a memory must take the thing itself back; "not the problem here" does not.
TAKES_BACK = re.compile(
    r"\b(?:no (?:longer|more)|not anymore|anymore|any more|any longer|not (?:true|right|correct)"
    r"|isn't (?:true|right|correct)|hate|hates|hated|dislike\w*|detest\w*|lost interest"
    r"|stopp?(?:ed|ing)?"
    r"|quit(?:ting)?|gave up|given up|forget|remove|delete|erase|drop(?:ped)?|scrap|retract\w*"
    r"|withdraw"
    r"|tired of|sick of|bored (?:of|with)|done with|over it|used to|went off|gone off|wrong"
    r"|incorrect"
    r"|disgusting|awful|avoid\w*|allergic|switched|moved (?:on|over|away|out)|migrated|neither|nor"
    r"|can't (?:bear|stand|stomach))\b"
    r"|嫌い|きらい|苦手|嫌(?:に|だ|です|$)|やめ(?:た|ま|る|て|に)|辞め|止め(?:た|ま|る|て)|飽き"
    r"|卒業"
    r"|乗り換え|移行し|切り替え|興味が(?:移|変)|忘れて(?!い|た)|消して|消しとい|削除|取り消|撤回"
    r"|もういい|避け"
    r"|アレルギー|勘弁|もう(?:こりごり|結構|無理)|間違(?:え|って|い(?:です|でした|だ))"
    r"|違(?:います|いました|うよ|うの|うん|う$)|お?別れ(?:した|しました|ました|を告げ)|決別"
    r"|縁を切|見限"
    r"|興味が失|冷め(?:た|ました|てき|てしま)(?:$|[。よねん])"
)
NEGATION = (
    r"(?:don't|do not|doesn't|didn't|isn't|aren't|am not|i'm not|is not|are not|wasn't|won't|can't"
    r"|cannot|couldn't|haven't|hasn't|not|never)"
)
# Not to like, to eat, to use, to care: said of the thing, it takes the thing back.
NO_PART = re.compile(
    r"\b"
    + NEGATION
    + r"(?: [\w']+){0,3}? (?:like|liking|love|enjoy|eat|eating|drink|use|using|want"
    r"|need|care|prefer|play|watch|read|listen|work|live|learn|study|studying|smoke|bear|stand"
    r"|stomach"
    r"|tolerate|keen|into|fan|interested|fond|crazy|for me|my thing)\b"
    r"|(?:食べ|飲[まめん]|使[わえっ]|好き(?:じゃ|では|で)|好ま|要ら|いら|欲しく|ほしく"
    r"|[たて]く(?:も|は)?|やら|やって"
    r"|して|口に合|性に合|体に合|肌に合|興味|関心|住んで|働いて|勉強|学ん|読[まん]|触[らっ]"
    r"|行[かっ]|通[わっ]|聴[かい]"
    r"|飼[わっ]|吸[わっ])"
    r"[^、。]{0,6}(?:ない|なく|なか|ません|ず)"
)
# What follows is what is denied: "not a vegetarian", 「ベジタリアンではない」.
NOT_A = re.compile(
    r"\b"
    + NEGATION
    + r" (?:(?:a|an|the|really|actually|that|very|such|much|of|any|my|from|in|at|on)"
    r" )*(?P<en>[\w'+#.-]+(?: [\w'+#.-]+)?)"
    r"|(?:^|[、。]|(?:私|僕|俺|自分|もう)は?)(?P<ja>[^、。は]{1,20})(?:では|じゃ|で)は?(?:ない"
    r"|なく|ありません)"
)
# Where two things are named, the one that is left behind.
LEFT_BEHIND = re.compile(
    r"\b(?:switch\w*|mov(?:ed|ing)|migrat\w+|chang(?:ed|ing))(?: on| over| away)?"
    r" from (?P<old>.{1,40}?) to\b"
    r"|\bnot (?P<not_old>[^,]{1,40}?),? but\b|, not (?P<rather>[^,]{1,40})$"
    r"|(?P<kara>[^、。]{1,40}?)から[^、。]{1,40}?(?:に|へ)(?:乗り換え|移り|移行|切り替え|変え"
    r"|興味が(?:移|変))"
    r"|(?P<dewa>[^、。]{1,40}?)(?:では|じゃ)(?:なく(?:て)?|ありません)、?[^、。]{0,40}(?:好き"
    r"|興味|関心|です|だ|派)"
)
FORGET = re.compile(
    r"(?<!how )(?<!why )(?<!when )\b(?:can|could|will|would) you (?:please )?"
    r"(?:forget|delete|remove|erase)\b"
    r"|(?:忘れて|削除して|消して)(?:もらえ|くれ|いただけ|ほしい|欲しい|下さい|ください)"
)
# Words that say that something has changed: they settle which of two memories is true now.
CHANGED = re.compile(
    r"\b(?:now(?! and (?:then|again))|nowadays|these days|lately|recently|currently|at the moment"
    r"|no longer|not anymore|anymore|any more|instead|rather than|used to|formerly|previously"
    r"|(?:re)?moved|relocat\w+|switch\w*|chang(?:ed|ing)|converted|transferred|became|become"
    r"|turned|started|begun|began|quit|stopped|gave up|left|from now on|as of|actually|correction"
    r"|i meant|new (?:job|home|flat|apartment|role|team|employer|company|address))\b"
    r"|今(?:は|では|の|年から|月から|週から)|現在|最近|もう(?!一|少|ちょ|すぐ)|引っ?越|転職|転勤"
    r"|転居|異動|移(?:っ|り|住)"
    r"|やめ|辞め|止め(?:た|ま)|変え|変わ|変更|切り替え|乗り換え|(?:では|じゃ|で)なく|(?:に"
    r"|く)な(?:っ|り)|ようになっ"
    r"|始め|実は|訂正|間違|先(?:月|週|日)から|来月から|新しい(?:職|仕事|家|会社|住)|以前は|前は"
    r"|昔は|代わりに|かわりに|卒業"
)
# What is named only to be set aside: "everything except okra", 「オクラ以外」.
SET_ASIDE = re.compile(
    r"\b(?:except(?: for)?|but not|anything but|everything but|other than|apart from|aside from)"
    r" (?P<except>[^,.]{1,40})|\b(?:rather|better|more) than (?P<than>[^,.]{1,40})"
    r"|\b(?:rather|prefer)\b[^,.]{1,40} (?:than|over|to) (?P<over>[^,.]{1,40})"
    r"|(?P<igai>[^、。]{1,20})(?:以外|を除|抜き)|(?P<yori>[^、。]{1,20})より(?!良|よ|美)"
)
# One time, or one place: it says nothing of the rest.
ONE_OFF = re.compile(
    r"\b(?:today|tonight|yesterday|tomorrow|right now|this (?:morning|evening|afternoon|time)"
    r"|last night"
    r"|for (?:breakfast|lunch|dinner|now)|yet|at home|so far|(?:there|have|had|has|got|saw"
    r"|found) no)\b"
    r"|今日|昨日|きのう|今朝|昨夜|ゆうべ|さっき|明日|今回|(?:お昼|昼|朝|夜|夕飯|夕食"
    r"|ランチ)(?:に|は|ご)|まだ"
)
FOR_GOOD = re.compile(
    r"\b(?:any ?more|any longer|no longer|never again|for good|hate|dislike|forget|stopped|quit"
    r"|gave up)\b"
    r"|もう|二度と|嫌い|やめ|忘れ|辞め|卒業"
)
