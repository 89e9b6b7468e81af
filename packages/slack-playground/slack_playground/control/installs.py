"""The part of the control API for workspaces and for installing the app in them."""

from collections.abc import Callable

from aiohttp import web

from slack_playground.control.request import Act, BadRequestError
from slack_playground.installing import (
    DEPARTURES,
    consent,
    refuse,
    requested,
    uninstall,
    workspace_summary,
)
from slack_playground.records import Json
from slack_playground.slack import BOT_TOKEN, Slack


class Installs:
    """Workspaces, consent, installation and its end."""

    def __init__(self, slack: Slack) -> None:
        self._slack = slack
        self.gets: dict[str, Callable[[web.Request], Json]] = {"authorization": self.requested}
        self.posts: dict[str, Act] = {
            "authorization": self.decide,
            "workspaces": self.add,
            "install": self.install,
            "uninstall": self.uninstall,
        }

    def requested(self, request: web.Request) -> Json:
        """Return what the page of consent shows for the parameters of its address."""
        return requested(self._slack, {**request.query})

    async def decide(
        self,
        query: Json,
        allow: bool = False,
        team: str = "",
        user: str = "",
        declined: list[str] | None = None,
    ) -> Json:
        """Allow or refuse an installation as a person of `team`; return where they go to."""
        if not allow:
            return {"redirect": refuse(self._slack, query)}
        slack = self._slack.workspaces.of(team)
        return {"redirect": consent(slack, user, query, declined or [])}

    async def add(self, name: str, like: str | None = None) -> Json:
        """Add a workspace without the app; `like` names one whose ids it gets."""
        if not name.strip():
            raise BadRequestError("name must not be empty.")
        workspaces = self._slack.workspaces
        added = workspaces.add(name.strip(), like=None if like is None else workspaces.of(like))
        workspaces.updates.publish({"changed": "state"})
        return workspace_summary(added)

    async def uninstall(self, events: list[str] | None = None) -> Json:
        """Uninstall the app: its tokens stop working and it gets the events.

        `events` names which of the two events are sent, in their order.
        """
        if unknown := sorted(set(events or []) - {*DEPARTURES}):
            raise BadRequestError(f"{unknown[0]!r} is none of {', '.join(DEPARTURES)}.")
        revoked = [
            token.value
            for token in self._slack.installation.tokens.values()
            if token.kind == "bot" and not token.error
        ]
        uninstall(self._slack, events)
        return {"revoked": revoked}

    async def install(self, declined: list[str] | None = None) -> Json:
        """Install the app without OAuth, without the optional scopes in `declined`."""
        slack, refused = self._slack, frozenset(declined or ())
        if needed := sorted(refused - slack.manifest.optional_scopes):
            raise BadRequestError(f"{needed[0]} is not an optional scope of the manifest.")
        scopes = slack.manifest.scopes - refused
        token = BOT_TOKEN
        if slack is slack.workspaces.first:
            slack.installation.restore(scopes, token)
        else:
            token = slack.installation.install(scopes, seconds=None).access_token
        slack.workspaces.updates.publish({"changed": "state"})
        return {"token": token}
