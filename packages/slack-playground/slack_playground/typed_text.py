"""Turns what a person types into what Slack stores: escaped text and rich text blocks."""

import re
from collections.abc import Iterable
from itertools import groupby

from slack_playground.records import Channel, Json, User, new_id

_TOKEN = re.compile(
    r"(?P<code>`[^`\n]+`)"
    r"|<@(?P<user>[A-Z0-9]+)>"
    r"|<#(?P<channel>[A-Z0-9]+)>"
    r"|(?P<url>https?://[!-;=?-{}~]*[A-Za-z0-9/#=&%_~-])"
    r"|(?P<email>(?<![\w.+-])[\w.+-]+@[\w-]+\.[\w.-]*\w)"
    r"|(?P<bold>(?<!\w)\*[^*\n]+\*(?!\w))"
    r"|(?P<italic>(?<!\w)_[^_\n]+_(?!\w))"
    r"|(?P<strike>(?<!\w)~[^~\n]+~(?!\w))"
    r"|:(?P<emoji>[a-z+-][a-z0-9_+'-]*):",
)
_MARKS = {"code": "`", "bold": "*", "italic": "_", "strike": "~"}
_CHANNEL_NAME = re.compile(r"(?<!\S)#([\w-]+)")
_FENCE = re.compile(r"```\n?(.*?)\n?```", re.DOTALL)


def escape(text: str) -> str:
    """Escape the three characters that Slack escapes."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


class TypedText:
    """One typed message, interpreted as Slack's composer would.

    `text` is the `text` field (escaped; mentions as <@U…>, links as <https://…>), `blocks` the
    rich_text block and `mentions` the ids of the users mentioned outside code.
    """

    def __init__(self, typed: str, users: Iterable[User], channels: Iterable[Channel]) -> None:
        self._users = {user.id: user for user in users}
        self._channels = {channel.id: channel for channel in channels}
        self.mentions: list[str] = []
        self._texts: list[str] = []
        self._elements: list[Json] = []
        position = 0
        for fence in _FENCE.finditer(typed):
            self._lines(typed[position : fence.start()])
            self._texts.append(f"```{escape(fence.group(1))}```")
            self._elements.append(
                {
                    "type": "rich_text_preformatted",
                    "elements": [{"type": "text", "text": fence.group(1)}],
                    "border": 0,
                }
            )
            position = fence.end()
        self._lines(typed[position:])
        self.text = "".join(self._texts)
        self.blocks: list[Json] = []
        if self._elements:
            self.blocks.append(
                {"type": "rich_text", "block_id": new_id("")[:5], "elements": self._elements}
            )

    def _lines(self, typed: str) -> None:
        """Process the runs of quoted lines and of plain lines."""
        if not typed:
            return
        texts = []
        for quoted, lines in groupby(typed.split("\n"), lambda line: line.startswith(">")):
            plain = [line.removeprefix(">").removeprefix(" ") if quoted else line for line in lines]
            text, elements = self._inline("\n".join(plain))
            if quoted:
                text = "\n".join(f"&gt; {line}" for line in text.split("\n"))
            texts.append(text)
            if elements:
                kind = "rich_text_quote" if quoted else "rich_text_section"
                self._elements.append({"type": kind, "elements": elements})
        self._texts.append("\n".join(texts))

    def _inline(self, typed: str) -> tuple[str, list[Json]]:
        typed = self._names_to_ids(typed)
        texts: list[str] = []
        elements: list[Json] = []

        def plain(text: str) -> None:
            if text:
                texts.append(escape(text))
                if elements and elements[-1].keys() == {"type", "text"}:
                    elements[-1]["text"] += text
                else:
                    elements.append({"type": "text", "text": text})

        position = 0
        for token in _TOKEN.finditer(typed):
            plain(typed[position : token.start()])
            position = token.end()
            kind, value = next((k, v) for k, v in token.groupdict().items() if v is not None)
            text, element = escape(token.group()), Json(type=kind)
            if kind in _MARKS:
                element = {"type": "text", "text": value.strip(_MARKS[kind]), "style": {kind: True}}
            elif kind == "emoji":
                element["name"] = value
            elif kind == "url":
                text, element = f"<{escape(value)}>", {"type": "link", "url": value}
            elif kind == "email":
                text = f"<mailto:{value}|{value}>"
                element = {"type": "link", "url": f"mailto:{value}", "text": value}
            elif value in (self._users if kind == "user" else self._channels):
                text, element[f"{kind}_id"] = token.group(), value
                self.mentions += [value] if kind == "user" else []
            else:
                plain(token.group())
                continue
            texts.append(text)
            elements.append(element)
        plain(typed[position:])
        return "".join(texts), elements

    def _names_to_ids(self, typed: str) -> str:
        """Replace @Name by <@ID> and #channel by <#ID> outside inline code."""
        pieces = re.split(r"(`[^`\n]+`)", typed)
        ids = {one.name: one.id for one in self._channels.values() if one.kind == "public"}
        for index in range(0, len(pieces), 2):
            if "@" in typed:
                for user in sorted(self._users.values(), key=lambda one: -len(one.name)):
                    name = rf"(?<![A-Za-z0-9_<@])@{re.escape(user.name)}(?![A-Za-z0-9_])"
                    pieces[index] = re.sub(name, f"<@{user.id}>", pieces[index])
            pieces[index] = _CHANNEL_NAME.sub(
                lambda found: f"<#{ids[found[1]]}>" if found[1] in ids else found[0], pieces[index]
            )
        return "".join(pieces)
