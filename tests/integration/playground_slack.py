"""The playground's Slack for tests in the app's process, which use the app's own types."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from slack_sdk.web.async_client import AsyncWebClient

from bot.slack.client import SlackApi, SlackClient
from bot.slack.messages import Installation, Message
from memory import DM
from tests.conftest import Server
from tests.playground import Playground


@dataclass(frozen=True)
class PersonThread:
    """A thread of one person with the app: its root is the person's message."""

    user: str
    team: str
    channel: str
    ts: str
    root: str


class PlaygroundSlack(Playground):
    """A playground, and a client with the app's token."""

    def __init__(self, server: Server) -> None:
        super().__init__(server.url, server.info)
        self.enterprise_id = ""
        self.forget_calls()

    def client(self, token: str = "") -> AsyncWebClient:
        """Return a client as the app makes it."""
        return SlackClient(
            token=token or self.info["bot_token"], base_url=self.info["slack_api_url"]
        )

    def api(self) -> SlackApi:
        """Return Slack's API for the app's installation."""
        installation = Installation(
            team_id=self.team_id,
            bot_user_id=self.bot_user_id,
            bot_token=self.info["bot_token"],
            enterprise_id=self.enterprise_id or None,
        )
        return SlackApi(installation, base_url=self.info["slack_api_url"])

    def clear(self) -> None:
        """Take back faults and settings of the test before."""
        super().clear()
        self.belong_to("")

    def belong_to(self, enterprise_id: str) -> None:
        """Let the workspace, for apps made from now on, be one of an Enterprise organisation."""
        self.control("settings", {"enterprise_id": enterprise_id})
        self.enterprise_id = enterprise_id

    def place(
        self, *, channel: str = "dm", text: str = "hello", **person: Any
    ) -> PersonThread:
        """Let a new person write to the app, in their DM unless a channel kind is named."""
        user, team = self.person(**person)
        where = channel if channel == "dm" else self.channel(channel, user)
        said = self.say(user, where, text)
        return PersonThread(user, team, said["channel"], said["ts"], said["ts"])

    def thread(self, place: PersonThread) -> list[dict[str, Any]]:
        """Return the app's messages in a thread, as the person sees them."""
        return [
            m
            for m in self.seen(place.user, place.channel)
            if m.get("user") == self.bot_user_id and m.get("thread_ts") == place.root
        ]

    def message(self, place: PersonThread, **changes: Any) -> Message:
        """Return a person's message as the bot would read it.

        It is not read from an event: a field of the event that is not set here has its default.
        """
        is_dm = place.channel.startswith("D")
        values: dict[str, Any] = {
            "team_id": self.team_id,
            "user_id": place.user,
            "user_team_id": place.team,
            "channel_id": place.channel,
            "ts": place.ts,
            "thread_ts": place.root,
            "text": "hello",
            "audience": DM if is_dm else None,
            "addressed": True,
            **changes,
        }
        values["text"] = values["text"].replace("<@BOT>", f"<@{self.bot_user_id}>")
        return Message(**values)
