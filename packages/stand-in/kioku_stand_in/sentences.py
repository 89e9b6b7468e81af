"""The sentences that the stand-in understands: a table of forms that match whole sentences."""
# ruff: noqa: E501, SIM905 - a form is one line of the table, a list of words one text

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final

from kioku_stand_in.lexicon import JAPANESE, is_japanese, kind_of

STATEMENTS: Final = frozenset(
    "like dislike interest gone special avoid diet home work health plan instruct episode promise".split()
)
_LEAD: Final = re.compile(
    r"(?i:(?:<@\w+>\s*|@\w+\s+|(?:please|and|also|but|well|hi|hello|hey|okay|ok|kioku|no|actually|now|so|fyi)\b[,:!]? "
    r"|(?:私は|私も|わたしは|僕は|僕も|俺は|今は|最近は|最近、|やっぱり|やはり|実は|あと、|それと|でも、?|特に|また、|技術トピックでは)、?)*)"
)
_LONG: Final = (
    ("’", "'"), (r",? please$", ""), (r"\bi'm\b", "I am"), (r"\bcan't\b", "cannot"), (r"n't\b", " not"), (r"\s+", " "),
    (r"\b(what|where|who)'s\b", r"\1 is"), (r"\bfavorite", "favourite"),
)  # fmt: skip
_SHORT: Final = {
    "<adv>": r"(?:(?:really|also|still|absolutely|just|very|so|now|both) )*",
    "<too>": r"(?:,? (?:too|as well|very much|a lot|so much|now|these days|please|again))*",
    "<day>": r"(?P<day>monday|tuesday|wednesday|thursday|friday|saturday|sunday|tomorrow|\d{4}-\d\d-\d\d)",
    "<be>": r"(?:です|だ|なん[でだ]す?)?(?:よ|ね|よね)?",
    "<とても>": r"(?:とても|すごく|本当に|一番|結構|強い|深い|今も)*",
    "<て>": r"(?:て|で)(?:おいて)?(?:ください|下さい|ほしい|ね)?",
    "<do>": r"(?:(?:can|could|would|will) you )?(?:please )?",
    "<x>": r"(?P<x>.+?)",
}
"""Abbreviations in the forms: ``<x>`` matches a thing, or a list of up to three things."""


@dataclass(frozen=True)
class Said:
    """One clause that matches a form, its named groups (`gaps`), and the things in ``<x>``.

    `quote` is its sentence, verbatim. `wish` is ``remember`` or ``forget`` if the sentence asks that.
    """

    name: str
    value: Any
    quote: str
    clause: str
    gaps: Mapping[str, str]
    things: tuple[str, ...] = ()
    level: int = 0
    wish: str = ""

    @property
    def subject(self) -> str:
        """The subject: the ramen in 「ラーメンは味噌ラーメンが好き」, the first thing, or the clause."""
        return self.gaps.get("of", self.things[0] if self.things else self.clause)

    @property
    def domain(self) -> str:
        """The kind of the subject, as `kind_of` returns it."""
        return kind_of(self.subject)


# name, value, pattern, examples. If two forms match, the first one applies.
TABLE: Final[tuple[tuple[str, Any, str, str], ...]] = (
    ("like", 80, r"(?:I <adv>(?:like|enjoy|(?P<much>love))|my (?P<much2>favourite) (?:food|dish|meal) is) <x><too>|(?P<x2>.+?)[がもは]<とても>(?P<much3>大|一番)?好き<be>|(?:私の)?(?:一番)?(?P<much4>好きな)(?:食べ物|料理)は(?P<x3>.+?)(?:です|だ)", "I like ramen | I love ramen | My favourite food is ramen | ラーメンが好きです | ラーメンが大好きです!! | 好きな料理は寿司です"),
    ("special", 80, r"(?P<of>[^はが]+)は<x>が好き<be>|for (?P<of2>[\w ]+), I like (?P<x2>.+)", "ラーメンは味噌ラーメンが好き | For ramen, I like miso ramen"),
    ("gone", 20, r"I (?:(?:no longer|do not)(?= .+ any ?more) like|no longer like|stopped liking|am (?:sick|tired) of) <x>(?: any ?more)?|(?P<x2>.+?)(?:[はがを]嫌いになりました|には?飽きました|はもう好き(?:では|じゃ)(?:ありません|ない(?:です)?))", "I no longer like pasta | I don't like pasta anymore | I'm sick of pasta | パスタは嫌いになりました | パスタには飽きました | パスタはもう好きではありません"),
    ("dislike", 20, r"I <adv>(?:dislike|do not (?:really )?(?:like|enjoy)|(?P<much>hate|cannot stand)) <x><too>|(?P<x2>.+?)[がはも]<とても>(?:(?P<much2>大?嫌い)<be>|苦手<be>|好き(?:では|じゃ)(?:ありません|ない(?:です)?))", "I don't like natto | I hate natto | 納豆は苦手です | 納豆が嫌いです | 納豆は好きではありません"),  # words: literal
    ("interest", 75, r"I am <adv>(?:interested in|curious about|(?P<more>learning|studying)) <x><too>|(?P<x2>.+?)の(?:基本的な)?(?P<more2>知識)を(?:徐々に)?深めていきたい(?:と思っています|です)", "I'm interested in AWS | I'm learning Rust | I'm learning Japanese | AWSの知識を深めていきたいです"),
    ("interest", 75, r"(?:新しく気になる技術として、)?<x>(?P<more>を活用した取り組み)?(?:にも?<とても>興味(?:があります|がある|を持つようになりました)|を(?P<more2>勉強|学習)して(?:います|いる))", "AWSに興味があります | Rustを勉強しています"),
    ("avoid", 0, r"(?:(?:I am )?allergic to|I (?:cannot|do not) (?P<food>eat)) <x>|(?P<x2>.+?)(?:の|に)?アレルギー(?:が(?:あります|ある)|<be>)", "I'm allergic to peanuts | I don't eat pork | ピーナッツアレルギーがあります"),
    ("diet", 0, r"I am (?:an? )?(?P<what>vegetarian|vegan)|(?P<what2>ベジタリアン|ヴィーガン)<be>", "I'm vegetarian | ベジタリアンです"),
    ("home", 0, r"I (?:live in|(?:have )?(?:just )?(?P<moved>moved) to) <x>(?: now)?|(?P<x2>.+?)に(?:住んで(?:います|いる)|(?P<moved2>引っ越しました))", "I live in Osaka | I moved to Tokyo | 大阪に住んでいます | 東京に引っ越しました"),
    ("work", 0, r"I (?:work|am working) as <x>|(?P<x2>.+?)として働いて(?:います|いる)", "I work as a nurse | 看護師として働いています"),
    ("health", 0, r"I have (?P<what>diabetes|asthma|epilepsy)|(?P<what2>糖尿病|喘息|てんかん)(?:です|があります)", "I have diabetes | 糖尿病です"),
    ("plan", 0, r"I am (?P<what>on a diet|on holiday|on vacation|on leave|away) until <day>|(?P<day2>[月火水木金土日]曜日?|明日)まで(?P<what2>ダイエット中|休暇中|出張中)<be>", "I am on a diet until Friday | 金曜日までダイエット中です"),
    ("instruct", 0, r"(?:always )?(?:answer|reply) (?:(?P<form>in bullet points)|(?P<length>briefly|in one sentence)|(?P<language>in english|in japanese))|(?P<length2>keep your answers short)|(?:これからは)?(?:(?P<form2>箇条書きで)|(?P<length3>短く|簡潔に|一文で)|(?P<language2>英語で|日本語で))(?:答え|返事し|回答し)<て>", "Please always answer in bullet points | Keep your answers short | Answer in Japanese | 箇条書きで答えて | 短く答えてください | 英語で答えてください"),
    ("episode", 0, r"(?P<observation>(?:our|my) .+?), so (?:I|we) tried (?P<action>.+?) and (?P<result>it .+)|(?P<observation2>.+?た)ので、(?P<action2>.+?)を試したところ、(?P<result2>.+?)", "Our deploys failed every Friday, so we tried smaller releases and it fixed them | ビルドが遅かったので、キャッシュを試したところ、半分の時間になりました"),
    ("promise", 0, r"I (?:have )?promised (?P<to>\w+) (?:to |that I(?: wi|')ll )?(?P<promise>.+?)(?: (?:by|on|until) <day>(?: (?:at )?(?P<at>noon|\d\d:\d\d))?)?|(?:(?P<day2>[月火水木金土日]曜日?|明日)(?:の?(?P<at2>正午|\d\d:\d\d))?までに、?)?(?P<to2>\w+?)(?:さん)?[にへ](?P<promise2>.+?)と約束しました", "I promised Mia the Q3 figures by Friday noon | I promised Ken to call | 金曜日の正午までにミアさんに数字を送ると約束しました"),
    ("forget_everything", {"action": "forget", "everything": True}, r"<do>(?:(?:forget|delete|erase) everything(?: (?:about me|you know about me))?|wipe your memory of me)|(?:私のことを?|覚えていることを?)?(?:全部|すべて)(?:忘れ|消し)<て>", "Forget everything about me | 私のことを全部忘れて"),
    ("forget_period", {"action": "forget"}, r"<do>forget (?:(?:everything|what) I (?:told you|said) )?(?:in )?(?P<when>today|yesterday|the last hour)|(?P<when2>今日|昨日|直近1時間)(?:(?:に|で)?話したこと|のこと)[をは](?:全部)?忘れ<て>", "Forget what I said today | Forget yesterday | Forget the last hour | 今日話したことを忘れて"),
    ("do_not_remember", {"which": "previous_message"}, r"do not remember that|(?:forget|do not remember) what I just said|(?:さっきの話|今の話|それ)は覚えないで(?:ください)?", "Don't remember that | さっきの話は覚えないで"),
    ("do_not_remember", {"which": "this_message"}, r"do not remember this|(?:this is )?off the record|これは覚えないで(?:ください)?|オフレコで", "Don't remember this | Off the record | これは覚えないで"),
    ("pause", {}, r"<do>pause (?:your |my )?memory(?: for (?P<n>\d+) (?P<unit>minute|hour|day)s?| until <day>)?|(?:(?P<n2>\d+)(?P<unit2>分|時間|日)間?、?|(?P<day2>[月火水木金土日]曜日?|明日)まで、?)?記憶を(?:一時停止し|止め|オフにし)<て>|<do>(?:turn|switch) memory off", "Turn memory off | Pause your memory for 2 hours | Pause your memory until tomorrow | 2時間、記憶を止めて"),
    ("resume", {}, r"<do>(?:resume (?:your |my )?memory|remember things again|(?:turn|switch) (?:memory on|incognito off))|記憶を(?:再開し|オンにし)<て>|シークレットをオフにし<て>", "Resume your memory | Turn memory on | Turn incognito off | 記憶を再開して"),
    ("incognito", {}, r"<do>(?:(?:make|keep) this (?:thread|conversation) incognito|(?:turn|switch) incognito on|go incognito)|このスレッドは(?:シークレットにし<て>|覚えないで)|シークレットをオンにし<て>", "Make this thread incognito | Turn incognito on | このスレッドは覚えないで | シークレットをオンにして"),
    ("show_settings", {"action": "open"}, r"<do>(?:show|open)(?: me)? my settings|設定を(?:見せ|開い)<て>", "Open my settings | 設定を開いて"),
    ("show_history", {"action": "open", "list": "changes"}, r"<do>show(?: me)? (?:my|the) history(?: of (?:your|my) memory)?|(?:記憶の)?履歴を見せ<て>", "Show me the history of your memory | 記憶の履歴を見せて"),
    ("show_help", {"action": "open"}, r"help|what can (?:I do with my memories|you do)|ヘルプ|(?:記憶で)?何ができますか", "Help | What can you do? | What can I do with my memories? | 何ができますか | 記憶で何ができますか"),
    ("export", {"action": "open"}, r"<do>export (?:all )?my (?:memories|data)|記憶を(?:書き出し|エクスポートし)<て>", "Export my memories | 記憶を書き出して"),
    ("forget", 0, r"<do>(?:forget|delete|remove)(?: about| my interest in)? <x>(?: from your memory)?|(?P<x2>.+?)(?:(?:が好きな|に興味がある)こと|の(?:こと|記憶))?[はを](?:忘れ|消し)<て>", "Forget ramen | Forget my interest in AWS | ラーメンが好きなことは忘れて | ラーメンのことは忘れて"),
    ("show_memories", {"action": "open"}, r"what do you (?:remember(?: about me)?|know about me)|<do>show me my memories|(?:私について|私のことを?)?何を覚えて(?:いますか|い?る)|覚えていることを(?:全部)?見せ<て>", "What do you remember about me? | 私について何を覚えていますか？"),
    ("recall", "like", r"what (?:food )?do I like(?: to eat)?|(?:私の)?好きな(?:食べ物|料理)は何(?:ですか)?", "What food do I like? | 私の好きな食べ物は何ですか"),
    ("recall", "interest", r"what am I interested in|(?:私は)?何に興味がありますか", "What am I interested in? | 私は何に興味がありますか"),
    ("ask_colleague", 0, r"how does (?P<who><@\w+>|@?\w+) like .+|(?P<who2><@\w+>|@?\w+?)(?:さん)?は、?(?:どんな|どのような).+を(?:好みますか|してほしいですか)", "How does Aya like reviews? | アヤさんはどんなレビューを好みますか？"),
    ("eat", 0, r"what (?:shall|should|can) I (?:eat|have)(?: today| tonight| for (?:lunch|dinner))*(?:, other than (?P<not>.+?))?|what is for (?:lunch|dinner)|(?:(?P<not2>[^、]+)以外で、?)?(?:今日|今夜|の|ランチ|夕飯|[はに]|、)*何を食べ(?:よう(?:かな?)?|るといいですか|たらいいですか)|(?:今日の|今夜の)?(?:ランチ|夕飯)は", "What shall I eat today? | What should I have for lunch? | What shall I eat today, other than ramen? | 今日は何を食べよう？ | 今日のランチは何を食べようかな？ | 今日のランチは？ | ラーメン以外で、今日は何を食べるといいですか？"),
    ("topics", 0, r"<do>recommend (?P<n>one|two|three|four|five) (?:technology|tech) topics(?: for me)?(?:, (?:and sum each up |each )?in (?:a|one) sentence(?: each)?)?|what should I learn(?: first| next)?|(?:おすすめの|注目の)技術(?:トピック|の話題)を(?P<n2>\d)つ、?(?:挙げて)?(?:簡潔にまとめて|(?:それぞれ)?[1１]文(?:ずつ|で)教え<て>)?|(?:まず)?何(?:を|から)学ぶといいですか", "Recommend three technology topics for me, and sum each up in a sentence. | What should I learn first? | おすすめの技術トピックを3つ挙げて簡潔にまとめて！ | 注目の技術の話題を3つ、それぞれ1文で教えてください。 | 何から学ぶといいですか"),
    ("view", 0, r"what is going on in this channel|<do>sum up this (?:channel|thread)|このチャンネルでは?何が(?:起きて|話されて)いますか", "What is going on in this channel? | このチャンネルでは何が起きていますか"),
    ("ask_me", 0, r"ask me three short questions(?:, so that your answers suit me)?|(?:私に合った答えができるように、)?短い質問を[3３]つし<て>", "Ask me three short questions, so that your answers suit me. | 私に合った答えができるように、短い質問を3つしてください。"),
    ("hello", 0, r"(?:hi|hello|hey|good (?:morning|evening))(?: (?:there|kioku))?|こんにちは|こんばんは|おはよう(?:ございます)?", "Hello | こんにちは"),
    ("thanks", 0, r"(?:ok(?:ay)?,? ?)?(?:thanks|thank you)(?: (?:a lot|so much|very much))?|ok(?:ay)?|ありがとう(?:ございます|ございました)?", "Thanks | ok thanks | ありがとうございます"),
)  # fmt: skip
_FORMS: Final = tuple(
    (name, value, re.compile(re.sub(r"(?<!\?P)<\w+>", lambda gap: _SHORT[gap[0]], form), re.I))
    for name, value, form, _ in TABLE
)
_AROUND: Final = (
    ("remember", re.compile(r"(?i:(?:(?:can|could|would|will) you )?(?:please )?(?:remember|note|keep in mind|save this|(?:don't|don’t|do not|never) forget)(?: that|:)? (.+))")),
    ("remember", re.compile(r"(.+?)(?:だと|と|って|な?のを|な?ことを|。)(?:覚え|メモし)(?:て|ておいて)(?:ください|ね|くれる|くれますか)?")),
    ("forget", re.compile(r"(?i:(?:(?:can|could|would|will) you )?(?:please )?forget that (.+))")),
)  # fmt: skip
_JOINTS: Final = (
    (r"(好き|嫌い|苦手)(?:で(?!す)|だけど|ですけど|ですが)、?", r"\1\n"),
    (r"興味があ(?:り、|って、?|りますが、?)", "興味がある\n"),
    (r"(?i:,? (?:and|but) (?=(?:i|my|(?:don't|don’t|do not) remember)\b))", "\n"),
)
_LIST: Final = re.compile(
    rf"(?i:, (?:and )?| and | & |、|・|(?:(?<=[^ぁ-ん\s]){''.join(f'|(?<={word})' for word in JAPANESE)})"
    rf"(?:と|や)(?=[^ぁ-ん\s]|{'|'.join(JAPANESE)}))"
)
"""Separators of a list of things. In hiragana, 「と」 is one only between two known words."""
_BARE: Final = re.compile(
    r"(?i:^(?:the|an?|some|eating|drinking|to eat|to drink) )|全般$|[「」“”\"*_`]"
)
_STRONG: Final = re.compile(r"\b(?:really|very|so much|a lot)\b|とても|すごく|本当に|強い|深い")
_NO_THING: Final = frozenset(
    "not no nor never but or if because when while that which who to than it this these those them they him her you your me my us our his their its he she we i anything "
    "everything nothing something anyone everyone any all most only what how where why is are was were be been being have has had would could should will can do does did in "
    "on at for from by after before until since unless without as so more less much many few stuff things thing one ones kidding now then here there today tomorrow yet myself "
    "yourself none nobody up down out off usual lot lots".split()
)  # fmt: skip
_NO_THING_JA: Final = re.compile(
    r"(?<!^)は(?!ん)|.が(?!ら)|を|[^ぁ-ん](?:も|に|で|へ|より)|ない|ません|けど|から(?!あ|揚)|ので|たら|れば"
    r"|とき|という|思|何|誰|どれ|どこ|それ|これ|あれ|あなた|こと$|(?<!も)の$|まだ|[?？!！。、]"
)


def without_marks(sentence: str) -> str:
    """Return the sentence without the punctuation at its end."""
    return re.sub(r"[\s。！？!?.、,♪〜~…]+$", "", sentence).strip()


def read(text: str) -> list[Said]:
    """Return the clauses of `text` in order; a sentence that matches no form is ``unknown``."""
    return [*_read(text)]


# Each request repeats the messages before it.
@lru_cache(maxsize=512)
def _read(text: str) -> tuple[Said, ...]:
    text = re.sub(r"```.*?```", "\n", text[:20_000], flags=re.S).strip()
    if "\n" not in text and (whole := _sentence(text)):
        return tuple(whole)
    parts = re.findall(r"[^\n。！？!?]*?(?:[。！？!?]+|\.(?=\s|$)|\n|$)", text)
    said: list[Said] = []
    for part in (part.strip() for part in parts if re.search(r"\w", part)):
        said += _sentence(part) or [Said("unknown", 0, part, part, {})]
    return tuple(said)


def statements(text: str) -> list[Said]:
    """Return the statements of `text` about its author; none if it is off the record."""
    said = read(text)
    taken_back = any(one.name == "do_not_remember" for one in said)
    return [one for one in said if one.name in STATEMENTS and not taken_back]


def _sentence(sentence: str) -> list[Said]:
    found = _clauses(without_marks(sentence), sentence) if len(sentence) <= 300 else []
    told = any(one.name in STATEMENTS and not one.wish for one in found)
    return [] if told and sentence.endswith(("?", "？")) else found


def _clauses(text: str, quote: str) -> list[Said]:
    """Return the clauses of a sentence; none if one of them matches no form."""
    bare = text[_LEAD.match(text).end() :]  # type: ignore[union-attr]
    if one := _clause(text, quote) or _clause(bare, quote):
        return [one]
    for wish, around in _AROUND:
        if match := around.fullmatch(bare):
            inner = _clauses(without_marks(match[1]), quote)
            if wish == "forget":
                inner = [replace(one, name="forget") for one in inner if one.name in STATEMENTS]
            good = all(one.name in STATEMENTS | {"forget"} for one in inner)
            return [replace(one, wish=wish) for one in inner] if good else []
    for pattern, joint in _JOINTS:
        bare = re.sub(pattern, joint, bare, flags=re.IGNORECASE)
    parts = [part for part in bare.split("\n") if part]
    each = [_clauses(part, quote) for part in parts] if 1 < len(parts) < 6 else [[]]
    return [one for part in each for one in part] if all(each) else []


def _clause(clause: str, quote: str) -> Said | None:
    plain = clause
    for pattern, written in _LONG:
        plain = re.sub(pattern, written, plain, flags=re.IGNORECASE)
    for name, value, form in _FORMS:
        if not (match := form.fullmatch(plain)):
            continue
        gaps = {gap.rstrip("234"): text for gap, text in match.groupdict().items() if text}
        things = (gaps["what"],) if "what" in gaps else things_in(gaps.get("x", ""))
        level = value if isinstance(value, int) else 0
        if "much" in gaps:
            level = 100 if level >= 50 else 5
        elif name in {"like", "interest"} and _STRONG.search(plain):
            level += 15
        said = Said(name, value, quote, clause, gaps, things, level)
        if _is_sound(said):
            return said
    return None


def _is_sound(said: Said) -> bool:
    """Return whether the groups contain what the form expects: things, places, dishes."""
    gaps, things = said.gaps, said.things
    if "x" in gaps and not things:
        return False
    if said.name == "home":
        return all(one[0].isupper() or is_japanese(one) for one in things)
    if said.name == "special":
        return things[0].endswith(gaps["of"]) or said.domain in {"food", "drink"}
    return "food" not in gaps or all(kind_of(one) == "food" for one in things)


def things_in(text: str) -> tuple[str, ...]:
    """Return the one to three things of a list; none if an item is more than a name."""
    parts = [_BARE.sub("", part.strip()) for part in _LIST.split(text)]
    return tuple(parts) if len(parts) <= 3 and all(map(_is_thing, parts)) else ()


def _is_thing(name: str) -> bool:
    if is_japanese(name):
        return len(name) <= 20 and not _NO_THING_JA.search(name)
    words = name.split()
    whole = all(re.fullmatch(r"\w(?:[\w'’+#./&-]*[\w+#])?", word) for word in words)
    return whole and 1 <= len(words) <= 4 and not _NO_THING & {word.lower() for word in words}
