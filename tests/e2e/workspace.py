"""People in a playground, and what Slack shows them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from tests.conftest import Server
from tests.e2e.messages import Human, Json, Said, buttons, is_notice
from tests.kioku_process import until

_numbers = itertools.count(1)


class Workspace:
    """What people do; may be used by several threads."""

    def __init__(self, slack: Server) -> None:
        self.slack = slack
        self.bot = str(slack.info["bot_user_id"])

    def playground(self, path: str, body: Json | None = None, method: str | None = None) -> Json:
        """Make a call of the playground's control API."""
        answer: Json = self.slack.call(f"/_playground/{path}", body, method)
        return answer

    def model(self, path: str, body: Json | None = None, method: str | None = None) -> Json:
        """Make a call of the stand-in model's controls."""
        answer: Json = self.slack.call(f"/_model/{path}", body, method)
        return answer

    def calm(self) -> None:
        """Let everything work again."""
        self.playground("faults", method="DELETE")
        self.model("faults", method="DELETE")
        self.playground("delivery", {"deliveries": 1, "jitter_ms": 0})

    def human(self, name: str = "Ann", **profile: Any) -> Human:
        """Add a person to the playground."""
        made = self.playground("users", {"name": f"{name}{next(_numbers)}", **profile})
        return Human(made["id"], made["name"])

    def people(self, count: int) -> list[Human]:
        """Return new people."""
        return [self.human("Person") for _ in range(count)]

    def channel(self, kind: str, *members: Human, **more: Any) -> str:
        """Return a new conversation; the app is in it."""
        ids = [member.id for member in members]
        return str(self.playground("channels", {"kind": kind, "members": ids, **more})["id"])

    def say(
        self,
        human: Human,
        text: str,
        *,
        channel: str = "dm",
        under: Said | None = None,
        **parts: Any,
    ) -> Said:
        """Send a message as a person, in the thread of `under` if given; ``<@BOT>`` is the app."""
        place = {"channel": channel}
        if under is not None:
            place = {"channel": under.channel, "thread_ts": under.thread_ts}
        made = self.playground("messages", {"user": human.id, "text": text, **place, **parts})
        thread_ts = under.thread_ts if under else made["ts"]
        return Said(human, made["channel"], made["ts"], thread_ts, text)

    def seen(self, human: Human, channel: str = "dm") -> list[Json]:
        """Return a conversation as one person sees it."""
        shown = self.playground(f"channels/{channel}/messages?as={human.id}")
        return list(shown["messages"])

    def app_messages(self, said: Sequence[Said]) -> list[Json]:
        """Return the app's messages where these were said, each with its `channel`.

        Without those that are a list or a question of the app's own.
        """
        places: dict[str, Human] = {}
        for one in said:
            places.setdefault(one.channel, one.human)
        return [
            {**message, "channel": channel}
            for channel, human in places.items()
            for message in self.seen(human, channel)
            if message["user"] == self.bot and not is_notice(message)
        ]

    def listed_memories(self, human: Human) -> str:
        """Return all pages that `/memories` shows a person."""
        known = {message["ts"] for message in self.seen(human, "dm")}
        place = {"user": human.id, "channel": "dm"}
        self.playground("commands", {**place, "command": "/memories", "text": ""})

        def shown() -> Json | None:
            new = [m for m in self.seen(human, "dm") if m["ts"] not in known]
            return next((m for m in new if m.get("is_ephemeral")), None)

        page = until(shown, "an answer to /memories")
        texts = [_whole(page)]
        while following := next((b for b in buttons(page) if b["action_id"] == "show_2"), None):
            click = {"action_id": following["action_id"], "block_id": following["block_id"]}
            self.playground("actions", {**place, "message_ts": page["ts"], **click})
            before = page

            def turned(before: Json = before) -> Json | None:
                now = next(m for m in self.seen(human, "dm") if m["ts"] == before["ts"])
                return now if now != before else None

            page = until(turned, "the next page")
            texts.append(_whole(page))
        return "\n".join(texts)


def _whole(message: Json) -> str:
    texts = [b["text"]["text"] for b in message.get("blocks", []) if b["type"] == "section"]
    return "\n".join([*texts, "" if texts else str(message.get("text"))])
