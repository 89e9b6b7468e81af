"""Creates the objects of the application and connects them."""

from __future__ import annotations

from functools import partial

from bot.conversation.inbox import Inbox
from bot.conversation.turns import Turns
from bot.delivery.reply_stream import ReplyStream
from bot.delivery.sessions import Sessions
from bot.listeners.change_events import ChangeEvents
from bot.listeners.responder import Responder
from bot.memories.actions import MemoryActions
from bot.memories.adding import MemoryAdder
from bot.memories.audience_changes import AudienceChanges
from bot.memories.changes import ChangeHistory
from bot.memories.commands import SlashCommands
from bot.memories.controls import MemoryControls
from bot.memories.data_requests import Exporter, PersonEraser
from bot.memories.editing import MemoryEditor
from bot.memories.feedback import Feedback
from bot.memories.home import HomePublisher
from bot.memories.incognito import IncognitoSwitch
from bot.memories.modals import Modals
from bot.memories.statement_formation import StatementFormation
from bot.notices.change_notices import ChangeNotices
from bot.pipeline.attachments import Attachments
from bot.pipeline.backfill.messages import MissedMessages
from bot.pipeline.formation import FormationJobs
from bot.pipeline.reply import Replier
from bot.pipeline.reply_sink import OpenReplySink
from bot.pipeline.sources import SourceUpdates
from bot.pipeline.tools.toolbox import open_tools
from bot.pipeline.turn import TurnDependencies
from bot.pipeline.viewed_channels import ViewedChannels
from bot.queue.queue import Queue
from bot.runtime.connections import Connections
from bot.runtime.memory_models import create_former
from bot.slack.audiences import Audiences
from bot.slack.files import SlackFiles
from bot.slack.permalinks import Permalinks
from bot.users.access import policy_of
from bot.users.profiles import Profiles
from bot.users.quotas import Quotas
from bot.users.workspaces import Workspaces
from memory import Embedder, load_schemas


class Application:
    """The objects that a front and a worker use. Creating them starts no task and no request."""

    def __init__(self, connections: Connections) -> None:
        self.connections = connections
        settings, pool, slack = connections.settings, connections.pool, connections.slack
        schemas = load_schemas(settings.schemas)
        self.queue = Queue(pool)
        self.inbox = Inbox(pool, self.queue)
        embedder = Embedder(connections.model, connections.space)
        self.audiences = Audiences(pool, slack)
        self.profiles = Profiles(pool, slack)
        self.policy = policy_of(settings)
        self.workspaces = Workspaces(
            pool, self.queue, slack, grace_hours=settings.uninstall_grace_hours
        )
        self.notices = ChangeNotices(pool, self.queue, slack, self.profiles)
        former = create_former(settings, pool, embedder, schemas=schemas)
        self.quotas = Quotas(pool, settings.person_messages_per_hour)
        self.formation_jobs = FormationJobs(
            pool=pool,
            queue=self.queue,
            former=former,
            audiences=self.audiences,
            notices=self.notices,
            mode=settings.formation,
            quiet_seconds=0.0 if settings.formation == "hot" else settings.formation_delay,
            consent=settings.consent,
        )
        self.source_updates = SourceUpdates(
            pool,
            self.queue,
            embedder,
            self.notices,
            self.formation_jobs.schedule,
            slack,
            settings.consent,
            self.policy,
        )
        self.memory_actions = MemoryActions(
            pool=pool,
            embedder=embedder,
            people=self.profiles,
            update_notices=self.notices.update_notices,
            form_now=self.formation_jobs.form_now,
            update_from_changed=self.source_updates.update_from_changed,
            quotas=self.quotas,
        )
        schedule_all = self.formation_jobs.schedule_all
        self.controls = MemoryControls(
            pool,
            self.profiles,
            schedule_all,
            IncognitoSwitch(pool, consent=settings.consent),
            consent=settings.consent,
            policy=self.policy,
        )
        files = SlackFiles(slack)
        self.exporter = Exporter(pool, self.queue, files, settings)
        permalinks = Permalinks(slack)
        self.modals = Modals(
            pool=pool,
            permalinks=permalinks,
            exporting=self.exporter,
            editing=MemoryEditor(pool, embedder, self.memory_actions, schemas=schemas),
            audiences=AudienceChanges(pool, embedder, self.audiences, self.profiles),
            changes=ChangeHistory(
                pool,
                embedder,
                self.notices,
                permalinks,
                self.profiles,
                self.source_updates.update_from_changed,
            ),
            controls=self.controls,
            erasing=PersonEraser(pool, self.profiles),
            actions=self.memory_actions,
            feedback=Feedback(pool),
        )
        self.home_publisher = HomePublisher(
            self.memory_actions, self.queue, slack, permalinks, settings, self.policy
        )
        self.responder = Responder(self.profiles, self.home_publisher)
        self.slash_commands = SlashCommands(
            actions=self.memory_actions,
            controls=self.controls,
            adding=MemoryAdder(
                pool,
                StatementFormation(
                    pool,
                    embedder,
                    former,
                    self.audiences,
                    schemas=schemas,
                    consent=settings.consent,
                ),
                policy=self.policy,
                quotas=self.quotas,
            ),
            changes=self.modals.changes,
            exporting=self.exporter,
        )
        self.sessions = Sessions(slack, pool)
        self.viewed_channels = ViewedChannels(pool, slack, self.policy)
        self.turns = Turns(
            pool,
            schedule_formation=self.formation_jobs.schedule,
            consent=settings.consent,
            repeat_notice=self.notices.repeat_notice,
            quotas=self.quotas,
        )
        self.missed_messages = MissedMessages(pool, self.queue, self.inbox, self.audiences, slack)
        self.change_events = ChangeEvents(
            inbox=self.inbox,
            audiences=self.audiences,
            profiles=self.profiles,
            viewed_channels=self.viewed_channels,
            home_publisher=self.home_publisher,
            workspaces=self.workspaces,
            sessions=self.sessions,
            source_updates=self.source_updates,
            slack=slack,
        )
        self.turn_dependencies = TurnDependencies(
            pool=pool,
            slack=slack,
            turns=self.turns,
            audiences=self.audiences,
            embedder=embedder,
            replier=Replier(connections.reply_models, may_search=settings.web_search),
            style=settings.style,
            attachments=Attachments(slack, files),
            tools=open_tools(
                former,
                self.memory_actions,
                self.controls,
                self.slash_commands.shows,
                self.modals.audiences,
                self.viewed_channels,
                notices=self.notices,
            ),
        )
        self.open_reply_sink: OpenReplySink = partial(
            ReplyStream,
            pool,
            slack,
            self.sessions,
            self.profiles,
            stand_in=settings.stand_in,
            read_flags=self.inbox.read_flags,
        )
