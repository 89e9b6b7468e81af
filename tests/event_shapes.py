"""Events made of the shapes that Slack publishes, and the places in them that may be mutated.

The shapes are those of slackapi/java-slack-sdk, with every value blanked: see the first lines of
events.json.
"""

from __future__ import annotations

import copy
import json
import random
import time
from collections.abc import Iterator
from typing import Any

from tests.conftest import ROOT

_COPY = ROOT / "packages/slack-playground/tests/data/events.json"
PUBLISHED: dict[str, dict[str, Any]] = json.loads(_COPY.read_text("utf-8"))["events"]
TEAM = "T0SHAPE0001"
GONE = "T0GONE00001"
USER = "U0SHAPE0001"
CHANNEL = "D0SHAPE0001"
WORDS = "I collect xylophone records"
_DEPARTURES = frozenset({"app_uninstalled", "tokens_revoked"})
_OF_BOTS = ("bot_id", "bot_profile", "app_id", "username")
DEEP = "@deep@"
_NESTED = "[" * 100_000 + "]" * 100_000


def filled(name: str, number: int) -> dict[str, Any]:
    """Return a published shape with values of the form that Slack sends, as delivery `number`."""
    shape = copy.deepcopy(PUBLISHED[name])
    event = shape["event"]
    team = GONE if event["type"] in _DEPARTURES else TEAM
    found: dict[str, Any] = _filled(
        shape, "", "", team, f"{time.time() - 60 + number / 1e4:.6f}"
    )
    found |= {
        "type": "event_callback",
        "event_id": f"Ev{number:09}",
        "enterprise_id": None,
    }
    found["event_time"] = int(time.time())
    event = found["event"]
    if (
        event["type"] in ("message", "app_mention")
        and event.get("subtype") != "bot_message"
    ):
        for field in _OF_BOTS:
            event.pop(field, None)
    return found


def _filled(value: Any, key: str, parent: str, team: str, ts: str) -> Any:
    if isinstance(value, dict):
        parts = {k: _filled(v, k, key or parent, team, ts) for k, v in value.items()}
        return {k: v for k, v in parts.items() if (k, v) != ("subtype", "")}
    if isinstance(value, list):
        return [_filled(one, key, parent, team, ts) for one in value]
    if value != "":
        return value
    if key.endswith("ts") or key == "latest":
        return ts
    of = parent if key == "id" else key
    for part, id_of in (("enterprise", "E0SHAPE0001"), ("team", team), ("user", USER)):
        if part in of:
            return id_of
    if "channel" in of and key != "channel_type":
        return CHANNEL
    return {"channel_type": "im", "tab": "home", "text": WORDS, "subtype": ""}.get(
        key, "x"
    )


_WRONG: tuple[Any, ...] = (
    *(None, True, 0, -1, 2**63, 1e308, "", "\x00", "\ud800", "\u202e", "x" * 10_000),
    *([], {}, [[]], {"": None}, {"\x00": "\ud800"}, DEEP),
    *(
        "U0000000000",
        "T0000000000",
        "../..",
        "<@U1>",
        "1.2.3",
        "message",
        "app_mention",
        "im",
    ),
)


def mutated(payload: Any, chance: random.Random) -> Any:
    """Return a payload with some of its fields changed; the event keeps its id."""
    for _ in range(chance.choice((1, 1, 2, 5))):
        holder, key = chance.choice(
            [one for one in places(payload) if one[1] != "event_id"]
        )
        match chance.randrange(5):
            case 0:
                del holder[key]
            case 1:
                holder[key] = [holder[key], holder[key]]
            case 2:
                holder[key] = {"value": holder[key]}
            case _:
                # A copy: a later change would alter the list of wrong values.
                holder[key] = copy.deepcopy(chance.choice(_WRONG))
    return payload


def encoded(payload: Any) -> bytes:
    """Return a payload as JSON, with 100,000 lists in each other for `DEEP`."""
    return json.dumps(payload).replace(json.dumps(DEEP), _NESTED).encode()


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield each object or list in a value with each of its keys or indexes."""
    if isinstance(value, dict):
        for key, one in value.items():
            yield value, key
            yield from places(one)
    elif isinstance(value, list):
        for index, one in enumerate(value):
            yield value, index
            yield from places(one)
