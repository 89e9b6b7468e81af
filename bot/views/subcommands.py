"""The uses of each slash command: one table for dispatch, help and documentation."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import Literal

from bot.locale import Language, say
from bot.views.time_forms import past_period, pause_end


@dataclass(frozen=True, slots=True, kw_only=True)
class Subcommand:
    """One use of a command.

    `words` are what people type, the English name first. `usage` is the key of an example.
    `opens_modal` says when the answer is a modal: never, always, without further words (``alone``),
    or with words that are not a time (``no_time``).
    """

    words: tuple[str, ...]
    usage: str
    opens_modal: Literal["never", "always", "alone", "no_time"] = "never"

    @property
    def name(self) -> str:
        """The name of the use in the code."""
        return self.words[0]


LIST = Subcommand(words=("list", "all", "show", "一覧"), usage="usage_list")
ONE = Subcommand(words=("number", "番号"), usage="usage_number")
MEMORIES: tuple[Subcommand, ...] = (
    LIST,
    ONE,
    Subcommand(words=("page", "ページ"), usage="usage_page"),
    Subcommand(words=("search", "find", "検索", "探す"), usage="usage_search"),
    Subcommand(words=("add", "remember", "追加"), usage="usage_add", opens_modal="alone"),
    Subcommand(words=("edit", "編集"), usage="usage_edit", opens_modal="always"),
    Subcommand(words=("history", "undo", "履歴", "元に戻す"), usage="usage_history"),
    Subcommand(words=("export", "download", "エクスポート", "書き出し"), usage="usage_export"),
    Subcommand(
        words=("pause", "off", "一時停止", "停止", "オフ"),
        usage="usage_pause",
        opens_modal="no_time",
    ),
    Subcommand(words=("resume", "unpause", "on", "再開", "オン"), usage="usage_resume"),
    Subcommand(words=("incognito", "シークレット"), usage="usage_incognito"),
    Subcommand(words=("settings", "設定"), usage="usage_settings", opens_modal="always"),
    Subcommand(words=("help", "?", "ヘルプ", "使い方"), usage="usage_help"),
)
NUMBER = Subcommand(words=("number", "番号"), usage="usage_forget_number")
WORDS = Subcommand(words=("words", "言葉"), usage="usage_forget_words")
EVERYTHING = Subcommand(
    words=("everything", "all", "すべて", "全て", "全部", "ぜんぶ"), usage="usage_forget_everything"
)
# Any other period that `bot.views.time_forms.past_period` accepts.
LAST_HOURS = Subcommand(words=("last 2 hours", "直近2時間"), usage="usage_forget_hours")
TODAY = Subcommand(words=("today", "今日"), usage="usage_forget_today")
YESTERDAY = Subcommand(words=("yesterday", "昨日"), usage="usage_forget_yesterday")
LAST_WEEK = Subcommand(words=("last week", "先週"), usage="usage_forget_week")
THREAD = Subcommand(
    words=("this thread", "thread", "このスレッド", "スレッド"), usage="usage_forget_thread"
)
PERIODS: tuple[Subcommand, ...] = (LAST_HOURS, TODAY, YESTERDAY, LAST_WEEK)
_NAMED = {use.name: use for use in MEMORIES}
# After ``/memories`` they mean ``/forget``.
_FORGETTING = ("forget", "delete", "remove", "erase", "忘れる", "忘れて", "削除", "消去")
_KATAKANA = re.compile(r"[ァ-ヺー]")
_PAGE = re.compile(r"(\d{1,5}) ?ページ目?")
_NUMBER = r"#?\d+(?:番目?)?"
_NUMBERS = re.compile(rf"{_NUMBER}(?:(?:\s*[,、と]\s*|\s+){_NUMBER})*")
# The least ratio of `difflib` at which a name is offered for another word.
_SIMILAR = 0.81
_THAT = re.compile(r"that\s+", re.IGNORECASE)
# What help shows under each heading: what each line says, and the uses that share it.
HELP: dict[str, dict[str, tuple[Subcommand, ...]]] = {
    "help_see": {
        "about_list": (LIST,),
        "about_number": (ONE,),
        "about_page": (_NAMED["page"],),
        "about_search": (_NAMED["search"],),
        "about_history": (_NAMED["history"],),
    },
    "help_change": {
        "about_add": (_NAMED["add"],),
        "about_edit": (_NAMED["edit"],),
    },
    "help_forget": {
        "about_forget": (NUMBER, WORDS),
        "about_forget_period": PERIODS,
        "about_forget_thread": (THREAD,),
        "about_forget_everything": (EVERYTHING,),
    },
    "help_control": {
        "about_pause": (_NAMED["pause"],),
        "about_resume": (_NAMED["resume"],),
        "about_incognito": (_NAMED["incognito"],),
        "about_settings": (_NAMED["settings"],),
    },
    "help_take": {"about_export": (_NAMED["export"],)},
}


def parse_memories(text: str) -> tuple[Subcommand, str] | None:
    """Return which use of ``/memories`` was typed, and the words after its name.

    Nothing is the list, and a number is that memory of it. None: there is no such use.
    """
    text = text.strip()
    if not text:
        return LIST, ""
    if len(numbers_in(text)) == 1:
        return ONE, text
    if page := _PAGE.fullmatch(unicodedata.normalize("NFKC", text)):
        return _NAMED["page"], page[1]
    first, *others = text.split(maxsplit=1)
    rest = others[0].strip() if others else ""
    for use in MEMORIES:
        if _folded(first) in use.words:
            # "show 2" and "list page 2" mean what follows.
            after = parse_memories(rest) if use is LIST and rest else None
            return after or (use, rest)
    for use in MEMORIES:
        for word in use.words:
            # Japanese is written without spaces: 「検索ラーメン」. 「オフィス」 is another word.
            rest = text[len(word) :]
            if not word.isascii() and _folded(text).startswith(word) and not _goes_on(word, rest):
                return use, rest.strip()
    return None


def _goes_on(word: str, rest: str) -> bool:
    """Say whether `rest` is more of a name in katakana, so that it is another word."""
    return bool(_KATAKANA.match(word[-1]) and _KATAKANA.match(rest))


def parse_forget(text: str) -> Subcommand:
    """Return which use of ``/forget`` was typed; what is none of the others is words."""
    folded = _folded(text.strip(" .。!！"))
    for use in (EVERYTHING, *PERIODS, THREAD):
        if folded in use.words:
            return use
    if past_period(text, datetime.now(UTC), UTC) is not None:
        return LAST_HOURS
    return NUMBER if numbers_in(text) else WORDS


def forget_words(text: str) -> str | None:
    """Return what follows `forget`, or an alias of it, in ``/memories``; None without one."""
    first, *rest = text.split(maxsplit=1)[:2] or [""]
    if _folded(first) in _FORGETTING:
        return "".join(rest).strip()
    for word in _FORGETTING:
        if not word.isascii() and _folded(text).startswith(word):
            return text.strip()[len(word) :].strip()
    return None


def numbers_in(text: str) -> list[int]:
    """Return the numbers of ``/forget 1 2``, ``#1`` or ``1番``, in order; none for other words."""
    text = unicodedata.normalize("NFKC", text).strip()
    if not _NUMBERS.fullmatch(text):
        return []
    return list(dict.fromkeys(int(one[:6]) for one in re.findall(r"\d+", text)))


def sentence_in(text: str) -> str | None:
    """Return the sentence of ``/forget that I like ramen``; None for other words."""
    found = _THAT.match(text.strip())
    return text.strip()[found.end() :] if found else None


def parse_on_off(words: str) -> bool | None:
    """Return whether `words` mean on or off; None if they mean neither."""
    folded = _folded(words)
    if folded in ("on", "オン"):
        return True
    return False if folded in ("off", "オフ") else None


def command_opens_modal(command: str, text: str) -> bool:
    """Say whether a command is answered with a modal, by this table alone."""
    found = parse_memories(text) if command == "/memories" else None
    if found is None:
        return False
    use, words = found
    if use.opens_modal == "no_time":
        return bool(words) and pause_end(words, datetime.now(UTC), UTC) is None
    return use.opens_modal == "always" or (use.opens_modal == "alone" and not words)


def closest_subcommand(word: str) -> Subcommand | None:
    """Return the use of ``/memories`` whose name is most like `word`, if any is."""
    names = {name: use for use in MEMORIES for name in use.words}
    begun = [name for name in names if len(word) > 2 and name.startswith(_folded(word))]
    close = begun or get_close_matches(_folded(word), list(names), n=1, cutoff=_SIMILAR)
    return names[close[0]] if close else None


def help_groups(language: Language) -> list[str]:
    """Return the headings of help, each with its lines: examples, and what they do."""
    return [
        "\n".join([say(language, title), *(_line(language, *line) for line in lines.items())])
        for title, lines in HELP.items()
    ]


def _line(language: Language, about: str, uses: tuple[Subcommand, ...]) -> str:
    examples = say(language, "listed").join(f"`{say(language, use.usage)}`" for use in uses)
    return f"• {examples} – {say(language, about)}"


def is_number(text: str) -> bool:
    """Say whether `text` is a number as lists have them."""
    return text.isdecimal() and len(text) < 6


def _folded(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())
