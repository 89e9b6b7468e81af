"""Killed while Slack or the model answers, the app answers once and remembers once.

One ``kill -9`` of the real process finds a person at each of these points: PostgreSQL, Slack or the
model holds the app there. What is shown is what each of them has in the end.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from memory import EmbeddedPostgres
from tests.e2e.app import own_app
from tests.e2e.holding import Holding
from tests.e2e.messages import Said
from tests.e2e.world import World

pytestmark = pytest.mark.slow

_FOODS = {
    "before model": "tempura",
    "mid-stream": "udon",
    "after the start before its ts is stored": "soba",
    "after the post before its ts is stored": "natto",
    "while it is down": "curry",
}


@dataclass(frozen=True)
class Crashed:
    """What was said and stored at the moment of the kill, by crash point; the world after it."""

    world: World
    said: dict[str, Said]
    stood: dict[str, dict[str, Any]]


# Which change of which row is held for whom; the formatted part is the person.
_NOTING = ("UPDATE OF reply_ts", "messages", "NEW.user_id = '{user}'")
_HOLDS = {
    "after the start before its ts is stored": _NOTING,
    "after the post before its ts is stored": _NOTING,
}


class _Scene:
    """The people on their way to their crash points."""

    def __init__(self, world: World, holding: Holding) -> None:
        self.world = world
        self.holding = holding
        self.people = {point: world.human() for point in _FOODS}
        self.said: dict[str, Said] = {}
        self._locks = {
            point: holding.before(change, table, condition.format(user=self.people[point].id))
            for point, (change, table, condition) in _HOLDS.items()
        }

    def say(self, point: str, **where: Any) -> Said:
        """Let the person of a point write."""
        text = f"{'<@BOT> ' if where else ''}I love {_FOODS[point]}"
        said = self.said[point] = self.world.say(self.people[point], text, **where)
        return said

    def hold(self, point: str) -> None:
        """Let the person of a point write, and wait until the app is held there."""
        self.say(point)
        lock = self._locks[point]
        self.world.until(lambda: self.holding.holds(lock) or None, f"a hold {point}")

    def stood(self, point: str) -> dict[str, Any]:
        """Return what there is of a person's message."""
        world, said = self.world, self.said[point]
        [event], turns = world.inbox(said) or [{}], world.turns(said)
        return {
            "attempts": event.get("attempts"),
            "status": event.get("status"),
            "acked": _acked(world, said),
            "prompts": len(world.prompts(said.text)),
            "shown": [bool(message.get("streaming")) for message in world.answers(said)],
            "noted": [ts for turn in turns for ts in turn["reply_ts"]],
            "memories": len(world.memories(said.human)),
        }


def _acked(world: World, said: Said) -> bool:
    return any(
        attempt.get("ok")
        for delivery in world.playground("deliveries")["deliveries"]
        if delivery["body"].get("event", {}).get("ts") == said.ts
        for attempt in delivery["attempts"]
    )


def _play(scene: _Scene) -> dict[str, dict[str, Any]]:
    """Bring everybody to their point; return what was stored when the app was killed."""
    world = scene.world
    # The ts is stored while Slack is asked for more.
    world.slack_fault("chat.stopStream", delay_ms=60_000)
    scene.hold("after the start before its ts is stored")
    world.slack_fault("chat.startStream", error="unknown_method")
    scene.hold("after the post before its ts is stored")
    general = world.channel("public", *scene.people.values())
    world.slack_fault("conversations.replies", delay_ms=60_000)
    root = world.say(scene.people["before model"], "Good morning", channel=general)
    said = scene.say("before model", under=root)
    world.until(lambda: world.turns(said), "a begun turn")
    world.pace(chunk_chars=3, token_ms=700)
    streamed = scene.say("mid-stream")
    world.until(lambda: world.calls("chat.appendStream", streamed.channel), "a stream that grows")
    world.app.kill()
    scene.said["while it is down"] = world.say(scene.people["while it is down"], "I love curry")
    return {point: scene.stood(point) for point in scene.said}


@pytest.fixture(scope="module")
def crashed(
    postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Crashed]:
    """A world in which the app was killed with a person at each crash point, and started again."""
    log = tmp_path_factory.mktemp("app-crashed") / "log"
    with own_app(postgres, log, retry_delays="0.2,1,3,5,9") as app:
        world = World(app)
        world.calm()
        with Holding(app.conninfo) as holding:
            scene = _Scene(world, holding)
            stood = _play(scene)
        world.calm()
        app.start()
        # A check after each case looks at every session: none may still wait for its reply.
        for said in scene.said.values():
            world.reply(said, 40)
        yield Crashed(world, scene.said, stood)
        world.settled()
        assert world.leaks() == []


_STOOD: dict[str, dict[str, Any]] = {
    "before model": {"attempts": 1, "prompts": 0, "shown": []},
    "mid-stream": {"attempts": 1, "shown": [True]},
    "after the start before its ts is stored": {"shown": [True], "noted": []},
    "after the post before its ts is stored": {"shown": [False], "noted": []},
    "while it is down": {"attempts": None, "acked": False},
}


@pytest.mark.failed_calls(
    "chat.delete: cant_delete_message",
    "chat.stopStream: message_not_in_streaming_state",
    because="A worker that was killed leaves a stream, and whether it runs is not known.",
)
@pytest.mark.parametrize("point", _FOODS)
def test_killed_at_a_point_it_answers_and_remembers_once(crashed: Crashed, point: str) -> None:
    """Killed at this very point, one whole answer is shown and one memory is kept."""
    world, said = crashed.world, crashed.said[point]
    stood = crashed.stood[point]
    assert {name: stood[name] for name in _STOOD[point]} == _STOOD[point]
    reply = world.reply(said, 40)
    assert len(reply.parts) == 1
    assert _FOODS[point] in reply.text
    [turn] = world.turns(said)
    assert turn["status"] == "answered"
    assert turn["reply_ts"] == [message["ts"] for message in reply.messages]
    assert [c["food_name"] for c in world.formed_contents(said.human)] == [_FOODS[point]]
    assert len(world.vectors(said.human)) == 1
    assert len(world.inbox(said)) == 1
