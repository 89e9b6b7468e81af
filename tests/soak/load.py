"""Many people at once: order in a thread, a steady load, a stop in mid-answer, a long outage."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from tests.e2e.messages import Human, Json, Said, markdown
from tests.kioku_process import until
from tests.soak.judge import judge, out_of_order
from tests.soak.questions import MARKER, Question, answer, markers, question, scripts
from tests.soak.record import Record
from tests.soak.replicas import Replica, cpu_seconds
from tests.soak.stage import Stage
from tests.soak.table import Table, percentiles, tell

PEOPLE = 200
MODEL_MS = 300
RAPID = 20
STREAMS = 20
STREAM_EVERY, STREAMING_SECONDS = 6.5, 15.0
SLOW_MS, QUICK_MS = 4000, 150
THREADS_EACH, MESSAGES_EACH = 5, 10
SENDERS = 6
GROWTH_SHARE, GROWTH_BYTES = 0.15, 20 * 2**20
QUEUE_SECONDS = 10.0
STARVED_SECONDS = 20.0
FRESH_EVERY = 4.0
OUTAGE_SECONDS = 65.0


class Crowd:
    """People who ask, what they asked, and what Slack recorded since."""

    def __init__(self, stage: Stage, *, parts: int, long: bool = False, **model: float) -> None:
        self.stage = stage
        self.workspace = stage.workspace
        self.questions: list[Question] = []
        self._parts = parts
        self._markers: Iterator[str] = markers(long=long)
        self._lock = threading.Lock()
        self.workspace.calm()
        self.workspace.model("script", method="DELETE")
        for script in scripts(parts=parts):
            self.workspace.model("script", script)
        pace = {"first_token_ms": 0, "token_ms": 0, "chunk_chars": 40}
        self.workspace.model("settings", {**pace, **model})
        self.record = Record(stage.workspace)

    def ask(self, human: Human, *, channel: str = "dm", under: Said | None = None) -> Question:
        """Let somebody ask."""
        with self._lock:
            marker = next(self._markers)
        text = question(marker)
        mention = "<@BOT> " if channel != "dm" else ""
        said = self.workspace.say(human, f"{mention}{text}", channel=channel, under=under)
        asked = Question(said, marker, answer(marker, parts=self._parts))
        with self._lock:
            self.questions.append(asked)
        return asked

    def messages(self) -> list[Json]:
        """Return what the app answered."""
        return self.workspace.app_messages([one.said for one in self.questions])

    def wait(self, seconds: float, step: Callable[[], None] = lambda: None) -> bool:
        """Wait until every question has its whole answer; False when it takes too long."""
        end = time.monotonic() + seconds
        told = 0.0
        while time.monotonic() < end:
            self.record.read()
            step()
            if time.monotonic() - told > 10:
                told = time.monotonic()
                tell(f"     {len(self.record.ended)} answered of {len(self.questions)}")
            answered = len(self.record.ended) >= len(self.questions)
            if answered and judge(self.questions, self.messages()).complete:
                return True
            threading.Event().wait(0.5)
        return False

    def judge(
        self, table: Table, messages: Sequence[Json], *, ordered: bool, over: bool = True
    ) -> None:
        """Add what was found of the answers.

        Where it is not `over`, what has no answer is not lost: it still waits.
        """
        verdict = judge(self.questions, messages)
        for name, found in verdict.rows():
            if over or found is not verdict.lost:
                table.check(name, found)
        if ordered:
            table.check("out of order in their thread", out_of_order(self.questions, messages))
        table.check("ended by itself", self.stage.fleet.complaints)

    def delays(self, messages: Sequence[Json]) -> dict[str, float]:
        """Return marker → seconds from the question to its whole answer."""
        asked = {one.marker: float(one.said.ts) for one in self.questions}
        found = ((message, MARKER.search(markdown(message))) for message in messages)
        return {
            match[0]: self.record.ready(message) - asked[match[0]]
            for message, match in found
            if match
        }


def order(stage: Stage, table: Table) -> None:
    """Messages in quick succession in one thread are answered one after the other.

    The others follow once the app answers the first: Slack does not deliver events in order, and
    two messages 1 ms apart were stored in the other order in up to 6 of 20 cases (measured).
    """
    table.part(f"Order: {RAPID} rapid messages in one thread")
    crowd = Crowd(stage, parts=2, first_token_ms=MODEL_MS)
    stage.workspace.playground("delivery", {"deliveries": [1, 4], "jitter_ms": 0})
    [human] = stage.workspace.people(1)
    first = crowd.ask(human)
    until(crowd.record.read, "a call for the first message")
    for _ in range(RAPID - 1):
        crowd.ask(human, under=first.said)
    crowd.wait(60)
    messages = crowd.messages()
    table.fact("seconds to the whole answer", percentiles([*crowd.delays(messages).values()]))
    crowd.judge(table, messages, ordered=True)


def load(
    stage: Stage, table: Table, *, a_second: float, seconds: float, limits: bool, settling: float
) -> None:
    """A steady load leaves no queue behind."""
    said = "with Slack's limits" if limits else "without limits"
    table.part(f"Load: {a_second:g} messages/s for {seconds:g} s from {PEOPLE} people, {said}")
    crowd = Crowd(stage, parts=1, first_token_ms=MODEL_MS)
    workspace = stage.workspace
    people = workspace.people(PEOPLE)
    places = ["dm"] * 9 + [""]
    channels = [workspace.channel("public", *people[n::10]) for n in range(10)]
    workspace.playground("settings", {"rate_limits": limits})
    begin, count = time.monotonic(), round(a_second * seconds)
    processor = _Processor(stage)
    with ThreadPoolExecutor(SENDERS) as pool:
        for number in range(count):
            human = people[(number * 7 + number // 10) % PEOPLE]
            channel = places[number % 10] or channels[people.index(human) % 10]
            _until(begin + number / a_second, crowd)
            pool.submit(crowd.ask, human, channel=channel)
    sent = time.monotonic()
    tell(f"     sent {count} in {sent - begin:.0f} s")
    drained = crowd.wait(settling)
    ended = time.monotonic()
    workspace.playground("settings", {"rate_limits": False})
    messages = crowd.messages()
    delays = crowd.delays(messages)
    last = max(float(one.said.ts) for one in crowd.questions)
    asked = {one.marker: float(one.said.ts) for one in crowd.questions}
    in_time = sum(asked[m] + delay <= last + QUEUE_SECONDS for m, delay in delays.items())
    table.fact("messages", f"{len(crowd.questions)}, sent in {sent - begin:.0f} s")
    table.fact("reply ready after", percentiles([*delays.values()]))
    table.fact("answered by then, a second", f"{in_time / (sent - begin + QUEUE_SECONDS):.1f}")
    table.fact("seconds until nothing waited", f"{ended - sent:.0f}" if drained else "too many")
    limited = {method: n for method, n in crowd.record.limited.items() if n}
    table.fact("Slack's 429", limited or "none")
    table.fact("streamed", crowd.record.done["chat.startStream"])
    processor.show(table, len(delays))
    waiting = len(crowd.questions) - in_time
    left = f"{waiting} messages"
    table.check(f"goal: no queue {QUEUE_SECONDS:g} s after the last", [left] * bool(waiting))
    if not drained:
        table.fact("  of them still waiting when time was over", len(crowd.questions) - len(delays))
    crowd.judge(table, messages, ordered=True, over=drained)
    _memory(table, stage, begin, ended)


def _until(moment: float, crowd: Crowd) -> None:
    while (left := moment - time.monotonic()) > 0:
        threading.Event().wait(min(left, 0.2))
        if left > 0.5:
            crowd.record.read()


class _Processor:
    """The processor time of everything: a figure that others on the machine hardly change."""

    def __init__(self, stage: Stage) -> None:
        parts = {"fronts": "front", "workers": "worker"}
        fleet = stage.fleet
        self._pids = {n: [r.process.pid for r in fleet.named(part)] for n, part in parts.items()}
        postgres = stage.postgres.pid
        self._pids |= {
            "PostgreSQL": [postgres] if postgres else [],
            "playground and model": [stage.workspace.slack.process.pid],
        }
        self._begin = self._now()

    def _now(self) -> dict[str, float]:
        spent = {name: sum(map(cpu_seconds, pids)) for name, pids in self._pids.items()}
        return {**spent, "this": cpu_seconds(os.getpid(), below=False)}

    def show(self, table: Table, messages: int) -> None:
        """Add how many milliseconds of a processor a message took."""
        took = {name: now - self._begin[name] for name, now in self._now().items()}
        each = {name: seconds * 1000 / max(messages, 1) for name, seconds in took.items()}
        shown = ", ".join(f"{name} {ms:.0f}" for name, ms in each.items())
        table.fact("processor ms a message", f"{sum(each.values()):.0f}: {shown}")


def _memory(table: Table, stage: Stage, begin: float, end: float) -> None:
    """Add how much memory each process used, from a third of the time on to its end."""
    grown = []
    for replica in stage.fleet.replicas:
        first = _size(replica, begin, begin + (end - begin) / 3)
        last = _size(replica, begin, end)
        table.fact(f"memory of {replica.name}", f"{first / 2**20:.0f} → {last / 2**20:.0f} MB")
        if last - first > max(GROWTH_BYTES, GROWTH_SHARE * first):
            grown.append(replica.name)
    table.check("memory that grew", grown)


def _size(replica: Replica, begin: float, end: float) -> int:
    sizes = [size for at, size in replica.sizes if begin <= at <= end]
    return sizes[-1] if sizes else 0


def stop(stage: Stage, table: Table) -> None:
    """SIGTERM in the middle of streams: each is finished before its process ends, with code 0."""
    table.part(f"Stop: SIGTERM in the middle of {STREAMS} streams")
    crowd = Crowd(stage, parts=12, long=True, first_token_ms=MODEL_MS, token_ms=SLOW_MS)
    # The app starts no more streams than Slack lets a workspace have: half of them come at once,
    # then one by one, each when those before it are under way.
    for number, human in enumerate(stage.workspace.people(STREAMS)):
        if number >= STREAMS // 2:
            _until_streaming(crowd, number)
            threading.Event().wait(STREAM_EVERY)
        crowd.ask(human)
    _until_streaming(crowd, STREAMS)
    missing = STREAMS - len(_streams(crowd))
    stage.workspace.model("settings", {"token_ms": QUICK_MS})
    codes = [wait() for wait in [worker.retire() for worker in stage.fleet.named("worker")]]
    messages = crowd.messages()
    table.check("streams that were not under way", [f"{missing} of {STREAMS}"] * bool(missing))
    table.check("exit codes other than 0", [str(code) for code in codes if code])
    crowd.judge(table, messages, ordered=False)


def _until_streaming(crowd: Crowd, count: int) -> None:
    end = time.monotonic() + STREAMING_SECONDS
    while len(_streams(crowd)) < count and time.monotonic() < end:
        threading.Event().wait(0.2)


def _streams(crowd: Crowd) -> list[Json]:
    return [message for message in crowd.messages() if message.get("streaming")]


def backlog(stage: Stage, table: Table, *, count: int, settling: float) -> None:
    """What waits after an outage is answered in order, and who writes now does not wait."""
    table.part(f"Backlog: {count} waiting events after an outage")
    crowd = Crowd(stage, parts=1, first_token_ms=MODEL_MS)
    fleet, workspace = stage.fleet, stage.workspace
    fleet.begin("front")
    threads = count // MESSAGES_EACH
    people = workspace.people(threads // THREADS_EACH)
    begin = time.monotonic()

    def talk(human: Human) -> None:
        first = crowd.ask(human)
        for _ in range(MESSAGES_EACH - 1):
            crowd.ask(human, under=first.said)

    with ThreadPoolExecutor(SENDERS) as pool:
        done = [pool.submit(talk, human) for human in people for _ in range(THREADS_EACH)]
        for one in done:
            one.result()
    while workspace.playground("state")["deliveries_waiting"]:
        threading.Event().wait(0.5)
    table.fact("seconds to store them", f"{time.monotonic() - begin:.0f}")
    tell(f"     stored in {time.monotonic() - begin:.0f} s")
    waiting = len(crowd.questions)
    newest = max(float(one.said.ts) for one in crowd.questions)
    threading.Event().wait(max(0.0, newest + OUTAGE_SECONDS - time.time()))
    begin, wall = time.monotonic(), time.time()
    fleet.begin("worker")
    fresh: list[Question] = []
    due = time.monotonic() + FRESH_EVERY

    def write() -> None:
        nonlocal due
        if time.monotonic() >= due and len(crowd.record.ended) < waiting:
            due += FRESH_EVERY
            fresh.append(crowd.ask(workspace.people(1)[0]))

    processor = _Processor(stage)
    drained = crowd.wait(settling, write)
    processor.show(table, len(crowd.record.ended))
    spent = time.monotonic() - begin
    messages = crowd.messages()
    delays = crowd.delays(messages)
    new = {one.marker for one in fresh}
    asked = {one.marker: float(one.said.ts) for one in crowd.questions}
    old = [asked[m] + delay - wall for m, delay in delays.items() if m not in new]
    rate = len(old) / spent
    table.fact("answered", f"{len(old)} of {waiting} in {spent:.0f} s, {rate:.1f} a second")
    table.fact("seconds until an old one was answered", percentiles(old))
    fresh_delays = [delays.get(marker, settling) for marker in new]
    table.fact(f"{len(new)} who wrote meanwhile waited", percentiles(fresh_delays))
    starved = [f"{delay:.0f} s" for delay in fresh_delays if delay > STARVED_SECONDS]
    table.check(f"new conversations that waited {STARVED_SECONDS:g} s", starved)
    still = f"{len(crowd.questions) - len(delays)} messages"
    table.check("goal: nothing waits when time is over", [] if drained else [still])
    crowd.judge(table, messages, ordered=True, over=drained)
    _memory(table, stage, begin, time.monotonic())
