"""The app's installations: for each workspace its Web API client and its bot user."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.slack.client import RateLimits, create_client
from bot.slack.messages import API_TEAM

# A change by another process is seen here after this time.
_TRUSTED_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """The app in one workspace, or in an organisation that installed it for all of its own.

    `team_id` is the id of the workspace or organisation, as `installation_team` returns it.
    `bot_token` is None while it has ended and Slack has not given a new one.
    """

    team_id: str
    bot_user_id: str
    bot_id: str | None = None
    bot_token: str | None = field(default="", repr=False)


FindInstallation: TypeAlias = Callable[[str], Awaitable[Installation | None]]
"""A function that returns the installation of a team; None where the app is not installed."""


class NotInstalled(SlackApiError):
    """The app is not installed in a workspace: nothing was sent to Slack.

    It has the form of Slack's answer to a call without a token, for callers that handle those.
    """

    def __init__(self, team_id: str) -> None:
        answer = AsyncSlackResponse(
            client=None,
            http_verb="POST",
            api_url="",
            req_args={},
            data={"ok": False, "error": "not_authed"},
            headers={},
            status_code=200,
        )
        super().__init__(f"Kioku is not installed in {team_id!r}.", answer)  # type: ignore[no-untyped-call]


class Installations:
    """Finds the installation of a workspace; every call of Slack's API names its workspace here.

    `limits` are what Slack refuses each workspace at the moment, shared by all replies.
    """

    def __init__(
        self,
        find: FindInstallation,
        *,
        base_url: str,
        session: aiohttp.ClientSession | None = None,
    ) -> None:
        self._find = find
        self.base_url = base_url
        self._session = session
        self._clients: dict[str, AsyncWebClient] = {}
        self._known: dict[str, tuple[float, Installation]] = {}
        self.limits = RateLimits()

    async def get(self, team_id: str) -> Installation:
        """Return the installation of a team; raises `NotInstalled`."""
        found = await self.find(team_id)
        if found is None:
            raise NotInstalled(team_id)
        return found

    async def find(self, team_id: str) -> Installation | None:
        """Return the installation of a team, as it was in the last ten seconds; None for none."""
        known = self._known.get(team_id)
        if known is not None and time.monotonic() < known[0]:
            return known[1]
        found = await self._find(team_id)
        if found is None:
            self.invalidate(team_id)
        else:
            self._known[team_id] = (time.monotonic() + _TRUSTED_SECONDS, found)
        return found

    def invalidate(self, team_id: str) -> None:
        """Look the installation up again the next time."""
        self._known.pop(team_id, None)

    async def bot_user_id(self, team_id: str) -> str:
        """Return the app's user id in a team, ``""`` for POST /ask; raises `NotInstalled`."""
        return "" if team_id == API_TEAM else (await self.get(team_id)).bot_user_id

    async def token(self, team_id: str) -> str:
        """Return the bot token of a team.

        Raises `NotInstalled`, and `TimeoutError` while there is none that has not ended: a fault
        of Slack's that passes.
        """
        token = (await self.get(team_id)).bot_token
        if token is None:
            raise TimeoutError("Slack has not refreshed the token yet.")
        return token

    def client(self, team_id: str) -> AsyncWebClient:
        """Return a Web API client that calls with the team's token, looked up at each call.

        Its methods raise `NotInstalled` where there is none: no other token is ever used.
        """
        client = self._clients.get(team_id)
        if client is None:
            client = self._clients[team_id] = _TeamClient(self, team_id, self.tokenless())
        return client

    def tokenless(self) -> AsyncWebClient:
        """Return a client for calls that carry a token of their own."""
        return create_client(None, self.base_url, self._session)


class _TeamClient(AsyncWebClient):
    def __init__(self, installations: Installations, team_id: str, like: AsyncWebClient) -> None:
        super().__init__(
            base_url=like.base_url, timeout=like.timeout, retry_handlers=[], session=like.session
        )
        self._installations = installations
        self._team_id = team_id

    async def api_call(self, api_method: str, **arguments: Any) -> AsyncSlackResponse:
        self.token = await self._installations.token(self._team_id)
        return await super().api_call(api_method, **arguments)


def installation_from(answer: AsyncSlackResponse, bot_token: str = "") -> Installation:
    """Return the installation of a bot token that ``auth.test`` was called with."""
    org = answer.get("is_enterprise_install") and answer.get("enterprise_id")
    return Installation(
        team_id=str(org or answer.get("team_id") or ""),
        bot_user_id=str(answer.get("user_id") or ""),
        bot_id=answer.get("bot_id"),
        bot_token=bot_token,
    )


def only(installation: Installation | None) -> FindInstallation:
    """Return a function that finds this installation and no other."""

    async def find(team_id: str) -> Installation | None:
        return installation if installation and team_id == installation.team_id else None

    return find
