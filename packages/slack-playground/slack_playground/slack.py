"""The parts of one playground, put together."""

import re
from collections import defaultdict, deque
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import TypeAdapter

from slack_playground.delivery import Deliveries
from slack_playground.http_delivery import HttpDelivery
from slack_playground.journal import CallRecord, Failure, Journal, Violations
from slack_playground.manifest import Manifest
from slack_playground.records import Code, Identity, Json, ResponseUrl, Token, Trigger
from slack_playground.settings import Faults, Settings
from slack_playground.socket_mode import SocketMode
from slack_playground.updates import Updates
from slack_playground.workspace import NotFoundError, Workspace

BOT_TOKEN = "xoxb-playground"  # noqa: S105
APP_TOKEN = "xapp-playground"  # noqa: S105
SIGNING_SECRET = "playground-signing-secret"  # noqa: S105
CLIENT_ID = "1000000000001.1000000000002"
CLIENT_SECRET = "playground-client-secret"  # noqa: S105
_NOT_DOMAIN = re.compile(r"[^a-z0-9]+")


class Slack:
    """The parts of a running playground as seen from one workspace.

    What the app may refer to (`triggers`, `response_urls` by path) and when each method was
    `called` belong to this workspace; what comes from `workspaces` is shared by all. `authorized`
    says whose authorization the events of a shared channel carry: if several of its workspaces have
    the app, Slack sends one event with the authorization of any of them.
    """

    def __init__(self, workspaces: "Workspaces", workspace: Workspace) -> None:
        self.workspaces = workspaces
        self.manifest = workspaces.manifest
        self.settings = workspaces.settings
        self.socket_mode = workspaces.socket_mode
        self.http = workspaces.http
        self.deliveries = workspaces.deliveries
        self.violations = workspaces.violations
        self.calls = workspaces.calls
        self.failures = workspaces.failures
        self.faults = workspaces.faults
        self.updates = workspaces.updates
        self.workspace = workspace
        self.identity = workspace.identity
        self.installation = workspace.installation
        self.called: defaultdict[str, deque[float]] = defaultdict(deque)
        self.triggers: dict[str, Trigger] = {}
        self.response_urls: dict[str, ResponseUrl] = {}
        self.authorized: dict[str, Identity] = {}

    @property
    def summary(self) -> Json:
        """The workspace as lists show it."""
        identity = self.identity
        return {
            "team_id": identity.team_id,
            "name": identity.team_name,
            "domain": identity.team_domain,
            "installed": self.installation.installed,
        }

    @property
    def url(self) -> str:
        """The address of the playground; "" before it listens."""
        return self.workspaces.url


@dataclass
class Kept:
    """What a playground keeps across a restart, as JSON; `pending` are events without an ack."""

    pending: list[Json] = field(default_factory=list)
    workspaces: list[Workspace] = field(default_factory=list)


_KEPT = TypeAdapter(Kept)


def load(file: Path) -> Kept:
    """Return what was written, or an empty state if nothing was.

    Raises OSError for a folder or file that cannot be used.
    """
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not file.exists():
            return Kept()
        return _KEPT.validate_json(file.read_bytes())
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise OSError(
            f"The playground cannot keep its data in {file.parent} ({reason}): choose another"
            " --data-dir."
        ) from error


class Workspaces:
    """The workspaces of a playground, which share one app, server and delivery.

    The app is installed in the first one from the start, with `BOT_TOKEN`, and in any other one
    when a person there installs it.
    """

    def __init__(self, manifest: Manifest, settings: Settings, kept: Kept) -> None:
        """Begin with what was `kept`."""
        self.manifest = manifest
        self.settings = settings
        self.violations = Violations()
        self.faults = Faults()
        self.calls = Journal[CallRecord]()
        self.failures = Journal[Failure]()
        self.updates = Updates()
        stored = kept.workspaces
        if not stored:
            sample = Workspace()
            sample.add_sample(manifest.bot_name)
            stored = [sample]
        self.socket_mode = SocketMode(stored[0].identity.app_id, self.updates)
        self.http = HttpDelivery(SIGNING_SECRET)
        self.deliveries = Deliveries(
            self.socket_mode, self.http, self.updates, settings
        )
        self.url = ""
        self.with_model = False
        self.links: dict[str, str | None] = {}
        self.codes: dict[str, Code] = {}
        self._all: dict[str, Slack] = {}
        for workspace in stored:
            self._all[workspace.identity.team_id] = Slack(self, workspace)
        self.first = self.all[0]
        self.first.installation.restore(manifest.scopes, BOT_TOKEN)

    def write(self, file: Path) -> None:
        """Write everything that is kept; an interrupted write leaves the old file."""
        kept = Kept(
            pending=list(self.deliveries.pending.values()),
            workspaces=[slack.workspace for slack in self.all],
        )
        new = file.with_suffix(".new")
        new.write_bytes(_KEPT.dump_json(kept))
        new.replace(file)

    @property
    def all(self) -> list[Slack]:
        """Every workspace, the first one first."""
        return list(self._all.values())

    def of(self, team_id: str) -> Slack:
        """The workspace with this id, or the first one for ""; raises NotFoundError."""
        if not team_id:
            return self.first
        if team_id not in self._all:
            raise NotFoundError("workspace", team_id)
        return self._all[team_id]

    def add(self, name: str, original: Slack | None) -> Slack:
        """Add a workspace, with the people, channels and ids of an `original` if one is given."""
        domain = _NOT_DOMAIN.sub("-", name.lower()).strip("-")
        identity = Identity(
            app_id=self.first.identity.app_id,
            team_name=name,
            team_domain=domain or "workspace",
        )
        added = Workspace(identity=identity)
        if original is None:
            added.add_sample(self.manifest.bot_name)
        else:
            added.add_copy(self.manifest.bot_name, original.workspace)
        slack = Slack(self, added)
        self._all[identity.team_id] = slack
        return slack

    def caller(self, token: str) -> tuple[Slack, Token | None]:
        """The workspace of a token, and the token; for an unknown one, the first and None."""
        for slack in self.all:
            if token in slack.installation.tokens:
                return slack, slack.installation.tokens[token]
        return self.first, None
