"""Creates the objects of the application and connects them."""

from __future__ import annotations

from functools import partial

from bot.access import Quotas, policy_of
from bot.app import App
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
from bot.pipeline.formation import FormationJobs
from bot.pipeline.reply import Replier
from bot.pipeline.reply_sink import OpenReplySink
from bot.pipeline.sources import SourceUpdates
from bot.pipeline.tools.toolbox import Toolbox
from bot.pipeline.turn import TurnDependencies
from bot.queue.queue import Queue
from bot.runtime.connections import Connections
from bot.runtime.memory_models import create_former
from bot.slack.audiences import Audiences
from bot.slack.files import SlackFiles
from bot.slack.permalinks import Permalinks
from bot.workspaces import Workspaces
from memory import Embedder, load_schemas


def create_app(connections: Connections) -> App:
    """Return what the functions of the app share. Creating it starts no task and no request."""
    settings, pool, slack = connections.settings, connections.pool, connections.slack
    schemas = load_schemas(settings.schemas)
    embedder = Embedder(connections.model, connections.space)
    return App(
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


class Application:
    """The objects that a front and a worker use."""

    def __init__(self, connections: Connections) -> None:
        self.connections = connections
        self.app = app = create_app(connections)
        settings, pool, slack = app.settings, app.pool, app.slack
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
        self.turn_dependencies = TurnDependencies(
            pool=pool,
            slack=slack,
            turns=self.turns,
            audiences=app.audiences,
            embedder=app.embedder,
            replier=Replier(connections.reply_models, may_search=settings.web_search),
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
