"""The playground's Slack as a test uses it: people, conversations, faults, what was seen."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

from slack_sdk.web.async_client import AsyncWebClient

from bot.slack.client import SlackApi, SlackClient
from bot.slack.messages import Installation, Message
from memory import DM
from tests.conftest import Server
from tests.loopback import call

_numbers = itertools.count(1)


@dataclass(frozen=True)
class PersonThread:
    """A thread of one person with the app: its root is the person's message."""

    user: str
    team: str
    channel: str
    ts: str
    root: str


class PlaygroundSlack:
    """The control API, and a client with the app's token."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.since = 0
        self.enterprise_id = ""
        self.forget_calls()

    @property
    def bot_user_id(self) -> str:
        """The app's user id."""
        return str(self.server.info["bot_user_id"])

    @property
    def team_id(self) -> str:
        """The workspace's id."""
        return str(self.server.info["team_id"])

    @property
    def info(self) -> dict[str, Any]:
        """What the playground said when it was ready."""
        return self.server.info

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

    def control(self, path: str, body: Any = None, method: str | None = None) -> Any:
        """Make a control call."""
        return self.server.call(f"/_playground/{path}", body, method)

    def as_app(self, method: str, **arguments: Any) -> dict[str, Any]:
        """Call a Web API method with the app's token; it succeeds."""
        url = f"{self.info['slack_api_url']}{method}"
        done: dict[str, Any] = call(url, arguments, token=self.info["bot_token"])
        assert done["ok"], done
        return done

    def clear(self) -> None:
        """Take back faults and settings of the test before."""
        self.control("faults", method="DELETE")
        self.control("settings", {"rate_limits": False, "stream_seconds": 300})
        self.belong_to("")

    def belong_to(self, enterprise_id: str) -> None:
        """Let the workspace, for apps made from now on, be one of an Enterprise organisation."""
        self.control("settings", {"enterprise_id": enterprise_id})
        self.enterprise_id = enterprise_id

    def forget_calls(self) -> None:
        """Show only calls that come from now on."""
        self.since = self.control("calls?since=999999999")["last"]

    def fault(self, method: str, **how: Any) -> None:
        """Order a fault."""
        self.control("faults", {"method": method, **how})

    def person(self, **more: Any) -> tuple[str, str]:
        """Add a person; return their id and team."""
        made = self.control("users", {"name": f"Person {next(_numbers)}", **more})
        return made["id"], made["team"]

    def channel(self, kind: str, *members: str) -> str:
        """Add a conversation with the app in it."""
        return str(
            self.control("channels", {"kind": kind, "members": list(members)})["id"]
        )

    def say(
        self, user: str, channel: str = "dm", text: str = "hello", **more: Any
    ) -> Any:
        """Let somebody write; return `{channel, ts}`."""
        return self.control(
            "messages", {"user": user, "channel": channel, "text": text, **more}
        )

    def place(
        self, *, channel: str = "dm", text: str = "hello", **person: Any
    ) -> PersonThread:
        """Let a new person write to the app, in their DM unless a channel kind is named."""
        user, team = self.person(**person)
        where = channel if channel == "dm" else self.channel(channel, user)
        said = self.say(user, where, text)
        return PersonThread(user, team, said["channel"], said["ts"], said["ts"])

    def seen(self, user: str, channel: str = "dm") -> list[dict[str, Any]]:
        """Return a conversation as one person sees it."""
        return list(
            self.control(f"channels/{channel}/messages?user={user}")["messages"]
        )

    def thread(self, place: PersonThread) -> list[dict[str, Any]]:
        """Return the app's messages in a thread, as the person sees them."""
        return [
            m
            for m in self.seen(place.user, place.channel)
            if m.get("user") == self.bot_user_id and m.get("thread_ts") == place.root
        ]

    def calls(self, *methods: str) -> list[dict[str, Any]]:
        """Return the calls since the test began, of these methods."""
        made = self.control(f"calls?since={self.since}")["calls"]
        return [call for call in made if not methods or call["method"] in methods]

    def done(self, method: str) -> list[dict[str, Any]]:
        """Return the calls of a method that have been answered."""
        return [call for call in self.calls(method) if call["outcome"]]

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
