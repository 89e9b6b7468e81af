"""A reply from what is known: scripted, in the language of the message, in Markdown."""

from __future__ import annotations

import re
from typing import Final

from playground.model import stories
from playground.model.known import Known, favourites, known_about, label, wishes
from playground.model.lexicon import is_japanese, normalise, singular
from playground.model.prompt import Prompt
from playground.model.statements import Statement, read_statements, without_marks

_MAX_TEXT: Final = 1_000

_GREETING: Final = re.compile(
    r"^(?:hi|hello|hey|good (?:morning|afternoon|evening)|yo|howdy|こんにちは|こんにちわ"
    r"|おはよう(?:ございます)?|こんばんは|やあ|はじめまして|どうも)(?: there| kioku| all)?$",
    re.IGNORECASE,
)
_THANKS: Final = re.compile(
    r"^(?:(?:ok|okay|great|cool|nice|got it|perfect|alright|はい|了解(?:です)?|わかりました"
    r"|なるほど|どうも)[,、.! ]*)*(?:thanks?(?: you)?(?: (?:a lot|so much|very much))?|thx|ty"
    r"|ありがとう(?:ございます|ございました)?|サンキュー|感謝(?:です)?)?$",
    re.IGNORECASE,
)
_RECALL: Final = re.compile(
    r"(?:what|anything|everything|things?).*(?:remember|know|learn(?:ed|t)).*(?:me|i)\b"
    r"|what (?:do|did|am|are|have) i\b.*|about me\b|who am i|my (?:preferences|interests|memories)"
    r"|(?:何|なに|こと).*(?:覚えて|知って|記憶)|(?:私|僕|俺|自分).*(?:好み|好き|興味|こと).*(?:何|なに|どんな|教えて|？|\?)"
    r"|覚えて(?:い)?(?:る|ます)(?:か|？|\?|こと)",
    re.IGNORECASE,
)
_FOOD: Final = re.compile(
    r"\b(?:eat|food|lunch|dinner|breakfast|supper|meal|snack|hungry|cook|restaurant|dish|recipe|"
    r"drink|dessert|order|menu)\b"
    r"|食べ|飲|ランチ|昼|夕飯|夕食|晩|朝食|朝ごはん|ご飯|ごはん|料理|お腹|おなか|ディナー|レシピ|食事|おやつ|献立|メニュー|お店",
    re.IGNORECASE,
)
_TECH: Final = re.compile(
    r"\b(?:tech|technology|technologies|topics?|learn|study|read|skill|programming|language|"
    r"framework|tool|stack|course|book|engineer)\w*\b"
    r"|技術|トピック|勉強|学|スキル|プログラミング|言語|フレームワーク|ツール|本|エンジニア|開発",
    re.IGNORECASE,
)
_SUGGEST: Final = re.compile(
    r"recommend|suggest|should i|shall i|what .*(?:do|next|try)|ideas?|plan|for me|tips?|advice"
    r"|おすすめ|お勧め|オススメ|提案|何をし|どうしよう|アドバイス|教えて|挙げて|選んで|プラン|案",
    re.IGNORECASE,
)
_COUNT: Final = re.compile(
    r"(?P<n>[1-9１-９]|one|two|three|four|five|一|二|三|四|五)\s*(?:つ|個|件|選|点|topics?|ideas?|things?|of|tech\w*|"
    r"suggestions?|recommendations?)",
    re.IGNORECASE,
)
_NUMBERS: Final = {"one": 1, "two": 2, "three": 3, "four": 4, "five": 5} | dict(
    zip("一二三四五", range(1, 6), strict=True)
)
_GENERIC_JA: Final = (
    ("生成AI", "文章・画像・コードを作るAIで、業務の自動化から創作まで広がっています。"),
    ("量子コンピューティング", "従来の計算機では難しい問題に挑む、次世代の計算技術です。"),
    ("Web3", "ブロックチェーンを土台にした、非中央集権のインターネットの構想です。"),
    ("エッジコンピューティング", "データを生まれた場所の近くで処理し、遅延を減らします。"),
    ("ゼロトラスト", "何も信頼しないことを前提にした、セキュリティの考え方です。"),
)
_GENERIC_EN: Final = (
    ("Generative AI", "models that write text, images and code, from automation to creative work."),
    ("Quantum computing", "a new kind of computing for problems that are out of reach today."),
    ("Web3", "a decentralised web built on blockchains, with its own economics."),
    ("Edge computing", "processing data near where it is made, so that answers come sooner."),
    ("Zero trust", "a way of thinking about security that trusts nothing by default."),
)
_STEP_JA: Final = (
    "基本から実践へ、小さなものを作りながら理解を深めるのがおすすめです。",
    "公式のチュートリアルで土台を固めると、次の一歩が楽になります。",
    "最新の事例を追うと、どこで役に立つかが見えてきます。",
)
_STEP_EN: Final = (
    "go from the basics to practice by building something small.",
    "work through the official tutorial to get firm ground.",
    "follow recent case studies to see where it pays off.",
)


def reply_to(prompt: Prompt) -> str:
    """The text of the reply, in the form the person wishes."""
    if prompt.last_files:
        return _received(prompt)
    return stories.as_wished(_reply(prompt), wishes(prompt))


def _received(prompt: Prompt) -> str:
    """What came with the message: a script looks into no file, and says so."""
    lines = [f"- `{file}`" for file in prompt.last_files]
    japanese = is_japanese(prompt.last_user_text)
    head = (
        "ファイルを受け取りました。代役なので、中身は見ていません。"
        if japanese
        else "I received these files. A stand-in does not look into them:"
    )
    return "\n".join([head, "", *lines])


def _reply(prompt: Prompt) -> str:
    """The text of the reply: it names what is known where that is to the point."""
    text = prompt.last_user_text.strip()[:_MAX_TEXT]
    plain = without_marks(text)
    known = known_about(prompt)
    japanese = is_japanese(text)
    if not plain:
        return "何か話しかけてください。" if japanese else "Say something, and I will answer."
    if _GREETING.match(plain):
        return _greeting(known, japanese)
    if _THANKS.match(plain):
        return "どういたしまして！" if japanese else "You're welcome!"
    said = [
        one for one in read_statements(prompt.last_user_text) if one.stance != "fact" or one.subject
    ]
    if said:
        return _acknowledge(said, known, japanese)
    if _RECALL.search(text):
        return _recall(text, known, japanese)
    if _FOOD.search(text):
        return _food(known, japanese)
    if _TECH.search(text):
        return _tech(text, known, japanese)
    return _other(text, known, japanese)


def is_about_the_person(prompt: Prompt) -> bool:
    """Whether the newest words ask for something that depends on who asks."""
    text = prompt.last_user_text[:_MAX_TEXT]
    asked = any(one.search(text) for one in (_RECALL, _FOOD, _TECH, _SUGGEST))
    return asked and not read_statements(text)


def _greeting(known: list[Known], japanese: bool) -> str:
    liked = [label(one) for one in known if one.liked and one.domain and not one.diet][:2]
    if japanese:
        tail = (
            f"{_join(liked, True)}の話でも、ほかのことでもどうぞ。"
            if liked
            else "好きなものや興味のあることを教えてください。"
        )
        return f"こんにちは！{tail}"
    tail = (
        f"Shall we talk about {_join(liked, False)}, or about something else?"
        if liked
        else "Tell me what you like or what interests you."
    )
    return f"Hello! {tail}"


def _acknowledge(said: list[Statement], known: list[Known], japanese: bool) -> str:
    lines = [_heard(one, japanese) for one in said]
    lines = list(dict.fromkeys(lines))[:5]
    subjects = {normalise(one.subject) for one in said}
    domain = said[-1].domain
    related = [
        f"**{label(one)}**"
        for one in known
        if one.domain == domain and domain and one.liked and normalise(one.name) not in subjects
    ][:2]
    away = any(one.stance in {"forget", "lost", "dislike"} for one in said)
    if related and not away:
        lines.append(
            f"{_join(related, True)}のことも踏まえて、お話しできます。"
            if japanese
            else f"I will think of it together with {_join(related, False)}."
        )
    return "\n".join(lines) if japanese else " ".join(lines)


def _heard(one: Statement, japanese: bool) -> str:
    name = f"**{one.special or one.subject}**"
    if one.stance == "instruct":
        return (
            "わかりました。これからそのように答えます。" if japanese else "I will answer that way."
        )
    if one.stance in {"fact", "episode"}:
        return "教えてくれてありがとうございます。" if japanese else "Thank you for telling me."
    table = {
        "like": ("{}がお好きなんですね！", "You like {}, good to know!"),
        "interest": ("{}に興味をお持ちなんですね！", "You are interested in {}, good to know!"),
        "dislike": ("{}は苦手なんですね。おすすめから外します。", "Understood, no {} for you."),
        "lost": ("{}はもう追わないんですね。わかりました。", "Understood, {} is behind you."),
        "diet": ("{}のこと、気をつけますね。", "I will keep {} in mind with every suggestion."),
        "forget": (
            "{}のことはもう持ち出しません。",
            "Understood, I will leave {} out from now on.",
        ),
        "lesser": ("{}は二番目ですね。", "And {} comes second."),
    }
    return table[one.stance][0 if japanese else 1].format(name)


def _recall(text: str, known: list[Known], japanese: bool) -> str:
    if not known:
        if japanese:
            return "まだ何も覚えていません。好きなものや興味のあることを教えてください。"
        return "I do not remember anything about you yet. Tell me what you like or care about."
    food, tech = bool(_FOOD.search(text)), bool(_TECH.search(text))
    chosen = known
    if food != tech:
        chosen = [one for one in known if one.domain == ("food" if food else "tech")] or known
    lines = [_line(one) for one in chosen[:20]]
    head = "あなたについて知っていることです。" if japanese else "Here is what I know about you:"
    return "\n".join([head, "", *lines])


def _line(one: Known) -> str:
    detail = "" if not one.detail or one.detail == one.name else f" – {one.detail}"
    return f"- **{one.name}**{detail}"


def _food(known: list[Known], japanese: bool) -> str:
    diets = [one for one in known if one.diet]
    liked = [label(one) for one in favourites(known, "food")][:3]
    avoided = [one.name for one in known if one.domain == "food" and not one.liked][:3]
    if not (liked or diets or avoided):
        if japanese:
            return "好みをまだ知らないので、まだ選べません。**好きな料理**を教えてください。"
        return "I do not know your taste yet, so I cannot say. Tell me a **dish you like**."
    lines: list[str] = []
    diet_names = [f"**{_diet_name(one)}**" for one in diets]
    if japanese:
        if diets:
            lines.append(f"{_join(diet_names, True)}のことを考えて選びました。")
        if liked:
            lines.append(f"**{liked[0]}**がお好きでしたね。今日はそれでいかがでしょうか？")
            others = [f"- {name}" for name in liked[1:]]
            lines += ["", "ほかにはこちらもあります。", *others] if others else []
        elif diets:
            lines.append("野菜のカレーや豆腐の料理など、体に合うものがよさそうです。")
        if avoided:
            lines.append(f"{_join(avoided, True)}は外しておきました。")
        return "\n".join(lines)
    start = f"With {_join(diet_names, False)} in mind: " if diets else ""
    if liked:
        lines.append(f"{start}you like **{liked[0]}**, so how about that today?")
        others = [f"- {name}" for name in liked[1:]]
        lines += ["", "You could also have:", *others] if others else []
    elif diets:
        lines.append(f"{start}how about a bowl of rice, beans and vegetables?")
    if avoided:
        lines.append(f"I left out {_join(avoided, False)}, which you do not like.")
    text = "\n".join(lines)
    return text[0].upper() + text[1:]


def _diet_name(one: Known) -> str:
    """``vegetarian food`` is the row, "vegetarian" is what to say; an allergy keeps its clause."""
    bare = re.sub(r" food$|料理$", "", one.name)
    allergic = re.search(r"allerg|アレルギー", one.detail, re.IGNORECASE)
    if allergic:
        return f"{bare}アレルギー" if is_japanese(one.detail) else f"your {singular(bare)} allergy"
    if re.search(r"n't eat|not eat|never eat|can't|cannot", one.detail, re.IGNORECASE):
        return f"no {bare}"
    return bare


def _tech(text: str, known: list[Known], japanese: bool) -> str:
    count = _how_many(text)
    topics = [one.name for one in favourites(known, "tech")][:count]
    steps = _STEP_JA if japanese else _STEP_EN
    sep = ": "
    lines = [
        f"{number}. **{name}**{sep}{steps[(number - 1) % len(steps)]}"
        for number, name in enumerate(topics, 1)
    ]
    if topics:
        head = (
            "これまでの興味をもとに、おすすめを選びました。"
            if japanese
            else "Here is what I would pick, going by your interests:"
        )
        if len(topics) == count:
            return "\n\n".join([head, "\n".join(lines)])
    else:
        head = (
            "興味のある分野をまだ知らないので、よく話題になるものを挙げます。"
            if japanese
            else "I do not know your interests yet, so here are topics that many talk about:"
        )
    taken = {normalise(name) for name in topics}
    generic = [
        one for one in (_GENERIC_JA if japanese else _GENERIC_EN) if normalise(one[0]) not in taken
    ]
    for number, (name, what) in enumerate(generic[: count - len(topics)], len(topics) + 1):
        lines.append(f"{number}. **{name}**{sep}{what}")
    return "\n\n".join([head, "\n".join(lines)])


def _how_many(text: str) -> int:
    match = _COUNT.search(text)
    if not match:
        return 3
    number = match["n"].lower()
    return min(_NUMBERS.get(number) or int(number), 5)


def _other(text: str, known: list[Known], japanese: bool) -> str:
    near = _near(text, known)
    if not near and _SUGGEST.search(text):
        near = sorted((one for one in known if one.liked), key=lambda one: -(one.level or 70))
    if near:
        names = [_line(one) for one in near[:3]]
        head = (
            "これまでに伺ったことから考えると、こちらが関係しそうです。"
            if japanese
            else "Going by what you have told me, this bears on it:"
        )
        return "\n".join([head, "", *names])
    if japanese:
        return (
            "それについては、まだ手がかりがありません。"
            "好きなものや興味のあることを教えてもらえれば、それに合わせて答えます。"
        )
    return (
        "I have nothing to go on for that yet. Tell me what you like or what interests you, "
        "and ask me again."
    )


_LATIN: Final = r"[a-z0-9+#]{3,}"


def _near(text: str, known: list[Known]) -> list[Known]:
    """What shares a word with the message: a name in it, or three characters of Japanese."""
    words = normalise(text)
    found = []
    for one in known:
        said = normalise(f"{one.name} {one.detail}")
        tokens = set(re.findall(_LATIN, said)) & set(re.findall(_LATIN, words))
        runs = re.findall(r"[ァ-ヺー]{2,}|[一-鿿]{2,}", said)
        if normalise(one.name) in words or tokens - _COMMON or any(run in words for run in runs):
            found.append(one)
    return found


_COMMON: Final = frozenset(
    [
        "the",
        "and",
        "you",
        "your",
        "for",
        "with",
        "about",
        "what",
        "that",
        "this",
        "have",
        "like",
        "love",
        "really",
        "very",
        "interested",
        "from",
        "are",
        "was",
        "can",
        "not",
    ]
)


def _join(names: list[str], japanese: bool) -> str:
    if japanese:
        return "、".join(names)
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
