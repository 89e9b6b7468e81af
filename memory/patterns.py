"""What the guard listens for, in English and Japanese; looked for in folded text.

Each is a floor, not a proof: `memory.guard` says what carries the weight.
"""

from __future__ import annotations

import re

SECRET = re.compile(
    r"\b(?:sk|pk|rk)[-_](?:live|test|proj|ant)?[-_]?[a-z0-9_-]{12,}"
    r"|\bgh[pousr]_[a-z0-9]{16,}|\bgithub_pat_\w{16,}|\bxox[abeoprs]-[a-z0-9-]{8,}"
    r"|\bxapp-[a-z0-9-]{8,}"
    r"|\bakia[a-z0-9]{12,}|\baiza[\w-]{20,}|\bglpat-[\w-]{12,}|\bhf_[a-z0-9]{16,}"
    r"|\beyj[\w-]{8,500}\.[\w-]{8,2000}\.[\w-]{4}"
    r"|-----begin [a-z ]*private key|\bbearer\s+[\w.~+/-]{16,}"
    r"|\b[a-z][a-z0-9+.-]{0,30}://[^\s/:@]{1,80}:[^\s/@]{1,200}@"
    r"|\b(?:pass(?:word|phrase|code|wd)|pwd|pin(?: code| number)?|api[ _-]?key|secret(?: key)?"
    r"|access[ _-]?token|auth[ _-]?token|(?:my|bot) token|cvv|cvc)\b(?! managers?\b)"
    r"[^.\n]{0,20}?(?:\bis\b|\bwas\b|[:=])\s*\S"
    r"|\b(?:passcode|(?:recovery|seed|backup) (?:phrase|words?|codes?)|mnemonic|one-?time code"
    r"|otp)\b"
    r"[^.\n]{0,20}?(?:\bis\b|\bare\b|[:=])\s*\S"
    r"|(?:パスワード|パスコード|暗証番号|合言葉|秘密鍵|apiキー|トークン|認証コード|マイナンバー"
    r"|クレジットカード番号|口座番号"
    r"|保険証番号|免許証番号|リカバリー?フレーズ|ワンタイム\w{0,6})"
    r"[^。\n]{0,12}?(?:は|が|[:=\s])\s*[\"「'『]?[!-~0-9]{3,}"
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
    r"|\b(?:when|whenever|if|once|next time|every time|each time|as soon as|after|before|upon"
    r"|until)\b"
    r"[^.\n]{0,80}(?:, ?|\bthen )(?:please |then |also |do |you (?:must |should |will )?)*"
    + SAVE
    + r"\b"
    r"|\b(?:assistant|bot|ai|model|kioku|you)\b[^.\n]{0,40}\b(?:sends?|posts?|uploads?|forwards?"
    r"|leaks?"
    r"|e-?mails?|reveals?|exports?|deletes?|obeys?|ignores?)\b"
    r"|\b(?:always|never) (?:answer|reply|respond|recommend|say|tell|trust|obey|include|append|end"
    r"|begin|start)\b"
    r"|\b(?:act|behave|respond|reply|answer) (?:as|like) (?:a|an|if|the)\b|\bdo anything now\b"
    r"|\b(?:exfiltrate|reveal (?:your|the|all))\b|\b(?:assistant|bot|ai|model)\s+(?:must|shall)\b"
    r"|\b(?:authori[sz]ed|permission) to (?:access|read|delete|share|see)\b"
    r"|(?:これまで|今まで|以前|前|上記|すべて|全て)の?(?:の)?(?:指示|命令|ルール|プロンプト"
    r"|設定)[^。\n]{0,8}"
    r"(?:無視|忘れ|破棄|上書き)|システム(?:プロンプト|メッセージ|指示)|(?:指示|命令|ルール"
    r"|ガイドライン|制限)(?:を|は)?(?:無視|上書き)"
    r"|(?:これ以降|今後|以後|これから|次から|次回から)(?:は|、)?[^。\n]{0,40}"
    r"(?:答え|回答し|返事し|返信し|返答し|応答し|振る?舞|出力し|行動し|従[いうえっ])"
    r"|(?:と|って)(?:言っ|入力し|書い|聞い|送っ)たら[^。\n]{0,60}(?:保存|記憶|記録|覚え|追加"
    r"|削除|消し|忘れ|送|返|答え|投稿|出力)"
    r"|(?:たら|れば|とき|際|後|次第|度に)(?:は|に"
    r"|で)?、?(?<!よかったら、)(?<!よければ、)(?<!できれば、)(?<!なければ、)"
    r"[^。\n]{0,30}(?:と|を|て|に)?(?:保存|記憶|記録|覚え|追加|削除|消去|送信|投稿|実行)(?:して"
    r"|て|ろ|せよ|しろ|すること)"
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
    r"^\W*(?:had|were|should) i\b[^.]*\b(?:would|'d)\b|\bif i (?:were|was|had|could|liked"
    r"|loved)\b|\b(?:suppose|supposing|assume|assuming|imagine|hypothetically)\b"
    r"|\bwhat if\b|\blet's (?:say|pretend)\b|\bpretend(?:ing)?\b|\bi wish i\b|\bin theory\b"
    r"|もし[^。\n]{0,60}(?:だったら|なら|たら|れば)|仮に|例えば[^。\n]{0,60}(?:としたら|なら)"
    r"|だったとして|たとしたら|と仮定|だと(?:すると|すれば|したら)"
    r"|[てで]いたら[^。]*(?:はず|だろう|でしょう|かも)"
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
    r"|(?:ですか|ますか|でしょうか|だろうか|ませんか|(?<!派)(?<!方)かな|かしら|だっけ|んだろう"
    r"|のか)[。よねぁあ]*$"
    r"|(?:教えて|まとめて|挙げて|選んで|出して|書いて|作って|探して|調べて|説明して|見せて"
    r"|紹介して|提案して"
    r"|比べて|訳して|お願い|おねがい)(?:ください|下さい|くれ|ほしい|欲しい|します|しますね|ね"
    r"|よ)*[!。]*$"
)

PREDICATE = re.compile(
    r"\b(?:i|i'm|i've|i'd|i'll|im|ive|we|we're|we've|my|our|us|me|mine|always|fan of|rocks?|it"
    r"|it's|that|that's|is|are|am|was|were|isn't|aren't|don't"
    r"|do|does|did|have|has|had|can|can't|cannot|could|will|won't|would|not|never|no longer"
    r"|lov(?:e|es|ed|ing)|lik(?:e|es|ed|ing)|hat(?:e|es|ed|ing)|dislik\w+|prefer\w*|enjoy\w*"
    r"|want\w*|need\w*|us(?:e|es|ed|ing)|eat\w*|ate|drink\w*|drank|avoid\w*|work\w*|liv(?:e|es"
    r"|ed|ing)"
    r"|learn\w*|stud(?:y|ies|ied|ying)|interested|curious|allergic|vegetarian|vegan|stopped|quit"
    r"|gave|forget|into|fan|adore|crave|tired|sick|done|favou?rite)\b"
    r"|[\u3041-\u3096ー]$|(?:好き|嫌い|苦手|興味|得意|大好物|好物|派|中|アレルギー|ng|無理|最高"
    r"|最悪|勉強|卒業)$"
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
        " food dish thing things topic tech technology are am be has have had was were who that"
        " this live lives living lived work works working worked like likes love loves hate hates"
        " prefer prefers use uses using used not no never don t s m ve called named name person"
        " user can speaks speaking plays playing owns drives knows teaches reads writes runs eats"
        " drinks wears wants needs plans takes does goes learns studies collects",
    )
)

REFERS = re.compile(
    r"\bi (?:really |sure |still )?(?:do|am|did|have)\W*$|\b(?:it|that|this|them|those|these|one"
    r"|both|all)\b|それ|これ|あれ|どれも|そっち|こっち"
    r"|そちら|こちら|両方|どちらも|全部"
)
LINK = re.compile(
    r"(?:https?://|www\.)[^\s<>|\"'）)」]+|\b[\w-]+\.(?:com|net|org|io|dev|example|jp)\b"
)
