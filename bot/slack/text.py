"""Slack's message text, read: as the model sees it, and as the person's own typed words."""

from __future__ import annotations

import html
import re

from memory import OMITTED

# Slack escapes < and > in what a person typed: no < is part of a mention or link.
_MENTION = re.compile(r"<@([A-Z0-9]+)(?:\|[^<>]*)?>")
_CHANNEL = re.compile(r"<#([A-Z0-9]+)(?:\|([^<>]*))?>")
_SPECIAL = re.compile(r"<!(?:subteam\^[A-Z0-9]+\|)?@?([^<>|^]+)(?:\|[^<>]*)?>")
_GROUP_FIRST = re.compile(r"\A\s*+<!(?:subteam\^|here|channel|everyone)")
_LINK = re.compile(r"<((?:https?|mailto|tel):[^<>|]+)(?:\|([^<>]*))?>")
_FENCE = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)
_CODE = re.compile(r"`[^`\n]+`")
_REST_QUOTED = re.compile(r"(?:^|\n)&gt;&gt;&gt;.*", re.DOTALL)
_QUOTED_LINE = re.compile(r"^[^\S\n]*[\u200b-\u200f\u2060\ufeff]*(?:&gt;|>).*$", re.MULTILINE)
# What introduces a quotation goes with it: "Ann wrote:".
_INTRODUCTION = re.compile(r"^[^\n]*[:：][^\S\n]*\n(?=[^\S\n]*(?:&gt;|>))", re.MULTILINE)
# ~struck out~ and _slanted_, as Slack's message box writes them.
_STRUCK = re.compile(r"(?<![\w~])~(?=\S)[^~\n]+(?<=\S)~(?![\w~])")
_SLANTED = re.compile(r"(?<![\w_])_(?=\S)([^_\n]+)(?<=\S)_(?![\w_])")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_UNLINKED = re.compile(r"\w\[\.\]\w")
_CUT = "\ue000"
# A run of white space is tried once, from its start.
_CUTS = re.compile(rf"(?<![ \t])[ \t]*+{_CUT}(?:\s*+{_CUT})*+[ \t]*+")
_EMPTY = rf"(?:\s|{re.escape(OMITTED)})++"
_ENDS = re.compile(rf"\A{_EMPTY}|(?<!\s)(?<!{re.escape(OMITTED)}){_EMPTY}\Z")


def storable(text: str) -> str:
    """Return `text` without what PostgreSQL cannot hold: NUL, and halves of characters."""
    if text.isascii() and "\x00" not in text:
        return text
    return text.replace("\x00", "").encode("utf-8", "replace").decode()


def printable(text: str) -> str:
    """Return a model's text without control characters; halves of characters become U+FFFD."""
    whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return _CONTROL.sub("", whole)


def has_unlinked(text: str) -> bool:
    """Return whether an answer contains an address that was made text."""
    return _UNLINKED.search(text) is not None


def mentions(text: str) -> set[str]:
    """Return the user ids mentioned in a message's text."""
    return set(_MENTION.findall(text))


def calls_others(text: str) -> bool:
    """Say whether a message opens by calling a group of people, or everybody there."""
    return _GROUP_FIRST.match(text) is not None


def plain(text: str, bot_user_id: str = "") -> str:
    """Return message text un-escaped, mentions of the bot taken out, others as ``@ID``.

    Source: https://docs.slack.dev/messaging/formatting-message-text
    """
    text = _MENTION.sub(lambda m: "" if m[1] == bot_user_id else f"@{m[1]}", text)
    text = _CHANNEL.sub(lambda m: f"#{m[2] or m[1]}", text)
    text = _LINK.sub(_as_typed, text)
    text = _SPECIAL.sub(lambda m: f"@{m[1]}", text)
    return _CONTROL.sub("", html.unescape(text)).strip()


def _as_typed(link: re.Match[str]) -> str:
    """Return a link as the person typed it.

    Slack turns a typed address into ``<mailto:a@b.c|a@b.c>``, a domain name into
    ``<http://b.c|b.c>`` and a telephone number into ``<tel:5551234|555-1234>``: the label is what
    was typed. Any other label is shown with its target.
    """
    url, label = link[1], link[2]
    scheme, _, address = url.partition(":")
    compared = _digits if scheme == "tel" else _same_address
    if label and compared(label) == compared(address):
        return label
    shown = url if scheme.startswith("http") else address
    return shown if not label or label in url else f"{label} ({shown})"


def _digits(number: str) -> str:
    return "".join(filter(str.isdigit, number))


def _same_address(address: str) -> str:
    return address.removeprefix("//").removesuffix("/").lower()


def typed(text: str, bot_user_id: str = "") -> str:
    """Return only what the person typed: no quoted lines, no code, nothing struck out.

    Only this may form a memory. Between two typed parts `memory.OMITTED` takes the place of what
    was left out, so that no quote joins them.
    """
    text = _FENCE.sub(f"\n{_CUT}\n", text.replace(_CUT, ""))
    text = _INTRODUCTION.sub("", text)
    text = _REST_QUOTED.sub(f"\n{_CUT}", text)
    text = _QUOTED_LINE.sub(_CUT, text)
    text = _SLANTED.sub(r"\1", _STRUCK.sub(f" {_CUT} ", _CODE.sub(f" {_CUT} ", text)))
    return _ENDS.sub("", _CUTS.sub(f" {OMITTED} ", plain(text, bot_user_id)))
