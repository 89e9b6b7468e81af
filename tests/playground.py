"""A playground's Slack and the model beside it, by their control APIs.

People, conversations, faults, what was shown, what the model was asked.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any, TypeAlias

from tests.loopback import call

Json: TypeAlias = dict[str, Any]

_numbers = itertools.count(1)


class Playground:
    """One workspace; may be used by several threads.

    `url`: where it is, without a slash at the end; `info`: what it said when it was ready.
    """

    def __init__(self, url: str, info: Mapping[str, Any] | None = None) -> None:
        self.url = url
        self.info: Mapping[str, Any] = info or {}
        self.since = 0

    @property
    def bot_user_id(self) -> str:
        """The app's user id."""
        return str(self.info["bot_user_id"])

    @property
    def team_id(self) -> str:
        """The workspace's id."""
        return str(self.info["team_id"])

    def control(self, path: str, body: Any = None, method: str | None = None) -> Any:
        """Make a control call of the playground."""
        return call(f"{self.url}/_playground/{path}", body, method)

    def model(self, path: str, body: Any = None, method: str | None = None) -> Any:
        """Make a control call of the model."""
        return call(f"{self.url}/_model/{path}", body, method)

    def as_app(self, method: str, **arguments: Any) -> Json:
        """Call a Web API method with the app's token; it succeeds."""
        url = f"{self.info['slack_api_url']}{method}"
        done: Json = call(url, arguments, token=self.info["bot_token"])
        assert done["ok"], done
        return done

    # --- the workspace

    def person(self, **profile: Any) -> tuple[str, str]:
        """Add a person; return their id and team."""
        made = self.control("users", {"name": f"Person {next(_numbers)}", **profile})
        return made["id"], made["team"]

    def channel(self, kind: str, *members: str) -> str:
        """Add a conversation with the app in it."""
        made = self.control("channels", {"kind": kind, "members": list(members)})
        return str(made["id"])

    def say(
        self, user: str, channel: str = "dm", text: str = "hello", **more: Any
    ) -> Any:
        """Let somebody write; return `{channel, ts}`."""
        said = {"user": user, "channel": channel, "text": text, **more}
        return self.control("messages", said)

    def seen(self, user: str, channel: str = "dm") -> list[Json]:
        """Return a conversation as one person sees it."""
        found = self.control(f"channels/{channel}/messages?user={user}")
        return list(found["messages"])

    # --- trouble

    def clear(self) -> None:
        """Take back faults and settings of the test before."""
        self.control("faults", method="DELETE")
        self.control("settings", {"rate_limits": False, "stream_seconds": 300})

    def calm(self) -> None:
        """Let everything work again, the model too."""
        self.clear()
        self.model("faults", method="DELETE")
        self.control("delivery", {"deliveries": [1, 1], "jitter_ms": 0})

    def fault(self, method: str, **how: Any) -> None:
        """Order a fault."""
        self.control("faults", {"method": method, **how})

    # --- what the app did

    def forget_calls(self) -> None:
        """Show only calls that come from now on."""
        self.since = self.control("calls?since=999999999")["last"]

    def calls(self, *methods: str) -> list[Json]:
        """Return the calls since the test began, of these methods."""
        made = self.control(f"calls?since={self.since}")["calls"]
        return [one for one in made if not methods or one["method"] in methods]

    def done(self, method: str) -> list[Json]:
        """Return the calls of a method that have been answered."""
        return [one for one in self.calls(method) if one["outcome"]]

    def all_delivered(self) -> None:
        """Wait until the app has acknowledged everything that happened."""
        assert self.control("settle", {"seconds": 60})["settled"]
