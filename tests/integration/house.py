"""Everything a turn is made with, for tests without a worker: nobody works but the test."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import openai
import psycopg
from langchain_core.language_models import BaseChatModel
from psycopg.rows import dict_row

from bot.config import STAND_IN_MODEL
from bot.conversation.callbacks import announce_nothing
from bot.conversation.inbox import ANSWER, READ_FOLLOW_UPS, ClaimedMessage, Inbox
from bot.conversation.notice_throttle import Notices
from bot.conversation.turns import Intent, Turns
from bot.delivery.calls import Workspace
from bot.delivery.outbox import Outbox
from bot.delivery.sessions import Sessions
from bot.delivery.slack_reply import SlackReplySink
from bot.delivery.titles import SessionTitles
from bot.home.suggested_prompts import SuggestedPrompts
from bot.listeners.change_events import Changes
from bot.memories.actions import MemoryActions
from bot.memories.audience_changes import AudienceChanges
from bot.memories.controls import MemoryControls
from bot.memories.forget_period import PeriodForgetter
from bot.pipeline.attachments import Attachments
from bot.pipeline.backfill.backfill import READ_ON, Backfill
from bot.pipeline.backfill.messages import MissedMessages
from bot.pipeline.backfill.window import CATCH_UP
from bot.pipeline.deleted_messages import DeletedMessages
from bot.pipeline.fixed_reply import FixedReplies
from bot.pipeline.formation import FORM, FormationJobs
from bot.pipeline.outages import ModelOutages
from bot.pipeline.reply import Replier
from bot.pipeline.sources import Sources
from bot.pipeline.tools.toolbox import open_tools
from bot.pipeline.tools.viewing import ViewedChannels
from bot.pipeline.turn import TurnDependencies, create_turn
from bot.pipeline.worker import ThreadWorker
from bot.queue.queue import LEARNING, REPLIES, Queue
from bot.slack.audiences import Audiences
from bot.slack.files import SlackFiles
from bot.slack.messages import Message
from bot.slack.rate_limits import RateLimits
from bot.users.offboarding import Offboarding
from bot.users.profiles import Profiles
from bot.users.quotas import Quotas
from bot.users.workspaces import Workspaces
from memory import (
    SCHEMAS,
    Embedder,
    Former,
    Memory,
    Person,
    Pool,
    Verifier,
    View,
    list_memories,
    memory_model,
)
from tests.conftest import SPACE, Server
from tests.integration.homes import homes_of
from tests.integration.playground_slack import Place, PlaygroundSlack


@dataclass
class House:
    """Everything a turn is made with; nobody works but the test."""

    slack: PlaygroundSlack
    stand_in: Server
    database: str
    pool: Pool
    inbox: Inbox
    turns: Turns
    answering: ThreadWorker
    learning: FormationJobs
    parts: TurnDependencies
    notices: Notices
    shares: Quotas
    queue: Queue
    reading: MissedMessages
    catching_up: Backfill
    changes: Changes
    former: Former
    sessions: Sessions

    async def ask(self, place: Place, text: str, **more: Any) -> Message:
        """Let the person of `place` write, and answer all that waits in that thread."""
        message = await self.told(place, text, **more)
        await self.answering.drain(message.thread)
        return message

    async def told(self, place: Place, text: str, **more: Any) -> Message:
        """Let the person of `place` write; it is stored, not answered."""
        said = self.slack.say(place.user, place.channel, text or "-", **more)
        message = self.slack.message(
            place,
            event_id=f"Ev{said['ts']}",
            ts=said["ts"],
            thread_ts=more.get("thread_ts", said["ts"]),
            text=text,
        )
        assert await self.inbox.store(message)
        return message

    def replies(self, place: Place, message: Message) -> list[str]:
        """Return the app's messages in a message's thread."""
        root = Place(place.user, place.team, place.channel, message.ts, message.thread_ts)
        found = self.slack.thread(root)
        assert not any(m.get("streaming") for m in found)
        return [
            "".join(b["text"] for b in m.get("blocks", []) if b["type"] == "markdown")
            for m in found
        ]

    def prompts(self) -> list[list[dict[str, Any]]]:
        """Return the input of each request for a reply."""
        entries = self.stand_in.call("/_model/journal")["entries"]
        return [
            e["body"]["input"]
            for e in entries
            if e["endpoint"] == "responses" and e["kind"] == "reply"
        ]

    def developer(self) -> str:
        """Return what the newest prompt shows beside its instructions."""
        return str(self.prompts()[-1][0]["content"]).split("nothing of anyone else.", 1)[1]

    def row(self, table: str, message: Message) -> dict[str, Any]:
        """Return a message's row."""
        found = self.find(table, message)
        assert found is not None
        return found

    def find(self, table: str, message: Message) -> dict[str, Any] | None:
        """Return a message's row, if there is one."""
        column = {"turns": "question_ts", "inbox_events": "ts"}[table]
        with psycopg.connect(self.database, row_factory=dict_row) as owner:
            return owner.execute(
                f"SELECT * FROM {table} WHERE channel_id = %s AND {column} = %s".encode(),
                (message.channel_id, message.ts),
            ).fetchone()

    def formations(self, person: Person) -> list[dict[str, Any]]:
        """Return the waiting formations of a person."""
        with psycopg.connect(self.database, row_factory=dict_row) as owner:
            return owner.execute(
                "SELECT args, extract(epoch FROM scheduled_at - now())::float AS due_in, lock"
                " FROM procrastinate_jobs WHERE task_name = %s AND args->>'user' = %s",
                (FORM, person.user_id),
            ).fetchall()

    async def memories(self, person: Person) -> list[Memory]:
        """Return a person's memories."""
        return await list_memories(self.pool, person)

    def script(self, **output: Any) -> None:
        """Say what the model replies next."""
        self.stand_in.call(
            "/_model/script", {"endpoint": "responses", "kind": "reply", "output": output}
        )

    def fault(self, **how: Any) -> None:
        """Say how the model fails next at a reply."""
        self.stand_in.call("/_model/faults", {"endpoint": "responses", "kind": "reply", **how})


Make = Callable[..., Awaitable[House]]


async def build(
    *,
    database: str,
    pool: Pool,
    slack: PlaygroundSlack,
    stand_in: Server,
    model_client: openai.AsyncOpenAI,
    mode: Any = "background",
    quiet_seconds: float = 20.0,
    messages_per_hour: int = 0,
    tokens_per_day: int = 0,
) -> House:
    """Put a house together, with the formation a test wants."""
    queue = Queue(pool)
    await queue.open()
    client = slack.client()
    embedder = Embedder(model_client, SPACE)
    audiences = Audiences(pool, client)

    def chat() -> BaseChatModel:
        return memory_model(
            model=STAND_IN_MODEL, api_key="stand-in", base_url=stand_in.openai_base_url
        )

    former = Former(pool, embedder, chat, verifier=Verifier(chat))
    shares = Quotas(pool, messages_per_hour=messages_per_hour, tokens_per_day=tokens_per_day)
    learning = FormationJobs(
        pool=pool,
        queue=queue,
        former=former,
        audiences=audiences,
        mode=mode,
        quiet_seconds=quiet_seconds,
        shares=shares,
    )
    inbox = Inbox(pool, queue)
    turns = Turns(pool, learning.schedule, shares=shares)
    people = Profiles(pool, client)
    viewing = ViewedChannels(pool, client, None, slack.bot_user_id)
    parts = TurnDependencies(
        pool=pool,
        client=client,
        bot_user_id=slack.bot_user_id,
        turns=turns,
        audiences=audiences,
        embedder=embedder,
        replier=Replier(model_client, model=STAND_IN_MODEL, web_search=True, spend=shares.spend),
        attachments=Attachments(client, SlackFiles(client), enabled=True),
        tools=open_tools(
            pool,
            embedder,
            MemoryActions(pool, embedder, stand_in=True),
            MemoryControls(pool, people, learning.schedule_all, consent="notice"),
            PeriodForgetter(pool, people),
            {},
            AudienceChanges(pool, embedder, audiences),
            viewing,
            SCHEMAS,
        ),
    )
    workspace = Workspace(client, slack.bot_user_id, RateLimits())
    sessions = Sessions(workspace, SessionTitles(pool))

    def open_outlet(waiting: ClaimedMessage, view: View, intent: Intent) -> SlackReplySink:
        return SlackReplySink(
            workspace,
            sessions,
            waiting,
            view,
            intent,
            posts=Outbox(pool, waiting, intent),
            inbox=inbox,
            people=people,
            stand_in=True,
        )

    workspaces = Workspaces(pool)
    changes = Changes(
        inbox=inbox,
        turns=turns,
        audiences=audiences,
        people=people,
        suggesting=SuggestedPrompts(pool, queue, client, people, consent="notice"),
        viewing=viewing,
        homes=homes_of(pool, queue, client, people, embedder),
        workspaces=workspaces,
        offboarding=Offboarding(pool, queue, client, workspaces, slack.bot_user_id),
        sessions=sessions,
        follow=Sources(
            pool, queue, embedder, announce_nothing, learning.schedule, client
        ).message_changed,
        bot_user_id=slack.bot_user_id,
    )
    telling = FixedReplies(parts, open_outlet)
    notices = Notices(pool)
    outages = ModelOutages(inbox, telling, parts.replier.breaker)
    withdrawals = DeletedMessages(pool, client, slack.bot_user_id, sessions)
    turn = create_turn(parts, open_outlet)
    answering = ThreadWorker(inbox, turn, telling, outages, withdrawals, shares, notices, sessions)
    queue.register(ANSWER, REPLIES, answering.drain, attempts=1, wait=1)
    queue.register(FORM, LEARNING, learning.form, attempts=1, wait=1)
    reading = MissedMessages(pool, queue, inbox, audiences, client, slack.bot_user_id)
    catching_up = Backfill(pool, queue, reading, client)
    queue.register(READ_FOLLOW_UPS, REPLIES, reading.follow_ups, attempts=1, wait=1)
    queue.register(CATCH_UP, REPLIES, catching_up.plan, attempts=1, wait=1)
    queue.register(READ_ON, REPLIES, catching_up.read_on, attempts=1, wait=1)
    return House(
        slack,
        stand_in,
        database,
        pool,
        inbox,
        turns,
        answering,
        learning,
        parts,
        notices,
        shares,
        queue,
        reading,
        catching_up,
        changes,
        former,
        sessions,
    )
