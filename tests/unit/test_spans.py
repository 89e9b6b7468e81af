"""Named steps: nothing while nobody asks, names and times when somebody does; and the profile."""

from __future__ import annotations

import asyncio
from xml.etree import ElementTree

from bench.flame import flame_graph
from bench.profile import steps
from memory import Span, current_step, measured, recorded, step


@measured("whole")
async def _work() -> str:
    with step("part"):
        await asyncio.sleep(0)
        return current_step()


async def test_nothing_is_measured_while_nobody_asks() -> None:
    """Without a recorder a step leaves no trace, not even its name."""
    assert await _work() == ""


async def test_steps_are_told_innermost_first() -> None:
    """Each step is told as it ends, with its time and the step it was in; then nobody is told."""
    spans: list[Span] = []
    with recorded(spans.append):
        assert await _work() == "part"
        assert current_step() == ""
    await _work()
    assert [(span.name, span.within) for span in spans] == [("part", "whole"), ("whole", "")]
    assert 0 <= spans[0].seconds <= spans[1].seconds


async def test_steps_of_turns_at_once_are_kept_apart() -> None:
    """A step knows the one it is in by its task, whatever else runs meanwhile."""
    spans: list[Span] = []

    async def other() -> None:
        with step("other"):
            await asyncio.sleep(0)

    with recorded(spans.append):
        await asyncio.gather(_work(), other())
    assert {span.name: span.within for span in spans} == {"part": "whole", "whole": "", "other": ""}


async def test_a_step_that_fails_is_told_too() -> None:
    """What breaks off took its time as well, and the error goes on."""
    spans: list[Span] = []

    @measured("broken")
    async def broken() -> None:
        raise LookupError

    with recorded(spans.append):
        result = await asyncio.gather(broken(), return_exceptions=True)
    assert isinstance(result[0], LookupError)
    assert [span.name for span in spans] == ["broken"]


def test_pick_up_is_from_stored_to_taken() -> None:
    """Between the end of storing and the worker's beginning lies the pick-up, in its place."""
    spans = [
        Span("claim", 10.05, 0.01, "drain"),
        Span("inbox", 10.0, 0.02, ""),
        Span("drain", 10.03, 0.5, ""),
    ]
    found = steps(spans, turns=1, statements={"claim": 2}, round_trips={"claim": 3})
    assert [one.name for one in found] == ["inbox", "pick-up", "drain", "claim"]
    assert round(found[1].p50) == 10
    assert (found[3].within, found[3].statements, found[3].round_trips) == ("drain", 2, 3)


def test_a_flame_graph_is_as_wide_as_its_samples() -> None:
    """Every frame is a box, as wide as its share, with a name that cannot leave its text."""
    drawn = flame_graph({"loop;bot.a;x": 3, "loop;bot.a;<b>": 1, "loop": 4}, title="A & B")
    root = ElementTree.fromstring(drawn)
    boxes = {
        (group.findtext("{*}title") or ""): float(rect.get("width") or 0)
        for group in root.findall("{*}g")
        if (rect := group.find("{*}rect")) is not None
    }
    assert {"all: 100.0%", "loop: 100.0%", "bot.a: 50.0%", "x: 37.5%", "<b>: 12.5%"} == set(boxes)
    assert round(boxes["bot.a: 50.0%"] / boxes["all: 100.0%"], 2) == 0.5
