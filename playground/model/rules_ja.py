"""Japanese: what a sentence says about its author."""

from __future__ import annotations

import re
from typing import Final

from playground.model.lexicon import Domain
from playground.model.statements import Stance, Statement, domain_in, without_marks

_QUESTION: Final = re.compile(
    r"(?:か|かな|かしら|の|っけ)[？?]*$|何を|なにを|どう|どれ|どの|どこ|なぜ|いつ"
    r"|教えて|挙げて|まとめて|おすすめ|お勧め|オススメ|ください$|くれ(?:る|ます|ませんか)"
)
_PREDICATE: Final = re.compile(
    r"好き|好物|お気に入り|派|趣味|得意|知りた|嫌い|きらい|苦手|飽き|興味|関心|気にな|ハマ|はまっ|学|勉強|知識|深め|習得"
    r"|アレルギー|食べ|飲|やめ|乗り換え|移行|移り|切り替え|忘れ|削除|消して|ベジタリアン|ヴィーガン"
    r"|ビーガン|菜食|グルテンフリー|ハラール|使って|触って"
)
_LEAD: Final = re.compile(
    r"^(?:(?:私|わたし|僕|ぼく|俺|自分|うち)(?:は|も|が|、)|実は、?|最近(?:は|では)?、?|今(?:は|では)、?|特に、?|また、?"
    r"|あと(?:は)?、?|それから、?|それと、?|新しく|やっぱり|やはり|でも、?|ただ、?|そして、?|ちなみに、?|なお、?"
    r"|ずっと|昔から|前から|すごく|とても|本当に|一番|もう|さらに、?|例えば、?|もちろん、?|覚えておいて[、。：:]?"
    r"|いえ、?|いや、?|ううん、?|ええと、?)+"
)
_TAIL: Final = re.compile(
    r"(?:全般|全体|一般|自体|を活用した取り組み|を使った取り組み|の取り組み|を活用すること|の活用|という技術|という料理"
    r"|の技術|の分野|の話|など|なんか|とか|の料理|のこと|系"
    r"|の?(?:基本的な|基礎的な|専門的な|幅広い)?(?:知識|基礎|基本|使い方|仕組み|勉強)|を食べること|を飲むこと|を使うこと"
    r"|食べるの|飲むの|を食べるの|を飲むの|が(?:とても|すごく|本当に|一番)?)+$"
)
_LIST: Final = re.compile(
    r"、|,|，|・|／|＆|&|および|及び|ならびに|そして|それに|あと"
    r"|(?<=[^ぁ-ん\s])(?:とか|と|や)(?=[^ぁ-ん\s])|(?<=[^ぁ-ん\s]) ?and ?(?=\w)"
)
_ADVERB: Final = (
    r"(?:とても|すごく|本当に|ほんとに|一番|大変|やっぱり|やはり|かなり|特に|最も|めっちゃ|非常に"
    r"|少し|ちょっと|強い|深い|大きな|すごい|高い|もう|あまり|全然|今|最近|まあまあ|無性に|結構)*"
)

_FORGET: Final = re.compile(
    r"^(?P<s>.+?)(?:(?:が|を)(?:大)?(?:好き|嫌い|苦手)(?:だ|な)?(?:って|という|と(?:言|い)った)?(?:の|こと|話)?"
    r"|に(?:興味|関心)が(?:ある|あった)(?:って|という|と言った)?(?:の|こと|話)?|という(?:話|記憶|こと)"
    r"|の(?:こと|話|好み|記憶|件|情報)|について)?(?:は|を|も)?、?(?:もう)?"
    r"(?:忘れて|削除して|消して|わすれて|記憶から消して)(?!い)"
)
_EVERYTHING: Final = re.compile(r"全部|すべて|全て|ぜんぶ|何もかも|みんな")
_MOVED: Final = re.compile(
    r"^(?P<old>.+?)から(?P<new>.+?)(?:に|へ)(?:乗り換え|移り|移行|切り替え|変え|興味が移|興味が変)"
)
_PREFER: Final = re.compile(
    r"^(?P<old>.+?)より(?:も|は)?、?(?P<new>.+?)(?:の(?:ほう|方))?(?:が|を|に)"
    rf"{_ADVERB}(?:好き|興味|関心|気にな|いい|良い)|^(?P<old2>.+?)より(?P<new2>.+?)派"
)
_MEANT: Final = re.compile(
    r"^(?P<old>.+?)(?:では|じゃ)(?:なく(?:て)?|ありません)、?(?P<new>.+?)"
    r"(?:(?:が|に|の(?:ほう|方)が)(?:大)?(?:好き|興味|関心)|です|でした|だった|だよ|だ$|$)"
)
_DIET: Final = re.compile(
    r"(?P<diet>ベジタリアン|菜食主義|ヴィーガン|ビーガン|グルテンフリー|ハラール|ペスカタリアン)"
)
_ALLERGY: Final = re.compile(
    r"^(?P<s>.+?)(?:に|の|に対して|に対する)?アレルギー(?:が|を|です|な|持ち|だ|があ|$)"
    r"|^(?P<s2>.+?)(?:は|が|を)(?:食べられ|食べれ|飲め)(?:ない|ません)"
)
_FAVOURITE: Final = re.compile(
    r"^(?:一番)?(?:(?:大)?好きな|お気に入りの|好物の)(?P<what>[^は]*)は(?P<s>.+?)(?:です|だ|だよ|かな|ですね)?$"
)
_INTERESTING: Final = re.compile(
    r"^(?:今|最近)?(?:興味(?:が|の)ある|関心(?:が|の)ある|気になって(?:い)?る|気になる|学びたい|勉強中の|勉強している)"
    r"(?P<what>[^はが]*)(?:は|が)(?P<s>.+?)(?:です|だ|だよ|ですね)?$"
)

_PATTERNS: Final[tuple[tuple[Stance, int, str], ...]] = (
    (
        "lost",
        0,
        rf"^(?P<s>.+?)(?:への|に対する|に(?:は|も|対して)?|について(?:は|の)?|の){_ADVERB}(?:興味|関心)(?:が|は|も|を)?"
        rf"{_ADVERB}(?:なくな|無くな|な(?:い|く)|無い|ありません|失|薄れ|持てな|なし)",
    ),
    (
        "lost",
        0,
        r"^(?P<s>.+?)(?:の(?:勉強|学習)|を(?:学ぶの|使うの|勉強するの))?(?:は|を)(?:もう)?"
        r"(?:やめ(?:まし|た|ます|る)|卒業|あきらめ|諦め|気にならなく|どうでもよく)",
    ),
    (
        "dislike",
        15,
        rf"^(?P<s>.+?)(?:が|は|を|も|のこと(?:は|が)){_ADVERB}(?:そんなに)?好き(?:では|じゃ|で)(?:も)?(?:な|あり)",
    ),
    (
        "dislike",
        5,
        rf"^(?P<s>.+?)(?:が|は|を|も|のこと(?:は|が)){_ADVERB}(?:大嫌い|嫌い|きらい|苦手|無理)"
        r"(?!では|じゃ)",
    ),
    (
        "dislike",
        10,
        rf"^(?P<s>.+?)(?:に|は|には|も){_ADVERB}(?:飽き|うんざり)|^(?P<s2>.+?)(?:は|を)"
        r"(?:もう)?(?:食べな|飲まな|食べません|飲みません|食べるのをやめ|食べたくな)",
    ),
    (
        "dislike",
        10,
        r"^(?P<s>.+?)(?:が|は|も)(?:大)?好き(?:だった|でした)(?:が|けど|けれど)",
    ),
    (
        "interest",
        90,
        r"^(?P<s>.+?)(?:に|にも|には)(?:とても|すごく|かなり|非常に|特に)*(?:強い|深い|大きな|高い)"
        r"(?:興味|関心)(?:が|を|も)",
    ),
    (
        "interest",
        75,
        rf"^(?P<s>.+?)(?:に|にも|には|について(?:の|も)?|への){_ADVERB}(?:興味|関心)(?:が|を|も)?"
        rf"{_ADVERB}(?:あ|持|湧|わ|出|高|津々|$)",
    ),
    ("interest", 75, rf"^(?P<s>.+?)(?:が|も|のこと(?:が|も)){_ADVERB}気にな"),
    ("interest", 85, rf"^(?P<s>.+?)(?:に|にも){_ADVERB}(?:ハマ|はま|夢中)"),
    (
        "interest",
        80,
        rf"^(?P<s>.+?)(?:を|について(?:も)?|も|の勉強を|の学習を)(?:徐々に|少しずつ|もっと|しっかり|今|最近|これから|{_ADVERB})*"
        r"(?:学び|学ん|学習し|勉強し|勉強中|深め|習得し|身につけ|調べて|触って|使ってみたい|始め|知りた)",
    ),
    (
        "like",
        100,
        rf"^(?P<s>.+?)(?:が|は|も|を|のこと(?:が|は)){_ADVERB}(?:大好き|大好物|だいすき)",
    ),
    ("like", 100, r"^(?P<s>.+?)(?:が|は|も|を)(?:一番|最も|何より)好き"),
    (
        "like",
        80,
        rf"^(?P<s>.+?)(?:が|は|も|を|のこと(?:が|は)){_ADVERB}(?:好き|好物|お気に入り|好み|すき|趣味)"
        r"|^(?P<s2>.+?)派(?:です|だ|$)",
    ),
    ("interest", 80, r"^(?P<s>.+?)(?:が|も)得意"),
)
_STRONG: Final = re.compile(r"とても|すごく|本当に|強い|強く|非常に|めっちゃ|かなり|大変|深い")
_FACT: Final = re.compile(
    r"住んで|出身|働いて|生まれ|名前は|仕事は|誕生日は|(?:^|は).+(?:です|だ)$"
)
# Without a subject it is the speaker who lives or works there.
_HOME: Final = re.compile(
    r"^[^はがも]+(?:に住んで|(?:の)?出身(?:です|だ)?$|(?:で|に)(?:働い|勤め)て)"
)
_PERSON: Final = re.compile(r"^(?:私|わたし|僕|ぼく|俺|自分|誕生日|名前|仕事)")
_NAME_END: Final = r"(?:は|が|も|を)$"


def read(sentence: str) -> list[Statement]:
    """The statements of one Japanese sentence."""
    plain = without_marks(sentence)
    forgotten = _forget(plain, sentence)
    if forgotten is not None:
        return forgotten
    plain = re.sub(
        r"(?:(?:なの|だ)?(?:という|って|と)?(?:の|こと)?(?:を|は)?(?:、)?"
        r"(?:覚えて(?:おいて|て|ね)?|忘れないで|記憶して|メモして)(?:ください|ね)?)$",
        "",
        plain,
    )
    if sentence.rstrip().endswith(("?", "？")) or _QUESTION.search(plain):
        return []
    found: list[Statement] = []
    for clause in _clauses(plain):
        found += _clause(clause, sentence)
    return found


def _clauses(plain: str) -> list[str]:
    """Split at commas, but keep an enumeration with the predicate that follows it."""
    clauses: list[str] = []
    waiting = ""
    for part in re.split(r"(?<=[、,])|(?<=ですが)(?!、)|(?<=ますが)(?!、)|(?<=けど)(?!、)", plain):
        waiting += part
        if _PREDICATE.search(part) and not re.search(r"(?:では|じゃ)なく(?:て)?[、,]?$", part):
            clauses.append(waiting.strip("、, "))
            waiting = ""
    if waiting.strip("、, "):
        clauses.append(waiting.strip("、, "))
    return clauses


def _forget(plain: str, quote: str) -> list[Statement] | None:
    match = _FORGET.match(plain)
    if not match:
        return None
    subject = match["s"]
    if _EVERYTHING.search(subject):
        return []
    return [_statement("forget", one, 0, quote, plain) for one in _subjects(subject)]


def _clause(clause: str, quote: str) -> list[Statement]:
    body = _LEAD.sub("", clause)
    for reader in (_change, _diet, _special, _favourite, _plain):
        found = reader(body, quote)
        if found:
            return found
    if (_FACT.search(body) and _PERSON.match(clause)) or _HOME.match(body):
        return [_statement("fact", body, 100, quote, clause)]
    return []


def _change(clause: str, quote: str) -> list[Statement]:
    moved = _MOVED.match(clause)
    if moved:
        new, old = _subjects(moved["new"]), _subjects(moved["old"])
        domain = _domain(new + old, clause)
        stance: Stance = "like" if domain == "food" else "interest"
        gone = [_statement("lost", one, 0, quote, clause, domain) for one in old]
        return gone + [_statement(stance, one, 80, quote, clause, domain) for one in new]
    prefer = _PREFER.match(clause)
    if prefer:
        new = _subjects(prefer["new"] or prefer["new2"])
        old = _subjects(prefer["old"] or prefer["old2"])
        domain = _domain(new + old, clause)
        stance = "interest" if domain == "tech" else "like"
        return [_statement(stance, one, 90, quote, clause, domain) for one in new] + [
            _statement("lesser", one, 60, quote, clause, domain) for one in old
        ]
    meant = _MEANT.match(clause)
    if meant and "好き" not in meant["old"]:
        new, old = _subjects(meant["new"]), _subjects(meant["old"])
        domain = _domain(new + old, clause)
        if new and old and domain:
            return [
                Statement(
                    stance="interest" if domain == "tech" else "like",
                    subject=new[0],
                    strength=80,
                    quote=quote,
                    detail=clause,
                    domain=domain,
                    replaces=old[0],
                )
            ]
    return []


def _diet(clause: str, quote: str) -> list[Statement]:
    diet = _DIET.search(clause)
    if diet:
        ended = re.search(r"(?:では|じゃ)(?:な|あり)|やめ", clause)
        subject = f"{diet['diet']}料理"
        if ended:
            return [_statement("lost", subject, 0, quote, clause, "food")]
        return [_statement("diet", subject, 100, quote, clause, "food")]
    allergy = _ALLERGY.match(clause)
    if allergy:
        about = allergy["s"] or allergy["s2"]
        return [_statement("diet", one, 0, quote, clause, "food") for one in _subjects(about)]
    return []


def _special(clause: str, quote: str) -> list[Statement]:
    """「ラーメンは味噌ラーメンが好き」: of the first, the second."""
    match = re.match(
        r"^(?P<topic>[^はが、]+?)は(?P<s>[^はが]+?)(?:が|を)(?:一番|とても|大|特に|やっぱり)*"
        r"(?P<verb>好き|いい|良い|気にな|お気に入り)(?!では|じゃ)",
        clause,
    )
    if not match:
        return []
    topic, special = _clean(match["topic"]), _clean(match["s"])
    domain = domain_in(topic, clause) or domain_in(special, clause)
    if not topic or not special or domain is None:
        return []
    return [
        Statement(
            stance="interest" if domain == "tech" else "like",
            subject=topic,
            strength=100 if "大好き" in clause or "一番" in clause else 80,
            quote=quote,
            detail=_short(clause[match.start("s") :]),
            domain=domain,
            special=special,
        )
    ]


def _favourite(clause: str, quote: str) -> list[Statement]:
    like, interest = _FAVOURITE.match(clause), _INTERESTING.match(clause)
    match = like or interest
    if not match:
        return []
    hint = f"{match['what']} {clause}"
    found = []
    for one in _subjects(match["s"]):
        domain = domain_in(one, hint) or ("tech" if interest else None)
        stance: Stance = "interest" if domain == "tech" else "like"
        level = 100 if like else 80
        found.append(_statement(stance, one, level, quote, clause, domain))
    return found


def _plain(clause: str, quote: str) -> list[Statement]:
    for stance, strength, pattern in _PATTERNS:
        match = re.search(pattern, clause)
        if not match:
            continue
        groups = match.groupdict()
        level = strength
        if stance in {"like", "interest"} and _STRONG.search(clause):
            level = min(100, strength + 15)
        said = [
            _statement(stance, one, level, quote, clause)
            for one in _subjects(groups["s"] or groups.get("s2") or "")
        ]
        return [_settle(one) for one in said]
    return []


def _settle(said: Statement) -> Statement:
    """A like of a technology is an interest; an interest in a dish is a like."""
    stance, domain = said.stance, said.domain
    if domain == "tech":
        stance = {"like": "interest", "dislike": "lost"}.get(stance, stance)  # type: ignore[assignment]
    elif domain == "food":
        stance = {"interest": "like", "lost": "dislike"}.get(stance, stance)  # type: ignore[assignment]
    elif stance == "interest":
        domain = "tech"
    return _statement(stance, said.subject, said.strength, said.quote, said.detail, domain)


def _statement(
    stance: Stance,
    subject: str,
    strength: int,
    quote: str,
    clause: str,
    domain: Domain | None = None,
) -> Statement:
    return Statement(
        stance=stance,
        subject=subject,
        strength=strength,
        quote=quote,
        detail=_short(clause),
        domain=domain or domain_in(subject, clause),
    )


def _domain(subjects: list[str], clause: str) -> Domain | None:
    return next((d for d in (domain_in(one, clause) for one in subjects) if d), None)


def _short(clause: str) -> str:
    for pattern, ending in _ENDINGS:
        clause = re.sub(pattern, ending, clause)
    return clause


_ENDINGS: Final = (
    (r"と(?:思って(?:い)?ます|思います|考えて(?:い)?ます)$", ""),
    (r"(?<=.)(?:です(?:ね|よ)?|だよ|だね)$", ""),
    (r"(?<=が)あり(?:ます)?$", "ある"),
    (r"(?<=て)い?ます$", "いる"),
    (r"(?<=好き)[でな]$", ""),
)


def _subjects(text: str) -> list[str]:
    """The names in an enumeration: 「AWS、Azureの基本的な知識」 → ``["AWS", "Azure"]``."""
    cleaned = (_clean(one) for one in _LIST.split(text))
    return [one for one in cleaned if one and len(one) <= 30]


def _clean(name: str) -> str:
    bare = _LEAD.sub("", name.strip(" 　「」『』\"'“”*_`、,"))
    bare = _TAIL.sub("", bare)
    return re.sub(_NAME_END, "", _TAIL.sub("", bare)).strip(" 　「」『』")
