"""An answer on its way into the playground, with a real database behind it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import UUID

from bot.app import App
from bot.cancellation import Stopped
from bot.config import STAND_IN_MODEL, Settings
from bot.conversation.inbox import ClaimedMessage, read_progress
from bot.conversation.run import Run
from bot.conversation.turns import Turn, begin_turn
from bot.delivery.reply_sink import ReplyStream
from bot.locale import Language, say
from bot.people import MemoryState, People, PersonSettings
from bot.queue.queue import Queue
from bot.slack.messages import THREAD_SETTING, Message
from bot.slack.names import Names
from bot.slack.sessions import Sessions
from memory import Pool, create_pool
from memory.postgres import execute_statement
from tests.databases import login_of, owner_rows
from tests.integration.app import app_of
from tests.integration.playground_slack import PersonThread, PlaygroundSlack

FOOTER = say("en", "footer")


@asynccontextmanager
async def open_sender(database: str, slack: PlaygroundSlack) -> AsyncIterator[Sender]:
    """Open everything an answer is delivered with; Slack refuses nothing."""
    async with create_pool(
        login_of(database), min_size=1, max_size=4, timeout=5
    ) as pool:
        api = slack.api()
        names = Names(api)
        app = replace(
            without_limits(pool),
            slack=api,
            names=names,
            sessions=Sessions(api, partial(read_progress, pool)),
            people=People(pool, names),
        )
        yield Sender(slack, database, app)
        await app.sessions.close()


@dataclass
class Sender:
    """What all answers of a test share."""

    slack: PlaygroundSlack
    conninfo: str
    app: App

    def refuse(self, method: str, seconds: int) -> None:
        """Let Slack have refused a method to another answer of this process."""
        self.app.slack.limits.note(method, seconds)


def without_limits(pool: Pool) -> App:
    """Return what a turn in a direct message needs, without limits and formation."""
    settings = Settings(
        reply_model="gpt-6-luna", formation="off", person_messages_per_hour=0
    )
    return app_of(pool=pool, queue=Queue(pool), settings=settings)


async def claimed_anew(app: App, message: Message, earlier: int = 0) -> ClaimedMessage:
    """Store a message, unless it is stored, as taken by another run after `earlier` attempts."""
    [row] = await execute_statement(
        app.pool,
        "INSERT INTO messages (team_id, user_id, channel_id, ts, thread, audience, token)"
        " VALUES (%s, %s, %s, %s, %s, %s, gen_random_uuid())"
        " ON CONFLICT (team_id, channel_id, ts) DO UPDATE"
        " SET token = excluded.token, status = 'waiting', ended_at = NULL"
        " RETURNING id, token",
        (
            *(message.team_id, message.user_id, message.channel_id),
            *(message.ts, message.thread, message.audience),
        ),
        scope={THREAD_SETTING: message.thread},
    )
    return claimed_by_row(app, message, row, earlier)


def claimed_by_row(
    app: App, message: Message, row: dict[str, Any], earlier: int
) -> ClaimedMessage:
    """Return a message as the run has taken it whose token is in its row."""
    run = Run(app, row["id"], token=row["token"], thread=message.thread)
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
    return "".join(
        b["text"] for b in message.get("blocks", []) if b["type"] == "markdown"
    )


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
            waiting = await claimed_anew(self.sender.app, message, attempts)
        else:
            [row] = self.rows("SELECT id, token FROM messages WHERE id = %s", event)
            waiting = claimed_by_row(self.sender.app, message, row, attempts)
        return await begin_turn(
            self.sender.app,
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
        app = self.sender.app
        if stand_in:
            by_stand_in = app.settings.model_copy(
                update={"reply_model": STAND_IN_MODEL}
            )
            app = replace(app, settings=by_stand_in)
        stream = ReplyStream(
            app, replace(turn, memory_state=MemoryState(settings=settings))
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
