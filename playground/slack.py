"""Everything that makes up one playground, put together."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from playground.calls import Calls
from playground.delivery import Deliveries
from playground.events import Events
from playground.faults import Faults
from playground.http_delivery import HttpDelivery
from playground.interactions import Interactions
from playground.manifest import Manifest
from playground.posting import Posting
from playground.rate_limits import RateLimits
from playground.socket_mode import SocketMode
from playground.storage import Storage
from playground.updates import Updates
from playground.violations import Violations
from playground.workspace import Workspace

BOT_TOKEN = "xoxb-playground"  # noqa: S105
APP_TOKEN = "xapp-playground"  # noqa: S105
SIGNING_SECRET = "playground-signing-secret"  # noqa: S105


@dataclass(kw_only=True)
class Settings:
    """Limits that a test may change, in seconds and characters."""

    rate_limits: bool = False
    reading_limits: bool = False
    stream_seconds: float = 300.0
    stream_characters: int = 12_000


@dataclass(kw_only=True)
class Slack:
    """The parts of a running playground. `url` is known once it listens."""

    manifest: Manifest
    workspace: Workspace
    updates: Updates
    socket_mode: SocketMode
    http: HttpDelivery
    deliveries: Deliveries
    events: Events
    posting: Posting
    interactions: Interactions
    violations: Violations
    calls: Calls = field(default_factory=Calls)
    faults: Faults = field(default_factory=Faults)
    rate_limits: RateLimits = field(default_factory=RateLimits)
    settings: Settings = field(default_factory=Settings)
    revoked: bool = False
    declined: frozenset[str] = frozenset()
    url: str = ""
    setup_url: str | None = None

    @property
    def granted(self) -> frozenset[str]:
        """The scopes of the bot token: the manifest's, without declined optional ones."""
        return self.manifest.scopes - self.declined


@asynccontextmanager
async def open_slack(
    manifest: Manifest, *, data_dir: Path | None, retry_delays: tuple[float, ...]
) -> AsyncIterator[Slack]:
    """Put a playground together; what it keeps is in `data_dir`, or in memory without one."""
    storage = Storage(None if data_dir is None else data_dir / "slack.sqlite3")
    workspace = Workspace(storage, bot_name=manifest.bot_name)
    updates = Updates()
    socket_mode = SocketMode(workspace.identity.app_id)
    http = HttpDelivery(SIGNING_SECRET)
    deliveries = Deliveries(
        {"socket": socket_mode, "http": http}, updates, storage, retry_delays=retry_delays
    )
    events = Events(workspace, manifest, deliveries)
    posting = Posting(workspace, events, updates)
    violations = Violations()
    slack = Slack(
        manifest=manifest,
        workspace=workspace,
        updates=updates,
        socket_mode=socket_mode,
        http=http,
        deliveries=deliveries,
        events=events,
        posting=posting,
        interactions=Interactions(workspace, deliveries, posting, updates, violations),
        violations=violations,
    )
    deliveries.resume()
    try:
        yield slack
    finally:
        await deliveries.close()
        await socket_mode.close()
        await http.close()
        storage.close()
