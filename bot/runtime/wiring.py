"""How the app's parts are put together: wiring only."""

from __future__ import annotations

from dataclasses import dataclass

from bot.conversation.inbox import Inbox, Waiting
from bot.conversation.turns import Intent, Turns
from bot.delivery.calls import Workspace
from bot.delivery.outbox import Posts
from bot.delivery.sessions import Sessions
from bot.delivery.slack_reply import SlackOutlet
from bot.delivery.titles import Titles
from bot.home.publisher import Homes
from bot.home.queries import HomeReading
from bot.home.suggested_prompts import Suggesting
from bot.memories.actions import OwnMemories
from bot.memories.adding import Adding
from bot.memories.audience_proposals import Placing
from bot.memories.commands import OwnCommands
from bot.memories.controls import Controls
from bot.memories.erasing import Erasing
from bot.memories.exporting import Exporting
from bot.memories.forget_period import PeriodForgetting
from bot.memories.importing import Importing
from bot.memories.modals import Modals, create_modals
from bot.memories.recall_preview import Previews
from bot.memories.slack_deletions import SlackDeletions
from bot.notices.change_notices import ChangeNotices
from bot.pipeline.attachments import Attachments
from bot.pipeline.backfill.messages import Reading
from bot.pipeline.formation import Learning
from bot.pipeline.reply import Replier
from bot.pipeline.sources import Sources
from bot.pipeline.tools.toolbox import open_tools
from bot.pipeline.tools.viewing import Viewing
from bot.pipeline.turn import OpenOutlet, Parts
from bot.queue.queue import Queue
from bot.runtime.connections import Connections
from bot.runtime.memory_models import create_former, create_verifier
from bot.slack.audiences import Audiences
from bot.slack.files import SlackFiles
from bot.slack.rate_limits import Budgets
from bot.users.access import Admission
from bot.users.offboarding import Offboarding
from bot.users.policies import Policies, policy_of
from bot.users.profiles import People
from bot.users.quotas import Shares
from bot.users.workspaces import Workspaces
from memory import Embedder, View, load_schemas


@dataclass(frozen=True, slots=True, kw_only=True)
class Wiring:
    """The parts that a front and a worker are made of; none of them runs by itself."""

    connections: Connections
    queue: Queue
    inbox: Inbox
    audiences: Audiences
    people: People
    own: OwnMemories
    own_commands: OwnCommands
    periods: PeriodForgetting
    controls: Controls
    exporting: Exporting
    turns: Turns
    sessions: Sessions
    learning: Learning
    notices: ChangeNotices
    sources: Sources
    modals: Modals
    previews: Previews
    placing: Placing
    homes: Homes
    shares: Shares
    policies: Policies
    admission: Admission
    workspaces: Workspaces
    offboarding: Offboarding
    reading: Reading
    slack_deletions: SlackDeletions
    suggesting: Suggesting
    viewing: Viewing
    parts: Parts
    open_outlet: OpenOutlet


def wire(connections: Connections) -> Wiring:
    """Return the parts, joined; nothing is asked of a network yet."""
    settings, pool, slack = connections.settings, connections.pool, connections.slack
    schemas = load_schemas(settings.schemas)
    queue = Queue(pool)
    inbox = Inbox(pool, queue)
    embedder = Embedder(connections.model, connections.space)
    audiences = Audiences(pool, slack)
    people = People(pool, slack)
    policies = Policies(pool, policy_of(settings))
    admission = Admission(policies, people, slack)
    workspaces = Workspaces(pool)
    notices = ChangeNotices(pool, queue, slack, people, stand_in=settings.stand_in)
    own = OwnMemories(pool, embedder, stand_in=settings.stand_in, withdraw=notices.withdraw)
    verifier = create_verifier(settings)
    former = create_former(settings, pool, embedder, schemas=schemas, verifier=verifier)
    shares = Shares(
        pool,
        messages_per_hour=settings.person_messages_per_hour,
        tokens_per_day=settings.workspace_tokens_per_day,
    )
    learning = Learning(
        pool=pool,
        queue=queue,
        former=former,
        audiences=audiences,
        announce=notices.announce,
        shares=shares,
        mode=settings.formation,
        quiet_seconds=settings.formation_delay,
        consent=settings.consent,
    )
    periods = PeriodForgetting(pool, people, withdraw=notices.withdraw)
    controls = Controls(
        pool, people, learning.schedule_all, consent=settings.consent, admission=admission
    )
    files = SlackFiles(slack)
    exporting = Exporting(pool, files, settings)
    modals = create_modals(
        pool,
        embedder,
        slack,
        audiences,
        own,
        notices,
        controls,
        Importing(
            pool,
            embedder,
            files,
            schemas=schemas,
            consent=settings.consent,
            verifier=verifier,
            shares=shares,
        ),
        Erasing(pool, people, slack),
        schemas=schemas,
    )
    placing = Placing(pool, embedder, audiences)
    previews = Previews(pool, embedder, audiences, stand_in=settings.stand_in)
    homes = Homes(
        pool,
        queue,
        slack,
        people,
        HomeReading(pool, own, modals.used.permalinks, settings, policies, admission),
    )
    own_commands = OwnCommands(
        own,
        controls,
        Adding(
            pool,
            embedder,
            former,
            audiences,
            schemas=schemas,
            consent=settings.consent,
            admission=admission,
            shares=shares,
        ),
        periods,
        more={
            "history": modals.changes.history_typed,
            "preview": previews.command,
            "export": exporting.exported,
        },
        offers={"export": exporting.offered},
    )
    workspace = Workspace(slack, str(connections.identity.bot_user_id), Budgets(pool))
    sessions = Sessions(workspace, Titles(pool))
    viewing = Viewing(pool, slack, policies, workspace.bot_user_id)
    sources = Sources(pool, queue, embedder, notices.announce, learning.schedule, slack)
    turns = Turns(
        pool,
        learning.schedule,
        consent=settings.consent,
        announce=notices.announce,
        renew=notices.renew,
        follow=sources.follow_later,
        shares=shares,
    )

    def open_outlet(waiting: Waiting, view: View, intent: Intent) -> SlackOutlet:
        return SlackOutlet(
            workspace,
            sessions,
            waiting,
            view,
            intent,
            posts=Posts(pool, waiting, intent),
            inbox=inbox,
            people=people,
            stand_in=settings.stand_in,
        )

    return Wiring(
        connections=connections,
        queue=queue,
        inbox=inbox,
        audiences=audiences,
        people=people,
        own=own,
        own_commands=own_commands,
        periods=periods,
        controls=controls,
        exporting=exporting,
        turns=turns,
        sessions=sessions,
        learning=learning,
        notices=notices,
        modals=modals,
        previews=previews,
        placing=placing,
        homes=homes,
        sources=sources,
        shares=shares,
        policies=policies,
        admission=admission,
        workspaces=workspaces,
        offboarding=Offboarding(
            pool, queue, slack, workspaces, str(connections.identity.bot_user_id)
        ),
        reading=Reading(
            pool, queue, inbox, audiences, slack, str(connections.identity.bot_user_id)
        ),
        slack_deletions=SlackDeletions(pool, queue, slack, workspace.bot_user_id),
        viewing=viewing,
        suggesting=Suggesting(
            pool, queue, slack, people, consent=settings.consent, admission=admission
        ),
        parts=Parts(
            pool=pool,
            client=slack,
            bot_user_id=workspace.bot_user_id,
            turns=turns,
            audiences=audiences,
            embedder=embedder,
            replier=Replier(
                connections.model,
                model=settings.reply_model,
                web_search=settings.web_search,
                spend=shares.spend,
                searches=policies.web_search,
                link_hosts=settings.link_hosts,
            ),
            attachments=Attachments(slack, files, enabled=settings.files),
            tools=open_tools(
                pool,
                embedder,
                own,
                controls,
                periods,
                own_commands.shows,
                placing,
                viewing,
                schemas,
                verifier=verifier,
                spend=shares.spend,
            ),
        ),
        open_outlet=open_outlet,
    )
