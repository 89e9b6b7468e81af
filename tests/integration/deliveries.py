"""An answer on its way into the playground, with a real database behind it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from bot.config import Settings
from bot.conversation.inbox import ClaimedMessage
from bot.conversation.run import THREAD_SETTING, Run, Stopped
from bot.conversation.turns import Turn, Turns
from bot.delivery.reply_stream import ReplyStream
from bot.delivery.sessions import Sessions
from bot.locale import Language, say
from bot.people import MemoryState, People, PersonSettings
from bot.queue.pulse import Pulse
from bot.queue.queue import Queue
from bot.slack.client import Installations
from bot.slack.messages import Message
from memory import DM, MemoryView, Pool, create_pool, memory_view
from memory.postgres import execute_statement
from tests.databases import login_of, owner_rows
from tests.integration.playground_slack import PersonThread, PlaygroundSlack

FOOTER = say("en", "footer")


@asynccontextmanager
async def open_sender(database: str, slack: PlaygroundSlack) -> AsyncIterator[Sender]:
    """Open everything an answer is delivered with; Slack refuses nothing."""
    async with create_pool(login_of(database), min_size=1, max_size=4, timeout=5) as pool:
        installations = slack.installations()
        opened = Sender(slack, database, pool, installations, Sessions(installations))
        yield opened
        await opened.sessions.close()


@dataclass
class Sender:
    """What all answers of a test share."""

    slack: PlaygroundSlack
    conninfo: str
    pool: Pool
    installations: Installations
    sessions: Sessions

    def refuse(self, method: str, seconds: int) -> None:
        """Let Slack have refused a method to another answer of this process."""
        self.installations.limits.note(self.slack.team_id, method, seconds)


async def nothing(*_: object) -> None:
    """Do nothing, for a callback that a test has no use for."""


async def direct_view(message: Message) -> MemoryView:
    """Return what a direct message sees, whatever its conversation is."""
    return memory_view(message.person.namespace(DM))


def turns_alone(pool: Pool) -> Turns:
    """Return turns without limits, formation and notices."""
    return Turns(
        pool,
        direct_view,
        queue=Queue(pool),
        settings=Settings(formation="off", person_messages_per_hour=0),
        repeat_notice=nothing,
    )


async def claimed_anew(pool: Pool, message: Message, earlier: int = 0) -> ClaimedMessage:
    """Store a message, unless it is stored, as taken by another run after `earlier` attempts."""
    [row] = await execute_statement(
        pool,
        "INSERT INTO messages (team_id, user_id, channel_id, ts, thread, audience, token)"
        " VALUES (%s, %s, %s, %s, %s, %s, gen_random_uuid())"
        " ON CONFLICT (team_id, channel_id, ts) DO UPDATE"
        " SET token = excluded.token, status = 'waiting', ended_at = NULL"
        " RETURNING id, token, changed_ts",
        (
            *(message.team_id, message.user_id, message.channel_id),
            *(message.ts, message.thread, message.audience),
        ),
        scope={THREAD_SETTING: message.thread},
    )
    return claimed_by_row(pool, message, row, earlier)


def claimed_by_row(
    pool: Pool, message: Message, row: dict[str, Any], earlier: int = 0
) -> ClaimedMessage:
    """Return a message as the run has taken it whose token is in its row."""
    run = Run(
        pool,
        Pulse(),
        row["id"],
        token=row["token"],
        thread=message.thread,
        changed_ts=row["changed_ts"],
    )
    return ClaimedMessage(run=run, message=message, attempts=earlier)


async def record(pool: Pool, turn: Turn, ts: str) -> None:
    """Record a message as one of a turn's reply."""
    await execute_statement(
        pool,
        "UPDATE messages SET posting_since = NULL, reply_ts = array_append(reply_ts, %s)"
        " WHERE id = %s",
        (ts, turn.id),
        scope={THREAD_SETTING: turn.message.thread},
    )


@dataclass
class Answering:
    """One answer on its way."""

    stream: ReplyStream
    turn: Turn

    def press_stop(self) -> None:
        """Let the answer learn that the person pressed Stop."""
        self.turn.claimed.run.interrupt(Stopped())


def markdown(message: dict[str, Any]) -> str:
    """Return the Markdown of one message."""
    return "".join(b["text"] for b in message.get("blocks", []) if b["type"] == "markdown")


def below(message: dict[str, Any]) -> list[str]:
    """Return the blocks below the Markdown of one message."""
    contexts = [b for b in message.get("blocks", []) if b["type"] == "context"]
    return [element["text"] for context in contexts for element in context["elements"]]


@dataclass(frozen=True)
class Thread:
    """A thread that is answered in."""

    sender: Sender
    place: PersonThread

    @property
    def slack(self) -> PlaygroundSlack:
        """Where it is."""
        return self.sender.slack

    def rows(self, statement: str, *values: object) -> list[dict[str, Any]]:
        """Execute a statement as the database's owner; return its rows."""
        return owner_rows(self.sender.conninfo, statement, *values)

    async def turn(self, *, event: UUID | None = None, attempts: int = 0) -> Turn:
        """Begin the turn of its message, or begin it again."""
        message = self.slack.message(self.place)
        if event is None:
            waiting = await claimed_anew(self.sender.pool, message, attempts)
        else:
            [row] = self.rows("SELECT id, token, changed_ts FROM messages WHERE id = %s", event)
            waiting = claimed_by_row(self.sender.pool, message, row, attempts)
        return await turns_alone(self.sender.pool).begin(
            waiting,
            question="",
            words="",
        )

    @asynccontextmanager
    async def answering(
        self,
        *,
        begun: Turn | None = None,
        language: Language = "en",
        stand_in: bool = False,
        informed: bool = True,
    ) -> AsyncIterator[Answering]:
        """Begin an answer; how it ends is up to the test."""
        turn = begun or await self.turn()
        settings = PersonSettings(
            language=language, informed=informed, profile_at=datetime.now(UTC)
        )
        sender = self.sender
        stream = ReplyStream(
            sender.pool,
            sender.installations,
            sender.sessions,
            People(sender.pool, sender.installations),
            replace(turn, memory_state=MemoryState(settings=settings)),
            stand_in=stand_in,
        )
        async with stream:
            yield Answering(stream, turn)

    def messages(self) -> list[dict[str, Any]]:
        """Return the app's messages."""
        return self.slack.thread(self.place)

    def intended(self) -> bool:
        """Say whether a message of the turn is noted as about to be posted."""
        statement = "SELECT 1 FROM messages WHERE ts = %s AND posting_since IS NOT NULL"
        return bool(self.rows(statement, self.place.ts))

    async def known(self) -> list[str]:
        """Return the times of the messages that the turn has noted."""
        return list((await self.turn()).reply_ts)

    def whole(self, text: str) -> list[dict[str, Any]]:
        """Check that the thread shows `text` once, whole, ended and with one footer; return it."""
        messages = self.messages()
        assert "".join(markdown(m) for m in messages) == text
        assert not any(m.get("streaming") for m in messages)
        assert [below(m) for m in messages] == [[]] * (len(messages) - 1) + [[FOOTER]]
        assert all(m["text"] for m in messages)
        return messages

    async def write_until(self, answer: Answering, method: str) -> None:
        """Write on, word by word, until a method is called for it."""
        async with asyncio.timeout(60):
            while not self.slack.calls(method):
                await answer.stream.write("more ")
                await asyncio.sleep(0.1)

    async def hello(self) -> None:
        """Answer in two pieces, the first of them streamed; check that the answer is whole."""
        async with self.answering() as answer:
            await answer.stream.write("Hello ")
            await answer.stream.finish("Hello you.")
        self.whole("Hello you.")

    async def posted(self) -> dict[str, Any]:
        """Answer in one piece; check that it is there once, and return the message."""
        async with self.answering() as answer:
            await answer.stream.finish("Hello.")
        [message] = self.whole("Hello.")
        return message
