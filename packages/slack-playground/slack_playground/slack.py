"""Everything that makes up one playground, put together."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from slack_playground.calls import Calls, Violations
from slack_playground.delivery import Deliveries
from slack_playground.events import Events
from slack_playground.http_delivery import HttpDelivery
from slack_playground.installation import Code, Installation, Token
from slack_playground.interactions import Interactions
from slack_playground.manifest import Manifest
from slack_playground.posting import Posting
from slack_playground.rate_limits import RateLimits
from slack_playground.records import new_identity
from slack_playground.settings import Faults, Settings
from slack_playground.socket_mode import SocketMode
from slack_playground.storage import Storage
from slack_playground.updates import Updates
from slack_playground.views import Views
from slack_playground.workspace import NotFoundError, Workspace

BOT_TOKEN = "xoxb-playground"  # noqa: S105
APP_TOKEN = "xapp-playground"  # noqa: S105
SIGNING_SECRET = "playground-signing-secret"  # noqa: S105
_NOT_DOMAIN = re.compile(r"[^a-z0-9]+")
CLIENT_ID = "1000000000001.1000000000002"
CLIENT_SECRET = "playground-client-secret"  # noqa: S105


class Slack:
    """The parts of a running playground as seen from one workspace.

    Workspace, installation, events, posting, interactions and rate limits are its own, everything
    else is shared by all workspaces.
    """

    def __init__(self, workspaces: "Workspaces", workspace: Workspace, storage: Storage) -> None:
        self.workspaces = workspaces
        self.manifest, self.settings = workspaces.manifest, workspaces.settings
        self.socket_mode, self.http = workspaces.socket_mode, workspaces.http
        self.deliveries, self.violations = workspaces.deliveries, workspaces.violations
        self.calls, self.faults = workspaces.calls, workspaces.faults
        self.workspace = workspace
        self.updates = workspaces.updates.of(workspace.identity.team_id)
        self.installation = Installation(storage)
        self.rate_limits = RateLimits()
        self.events = Events(
            workspace=workspace,
            manifest=self.manifest,
            installation=self.installation,
            deliveries=self.deliveries,
        )
        self.posting = Posting(workspace=workspace, events=self.events, updates=self.updates)
        self.views = Views(workspace=workspace, updates=self.updates)
        self.interactions = Interactions(
            workspace=workspace,
            deliveries=self.deliveries,
            posting=self.posting,
            views=self.views,
            violations=self.violations,
            base_url=workspaces.url,
        )

    @property
    def url(self) -> str:
        """The address of the playground, "" before it listens."""
        return self.workspaces.url

    @property
    def granted(self) -> frozenset[str]:
        """The scopes of the bot token."""
        return self.installation.granted

    def answers_to(self, token: str) -> bool:
        """Whether this is a bot token of the workspace that works."""
        found = self.installation.tokens.get(token)
        return found is not None and found.kind == "bot" and not found.error


class Workspaces:
    """The workspaces of a playground, which have one app, server and delivery in common.

    The app is installed in the first one from the start, with `BOT_TOKEN`; in every other one when
    a person of it installs it.
    """

    def __init__(self, manifest: Manifest, storage: Storage, settings: Settings) -> None:
        self.manifest = manifest
        self._storage = storage
        self.violations = Violations()
        self.calls = Calls()
        self.faults = Faults()
        self.settings = settings
        self.updates = Updates()
        first = Workspace(storage, bot_name=manifest.bot_name)
        self._app_id = first.identity.app_id
        self.socket_mode = SocketMode(self._app_id)
        self.http = HttpDelivery(SIGNING_SECRET)
        self.deliveries = Deliveries(
            {"socket": self.socket_mode, "http": self.http},
            self.updates,
            storage,
            settings,
        )
        self.url = ""
        self.with_model = False
        self.links: dict[str, str | None] = {}
        self.codes: dict[str, Code] = {}
        self._all: dict[str, Slack] = {}
        self.first = self._open(first, storage)
        self.first.installation.restore(manifest.scopes, BOT_TOKEN)
        for name in storage.load("workspaces"):
            part = storage.within(name)
            self._open(Workspace(part, bot_name=manifest.bot_name), part)

    def _open(self, workspace: Workspace, storage: Storage) -> Slack:
        self._all[workspace.identity.team_id] = Slack(self, workspace, storage)
        return self._all[workspace.identity.team_id]

    def listen_at(self, url: str) -> None:
        """Note the address that the server listens at."""
        self.url = url
        for slack in self.all:
            slack.interactions.base_url = url

    @property
    def all(self) -> list[Slack]:
        """Every workspace, the first one first."""
        return list(self._all.values())

    def of(self, team_id: str) -> Slack:
        """A workspace by its id, the first one for ""; raises NotFoundError."""
        if not team_id:
            return self.first
        if team_id not in self._all:
            raise NotFoundError(f"There is no workspace {team_id!r}.")
        return self._all[team_id]

    def add(self, name: str, *, like: Slack | None = None) -> Slack:
        """Add a workspace; with `like` its people and channels have the ids they have there."""
        part_name = f"workspace {len(self._all) + 1}"
        part = self._storage.within(part_name)
        identity = replace(
            new_identity(),
            app_id=self._app_id,
            team_name=name,
            team_domain=_NOT_DOMAIN.sub("-", name.lower()).strip("-") or "workspace",
        )
        workspace = Workspace(
            part,
            bot_name=self.manifest.bot_name,
            identity=identity,
            like=None if like is None else like.workspace,
        )
        self._storage.put("workspaces", part_name, part_name)
        return self._open(workspace, part)

    def caller(self, token: str) -> tuple[Slack, Token | None]:
        """The workspace of a token, and the token; the first and None for an unknown one."""
        for slack in self.all:
            if token in slack.installation.tokens:
                return slack, slack.installation.tokens[token]
        return self.first, None


@asynccontextmanager
async def open_slack(
    manifest: Manifest, settings: Settings, *, data_dir: Path | None
) -> AsyncIterator[Slack]:
    """Put a playground together; what it keeps is in `data_dir`, or in memory without one.

    Yields its first workspace.
    """
    storage = Storage(None if data_dir is None else data_dir / "slack.sqlite3")
    workspaces = Workspaces(manifest, storage, settings)
    workspaces.deliveries.resume()
    try:
        yield workspaces.first
    finally:
        await workspaces.deliveries.close()
        await workspaces.socket_mode.close()
        await workspaces.http.close()
        storage.close()
