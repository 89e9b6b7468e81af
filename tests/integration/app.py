"""The application wired as in production, without a running worker: tests run its jobs."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import Any, TypeAlias
from uuid import uuid4

import openai
from procrastinate import JobContext
from procrastinate.job_context import AbortReason
from procrastinate.jobs import Job
from slack_bolt.async_app import AsyncBoltRequest

import bot.app
from bot.acts.kinds import ButtonAct, Open, Position
from bot.answering.attempts import answer_thread
from bot.answering.edits import delete_answer, follow_change, update_from_message
from bot.answering.prompt import REPLY_INSTRUCTIONS
from bot.cancellation import cancel_until_done
from bot.config import STAND_IN_MODEL, Settings
from bot.conversation.edits import DELETE_ANSWER, UPDATE_FROM_MESSAGE
from bot.conversation.inbox import ANSWER, store_message
from bot.conversation.turns import FORM_MEMORIES
from bot.forgetting.forgetting import end_texts
from bot.kept.lines import SHOW_LINE, show_line
from bot.listeners.bolt_app import create_bolt_app
from bot.listeners.events import handle_event
from bot.listeners.interactions import Interactions
from bot.notices.notices import SHOW_NOTICE, show_notice
from bot.off.switches import turn_off
from bot.panel.content import read_panel
from bot.panel.rows import PanelContent
from bot.people import People
from bot.queue.queue import BACKGROUND, REPLIES, Queue
from bot.queue.retries import RunLater
from bot.remembering.formation import form_memories
from bot.runtime.wiring import ModelClients, create_app
from bot.runtime.worker import register_work
from bot.slack.client import SlackApi
from bot.slack.messages import Installation, Message
from bot.slack.names import Names
from bot.slack.posting import NOTICE_EVENT
from memory import Embedder, Memory, Person, Pool, list_memories
from memory.model import until as until_of
from memory.postgres import execute_statement, load_statements
from memory.store import expire_due
from tests.conftest import Server
from tests.databases import SPACE, owner_rows
from tests.integration.clock import Clock
from tests.integration.interface import Answer, Interface, served
from tests.integration.messages import LATER, change_of, changed
from tests.integration.playground_slack import PersonThread, PlaygroundSlack


class Answering:
    """The jobs that answer the messages of threads, run as a worker runs them.

    `attempts`: how often the job of a thread has put itself off; `put_off`: for how many seconds.
    """

    def __init__(self, core: bot.app.App, database: str) -> None:
        self._core = core
        self._database = database
        self.attempts: Counter[str] = Counter()
        self.put_off: dict[str, float] = {}

    async def drain(self, thread: str) -> None:
        """Run a job of the thread; it counts how often the thread's job has put itself off."""
        job = self._begin(thread)
        aborted = asyncio.Event()
        context = JobContext(
            app=self._core.queue.app,
            job=job,
            start_timestamp=time.time(),
            abort_reason=lambda: AbortReason.USER_REQUEST if aborted.is_set() else None,
        )
        running = asyncio.create_task(answer_thread(self._core, context, thread))
        watching = asyncio.create_task(self._abort(job, running, aborted))
        try:
            async with asyncio.timeout(_LONGEST_JOB_SECONDS):
                await asyncio.shield(running)
        except TimeoutError:
            running.print_stack()
            raise
        except RunLater as later:
            self.attempts[thread] += 1
            self.put_off[thread] = later.seconds
        else:
            self.attempts.pop(thread, None)
            self.put_off.pop(thread, None)
        finally:
            await cancel_until_done(running)
            await cancel_until_done(watching)
            self._rows("DELETE FROM procrastinate_jobs WHERE id = %s", job.id)

    def _begin(self, thread: str) -> Job:
        """Let one job of the thread be in progress, and no other one wait."""
        self._rows(
            "DELETE FROM procrastinate_jobs WHERE task_name = %s AND lock = %s",
            ANSWER,
            thread,
        )
        [row] = self._rows(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, lock, status)"
            " VALUES (%s, %s, %s, 'doing') RETURNING id",
            *(REPLIES, ANSWER, thread),
        )
        return Job(
            id=row["id"],
            queue=REPLIES,
            lock=thread,
            queueing_lock=None,
            task_name=ANSWER,
            attempts=self.attempts[thread],
        )

    async def _abort(
        self, job: Job, running: asyncio.Task[None], aborted: asyncio.Event
    ) -> None:
        """Cancel the job once it is to be aborted."""
        statement = "SELECT 1 FROM procrastinate_jobs WHERE id = %s AND abort_requested"
        while not self._rows(statement, job.id):  # noqa: ASYNC110 - the database says it
            await asyncio.sleep(0.05)
        aborted.set()
        running.cancel()

    def _rows(self, statement: str, *values: object) -> list[dict[str, Any]]:
        return owner_rows(self._database, statement, *values)


# A job that takes longer hangs; its stack is printed.
_LONGEST_JOB_SECONDS = 240.0

INSTALLATION = load_statements("bot", "installation")
_CONTEXT = re.compile(r"<context>\n(.*?\n)</context>\n\n", re.S)


@dataclass(frozen=True, slots=True)
class App:
    """The wired application, with the playground's Slack and the stand-in model."""

    slack: PlaygroundSlack
    stand_in: Server
    database: str
    core: bot.app.App
    answering: Answering
    clock: Clock = field(default_factory=Clock)

    @property
    def pool(self) -> Pool:
        """The application's connection pool."""
        return self.core.pool

    @property
    def embedder(self) -> Embedder:
        """The application's embedder."""
        return self.core.embedder

    async def form_words(self, team: str, user: str, audience: str) -> None:
        """Form what waits, as the last of the waiting jobs would; none waits for a pause."""
        waiting = self.rows(
            "DELETE FROM procrastinate_jobs WHERE task_name = %s AND status = 'todo' AND lock = %s"
            " RETURNING args->>'failures' AS failures",
            *(
                FORM_MEMORIES,
                f"{BACKGROUND}:{Person(team, user).namespace(audience).prefix}",
            ),
        )
        failures = max((row["failures"] for row in waiting), default="0")
        settings = self.core.settings.model_copy(update={"formation": "hot"})
        core = replace(self.core, settings=settings)
        await form_memories(core, team, user, audience, failures)

    async def note(self, event: dict[str, Any]) -> None:
        """Handle an event that is no message of a person's."""
        await handle_event(self.core, event)

    def person(self, place: PersonThread) -> Person:
        """Return who writes at a place."""
        return Person(self.slack.team_id, place.user)

    async def deliver(self, event: dict[str, Any], **authorization: Any) -> int:
        """Deliver an event as Slack does; return the status of the answer."""
        team = self.slack.team_id
        body = {
            "type": "event_callback",
            "team_id": team,
            "event_id": f"Ev{uuid4().hex}",
            "authorizations": [{"team_id": team, "is_bot": True, **authorization}],
            "event": event,
        }
        bolt = create_bolt_app(self.core, Interactions(self.core))
        request = AsyncBoltRequest(
            body=json.dumps(body), headers={"content-type": ["application/json"]}
        )
        return (await bolt.async_dispatch(request)).status

    def written(self, place: PersonThread, text: str, **more: Any) -> Message:
        """Post `text` as the person of `place`; return it as `PlaygroundSlack.message` makes it.

        Its event is still on its way.
        """
        said = self.slack.say(place.user, place.channel, text or "-", **more)
        return self.slack.message(
            place,
            ts=said["ts"],
            thread_ts=more.get("thread_ts", said["ts"]),
            text=text,
        )

    async def receive(self, place: PersonThread, text: str, **more: Any) -> Message:
        """Post `text` as the person of `place`, store what `written` returns, do not answer it."""
        message = self.written(place, text, **more)
        assert await store_message(self.core, message)
        return message

    async def ask(self, place: PersonThread, text: str, **more: Any) -> Message:
        """Post `text` as the person of `place` and answer all waiting messages of the thread."""
        message = await self.receive(place, text, **more)
        await self.answering.drain(message.thread)
        return message

    async def edit(self, message: Message, text: str) -> None:
        """Note that a message was edited, after whatever was noted before."""
        await follow_change(self.core, change_of(message, text))

    async def withdraw(self, message: Message) -> None:
        """Note that a message was deleted, after whatever was noted before."""
        await follow_change(self.core, change_of(message, None, changed_ts=LATER))

    async def change(self, message: Message, text: str | None) -> None:
        """Let its author edit a message or, with None, delete it; do what follows from it."""
        where = {
            "user": message.user_id,
            "channel": message.channel_id,
            "ts": message.ts,
        }
        if text is None:
            self.slack.control("messages/delete", where)
        else:
            self.slack.control("messages/edit", {**where, "text": text})
        await self.note({**changed(message, text), "event_id": f"Ev{time.time_ns()}"})
        await self.follow_changes()

    async def follow_changes(self) -> None:
        """Run the waiting jobs that delete answers, and that update memories from messages."""
        for job in self.take_jobs(DELETE_ANSWER):
            await delete_answer(self.core, **job)
        for job in self.take_jobs(UPDATE_FROM_MESSAGE):
            await update_from_message(self.core, **job)

    async def form(
        self, message: Message, audience: str = "dm"
    ) -> list[dict[str, Any]]:
        """Form the memories of a message's author; return the contents of all of them."""
        # A formation that reads what it cannot mark as formed would never end.
        async with asyncio.timeout(60):
            await self.form_words(message.team_id, message.user_id, audience)
        await self.show_notices()
        return [memory.content for memory in await self.memories(message.person)]

    async def show_notices(self) -> None:
        """Run the waiting jobs that show notices."""
        for job in self.take_jobs(SHOW_NOTICE):
            await show_notice(self.core, **job)

    async def show_lines(self) -> None:
        """Run the waiting jobs of the lines in threads."""
        for job in self.take_jobs(SHOW_LINE):
            await show_line(self.core, **job)

    async def memories(self, person: Person) -> list[Memory]:
        """Return a person's memories."""
        return await list_memories(self.pool, person)

    @property
    def interface(self) -> Interface:
        """Slack's interface, in which people click."""
        return Interface(self.core, self.slack)

    async def click(self, person: Person, act: ButtonAct | str | None) -> Answer:
        """Click a button of an earlier message; return what the person is shown for it."""
        return await self.interface.click(person, act)

    async def submit(self, person: Person, answer: Answer, **values: Any) -> Answer:
        """Submit the form that an answer has opened; return what the person is shown for it."""
        assert answer.form is not None
        return await self.interface.submit(person, answer.form, **values)

    async def end_undo(self, person: Person) -> None:
        """Let the ten minutes pass in which a person may undo what they have forgotten."""
        self.rows(
            "WITH earlier AS (UPDATE messages SET begun_at = begun_at - interval '11 minutes'"
            " WHERE user_id = %s)"
            " UPDATE forgotten SET at = at - interval '11 minutes'"
            " WHERE user_id = %s AND purged_at IS NULL RETURNING 1",
            person.user_id,
            person.user_id,
        )
        await expire_due(self.pool, end_texts=end_texts)

    async def point_at(self, place: PersonThread) -> Answer:
        """Use *Remember This* on the message of a place; return what the person is shown."""
        return await self.interface.point_at(place, self.person(place))

    async def add(self, person: Person, *lines: str) -> Answer:
        """Add memories with the form; return what the person is shown."""
        opened = await self.click(person, Open(form="add"))
        return await self.submit(person, opened, lines="\n".join(lines))

    async def panel(
        self, person: Person, position: Position | None = None, *, home: bool = False
    ) -> PanelContent:
        """Return what a person's panel shows."""
        core = self.core
        localizer = await core.people.localizer(person)
        return await read_panel(
            core, person, localizer, position or Position(), home=home
        )

    async def off(
        self, place: PersonThread, scope: str = "", until: datetime | None = None
    ) -> None:
        """Switch memory off for the person of a place."""
        await turn_off(self.core, self.person(place), scope, until=until_of(until))

    def rows(self, statement: str, *parameters: object) -> list[dict[str, Any]]:
        """Execute a statement as the database's owner; return its rows."""
        return owner_rows(self.database, statement, *parameters)

    def find(self, message: Message) -> dict[str, Any] | None:
        """Return a message's row, if there is one."""
        statement = "SELECT * FROM messages WHERE channel_id = %s AND ts = %s"
        found = self.rows(statement, message.channel_id, message.ts)
        return found[0] if found else None

    def find_turn(self, message: Message) -> dict[str, Any] | None:
        """Return a message's row if its turn has begun."""
        row = self.find(message)
        return row if row and row["begun_at"] else None

    def turn(self, message: Message) -> dict[str, Any]:
        """Return the row of a message whose turn has begun."""
        row = self.find_turn(message)
        assert row is not None
        return row

    def event(self, message: Message) -> dict[str, Any]:
        """Return a message's row."""
        row = self.find(message)
        assert row is not None
        return row

    def jobs(self, name: str) -> list[dict[str, Any]]:
        """Return `args` and `due_in` (seconds) of the waiting jobs of a name."""
        return self.rows(
            "SELECT args, COALESCE(extract(epoch FROM scheduled_at - now())::float, 0) AS due_in"
            " FROM procrastinate_jobs WHERE task_name = %s AND status = 'todo' ORDER BY id",
            name,
        )

    def take_jobs(self, name: str) -> list[dict[str, Any]]:
        """Delete the waiting jobs of a name; return their arguments."""
        found = self.rows(
            "DELETE FROM procrastinate_jobs WHERE task_name = %s AND status = 'todo'"
            " RETURNING args",
            name,
        )
        return [row["args"] for row in found]

    def formations(self, person: Person) -> list[dict[str, Any]]:
        """Return `args` and `due_in` of a person's waiting formations."""
        return [
            job
            for job in self.jobs(FORM_MEMORIES)
            if job["args"]["user"] == person.user_id
        ]

    def requests(self) -> list[dict[str, Any]]:
        """Return the body of each request for a reply, as `without_context` does."""
        return [
            without_context(entry["body"])
            for entry in self.stand_in.call("/_model/journal")["entries"]
            if entry["endpoint"] == "responses" and entry["kind"] == "reply"
        ]

    def request_texts(self) -> list[str]:
        """Return each request for a reply as one JSON text."""
        return [json.dumps(body, ensure_ascii=False) for body in self.requests()]

    def prompts(self) -> list[list[dict[str, Any]]]:
        """Return the input items of each request for a reply."""
        return [body["input"] for body in self.requests()]

    def context(self) -> str:
        """Return what the newest prompt holds below its instructions: memories, recent words."""
        return str(self.prompts()[-1][0]["content"]).removeprefix(REPLY_INSTRUCTIONS)

    def model_requests(self) -> int:
        """Return the number of requests to any model."""
        return len(self.stand_in.call("/_model/journal")["entries"])

    def script(self, text: str | None = None, **output: Any) -> None:
        """Set the model's next reply: a text, or other output of the stand-in."""
        if text is not None:
            output["text"] = text
        script = {"endpoint": "responses", "kind": "reply", "output": output}
        self.stand_in.call("/_model/script", script)

    def script_calls(
        self, *calls: tuple[str, dict[str, Any]], text: str = "Done."
    ) -> None:
        """Let the model call these tools next, and then reply with `text`."""
        made = [{"name": name, "arguments": arguments} for name, arguments in calls]
        self.script(function_calls=made)
        self.script(text)

    def fault(self, **how: Any) -> None:
        """Let the next request for a reply fail; see the stand-in's faults."""
        self.stand_in.call(
            "/_model/faults", {"endpoint": "responses", "kind": "reply", **how}
        )

    def outputs(self) -> list[Any]:
        """Return what the tools answered in the newest turn."""
        found = [
            one
            for one in self.prompts()[-1]
            if one.get("type") == "function_call_output"
        ]
        return [json.loads(one["output"]) for one in found]

    def shown(self, message: Message) -> list[dict[str, Any]]:
        """Return the app's messages in a message's thread, as its author sees them."""
        place = PersonThread(
            message.user_id, "", message.channel_id, message.ts, message.thread_ts
        )
        return self.slack.thread(place)

    def replies(self, message: Message) -> list[str]:
        """Return the Markdown of the app's answers in a message's thread; none is streaming."""
        shown = [one for one in self.shown(message) if not is_notice(one)]
        assert not any(one.get("streaming") for one in shown)
        return [
            "".join(b["text"] for b in one.get("blocks", []) if b["type"] == "markdown")
            for one in shown
        ]


def is_notice(message: dict[str, Any]) -> bool:
    """Say whether the app's message is no reply."""
    return (message.get("metadata") or {}).get("event_type") == NOTICE_EVENT


def without_context(body: dict[str, Any]) -> dict[str, Any]:
    """Return a request with the context before its question at the end of its instructions."""
    system, *others = body["input"]
    shown = [system]
    for item in others:
        content = item.get("content")
        parts = [{"text": content}] if isinstance(content, str) else content or [{}]
        found = _CONTEXT.match(str(parts[0].get("text") or ""))
        if found is None:
            shown.append(item)
            continue
        shown[0] = {**system, "content": f"{system['content']}\n{found[1]}"}
        rest = parts[0]["text"][found.end() :]
        if isinstance(content, str):
            shown.append({**item, "content": rest})
        else:
            texts = [{**parts[0], "text": rest}] if rest else []
            shown.append({**item, "content": [*texts, *parts[1:]]})
    return {**body, "input": shown}


def app_of(**given: Any) -> bot.app.App:
    """Return an application that has nothing but these of its objects."""
    unused = dict.fromkeys(field.name for field in fields(bot.app.App))
    return bot.app.App(**{**unused, **given})


MakeApp: TypeAlias = Callable[..., Awaitable[App]]


async def open_app(
    pool: Pool,
    database: str,
    slack: PlaygroundSlack,
    stand_in: Server,
    model: openai.AsyncOpenAI,
    *,
    team: str | None = None,
    clients: ModelClients | None = None,
    **settings: Any,
) -> App:
    """Wire the app with these settings (fields of `bot.config.Settings`); start no worker.

    It is installed in the playground's workspace, as if that were `team`. Every model is asked
    through the client `model`, unless `clients` are given.
    """
    client = slack.client()
    installation = Installation(
        team_id=slack.team_id,
        bot_user_id=slack.bot_user_id,
        bot_token=str(client.token),
        enterprise_id=slack.enterprise_id or None,
    )
    if team is not None:
        installation = replace(installation, team_id=team)
    api = SlackApi(installation, base_url=client.base_url)
    given: dict[str, Any] = {
        "openai_base_url": stand_in.openai_base_url,
        "reply_model": STAND_IN_MODEL,
        "memory_model": STAND_IN_MODEL,
        **settings,
    }
    opened = clients or ModelClients(model, model, model)
    core = create_app(Settings(**given), opened, SPACE, pool, api, installation)
    await core.queue.open()
    values = {"team": installation.team_id, "bot": installation.bot_user_id}
    await execute_statement(pool, INSTALLATION["found"], values)
    register_work(core)
    return App(slack, stand_in, database, core, Answering(core, database))


def app_without_slack(
    pool: Pool, queue: Queue, retention_days: int | None
) -> bot.app.App:
    """Return what the maintenance of an application needs that is installed in no workspace."""
    nowhere = Installation(team_id="T0NOWHERE1", bot_user_id="")
    slack = SlackApi(nowhere, base_url="http://127.0.0.1/")
    people = People(pool, Names(slack))
    settings = Settings(retention_days=retention_days)
    return app_of(pool=pool, queue=queue, people=people, settings=settings)


@asynccontextmanager
async def receiving(app: App) -> AsyncIterator[None]:
    """Let the playground deliver to the app over signed HTTP; no slow machine makes it give up."""
    patient = {"ack_seconds": 30.0, "retry_delays": [0.0, 0.5, 1.0]}
    app.slack.control("settings", patient)
    try:
        async with served(app.core, app.slack.info["signing_secret"]) as endpoint:
            app.slack.control("delivery", {"mode": "http", "url": endpoint.url})
            yield
            await endpoint.interactions.wait_until_idle(60)
            # What the app has shown is an event, too.
            await asyncio.to_thread(app.slack.control, "settle", {"seconds": 50})
    finally:
        app.slack.control("delivery", {"mode": "socket"})
