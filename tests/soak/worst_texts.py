"""One person sends the worst texts for a minute, while ten others talk and wait."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from tests.e2e.messages import Json
from tests.soak.load import Crowd
from tests.soak.stage import Stage
from tests.soak.table import Table, percentiles

PEOPLE = 10
EVERY_SECONDS = 2.0
MOST_SECONDS_LONGER = 1.0
SETTLING = 120.0
# What a model or a person can write: headings, nested lists, code, half links, half credentials.
UNITS = (
    "# \n\n",
    "## 1\n\n",
    "- ",
    "`a ",
    "[a](",
    "<a|",
    "a.b/",
    "| a |\n",
    "sk-",
    "&gt;",
    "a",
    "4111 ",
)
ANSWER_CHARACTERS, MESSAGE_CHARACTERS, THREAD_MESSAGES = 39_000, 39_000, 20


def worst_texts(stage: Stage, table: Table, seconds: float) -> None:
    """Let ten people talk for so long alone, and as long beside the one."""
    table.part(f"Worst texts: one person sends them for {seconds:g} s, {PEOPLE} others talk")
    stage.workspace.playground("delivery", {"deliveries": 1, "jitter_ms": 0})
    alone = _talk(stage, table, seconds, attacked=False)
    beside = _talk(stage, table, seconds, attacked=True)
    longer = max(beside, default=0.0) - max(alone, default=0.0)
    table.fact("they waited alone", percentiles(alone))
    table.fact("they waited beside the one", percentiles(beside))
    table.fact("the longest wait was longer by, seconds", f"{longer:.2f}")
    too_long = [f"{longer:.2f} s"] * (longer > MOST_SECONDS_LONGER)
    table.check(f"goal: nobody waits {MOST_SECONDS_LONGER:g} s longer", too_long)


def _talk(stage: Stage, table: Table, seconds: float, *, attacked: bool) -> list[float]:
    """Return how long each of ten people waited for each answer."""
    crowd, over = Crowd(stage, parts=1), threading.Event()
    people = stage.workspace.people(PEOPLE)
    with ThreadPoolExecutor(2) as pool:
        attack = pool.submit(_attack, stage, over) if attacked else None
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for human in people:
                crowd.ask(human)
                threading.Event().wait(EVERY_SECONDS / PEOPLE)
                crowd.record.read()
        over.set()
        if attack:
            table.fact("worst texts sent", attack.result())
    crowd.wait(SETTLING)
    messages = crowd.messages()
    crowd.judge(table, messages, ordered=False)
    return [*crowd.delays(messages).values()]


def _attack(stage: Stage, over: threading.Event) -> int:
    """Send long messages, have them answered by long ones, and edit them; return how many."""
    workspace = stage.workspace
    [human] = workspace.people(1)
    channel = workspace.channel("public", human)
    for number, unit in enumerate(UNITS):
        workspace.model("script", _script(f"worst{number}", unit))
    sent = 0
    for number, unit in _repeated():
        if over.is_set():
            return sent
        said = workspace.say(human, f"list worst{number}")
        over.wait(1.0)
        # An edited question is answered again where the answer is.
        edit = {"user": human.id, "channel": said.channel, "ts": said.ts}
        workspace.playground("messages/edit", {**edit, "text": f"list again worst{number}"})
        workspace.say(human, (unit * MESSAGE_CHARACTERS)[:MESSAGE_CHARACTERS])
        root = workspace.say(human, "a thread", channel=channel)
        for _ in range(THREAD_MESSAGES):
            text = (unit * MESSAGE_CHARACTERS)[:MESSAGE_CHARACTERS]
            workspace.say(human, text, channel=channel, under=root)
        workspace.say(human, "<@BOT> what is this about?", channel=channel, under=root)
        sent += THREAD_MESSAGES + 4
    return sent


def _repeated() -> Iterator[tuple[int, str]]:
    while True:
        yield from enumerate(UNITS)


def _script(pattern: str, unit: str) -> Json:
    text = (unit * ANSWER_CHARACTERS)[:ANSWER_CHARACTERS]
    return {
        "endpoint": "responses",
        "kind": "reply",
        "pattern": rf"{pattern}\b",
        "output": {"text": text},
        "times": -1,
    }
