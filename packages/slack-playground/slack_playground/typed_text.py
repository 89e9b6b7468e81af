"""Turns what a person types into what Slack stores: escaped text and rich text blocks."""

import html
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
_QUOTE_MARK = re.compile(r"^> ?", re.MULTILINE)
_CHANNEL_NAME = re.compile(r"(?<!\S)#([\w-]+)")
_INLINE_CODE = re.compile(r"(`[^`\n]+`)")
_FENCE = re.compile(r"```\n?(.*?)\n?```", re.DOTALL)


def _escape(text: str) -> str:
    """Escape the three characters that Slack escapes."""
    return html.escape(text, quote=False)


class TypedText:
    """One typed message, interpreted as Slack's composer would.

    `text` is the `text` field (escaped; mentions as <@U…>, links as <https://…>), `blocks` the
    rich_text block and `mentions` the ids of the users mentioned outside code.
    """

    def __init__(
        self, typed: str, users: Iterable[User], channels: Iterable[Channel]
    ) -> None:
        self._users = {user.id: user for user in users}
        self._channel_ids: set[str] = set()
        self._public_ids: dict[str, str] = {}
        for channel in channels:
            self._channel_ids.add(channel.id)
            if channel.kind == "public":
                self._public_ids[channel.name] = channel.id
        self.mentions: list[str] = []
        self._texts: list[str] = []
        self._elements: list[Json] = []
        self._read(typed)
        self.text = "".join(self._texts)
        self.blocks: list[Json] = []
        if self._elements:
            self.blocks.append(
                {
                    "type": "rich_text",
                    "block_id": new_id("")[:5],
                    "elements": self._elements,
                }
            )

    def _read(self, typed: str) -> None:
        """Process the code in fences and the lines between them."""
        position = 0
        for fence in _FENCE.finditer(typed):
            self._lines(typed[position : fence.start()])
            code = fence.group(1)
            self._texts.append(f"```{_escape(code)}```")
            inside = [{"type": "text", "text": code}]
            self._elements.append(
                {"type": "rich_text_preformatted", "elements": inside, "border": 0}
            )
            position = fence.end()
        self._lines(typed[position:])

    def _lines(self, typed: str) -> None:
        """Process the runs of quoted lines and of plain lines."""
        if not typed:
            return
        texts = []
        for is_quoted, lines in groupby(typed.split("\n"), _is_quoted):
            written = "\n".join(lines)
            if is_quoted:
                text, elements = self._inline(_QUOTE_MARK.sub("", written))
                text = "&gt; " + text.replace("\n", "\n&gt; ")
                kind = "rich_text_quote"
            else:
                text, elements = self._inline(written)
                kind = "rich_text_section"
            texts.append(text)
            if elements:
                self._elements.append({"type": kind, "elements": elements})
        self._texts.append("\n".join(texts))

    def _inline(self, typed: str) -> tuple[str, list[Json]]:
        """The text and the elements of one or more lines outside code fences."""
        typed = self._names_to_ids(typed)
        text = ""
        elements: list[Json] = []
        plain_from = 0
        for token in _TOKEN.finditer(typed):
            kind = str(token.lastgroup)
            value = token[kind]
            if not self._is_known(kind, value):
                continue
            plain = typed[plain_from : token.start()]
            plain_from = token.end()
            if plain:
                elements.append({"type": "text", "text": plain})
            elements.append(_element(kind, value))
            text += _escape(plain) + _stored(kind, value, token[0])
            if kind == "user":
                self.mentions.append(value)
        plain = typed[plain_from:]
        if plain:
            elements.append({"type": "text", "text": plain})
            text += _escape(plain)
        return text, elements

    def _is_known(self, kind: str, value: str) -> bool:
        """Whether a mention names a user or a channel of this workspace; other tokens need none."""
        if kind == "user":
            return value in self._users
        if kind == "channel":
            return value in self._channel_ids
        return True

    def _names_to_ids(self, typed: str) -> str:
        """Replace @Name by <@ID> and #channel by <#ID> outside inline code."""
        pieces = _INLINE_CODE.split(typed)
        for index in range(0, len(pieces), 2):
            plain = pieces[index]
            if "@" in plain:
                plain = self._with_user_ids(plain)
            pieces[index] = _CHANNEL_NAME.sub(self._channel_id, plain)
        return "".join(pieces)

    def _with_user_ids(self, plain: str) -> str:
        users = sorted(self._users.values(), key=_length_of_name, reverse=True)
        for user in users:
            name = rf"(?<![A-Za-z0-9_<@])@{re.escape(user.name)}(?![A-Za-z0-9_])"
            plain = re.sub(name, f"<@{user.id}>", plain)
        return plain

    def _channel_id(self, found: re.Match[str]) -> str:
        name = found[1]
        if name not in self._public_ids:
            return found[0]
        return f"<#{self._public_ids[name]}>"


def _length_of_name(user: User) -> int:
    return len(user.name)


def _is_quoted(line: str) -> bool:
    return line.startswith(">")


def _element(kind: str, value: str) -> Json:
    """The element of rich text for a token of `_TOKEN`."""
    if kind in _MARKS:
        return {
            "type": "text",
            "text": value.strip(_MARKS[kind]),
            "style": {kind: True},
        }
    match kind:
        case "emoji":
            return {"type": "emoji", "name": value}
        case "url":
            return {"type": "link", "url": value}
        case "email":
            return {"type": "link", "url": f"mailto:{value}", "text": value}
    return {"type": kind, f"{kind}_id": value}


def _stored(kind: str, value: str, typed: str) -> str:
    """What the `text` of a message has for a token of `_TOKEN`."""
    match kind:
        case "url":
            return f"<{_escape(value)}>"
        case "email":
            return f"<mailto:{value}|{value}>"
        case "user" | "channel":
            return typed
    return _escape(typed)
