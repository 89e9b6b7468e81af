"""``python -m bench.profile``: where the time of a turn goes, by the app's own steps.

Prints a table of the steps of turns that come one after the other, and writes
docs/media/turn-profile.svg, a flame graph of the CPU time of the app's process.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import statistics
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from bench.flame import flame_graph
from bench.ground import ROOT, open_ground
from bench.load import DEFAULT_DELAY
from bench.replies import Replies
from bench.results import quantile
from bench.systems import QUESTION
from bot.runtime.database import progress

PICTURE = ROOT / "docs" / "media" / "turn-profile.svg"
TURNS = 60
_PEOPLE = 6
_FIRST_TOKEN_MS = 100
# What every stack begins with: the interpreter, the command, asyncio's loop.
_LOOP = "asyncio.base_events.BaseEventLoop._run_once"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A kind of step: how often in a turn, and milliseconds."""

    name: str
    times: float
    p50: float
    p95: float


class Span(NamedTuple):
    """One step: its name, the Unix time it began at, and its seconds."""

    name: str
    began_at: float
    seconds: float


def steps(spans: Sequence[Span], *, turns: int) -> list[Step]:
    """Return the steps of `turns` that came one after the other, in the order they begin.

    Beside the app's own there is ``pick-up``: from a message stored to the worker that took it.
    """
    found: defaultdict[str, list[Span]] = defaultdict(list)
    for span in [*spans, *_pick_ups(spans)]:
        found[span.name].append(span)
    return [
        Step(
            name=name,
            times=len(those) / turns,
            p50=statistics.median(span.seconds for span in those) * 1000,
            p95=quantile([span.seconds for span in those], 0.95) * 1000,
        )
        for name, those in sorted(found.items(), key=lambda item: _place(item[1], spans))
    ]


def _pick_ups(spans: Sequence[Span]) -> Iterator[Span]:
    begun = sorted(span.began_at for span in spans if span.name == "drain")
    for stored in (span for span in spans if span.name == "inbox"):
        ended = stored.began_at + stored.seconds
        taken = next((at for at in begun if at >= stored.began_at), None)
        if taken is not None:
            yield Span("pick-up", ended, max(taken - ended, 0.0))


def _place(those: Sequence[Span], spans: Sequence[Span]) -> float:
    """Return how long after its message's arrival a step begins, in the middle."""
    arrivals = sorted(span.began_at for span in spans if span.name == "inbox")
    after = [
        span.began_at - max((at for at in arrivals if at <= span.began_at), default=span.began_at)
        for span in those
    ]
    return statistics.median(after)


async def run(turns: int = TURNS) -> dict[str, Any]:
    """Answer `turns` messages one after the other; return what was counted, and `reply_ready_ms`.

    They are of people the app knows already, as most messages are.
    """
    with tempfile.TemporaryDirectory(prefix="kb-") as name:
        told = Path(name) / "profile.json"
        command = ("-m", "bench.profiled", str(told), "run")
        async with open_ground(Path(name)) as ground:
            await ground.pace(first_token_ms=_FIRST_TOKEN_MS, embedding_ms=0)
            address = ground.app_database("profile")
            async with ground.app(
                address, command=command, KIOKU_FORMATION_DELAY=DEFAULT_DELAY
            ) as [app]:
                replies = await Replies.from_now(ground)
                people = [await ground.person(f"P{number}") for number in range(_PEOPLE)]
                await _ask(replies, people)
                await ground.formed(address)
                app.process.send_signal(signal.SIGUSR1)
                ready = await _ask(replies, [people[n % _PEOPLE] for n in range(turns)])
        counted: dict[str, Any] = json.loads(told.read_text("utf-8"))
    return {**counted, "reply_ready_ms": ready, "turns": turns}


async def _ask(replies: Replies, people: Sequence[str]) -> list[float]:
    """Let people ask one after the other; return the milliseconds until each has their reply."""
    show = progress("turns")
    ready = []
    for number, one in enumerate(people):
        [reply] = await replies.of([await replies.ask(one, QUESTION)])
        ready.append(reply.ready or 0.0)
        show(number + 1, len(people))
    return ready


def table(counted: Mapping[str, Any]) -> list[str]:
    """Return the lines of the table."""
    turns, ready = counted["turns"], counted["reply_ready_ms"]
    whole = statistics.median(ready)
    lines = [
        f"{'step':26}{'a turn':>8}{'p50 ms':>9}{'p95 ms':>9}{'share':>7}",
        f"{'reply ready':26}{1:8.2f}{whole:9.2f}{quantile(ready, 0.95):9.2f}{1:7.0%}",
    ]
    spans = [Span(*values) for values in counted["steps"]]
    lines += [
        f"{step.name:26}{step.times:8.2f}{step.p50:9.2f}{step.p95:9.2f}{step.p50 / whole:7.0%}"
        for step in steps(spans, turns=turns)
    ]
    for name in ("statements", "round_trips"):
        lines.append(
            f"{name.replace('_', ' ')}, the queue's too: {counted[name] / turns:.1f} a turn"
        )
    lines.append(f"CPU of the app's process: {counted['cpu_seconds'] / turns * 1000:.1f} ms a turn")
    return lines


def picture(counted: Mapping[str, Any]) -> str:
    """Return the flame graph, an SVG."""
    stacks: dict[str, int] = {}
    for stack, count in counted["stacks"].items():
        _, _, inner = stack.partition(f"{_LOOP};")
        stacks[inner or _LOOP] = stacks.get(inner or _LOOP, 0) + count
    title = f"Kioku: CPU time of {counted['turns']} turns, {counted['cpu_seconds']:.1f} s"
    return flame_graph(stacks, title=title)


def main() -> None:
    """Run it, print the table, write the picture."""
    counted = asyncio.run(run(int(os.environ.get("TURNS", TURNS))))
    print("\n".join(table(counted)))
    PICTURE.write_text(picture(counted), "utf-8")
    print(f"Flame graph: {PICTURE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
