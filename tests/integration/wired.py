"""The app's own wiring without workers: the test says when a message is answered or formed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, LiteralString

import openai
import psycopg
from psycopg.rows import dict_row
from slack_bolt.authorization import AuthorizeResult

from bot.config import STAND_IN_MODEL, Settings
from bot.conversation.inbox import ANSWER
from bot.pipeline.formation import FORM
from bot.pipeline.worker import ThreadWorker
from bot.queue.queue import LEARNING, REPLIES
from bot.runtime.connections import Connections
from bot.runtime.wiring import Application, wire
from bot.runtime.worker import create_answering
from bot.slack.messages import Message
from memory import Memory, Person, Pool, list_memories
from tests.conftest import SPACE, Server
from tests.integration.playground_slack import Place, PlaygroundSlack


@dataclass(frozen=True, slots=True)
class Wired:
    """Everything wired as it runs, with the playground's Slack and the stand-in model."""

    slack: PlaygroundSlack
    stand_in: Server
    database: str
    wiring: Application
    answering: ThreadWorker

    @property
    def pool(self) -> Pool:
        """The application's pool."""
        return self.wiring.connections.pool

    async def told(self, place: Place, text: str, **more: Any) -> Message:
        """Let the person of `place` write; it is stored, not answered."""
        said = self.slack.say(place.user, place.channel, text, **more)
        message = self.slack.message(
            place,
            event_id=f"Ev{said['ts']}",
            ts=said["ts"],
            thread_ts=more.get("thread_ts", said["ts"]),
            text=text,
        )
        assert await self.wiring.inbox.store(message)
        return message

    async def ask(self, place: Place, text: str, **more: Any) -> Message:
        """Let the person of `place` write, and answer all that waits in that thread."""
        message = await self.told(place, text, **more)
        await self.answering.drain(message.thread)
        return message

    async def form(self, message: Message, audience: str = "dm") -> list[dict[str, Any]]:
        """Form what waits of a message's author; return what is remembered of them."""
        await self.wiring.learning.form(message.team_id, message.user_id, audience)
        return [memory.content for memory in await self.memories(message.person)]

    async def memories(self, person: Person) -> list[Memory]:
        """Return a person's memories."""
        return await list_memories(self.pool, person)

    def rows(self, statement: LiteralString, *parameters: object) -> list[dict[str, Any]]:
        """Ask the database as its owner."""
        with psycopg.connect(self.database, row_factory=dict_row) as owner:
            return owner.execute(statement, parameters).fetchall()

    def turn(self, message: Message) -> dict[str, Any]:
        """Return a message's turn."""
        [row] = self.rows(
            "SELECT * FROM turns WHERE channel_id = %s AND question_ts = %s",
            message.channel_id,
            message.ts,
        )
        return row

    def prompts(self) -> list[str]:
        """Return all that each request for a reply told the model, as text."""
        entries = self.stand_in.call("/_model/journal")["entries"]
        return [
            json.dumps(entry["body"], ensure_ascii=False)
            for entry in entries
            if entry["endpoint"] == "responses" and entry["kind"] == "reply"
        ]

    def model_requests(self) -> int:
        """Return how often any model was asked anything."""
        return len(self.stand_in.call("/_model/journal")["entries"])

    def script(self, text: str) -> None:
        """Say what the model replies next."""
        script = {"endpoint": "responses", "kind": "reply", "output": {"text": text}}
        self.stand_in.call("/_model/script", script)

    def script_calls(self, *calls: tuple[str, dict[str, Any]], text: str = "Done.") -> None:
        """Say which tools the model calls next, and what it says then."""
        made = [{"name": name, "arguments": arguments} for name, arguments in calls]
        for output in ({"function_calls": made}, {"text": text}):
            self.stand_in.call(
                "/_model/script", {"endpoint": "responses", "kind": "reply", "output": output}
            )

    def outputs(self) -> list[Any]:
        """Return what the tools answered in the newest turn."""
        entries = self.stand_in.call("/_model/journal")["entries"]
        last = [e for e in entries if e["endpoint"] == "responses" and e["kind"] == "reply"][-1]
        found = [one for one in last["body"]["input"] if one.get("type") == "function_call_output"]
        return [json.loads(one["output"]) for one in found]

    def shown(self, message: Message) -> list[dict[str, Any]]:
        """Return the app's messages in a message's thread, as its author sees them."""
        place = Place(message.user_id, "", message.channel_id, message.ts, message.thread_ts)
        return self.slack.thread(place)


async def wired(
    pool: Pool,
    database: str,
    slack: PlaygroundSlack,
    stand_in: Server,
    model: openai.AsyncOpenAI,
    **settings: Any,
) -> Wired:
    """Wire the app as an operator with these settings does; nobody works but the test."""
    client = slack.client()
    identity = AuthorizeResult.from_auth_test_response(
        auth_test_response=await client.auth_test(), bot_token=client.token
    )
    given: dict[str, Any] = {
        "openai_base_url": stand_in.openai_base_url,
        "reply_model": STAND_IN_MODEL,
        "memory_model": STAND_IN_MODEL,
        **settings,
    }
    wiring = wire(
        Connections(
            settings=Settings(**given),
            model=model,
            space=SPACE,
            pool=pool,
            slack=client,
            identity=identity,
        )
    )
    await wiring.queue.open()
    answering = create_answering(wiring)
    wiring.queue.register(ANSWER, REPLIES, answering.drain, attempts=1, wait=1)
    wiring.queue.register(FORM, LEARNING, wiring.learning.form, attempts=1, wait=1)
    return Wired(slack, stand_in, database, wiring, answering)
