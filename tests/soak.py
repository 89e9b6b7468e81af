"""A bounded run under trouble, judged from what Slack saw: ``python -m tests.soak``.

People write through a playground to one real ``python -m bot run`` while events come several times
and out of order, calls of Slack and of the model fail, the app is killed and PostgreSQL restarted.
Every question carries a marker, and the stand-in model answers it with a text of its own that
begins and ends with that marker; so each must be found whole, in one message, in its own thread.

``SOAK_SECONDS`` (210) is how long it may take, starting and stopping aside, and how much is asked
in proportion; after the last message it may take 45 seconds to be quiet, however short it is.
``SOAK_SEED`` repeats the choices, though not the timing; ``SOAK_LOG`` names a file for the app's
log where something is found. The exit code is 1 on any violation.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NoReturn

from bot.queue import migrations
from memory import EmbeddedPostgres, migrate
from tests.conftest import ROOT, SPACE, json_server
from tests.e2e.app import App
from tests.e2e.messages import Human, Json, Said, asked, is_notice, told
from tests.e2e.world import World
from tests.soak_judge import Question, foreign_words, judge

PEOPLE = 30
PUBLIC_CHANNELS = 3
MESSAGES_PER_SECOND = 2.9
WRITING_SHARE = 0.65
KILLS, RESTARTS = 3, 2
QUIET_SECONDS = 8.0
SETTLING_SECONDS = 45.0
RETRY_DELAYS = "0.2,1,3,10,20"
MODEL_FAULT_SHARE = 0.03
SLACK_FAULTS: tuple[Json, ...] = (
    {"error": "ratelimited", "retry_after": 1},
    {"error": "internal_error"},
    {"status": 500},
    {"drop": "before"},
    {"drop": "after"},
)
SLACK_FAULT_CHANCE = 0.006
MODEL_FAULTS: tuple[Json, ...] = (
    {"status": 500},
    {"status": 429, "retry_after": 0.2},
    {"drop": True},
    {"break_after_chars": 150},
    {"event": "failed", "break_after_chars": 150},
)
LEFT_OUT = (
    "follow-ups without a mention that are written before the thread's first answer: one whose"
    " event overtakes its thread's first is not known to be for the app",
    "several replicas, HTTP, roles, Slack's own rate limits, Stop, edits and deletions",
    "model faults that outlast the app's retries: they are answered with one sentence",
    "memories: only whose words a prompt holds is judged, not that each was formed once",
)


class Writers:
    """The people: they write in DMs, channels and threads until told to stop."""

    def __init__(self, world: World, chance: random.Random) -> None:
        self._world = world
        self._chance = chance
        self.people = [world.human("Person") for _ in range(PEOPLE)]
        self._channels = {
            world.channel(kind, *self.people): kind for kind in ["public"] * PUBLIC_CHANNELS
        }
        some = self.people[: PEOPLE // 3]
        self._channels[world.channel("private", *some)] = "private"
        self.questions: list[Question] = []
        self.model_faults = 0
        self.unmentioned = 0

    def write(self, count: int, seconds: float, stop: threading.Event) -> None:
        """Send `count` messages, spread over `seconds` in bursts as people's are."""
        begin = time.monotonic()
        moments = sorted(self._chance.uniform(0, seconds) for _ in range(count))
        for number, moment in enumerate(moments):
            if stop.wait(max(0.0, begin + moment - time.monotonic())):
                return
            self._ask(f"zq{number:04d}")

    def _ask(self, marker: str) -> None:
        middle = " ".join(f"Part {n} of it." for n in range(self._chance.randint(5, 120)))
        answer = f"{marker} begins. {middle} That was {marker}."
        self._world.script(answer, kind="reply", match=marker, times=-1)
        if self._chance.random() < MODEL_FAULT_SHARE:
            self.model_faults += 1
            fault = self._chance.choice(MODEL_FAULTS)
            self._world.model_fault(kind="reply", match=marker, **fault)
        if self._chance.random() < MODEL_FAULT_SHARE:
            self.model_faults += 1
            self._world.model_fault("chat", kind="formation", match=marker, status=500)
        said = self._say(f"I love {marker} soup, what else is there?")
        self.questions.append(Question(said, marker, answer))

    def _say(self, text: str) -> Said:
        say, chance = self._world.say, self._chance
        human, luck = chance.choice(self.people), chance.random()
        own = [q.said for q in self.questions if q.said.human == human and self._is_dm(q.said)]
        open_threads = [q.said for q in self.questions[-40:] if self._may_join(human, q.said)]
        if luck < 0.45 or (luck < 0.60 and not own) or (luck >= 0.80 and not open_threads):
            return say(human, text)
        if luck < 0.60:
            return say(human, text, under=chance.choice(own))
        if luck < 0.80:
            places = [c for c, kind in self._channels.items() if self._may_write(human, kind)]
            return say(human, f"<@BOT> {text}", channel=chance.choice(places))
        under = chance.choice(open_threads)
        if chance.random() < 0.5 and self._has_answer(under):
            self.unmentioned += 1
            return say(human, text, under=under)
        return say(human, f"<@BOT> {text}", under=under)

    def _is_dm(self, said: Said) -> bool:
        return said.channel not in self._channels

    def _may_write(self, human: Human, kind: str) -> bool:
        return kind == "public" or human in self.people[: PEOPLE // 3]

    def _may_join(self, human: Human, said: Said) -> bool:
        kind = self._channels.get(said.channel)
        return kind is not None and self._may_write(human, kind)

    def _has_answer(self, said: Said) -> bool:
        return any(not message.get("streaming") for message in self._world.answers(said))

    def messages(self) -> list[Json]:
        """Return every message of the app that is neither a list nor a question of its own."""
        places: dict[str, Human] = {}
        for question in list(self.questions):
            places.setdefault(question.said.channel, question.said.human)
        return [
            {**message, "channel": channel}
            for channel, human in places.items()
            for message in self._world.seen(human, channel)
            if message["user"] == self._world.bot and not is_notice(message)
        ]


class Record:
    """What the playground has recorded so far of calls and model requests."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._calls = self._requests = 0
        self.outcomes: Counter[str] = Counter()
        self.done: Counter[str] = Counter()
        self.model: Counter[str] = Counter()
        self.asked: list[tuple[str, str]] = []

    def read(self) -> int:
        """Read on; returns how many calls of Slack were new."""
        calls: Json = self._world.playground(f"calls?since={self._calls}")
        self._calls = calls["last"]
        for call in calls["calls"]:
            self.outcomes[str(call["outcome"])] += 1
            self.done[call["method"]] += bool(call["executed"])
        journal: Json = self._world.slack.call(f"/_model/journal?since={self._requests}")
        self._requests = journal["last"]
        for entry in journal["entries"]:
            self.model["good" if entry["status"] == 200 else "failed"] += 1
            if entry["kind"] == "reply" and entry["endpoint"] == "responses":
                self.asked.append((asked(entry), told(entry)))
        return len(calls["calls"])


class Soak:
    """One run: the trouble, the progress line, the waiting and the table."""

    def __init__(self, world: World, server: EmbeddedPostgres, seconds: float, seed: int) -> None:
        self._world = world
        self._server = server
        self._seconds = seconds
        self._chance = random.Random(seed)
        self._writers = Writers(world, random.Random(seed + 1))
        self._record = Record(world)
        self._done: Counter[str] = Counter()
        self._spent: list[float] = []
        self._stop = threading.Event()

    def run(self) -> bool:
        """Let people write and things break, wait until all is quiet, and judge."""
        world = self._world
        world.pace(first_token_ms=50, token_ms=20, chunk_chars=40)
        world.playground("delivery", {"deliveries": [1, 4], "jitter_ms": 800})
        for fault in SLACK_FAULTS:
            world.slack_fault("*", chance=SLACK_FAULT_CHANCE, **fault)
        writing = self._seconds * WRITING_SHARE
        count = max(1, round(writing * MESSAGES_PER_SECOND))
        begin = time.monotonic()
        with ThreadPoolExecutor(1) as pool:
            try:
                written = pool.submit(self._writers.write, count, writing, self._stop)
                self._trouble(written, begin, writing)
                written.result()
                self._settle(begin)
            finally:
                self._stop.set()
        return self._report(time.monotonic() - begin)

    def _trouble(self, written: Future[None], begin: float, writing: float) -> None:
        """Kill and restart at random moments, each in its own part of the time of writing."""
        kinds: list[Callable[[], None]] = [self._kill, self._restart, self._kill]
        kinds += [self._restart, self._kill]
        part = writing / len(kinds)
        moments = [(n + self._chance.uniform(0.15, 0.85)) * part for n in range(len(kinds))]
        due = list(zip(moments, kinds, strict=True))
        while due or not written.done():
            if written.done() and (error := written.exception()):
                raise error
            self._step(begin)
            if due and time.monotonic() - begin >= due[0][0]:
                due.pop(0)[1]()

    def _settle(self, begin: float) -> None:
        """Wait until every question has a reply and nothing has happened for a while."""
        quiet_since = time.monotonic()
        end = max(begin + self._seconds, quiet_since + SETTLING_SECONDS)
        while time.monotonic() < end:
            waiting = self._world.playground("state")["deliveries_waiting"]
            if self._step(begin) or waiting:
                quiet_since = time.monotonic()
            if time.monotonic() - quiet_since > QUIET_SECONDS:
                return
        self._done["busy at the end"] = 1

    def _step(self, begin: float) -> int:
        if not self._world.app.pause():
            self._done["ended by itself"] += 1
            self._start()
        self._stop.wait(0.5)
        new = self._record.read()
        spent = time.monotonic() - begin
        if not self._spent or spent - self._spent[-1] >= 10:
            self._spent.append(spent)
            verdict = judge(self._writers.questions, self._writers.messages())
            sent = len(self._writers.questions)
            _tell(
                f"{spent:4.0f} s: {sent} sent, {sent - len(verdict.lost)} answered or being so,"
                f" {len(verdict.doubled)} twice, {self._done['kill -9']} kills,"
                f" {self._done['PostgreSQL restarts']} restarts of PostgreSQL"
            )
        return new

    def _kill(self) -> None:
        self._world.app.kill()
        self._done["kill -9"] += 1
        self._start()

    def _start(self) -> None:
        # A start meets Slack's errors too, and ends with a sentence: it is tried again, as by
        # whatever keeps the app running elsewhere.
        for _ in range(5):
            try:
                self._world.app.start()
            except AssertionError:
                self._done["starts refused by a Slack error"] += 1
                if self._world.app.process.poll() is None:
                    self._world.app.kill()
            else:
                return
        raise AssertionError(f"The app does not start any more: {self._world.app.said()[-500:]}")

    def _restart(self) -> None:
        self._server.restart(immediate=True)
        self._done["PostgreSQL restarts"] += 1

    def _report(self, spent: float) -> bool:
        self._record.read()
        questions, record = self._writers.questions, self._record
        verdict = judge(questions, self._writers.messages())
        verdict.prompts = foreign_words(questions, record.asked)
        deliveries: Json = self._world.playground("deliveries?since=0")
        outcomes = Counter(one["outcome"] for one in deliveries["deliveries"])
        failed = sum(n for outcome, n in record.outcomes.items() if outcome in _ordered())
        total = sum(record.outcomes.values())
        model = sum(record.model.values())
        facts: list[tuple[str, object]] = [
            ("seconds", f"{spent:.0f}"),
            ("messages", len(questions)),
            ("  of them unmentioned in a thread", self._writers.unmentioned),
            ("people", PEOPLE),
            ("conversations", len({q.said.channel for q in questions})),
            ("threads", len({(q.said.channel, q.said.thread_ts) for q in questions})),
            ("events delivered", sum(outcomes.values())),
            ("  of them given up by Slack", outcomes["failed"]),
            ("Slack calls", total),
            ("  of them failed on order", f"{failed} ({failed / max(total, 1):.1%})"),
            ("model requests", model),
            ("  of them failed or cut off", record.model["failed"]),
            ("  model faults on order", self._writers.model_faults),
            ("  prompts looked at", len(record.asked)),
            ("kill -9", self._done["kill -9"]),
            ("PostgreSQL restarts", self._done["PostgreSQL restarts"]),
            ("starts refused by a Slack error", self._done["starts refused by a Slack error"]),
            ("messages taken away again by the app", record.done["chat.delete"]),
        ]
        verdicts = verdict.rows()
        verdicts += [
            (name, ["app"] * self._done[name]) for name in ("ended by itself", "busy at the end")
        ]
        for name, fact in facts:
            _tell(f"{name:40} {fact}")
        for name, found in verdicts:
            shown = f"  {'; '.join(found[:5])}" if found else ""
            _tell(f"{name.upper():40} {len(found)}{shown}")
        for line in LEFT_OUT:
            _tell(f"left out: {line}")
        happened = (
            (self._done["kill -9"], self._done["PostgreSQL restarts"]) == (KILLS, RESTARTS)
            and failed > 0
            and len(record.asked) >= len(questions) > 0
        )
        if not happened:
            _tell("What was to be judged did not happen.")
        return happened and not any(found for _, found in verdicts)


def _ordered() -> set[str]:
    return {"ratelimited", "internal_error", "status 500", "dropped before", "dropped after"}


def _tell(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - a command speaks


def _without_settings() -> None:
    """Keep the settings of whoever runs this out of it."""
    prefixes = ("KIOKU_", "SLACK_", "OPENAI_", "LANGSMITH_", "LANGCHAIN_", "PG")
    for name in list(os.environ):
        if name.startswith(prefixes) or name in ("DATABASE_URL", "PORT"):
            del os.environ[name]


def _end(*_: Any) -> NoReturn:
    raise SystemExit("The run was ended before it could be judged.")


@contextmanager
def _workspace(folder: Path) -> Iterator[tuple[World, EmbeddedPostgres]]:
    with EmbeddedPostgres(folder / "postgres") as server:
        server.ensure_database("soak")
        migrate(server.dsn("soak"), SPACE, migrations())
        playground = ("playground", "--manifest", str(ROOT / "manifest.yml"))
        with json_server(*playground, "--retry-delays", RETRY_DELAYS) as slack:
            app = App(slack, server.dsn("soak"), "socket", folder / "log")
            try:
                app.start()
                with closing(World(slack, app)) as world:
                    yield world, server
            finally:
                # Whatever broke off, also while PostgreSQL was away: nothing is left running.
                app.kill()


def main() -> int:
    """Run it; 0 where nothing was found."""
    seconds = float(os.environ.get("SOAK_SECONDS") or 210)
    seed = int(os.environ.get("SOAK_SEED") or random.randrange(10_000))
    signal.signal(signal.SIGTERM, _end)
    _without_settings()
    _tell(f"{seconds:g} seconds at most, SOAK_SEED={seed}")
    with tempfile.TemporaryDirectory(prefix="kioku-soak-") as folder:
        with _workspace(Path(folder)) as (world, server):
            good = Soak(world, server, seconds, seed).run()
        log = Path(folder) / "log"
        if not good and (keep := os.environ.get("SOAK_LOG")):
            Path(keep).write_bytes(log.read_bytes())
    _tell("Nothing was found." if good else "Something was found: see the lines in capitals.")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
