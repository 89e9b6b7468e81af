"""Tools by which people control their memory, used by what is said: pause, incognito, settings."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from playground.model.lexicon import is_japanese
from playground.model.prompt import Tool

Arguments: TypeAlias = dict[str, Any]
Reader: TypeAlias = Callable[[str], Arguments | None]

_PAUSE: Final = re.compile(
    r"\b(?:pause|suspend|freeze)\b.*\b(?:memory|memories|remembering)\b"
    r"|\b(?:memory|remembering)\b.*\b(?:pause|break)\b"
    r"|\b(?:stop|quit) (?:remembering|memori[sz]ing)\b"
    r"|記憶.*(?:一時停止|停止して|止めて|とめて|休んで)|覚えるの.*(?:やめて|止めて|休んで)",
    re.IGNORECASE,
)
_DURATION: Final = re.compile(
    r"\b(?P<en>(?:for|until|till) (?!good\b|ever\b|a while\b)[\w: -]+?)(?:,? please)?[.!]*$"
    r"|(?P<ja>(?:\d+|[一二三四五六七八九十])(?:分|時間|日|週)間?半?|今日いっぱい"
    r"|[^、。\s]*?(?:明日|明後日|来週|曜日?|時|月\d+日)[^、。\s]*?まで)",
    re.IGNORECASE,
)
_RESUME: Final = re.compile(
    r"\b(?:resume|unpause|restart|continue)\b.*\b(?:memory|remembering|it)\b"
    r"|\bremember (?:things |me )?again\b|\bstart remembering\b"
    r"|記憶.*再開|(?:また|再び|もう一度)覚えて|覚えるのを?再開",
    re.IGNORECASE,
)
_NOT_THIS: Final = re.compile(
    r"\b(?:don't|don’t|do not|never) (?:remember|store|save|memori[sz]e|keep) (?:this|it)\b"
    r"|\boff the record\b|\b(?:this|it) (?:is|stays) between us\b"
    r"|(?:これ|この(?:話|こと|メッセージ))(?:は|を|も)?、?(?:覚え|記憶し|残さ|保存し)(?:ない|ては)"
    r"|(?:覚え|記憶し)(?:ないで|なくて(?:いい|よい))|オフレコ",
    re.IGNORECASE,
)
_NOT_THAT: Final = re.compile(
    r"\b(?:don't|don’t|do not) (?:remember|store|save|memori[sz]e|keep)"
    r" (?:that|what i (?:just )?(?:said|wrote|told you)|my last message)\W*$"
    r"|(?:それ|今の(?:話)?|さっきの(?:話|こと|メッセージ)?)(?:は|を)?、?(?:覚え|記憶し|残さ)(?:ないで|なくて)",
    re.IGNORECASE,
)
_QUIET: Final = re.compile(
    r"\b(?:be|stay|keep|go) (?:quiet|silent|out of (?:this|it))\b|\bstop (?:replying|answering)\b"
    r"|静かにして|黙って|返事(?:は|を)?(?:しないで|いらない|不要)",
    re.IGNORECASE,
)
_LOOK: Final = re.compile(
    r"\b(?:summari[sz]e|sum up|catch me up|what(?:'s| is| was| happened| happens)?|who)\b.*"
    r"\b(?:this|that) (?:channel|message|thread)\b(?! (?:use|draw))"
    r"|この(?:チャンネル|メッセージ|スレッド).*(?:要約|まとめ|何の話|教えて)",
    re.IGNORECASE,
)
_INCOGNITO: Final = re.compile(
    r"\bincognito\b|\bkeep this (?:thread|conversation|chat) (?:private|out of your memory)\b"
    r"|シークレット|インコグニート|このスレッド(?:で)?は?(?:何も)?(?:覚え|記憶し|記憶に残さ)ないで",
    re.IGNORECASE,
)
_FORGET: Final = re.compile(
    r"\b(?:forget|delete|erase|remove|scrap)\b|忘れて|消して|削除して|なかったことに", re.IGNORECASE
)
_TOLD: Final = re.compile(
    r"\b(?:told|said|wrote|talked|discussed|mentioned|everything|all|thread)\b|話|言っ|書い|スレッド",
    re.IGNORECASE,
)
_PERIODS: Final = (
    (
        "this_thread",
        re.compile(r"\bthis (?:thread|conversation)\b|この(?:スレッド|会話)", re.IGNORECASE),
    ),
    (
        "last_hour",
        re.compile(
            r"\b(?:last|past) (?:hour|60 minutes)\b|(?:この|直近の?)(?:1|一)時間", re.IGNORECASE
        ),
    ),
    ("yesterday", re.compile(r"\byesterday\b|昨日|きのう", re.IGNORECASE)),
    ("today", re.compile(r"\btoday\b|今日|本日", re.IGNORECASE)),
)
_HISTORY: Final = re.compile(
    r"\b(?:history|recent changes|what (?:has )?changed|changes)\b.*\b(?:memor|remember)"
    r"|\b(?:show|see)\b.*\b(?:memory )?history\b|(?:変更|記憶の)?履歴.*(?:見せて|教えて|出して)",
    re.IGNORECASE,
)
_EXPORT: Final = re.compile(
    r"\b(?:export|download)\b.*\b(?:memor|data|everything)"
    r"|(?:記憶|データ).*(?:書き出|エクスポート|ダウンロード)",
    re.IGNORECASE,
)
_SETTINGS: Final = re.compile(
    r"\b(?:show|open|see|change)\b.*\bsettings\b|設定.*(?:見せて|開いて|教えて|変えたい)",
    re.IGNORECASE,
)
_PREVIEW: Final = re.compile(
    r"\bwhat (?:could|can|would|may) (?:you|a reply)\b.*\b(?:use|draw on|know)\b.*"
    r"\b(?:here|this channel|this conversation)\b"
    r"|(?:ここ|この(?:チャンネル|会話))(?:で|では|での).*(?:使|参照)",
    re.IGNORECASE,
)
_PLACE: Final = re.compile(
    r"\b(?:you (?:may|can)|please|only|just) use (?P<en>.+?),? (?:only )?(?:(?P<here>here"
    r"|in this (?:channel|conversation))|(?P<all>everywhere|anywhere)"
    r"|in (?:my |our )?(?P<dm>dms?|direct messages))\b"
    r"|(?P<ja>[^、。\s]+?)(?:のこと|の記憶)?[はを](?:(?P<koko>ここ|この(?:チャンネル|会話))でも?"
    r"|(?P<doko>どこでも)|(?P<dake>DM|ダイレクトメッセージ)(?:だけ|のみ)?で(?:のみ|だけ)?)"
    r"使って",
    re.IGNORECASE,
)
_ABOUT: Final = re.compile(
    r"^(?:what i (?:said|told you)|the (?:fact|memory)|that|about|my|i|like|love|liking|of|for)\s+",
    re.IGNORECASE,
)
_HELP: Final = re.compile(
    r"\bwhat can i do with (?:my|your|the) memor|\bhelp\b.*\bmemor|記憶で(?:何|なに)ができ",
    re.IGNORECASE,
)
_NOTICES: Final = re.compile(
    r"\b(?:notices|notifications)\b|\btell(?:ing)? me (?:when|what|that) you (?:have )?remember"
    r"|お知らせ|通知",
    re.IGNORECASE,
)
_OFF: Final = re.compile(
    r"\b(?:off|stop|no more|without|don't|disable)\b|オフ|(?:止|や)めて|いらない|不要",
    re.IGNORECASE,
)
_ON: Final = re.compile(r"\b(?:on|enable|again|start)\b|オン|再開|ほしい|欲しい", re.IGNORECASE)
_MEMORY_SWITCH: Final = re.compile(
    r"\b(?:turn|switch)\b.*\bmemory\b.*|\bmemory\b (?:on|off)\b|記憶を?(?:オン|オフ)", re.IGNORECASE
)
_KEEP: Final = re.compile(
    r"\bkeep\b.*\bmemor\w*\b.*?\b(?P<n>\d{1,5}) days?\b"
    r"|記憶.*?(?P<n2>\d{1,5})日(?:間|だけ)?.*(?:保存|残|保持)",
    re.IGNORECASE,
)
_LANGUAGE: Final = re.compile(
    r"\b(?:set|change|switch)\b.*\blanguage to (?P<en>english|japanese)\b"
    r"|言語を(?P<ja>英語|日本語)に",
    re.IGNORECASE,
)


def _pause(text: str) -> Arguments | None:
    if not _PAUSE.search(text):
        return None
    found = _DURATION.search(text)
    return {"duration": (found["en"] or found["ja"] or "").strip() if found else ""}


def _bare(pattern: re.Pattern[str]) -> Reader:
    return lambda text: {} if pattern.search(text) else None


def _not_remembered(text: str) -> Arguments | None:
    if _NOT_THAT.search(text):
        return {"which": "previous_message"}
    return {"which": "this_message"} if _NOT_THIS.search(text) else None


def _period(text: str) -> Arguments | None:
    if not (_FORGET.search(text) and _TOLD.search(text)):
        return None
    return next(({"period": name} for name, said in _PERIODS if said.search(text)), None)


def _settings(text: str) -> Arguments | None:
    if found := _KEEP.search(text):
        return {"retention_days": int(found["n"] or found["n2"])}
    if found := _LANGUAGE.search(text):
        named = (found["en"] or found["ja"]).lower()
        return {"language": "en" if named in ("english", "英語") else "ja"}
    for name, said, words in (
        ("notices", _NOTICES, (False, True)),
        ("memory", _MEMORY_SWITCH, ("off", "on")),
    ):
        if said.search(text):
            if _OFF.search(text):
                return {name: words[0]}
            if _ON.search(text):
                return {name: words[1]}
    return None


def _placed(text: str) -> Arguments | None:
    found = _PLACE.search(text)
    if not found:
        return None
    about = (found["en"] or found["ja"]).strip()
    while (shorter := _ABOUT.sub("", about)) != about:
        about = shorter
    where = "here" if found["here"] or found["koko"] else "direct_messages"
    if found["all"] or found["doko"]:
        where = "everywhere"
    return {"about": about, "where": where}


# How a tool is known: a parameter it takes (or none) and a part of its name; and what asks for it.
_READERS: Final[tuple[tuple[str, str, Reader], ...]] = (
    ("", "incognito", _bare(_INCOGNITO)),
    ("", "quiet", _bare(_QUIET)),
    ("which", "remember", _not_remembered),
    ("period", "forget", _period),
    ("memory", "settings", _settings),
    ("where", "where", _placed),
    ("", "resume", _bare(_RESUME)),
    ("duration", "pause", _pause),
    ("", "history", _bare(_HISTORY)),
    ("", "export", _bare(_EXPORT)),
    ("", "settings", _bare(_SETTINGS)),
    ("", "preview", _bare(_PREVIEW)),
    ("", "help", _bare(_HELP)),
    ("", "context", _bare(_LOOK)),
)

_SENTENCES: Final[Mapping[str, tuple[str, str]]] = {
    "paused": ("記憶を一時停止しました。", "Memory is paused."),
    "resumed": ("記憶を再開しました。", "Memory is on again."),
    "not_remembered": ("これは覚えません。", "I will not remember that."),
    "incognito": (
        "このスレッドでは記憶を使わず、何も残しません。",
        "From now on nothing of this thread is remembered.",
    ),
    "quiet": (
        "このスレッドでは静かにしています。メンションすると戻ります。",
        "I will be quiet in this thread. Mention me to bring me back.",
    ),
    "messages": (
        "読みました。代役なので、要約はしません。",
        "I have read it. A stand-in does not sum it up.",
    ),
    "error": (
        "できませんでした。何も変わっていません。",
        "I could not do that; nothing was changed.",
    ),
    "proposed": (
        "よろしければ、ボタンを押してください。まだ何も変わっていません。",
        "Please press the button if you want that. Nothing has changed yet.",
    ),
    "shown_privately": (
        "お見せします。あなたにだけ表示されます。",
        "Here it is. Only you can see it.",
    ),
    "done": ("変更しました。", "Done, I have changed that."),
}


def wanted(tools: tuple[Tool, ...], text: str) -> tuple[Tool, Arguments] | None:
    """The tool that does what `text` asks, among those there are, and its arguments."""
    for parameter, name, reader in _READERS:
        tool = next((one for one in tools if _is(one, parameter, name)), None)
        arguments = reader(text) if tool is not None else None
        if tool is not None and arguments is not None:
            return tool, arguments
    return None


def told(name: str, output: Any, text: str) -> str:
    """What to say of the output of a tool of that name; ``""`` where it is none of these."""
    if not (isinstance(output, dict) and any(part in name.lower() for _, part, _ in _READERS)):
        return ""
    language = 0 if is_japanese(text) else 1
    return next((words[language] for key, words in _SENTENCES.items() if output.get(key)), "")


def _is(tool: Tool, parameter: str, name: str) -> bool:
    properties = tool.parameters.get("properties") or {}
    fits = parameter in properties if parameter else not properties
    return fits and name in tool.name.lower()
