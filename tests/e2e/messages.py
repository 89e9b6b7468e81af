"""Messages as the playground shows them, and requests as the model's journal keeps them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from bot.locale import LANGUAGES, say
from tests.person import Said

Json: TypeAlias = dict[str, Any]

_FOOTERS = tuple(say(language, "footer") for language in LANGUAGES)


@dataclass(frozen=True, slots=True)
class Reply:
    """The bot's messages after a message, as Slack shows them to the person who wrote it."""

    messages: Sequence[Json]

    @property
    def parts(self) -> list[str]:
        """The Markdown of each message."""
        return [markdown(message) for message in self.messages]

    @property
    def text(self) -> str:
        """The Markdown of all of them."""
        return "".join(self.parts)


def markdown(message: Json) -> str:
    """Return the whole text of a message: its Markdown block, which `text` may cut short."""
    blocks = [b["text"] for b in message.get("blocks", []) if b["type"] == "markdown"]
    return str(blocks[0] if blocks else message["text"])


def footers(message: Json) -> list[str]:
    """Return the lines below an answer which say what wrote it."""
    lines = [
        str(element.get("text"))
        for block in message.get("blocks", [])
        if block["type"] == "context"
        for element in block["elements"]
    ]
    return [line for line in lines if line in _FOOTERS]


def is_notice(message: Json) -> bool:
    """Say whether a message is no answer but a list or a question of the app's own."""
    kinds = [block["type"] for block in message.get("blocks", [])]
    return bool(kinds) and "markdown" not in kinds and not footers(message)


def app_messages(said: Sequence[Said]) -> list[Json]:
    """Return the app's messages where these were said, each with its `channel`.

    Without those that are a list or a question of the app's own.
    """
    places = {one.channel: one.person for one in reversed(said)}
    return [
        one
        for channel, person in places.items()
        for one in person.app_messages(channel)
        if not is_notice(one)
    ]


def asked(entry: Json) -> str:
    """Return the question of a Responses API request of the journal: its last user input."""
    said = [
        one["content"] for one in entry["body"]["input"] if one.get("role") == "user"
    ]
    return str(said[-1]).rpartition("</context>\n\n")[2]


def told(entry: Json) -> str:
    """Return everything a request told the model, as one text without JSON escapes."""
    parts = entry["body"].get("input") or entry["body"].get("messages")
    text = json.dumps(parts, ensure_ascii=False)
    return text.replace("\\\\u003c", "<").replace("\\\\u003e", ">")


def error_sentences(key: str) -> list[str]:
    """Return what the app says for `key`, in every language it speaks."""
    return [say(language, key) for language in LANGUAGES]
