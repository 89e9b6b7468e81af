"""Everything that makes up one playground, put together."""

import asyncio
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
from slack_playground.records import Json, new_identity
from slack_playground.settings import Faults, Settings
from slack_playground.socket_mode import SocketMode
from slack_playground.storage import load, write
from slack_playground.updates import Updates
from slack_playground.views import Views
from slack_playground.workspace import NotFoundError, Workspace

BOT_TOKEN = "xoxb-playground"  # noqa: S105
APP_TOKEN = "xapp-playground"  # noqa: S105
SIGNING_SECRET = "playground-signing-secret"  # noqa: S105
_KEEP_SECONDS = 1.0
_NOT_DOMAIN = re.compile(r"[^a-z0-9]+")
CLIENT_ID = "1000000000001.1000000000002"
CLIENT_SECRET = "playground-client-secret"  # noqa: S105


class Slack:
    """The parts of a running playground as seen from one workspace.

    Workspace, installation, events, posting, interactions and rate limits are its own, everything
    else is shared by all workspaces.
    """

    def __init__(
        self, workspaces: "Workspaces", workspace: Workspace, installation: Json | None = None
    ) -> None:
        self.workspaces = workspaces
        self.manifest, self.settings = workspaces.manifest, workspaces.settings
        self.socket_mode, self.http = workspaces.socket_mode, workspaces.http
        self.deliveries, self.violations = workspaces.deliveries, workspaces.violations
        self.calls, self.faults = workspaces.calls, workspaces.faults
        self.workspace = workspace
        self.updates = workspaces.updates.of(workspace.identity.team_id)
        self.installation = Installation(installation)
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
        return any(one.value == token for one in self.installation.active)


class Workspaces:
    """The workspaces of a playground, which have one app, server and delivery in common.

    The app is installed in the first one from the start, with `BOT_TOKEN`; in every other one when
    a person of it installs it.
    """

    def __init__(self, manifest: Manifest, settings: Settings, kept: Json) -> None:
        """Begin with what was `kept`, {} for nothing."""
        self.manifest = manifest
        self.violations = Violations()
        self.calls = Calls()
        self.faults = Faults()
        self.settings = settings
        self.updates = Updates()
        parts = kept.get("workspaces") or [{}]
        made = [Workspace(bot_name=manifest.bot_name, kept=part.get("workspace")) for part in parts]
        self._app_id = made[0].identity.app_id
        self.socket_mode = SocketMode(self._app_id, self.updates)
        self.http = HttpDelivery(SIGNING_SECRET)
        self.deliveries = Deliveries(
            {"socket": self.socket_mode, "http": self.http},
            self.updates,
            settings,
        )
        self.url = ""
        self.with_model = False
        self.links: dict[str, str | None] = {}
        self.codes: dict[str, Code] = {}
        self._all: dict[str, Slack] = {}
        for workspace, part in zip(made, parts, strict=True):
            opened = Slack(self, workspace, part.get("installation"))
            self._all[workspace.identity.team_id] = opened
        self.first = self._all[made[0].identity.team_id]
        self.first.installation.restore(manifest.scopes, BOT_TOKEN)

    def content(self) -> Json:
        """Everything; as JSON it is what `kept` is made of."""
        return {
            "pending": list(self.deliveries.pending.values()),
            "workspaces": [
                {"workspace": one.workspace.content(), "installation": one.installation.content()}
                for one in self.all
            ],
        }

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
        identity = replace(
            new_identity(),
            app_id=self._app_id,
            team_name=name,
            team_domain=_NOT_DOMAIN.sub("-", name.lower()).strip("-") or "workspace",
        )
        workspace = Workspace(
            bot_name=self.manifest.bot_name,
            identity=identity,
            like=None if like is None else like.workspace,
        )
        self._all[identity.team_id] = Slack(self, workspace)
        return self._all[identity.team_id]

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
    file = None if data_dir is None else data_dir / "slack.json"
    kept = {} if file is None else load(file)
    workspaces = Workspaces(manifest, settings, kept)
    workspaces.deliveries.resume(kept.get("pending", []))
    keeping = asyncio.create_task(_keep(workspaces, file))
    try:
        yield workspaces.first
    finally:
        keeping.cancel()
        await workspaces.deliveries.close()
        await workspaces.socket_mode.close()
        await workspaces.http.close()
        if file is not None:
            write(file, workspaces.content())


async def _keep(workspaces: Workspaces, file: Path | None) -> None:
    """Write everything at most once a second, when something has changed."""
    while file is not None:
        await workspaces.updates.published.wait()
        workspaces.updates.published.clear()
        write(file, workspaces.content())
        await asyncio.sleep(_KEEP_SECONDS)
