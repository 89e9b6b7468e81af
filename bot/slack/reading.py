"""The reader of Slack's texts: what people read of a text that Slack sent, and what they typed.

Slack writes people and channels by their ids, and links, dates and groups in a markup of its own.
From here on a text is what people read. For the ids there are marks at first (`bot.slack.names`),
which become names.
"""

from __future__ import annotations

import re

from bot.slack.messages import API_TEAM, CONTROL, MENTION, storable
from bot.slack.names import (
    UNKNOWN_GROUP,
    Names,
    channel_mark,
    clean_name,
    has_marks,
    person_mark,
    without_marks,
)
from memory import FormationUnavailable, Person
from memory.formation import OMITTED

# Slack escapes < and > in what a person typed, so no < is inside a mention or link.
_CHANNEL = re.compile(r"<#([A-Z0-9]+)(?:\|[^<>]*)?>")
_GROUP = re.compile(r"<!subteam\^[A-Z0-9]+(?:\|@?([^<>]*))?>")
_DATE = re.compile(r"<!date\^[^<>|]*\|([^<>]*)>")
_SPECIAL = re.compile(r"<!@?([^<>|^]+)(?:\|[^<>]*)?>")
_LINK = re.compile(r"<((?:https?|mailto|tel):[^<>|]+)(?:\|([^<>]*))?>")
_ESCAPED = re.compile("&(amp|lt|gt);")
_CHARACTERS = {"amp": "&", "lt": "<", "gt": ">"}
_FENCE = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)
_CODE = re.compile(r"`([^`\n]+)`")
_REST_QUOTED = re.compile(r"(?:^|\n)&gt;&gt;&gt;.*", re.DOTALL)
_QUOTED_LINE = re.compile(
    r"^[^\S\n]*[\u200b-\u200f\u2060\ufeff]*(?:&gt;|>).*$", re.MULTILINE
)
# The introduction of a quotation is removed with it: "Ann wrote:".
_INTRODUCTION = re.compile(
    r"^[^\n]*[:：][^\S\n]*\n(?=[^\S\n]*(?:&gt;|>))", re.MULTILINE
)
# ~struck out~, _slanted_ and *bold*, as Slack's message box writes them. A slash beside a sign
# shows that it is of a path.
_STRUCK = re.compile(r"(?<![\w~])~(?=[^\s/])[^~\n]+(?<=\S)~(?![\w~/])")
_SLANTED = re.compile(r"(?<![\w_/])_(?=\S)([^_\n]+)(?<=\S)_(?![\w_/])")
# Bold is also found within a word of a script without spaces. A sign that would not stand beside
# the first or last word of bold text shows that the asterisks are of a path, a query or a formula.
_BOLD = re.compile(
    r"(?<![^\s(\[{\"'<>_~\u0080-\U0010ffff])\*(?![\s,.;:!?)\]}/])"
    r"([^*\n]+)"
    r"(?<![\s(\[{/])\*(?![^\s,.;:!?)\]}\"'<>_~\u0080-\U0010ffff])"
)
_CUT = "\ue000"
# A run of white space is matched only from its start.
_CUTS = re.compile(rf"(?<![ \t])[ \t]*+{_CUT}(?:\s*+{_CUT})*+[ \t]*+")
_EMPTY = rf"(?:\s|{re.escape(OMITTED)})++"
_ENDS = re.compile(rf"\A{_EMPTY}|(?<!\s)(?<!{re.escape(OMITTED)}){_EMPTY}\Z")
# A span of code while the marks around it are read: its number, as a character of private use.
_FIRST_SPAN = 0xF0000
_SPAN = re.compile("[\U000f0000-\U000ffffd]")


async def read_said(
    names: Names, person: Person, text: str, channel: str
) -> tuple[str, str]:
    """Return what people read of a person's text, and the words that the person typed themself.

    Names are looked up. The words have a mark for each one that Slack does not say just now.
    """
    bot_user_id = names.slack.bot_user_id(person.team_id)
    question = plain(text, bot_user_id)
    words = typed(text, bot_user_id)
    await names.look_up(person, [question, words])
    shown = names.shown(question, channel)
    if person.team_id == API_TEAM:
        return shown, names.shown(words)
    return shown, names.named(words, channel)


async def name_words(names: Names, person: Person, words: str, channel: str) -> str:
    """Return words that a person typed in a channel with all names in them.

    Raises `memory.FormationUnavailable` if Slack does not say one just now.
    """
    await names.look_up(person, [words])
    named = names.named(words, channel)
    if has_marks(named):
        raise FormationUnavailable("Slack does not say all names just now.")
    return named


def plain(text: str, bot_user_id: str = "") -> str:
    """Return a text as people read it, without mentions of the bot and with marks for the names.

    A group has the name that Slack sends with it, if any.

    Source: https://docs.slack.dev/messaging/formatting-message-text
    """

    def person(found: re.Match[str]) -> str:
        return "" if found[1] == bot_user_id else person_mark(found[1])

    text = MENTION.sub(person, literal(text))
    text = _CHANNEL.sub(lambda found: channel_mark(found[1]), text)
    text = _GROUP.sub(_group_name, text)
    text = _DATE.sub(r"\1", text)
    text = _LINK.sub(lambda found: link_text(found[1], found[2] or ""), text)
    text = _SPECIAL.sub(r"@\1", text)
    return _ESCAPED.sub(lambda found: _CHARACTERS[found[1]], text).strip()


def literal(text: str) -> str:
    """Return a text that has no markup, without characters that nobody typed."""
    return CONTROL.sub("", without_marks(storable(text)))


def _group_name(group: re.Match[str]) -> str:
    """Return the name that Slack sends with a group, or what stands for one."""
    name = clean_name(group[1] or "")
    return f"@{name}" if name else UNKNOWN_GROUP


def link_text(url: str, label: str) -> str:
    """Return a link as the person typed it.

    Slack turns a typed address into ``<mailto:a@b.c|a@b.c>``, a domain name into
    ``<http://b.c|b.c>`` and a telephone number into ``<tel:5551234|555-1234>``: the label is what
    was typed. Any other label is shown with its target.
    """
    scheme, _, address = url.partition(":")
    if label and _compared(label, scheme) == _compared(address, scheme):
        return label
    target = url if scheme.startswith("http") else address
    if not label or label in url:
        return target
    return f"{label} ({target})"


def _compared(address: str, scheme: str) -> str:
    if scheme == "tel":
        return "".join(filter(str.isdigit, address))
    return address.removeprefix("//").removesuffix("/").lower()


def typed(text: str, bot_user_id: str) -> str:
    """Return only what the person typed: no quoted lines, no code blocks, nothing struck out.

    Code within a line stays, because people write names so: "my team is `core`". The marks of code,
    slanted and bold text are left out, and so is a mention of the app, whose user id is
    `bot_user_id`. Only this may form a memory.
    `memory.formation.OMITTED` marks what was left out between two typed parts, so that no quote
    joins them.
    """
    text = _FENCE.sub(f"\n{_CUT}\n", text.replace(_CUT, ""))
    text = _INTRODUCTION.sub("", text)
    text = _REST_QUOTED.sub(f"\n{_CUT}", text)
    text = _QUOTED_LINE.sub(_CUT, text)
    text = plain(_without_signs(text), bot_user_id)
    text = _CUTS.sub(f" {OMITTED} ", text)
    return _ENDS.sub("", text)


def without_code(text: str) -> str:
    """Return a text with “…” in place of code within a line."""
    return _CODE.sub("…", text)


def _without_signs(text: str) -> str:
    """Return a text without its signs of code, slanted and bold text and what is struck out.

    Signs within code are its own.
    """
    spans: list[str] = []

    def keep(code: re.Match[str]) -> str:
        spans.append(code[1])
        return chr(_FIRST_SPAN + len(spans) - 1)

    text = _CODE.sub(keep, _SPAN.sub("", text))
    text = _STRUCK.sub(f" {_CUT} ", text)
    text = _SLANTED.sub(r"\1", text)
    text = _BOLD.sub(r"\1", text)
    return _SPAN.sub(lambda span: spans[ord(span[0]) - _FIRST_SPAN], text)
