"""Creates the objects of the application and connects them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from bot.conversation.inbox import Inbox
from bot.conversation.turns import Turns
from bot.delivery.reply_stream import ReplyStream
from bot.delivery.sessions import Sessions
from bot.home.change_jobs import add_change_jobs
from bot.home.publisher import HomePublisher
from bot.home.queries import HomeQueries
from bot.home.suggested_prompts import SuggestedPrompts
from bot.memories.actions import MemoryActions
from bot.memories.adding import MemoryAdder
from bot.memories.audience_changes import AudienceChanges
from bot.memories.changes import ChangeHistory
from bot.memories.commands import SlashCommands
from bot.memories.controls import MemoryControls
from bot.memories.editing import MemoryEditor
from bot.memories.erasing import PersonEraser
from bot.memories.exporting import Exporter
from bot.memories.feedback import Feedback
from bot.memories.importing import Importer
from bot.memories.modals import Modals
from bot.memories.slack_deletions import SlackDeletions
from bot.notices.change_notices import ChangeNotices
from bot.pipeline.attachments import Attachments
from bot.pipeline.backfill.messages import MissedMessages
from bot.pipeline.formation import FormationJobs
from bot.pipeline.reply import Replier
from bot.pipeline.sources import SourceUpdates
from bot.pipeline.tools.toolbox import open_tools
from bot.pipeline.turn import OpenReplySink, TurnDependencies
from bot.pipeline.viewed_channels import ViewedChannels
from bot.queue.queue import Queue
from bot.runtime.connections import Connections
from bot.runtime.memory_models import create_former, create_verifier
from bot.slack.audiences import Audiences
from bot.slack.files import SlackFiles
from bot.slack.permalinks import Permalinks
from bot.users.offboarding import Offboarding
from bot.users.policies import AccessControl, Policies, policy_of
from bot.users.prices import read_prices
from bot.users.profiles import Profiles
from bot.users.quotas import Quotas
from bot.users.workspaces import Workspaces
from memory import Embedder, load_schemas


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """The objects that a receiver and a worker use. Creating them starts no task."""

    connections: Connections
    queue: Queue
    inbox: Inbox
    audiences: Audiences
    profiles: Profiles
    memory_actions: MemoryActions
    slash_commands: SlashCommands
    controls: MemoryControls
    exporter: Exporter
    turns: Turns
    sessions: Sessions
    formation_jobs: FormationJobs
    notices: ChangeNotices
    source_updates: SourceUpdates
    modals: Modals
    home_publisher: HomePublisher
    quotas: Quotas
    policies: Policies
    access: AccessControl
    workspaces: Workspaces
    offboarding: Offboarding
    missed_messages: MissedMessages
    slack_deletions: SlackDeletions
    suggested_prompts: SuggestedPrompts
    viewed_channels: ViewedChannels
    turn_dependencies: TurnDependencies
    open_reply_sink: OpenReplySink


def wire(connections: Connections) -> Application:
    """Create and connect the objects of the application, without a network request."""
    settings, pool, slack = connections.settings, connections.pool, connections.slack
    schemas = load_schemas(settings.schemas)
    queue = Queue(pool)
    pool.on_change = add_change_jobs(queue)
    inbox = Inbox(pool, queue)
    embedder = Embedder(connections.model, connections.space)
    audiences = Audiences(pool, slack)
    profiles = Profiles(pool, slack)
    policies = Policies(pool, policy_of(settings))
    access = AccessControl(policies, profiles, slack)
    workspaces = Workspaces(pool)
    notices = ChangeNotices(pool, queue, slack, profiles, stand_in=settings.stand_in)
    verifier = create_verifier(settings)
    former = create_former(settings, pool, embedder, schemas=schemas, verifier=verifier)
    quotas = Quotas(
        pool,
        messages_per_hour=settings.person_messages_per_hour,
        tokens_per_day=settings.workspace_tokens_per_day,
        prices=read_prices(settings.prices),
    )
    formation_jobs = FormationJobs(
        pool=pool,
        queue=queue,
        former=former,
        audiences=audiences,
        notices=notices,
        quotas=quotas,
        mode=settings.formation,
        quiet_seconds=settings.formation_delay,
        consent=settings.consent,
    )
    memory_actions = MemoryActions(
        pool=pool,
        embedder=embedder,
        people=profiles,
        audiences=audiences,
        update_notices=notices.update_notices,
        form_now=formation_jobs.form_now,
    )
    controls = MemoryControls(
        pool, profiles, formation_jobs.schedule_all, consent=settings.consent, access=access
    )
    files = SlackFiles(slack)
    exporter = Exporter(pool, files, settings)
    permalinks = Permalinks(slack)
    modals = Modals(
        pool=pool,
        permalinks=permalinks,
        exporting=exporter,
        editing=MemoryEditor(pool, embedder, memory_actions, schemas=schemas),
        audiences=AudienceChanges(pool, embedder, audiences),
        changes=ChangeHistory(pool, embedder, notices, permalinks),
        controls=controls,
        importing=Importer(
            pool,
            embedder,
            files,
            schemas=schemas,
            consent=settings.consent,
            verifier=verifier,
            quotas=quotas,
        ),
        erasing=PersonEraser(pool, profiles, slack),
        own=memory_actions,
        feedback=Feedback(pool),
    )
    home_publisher = HomePublisher(
        pool,
        queue,
        slack,
        profiles,
        HomeQueries(pool, memory_actions, permalinks, settings, policies, access),
    )
    slash_commands = SlashCommands(
        own=memory_actions,
        controls=controls,
        adding=MemoryAdder(
            pool,
            embedder,
            former,
            audiences,
            schemas=schemas,
            consent=settings.consent,
            access=access,
            quotas=quotas,
        ),
        changes=modals.changes,
        exporting=exporter,
    )
    sessions = Sessions(slack, pool)
    viewed_channels = ViewedChannels(pool, slack, policies)
    source_updates = SourceUpdates(
        pool, queue, embedder, notices.add_notice, formation_jobs.schedule, slack
    )
    turns = Turns(
        pool,
        schedule_formation=formation_jobs.schedule,
        consent=settings.consent,
        add_notice=notices.add_notice,
        repeat_notice=notices.repeat_notice,
        schedule_source_update=source_updates.schedule_update,
        quotas=quotas,
    )

    return Application(
        connections=connections,
        queue=queue,
        inbox=inbox,
        audiences=audiences,
        profiles=profiles,
        memory_actions=memory_actions,
        slash_commands=slash_commands,
        controls=controls,
        exporter=exporter,
        turns=turns,
        sessions=sessions,
        formation_jobs=formation_jobs,
        notices=notices,
        modals=modals,
        home_publisher=home_publisher,
        source_updates=source_updates,
        quotas=quotas,
        policies=policies,
        access=access,
        workspaces=workspaces,
        offboarding=Offboarding(pool, queue, slack, workspaces),
        missed_messages=MissedMessages(pool, queue, inbox, audiences, slack),
        slack_deletions=SlackDeletions(pool, queue, slack),
        viewed_channels=viewed_channels,
        suggested_prompts=SuggestedPrompts(
            pool,
            queue,
            slack,
            profiles,
            consent=settings.consent,
            web_search=settings.web_search and not settings.stand_in,
            access=access,
        ),
        turn_dependencies=TurnDependencies(
            pool=pool,
            slack=slack,
            turns=turns,
            audiences=audiences,
            embedder=embedder,
            replier=Replier(
                connections.reply_models,
                may_search=policies.web_search,
                spend=quotas.spend,
                link_hosts=settings.link_hosts,
            ),
            attachments=Attachments(slack, files, enabled=settings.read_files),
            hints=modals.audiences.hints,
            tools=open_tools(
                pool,
                embedder,
                memory_actions,
                controls,
                slash_commands.shows,
                modals.audiences,
                viewed_channels,
                schemas,
                verifier=verifier,
                spend=quotas.spend,
            ),
        ),
        open_reply_sink=partial(
            ReplyStream,
            pool,
            slack,
            sessions,
            profiles,
            stand_in=settings.stand_in,
            read_flags=inbox.read_flags,
        ),
    )
