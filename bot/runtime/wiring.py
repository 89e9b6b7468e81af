"""Creates the objects of the application and connects them."""

from __future__ import annotations

from functools import partial

import openai
from psycopg import OperationalError

from bot.access import Quotas, policy_of
from bot.app import App
from bot.config import Settings
from bot.conversation.inbox import Inbox
from bot.conversation.turns import Turns
from bot.conversation.unformed import schedule_formation
from bot.delivery.reply_stream import ReplyStream
from bot.delivery.sessions import Sessions
from bot.listeners.change_events import ChangeEvents
from bot.listeners.interactions import Interactions
from bot.notices import repeat_notice
from bot.people import People
from bot.pipeline.attachments import Attachments
from bot.pipeline.backfill import Backfill
from bot.pipeline.changes import SourceUpdates
from bot.pipeline.formation import FormationJobs
from bot.pipeline.reply import Replier
from bot.pipeline.reply_sink import OpenReplySink
from bot.pipeline.responses.request import ModelRequests
from bot.pipeline.tools.toolbox import Toolbox
from bot.pipeline.turn import TurnDependencies
from bot.queue.migrations import migrations
from bot.queue.queue import Queue
from bot.runtime.memory_models import create_former
from bot.runtime.oauth import InstallationStore
from bot.slack.audiences import Audiences
from bot.slack.client import Installation, Installations
from bot.slack.files import SlackFiles
from bot.slack.permalinks import Permalinks
from bot.workspaces import Workspaces
from memory import Embedder, EmbeddingSpace, KiokuMemoryError, Pool, load_schemas
from memory.postgres import check_database

_READY_WAIT_SECONDS = 2.0


class Application:
    """The objects that a front and a worker use. Creating them starts no task and no request.

    `installation` is the one of SLACK_BOT_TOKEN; with OAuth they are in `store`.
    """

    def __init__(
        self,
        settings: Settings,
        model: openai.AsyncOpenAI,
        space: EmbeddingSpace,
        pool: Pool,
        slack: Installations,
        installation: Installation | None,
        store: InstallationStore | None = None,
    ) -> None:
        self.installation, self.store, self._space = installation, store, space
        schemas, embedder = load_schemas(settings.schemas), Embedder(model, space)
        self.app = app = App(
            settings=settings,
            pool=pool,
            queue=Queue(pool),
            slack=slack,
            embedder=embedder,
            former=create_former(settings, pool, embedder, schemas=schemas),
            schemas=schemas,
            policy=policy_of(settings),
            quotas=Quotas(pool, settings.person_messages_per_hour),
            people=People(pool, slack),
            audiences=Audiences(pool, slack),
            permalinks=Permalinks(slack),
            files=SlackFiles(slack),
        )
        self.queue = app.queue
        self.inbox = Inbox(pool, app.queue)
        self.workspaces = Workspaces(pool, slack, grace_hours=settings.uninstall_grace_hours)
        self.formation_jobs = FormationJobs(app)
        self.source_updates = SourceUpdates(app)
        self.interactions = Interactions(app)
        self.sessions = Sessions(slack)
        self.backfill = Backfill(app, self.inbox)
        self.change_events = ChangeEvents(
            inbox=self.inbox,
            app=app,
            workspaces=self.workspaces,
            sessions=self.sessions,
            source_updates=self.source_updates,
        )
        self.turns = Turns(
            pool,
            schedule_formation=lambda connection, namespace: schedule_formation(
                connection, app.queue, settings, namespace
            ),
            consent=settings.consent,
            repeat_notice=partial(repeat_notice, app.queue),
            quotas=app.quotas,
        )
        models = [
            ModelRequests(model, model=settings.reply_model, effort=settings.reasoning_effort)
        ]
        if settings.fallback_model is not None:
            models.append(ModelRequests(model, model=settings.fallback_model, effort=None))
        self.turn_dependencies = TurnDependencies(
            pool=pool,
            slack=slack,
            turns=self.turns,
            audiences=app.audiences,
            embedder=app.embedder,
            replier=Replier(models, may_search=settings.web_search),
            style=settings.style,
            attachments=Attachments(slack, app.files),
            tools=partial(Toolbox, app),
        )
        self.open_reply_sink: OpenReplySink = partial(
            ReplyStream,
            pool,
            slack,
            self.sessions,
            app.people,
            stand_in=settings.stand_in,
            read_flags=self.inbox.read_flags,
        )

    async def teams(self) -> list[str]:
        """Return the ids of the workspaces in which the app is installed."""
        if self.installation is not None:
            return [self.installation.team_id]
        return await self.store.teams() if self.store else []

    async def database_problem(self) -> str | None:
        """Return one sentence about what is wrong with the database, if anything is."""
        try:
            wait = _READY_WAIT_SECONDS
            await check_database(self.app.pool, self._space, migrations(), wait=wait)
        except OperationalError:
            return "PostgreSQL cannot be reached."
        except KiokuMemoryError as problem:
            return str(problem)
        return None
