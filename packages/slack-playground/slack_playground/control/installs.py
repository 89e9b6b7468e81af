"""The part of the control API for workspaces and for installing the app in them."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from slack_playground.control.input import BadRequestError, Input
from slack_playground.installing import (
    DEPARTURES,
    allow,
    deny,
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
        self.posts: dict[str, Callable[[Input], Awaitable[Json]]] = {
            "authorization": self.decide,
            "workspaces": self.add,
            "install": self.install,
            "uninstall": self.uninstall,
        }

    def requested(self, request: web.Request) -> Json:
        """Return what the page of consent shows for the parameters of its address."""
        return requested(self._slack, {**request.query})

    async def decide(self, given: Input) -> Json:
        """Allow or refuse an installation as a person of `team`; return where they go to."""
        query = given.object("query")
        if not given.flag("allow"):
            return {"redirect": deny(self._slack, query)}
        slack = self._slack.workspaces.of(given.text("team"))
        declined = given.strings("declined", default=[])
        return {"redirect": allow(slack, given.text("user"), query, declined)}

    async def add(self, given: Input) -> Json:
        """Add a workspace without the app; `like` names one whose ids it gets."""
        name = given.text("name").strip()
        if not name:
            raise BadRequestError("name must not be empty.")
        workspaces = self._slack.workspaces
        like = given.optional("like")
        added = workspaces.add(name, like=None if like is None else workspaces.of(like))
        workspaces.updates.publish({"changed": "state"})
        return workspace_summary(added)

    async def uninstall(self, given: Input) -> Json:
        """Uninstall the app: its tokens stop working and it gets the events.

        `events` names which of the two events are sent, in their order.
        """
        events = given.strings("events") if "events" in given.content else None
        if unknown := sorted(set(events or []) - {*DEPARTURES}):
            raise BadRequestError(f"{unknown[0]!r} is none of {', '.join(DEPARTURES)}.")
        revoked = [
            token.value
            for token in self._slack.installation.tokens.values()
            if token.kind == "bot" and not token.error
        ]
        uninstall(self._slack, events)
        return {"revoked": revoked}

    async def install(self, given: Input) -> Json:
        """Install the app without OAuth, without the optional scopes in `declined`."""
        slack = self._slack
        declined = frozenset(given.strings("declined", default=[]))
        if needed := sorted(declined - slack.manifest.optional_scopes):
            raise BadRequestError(f"{needed[0]} is not an optional scope of the manifest.")
        scopes = slack.manifest.scopes - declined
        token = BOT_TOKEN
        if slack is slack.workspaces.first:
            slack.installation.restore(scopes, token)
        else:
            token = slack.installation.install(scopes, seconds=None).access_token
        slack.workspaces.updates.publish({"changed": "state"})
        return {"token": token}
