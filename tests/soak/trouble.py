"""People write while everything breaks: nothing may be lost, doubled, cut short or mixed up."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

import psycopg

from bot.conversation.turns import FORM_MEMORIES
from tests.e2e.messages import Json, app_messages
from tests.payloads import PAYLOADS
from tests.person import Person, Said
from tests.playground import Playground
from tests.soak.judge import foreign_words, judge, judge_memories
from tests.soak.questions import (
    MARKER,
    Question,
    answer,
    markers,
    question,
    scripts,
    statement,
)
from tests.soak.record import Record
from tests.soak.stage import Stage
from tests.soak.table import Table, tell

PARTS = 12
# A follow-up that is delivered before a mention, and within a minute of it, is not answered.
FOLLOW_UP_SECONDS = 62.0
SLACK_FAULTS: tuple[Json, ...] = (
    {"method": "*", "error": "ratelimited", "retry_after": 1, "chance": 0.012},
    {"method": "*", "error": "internal_error", "chance": 0.012},
    {"method": "*", "status": 500, "chance": 0.012},
    {"method": "*", "drop": "before", "chance": 0.012},
    {"method": "*", "drop": "after", "chance": 0.012},
    {
        "method": "chat.appendStream",
        "error": "message_not_in_streaming_state",
        "chance": 0.01,
    },
)
MODEL_FAULTS: tuple[Json, ...] = (
    {"endpoint": "responses", "status": 500, "chance": 0.015},
    {"endpoint": "responses", "status": 429, "retry_after": 0.2, "chance": 0.015},
    {"endpoint": "responses", "drop": True, "chance": 0.015},
    {"endpoint": "responses", "break_after_chars": 150, "chance": 0.015},
    {
        "endpoint": "responses",
        "event": "failed",
        "break_after_chars": 150,
        "chance": 0.01,
    },
    {"endpoint": "responses", "kind": "formation", "status": 500, "chance": 0.06},
    {"endpoint": "responses", "kind": "verdict", "status": 500, "chance": 0.06},
    {"endpoint": "embeddings", "status": 500, "chance": 0.05},
)

# So long others take a suspended process for dead, and have its work.
SUSPENDED_SECONDS = 15.0


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How much of it there is; times in seconds."""

    people: int
    messages: int
    writing: float
    kills: int
    restarts: int
    suspensions: int
    settling: float
    quiet: float

    def scaled(self, scale: float) -> Plan:
        """Return so much of it, with the same trouble a second."""
        return replace(
            self,
            messages=round(self.messages * scale),
            writing=self.writing * scale,
            kills=round(self.kills * scale),
            restarts=round(self.restarts * scale),
            suspensions=round(self.suspensions * scale),
        )


class Writers:
    """The people: they write in DMs, channels and threads until told to stop."""

    def __init__(
        self, workspace: Playground, people: int, chance: random.Random
    ) -> None:
        self._workspace = workspace
        self._chance = chance
        self._markers = markers()
        self.people = [Person(workspace) for _ in range(people)]
        self._some = self.people[: people // 3]
        everybody, some = (
            [one.id for one in group] for group in (self.people, self._some)
        )
        self._channels = {
            workspace.channel("public", *everybody): self.people for _ in range(3)
        }
        self._channels[workspace.channel("private", *some)] = self._some
        self.questions: list[Question] = []
        self.unmentioned = 0

    def write(self, count: int, seconds: float, stop: threading.Event) -> None:
        """Send `count` messages, spread over `seconds` in bursts as people's are."""
        begin = time.monotonic()
        moments = sorted(self._chance.uniform(0, seconds) for _ in range(count))
        for moment in moments:
            if stop.wait(max(0.0, begin + moment - time.monotonic())):
                return
            marker = next(self._markers)
            states = self._chance.random() < 0.4
            said = self._say(statement(marker) if states else question(marker))
            self.questions.append(
                Question(said, marker, answer(marker, parts=PARTS), states=states)
            )

    def _say(self, text: str) -> Said:
        chance = self._chance
        human = chance.choice(self.people)
        luck = chance.random()
        own = [
            q.said
            for q in self.questions
            if q.said.person == human and self._is_dm(q.said)
        ]
        open_threads = [
            q.said for q in self.questions[-40:] if self._may_join(human, q.said)
        ]
        if (
            luck < 0.45
            or (luck < 0.60 and not own)
            or (luck >= 0.80 and not open_threads)
        ):
            return human.say(text)
        if luck < 0.60:
            return human.say(text, under=chance.choice(own))
        if luck < 0.80:
            places = [
                channel
                for channel, members in self._channels.items()
                if human in members
            ]
            return human.say(f"<@BOT> {text}", channel=chance.choice(places))
        under = chance.choice(open_threads)
        asked = any(
            q.said.person == human
            for q in self.questions
            if q.said.thread_ts == under.thread_ts
        )
        without_mention = asked and chance.random() < 0.5
        if without_mention and time.time() - float(under.thread_ts) > FOLLOW_UP_SECONDS:
            self.unmentioned += 1
            return human.say(text, under=under)
        return human.say(f"<@BOT> {text}", under=under)

    def _is_dm(self, said: Said) -> bool:
        return said.channel not in self._channels

    def _may_join(self, human: Person, said: Said) -> bool:
        return human in self._channels.get(said.channel, ())

    def messages(self) -> list[Json]:
        """Return what the app answered."""
        return app_messages([one.said for one in list(self.questions)])


def _acknowledged(deliveries: Sequence[Json]) -> set[str]:
    """Return the markers of which the app acknowledged an event."""
    return {
        marker
        for one in deliveries
        if one["outcome"] == "acked"
        for marker in MARKER.findall(str(one["body"].get("event", {}).get("text")))
    }


def _replies(rows: Sequence[tuple[str]]) -> set[str]:
    return {ts for (row,) in rows for ts in json.loads(row)["reply_ts"]}


class Trouble:
    """One run: the trouble, the progress line, the waiting and the judgement."""

    def __init__(self, stage: Stage, plan: Plan, seed: int) -> None:
        self._stage = stage
        self._plan = plan
        self._chance = random.Random(seed)
        self._writers = Writers(stage.workspace, plan.people, random.Random(seed + 1))
        self._record = Record(stage.workspace)
        self._restarts = 0
        self._busy: list[str] = []
        self._spent = -10.0
        self._stop = threading.Event()

    def run(self, table: Table) -> None:
        """Let people write and things break, wait until all is quiet, and judge."""
        workspace = self._stage.workspace
        workspace.model(
            "settings", {"first_token_ms": 50, "token_ms": 20, "chunk_chars": 40}
        )
        for script in scripts(parts=PARTS):
            workspace.model("script", script)
        for fault in MODEL_FAULTS:
            workspace.model("faults", fault)
        for fault in SLACK_FAULTS:
            workspace.control("faults", fault)
        workspace.control("delivery", {"deliveries": [1, 4], "jitter_ms": 800})
        begin = time.monotonic()
        with ThreadPoolExecutor(1) as pool:
            try:
                write = self._writers.write
                written = pool.submit(
                    write, self._plan.messages, self._plan.writing, self._stop
                )
                self._break(written, begin)
                written.result()
                self._settle(begin)
            finally:
                self._stop.set()
        workspace.calm()
        self._judge(table, time.monotonic() - begin)

    def _break(self, written: Future[None], begin: float) -> None:
        """Kill and restart at random moments while people write."""
        plan = self._plan
        acts = [self._kill] * plan.kills
        acts += [self._restart] * plan.restarts
        acts += [self._suspend] * plan.suspensions
        self._chance.shuffle(acts)
        moments = sorted(self._chance.uniform(0.02, 0.98) * plan.writing for _ in acts)
        due = list(zip(moments, acts, strict=True))
        while due or not written.done():
            if written.done() and (error := written.exception()):
                raise error
            self._step(begin)
            if due and time.monotonic() - begin >= due[0][0]:
                due.pop(0)[1]()

    def _kill(self) -> None:
        fleet = self._stage.fleet
        fleet.kill(self._chance.choice(fleet.replicas))

    def _suspend(self) -> None:
        fleet = self._stage.fleet
        running = [replica for replica in fleet.replicas if replica.look() == "runs"]
        if running:
            fleet.suspend(self._chance.choice(running), SUSPENDED_SECONDS)

    def _restart(self) -> None:
        self._stage.postgres.stop(immediate=True)
        self._stage.postgres.start()
        self._restarts += 1

    def _settle(self, begin: float) -> None:
        """Wait until every question has its answer and nothing has happened for a while."""
        quiet_since = time.monotonic()
        writers = self._writers
        end = quiet_since + self._plan.settling
        waiting = 0
        while time.monotonic() < end:
            deliveries = self._stage.workspace.control("deliveries?since=999999999")
            waiting = deliveries["waiting"]
            if self._step(begin) or waiting:
                quiet_since = time.monotonic()
            if (
                time.monotonic() - quiet_since > self._plan.quiet
                and judge(writers.questions, writers.messages()).complete
            ):
                return
        self._busy = [
            f"{waiting} events not acknowledged",
            f"{self._record.newest[-3:]}",
        ]

    def _step(self, begin: float) -> int:
        self._stop.wait(0.2)
        new = self._record.read()
        spent = time.monotonic() - begin
        if spent - self._spent >= 10:
            self._spent = spent
            questions = list(self._writers.questions)
            verdict = judge(questions, self._writers.messages())
            happened = self._stage.fleet.happened
            tell(
                f"{spent:4.0f} s: {len(questions)} sent,"
                f" {len(questions) - len(verdict.lost)} answered or being so,"
                f" {len(verdict.doubled)} twice, {happened['kill -9']} kills,"
                f" {self._restarts} restarts of PostgreSQL"
            )
        return new

    def _judge(self, table: Table, spent: float) -> None:
        plan = self._plan
        record = self._record
        fleet = self._stage.fleet
        record.read()
        questions = self._writers.questions
        messages = self._writers.messages()
        deliveries = self._stage.workspace.control("deliveries?since=0")["deliveries"]
        given_up = sum(one["outcome"] == "failed" for one in deliveries)
        requests = sum(record.model.values())
        slack_share = record.refused / max(record.made, 1)
        model_share = record.model["failed"] / max(requests, 1)
        table.fact("seconds", f"{spent:.0f}")
        table.fact(
            "messages",
            f"{len(questions)}, {self._writers.unmentioned} of them unmentioned",
        )
        table.fact("people", plan.people)
        table.fact(
            "threads", len({(q.said.channel, q.said.thread_ts) for q in questions})
        )
        table.fact(
            "deliveries", f"{len(deliveries)}, {given_up} of them given up by Slack"
        )
        table.fact(
            "Slack calls", f"{record.made}, failed by injected faults {slack_share:.1%}"
        )
        table.fact("model requests", f"{requests}, failed {model_share:.1%}")
        table.fact("kill -9", fleet.happened["kill -9"])
        table.fact("SIGSTOP", fleet.happened["SIGSTOP"])
        table.fact("PostgreSQL restarts", self._restarts)
        refused = fleet.happened["starts that ended with a sentence"]
        table.fact("starts that ended with a sentence", refused)
        verdict = judge(questions, messages)
        table.fact("answers that went on in a second message", verdict.continued)
        for name, found in verdict.rows():
            table.check(name, found)
            self._trail(
                table, {marker for line in found for marker in MARKER.findall(line)}
            )
        taken = sorted(set(verdict.lost) & _acknowledged(deliveries))
        table.fact(
            "  of the lost ones Slack was told of",
            f"{len(taken)}  {'; '.join(taken[:6])}",
        )
        table.check(
            "another's words in a prompt", foreign_words(questions, record.asked)
        )
        table.check("ended by itself", fleet.complaints)
        table.check("busy at the end", self._busy)
        table.check("calls that Slack does not want", PAYLOADS.violations())
        self._judge_memories(table, questions)
        wanted = (
            ("messages", len(questions), plan.messages),
            ("kills", fleet.happened["kill -9"], plan.kills),
            ("restarts", self._restarts, plan.restarts),
            # There may be none that runs at such a moment.
            ("suspensions", fleet.happened["SIGSTOP"], plan.suspensions * 5 // 8),
            ("prompts", len(record.asked), len(questions)),
        )
        table.check(
            "less happened than was to", [n for n, had, least in wanted if had < least]
        )

    def _trail(self, table: Table, found: set[str]) -> None:
        """Add the row of each question, and the calls of Slack that are about its answer."""
        calls = self._stage.workspace.control("calls?since=0")["calls"] if found else []
        for asked in [one for one in self._writers.questions if one.marker in found][
            :6
        ]:
            with psycopg.connect(self._stage.conninfo) as owner:
                rows = owner.execute(
                    "SELECT (to_jsonb(m) - 'message')::text FROM messages m WHERE ts = %s",
                    (asked.said.ts,),
                ).fetchall()
            table.fact(f"  {asked.marker}", rows)
            for call in calls:
                if asked.marker in (text := str(call)) or any(
                    ts in text for ts in _replies(rows)
                ):
                    table.fact("    call", text[:300])

    def _memory_trail(self, table: Table, lost: set[str]) -> None:
        """Add what is stored of each lost memory: its message, and every statement of it."""
        for asked in [one for one in self._writers.questions if one.marker in lost][:6]:
            with psycopg.connect(self._stage.conninfo) as owner:
                rows = owner.execute(
                    "SELECT (to_jsonb(m) - 'message')::text FROM messages m WHERE ts = %s"
                    " UNION ALL SELECT to_jsonb(s)::text FROM statements s WHERE ts = %s"
                    " OR to_jsonb(s)::text LIKE %s",
                    (asked.said.ts, asked.said.ts, f"%{asked.marker}%"),
                ).fetchall()
            for (row,) in rows:
                table.fact(f"  {asked.marker}", row)

    def _unformed(self) -> set[str]:
        """Return the markers in words that wait for formation and have a job for it."""
        with psycopg.connect(self._stage.conninfo) as owner:
            found = owner.execute(
                "SELECT words FROM messages WHERE formed_at IS NULL AND EXISTS (SELECT"
                " FROM procrastinate_jobs job WHERE job.task_name = %s AND job.status = 'todo'"
                " AND job.args->>'user' = messages.user_id"
                " AND job.args->>'audience' = messages.audience)",
                (FORM_MEMORIES,),
            )
            return {marker for (words,) in found for marker in MARKER.findall(words)}

    def _judge_memories(self, table: Table, questions: Sequence[Question]) -> None:
        """Ask everybody's `/memories`, until nothing is missing or time is over."""
        end = time.monotonic() + self._plan.settling
        shown = {human: human.listed_memories() for human in self._writers.people}
        while (
            found := judge_memories(questions, shown)
        ).lost and time.monotonic() < end:
            owners = {one.marker: one.said.person for one in questions}
            for human in {owners[marker] for marker in found.lost}:
                shown[human] = human.listed_memories()
        table.fact("memories stated", sum(one.states for one in questions))
        waiting = self._unformed() & set(found.lost)
        table.fact("  of them waiting for another attempt at formation", len(waiting))
        lost = [one for one in found.lost if one not in waiting]
        table.check("memories lost", lost)
        self._memory_trail(table, set(lost))
        table.check("memories doubled", found.doubled)
        table.check("memories of another person", found.crossed)
