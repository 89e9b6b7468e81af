"""The parts of one playground, put together."""

from collections import defaultdict, deque
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import TypeAdapter

from slack_playground.delivery import Deliveries
from slack_playground.http_delivery import HttpDelivery
from slack_playground.journal import CallRecord, Failure, Journal, Violations
from slack_playground.manifest import Manifest
from slack_playground.records import Installation, Json, ResponseUrl, Trigger
from slack_playground.settings import Faults, Settings
from slack_playground.socket_mode import SocketMode
from slack_playground.updates import Updates
from slack_playground.workspace import Workspace

BOT_TOKEN = "xoxb-playground"  # noqa: S105
APP_TOKEN = "xapp-playground"  # noqa: S105
SIGNING_SECRET = "playground-signing-secret"  # noqa: S105


@dataclass
class Kept:
    """What a playground keeps across a restart, as JSON; `pending` are events without an ack."""

    pending: list[Json] = field(default_factory=list)
    workspace: Workspace | None = None


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


class Slack:
    """The parts of a running playground: one workspace, with the app installed at the start.

    `triggers` and `response_urls` (by path) are what the app may refer to, `called` is when each
    method was called. `links` are what the page leads to.
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
        if kept.workspace is None:
            self.workspace = Workspace()
            self.workspace.add_sample(manifest.bot_name)
        else:
            self.workspace = kept.workspace
        self.identity = self.workspace.identity
        self.installation = Installation(granted=manifest.scopes)
        self.socket_mode = SocketMode(self.identity.app_id, self.updates)
        self.http = HttpDelivery(SIGNING_SECRET)
        self.deliveries = Deliveries(
            self.socket_mode, self.http, self.updates, settings
        )
        self.url = ""
        self.with_model = False
        self.links: dict[str, str | None] = {}
        self.called: defaultdict[str, deque[float]] = defaultdict(deque)
        self.triggers: dict[str, Trigger] = {}
        self.response_urls: dict[str, ResponseUrl] = {}

    def write(self, file: Path) -> None:
        """Write everything that is kept; an interrupted write leaves the old file."""
        kept = Kept(
            pending=list(self.deliveries.pending.values()), workspace=self.workspace
        )
        new = file.with_suffix(".new")
        new.write_bytes(_KEPT.dump_json(kept))
        new.replace(file)
