"""What the guard listens for, in English and Japanese; looked for in folded text.

Each is a floor, not a proof: `memory.guard` says what carries the weight.
"""

from __future__ import annotations

import re

SECRET = re.compile(
    r"\b(?:sk|pk|rk)[-_](?:live|test|proj|ant)?[-_]?[a-z0-9_-]{12,}"
    r"|\bgh[pousr]_[a-z0-9]{16,}|\bgithub_pat_\w{16,}|\bxox[abeoprs]-[a-z0-9-]{8,}|\bxapp-[a-z0-9-]{8,}"
    r"|\bakia[a-z0-9]{12,}|\baiza[\w-]{20,}|\bglpat-[\w-]{12,}|\bhf_[a-z0-9]{16,}"
    r"|\beyj[\w-]{8,500}\.[\w-]{8,2000}\.[\w-]{4}"
    r"|-----begin [a-z ]*private key|\bbearer\s+[\w.~+/-]{16,}"
    r"|\b[a-z][a-z0-9+.-]{0,30}://[^\s/:@]{1,80}:[^\s/@]{1,200}@"
    r"|\b(?:pass(?:word|phrase|code|wd)|pwd|pin(?: code| number)?|api[ _-]?key|secret(?: key)?"
    r"|access[ _-]?token|auth[ _-]?token|(?:my|bot) token|cvv|cvc)\b(?! managers?\b)"
    r"[^.\n]{0,20}?(?:\bis\b|\bwas\b|[:=])\s*\S"
    r"|(?:パスワード|暗証番号|合言葉|秘密鍵|apiキー|トークン|認証コード|マイナンバー|クレジットカード番号)"
    r"[^。\n]{0,12}?(?:は|が|[:=])\s*[\"「'『]?[!-~0-9]{3,}"
    r"|\b\d{3}-\d{2}-\d{4}\b"
    r"|\b(?=[a-z0-9_+/-]{0,60}\d)(?=[a-z0-9_+/-]{0,60}[a-z])[a-z0-9_+/-]{36,}"
)

SAVE = (
    r"(?:save|store|remember|record|note|add|update|delete|remove|forget|erase|write|send|post"
    r"|reply|answer|respond|say|print|reveal|output)"
)

INSTRUCTION = re.compile(
    r"\b(?:ignore|disregard|forget|override|bypass)\b[^.\n]{0,30}"
    r"\b(?:instructions?|prompts?|rules?|guidelines?|polic(?:y|ies)|guardrails?"
    r"|(?:all|everything) (?:above|before|previous))\b"
    r"|\bsystem (?:prompt|message|instructions?)\b|\bdeveloper (?:mode|message|prompt)\b"
    r"|\b(?:jailbreak|prompt injection)\b"
    r"|\byou (?:are now|must (?:now|always|never)|will (?:now|always|never)|should (?:always|never)"
    r"|must (?:recommend|answer|say|tell|obey|treat|call|save|store|remember|write|send))\b"
    r"|\b(?:from now on|going forward|henceforth)\b[^.\n]{0,40}\b(?:you|always|never|answer|reply"
    r"|respond|act|pretend|obey)\b"
    r"|\b(?:when|whenever|if|once|next time|every time|each time|as soon as|after)\b[^.\n]{0,60}"
    r"\b(?:says?|types?|writes?|asks?|mentions?|replies|sends?)\b[^\n]{0,80}\b" + SAVE + r"\b"
    r"|\b(?:always|never) (?:answer|reply|respond|recommend|say|tell|trust|obey|include|append|end"
    r"|begin|start)\b"
    r"|\b(?:act|behave|respond|reply|answer) (?:as|like) (?:a|an|if|the)\b|\bdo anything now\b"
    r"|\b(?:exfiltrate|reveal (?:your|the|all))\b|\b(?:assistant|bot|ai|model)\s+(?:must|shall)\b"
    r"|\b(?:authori[sz]ed|permission) to (?:access|read|delete|share|see)\b"
    r"|(?:これまで|今まで|以前|前|上記|すべて|全て)の?(?:の)?(?:指示|命令|ルール|プロンプト|設定)[^。\n]{0,8}"
    r"(?:無視|忘れ|破棄|上書き)|システム(?:プロンプト|メッセージ|指示)|(?:指示|命令|ルール)を(?:無視|上書き)"
    r"|(?:これ以降|今後|以後|これから|次から|次回から)(?:は|、)?[^。\n]{0,40}"
    r"(?:答え|回答し|返事し|返信し|返答し|応答し|振る?舞|出力し|行動し|従[いうえっ])"
    r"|(?:と|って)(?:言っ|入力し|書い|聞い|送っ)たら[^。\n]{0,60}(?:保存|記憶|記録|覚え|追加|削除|消し|忘れ|送|返|答え|投稿|出力)"
    r"|(?:必ず|常に|絶対に|いつも)[^。\n]{0,30}(?:と答え|と回答|と返|を勧め|を推薦|に従|と出力)"
    r"|あなたは(?:これから|今から|今後)|として振る?舞"
)

MARKUP = re.compile(
    r"</?\s{0,9}(?:memor(?:y|ies)|system|user|assistant|developer|tool|instance|existing|session\w*"
    r"|context|instructions?|prompt|function\w*|thread|words|im_\w+)\b[^>\n]{0,80}>"
    r"|<\|[^|>\n]{1,40}\|>|\[/?(?:inst|system|assistant)\]|<</?sys>>"
    r"|(?:^|\n)[ \t]{0,9}(?:#{1,6}[ \t]{0,9})?(?:system|assistant|developer|human|ai)"
    r"[ \t]{0,9}(?:message)?[ \t]{0,9}:"
    r"|={8,}|```|\x1b"
)

HYPOTHETICAL = re.compile(
    r"\bif i (?:were|was|had|could|liked|loved)\b|\b(?:suppose|supposing|imagine|hypothetically)\b"
    r"|\bwhat if\b|\blet's (?:say|pretend)\b|\bpretend(?:ing)?\b|\bi wish i\b|\bin theory\b"
    r"|もし[^。\n]{0,60}(?:だったら|なら|たら|れば)|仮に|例えば[^。\n]{0,60}(?:としたら|なら)|だったとして|たとしたら"
)

KIN = (
    r"(?:wife|husband|partner|spouse|girlfriend|boyfriend|brother|sister|mother|mom|mum|father|dad"
    r"|son|daughter|kids?|child(?:ren)?|parents?|friends?|boss|manager|colleagues?|coworkers?"
    r"|teammates?|roommate|neighbou?r|uncle|aunt|cousin|cat|dog|customers?|clients?)"
)

OTHER = re.compile(
    r"\b(?:my|our|his|her|their|your) (?:\w+ )?" + KIN + r"\b"
    r"|\b(?:he|she|they|people|everyone|everybody|someone|somebody)(?:'s|'re)?\s+"
    r"(?:\w+ )?(?:likes?|loves?|hates?|prefers?|is|are|enjoys?|wants?"
    r"|said|says|told|think|thinks)\b"
    r"|\b(?!it\b|that\b|this\b|there\b|what\b|i\b|we\b)[a-z]+ (?:said|says|told me|claims|wrote)\b"
    r"|\byou(?:'re| are| (?:really )?(?:like|love|hate|prefer|enjoy))\b"
    r"|(?:妻|夫|旦那|嫁|彼氏|彼女|彼|友達|友人|同僚|上司|部下|先輩|後輩|母|父|兄|弟|姉|妹|息子|娘|子供|子ども|家族|両親"
    r"|うちの(?!会社|チーム|部署|職場|プロジェクト|サービス)[^\s、。]{1,6}|あなた|みんな|(?<!たく)さん|くん|君|ちゃん)(?:は|が|も|って)"
    r"|(?:と|って)(?:言って|言った|言われ|聞いた|いって|いった)|(?:だ|た|い|る)(?:そうです|そうだ|らしい)"
)

# "I think Tanaka loves natto" and "he told me" do not make it the person's own.
FRAME = re.compile(
    r"\b(?:i|we) (?:think|know|heard|hear|guess|believe|suppose|bet|said|told you|noticed|see)\b"
    r"|\b(?:told|tells|asked|asks|gave|gives|showed|shows|texted|wrote) (?:me|us)\b"
)
FIRST_PERSON = re.compile(
    r"\b(?:i|i'm|i've|i'd|i'll|me|we|we're|mine)\b|(?:私|わたし|僕|ぼく|俺|おれ|自分)(?:は|も|が|の|と|には|、)"
    r"|うち(?:は|も|が|では)"
    r"|我々|わたしたち"
)

REPORTED = re.compile(
    r"\b(?:said|says|say|told|tells|claims?|claimed|wrote|writes|thinks?|believes?|heard)\b"
    r"|\b(?:joking|kidding|sarcas\w*|not true|don't think|doubt|never said|as if|yeah right)\b"
    r"|(?:と|って)(?:言|書|聞|思わ|いう(?:の|わけ)|は限ら)|冗談|嘘|うそ|わけ(?:では|じゃ)ない|なんて(?:ね|嘘)"
)

CONDITION = re.compile(
    r"\b(?:if|unless|when|whenever|suppose|imagine|in case)\b|もし|たら、|なら、|れば、"
)

ASKS = re.compile(
    r"^(?:(?:and|but|so|ok|okay|well|hey|hi|please|pls)[,\s]+)*"
    r"(?:(?:what|which|who|whom|whose|where|why|how|when)\b(?! (?:i|we)\b.*\bis\b)"
    r"|(?:do|does|did|can|could|would|should|shall|will|is|are|am|was|were|have|has|may|any)\s+"
    r"(?:i|you|we|he|she|they|it|there|that|this|the|a|my|your)\b"
    r"|(?:tell|list|give|show|recommend|suggest|summari[sz]e|explain|find|write|make|help|describe"
    r"|translate|compare|search|look up|draft)\b)"
    r"|(?:ですか|ますか|でしょうか|だろうか|ませんか|かな|かしら|だっけ|んだろう|のか)[。よねぁあ]*$"
    r"|(?:教えて|まとめて|挙げて|選んで|出して|書いて|作って|探して|調べて|説明して|見せて|紹介して|提案して"
    r"|比べて|訳して|お願い|おねがい)(?:ください|下さい|くれ|ほしい|欲しい|します|しますね|ね|よ)*[!。]*$"
)

PREDICATE = re.compile(
    r"\b(?:i|i'm|i've|i'd|i'll|we|we're|my|it|it's|that|that's|is|are|am|was|were|isn't|aren't|don't"
    r"|do|does|did|have|has|had|can|can't|cannot|could|will|won't|would|not|never|no longer"
    r"|lov(?:e|es|ed|ing)|lik(?:e|es|ed|ing)|hat(?:e|es|ed|ing)|dislik\w+|prefer\w*|enjoy\w*"
    r"|want\w*|need\w*|us(?:e|es|ed|ing)|eat\w*|ate|drink\w*|drank|avoid\w*|work\w*|liv(?:e|es|ed|ing)"
    r"|learn\w*|stud(?:y|ies|ied|ying)|interested|curious|allergic|vegetarian|vegan|stopped|quit"
    r"|gave|forget|into|fan|adore|crave|tired|sick|done|favou?rite)\b"
    r"|[\u3041-\u3096ー]$|(?:好き|嫌い|苦手|興味|得意|大好物|好物|派|中|アレルギー|ng|無理|最高|最悪|勉強|卒業)$"
)

CJK = re.compile(r"[\u3041-\u30ff\u3400-\u9fff\uac00-\ud7af々]+")
PAIR = re.compile(r"(?=([\u3400-\u9fff々]{2}))")
# An ideograph that is a word: no other beside it, and a particle or the end behind it.
ALONE = re.compile(
    r"(?<![\u3400-\u9fff々])[\u3400-\u9fff]"
    r"(?=[はがをもにとでのへやか、。!? ]|だけ|なら|って|より|系|派|$)"
)
NAME = re.compile(r"[^\W_]+")
STOP = frozenset(
    re.findall(
        r"\w+",
        "the a an of and or in on for to my i is it at by with as from about very more general"
        " food dish thing things topic tech technology",
    )
)

REFERS = re.compile(
    r"\b(?:it|that|this|them|those|these|one|both|all)\b|それ|これ|あれ|どれも|そっち|こっち|そちら|こちら|両方|どちらも|全部"
)

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
    r"|\b(?:no doubt|no problem|no idea|nothing (?:beats|against|like)|nobody|no one|no matter)\b"
    r"|\bnever been (?:happier|better|so)\b"
    r"|\b(?:am|i'm|are|is|was|got|get|getting|gotten) used to\b"
    r"|(?:嫌い|きらい|苦手)(?:じゃ|では|で)(?:は)?(?:ない|なく|ありません)"
    r"|嫌いにな(?:らない|れない|りません)|忘れ(?:ないで|られない|ず|たくない)|飽き(?:ない|ず|ません)"
    r"|やめられ(?:ない|ず|ません)|欠かせ(?:ない|ません)|なくては(?:なら)?(?:ない)?|なければ|なきゃ|なくちゃ"
    r"|に限らず|だけ(?:じゃ|では|で)(?:ない|なく)|しか(?:\w{0,6})ない|(?:間)?違いな(?:い|く)"
    r"|(?:仕方|しょうが|たまら|申し分|問題|もったい)(?:が)?な(?:い|く)|少なく"
)
RETRACTION = re.compile(
    r"\b(?:don't|do not|doesn't|didn't|isn't|aren't|am not|i'm not|is not|are not|wasn't|won't"
    r"|can't|cannot|no|not|never|no longer|not anymore|anymore|any more)\b"
    r"|\b(?:hate|hates|hated|dislike\w*|detest\w*|lost interest|stopp?(?:ed|ing)?|quit(?:ting)?"
    r"|gave up|given up|forget|remove|delete|erase|drop(?:ped)?|tired of|sick of"
    r"|bored (?:of|with)|done with|over it|used to|went off|gone off|wrong|incorrect|disgusting"
    r"|awful|avoid\w*|allergic)\b"
    r"|嫌い|きらい|苦手|嫌(?:に|だ|です|$)|やめ(?:た|ま|る|て|に)|辞め|止め(?:た|ま|る|て)|飽き|卒業"
    r"|\bswitched\b|\bmoved (?:on|over|away)\b|\bmigrated\b|乗り換え|移行し|切り替え"
    r"|興味が(?:移|変)|ない|なく|ません|忘れて(?!い|た)|消して|消しとい|削除|取り消|撤回|もういい|避け|アレルギー"
    r"|間違(?:え|って|い(?:です|でした|だ))|違(?:います|いました|うよ|うの|うん|う$)"
    r"|興味が失|冷め(?:た|ました|てき|てしま)(?:$|[。よねん])"
)
# Where two things are named, the one that is left behind.
LEFT_BEHIND = re.compile(
    r"\b(?:switch\w*|mov(?:ed|ing)|migrat\w+|chang(?:ed|ing))(?: on| over| away)?"
    r" from (?P<old>.{1,40}?) to\b"
    r"|\bnot (?P<not_old>[^,]{1,40}?),? but\b|, not (?P<rather>[^,]{1,40})$"
    r"|(?P<kara>[^、。]{1,40}?)から[^、。]{1,40}?(?:に|へ)(?:乗り換え|移り|移行|切り替え|変え|興味が(?:移|変))"
    r"|(?P<dewa>[^、。]{1,40}?)(?:では|じゃ)(?:なく(?:て)?|ありません)、?[^、。]{0,40}(?:好き|興味|関心|です|だ|派)"
)
FORGET = re.compile(
    r"\b(?:can|could|will|would) you (?:please )?(?:forget|delete|remove|erase)\b"
    r"|(?:忘れて|削除して|消して)(?:もらえ|くれ|いただけ|ほしい|欲しい|下さい|ください)"
)
# Words that say that something has changed: they settle which of two memories is true now.
CHANGED = re.compile(
    r"\b(?:now(?! and (?:then|again))|nowadays|these days|lately|recently|currently|at the moment"
    r"|no longer|not anymore|anymore|any more|instead|rather than|used to|formerly|previously"
    r"|(?:re)?moved|relocat\w+|switch\w*|chang(?:ed|ing)|converted|transferred|became|become"
    r"|turned|started|begun|began|quit|stopped|gave up|left|from now on|as of|actually|correction"
    r"|i meant|new (?:job|home|flat|apartment|role|team|employer|company|address))\b"
    r"|今(?:は|では|の|年から|月から|週から)|現在|最近|もう(?!一|少|ちょ|すぐ)|引っ?越|転職|転勤|転居|異動|移(?:っ|り|住)"
    r"|やめ|辞め|止め(?:た|ま)|変え|変わ|変更|切り替え|乗り換え|(?:では|じゃ|で)なく|(?:に|く)な(?:っ|り)|ようになっ"
    r"|始め|実は|訂正|間違|先(?:月|週|日)から|来月から|新しい(?:職|仕事|家|会社|住)|以前は|前は|昔は|代わりに|かわりに|卒業"
)
