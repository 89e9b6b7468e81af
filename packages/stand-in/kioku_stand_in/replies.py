"""Replies to the sentences of a message, based on what the prompt says about the person."""
# ruff: noqa: E501 - a reply is one line of the table

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from kioku_stand_in.formation import TOPICS, Document, Memories, level_of, name_of, told_in
from kioku_stand_in.lexicon import is_japanese, singular
from kioku_stand_in.sentences import STATEMENTS, Said, read, statements, without_marks
from openai_double.prompt import Prompt

SAY: Final = {
    "unknown": ("I'm the scripted stand-in and only understand a few sentences. Try: “I like ramen”, “What shall I eat?” or “What do you remember about me?”", "私は台本どおりに答える代役で、決まった文しかわかりません。たとえば「ラーメンが好きです」「今日は何を食べよう？」「私について何を覚えていますか？」とお試しください。"),
    "said": ("Understood: **{}**.", "わかりました：**{}**。"),
    "noted": ("Noted: **{}**. I am a script and cannot follow it; a language model would.", "覚えました：**{}**。台本どおりに答える代役なのでそのようには答えられませんが、言語モデルなら従います。"),
    "files": ("I received these files. A stand-in does not look into them:\n\n{}", "ファイルを受け取りました。代役なので、中身は見ていません。\n\n{}"),
    "forwarded": ("This is what you forwarded. A stand-in does not understand it:\n\n{}", "転送された内容です。代役なので、理解はしていません。\n\n{}"),
    "hello": ("Hello! Tell me what you like, or ask me what to eat.", "こんにちは！好きなものを教えるか、何を食べるとよいか聞いてみてください。"),
    "thanks": ("You're welcome!", "どういたしまして！"),
    "searched": ("I'm the scripted stand-in and searched nothing: a real model would cite its sources.", "台本どおりに答える代役なので、何も検索していません。本物のモデルなら出典を示します。"),
    "ask_me": ("1. Which food do you like?\n2. Which technology are you interested in?\n3. Where do you live?\n\nAnswer in sentences like these: “I like ramen. I'm interested in AWS. I live in Osaka.”", "1. 好きな料理は何ですか？\n2. 興味のある技術は何ですか？\n3. どこに住んでいますか？\n\n「ラーメンが好きです。AWSに興味があります。大阪に住んでいます」のようにお答えください。"),
    "eat": ("You like {}, so how about that?", "{}がお好きでしたね。いかがでしょうか？"),
    "ideas": ("How about {}? Tell me what you like, for example “I like curry”, and I will build on it.", "{}はいかがでしょうか？「カレーが好きです」のように教えていただければ、それをもとにお答えします。"),
    "dishes": ("vegetable curry|tomato soup|mushroom rice", "野菜カレー|トマトスープ|きのこご飯"),
    "mind": ("You also told me: “{}”.", "次のことも伺っています：「{}」"),
    "and": ("”, “", "」「"),
    "dislike": ("I don't like {}", "{}は苦手です"),
    "recall": ("Here is what you told me:\n\n{}", "伺った内容は次のとおりです。\n\n{}"),
    "nothing": ("You have not told me that yet. Tell me, for example: I like ramen.", "それは、まだ伺っていません。「ラーメンが好きです」のように教えてください。"),
    "not_here": ("I do not know that here; you may have told me in another conversation. Tell me, for example: I like ramen.", "ここではわかりません。ほかの会話で伺ったかもしれません。「ラーメンが好きです」のように教えてください。"),
    "memory_off": ("Memory is off for this message, so I remember nothing about you.", "このメッセージでは記憶がオフになっているので、何も覚えていません。"),
    "cannot": ("I cannot do that here.", "ここではできません。"),
    "topics": ("{}: build something small with it.|Generative AI: it writes text and code.|Web3: a web on blockchains.|Edge computing: data stays near its source.|Zero trust: nothing is trusted.|Quantum computing: a new way to compute.", "{}: 小さなものを作りながら学べます。|生成AI: 文章やコードを作ります。|Web3: ブロックチェーンの上のウェブです。|エッジコンピューティング: 近くで処理します。|ゼロトラスト: 何も信頼しません。|量子コンピューティング: 新しい計算です。"),
    "error": ("I could not do that; nothing was changed.", "できませんでした。何も変わっていません。"),
    "no_colleague": ("I found nobody of that name who shows anything to colleagues. Mention a colleague with @ to ask about them for certain.", "そのお名前で、同僚に何かを見せている人は見つかりませんでした。@でメンションすると、確実にお調べできます。"),
    "shown_privately": ("Here it is, below.", "こちらです。"),
    "proposed": ("Please press the button if you want that. Nothing has changed yet.", "よろしければ、ボタンを押してください。まだ何も変わっていません。"),
    "offered": ("Nothing has changed yet. If there is anything to change, please confirm it below.", "まだ何も変わっていません。該当するものがあれば、下のボタンで確定してください。"),
    "asked": ("I have asked you below, with buttons.", "下のボタンでお答えください。"),
    "later": ("I will remember it a little later.", "少し後で覚えます。"),
    "refused": ("I did not remember that. Only you can see why.", "覚えませんでした。理由はあなたにだけ表示されます。"),
    "messages": ("I have read it. A stand-in does not sum it up.", "読みました。代役なので、要約はしません。"),
    "not_remembered": ("I will not remember that.", "これは覚えません。"),
    "not_found": ("I found nothing like that in my memory.", "それについて覚えていることは見つかりませんでした。"),
    "not_found_here": ("I found nothing like that among what I may use here.", "ここで使える記憶の中には見つかりませんでした。"),
    "create": ("Done, I will remember that.", "覚えました。"),
    "update": ("Done, I have changed that.", "変更しました。"),
    "delete": ("Done, I have forgotten that.", "忘れました。"),
    "done": ("Done.", "わかりました。"),
}  # fmt: skip
_INSTEAD: Final = {
    "Memory is off for this message": {"nothing": "memory_off"},
    "say that you do not know it here": {"nothing": "not_here", "not_found": "not_found_here"},
}
"""The texts that an instruction of the prompt replaces, and those that it asks for."""
_NUMBERS: Final = {"one": 1, "two": 2, "three": 3, "four": 4, "five": 5}


@dataclass(frozen=True)
class _Person:
    """The facts in the prompt about a person, the most liked first, and the texts of replies."""

    known: list[Said]
    say: Mapping[str, str]

    def facts(self, *names: str) -> list[Said]:
        """Return what is known under these names of the table of sentences."""
        return [fact for fact in self.known if fact.name in names]

    @property
    def tastes(self) -> list[Said]:
        """Likes and interests."""
        return [fact for fact in self.facts("like", "interest") if fact.level >= 50]

    def liked(self, kind: str, one: Said) -> list[str]:
        """Return the names of what the person likes of a kind, without what is not welcome."""
        tastes = [fact for fact in self.tastes if (fact.domain or fact.value) == kind]
        return self.welcome((fact.things[0] for fact in tastes), one)

    def welcome(self, names: Iterable[str], one: Said) -> list[str]:
        """Leave out what the person avoids or dislikes, and what the sentence excludes."""
        bad = self.facts("avoid", "dislike", "gone")
        unwelcome = [thing for fact in bad for thing in fact.things] + [one.gaps.get("not", "")]
        return [name for name in names if not any(_same(name, other) for other in unwelcome)]


def texts_for(prompt: Prompt) -> dict[str, str]:
    """Return the reply texts in the language that the person asked for, else of the message."""
    words = [*prompt.framed("preferences"), *_own_words(prompt)]
    asked = [one.gaps for text in words for one in statements(str(text)) if one.name == "instruct"]
    wished = [gaps["language"] for gaps in asked if "language" in gaps]
    forwarded = [one["text"] for one in prompt.forwarded]
    in_japanese = is_japanese("\n".join([prompt.last_user_text, *forwarded]))
    if wished:
        in_japanese = wished[-1].lower() in {"in japanese", "日本語で"}
    say = {name: texts[in_japanese] for name, texts in SAY.items()}
    for instruction, instead in _INSTEAD.items():
        if instruction in prompt.instructions:
            say |= {name: say[other] for name, other in instead.items()}
    return say


def reply_to(prompt: Prompt) -> str:
    """Return the reply to all sentences of the message."""
    say, text = texts_for(prompt), prompt.last_user_text
    if prompt.forwarded:
        lines = [f"> {one.get('from', '')}: {one['text'][:200]}" for one in prompt.forwarded]
        return say["forwarded"].format("\n".join(lines))
    if prompt.last_files:
        return say["files"].format("\n".join(f"- `{file}`" for file in prompt.last_files))
    said, kept = read(text), statements(text)
    person, ignored = _Person(_known(prompt, say), say), STATEMENTS | {"unknown"}
    answered = [one for one in said if one in kept or one.name not in ignored]
    told = list(dict.fromkeys(_REPLIES.get(one.name, _fixed)(one, person) for one in answered))
    unknown = not said or any(one.name == "unknown" for one in said)
    together = "\n\n" if "\n" in "".join(told) else " "
    if together == " " and re.search(r"bullet|箇条書き", f"{prompt.framed('preferences')}"):
        told = ["\n".join(f"- {part.removeprefix('1. ')}" for part in told)] if told else []
        together = "\n\n"
    return together.join([*told, *([say["unknown"]] if unknown else [])])


def _own_words(prompt: Prompt) -> list[str]:
    """Return what the person wrote just now elsewhere and in this conversation, oldest first."""
    written = [turn.text for turn in prompt.turns if turn.role == "user"]
    return [*map(str, prompt.framed("recent_words")), *written]


def _known(prompt: Prompt, say: dict[str, str]) -> list[Said]:
    """Return what the prompt says about the person as sentences of the table, the most liked first."""
    memories = Memories([], [Document(kind="", content=one) for one in prompt.memories])
    for words in _own_words(prompt):
        memories.hear(words)
    told = [_told(one.content, say) for one in memories.documents if not one.removed]
    return sorted((one for each in told for one in each), key=lambda one: -one.level)


def _told(content: dict[str, Any], say: dict[str, str]) -> list[Said]:
    """Return a memory as sentences; one that matches no form is a ``fact`` or has its topic's name.

    The value of what is liked or of interest is its kind, as `Said.domain` names it.
    """
    told, name, level = told_in(content), name_of(content), level_of(content)
    text = name or next((str(value) for value in content.values() if value), "")
    if name:
        about, kind = ("like", "food") if "food_name" in content else ("interest", "tech")
        things = next((one.things[:1] for one in told if one.name == "special"), (name,))
        if kind == "food" and level < 50:
            about = "gone" if any(one.name == "gone" for one in told) else "dislike"
            text = say["dislike"].format(name)
        return [Said(about, kind, text, text, {}, things, level)]
    topics = (topic for topic, names in TOPICS.items() if content.get("topic") in names)
    return told or [Said(next(topics, "fact"), 0, text, text, {}, (text,))]


def _confirmation(one: Said, person: _Person) -> str:
    key = "noted" if "length" in one.gaps else "said"
    return person.say[key].format(without_marks(one.clause))


def _topics(one: Said, person: _Person) -> str:
    given = one.gaps.get("n", "1").lower()
    count = _NUMBERS.get(given) or int(given)
    interest, *general = person.say["topics"].split("|")
    lines = [*map(interest.format, person.liked("tech", one)), *general][:count]
    bold = (re.sub(r"^(.*?): ", r"**\1**: ", line) for line in lines)
    return "\n".join(f"{number}. {line}" for number, line in enumerate(bold, 1))


def _suggestion(one: Said, person: _Person) -> str:
    """Suggest what the person likes, else one of three dishes; say what was kept in mind."""
    names = person.liked("food", one)
    dishes = person.welcome(person.say["dishes"].split("|"), one)
    key = "eat" if names else "ideas" if dishes else "nothing"
    lines = [person.say[key].format(_bold((names or dishes)[:1]))]
    lines += [f"- {name}" for name in names[1:3]]
    if mind := [fact.clause for fact in person.facts("avoid", "dislike", "diet")]:
        lines += ["", person.say["mind"].format(person.say["and"].join(mind))]
    return "\n".join(lines)


def _recall(one: Said, person: _Person) -> str:
    shown = person.tastes if one.value in ("like", "interest") else person.known
    asked = [fact for fact in shown if fact.name == one.value or one.name != "recall"]
    lines = dict.fromkeys(f"- **{fact.clause}**" for fact in asked)
    return person.say["recall"].format("\n".join(lines)) if lines else person.say["nothing"]


def _fixed(one: Said, person: _Person) -> str:
    """Return the text that has the sentence's name, with its things in it."""
    text = person.say.get(one.name, person.say["cannot"])
    return text.format(_bold(list(one.things)))


_Reply: TypeAlias = Callable[[Said, _Person], str]
_REPLIES: Final[Mapping[str, _Reply]] = {
    **dict.fromkeys(STATEMENTS, _confirmation),
    "topics": _topics,
    "eat": _suggestion,
    **dict.fromkeys(("recall", "show_memories"), _recall),
}
"""Functions that make the reply to a sentence, by its name; any other sentence has `_fixed`."""


def _same(name: str, other: str) -> bool:
    """Return whether one name contains the other, at the start or end of a word: tea is no steak."""
    short, long = sorted((singular(name), singular(other)), key=len)
    part = re.escape(short)
    found = short in long if is_japanese(short) else re.search(rf"\b{part}|{part}\b", long)
    return bool(short and found)


def _bold(names: list[str]) -> str:
    return ", ".join(f"**{name}**" for name in names)
